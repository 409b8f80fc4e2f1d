"""快递100's pushes over HTTP: `POST /poll` subscribes a number, and what is new of it is posted to the subscriber.

Protocol: `facts/carriers-kuaidi100.md`, Subscription and push. The service looks at each carrier in its own rhythm;
while it is in trouble it pushes nothing, and what is not taken is pushed again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import aiohttp

from monitor.demo.answers import SIGNED, reply
from monitor.demo.faults import Clock, Fault, Switchboard
from monitor.demo.scans import Row

__all__ = ["Pushes", "Subscription"]

_LOOKS: Final = timedelta(minutes=40)
"""The service looks at a number so often."""
_GIVES_UP: Final = timedelta(days=3)
"""Without any record."""
_OVER: Final = timedelta(hours=24)
"""After the signature; a line may still follow it."""
_TURN: Final = 0.25
"""Seconds of ours between two turns …"""
_MOST: Final = 150
"""… and so many numbers looked at in one."""
_PATIENCE: Final = aiohttp.ClientTimeout(total=20)


class Source(Protocol):
    """Who knows what carriers say."""

    def lookup(self, com: str, num: str, at: datetime) -> Sequence[Row] | None:
        """Rows visible at `at`, newest first; None when nothing is known."""


@dataclass(slots=True)
class Subscription:
    """A number that somebody wants to hear of."""

    com: str
    num: str
    callback: str
    salt: str = field(repr=False)
    since: datetime
    look_at: datetime
    opens: bool = True
    """The phone it was subscribed with is the one that the carrier knows, where it asks for one."""
    told: tuple[Row, ...] = ()


@dataclass
class Pushes:
    """What is subscribed, and the courier who brings the news."""

    source: Source
    clock: Clock
    board: Switchboard
    pushed: int = 0
    """How many were taken."""
    _subscribed: dict[str, Subscription] = field(default_factory=dict)
    _queue: deque[Subscription] = field(default_factory=deque)
    """In the order in which they are looked at: each stands at the end again."""

    def subscribe(self, param: Mapping[str, Any], opens: bool) -> bool:
        """Take a subscription; False where the number has one. Raises KeyError for a question that is none."""
        more = param.get("parameters") or {}
        num, now = str(param["number"]), self.clock()
        if num in self._subscribed:
            return False
        where, salt = str(more["callbackurl"]), str(more.get("salt", ""))
        one = Subscription(str(param["company"]), num, where, salt, now, now, opens)
        self._subscribed[num] = one
        self._queue.appendleft(one)
        return True

    async def run(self) -> None:
        """Bring news until cancelled."""
        async with aiohttp.ClientSession(timeout=_PATIENCE, trust_env=False) as session:
            while True:
                await self.turn(session)
                await asyncio.sleep(_TURN)

    async def turn(self, session: aiohttp.ClientSession) -> None:
        """Look at those whose time has come, and push what is new."""
        now = self.clock()
        for _ in range(min(_MOST, len(self._queue))):
            if self._queue[0].look_at > now:
                return
            one = self._queue.popleft()
            one.look_at = now + _LOOKS
            if await self._look(session, one, now):
                self._queue.append(one)
            else:
                del self._subscribed[one.num]

    async def _look(self, session: aiohttp.ClientSession, one: Subscription, now: datetime) -> bool:
        """Whether the subscription goes on."""
        if self.board.of(one.num) is not Fault.OK:
            return True
        rows = tuple(self.source.lookup(one.com, one.num, now) or ()) if one.opens else ()
        if not rows:
            if now - one.since < _GIVES_UP:
                return True
            return not await self._push(session, one, rows, "abort", "3天查询无记录")
        over = rows[0].code in SIGNED and now - rows[0].at > _OVER
        if rows != one.told or over:
            status = "shutdown" if over else "polling"
            if await self._push(session, one, rows, status):
                one.told = rows
                return not over
        return True

    async def _push(
        self,
        session: aiohttp.ClientSession,
        one: Subscription,
        rows: Sequence[Row],
        status: str,
        message: str = "",
    ) -> bool:
        """Whether it was taken."""
        result = reply(one.com, one.num, rows, {"resultv2": "4"}) if rows else _nothing(one)
        body = {"status": status, "message": message, "autoCheck": "0", "comOld": "", "comNew": ""}
        param = json.dumps({**body, "lastResult": result}, ensure_ascii=False)
        sign = hashlib.md5(f"{param}{one.salt}".encode()).hexdigest().upper()
        try:
            async with session.post(one.callback, data={"param": param, "sign": sign}) as answer:
                told = await answer.json(content_type=None) if answer.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False
        taken = isinstance(told, dict) and told.get("returnCode") == "200"
        self.pushed += taken
        return taken


def _nothing(one: Subscription) -> dict[str, Any]:
    return {"message": "ok", "nu": one.num, "com": one.com, "ischeck": "0", "state": "0", "data": []}
