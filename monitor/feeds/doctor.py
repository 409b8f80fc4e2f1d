"""The feed doctor: how each carrier behind an account does, hour by hour, and what is told of it.

A `Round` is one transaction's answers. It counts them, moves each carrier's health (`monitor/feeds/line.py`), says which
carriers are down, so that their answers prove no silence (L1), and writes it all at its end: the busiest rows
are locked last, and for no longer than the commit. While a carrier is down its parcels queue up to ask whether it
is over; when it is, those somebody waits for are asked about at once, so a finding opens on a look and not on the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from carriers import names
from domain.history import Stored
from domain.messages import Message
from domain.remote import Denied, Rejected, RemoteError, Throttled, Unreadable
from domain.tracking import Milestone, TrackingEvent
from monitor.feeds import line as feed_line
from monitor.feeds import silence
from monitor.feeds import wording as feed_wording
from monitor.feeds.feed import Feed, FeedState, told
from monitor.feeds.line import Cause, Line, Sign
from monitor.store import feeds, outbox
from monitor.store.feeds import Counts
from monitor.telling.routing import Route, everybody
from monitor.telling.wording import hours

__all__ = ["Doctor", "Heard", "Round"]

log = structlog.get_logger()
_LONGEST: Final = timedelta(hours=6)
"""A look says no more than this of how often something new comes: a longer gap hides several scans."""
_JUDGED: Final = timedelta(minutes=10)
_SAVED: Final = timedelta(minutes=1)
_OTHERS: Final = timedelta(days=1)
_SETTLED: Final = timedelta(hours=2)
"""So long after an outage the failures of it are still among the last hour's."""
_COUNTED: Final = timedelta(hours=2)
"""The running hour and the one before it, at most."""
_POISONED: Final = 10
"""So many numbers may fail every time they are asked about, and it is nobody's fault but theirs."""
_MANY: Final = 10_000
ALL: Final = ""
"""The line of all carriers of an account together."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One question's end, or one push."""

    parcel_id: int
    carrier: str
    number: str
    sign: Sign
    error: RemoteError | None = None
    """With `Sign.ERROR`."""
    same: bool = False
    """Word for word the last answer."""
    pushed: bool = False
    before: datetime | None = None
    """Up to when the look before it had proven silence; None: it was the first that showed anything."""
    fresh: Sequence[Stored] = ()
    """The scans it added."""
    partial: bool = False
    """Rows of it could not be read: it counts as unreadable, though what could be read is kept."""


class Doctor:
    """Of one provider account."""

    def __init__(self, account: str, routes: Sequence[Route], interval: timedelta) -> None:
        """`interval` is the account's least time between two questions about one number."""
        self.account = account
        self.routes = routes
        self.interval = interval

    def round(self, conn: Connection, now: datetime) -> Round:
        """Begin a transaction's round; `close` it at the transaction's end."""
        return Round(self, conn, now)

    def heard(self, conn: Connection, results: Sequence[Heard], now: datetime) -> int:
        """A whole round with nothing around it; how many messages were written."""
        round_ = self.round(conn, now)
        round_.hear(results)
        return round_.close()


