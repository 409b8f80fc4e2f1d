"""Telling the groups: leased outbox in, receipts and later tries out.

One message leaves at a time per robot, inside its budget. What does not fit is folded into a digest
that names the parcels. While a robot is closed, and for what it refuses, critical messages are also
said by the channel's fallback, marked so.

A message is marked as leaving before it leaves, so nothing is said twice but where its fate is *unknown*:
after a crash it leaves once more, with the same number (promise 4: one duplicate per crash and channel);
after a lost receipt an alarm is repeated as often as its robot allows, for a duplicate is cheaper than
silence, and anything else once (`facts/notifiers.md` §3). A digest is the only word on the alarms in it:
it is repeated further apart and for longer than the alarms themselves, so that half an hour of a proxy's
errors loses none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from domain.messages import Message, MessageKind, Receipt, Urgency
from domain.remote import Denied, Outcome, RemoteError
from monitor.clock import Clock
from monitor.config.accounts import Channel
from monitor.net import Net
from monitor.store import outbox, robots
from monitor.store.database import Database, StoreError
from monitor.store.outbox import MessageState, NewMessage, Waiting
from monitor.telling import pacing
from monitor.telling.digest import digest_of, foldable, on_behalf, without_rows
from monitor.telling.routing import Route, everybody
from monitor.vitals import Vitals

__all__ = ["Deliverer"]

log = structlog.get_logger()
_FOLD_FROM: Final = 6
_READ: Final = 500
_ALL: Final = 20_000
"""The most that one digest speaks for."""
_APART: Final = timedelta(minutes=1)
"""Between two digests of a channel: what comes in a storm waits for the next one."""
_DIGEST_REPEATS: Final = 5
"""After one, two, four, … minutes."""
_LAST_WORD: Final = 1.5
"""Seconds that the store has at the end to keep what it would not keep before."""
_ALARMS: Final = frozenset({MessageKind.ALERT, MessageKind.FEED})


class Deliverer:
    """Speaks for all channels, one lane per robot."""

    def __init__(
        self,
        channels: Sequence[Channel],
        routes: Sequence[Route],
        db: Database,
        net: Net,
        clock: Clock,
        ending: Callable[[], bool] = lambda: False,
        vitals: Vitals | None = None,
    ) -> None:
        """`ending` says that the service stops: what leaves now is finished, nothing more is begun.

        `vitals` hears of every message that a platform took.
        """
        self._channels = {channel.name: channel for channel in channels}
        self._routes = routes
        self._db = db
        self._net = net
        self._clock = clock
        self._ending = ending
        self._vitals = vitals if vitals is not None else Vitals(clock.now())
        self._busy: set[str] = set()
        self._digested: dict[str, datetime] = {}
        self._unkept: dict[str, Callable[[Connection], None]] = {}
        """What came of a message, by robot, where the store would not take it yet."""

    @property
    def robots(self) -> tuple[str, ...]:
        """Every robot once: each is a lane of its own, and one that hangs holds up no other."""
        return tuple(dict.fromkeys(channel.notifier.robot for channel in self._channels.values()))

    async def recover(self) -> int:
        """After a start: what was leaving when the process died may never have left, so it leaves again."""

        def settle(conn: Connection) -> int:
            now = self._clock.now()
            left = outbox.recover(conn, now)
            for row in left:
                why = "进程中断，平台是否收到未知"
                outbox.finish(conn, row.id, Outcome.UNKNOWN, why, now, state=MessageState.WAITING)
            return len(left)

        return await self._db.write(settle)

    async def settle(self) -> None:
        """At the end: keep what came of messages where the store would not take it before. Raises nothing.

        What it refuses now too is said once more by the next start, as after a crash.
        """
        for robot, finish in list(self._unkept.items()):
            try:
                async with asyncio.timeout(_LAST_WORD):
                    await self._db.write(finish)
            except (StoreError, TimeoutError) as error:
                log.warning("what came of a message is not kept", robot=robot, why=str(error))
            else:
                del self._unkept[robot]

    async def tick(self, robot: str = "") -> int:
        """Say what may be said now, through every robot or through one; returns how many messages left."""
        waiting = await self._db.read(lambda conn: outbox.channels_waiting(conn, self._clock.now()))
        if gone := [name for name in waiting if name not in self._channels]:
            await self._db.write(lambda conn: self._bury_orphans(conn, gone, self._clock.now()))
        lanes: dict[str, list[Channel]] = {each: [] for each in self._unkept if robot in ("", each)}
        for channel in (self._channels[name] for name in waiting if name in self._channels):
            if robot in ("", channel.notifier.robot):
                lanes.setdefault(channel.notifier.robot, []).append(channel)
        free = [self._lane(each, channels) for each, channels in lanes.items() if each not in self._busy]
        return sum(await asyncio.gather(*free))

    async def _lane(self, robot: str, channels: Sequence[Channel]) -> int:
        """A robot's channels in turn, until none of them has anything to say or may say it."""
        self._busy.add(robot)
        try:
            if robot in self._unkept:
                await self._db.write(self._unkept[robot])
                del self._unkept[robot]
            sent, talking = 0, list(channels)
            while talking and not self._ending():
                talking = [channel for channel in talking if await self._one(channel)]
                sent += len(talking)
            return sent
        finally:
            self._busy.discard(robot)

    async def _one(self, channel: Channel) -> bool:
        """Lease the next message of a channel, say it, keep what came of it. False: nothing may go."""
        leased = await self._db.write(lambda conn: self._lease(conn, channel, self._clock.now()))
        if leased is None:
            return False
        if leased.message.kind is MessageKind.DIGEST:
            self._digested[channel.name] = self._clock.now()
        message = replace(leased.message, data={**leased.message.data, "attempt": str(leased.attempts)})
        receipt: Receipt | None = None
        error: RemoteError | None = None
        try:
            receipt = await self._net.converse(
                channel.notifier.send(message, self._clock.now()), account=channel.name, lanes=1, tries=1
            )
        except RemoteError as failed:
            error = failed

        def finish(conn: Connection) -> None:
            self._finish(conn, channel, leased, receipt, error, self._clock.now())

        try:
            await self._db.write(finish)
        except StoreError:
            self._unkept[channel.notifier.robot] = finish
            raise
        finally:
            if error is None:
                self._vitals.delivered(channel.name, self._clock.now())
        return error is None

    def _lease(self, conn: Connection, channel: Channel, now: datetime) -> Waiting | None:
        """Mark the next message as leaving and count it in the robot's window, in one transaction."""
        pace, robot = channel.notifier.pace, channel.notifier.robot
        state = robots.load(conn, robot)
        if pacing.closed(state, now) and channel.fallback:
            self._to_fallback(conn, channel, outbox.waiting(conn, channel.name, now, _READ), now)
        if pacing.room(state, pace, now, critical=True) == 0:
            return None
        rows = outbox.waiting(conn, channel.name, now, _READ)
        rows = self._bury_the_old(conn, rows, now)
        if not rows:
            return None
        critical = rows[0].message.urgency is Urgency.CRITICAL
        free = pacing.room(state, pace, now, critical=critical)
        if free == 0:
            return None
        row, crowd = rows[0], [each for each in rows if foldable(each)]
        if row in crowd and len(crowd) >= _FOLD_FROM and (len(crowd) > free or len(crowd) > 2 * _FOLD_FROM):
            if now - self._digested.get(channel.name, now - _APART) < _APART:
                return None
            if len(rows) == _READ:
                rows = self._bury_the_old(conn, outbox.waiting(conn, channel.name, now, _ALL), now)
                crowd = [each for each in rows if foldable(each)]
            row = self._fold(conn, channel, crowd, now)
        outbox.begin(conn, [row.id], now)
        robots.save(conn, robot, pacing.taken(state, pace, now))
        return replace(row, attempts=row.attempts + 1)

    def _bury_the_old(self, conn: Connection, rows: list[Waiting], now: datetime) -> list[Waiting]:
        """After 72 hours a message is a dead letter, shown and logged."""
        alive = []
        for row in rows:
            if now - row.created_at <= pacing.GIVE_UP_AFTER:
                alive.append(row)
                continue
            self._bury(conn, row, "72 小时内未能送达", now)
        return alive

    def _bury_orphans(self, conn: Connection, channels: Sequence[str], now: datetime) -> None:
        """The same for channels that are in the configuration no more."""
        for name in channels:
            self._bury_the_old(conn, outbox.waiting(conn, name, now, _READ), now)

    def _bury(
        self,
        conn: Connection,
        row: Waiting,
        why: str,
        now: datetime,
        outcome: Outcome = Outcome.REFUSED,
    ) -> None:
        log.error("dead letter", channel=row.channel, reference=row.message.reference, why=why)
        outbox.finish(conn, row.id, outcome, why, now, state=MessageState.DEAD)
        if row.channel in self._channels:
            self._to_fallback(conn, self._channels[row.channel], [row], now)

    def _to_fallback(
        self, conn: Connection, channel: Channel, rows: Sequence[Waiting], now: datetime
    ) -> None:
        """What is critical is said by the fallback too, once: the key refuses it a second time."""
        if channel.fallback not in self._channels:
            return
        outbox.put(
            conn,
            [
                NewMessage(
                    f"fallback:{row.id}:{channel.fallback}",
                    channel.fallback,
                    on_behalf(row.message, channel.name),
                    now,
                    ticket_id=row.ticket_id,
                    finding_id=row.finding_id,
                )
                for row in rows
                if row.message.urgency is Urgency.CRITICAL
            ],
        )

    @staticmethod
    def _fold(conn: Connection, channel: Channel, rows: Sequence[Waiting], now: datetime) -> Waiting:
        """Say all that waits as one digest, in the transaction that leases it."""
        digest = digest_of(rows, now)
        key = f"digest:{channel.name}:{rows[0].id}:{rows[-1].id}:{len(rows)}"
        outbox.put(conn, [NewMessage(key, channel.name, digest, now)])
        written = outbox.by_key(conn, key)
        assert written is not None
        outbox.fold(conn, [row.id for row in rows], written.id)
        return written

    @staticmethod
    def _strip(conn: Connection, row: Waiting, now: datetime) -> None:
        """One line of a digest may have spoilt it: only its counts are said, in words of our own."""
        outbox.put(conn, [NewMessage(f"{row.key}:bare", row.channel, without_rows(row.message), now)])
        bare = outbox.by_key(conn, f"{row.key}:bare")
        assert bare is not None
        outbox.fold(conn, [row.id], bare.id)

    def _finish(
        self,
        conn: Connection,
        channel: Channel,
        row: Waiting,
        receipt: Receipt | None,
        error: RemoteError | None,
        now: datetime,
    ) -> None:
        """Keep the platform's answer, what it means for the robot, and the next try."""
        robot = channel.notifier.robot
        before = robots.load(conn, robot)
        state = pacing.after(before, error, now)
        robots.save(conn, robot, state)
        if error is None:
            assert receipt is not None
            outbox.finish(conn, row.id, Outcome.TAKEN, receipt.answer, now, state=MessageState.SENT)
            log.info(
                "said", channel=channel.name, kind=row.message.kind.value, reference=row.message.reference
            )
            return
        log.warning("not delivered", channel=channel.name, error=type(error).__name__, why=str(error))
        if pacing.denied(state) and not pacing.denied(before):
            self._cry_for_help(conn, channel, str(error), now)
        refused = error.outcome is Outcome.REFUSED and not isinstance(error, Denied)
        if error.outcome is Outcome.UNKNOWN and row.unknowns >= self._repeats(channel, row):
            self._bury(conn, row, f"{error}；可能已送达，不再重复", now, Outcome.UNKNOWN)
        elif refused:
            self._bury(conn, row, str(error), now)
            if row.message.rows:
                self._strip(conn, row, now)
        else:
            # A robot that is closed or gone keeps its messages: they leave when it is mended.
            self._try_later(conn, row, error, now)
            if pacing.closed(state, now):
                self._to_fallback(conn, channel, [row], now)

    @staticmethod
    def _try_later(conn: Connection, row: Waiting, error: RemoteError, now: datetime) -> None:
        wait = pacing.wait_after(row.attempts, error)
        if row.message.kind is MessageKind.DIGEST and error.outcome is Outcome.UNKNOWN:
            wait = max(wait, _APART * (1 << row.unknowns))
        outbox.finish(
            conn,
            row.id,
            error.outcome,
            str(error),
            now,
            state=MessageState.WAITING,
            next_try_at=now + wait,
        )

    @staticmethod
    def _repeats(channel: Channel, row: Waiting) -> int:
        """How often a message is said again that may be in the group already."""
        most = channel.notifier.pace.repeats_after_unknown
        if row.message.kind is MessageKind.DIGEST and most > 1:
            return _DIGEST_REPEATS
        return most if row.message.kind in _ALARMS else min(most, 1)

    def _cry_for_help(self, conn: Connection, channel: Channel, why: str, now: datetime) -> None:
        """A robot refuses us for good: tell the other robots' channels, once while it lasts."""
        message = Message(
            kind=MessageKind.FEED,
            title=f"[数据源] 通知渠道 {channel.name} 拒绝了消息，请检查机器人配置",
            facts=(("原因", why), ("影响", "该渠道的消息会保留 72 小时，修好后自动补发")),
            reference=channel.name,
            urgency=Urgency.CRITICAL,
            at=now,
        )
        heard = (self._channels.get(name) for name in everybody(self._routes, message.kind))
        key = f"robot:{channel.notifier.robot}:{now.isoformat()}"
        outbox.put(
            conn,
            [
                NewMessage(f"{key}:{other.name}", other.name, message, now)
                for other in heard
                if other is not None and other.notifier.robot != channel.notifier.robot
            ],
        )
