"""Telling the groups: leased outbox in, receipts and later tries out.

One message leaves at a time per robot, inside its budget. What does not fit is folded into a digest
that names the parcels. A message is marked as leaving before it leaves, so that after a crash its
fate is *unknown* and it is said once more, with the same number (promise 4). How often one is said
again whose receipt got lost on the way is the robot's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from domain.messages import Message, MessageKind, Receipt, Urgency
from domain.remote import Denied, Outcome, RemoteError
from monitor import pacing
from monitor.accounts import Channel
from monitor.clock import Clock
from monitor.net import Net
from monitor.routing import Route, everybody
from monitor.store import outbox, robots
from monitor.store.database import Database
from monitor.store.outbox import MessageState, Waiting

__all__ = ["Deliverer", "digest_of"]

log = structlog.get_logger()
_FOLD_FROM: Final = 6
_ROWS: Final = 40
_READ: Final = 500


def digest_of(rows: Sequence[Waiting], now: datetime, *, listed: int = _ROWS) -> Message:
    """Many messages said as one: worst first, each by its first line; the rest is counted."""
    order = list(Urgency)
    worst = sorted(rows, key=lambda row: (order.index(row.message.urgency), row.created_at))
    kinds = [row.message.kind for row in rows]
    counts = [
        f"{label} {n} 条"
        for label, n in (
            ("告警", kinds.count(MessageKind.ALERT)),
            ("恢复", kinds.count(MessageKind.RESOLVED)),
            ("撤回", kinds.count(MessageKind.RETRACTED)),
            ("数据源", kinds.count(MessageKind.FEED)),
        )
        if n
    ]
    mentions = dict.fromkeys(each for row in worst for each in row.message.mentions)
    return Message(
        kind=MessageKind.DIGEST,
        title=f"[汇总] 物流告警共 {len(rows)} 条：{'，'.join(counts)}",
        rows=tuple(row.message.title for row in worst[:listed]),
        more=max(0, len(rows) - listed),
        link=next((_list_beside(row.message.link) for row in worst if row.message.link), ""),
        reference=f"D-{rows[0].id}",
        mentions=tuple(mentions)[:5],
        urgency=worst[0].message.urgency,
        at=now,
        data={"list": "parcelwatch tickets"},
    )


def _foldable(row: Waiting) -> bool:
    """A digest would lose its names in another one; what may be in the group already is repeated as it was."""
    return row.message.kind is not MessageKind.DIGEST and not row.unknowns


def _list_beside(link: str) -> str:
    """The console that lists all of them, from the address of one ticket."""
    console, mark, _ = link.partition("/tickets/")
    return f"{console}/" if mark else link


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
    ) -> None:
        """`ending` says that the service stops: what leaves now is finished, nothing more is begun."""
        self._channels = {channel.name: channel for channel in channels}
        self._routes = routes
        self._db = db
        self._net = net
        self._clock = clock
        self._ending = ending
        self._busy: set[str] = set()

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

    async def tick(self, robot: str = "") -> int:
        """Say what may be said now, through every robot or through one; returns how many messages left."""
        waiting = await self._db.read(lambda conn: outbox.channels_waiting(conn, self._clock.now()))
        lanes = [self._channels[name] for name in waiting if name in self._channels]
        lanes = [channel for channel in lanes if robot in ("", channel.notifier.robot)]
        lanes = [channel for channel in lanes if channel.notifier.robot not in self._busy]
        if not lanes:
            return 0
        by_robot = {channel.notifier.robot: channel for channel in reversed(lanes)}
        return sum(await asyncio.gather(*(self._lane(channel) for channel in by_robot.values())))

    async def _lane(self, channel: Channel) -> int:
        robot = channel.notifier.robot
        self._busy.add(robot)
        try:
            sent = 0
            while not self._ending() and await self._one(channel):
                sent += 1
            return sent
        finally:
            self._busy.discard(robot)

    async def _one(self, channel: Channel) -> bool:
        """Lease the next message of a channel, say it, keep what came of it. False: nothing may go."""
        leased = await self._db.write(lambda conn: self._lease(conn, channel, self._clock.now()))
        if leased is None:
            return False
        message = replace(leased.message, data={**leased.message.data, "attempt": str(leased.attempts)})
        receipt: Receipt | None = None
        error: RemoteError | None = None
        try:
            receipt = await self._net.converse(
                channel.notifier.send(message, self._clock.now()), account=channel.name, lanes=1, tries=1
            )
        except RemoteError as failed:
            error = failed
        await self._db.write(
            lambda conn: self._finish(conn, channel, leased, receipt, error, self._clock.now())
        )
        return error is None

    def _lease(self, conn: Connection, channel: Channel, now: datetime) -> Waiting | None:
        """Mark the next message as leaving and count it in the robot's window, in one transaction."""
        pace, robot = channel.notifier.pace, channel.notifier.robot
        state = robots.load(conn, robot)
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
        row, crowd = rows[0], [each for each in rows if _foldable(each)]
        if row in crowd and len(crowd) >= _FOLD_FROM and (len(crowd) > free or len(crowd) > 2 * _FOLD_FROM):
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

    @staticmethod
    def _bury(conn: Connection, row: Waiting, why: str, now: datetime) -> None:
        log.error("dead letter", channel=row.channel, reference=row.message.reference, why=why)
        outbox.finish(conn, row.id, Outcome.REFUSED, why, now, state=MessageState.DEAD)

    @staticmethod
    def _fold(conn: Connection, channel: Channel, rows: Sequence[Waiting], now: datetime) -> Waiting:
        """Say all that waits as one digest, in the transaction that leases it."""
        digest = digest_of(rows, now)
        key = f"digest:{channel.name}:{rows[0].id}:{rows[-1].id}:{len(rows)}"
        outbox.put(conn, [outbox.NewMessage(key, channel.name, digest, now)])
        written = outbox.by_key(conn, key)
        assert written is not None
        outbox.fold(conn, [row.id for row in rows], written.id)
        return written

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
        robots.save(conn, robot, pacing.after(before, error, now))
        if receipt is not None:
            outbox.finish(conn, row.id, Outcome.TAKEN, receipt.answer, now, state=MessageState.SENT)
            return
        assert error is not None
        log.warning("not delivered", channel=channel.name, error=type(error).__name__, why=str(error))
        if isinstance(error, Denied) and not before.closed_why:
            self._cry_for_help(conn, channel, str(error), now)
        if error.outcome is Outcome.UNKNOWN:
            self._settle_unknown(conn, row, str(error), now, error)
        elif error.outcome is Outcome.REFUSED and not isinstance(error, Denied):
            self._bury(conn, row, str(error), now)
        else:
            # A robot that is closed or gone keeps its messages: they leave when it is mended.
            outbox.finish(
                conn,
                row.id,
                error.outcome,
                str(error),
                now,
                state=MessageState.WAITING,
                next_try_at=now + pacing.wait_after(row.attempts, error),
            )

    def _settle_unknown(
        self, conn: Connection, row: Waiting, why: str, now: datetime, error: RemoteError
    ) -> None:
        """It may be in the group: say it again as often as its robot allows, then leave it be."""
        channel = self._channels.get(row.channel)
        repeats = channel.notifier.pace.repeats_after_unknown if channel else 0
        if row.unknowns >= repeats:
            why = f"{why}；可能已送达，不再重复"
            log.error("dead letter", channel=row.channel, reference=row.message.reference, why=why)
            outbox.finish(conn, row.id, Outcome.UNKNOWN, why, now, state=MessageState.DEAD)
            return
        wait = pacing.wait_after(row.attempts, error)
        outbox.finish(
            conn, row.id, Outcome.UNKNOWN, why, now, state=MessageState.WAITING, next_try_at=now + wait
        )

    def _cry_for_help(self, conn: Connection, channel: Channel, why: str, now: datetime) -> None:
        """A robot refuses us for good: tell the other channels, once while it lasts."""
        message = Message(
            kind=MessageKind.FEED,
            title=f"[数据源] 通知渠道 {channel.name} 拒绝了消息，请检查机器人配置",
            facts=(("原因", why), ("影响", "该渠道的消息会保留 72 小时，修好后自动补发")),
            reference=channel.name,
            urgency=Urgency.CRITICAL,
            at=now,
        )
        others = [name for name in everybody(self._routes, message.kind) if name != channel.name]
        outbox.put(
            conn,
            [
                outbox.NewMessage(f"robot:{channel.name}:{now.date()}:{name}", name, message, now)
                for name in others
            ],
        )