class Round:
    """What one transaction hears of an account's carriers."""

    def __init__(self, doctor: Doctor, conn: Connection, now: datetime) -> None:
        self._doctor = doctor
        self._conn = conn
        self._now = now
        self._known = feeds.lines(conn, doctor.account)
        self._lines = dict(self._known)
        self._counts: dict[str, Counts] = {}
        self._turns: list[tuple[str, Line, Line]] = []
        self._waiting: list[Heard] = []
        self._news: set[str] = set()
        self.account: Feed | None = None
        """The account's own health after these questions; None where nobody asked."""

    def down(self, carrier: str) -> bool:
        """Answers about this carrier prove no silence now."""
        return self._line(carrier).down

    def troubled(self, carrier: str) -> bool:
        """It is down, or a row of trouble is running: it matters what a repeated answer repeats."""
        return self._line(carrier).trouble

    @property
    def losing(self) -> bool:
        """Numbers of this account lose their scans, or one of its carriers is down."""
        return any(line.down or line.emptied for line in self._lines.values())

    def others(self, carrier: str) -> bool:
        """Another carrier of this account was answered for lately."""
        return any(
            other not in (carrier, ALL) and (at := line.feed.last_good_at) and self._now - at < _OTHERS
            for other, line in self._lines.items()
        )

    def hear(self, results: Sequence[Heard]) -> None:
        """In the order in which they were asked."""
        for each in results:
            self._count(each)
            if isinstance(each.error, (Denied, Throttled)):
                continue  # the account's matter, never one carrier's
            if each.error is not None and self.account is not None and self.account.state is FeedState.DOWN:
                continue
            if each.partial and each.sign is not Sign.NEWS:
                self._waiting.append(each)
                continue  # neither well nor down
            before = self._line(each.carrier)
            if each.pushed and (before.emptied or before.cause in (Cause.EMPTIED, Cause.ERRORS)):
                continue  # that news come by themselves does not say that questions are answered
            if each.sign is Sign.KNOWN and before.feed.last_good_at == self._now and not before.trouble:
                continue  # what the one before it said
            line, tell = feed_line.after_look(before, each.sign, each.number, self._now, each.error)
            if tell and line.cause is Cause.ERRORS:
                line, tell = replace(line, feed=replace(line.feed, told=False)), False
            self._move(each.carrier, before, line, tell)
            if not each.pushed:
                self._waiting.append(each)
            if each.sign is Sign.NEWS:
                self._news.add(each.carrier)

    def close(self) -> int:
        """Write what was heard and what follows; how many messages were written."""
        for carrier in self._counts:
            self._judge_silence(carrier)
        self._blame_carriers()
        self._queue()
        for carrier, before, line in self._turns:
            if before.down and not line.down:
                self._awaken(carrier, before)
        feeds.add(self._conn, self._doctor.account, self._counts, self._now)
        self._judge_share()
        changed = {
            carrier: line
            for carrier, line in self._lines.items()
            if _worth_keeping(self._known.get(carrier), line)
        }
        feeds.save(self._conn, self._doctor.account, changed)
        return sum(self._announce(*turn) for turn in self._turns)

    # ── what was heard ───────────────────────────────────────────────────────────────────────────

    def _line(self, carrier: str) -> Line:
        return self._lines.get(carrier) or Line()

    def _move(self, carrier: str, before: Line, line: Line, tell: bool) -> None:
        self._lines[carrier] = line
        if tell or before.down != line.down:
            self._turns.append((carrier, before, line))

    def _count(self, each: Heard) -> None:
        counts = self._counts.setdefault(each.carrier, Counts())
        if each.error is not None:
            counts.refused += isinstance(each.error, Rejected)
            counts.unreadable += isinstance(each.error, Unreadable)
            counts.failed += not isinstance(each.error, (Rejected, Unreadable))
            return
        counts.pushed += each.pushed
        counts.answered += not each.pushed and not each.partial
        counts.unreadable += each.partial
        counts.same += each.same
        counts.empty += each.sign is Sign.NOTHING
        counts.emptied += each.sign is Sign.EMPTIED
        counts.scans += len(each.fresh)
        counts.unknown += sum(_unread(row.event) for row in each.fresh)
        if each.before is None:
            return
        if not each.pushed:
            counts.looks += 1
            counts.news += bool(each.fresh)
            counts.watched_s += int(min(max(self._now - each.before, timedelta(0)), _LONGEST).total_seconds())
        for row in each.fresh:
            if not row.event.forecast:
                most = max(row.learned_at - row.event.occurred_at, timedelta(0))
                least = most if each.pushed else max(each.before - row.event.occurred_at, timedelta(0))
                counts.learned(min(least, most), most)

    # ── what follows ─────────────────────────────────────────────────────────────────────────────

    def _blame_carriers(self) -> None:
        """Errors are one carrier's only when another was answered for meanwhile; else it may be the account yet."""
        if self.account is not None and self.account.state is FeedState.DOWN:
            return
        for carrier, line in list(self._lines.items()):
            if line.cause is not Cause.ERRORS or line.feed.told or not self._answered_since(carrier, line):
                continue
            feed, tell = told(line.feed, self._now)
            self._move(carrier, line, replace(line, feed=feed), tell)

    def _answered_since(self, carrier: str, line: Line) -> bool:
        since = line.feed.since or self._now
        return any(
            other not in (carrier, ALL) and (at := each.feed.last_good_at) and at >= since
            for other, each in self._lines.items()
        )

    def _judge_silence(self, carrier: str) -> None:
        """Reckoned now and then, and only where nothing new has come for hours."""
        line, now = self._line(carrier), self._now
        since = line.news_at
        if carrier in self._news or line.down or since is None or now - since < silence.SHORTEST:
            return
        if line.judged_at is not None and now - line.judged_at < _JUDGED:
            return
        before, line = line, replace(line, judged_at=now)
        account, conn = self._doctor.account, self._conn
        known = feeds.hours(conn, account, carrier, since - silence.HISTORY)
        tell = False
        if silence.silent(known, since) and self._quiet(carrier, since) >= silence.PARCELS:
            usual = silence.expected(known, since)
            why = f"{hours(now - since)}没有任何新轨迹，平时这段时间约有 {usual:.0f} 个包裹会有"
            line, tell = feed_line.after_silence(line, why, now)
        self._move(carrier, before, line, tell)

    def _quiet(self, carrier: str, since: datetime) -> int:
        return feeds.looked_at(self._conn, self._doctor.account, carrier, since, silence.PARCELS)

    def _queue(self) -> None:
        """Whoever was asked about in vain queues up."""
        later: dict[int, datetime] = {}
        for each in self._waiting:
            line = self._line(each.carrier)
            if line.down:
                earliest = self._now + self._doctor.interval
                self._lines[each.carrier], at = feed_line.place_in_queue(line, earliest, self._now)
                later[each.parcel_id] = at
        feeds.hold(self._conn, later)

    def _awaken(self, carrier: str, before: Line) -> None:
        began = before.news_at if before.cause is Cause.SILENT else before.feed.last_good_at
        since = began or before.feed.since or self._now
        feeds.awaken(self._conn, self._doctor.account, carrier, since, self._now)

    def _judge_share(self) -> None:
        """Whether half of the last questions failed: of the account, else of a carrier."""
        poor = {carrier for carrier, line in self._lines.items() if line.poor_since is not None}
        failed = {carrier for carrier, counts in self._counts.items() if counts.bad}
        if not self._settled(self.account) or not (failed or poor):
            return
        found = feeds.totals(self._conn, self._now - timedelta(hours=1), provider=self._doctor.account)
        asked = {carrier: (each.asked, each.bad) for (_, carrier), each in found.items()}
        self._share(ALL, sum(n for n, _ in asked.values()), sum(n for _, n in asked.values()))
        if self._line(ALL).poor_since is None and len(asked) > 1:
            for carrier in sorted((failed | poor) - {ALL}):
                if self._settled(self._line(carrier).feed):
                    self._share(carrier, *asked.get(carrier, (0, 0)))

    def _settled(self, feed: Feed | None) -> bool:
        if feed is None or feed.state is FeedState.DOWN:
            return False
        return feed.since is None or self._now - feed.since >= _SETTLED

    def _share(self, carrier: str, asked: int, failed: int) -> None:
        before = self._line(carrier)
        each = _COUNTED / max(self._doctor.interval, timedelta(seconds=1))
        line, tell = feed_line.after_share(before, asked, failed, self._now, round(_POISONED * each))
        if line != before:
            self._move(carrier, before, line, tell)

    # ── what is told ─────────────────────────────────────────────────────────────────────────────

    def _announce(self, carrier: str, before: Line, line: Line) -> int:
        """Tell of trouble once, and of its end once."""
        message = self._message(carrier, before, line)
        if message is None:
            return 0
        account = self._doctor.account
        log.warning("a carrier's feed has turned", provider=account, carrier=carrier, state=line.state.value)
        key = f"feed:{account}:{carrier}:{line.state}:{self._now.isoformat()}"
        rows = [
            outbox.NewMessage(f"{key}:{channel}", channel, replace(message, mentions=mentions), self._now)
            for channel, mentions in everybody(self._doctor.routes, message.kind).items()
        ]
        return outbox.put(self._conn, rows)

    def _message(self, carrier: str, before: Line, line: Line) -> Message | None:
        name = f"{self._doctor.account} · {names.display(carrier)}" if carrier else self._doctor.account
        now = self._now
        if line.feed.told and not before.feed.told:
            began = before.news_at if line.cause is Cause.SILENT else before.feed.last_good_at
            n = feeds.looked_at(self._conn, self._doctor.account, carrier, now - _OTHERS, _MANY)
            silent = line.cause is Cause.SILENT
            return feed_wording.down(
                name, now, since=began, why=line.feed.last_error, parcels=n, silent=silent
            )
        if before.feed.told and not line.feed.told:
            return feed_wording.back(name, now, since=before.feed.since)
        if line.poor_told and not before.poor_told:
            return feed_wording.poor(name, now, why=line.feed.last_error)
        if before.poor_told and not line.poor_told:
            return feed_wording.well(name, now, since=before.poor_since)
        return None


def _unread(event: TrackingEvent) -> bool:
    """Nobody knows what it means. A forecast, or trouble in plain words, is understood and moves nothing all the same."""
    return event.milestone is Milestone.UNKNOWN and not event.forecast and not event.exceptions


def _worth_keeping(known: Line | None, line: Line) -> bool:
    """It differs in more than how long ago it was well."""
    if known is None:
        return True
    if _plain(known) != _plain(line):
        return True
    return _later(known.news_at, line.news_at) or _later(known.feed.last_good_at, line.feed.last_good_at)


def _plain(line: Line) -> Line:
    return replace(line, news_at=None, feed=replace(line.feed, last_good_at=None))


def _later(before: datetime | None, after: datetime | None) -> bool:
    return after is not None and (before is None or after - before >= _SAVED)
