"""Keeping what carriers told: scans appended, the parcel judged, all that follows in the same transaction (L4, L5).

One place for both ways news come. The answer to a question proves silence up to `seen_at` (L1); a push proves what
it says and no more: its deadlines are still to be verified by a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from carriers.names import listed
from domain.history import Merge, Stored, merge
from domain.journey import condense
from domain.masking import clean
from domain.opinions import Place, differences, overtaken, place, sides
from domain.remote import Secret
from domain.tracking import Answer, Milestone
from monitor.feeds.doctor import Doctor, Heard, Round
from monitor.feeds.line import Sign
from monitor.polling.believing import Doubt, believed, confirmed, confirmed_nothing, doubt_in, doubt_of, mark
from monitor.polling.flight import Same
from monitor.polling.harmless import harmless
from monitor.polling.witness import Unsure, Witness
from monitor.redaction import hiding, redact
from monitor.store import events, opinions, parcels, polls, providers
from monitor.store.carriers import change_carrier
from monitor.store.parcels import Loaded
from monitor.sweep import Judged, Look, Sweep

__all__ = ["Keeper", "Told", "lines"]


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody told of one parcel."""

    parcel_id: int
    answer: Answer | Same
    seen_at: datetime | None
    """Silence is proven up to here; None where only what was said is proven (a push)."""
    asked_at: datetime | None
    """When we asked; None where nobody asked, so that no provider's pause begins."""
    answered_at: datetime
    """When we heard it: a pause is counted from here."""
    digest: str = ""
    """Of the answer, to know it again; nothing where it is not to be known again."""


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
        self._witness = Witness()

    def repeated(self, carrier: str, asked_at: datetime) -> None:
        """A number with scans was answered for as before, and there was nothing to keep: it vouches for others."""
        self._witness.heard(carrier, asked_at, True)

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
        done.add(self._release(conn, now, own or round_))
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
            heard.append(_heard(row, each, mine, change, now))
            self._bears_witness(look, each, heard[-1])
        if round_ is not None:
            round_.hear(heard)
            looks = [_unproven(look) if round_.down(look.case.waybill.carrier) else look for look in looks]
        looks = [self._vouched(look, asks[look.loaded.id], round_, now) for look in looks]
        events.apply(conn, merges, provider=self._name, at=now)
        for parcel_id, places in shared.items():
            events.adopt(conn, parcel_id, places, self._name)
        if others:
            self._compare(conn, sorted({*shared, *(parcel_id for parcel_id, _ in merges)}), others)
        asked = [polls.Asked(each.parcel_id, each.answered_at) for each in told if each.asked_at is not None]
        polls.answered(conn, asked)
        done = self._sweep.settle(conn, looks, now)
        for look in (look for look in looks if look.loaded.id in done.doubted):
            self._doubt_nothing(look, asks[look.loaded.id])
        for look in looks:
            if (doubt := doubt_in(look.answer_hash)) in (Doubt.PARTLY, Doubt.EARLIER):
                polls.remark(conn, look.loaded.id, _DOUBTED[doubt], now)
        self._put_right(
            conn, [(loaded[each.parcel_id], each) for each in told if each.parcel_id in loaded], now
        )
        done.scans += sum(len(change.added) for _, change in merges)
        return done

    def _bears_witness(self, look: Look, told: Told, heard: Heard) -> None:
        """What this answer says of others of its carrier, and of an older one about the same parcel."""
        self._witness.forget(heard.parcel_id)
        if told.asked_at is None or heard.sign is Sign.NOTHING or doubt_in(look.answer_hash) is not None:
            return
        self._witness.heard(heard.carrier, told.asked_at, heard.sign is not Sign.EMPTIED)

    def _vouched(self, look: Look, told: Told, round_: Round | None, now: datetime) -> Look:
        """A look without scans as it is believed: as proof when somebody vouches for it, or it was said twice."""
        if look.unproven is None or told.asked_at is None:
            return look
        carrier = look.case.waybill.carrier
        trouble = round_ is not None and round_.troubled(carrier)
        interval = self._doctor.interval if self._doctor is not None else timedelta.max
        twice = confirmed_nothing(look.loaded.answer_hash, now, interval, trouble)
        return (
            replace(look, unproven=None) if twice or self._witness.vouches(carrier, told.asked_at) else look
        )

    def _doubt_nothing(self, look: Look, told: Told) -> None:
        """It waits for the next answer about a number with scans, where none has come since."""
        carrier, asked_at = look.case.waybill.carrier, told.asked_at
        if (
            asked_at is None
            or look.case.observed_at is None
            or self._witness.vouches(carrier, asked_at) is False
        ):
            return
        self._witness.wait(Unsure(look.loaded.id, carrier, asked_at, look.case.observed_at))

    def _release(self, conn: Connection, now: datetime, round_: Round | None) -> Judged:
        """Looks that somebody vouches for by now prove silence after all."""
        sure = {each.parcel_id: each for each in self._witness.released(now)}
        sure = {n: each for n, each in sure.items() if round_ is None or not round_.down(each.carrier)}
        looks = [
            Look(
                row,
                replace(
                    row.case, observed_at=max(sure[row.id].seen_at, row.case.observed_at or row.watch_from)
                ),
            )
            for row in (parcels.load(conn, list(sure)) if sure else ())
            if doubt_in(row.answer_hash) is Doubt.NOTHING and not row.case.journey.events
        ]
        return self._sweep.settle(conn, looks, now) if looks else Judged()

    def _put_right(self, conn: Connection, told: Sequence[tuple[Loaded, Told]], now: datetime) -> None:
        """The provider says that a number is another carrier's. Back to the one it was corrected from is no news."""
        for row, each in told:
            corrected = each.answer.corrected_carrier if isinstance(each.answer, Answer) else ""
            known = row.case.waybill
            if corrected in ("", known.carrier):
                continue
            if why := self._uncorrected(row, corrected):
                self._odd(conn, f"{known.waybill_no}：{why}", each.answer, now)
                continue
            change_carrier(conn, row.id, corrected, now)

    def _uncorrected(self, row: Loaded, corrected: str) -> str:
        """Why a correction is not followed, or nothing: one answer must not move a parcel to where nobody looks.

        An account that only pushes asks about neither carrier, and may put its own word right.
        """
        known = row.case.waybill
        if listed(corrected) != corrected:
            return f"更正成了不认识的快递公司 {clean(corrected, 40)}，没有照改"
        if corrected == row.case.declared:
            return f"更正来更正去，不知道是 {known} 还是 {corrected}"
        if self._sweep.feeds(corrected) is None and self._sweep.feeds(known.carrier) is not None:
            return f"更正成 {corrected}，没有账号能查它，没有照改"
        return ""

    def _compare(self, conn: Connection, parcel_ids: Sequence[int], others: frozenset[str]) -> None:
        """Second opinions are held against what is known now; one that was given before the last movement is old."""
        said = opinions.of(conn, parcel_ids)
        known = events.known(conn, list(said))
        seconds = events.told_by(conn, list(said), others)
        for parcel_id, each in ((parcel_id, one) for parcel_id, some in said.items() for one in some):
            if each.heard_at is None or not each.says:
                continue
            first, _ = sides(known[parcel_id], seconds.get(parcel_id, ()), ())
            journey = condense(row.event for row in first if row.withdrawn_at is None)
            moved = journey.last_movement_at
            old = moved is not None and moved > each.heard_at
            n = each.milestone is not Milestone.UNKNOWN or each.last_event_at is not None
            says = () if old else differences(journey, each.milestone, each.last_event_at, n)
            opinions.restated(conn, parcel_id, each.provider, journey, says)

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
            return _perhaps(Look(row, case, asked_at=asked_at), told, now), Merge()
        answer = believed(told.answer, row.watch_from, now)
        waybill = row.case.waybill
        if answer.unknown_codes:
            sample = f"{waybill.carrier}/{waybill.waybill_no}"
            providers.note_unknown(conn, self._name, answer.unknown_codes, sample, now)
        change = merge(known, answer, now)
        emptied = _emptied(told, answer, known)
        if change.contradicts or emptied:
            why = "与已知轨迹毫无重合，疑为别的包裹" if change.contradicts else "原有轨迹，这次查询却为空"
            self._odd(conn, f"{waybill.waybill_no}：{why}", told.answer, now)
            self._sweep.doubts.contradicted(conn, row.id, waybill.carrier, now)
            return Look(row, row.case, asked_at=asked_at), Merge(contradicts=change.contradicts)
        digest = _digest(told)
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
            return _perhaps(look, told, now) if doubt is None else look, change
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


