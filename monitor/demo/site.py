"""The demo's own page in the console: `/demo` with its buttons, and `/demo/policy`, where the limits stand.

Works without script: every button is a form. Where script runs, htmx asks for the page again every few seconds.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from monitor.demo.causes import OUTAGES, Cause
from monitor.demo.chat import Block, draw, rung_beside
from monitor.demo.faults import Fault
from monitor.demo.inbox import Received
from monitor.demo.scene import SPEEDS, Group, Scene
from monitor.demo.walk import POLICY, read_walk
from monitor.store.ticket_page import detail
from monitor.web.context import Extra
from monitor.web.render import add_templates, context_of, page

__all__ = ["EXTRA", "make_router"]

EXTRA: Final = Extra("/demo", "演示")
_HERE: Final = Path(__file__).parent
_SHOWN: Final = 15
"""Messages of a group."""
_NAME: Final = re.compile(r'^name = "(.*)"$', re.MULTILINE)
_RULE: Final = re.compile(r"rules\.(\w+) = ")


@dataclass(frozen=True, slots=True)
class Said:
    """One message as its group shows it."""

    number: int
    item: Received
    blocks: tuple[Block, ...]
    rung: tuple[str, ...]
    """Whom it rings besides those in the text."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the configuration."""

    number: int
    text: str
    judged: bool
    """It set a limit of the ticket's parcel."""


def make_router(scene: Scene) -> APIRouter:
    """The pages, for `make_site(…, routers=[…])`."""
    add_templates(_HERE / "templates")
    router = APIRouter(include_in_schema=False)
    pages = _Pages(scene)
    router.add_api_route("/demo", pages.show, methods=["GET"])
    router.add_api_route("/demo/press", pages.press, methods=["POST"])
    router.add_api_route("/demo/speed", pages.speed, methods=["POST"])
    router.add_api_route(POLICY, pages.policy, methods=["GET"])
    router.add_api_route("/demo/style.css", _style, methods=["GET"])
    return router


class _Pages:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def show(self, request: Request) -> Response:
        """How the show stands."""
        scene, context = self._scene, context_of(request)
        now = scene.time()
        policies = _NAME.findall(scene.policies)
        walk = await context.db.read(lambda conn: read_walk(conn, scene.steps, context.who, policies))
        return await page(
            request,
            "demo.html",
            now=now,
            started_at=scene.time.started_at,
            speed=scene.time.speed,
            speed_length=timedelta(seconds=scene.time.speed),
            speeds=SPEEDS,
            outages=[fault.value for fault in OUTAGES],
            standing=scene.causes.standing(now),
            pressed=scene.causes.pressed[::-1][:5],
            walk=walk,
            groups=[(group, scene.wall.came(group.platform), self._said(group)) for group in scene.groups],
        )

    def _said(self, group: Group) -> list[Said]:
        site, platform = self._scene.url, group.platform
        return [
            Said(number, item, draw(platform, item.reading, site), rung_beside(platform, item.reading))
            for number, item in self._scene.wall.of(platform, _SHOWN)
        ]

    async def press(
        self, request: Request, cause: Annotated[str, Form()], fault: Annotated[str, Form()] = ""
    ) -> Response:
        """Cause something."""
        try:
            wanted, how = Cause(cause), Fault(fault) if fault else OUTAGES[0]
            self._scene.causes.press(wanted, self._scene.time(), how)
        except ValueError:
            raise HTTPException(422) from None
        return _back(request)

    async def speed(self, request: Request, speed: Annotated[float, Form()]) -> Response:
        """Let the time run at another speed."""
        if speed != speed:  # a number that is none has no place among the others
            raise HTTPException(422)
        self._scene.change_speed(speed)
        return _back(request)

    async def policy(self, request: Request, ticket: str = "") -> Response:
        """The limits as the configuration has them; the lines that judged a ticket's parcel are marked."""
        found = await context_of(request).db.read(lambda conn: detail(conn, ticket)) if ticket else None
        clocks = [reading for reading in found.clocks if reading.deadline] if found else []
        return await page(
            request,
            "demo-policy.html",
            ticket=found.ticket.number if found else "",
            clocks=clocks,
            broken={each.finding.rule for each in found.findings} if found else set(),
            lines=_lines(self._scene.policies, {clock.policy for clock in clocks}),
        )


async def _style() -> Response:
    return FileResponse(_HERE / "templates" / "demo.css", media_type="text/css")


def _back(request: Request) -> Response:
    """To the page the form stood on, in its language."""
    query = urlsplit(request.headers.get("referer", "")).query
    english = "?lang=en" if "lang=en" in query.split("&") else ""
    return RedirectResponse(f"/demo{english}", 303)


def _lines(text: str, sources: Set[str]) -> list[Line]:
    """The text by lines. `sources` are `<policy>.<rule>`, as a clock names where its limit was set."""
    lines, policy = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _NAME.fullmatch(line):
            policy = found[1]
        rule = _RULE.match(line)
        lines.append(Line(number, line, rule is not None and f"{policy}.{rule[1]}" in sources))
    return lines
