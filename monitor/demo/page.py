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
from html import escape
from itertools import count
from pathlib import Path
from string import Template
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
from monitor.demo.pages.nodes import Child, Node, el, html, plain
from monitor.demo.pages.words import LANGUAGES, Words
from monitor.store import tickets
from monitor.store.database import Database
from monitor.store.ticket_page import Detail, detail

__all__ = ["Scene", "Wall", "make_page_app"]

_FILES: Final = Path(__file__).parent / "pages"
_SHELL: Final = Template((_FILES / "shell.html").read_text("utf-8"))
_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_KEPT: Final = 60
_LONGEST: Final = 500
_VERBS: Final[Mapping[str, TicketState]] = {
    "ack": TicketState.ACKNOWLEDGED,
    "resolve": TicketState.RESOLVED,
    "reopen": TicketState.OPEN,
}
Parts = Mapping[str, Sequence[Child]]


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
        return sorted(pair for kept in self._kept.values() for pair in kept)


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
    """What the simulation has in store for a parcel, as a rule's or a trouble's name."""
    rules: Mapping[str, str] = field(default_factory=dict)
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
            web.get("/live.json", pages.home_parts),
            web.get("/feed.json", pages.feed),
            web.get("/tickets/{number}", pages.ticket),
            web.get("/tickets/{number}/live.json", pages.ticket_parts),
            web.post("/tickets/{number}/comment", pages.comment),
            web.post("/tickets/{number}/{verb:ack|resolve|reopen}", pages.move),
            web.get("/{file:demo\\.css|live\\.js}", _file),
        ]
    )
    return app


# ── the door ─────────────────────────────────────────────────────────────────────────────────────

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
    return web.FileResponse(_FILES / request.match_info["file"])


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