def _perhaps(look: Look, told: Told, now: datetime) -> Look:
    """A look at a parcel without scans may be blindness: what is taken of it then (L1)."""
    row = look.loaded
    if told.seen_at is None or row.case.journey.events:
        return look
    digest = mark(Doubt.NOTHING, row.answer_hash, now)
    return replace(look, unproven=Look(row, row.case, digest, asked_at=look.asked_at))


def _unproven(look: Look) -> Look:
    """What is told by a feed that is down is kept, and shows no silence."""
    return replace(look, case=replace(look.case, observed_at=look.loaded.case.observed_at))


def _heard(row: Loaded, told: Told, known: Sequence[Stored], change: Merge, now: datetime) -> Heard:
    """The same for the doctor. A push of what is known already is one too; one without scans says nothing."""
    waybill, journey, pushed = row.case.waybill, row.case.journey, told.asked_at is None
    same, before = isinstance(told.answer, Same), row.case.observed_at
    answer = believed(told.answer, row.watch_from, now) if isinstance(told.answer, Answer) else None
    emptied = answer is not None and _emptied(told, answer, known)
    if emptied or change.contradicts:
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


def lines(answer: object) -> str:
    """What an answer said, for whoever looks into it; nothing for what is none."""
    told = answer.events if isinstance(answer, Answer) else ()
    return "\n".join(f"{event.occurred_at.isoformat()} {event.code} {event.text}" for event in told)


def _emptied(told: Told, answer: Answer, known: Sequence[Stored]) -> bool:
    """Asked for everything, it has nothing where it had something. A push without scans takes nothing back."""
    asked = told.seen_at is not None
    return asked and answer.whole and not answer.events and any(each.withdrawn_at is None for each in known)


def _digest(told: Told) -> str | None:
    """What the next answer is compared with; None leaves the one there is: a push answers no question."""
    return None if told.asked_at is None else told.digest


def _after(known: Sequence[Stored], change: Merge) -> list[Stored]:
    """The known scans with a change applied."""
    at = {(row.event.occurred_at, row.seq): row for row in known}
    for row in (*change.added, *change.withdrawn, *change.restored, *(new for _, new in change.edited)):
        at[row.event.occurred_at, row.seq] = row
    return list(at.values())
