"""The wires behind the fake peers: scripts in, faults on and off, and what they saw, as JSON over HTTP.

`POST /control/parcels`  a parcel, or a list of them (`scripted.ScriptedSource.put`)
`POST /control/mode`     `{"provider": "hang"}`, or `{"groups": {"mode": "ok", "only": {"wecom": "muted"}, "delay": 2, "code": -1}}`
`GET  /control/received` what the groups got, oldest first; `?platform=` narrows it
`GET  /control/asked`    the provider's questions and violations
`POST /control/reset`    forget what was seen, and the faults; counters of limits go on
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from monitor.demo.faults import Clock, Switchboard
from monitor.demo.inbox import Inbox
from monitor.demo.provider import Ledger
from monitor.demo.scripted import ScriptedSource

__all__ = ["make_control_app"]


def make_control_app(
    source: ScriptedSource, ledger: Ledger, inbox: Inbox, boards: dict[str, Switchboard], clock: Clock
) -> web.Application:
    """`boards` are named as in `/control/mode`."""
    panel = _Panel(source, ledger, inbox, boards, clock)
    app = web.Application()
    app.router.add_post("/control/parcels", panel.parcels)
    app.router.add_post("/control/mode", panel.mode)
    app.router.add_get("/control/received", panel.received)
    app.router.add_get("/control/asked", panel.asked)
    app.router.add_post("/control/reset", panel.reset)
    return app


@dataclass(frozen=True)
class _Panel:
    source: ScriptedSource
    ledger: Ledger
    inbox: Inbox
    boards: dict[str, Switchboard]
    clock: Clock

    async def parcels(self, request: web.Request) -> web.Response:
        """Add or replace parcels; how many."""
        body = await _body(request)
        parcels = body if isinstance(body, list) else [body]
        try:
            for parcel in parcels:
                self.source.put(parcel, self.clock())
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f"not a parcel: {error!r}") from error
        return web.json_response({"parcels": len(parcels)})

    async def mode(self, request: web.Request) -> web.Response:
        """Switch faults; the modes that now hold."""
        wanted = await _body(request)
        try:
            for name, setting in wanted.items():
                _turn(self.boards[name], setting)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f"not a mode: {error!r}") from error
        return web.json_response({name: board.mode.value for name, board in self.boards.items()})

    async def received(self, request: web.Request) -> web.Response:
        """What the groups got."""
        platform = request.query.get("platform", "")
        items = [item.plain() for item in self.inbox.received if platform in ("", item.platform)]
        return web.json_response(items)

    async def asked(self, request: web.Request) -> web.Response:
        """What the provider was asked."""
        meter = self.ledger.meter
        return web.json_response(
            {
                "asked": [item.plain() for item in self.ledger.asked],
                "violations": [item.plain() for item in meter.violations],
                "spent": meter.spent,
            }
        )

    async def reset(self, request: web.Request) -> web.Response:
        """A clean sheet for the next test."""
        self.inbox.received.clear()
        self.ledger.asked.clear()
        self.ledger.meter.violations.clear()
        for board in self.boards.values():
            board.turn("ok")
        return web.json_response({})


async def _body(request: web.Request) -> Any:
    try:
        return await request.json()
    except json.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="not JSON") from error


def _turn(board: Switchboard, setting: str | dict[str, Any]) -> None:
    wanted: dict[str, Any] = {"mode": setting} if isinstance(setting, str) else setting
    board.delay = float(wanted.get("delay", board.delay))
    board.code = int(wanted.get("code", board.code))
    board.turn(wanted.get("mode", board.mode), wanted.get("only"))
