"""Keeping what carriers told: scans appended, the parcel judged, all that follows in the same transaction (L4, L5).

One place for both ways news come. The answer to a question proves silence up to `seen_at` (L1); a push proves what
it says and no more: its deadlines are still to be verified by a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from domain.history import Merge, Stored, merge
from domain.journey import condense
from domain.opinions import Place, overtaken, place, sides
from domain.remote import Secret
from domain.tracking import Answer
from monitor.feeds.doctor import Doctor, Heard, Round
from monitor.feeds.line import Sign
from monitor.polling.believing import HEARD, Doubt, believed, confirmed, doubt_in, doubt_of, mark
from monitor.polling.comparing import compare_again
from monitor.polling.correcting import Corrector
from monitor.polling.flight import Same
from monitor.polling.harmless import harmless
from monitor.polling.told import Told, lines
from monitor.polling.vouching import Vouching
from monitor.redaction import hiding, redact
from monitor.store import events, parcels, polls, providers
from monitor.store.parcels import Loaded
from monitor.sweep import Judged, Look, Sweep

__all__ = ["Keeper"]


class Keeper:
    """Keeps what one provider account tells."""

    def __init__(
        self, name: str, secrets: Iterable[Secret], sweep: Sweep, doctor: Doctor | None = None
    ) -> None:
        """`name` is the account's: scans and oddities are kept under it, without its `secrets` and with phones masked.

        `doctor` hears of everything, so that what a carrier that is down answers proves no silence.
        """
        self._name = name
        self._secrets = tuple(secrets)
        self._hide = hiding(self._secrets)
        self._sweep = sweep
        self._doctor = doctor
        interval = doctor.interval if doctor is not None else timedelta(hours=12)
        self._vouching = Vouching(name, sweep, interval)
        self._corrector = Corrector(sweep, self._odd)

    def repeated(self, carrier: str, asked_at: datetime) -> None:
        """A number with scans was answered for as before, and there was nothing to keep: it vouches for others."""
        self._vouching.asked(carrier, asked_at, True)

    def failed(self, carrier: str, asked_at: datetime) -> None:
        """A number with scans could not be answered for: it speaks against what is nothing known of others."""
        self._vouching.asked(carrier, asked_at, False)

    def keep(
        self, conn: Connection, told: Sequence[Told], now: datetime, round_: Round | None = None
    ) -> Judged:
        """Append what is new, and judge every parcel at what was proven of it; call it inside a write.

        Several of one parcel are taken in their order. A parcel nobody knows any more is passed over.
        `round_` is the transaction's, where there is more to it; who passes one closes it.
        """
        done = Judged()
        told = [replace(each, answer=harmless(each.answer, self._hide)) for each in told]
        own = self._doctor.round(conn, now) if self._doctor is not None and round_ is None else None
        while told:
            first = list({each.parcel_id: each for each in reversed(told)}.values())[::-1]
            done.add(self._keep(conn, first, now, own or round_))
            kept = {id(each) for each in first}
            told = [each for each in told if id(each) not in kept]
        done.add(self._vouching.release(conn, now, own or round_))
        if own is not None:
            done.messages += own.close()
        return done

    def put_aside(
        self, conn: Connection, parcel_id: int, waybill_no: str, answer: object, why: str, now: datetime
    ) -> None:
        """An answer that cannot be kept: the parcel says so, what was said is there to be looked into."""
        polls.remark(conn, parcel_id, redact(f"无法处理查询结果：{why}", self._secrets), now)
        self._odd(conn, f"{waybill_no}：{why}", answer, now)

    def _odd(self, conn: Connection, why: str, answer: object, now: datetime) -> None:
        said = redact(lines(answer), self._secrets)
        providers.oddity(conn, self._name, redact(why, self._secrets), said, now)

    def _keep(
        self, conn: Connection, told: Sequence[Told], now: datetime, round_: Round | None = None
    ) -> Judged:
        """At most one answer for a parcel."""
        loaded = {each.id: each for each in parcels.load(conn, [each.parcel_id for each in told])}
        fresh = [each.parcel_id for each in told if isinstance(each.answer, Answer)]
        known = events.known(conn, fresh) if fresh else {}
        others = self._sweep.doubts.names - {self._name}
        seconds = events.told_by(conn, fresh, others)
        merges: list[tuple[int, Merge]] = []
        looks: list[Look] = []
        asks: dict[int, Told] = {}
        heard: list[Heard] = []
        shared: dict[int, set[Place]] = {}
        for each in told:
            row = loaded.get(each.parcel_id)
            if row is None:
                continue
            told_now = each.answer.events if isinstance(each.answer, Answer) else ()
            mine, theirs = sides(known.get(row.id, []), seconds.get(row.id, ()), told_now)
            if both := {place(scan) for scan in mine} & seconds.get(row.id, set()):
                shared[row.id] = both
            look, change = self._look(conn, row, each, mine, theirs, now)
            if change:
                merges.append((row.id, change))
            looks.append(look)
            asks[row.id] = each
            stale = doubt_in(look.answer_hash) is Doubt.STALE and not change
            heard.append(_heard(row, each, mine, change, now, stale=stale))
            self._vouching.heard(look, each, heard[-1])
        if round_ is not None:
            round_.hear(heard)
            looks = [_unproven(look) if round_.down(look.case.waybill.carrier) else look for look in looks]
        looks = [self._vouching.believed(look, asks[look.loaded.id], round_, now) for look in looks]
        events.apply(conn, merges, provider=self._name, at=now)
        for parcel_id, places in shared.items():
            events.adopt(conn, parcel_id, places, self._name)
        if others:
            compare_again(conn, sorted({*shared, *(parcel_id for parcel_id, _ in merges)}), others)
        asked = [polls.Asked(each.parcel_id, each.answered_at) for each in told if each.asked_at is not None]
        polls.answered(conn, asked)
        done = self._sweep.settle(conn, looks, now)
        for look in (look for look in looks if look.loaded.id in done.doubted):
            self._vouching.doubted(conn, look, asks[look.loaded.id], now)
        for look in looks:
            if (doubt := doubt_in(look.answer_hash)) in (Doubt.PARTLY, Doubt.EARLIER):
                polls.remark(conn, look.loaded.id, _DOUBTED[doubt], now)
        self._corrector.put_right(
            conn, [(loaded[each.parcel_id], each) for each in told if each.parcel_id in loaded], now
        )
        done.scans += sum(len(change.added) for _, change in merges)
        return done

    def _doubted(
        self, conn: Connection, row: Loaded, answer: Answer, doubt: Doubt, change: Merge, now: datetime
    ) -> Merge:
        """What is taken of an answer that proves nothing: new scans, but nothing is taken back on its word."""
        if doubt is not Doubt.STALE:
            return change
        if row.answer_hash != mark(doubt, row.answer_hash, now):
            waybill = row.case.waybill
            self._odd(conn, f"{waybill.waybill_no}：{_DOUBTED[doubt]}", answer, now)
            self._sweep.doubts.contradicted(conn, row.id, waybill.carrier, now)
        return Merge()

    def _look(
        self,
        conn: Connection,
        row: Loaded,
        told: Told,
        known: list[Stored],
        theirs: list[Stored],
        now: datetime,
    ) -> tuple[Look, Merge]:
        """What one answer shows of one parcel. A contradiction is no look: nothing is proven by it.

        `theirs` are scans that only a second account told of: they stand until this one has told as much.
        """
        asked_at = None if told.asked_at is None else told.answered_at
        case = row.case
        if told.seen_at is not None:
            case = replace(case, observed_at=max(told.seen_at, case.observed_at or row.watch_from))
        if isinstance(told.answer, Same):
            return self._vouching.perhaps(Look(row, case, asked_at=asked_at), told, now), Merge()
        answer = believed(told.answer, row.watch_from, now)
        waybill = row.case.waybill
        if answer.unknown_codes:
            sample = f"{waybill.carrier}/{waybill.waybill_no}"
            providers.note_unknown(conn, self._name, answer.unknown_codes, sample, now)
        if not answer.events and self._corrector.follows(row, answer.corrected_carrier):
            return Look(
                row, row.case, asked_at=asked_at
            ), Merge()  # another carrier's number: this one was not asked
        change = merge(known, answer, now)
        emptied = _emptied(told, answer, known)
        if change.contradicts or emptied:
            why = "与已知轨迹毫无重合，疑为别的包裹" if change.contradicts else "原有轨迹，这次查询却为空"
            self._odd(conn, f"{waybill.waybill_no}：{why}", told.answer, now)
            self._sweep.doubts.contradicted(conn, row.id, waybill.carrier, now)
            return Look(row, row.case, asked_at=asked_at), Merge(contradicts=change.contradicts)
        digest = _digest(told, row)
        doubt = doubt_of(answer, told.answer, known, change) if told.seen_at is not None else None
        if doubt is not None:
            sure, digest = confirmed(doubt, row.answer_hash, now), mark(doubt, row.answer_hash, now)
            if not sure:
                case = row.case
                change = self._doubted(conn, row, told.answer, doubt, change, now)
        if theirs:
            gone = overtaken(theirs, _after(known, change), now)
            change = replace(change, withdrawn=(*change.withdrawn, *gone))
        if not change:
            look = Look(row, case, digest, asked_at=asked_at)
            return self._vouching.perhaps(look, told, now) if doubt is None else look, change
        history = _after([*known, *theirs], change)
        journey = condense(each.event for each in history if each.withdrawn_at is None)
        newest = max(change.added, key=lambda each: each.event.occurred_at, default=None)
        news = newest.event.text if newest is not None else ""
        return Look(row, replace(case, journey=journey), digest, news, asked_at), change


_DOUBTED: Final[Mapping[Doubt, str]] = {
    Doubt.PARTLY: "无法处理查询结果：有的轨迹时间读不出来，不能证明没有更新的轨迹",
    Doubt.STALE: "少了最新的轨迹，可能是旧的副本，下次仍如此才算撤回",
    Doubt.EARLIER: "查到的轨迹都早于订单，像是这个单号以前的包裹；一天后仍如此才当作没有轨迹",
}


def _unproven(look: Look) -> Look:
    """What is told by a feed that is down is kept, and shows no silence."""
    return replace(look, case=replace(look.case, observed_at=look.loaded.case.observed_at))


def _heard(
    row: Loaded, told: Told, known: Sequence[Stored], change: Merge, now: datetime, *, stale: bool = False
) -> Heard:
    """What the doctor hears of it; `stale` lacks the newest scans, and may be an old copy of everything. A push of what is known already is one too; one without scans says nothing."""
    waybill, journey, pushed = row.case.waybill, row.case.journey, told.asked_at is None
    same, before = isinstance(told.answer, Same), row.case.observed_at
    answer = believed(told.answer, row.watch_from, now) if isinstance(told.answer, Answer) else None
    emptied = answer is not None and _emptied(told, answer, known)
    if emptied or change.contradicts or stale:
        sign = Sign.EMPTIED
    elif change.added:
        sign = Sign.NEWS if before is not None or journey.events else Sign.KNOWN
    else:
        sign = Sign.KNOWN if journey.events else Sign.NOTHING
    if pushed:  # it comes by itself, so it was no later than this; the first tells old things
        before = told.answered_at if journey.events else None
    return Heard(
        *(row.id, waybill.carrier, waybill.waybill_no, sign),
        same=same,
        pushed=pushed,
        before=before,
        fresh=change.added,
        partial=told.seen_at is not None and answer is not None and not answer.whole,
    )


def _emptied(told: Told, answer: Answer, known: Sequence[Stored]) -> bool:
    """Asked for everything, it has nothing where it had something. A push without scans takes nothing back."""
    asked = told.seen_at is not None
    return asked and answer.whole and not answer.events and any(each.withdrawn_at is None for each in known)


def _digest(told: Told, row: Loaded) -> str | None:
    """What the next answer is compared with; None leaves the one there is.

    A push answers no question, but says that somebody knows the parcel: nothing will be found to be like it.
    """
    if told.asked_at is not None:
        return told.digest
    return None if row.answer_hash else HEARD


def _after(known: Sequence[Stored], change: Merge) -> list[Stored]:
    """The known scans with a change applied."""
    at = {(row.event.occurred_at, row.seq): row for row in known}
    for row in (*change.added, *change.withdrawn, *change.restored, *(new for _, new in change.edited)):
        at[row.event.occurred_at, row.seq] = row
    return list(at.values())