class _Pages:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def _words(self, request: web.Request) -> Words:
        language = request.query.get("lang", "zh")
        return Words(language if language in LANGUAGES else "zh", rules=self._scene.rules)

    async def _board(self) -> Board:
        now = self._scene.now()
        return await self._scene.db.read(lambda conn: read_board(conn, self._scene.accounts, now))

    def _clock(self, words: Words) -> list[Child]:
        scene = self._scene
        return home.simulated(scene.now(), scene.started_at, scene.speed, words)

    # the first page

    async def home(self, request: web.Request) -> web.Response:
        words = self._words(request)
        parts = await self._home_parts(words, _section(request))
        main = el(
            "main",
            el(
                "section",
                el("h2", words.say("现在", "Now"), class_="hidden"),
                _part("now", parts, class_="cards"),
            ),
            el(
                "div",
                el("section", el("h2", words.say("工单", "Tickets")), _part("tickets", parts), class_="work"),
                el(
                    "section",
                    el("h2", words.say("群里看到的", "What the groups see")),
                    [_part(f"chat-{each.platform}", parts, class_="group") for each in self._scene.groups],
                    class_="groups",
                ),
                class_="columns",
            ),
        )
        return self._whole(request, words, words.say("物流异常监控 · 演示", "parcelwatch demo"), main, parts)

    async def home_parts(self, request: web.Request) -> web.Response:
        return _parts(await self._home_parts(self._words(request), _section(request)))

    async def _home_parts(self, words: Words, only: Section | None) -> Parts:
        scene, board = self._scene, await self._board()
        talk = {
            f"chat-{each.platform}": home.chat(each, scene.wall.of(each.platform), scene.base, words)
            for each in scene.groups
        }
        return {
            "clock": self._clock(words),
            "now": home.cards(board, words),
            "tickets": home.tickets(board, words, only),
            **talk,
        }

    async def feed(self, request: web.Request) -> web.Response:
        """The same for programs."""
        return web.json_response(home.data(await self._board(), self._scene.wall.all(), self._scene.speed))

    # a ticket

    async def ticket(self, request: web.Request) -> web.Response:
        words = self._words(request)
        found = await self._detail(request)
        parts = self._ticket_parts(found, words)
        say = words.say
        comment = el(
            "form",
            el("label", say("留言", "Comment"), el("input", name="text", required=True, maxlength=_LONGEST)),
            el("button", say("写下", "Add"), type="submit"),
            method="post",
            action=words.link(f"/tickets/{found.ticket.number}/comment"),
            class_="comment",
        )
        main = el(
            "main",
            el("nav", el("a", say("← 全部工单", "← all tickets"), href=words.link("/"))),
            _part("head", parts, class_="head"),
            el("section", _part("actions", parts, class_="actions"), comment, class_="acts"),
            el(
                "div",
                el(
                    "div",
                    el("section", el("h3", say("时效", "Clocks")), _legend(words), _part("times", parts)),
                    el(
                        "section", el("h3", say("轨迹", "Scans")), _part("scans", parts, "ol", class_="lines")
                    ),
                ),
                el(
                    "div",
                    el(
                        "section", el("h3", say("订单", "Order")), _part("facts", parts, "dl", class_="facts")
                    ),
                    el(
                        "section",
                        el("h3", say("工单记录", "History")),
                        _part("history", parts, "ol", class_="lines"),
                    ),
                    el(
                        "section",
                        el("h3", say("告诉了谁", "Who was told")),
                        _part("said", parts, "ol", class_="lines"),
                    ),
                ),
                class_="columns even",
            ),
            class_="ticket-page",
        )
        return self._whole(request, words, found.ticket.number, main, parts)

    async def ticket_parts(self, request: web.Request) -> web.Response:
        return _parts(self._ticket_parts(await self._detail(request), self._words(request)))

    async def _detail(self, request: web.Request) -> Detail:
        number = request.match_info["number"]
        found = await self._scene.db.read(lambda conn: detail(conn, number))
        if found is None:
            raise web.HTTPNotFound(text=f"没有工单 {safe_text(number, 40)}\n")
        return found

    def _ticket_parts(self, found: Detail, words: Words) -> Parts:
        now, waybill = self._scene.now(), found.parcel.case.waybill
        script = words.kind(self._scene.script(waybill.carrier, waybill.waybill_no))
        return {
            "clock": self._clock(words),
            "head": ticket.head(found, script, words),
            "actions": ticket.actions(found, words),
            "facts": ticket.facts(found, words),
            "times": ticket.times(found, now, words),
            "scans": ticket.scans(found, words),
            "history": ticket.history(found, words),
            "said": ticket.said(found, words),
        }

    # what a person does

    async def comment(self, request: web.Request) -> web.Response:
        text = safe_text(str((await request.post()).get("text", "")), _LONGEST)
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

    async def _change(
        self, request: web.Request, write: Callable[[Connection, tickets.Ticket, datetime], bool]
    ) -> web.Response:
        """Do it and go back to the ticket; what cannot be done is said, and nothing is written."""
        number = request.match_info["number"]
        now = self._scene.now()

        def work(conn: Connection) -> bool | None:
            found = tickets.by_number(conn, number)
            return None if found is None else write(conn, found, now)

        try:
            done = await self._scene.db.write(work)
        except tickets.NotAllowed as refused:
            raise web.HTTPConflict(text=f"{refused}\n") from None
        if done is None:
            raise web.HTTPNotFound(text=f"没有工单 {safe_text(number, 40)}\n")
        if not done:
            raise web.HTTPConflict(text=f"{number} 刚被别人改过，请返回看一眼再试\n")
        raise web.HTTPSeeOther(self._words(request).link(f"/tickets/{number}"))

    # the whole

    def _whole(
        self, request: web.Request, words: Words, title: str, main: Node, parts: Parts
    ) -> web.Response:
        say, other = words.say, "en" if words.language == "zh" else "zh"
        here = request.path + (f"?lang={other}" if other != "zh" else "")
        header = el(
            "header",
            el("h1", el("a", say("物流异常监控", "parcelwatch"), href=words.link("/"))),
            el("span", say("演示 · 全部为模拟", "a demo: everything is simulated"), class_="badge demo"),
            _part("clock", parts, class_="sim"),
            el("a", say("English", "中文"), href=here, class_="language"),
            class_="top",
        )
        footer = el(
            "footer",
            say(
                "承运商、订单和群都是模拟的，查询、判定、工单、消息走的是真实代码：快递100 协议的真实客户端，"
                "钉钉、企业微信、QQ 机器人的真实消息。",
                "Carriers, orders and groups are simulated; queries, verdicts, tickets and messages are the real "
                "code: the real client of 快递100's protocol, the real messages to the robots.",
            ),
        )
        live = f"{request.path.rstrip('/')}/live.json" + (f"?{request.query_string}" if request.query else "")
        lost = el("p", id="lost", role="status", hidden=True)
        body = "\n".join(map(html, (header, lost, main, footer)))
        text = _SHELL.substitute(
            lang="en" if words.language == "en" else "zh-CN",
            title=escape(title),
            live=escape(live),
            lost=escape(say("连接中断：演示已停止或正在重启", "connection lost: the demo has stopped")),
            body=body,
        )
        return web.Response(text=text, content_type="text/html")


def _section(request: web.Request) -> Section | None:
    wanted = request.query.get("section", "")
    return Section(wanted) if wanted in list(Section) else None


def _part(name: str, parts: Parts, tag: str = "div", class_: str | None = None) -> Node:
    """A place the script keeps fresh."""
    return el(tag, *parts[name], id=name, class_=class_)


def _parts(parts: Parts) -> web.Response:
    trees = {
        name: [plain(child) for child in el("div", *children).children] for name, children in parts.items()
    }
    return web.json_response(trees)


def _legend(words: Words) -> Node:
    names = (
        ("seen", words.say("已核实的等待", "waiting, verified")),
        ("unseen", words.say("尚未核实", "not yet verified")),
        ("over", words.say("超时", "over the limit")),
        ("step", words.say("预警点", "warning")),
        ("limit", words.say("时限", "limit")),
        ("now", words.say("现在", "now")),
    )
    return el("p", [el("span", name, class_=f"key {kind}") for kind, name in names], class_="legend")
