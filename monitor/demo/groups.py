"""The chat groups over HTTP: DingTalk and WeCom group robots, and a OneBot v11 account in QQ groups.

They verify what the real ones verify and refuse as they refuse: with HTTP 200 and a code inside (OneBot
answers 401 and 403 for its token). Every request is kept, read and passed on to listeners.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from monitor.demo.dialects import Reading
from monitor.demo.faults import Clock, Fault, Switchboard, break_wire, drop, spoil, tell_time
from monitor.demo.gates import DingTalkGate, Gate, Knock, OneBotGate, WeComGate
from monitor.demo.inbox import GroupLimits, Inbox, Received, Robot

__all__ = ["GroupLimits", "Inbox", "Received", "Robot", "make_groups_app"]

Handler = Callable[[web.Request], Awaitable[web.Response]]


def make_groups_app(
    robots: Sequence[Robot],
    *,
    clock: Clock,
    limits: GroupLimits | None = None,
    board: Switchboard | None = None,
    inbox: Inbox | None = None,
) -> web.Application:
    """The three platforms as one application for `aiohttp.web`; tokens tell the robots apart.

    `board.only` takes the names of robots and of platforms. `inbox` keeps what arrives.
    """
    limits = limits or GroupLimits()
    hall = _Hall(clock, board or Switchboard(), inbox if inbox is not None else Inbox())
    app = web.Application()
    app.router.add_route("*", "/robot/send", hall.door(DingTalkGate(robots, limits)))
    app.router.add_route("*", "/cgi-bin/webhook/send", hall.door(WeComGate(robots, limits)))
    qq = OneBotGate(robots)
    app.router.add_post("/send_group_msg", hall.door(qq))
    app.router.add_route("*", "/get_status", hall.health(qq))
    tell_time(app, clock, hall.board)
    return app


@dataclass(frozen=True)
class _Hall:
    clock: Clock
    board: Switchboard
    inbox: Inbox

    def door(self, gate: Gate) -> Handler:
        """The handler of one platform's address."""

        async def serve(request: web.Request) -> web.Response:
            return await self._serve(request, gate)

        return serve

    def health(self, gate: Gate) -> Handler:
        """OneBot's `get_status`: offline while anything is wrong with the account."""

        async def serve(request: web.Request) -> web.Response:
            robot = gate.robot(self._knock(request, b""))
            if robot is None:
                return _json(gate.answer(Reading(1403, "token verify failed!", status=403)), 403)
            well = self.board.of(robot.name, gate.platform) is Fault.OK
            return _json({"status": "ok", "retcode": 0, "data": {"online": well, "good": well}})

        return serve

    def _knock(self, request: web.Request, body: bytes) -> Knock:
        authorization = request.headers.get("Authorization", "")
        return Knock(self.clock(), request.method, request.query, authorization, request.content_type, body)

    async def _serve(self, request: web.Request, gate: Gate) -> web.Response:
        """Receive, judge, keep, answer; and whatever goes wrong on purpose."""
        body = await request.read()
        robot = gate.robot(self._knock(request, body))
        name = robot.name if robot else ""
        fault = self.board.of(name, gate.platform)
        broken = await break_wire(request, fault, self.board)
        knock = self._knock(request, body)
        if broken is not None:
            lost = Reading(-1, "")
            self.inbox.add(Received(knock.at, gate.platform, name, lost, len(body), fault))
            return broken
        reading = self._forced(gate, fault, gate.judge(knock, robot))
        self.inbox.add(Received(knock.at, gate.platform, name, reading, len(body), fault))
        if fault is Fault.TAKE_AND_DROP and reading.code == 0:
            return drop(request)
        return _json(gate.answer(reading), reading.status, fault)

    def _forced(self, gate: Gate, fault: Fault, reading: Reading) -> Reading:
        """The answer a switch demands, whatever the message."""
        if fault is Fault.MUTED:
            return replace(reading, code=gate.muted[0], answer=gate.muted[1])
        if fault is Fault.ERRCODE:
            return replace(reading, code=self.board.code, answer="forced by the switchboard")
        return reading


def _json(value: object, status: int = 200, fault: Fault = Fault.OK) -> web.Response:
    body = spoil(fault, json.dumps(value, ensure_ascii=False).encode())
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8")
