"""The demo's page on loopback: how things stand, a ticket with its clocks, what the groups receive.

Drawn on the server, so it reads without a script; a small script asks once a second for the same trees as
JSON. Nothing is loaded from elsewhere, and nobody but this machine's browser is served: the host has to be a
loopback name (against rebinding), a form has to come from this page.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from sqlalchemy import Connection

from domain.masking import safe_text
from domain.tickets import EntryKind, TicketState
from monitor.demo.inbox import Inbox, Received
from monitor.demo.pages import home, ticket
from monitor.demo.pages.board import Board, Section, read_board
from monitor.demo.pages.chat import Group
from monitor.demo.pages.layout import FILES, LONGEST, Parts, home_main, ticket_main, trees, whole
from monitor.demo.pages.nodes import Child, Node
from monitor.demo.pages.words import LANGUAGES, Words
from monitor.store import tickets
from monitor.store.database import Database
from monitor.store.ticket_page import Detail, detail

__all__ = ["Scene", "Wall", "make_page_app"]

_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_KEPT: Final = 60
_VERBS: Final[Mapping[str, TicketState]] = {
    "ack": TicketState.ACKNOWLEDGED,
    "resolve": TicketState.RESOLVED,
    "reopen": TicketState.OPEN,
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Change = Callable[[Connection, tickets.Ticket, datetime], bool]


class Wall:
    """The newest messages of every group, numbered as they came."""

    def __init__(self, inbox: Inbox) -> None:
        self._numbers = count(1)
        self._kept: dict[str, deque[tuple[int, Received]]] = {}
        inbox.listeners.append(self._add)

    def _add(self, item: Received) -> None:
        kept = self._kept.setdefault(item.platform, deque(maxlen=_KEPT))
        kept.appendleft((next(self._numbers), item))

    def of(self, platform: str) -> list[tuple[int, Received]]:
        """One platform's messages, the newest first."""
        return list(self._kept.get(platform, ()))

    def all(self) -> list[tuple[int, Received]]:
        """Everybody's messages, the oldest first."""
        return sorted((pair for kept in self._kept.values() for pair in kept), key=lambda pair: pair[0])


@dataclass(frozen=True)
class Scene:
    """What the page looks at."""

    db: Database
    now: Callable[[], datetime]
    started_at: datetime
    speed: float
    wall: Wall
    groups: Sequence[Group]
    accounts: Sequence[str]
    """The provider accounts."""
    script: Callable[[str, str], str] = lambda carrier, waybill_no: ""
    """What the simulation has in store for a parcel: a value of `story.Kind`, or nothing."""
    rules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For each platform the Chinese names of its rules, by id."""
    base: str = ""
    """The address of this site, as the messages' links have it."""
    who: str = "演示用户"


def make_page_app(scene: Scene) -> web.Application:
    """The page as an application for `aiohttp.web`."""
    pages = _Pages(scene)
    app = web.Application(middlewares=[_guarded], client_max_size=64 * 1024)
    app.add_routes(
        [
            web.get("/", pages.home),
            web.get("/live.json", pages.home_live),
            web.get("/feed.json", pages.feed),
            web.get("/tickets/{number}", pages.ticket),
            web.get("/tickets/{number}/live.json", pages.ticket_live),
            web.post("/tickets/{number}/comment", pages.comment),
            web.post("/tickets/{number}/{verb:ack|resolve|reopen}", pages.move),
            web.get("/{file:demo\\.css|live\\.js}", _file),
        ]
    )
    return app


# ── the door ─────────────────────────────────────────────────────────────────────────────────────


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Loopback names only, forms from this page only; every answer carries the policy."""
    try:
        if not _at_home(request):
            raise web.HTTPMisdirectedRequest(text="只在本机打开：http://127.0.0.1\n")
        if request.method == "POST" and not _from_here(request):
            raise web.HTTPForbidden(text="表单要从本页提交\n")
        answer = await handler(request)
    except web.HTTPException as refused:
        refused.headers.update(_SECURITY)
        raise
    answer.headers.update(_SECURITY)
    return answer


def _at_home(request: web.Request) -> bool:
    """Another site's name that was pointed at this machine gets nothing."""
    try:
        return urlsplit(f"//{request.host}").hostname in _LOOPBACK
    except ValueError:
        return False


