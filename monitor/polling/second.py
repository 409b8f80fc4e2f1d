"""Second opinions: asking another account about parcels of which the first contradicts itself, or says what is dear.

The account is asked by the poller's own ways: its ceilings, its queue, its budget, its health. What it says is kept
beside the first's word (`opinions`), with what differs. It proves no silence: the first's look does that. Of its
scans only those go into the history that are later than the first's last movement (`domain/opinions.py`): they end
the wait that would have been claimed. What cannot be answered is not asked again for it: the first's word stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from carriers.names import display
from domain.journey import condense
from domain.opinions import ahead, differences, sides
from domain.remote import RemoteError, Unreadable
from domain.tracking import Answer
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount, secrets_of
from monitor.feeds import feed as feeds
from monitor.feeds.feed import Feed
from monitor.metrics import Metrics
from monitor.net import Net
from monitor.polling.believing import believed
from monitor.polling.claiming import LEASE, Claimer
from monitor.polling.flight import Result
from monitor.polling.keeping import Keeper
from monitor.polling.poll import Poller
from monitor.polling.told import Told, lines
from monitor.redaction import redact
from monitor.store import events, opinions, parcels, polls, providers, schema
from monitor.store.claims import Claim
from monitor.store.database import Database
from monitor.sweep import Judged, Sweep
from monitor.telling.routing import Route
from monitor.vitals import Vitals

__all__ = ["Second"]


class _Claimer(Claimer):
    """Claims opinions where the poller's claims questions."""

    def _wanted(self, conn: Connection, now: datetime) -> tuple[bool, bool]:
        if not opinions.waiting(conn, self.account.name, now):
            return False, False
        broke = self.till.scope(conn, now).paying == 0
        return not broke, broke

    def _take(self, conn: Connection, limit: int, now: datetime) -> tuple[list[Claim], timedelta]:
        name, ceilings = self.account.name, self.account.ceilings
        if self.account.budget is not None:
            providers.lock(conn, name)
        taken = opinions.take(
            conn,
            name,
            now,
            limit,
            interval=ceilings.per_waybill_interval,
            daily=ceilings.per_waybill_daily,
            lease=LEASE,
            scope=self.till.scope(conn, now),
            refused=self._refused,
        )
        for claim, why in taken.refused:
            opinions.dropped(conn, claim.parcel_id, name, why, now)
        polls.touch(conn, [claim.parcel_id for claim, _ in taken.refused], now)
        if not taken.claims:
            return [], timedelta(0)
        self.till.book(conn, taken.claims, now)
        calls = -(-len(taken.claims) // self.account.provider.batch)
        return taken.claims, providers.reserve(conn, name, calls, ceilings.per_second, now)

    def _refused(self, claim: Claim) -> str:
        if not self.account.seconds(claim.carrier):  # the parcel is another carrier's by now
            return f"{self.account.name} 不核对{display(claim.carrier)}"
        return super()._refused(claim)


class Second(Poller):
    """The poll loop of an account that is asked for second opinions only."""

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
        """As a poller's."""
        super().__init__(account, db, net, sweep, clock, routes, ending, vitals, metrics)
        self._claimer = _Claimer(account, db, clock, routes, self._till, self._vitals, schema.opinions)
        self._asker.once_more = self._claimer.once_more
        self._keeper = Keeper(account.name, secrets_of(account.provider), sweep)

    def _keep(self, results: Sequence[Result], conn: Connection) -> tuple[Judged, Feed]:
        """Everything a group of answers means, in one transaction; the account's health after it."""
        now = self._clock.now()
        feed, turns = self._feed, list[tuple[Feed, Feed]]()
        for result in sorted(results, key=lambda result: result.asked_at):
            before = feed
            feed, tell = _health(before, result, now)
            if tell:
                turns.append((before, feed))
        self._till.settle(conn, results)
        judged = self._hear(conn, [each for each in results if isinstance(each.answer, Answer)], now)
        judged.add(
            self._give_up(conn, [each for each in results if not isinstance(each.answer, Answer)], now)
        )
        for before, after in turns:
            judged.messages += self._announce(conn, before, after, now)
        self._save_feed(conn, feed)
        return judged, feed

    def _hear(self, conn: Connection, results: Sequence[Result], now: datetime) -> Judged:
        """What it says is kept, and judged together with the first's word."""
        ids = [result.claim.parcel_id for result in results]
        loaded = {each.id: each for each in parcels.load(conn, ids)} if ids else {}
        known = events.known(conn, ids)
        seconds = events.told_by(conn, ids, self._sweep.doubts.names | {self.name})
        told: list[Told] = []
        for result in results:
            row, answer = loaded.get(result.claim.parcel_id), result.answer
            if row is None or not isinstance(answer, Answer):
                continue
            answer = believed(answer, row.watch_from, now)
            first, _ = sides(known[row.id], seconds.get(row.id, ()), ())
            said = condense(each.event for each in first if each.withdrawn_at is None)
            journey = condense(answer.events)
            says = differences(said, journey.milestone, journey.last_movement_at, bool(answer.events))
            opinions.heard(conn, row.id, self.name, journey, said, says, result.answered_at)
            fresh = replace(answer, events=ahead(first, answer.events), whole=False, corrected_carrier="")
            told.append(Told(row.id, fresh, None, None, result.answered_at))
        return self._keeper.keep(conn, told, now) if told else Judged()

    def _give_up(self, conn: Connection, results: Sequence[Result], now: datetime) -> Judged:
        """No answer: what waited for it waits no longer."""
        for result in results:
            claim, error = result.claim, result.answer
            opinions.failed(conn, claim.parcel_id, self.name, str(error))
            if isinstance(error, Unreadable) and error.reply is not None:
                said = error.reply.content[:20_000].decode("utf-8", "replace")
                self._odd(conn, f"{claim.waybill_no}：{error}", said, now)
        ids = [result.claim.parcel_id for result in results]
        return self._sweep.settle(conn, self._sweep.looks(conn, ids), now) if ids else Judged()

    def _put_aside(self, result: Result, why: str, conn: Connection) -> None:
        """The first's word stands; what was said is there to be looked into."""
        now = self._clock.now()
        opinions.failed(conn, result.claim.parcel_id, self.name, why)
        self._odd(conn, f"{result.claim.waybill_no}：{why}", lines(result.answer), now)

    def _odd(self, conn: Connection, why: str, said: str, now: datetime) -> None:
        secrets = secrets_of(self._account.provider)
        providers.oddity(conn, self.name, redact(why, secrets), redact(said, secrets), now)


def _health(feed: Feed, result: Result, now: datetime) -> tuple[Feed, bool]:
    if isinstance(result.answer, RemoteError):
        return feeds.after_error(
            feed, result.answer, result.claim.waybill_no, now, carrier=result.claim.carrier
        )
    return feeds.after_answer(feed, now)
