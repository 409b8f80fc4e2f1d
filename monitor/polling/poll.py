"""Asking the carriers: due waybills in, scans and their consequences out.

For each provider account: claim what is due inside its ceilings, ask, and keep each answer together
with what follows from it in one transaction. An answer identical to the last one (by hash) with
nothing due costs a reschedule and nothing else. A failed call never passes for an empty answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from math import inf
from time import monotonic
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection

from domain.remote import (
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Throttled,
    Unreadable,
)
from domain.tracking import Answer
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount, secrets_of
from monitor.feeds import feed as feeds
from monitor.feeds.doctor import Doctor, Heard, Round
from monitor.feeds.feed import Feed, FeedState
from monitor.feeds.line import Sign
from monitor.metrics import Metrics
from monitor.net import Net
from monitor.polling.asking import Asker
from monitor.polling.budget import Till
from monitor.polling.claiming import LEASE, Claimer
from monitor.polling.flight import Flight, Result, Same
from monitor.polling.keeping import Keeper
from monitor.polling.slots import Slots
from monitor.polling.told import Told
from monitor.redaction import redact
from monitor.store import outbox, polls, providers
from monitor.store.database import Database, StoreError
from monitor.store.parcels import Claim
from monitor.store.polls import Quiet
from monitor.sweep import Judged, Sweep
from monitor.telling import wording
from monitor.telling.routing import Route, everybody
from monitor.vitals import Vitals
from rules.schedule import Pace, Reason, repeat_asking

__all__ = ["Poller"]

log = structlog.get_logger()
T = TypeVar("T")
_BATCH: Final = 200
_PULSE: Final = 1.0
_WORTH: Final = 4.0
"""Seconds of asking that are claimed at a time."""
_UNASKED: Final = 15.0
"""Seconds after its turn a claim that found no slot is given back: with its request's time it stays within the lease."""
_LINGER: Final = 0.02
_OUTCOMES: Final[dict[type, str]] = {Answer: "answered", Same: "unchanged"}
_LOCKED: Final = timedelta(hours=6)
"""A number that rests so long is locked: the coverage says so."""
_REFUSED_AGAIN: Final = timedelta(hours=24)
_RETRY: Final = (timedelta(seconds=5), timedelta(minutes=10))