def _from_here(request: web.Request) -> bool:
    """The browser says that the form was sent by a page of this very address."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return site == "same-origin" and request.headers.get("Origin") == f"http://{request.host}"


async def _file(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(FILES / request.match_info["file"])


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


class _Pages:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def home(self, request: web.Request) -> web.Response:
        words = _words(request)
        parts = await self._home(words, _section(request))
        main = home_main(parts, self._scene.groups, words)
        return _page(request, words.say("工单", "tickets"), parts, main, words)

    async def home_live(self, request: web.Request) -> web.Response:
        return web.json_response(trees(await self._home(_words(request), _section(request))))

    async def feed(self, request: web.Request) -> web.Response:
        """The same for programs."""
        return web.json_response(home.data(await self._board(), self._scene.wall.all(), self._scene.speed))

    async def ticket(self, request: web.Request) -> web.Response:
        found = await self._detail(request)
        words = _words(request)
        parts = self._ticket(found, words)
        main = ticket_main(parts, found.ticket.number, words)
        return _page(request, found.ticket.number, parts, main, words)

    async def ticket_live(self, request: web.Request) -> web.Response:
        return web.json_response(trees(self._ticket(await self._detail(request), _words(request))))

    async def comment(self, request: web.Request) -> web.Response:
        text = safe_text(str((await request.post()).get("text", "")), LONGEST)
        if not text:
            raise web.HTTPBadRequest(text="留言是空的\n")

        def write(conn: Connection, found: tickets.Ticket, now: datetime) -> bool:
            tickets.entry(conn, found.id, now, EntryKind.COMMENT, author=self._scene.who, text=text)
            return True

        return await self._change(request, write)

    async def move(self, request: web.Request) -> web.Response:
        to = _VERBS[request.match_info["verb"]]
        version = str((await request.post()).get("version", ""))
        seen = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None

        def write(conn: Connection, found: tickets.Ticket, now: datetime) -> bool:
            return tickets.move(conn, found.id, to=to, version=seen, at=now, by=self._scene.who)

        return await self._change(request, write)

    # what they show

    async def _board(self) -> Board:
        now = self._scene.now()
        return await self._scene.db.read(lambda conn: read_board(conn, self._scene.accounts, now))

    async def _home(self, words: Words, only: Section | None) -> Parts:
        scene, board = self._scene, await self._board()
        groups = {
            f"chat-{each.platform}": home.chat(each, scene.wall.of(each.platform), scene.base, words)
            for each in scene.groups
        }
        return {
            "clock": self._clock(words),
            "now": home.cards(board, words),
            "tickets": home.tickets(board, words, only),
            **groups,
        }

    def _clock(self, words: Words) -> list[Child]:
        return home.simulated(self._scene.now(), self._scene.started_at, self._scene.speed, words)

    async def _detail(self, request: web.Request) -> Detail:
        number = request.match_info["number"]
        found = await self._scene.db.read(lambda conn: detail(conn, number))
        if found is None:
            raise _no_ticket(number)
        return found

    def _ticket(self, found: Detail, words: Words) -> Parts:
        case = found.parcel.case
        words = words.naming(self._scene.rules.get(case.order.platform, {}))
        script = self._scene.script(case.waybill.carrier, case.waybill.waybill_no)
        return {
            "clock": self._clock(words),
            "head": ticket.head(found, script, words),
            "actions": ticket.actions(found, words),
            "facts": ticket.facts(found, words),
            "times": ticket.times(found, self._scene.now(), words),
            "scans": ticket.scans(found, words),
            "history": ticket.history(found, words),
            "said": ticket.said(found, words),
        }

    async def _change(self, request: web.Request, write: Change) -> web.Response:
        """Do it and go back to the ticket; what cannot be done is said, and nothing is written."""
        number, now = request.match_info["number"], self._scene.now()

        def work(conn: Connection) -> bool | None:
            found = tickets.by_number(conn, number)
            return None if found is None else write(conn, found, now)

        try:
            done = await self._scene.db.write(work)
        except tickets.NotAllowed as refused:
            raise web.HTTPConflict(text=f"{refused}\n") from None
        if done is None:
            raise _no_ticket(number)
        if not done:
            raise web.HTTPConflict(text="这张工单刚被改过，请返回看一眼再试\n")
        raise web.HTTPSeeOther(_words(request).link(f"/tickets/{number}"))


def _words(request: web.Request) -> Words:
    language = request.query.get("lang", "")
    return Words(language if language in LANGUAGES else LANGUAGES[0])


def _section(request: web.Request) -> Section | None:
    wanted = request.query.get("section", "")
    return Section(wanted) if wanted in list(Section) else None


def _page(request: web.Request, title: str, parts: Parts, main: Node, words: Words) -> web.Response:
    text = whole(request.path, request.query_string, title, main, parts, words)
    return web.Response(text=text, content_type="text/html")


def _no_ticket(number: str) -> web.HTTPNotFound:
    return web.HTTPNotFound(text=f"没有工单 {safe_text(number, 40)}\n")