class Poller:
    """The poll loop of one provider account."""

    def __init__(
        self,
        account: ProviderAccount,
        db: Database,
        net: Net,
        sweep: Sweep,
        clock: Clock,
        routes: Sequence[Route],
        ending: Callable[[], bool] = lambda: False,
        vitals: Vitals | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`ending` says that the service stops: what is under way is heard out, the rest of the claims given back.

        `vitals` and `metrics` hear of what is due, what was asked and what came of it.
        """
        self._account = account
        self._db = db
        self._net = net
        self._sweep = sweep
        self._clock = clock
        self._routes = routes
        self._ending = ending
        self._vitals = vitals if vitals is not None else Vitals(clock.now())
        self._metrics = metrics if metrics is not None else Metrics()
        self._pace = Pace(account.ceilings.per_waybill_interval, account.refresh_lag)
        self._till = Till(account)
        self._claimer = Claimer(account, db, clock, routes, self._till, self._vitals)
        slots = Slots(account.name, account.ceilings.concurrency, db, clock)
        self._asker = Asker(account, db, net, clock, slots, self._claimer.once_more)
        self._feed = Feed()
        self._loaded = False
        self._saved_at: datetime | None = None
        self._doctor = Doctor(account.name, routes, account.ceilings.per_waybill_interval)
        self._keeper = Keeper(account.name, secrets_of(account.provider), sweep, self._doctor)

    @property
    def name(self) -> str:
        """The account's name."""
        return self._account.name

    @property
    def feed(self) -> Feed:
        """The account's health as last seen."""
        return self._feed

    async def tick(self) -> Judged:
        """Ask about everything that is due now and may be asked; returns when it is all kept."""
        if not self._loaded:
            self._feed = await self._db.write(self._begin)
            self._loaded = True
            self._tell_health()
        total, flight, more, claimed_at = Judged(), Flight(), True, 0.0
        try:
            while more or flight.under_way:
                await self._call_back(-inf if self._ending() else _UNASKED)
                room = self._room()
                # While one number hangs others come due: they are asked, as far as lanes are free.
                again = monotonic() - claimed_at >= _PULSE
                if (more or again) and flight.under_way <= room // 2:
                    claims, wait = await self._claimer.claim(room)
                    more, claimed_at = 0 < room <= len(claims), monotonic()
                    self._send_out(flight, claims, wait.total_seconds())
                if flight.under_way:
                    await self._asker.slots.keep()
                if group := await flight.landed(_PULSE):
                    total.add(await self._take_in(group))
        finally:
            unasked = self._asker.recall()
            flight.cancel()
            with contextlib.suppress(StoreError):  # then their leases end by themselves
                await self._claimer.give_back(unasked)
        await self._asker.slots.rest()
        if total.opened or total.grown or total.ended:
            log.info(
                "judged",
                provider=self._account.name,
                parcels=total.parcels,
                opened=total.opened,
                grown=total.grown,
                ended=total.ended,
                tickets=total.tickets,
                messages=total.messages,
            )
        return total

    async def close(self) -> None:
        """The process ends: other ones may have its slots at once."""
        await self._asker.slots.release()

    async def _call_back(self, waited: float) -> None:
        """What found no slot so long after its turn goes back: somebody may ask it sooner, or it is not asked at all."""
        await self._claimer.give_back(self._asker.recall(waited))

    def _send_out(self, flight: Flight, claims: Sequence[Claim], wait: float) -> None:
        gap, size = 1.0 / self._account.ceilings.per_second, self._account.provider.batch
        for nth, start in enumerate(range(0, len(claims), size)):
            some = claims[start : start + size]
            flight.start(self._asker.ask(some, wait + nth * gap), len(some))

    def _begin(self, conn: Connection) -> Feed:
        """The account's health as last known, and what a dead process had claimed given back.

        A start is a reason to try at once whether an outage is over: somebody may have mended the key.
        """
        name, now = self._account.name, self._clock.now()
        interval = self._account.ceilings.per_waybill_interval
        polls.release(conn, name, now, interval=interval, lease=LEASE)
        row = providers.load(conn, name)
        state = FeedState(row.state)
        return Feed(
            state,
            row.since,
            row.last_good_at,
            row.last_bad_at,
            row.last_error,
            row.failures,
            bool(row.told),
            None if state is FeedState.DOWN else row.resume_at,
            back_at=row.back_at,
        )

    def _room(self) -> int:
        """How many questions may be claimed now: what can be asked soon, also of a service that is slow."""
        allowed = feeds.may_ask(self._feed, self._clock.now())
        if allowed == 0 or self._ending():
            return 0
        calls = self._asker.soon(_WORTH)
        return min(_BATCH, allowed or _BATCH, calls * self._account.provider.batch)

    async def _take_in(self, group: Sequence[Result]) -> Judged:
        """Keep a group of answers. One that cannot be kept stops only itself (promise 7)."""
        try:
            judged, self._feed = await self._db.write(partial(self._keep, group))
            self._tell(group, judged)
            return judged
        except StoreError:
            raise
        except Exception as error:  # whatever it is, the other answers are not to blame
            if len(group) == 1:
                why = f"{type(error).__name__}: {error}"
                log.error(
                    "an answer cannot be kept", waybill=group[0].claim.waybill_no, why=why, exc_info=True
                )
                await self._db.write(partial(self._put_aside, group[0], why))
                return Judged(parcels=1)
        total = Judged()
        for result in group:
            total.add(await self._take_in([result]))
        return total

    def _tell(self, group: Sequence[Result], judged: Judged) -> None:
        """What came of these questions, for whoever watches the watcher."""
        name = self._account.name
        for result in group:
            answer = result.answer
            self._metrics.count(
                "queries_total", name, _OUTCOMES.get(type(answer), type(answer).__name__.lower())
            )
            if isinstance(answer, Rejected):
                self._vitals.answered(name)
            elif not isinstance(answer, RemoteError):
                self._vitals.fetched(name, result.answered_at)
        self._metrics.count("scans_stored_total", name, n=judged.scans)
        self._metrics.count("parcels_judged_total", n=judged.parcels)
        self._tell_health()

    def _tell_health(self) -> None:
        down = self._feed.state is FeedState.DOWN
        self._vitals.feed(self._account.name, self._feed.since if down else None, self._feed.last_error)

    def _put_aside(self, result: Result, why: str, conn: Connection) -> None:
        """Asked again when the ceiling allows, as every claim is; meanwhile it is shown."""
        now, claim = self._clock.now(), result.claim
        self._keeper.put_aside(conn, claim.parcel_id, claim.waybill_no, result.answer, why, now)

    def _keep(self, results: Sequence[Result], conn: Connection) -> tuple[Judged, Feed]:
        """Everything a group of answers means, in one transaction; the account's health after it."""
        now = self._clock.now()
        good = [result for result in results if not isinstance(result.answer, RemoteError)]
        bad = [result for result in results if isinstance(result.answer, RemoteError)]
        feed, round_ = self._feed, self._doctor.round(conn, now)
        turns: list[tuple[Feed, Feed]] = []
        for result in sorted(results, key=lambda result: result.asked_at):
            before = feed
            feed, tell = self._health(before, result, now, round_)
            if tell:
                turns.append((before, feed))
        round_.account = feed
        self._till.settle(conn, results)
        self._put_off(conn, bad, feed, now)
        round_.hear(
            [_failed(result, result.answer) for result in bad if isinstance(result.answer, RemoteError)]
        )
        self._speak_against(bad)
        judged = self._take(conn, good, now, round_)
        judged.messages += round_.close()
        for before, after in turns:
            judged.messages += self._announce(conn, before, after, now)
        self._save_feed(conn, feed)
        return judged, feed

    @staticmethod
    def _health(feed: Feed, result: Result, now: datetime, round_: Round) -> tuple[Feed, bool]:
        if isinstance(result.answer, RemoteError):
            number, carrier = result.claim.waybill_no, result.claim.carrier
            others = round_.others(carrier)
            return feeds.after_error(feed, result.answer, number, now, carrier=carrier, others=others)
        return feeds.after_answer(feed, now)

    def _take(self, conn: Connection, results: Sequence[Result], now: datetime, round_: Round) -> Judged:
        """Answers: scans appended, the parcel judged at the moment of the look.

        While something is wrong with a carrier, nothing of it goes the short way.
        """
        sound = [result for result in results if not round_.troubled(result.claim.carrier)]
        quiet = {r.claim.parcel_id: q for r in sound if (q := self._quiet(r, now)) is not None}
        polls.unchanged(conn, list(quiet.values()))
        again = [result for result in sound if result.claim.parcel_id in quiet]
        round_.hear([_repeated(result) for result in again])
        for result in again:
            if result.claim.known:
                self._keeper.repeated(result.claim.carrier, result.asked_at)
        results = [result for result in results if result.claim.parcel_id not in quiet]
        told = [self._told(result, now) for result in results]
        judged = self._keeper.keep(conn, told, now, round_)
        judged.parcels += len(quiet)
        return judged

    def _speak_against(self, bad: Sequence[Result]) -> None:
        """Where numbers with scans cannot be answered for, that nothing is known of others may be as blind."""
        for result in bad:
            if result.claim.known and not isinstance(result.answer, (Rejected, Denied, Throttled)):
                self._keeper.failed(result.claim.carrier, result.asked_at)

    def _told(self, result: Result, now: datetime) -> Told:
        assert not isinstance(result.answer, RemoteError)
        seen = self._seen(result, now)
        asked, digest = result.asked_at, result.digest
        return Told(result.claim.parcel_id, result.answer, seen, asked, result.answered_at, digest)

    def _seen(self, result: Result, now: datetime) -> datetime:
        """Up to when the answer proves silence: the moment the provider says it read the carrier, else the
        moment we asked less its lag (L1). A clock that ran ahead when it was asked proves nothing more."""
        asked_at = min(result.asked_at, now)
        read_at = result.answer.read_at if isinstance(result.answer, Answer | Same) else None
        return min(asked_at, read_at) if read_at is not None else asked_at - self._account.refresh_lag

    def _quiet(self, result: Result, now: datetime) -> Quiet | None:
        """The short way for an answer that repeats the last one while nothing is due or open."""
        claim = result.claim
        if not isinstance(result.answer, Same) or claim.patience is None:
            return None
        seen = self._seen(result, now)
        if claim.next_deadline_at is not None and claim.next_deadline_at <= seen:
            return None
        earliest = result.answered_at + self._pace.interval
        stake = Reason(claim.stake)
        again = repeat_asking(seen, claim.patience, claim.next_deadline_at, self._pace, earliest, stake)
        return Quiet(claim.parcel_id, seen, again.at, result.answered_at, again.reason)

    def _put_off(self, conn: Connection, results: Sequence[Result], feed: Feed, now: datetime) -> None:
        """No answer: the parcel stays due, later; what nobody could read is kept."""
        later: list[polls.Asked] = []
        for result in results:
            error = result.answer
            assert isinstance(error, RemoteError)
            wait = self._again(error, feed)
            # A pause that the provider asks for holds for everybody who reckons the next question.
            rest = wait - self._account.ceilings.per_waybill_interval
            counts_from = now + rest if isinstance(error, Throttled) else result.answered_at
            later.append(polls.Asked(result.claim.parcel_id, counts_from, now + wait))
            if isinstance(error, Rejected):
                polls.remark(conn, result.claim.parcel_id, str(error), now)
            if isinstance(error, Throttled) and not error.closes and error.wait >= _LOCKED:
                polls.remark(conn, result.claim.parcel_id, f"{polls.LOCKED}{error}", now)
            if isinstance(error, Unreadable):
                said = redact(_head(error.reply), secrets_of(self._account.provider)) if error.reply else ""
                reason = f"{result.claim.waybill_no}：{error}"
                providers.oddity(conn, self._account.name, reason, said, now)
            # An outage is told when it begins and when it ends, not at every question.
            say = log.debug if feed.state is FeedState.DOWN else log.info
            say(
                "not answered",
                provider=self._account.name,
                waybill=result.claim.waybill_no,
                error=type(error).__name__,
                why=str(error),
                again_in=str(wait),
            )
        polls.answered(conn, later)

    def _again(self, error: RemoteError, feed: Feed) -> timedelta:
        """When to ask again after a failure: never sooner than the ceiling allows.

        While the whole account fails its own probes set the pace, and nothing waits longer than it lasts;
        a number that fails alone waits longer each time.
        """
        interval = self._account.ceilings.per_waybill_interval
        if isinstance(error, Throttled):
            return max(interval, error.wait)
        if isinstance(error, Rejected):
            return max(interval, _REFUSED_AGAIN)
        if isinstance(error, Denied):
            return interval
        shortest, longest = _RETRY
        if feed.failures < 2 or len(feed.numbers) > 1 or feed.state is not FeedState.UP:
            return interval
        return max(interval, min(shortest * (1 << min(feed.failures, 8)), longest))

    def _announce(self, conn: Connection, before: Feed, feed: Feed, now: datetime) -> int:
        """Tell of an outage once, and of its end once."""
        down = feed.state is FeedState.DOWN
        why = feed.last_error if down else before.last_error
        started = feed.last_good_at if down else before.since
        message = wording.feed_alert(
            self._account.name,
            now,
            down=down,
            since=started,
            why=why,
            waiting=polls.overdue(conn, self._account.name, now),
        )
        log.warning("provider down" if down else "provider up", provider=self._account.name, why=why)
        since = feed.since.isoformat() if feed.since else ""
        rows = [
            outbox.NewMessage(
                f"feed:{self._account.name}:{feed.state}:{since}:{channel}",
                channel,
                replace(message, mentions=mentions),
                now,
            )
            for channel, mentions in everybody(self._routes, message.kind).items()
        ]
        return outbox.put(conn, rows)

    def _save_feed(self, conn: Connection, feed: Feed) -> None:
        same = replace(feed, last_good_at=None) == replace(self._feed, last_good_at=None)
        if same and not _stale(self._saved_at, feed.last_good_at):
            return
        self._saved_at = feed.last_good_at
        providers.save(
            conn,
            providers.ProviderState(
                self._account.name,
                feed.state.value,
                feed.since,
                feed.last_good_at,
                feed.last_bad_at,
                feed.last_error,
                feed.failures,
                told=int(feed.told),
                resume_at=feed.resume_at,
                back_at=feed.back_at,
            ),
        )


def _failed(result: Result, error: RemoteError) -> Heard:
    claim = result.claim
    return Heard(claim.parcel_id, claim.carrier, claim.waybill_no, Sign.ERROR, error)


def _repeated(result: Result) -> Heard:
    """The last answer again of a carrier that is well."""
    claim = result.claim
    return Heard(
        *(claim.parcel_id, claim.carrier, claim.waybill_no, Sign.KNOWN), same=True, before=claim.asked_before
    )


def _stale(before: datetime | None, after: datetime | None) -> bool:
    """The stored moment is more than ten seconds old: worth a write."""
    return after is not None and (before is None or after - before > timedelta(seconds=10))


def _head(reply: Reply) -> str:
    """As much of a reply as is kept of it."""
    return reply.content[:20_000].decode("utf-8", "replace")
