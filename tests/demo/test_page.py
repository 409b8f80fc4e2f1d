"""The demo's page: what it shows, that nothing hostile survives in it, and whom it serves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import Connection, select

from domain.findings import ClockReading, Finding, FindingState, Stage, Step
from domain.history import merge
from domain.journey import condense
from domain.messages import Message, MessageKind
from domain.orders import Order, Waybill
from domain.remote import Outcome
from domain.tickets import EntryKind, TicketState
from domain.tracking import Answer, Milestone, TrackingEvent
from monitor.demo.dialects import Reading
from monitor.demo.faults import Fault
from monitor.demo.inbox import Inbox, Received
from monitor.demo.page import Scene, Wall, make_page_app
from monitor.demo.pages.chat import Group, verdict
from monitor.demo.pages.clocks import line
from monitor.demo.pages.nodes import Node, el, html, plain
from monitor.demo.pages.words import Words
from monitor.store import events, findings, outbox, parcels, schema, tickets
from monitor.store.database import Database
from monitor.store.outbox import MessageState
from monitor.store.ticket_page import detail

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCRIPT = "<script>alert(1)</script>"
PICTURE = '<img src=x onerror="alert(2)">'
BASE = "http://127.0.0.1:8000"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
GROUPS = (
    Group("dingtalk", "ops", "紧急群", "Urgent", "超时", "broken limits"),
    Group("wecom", "desk", "淘系群", "Taobao", "预警", "warnings"),
    Group("onebot", "qq", "拼多多群", "Pinduoduo", "预警", "warnings"),
)
PAGES = Path(__import__("monitor.demo.pages").demo.pages.__file__).parent


# ── a store with a broken and a warned ticket, everything from outside hostile ───────────────────


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with closing(Database.open(sqlite_url)) as opened:
        yield opened


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def scene(database: Database, inbox: Inbox, clock: Callable[[], datetime]) -> Scene:
    return Scene(
        db=database,
        now=clock,
        started_at=NOON - HOUR,
        speed=576,
        wall=Wall(inbox),
        groups=GROUPS,
        accounts=["快递100"],
        script=lambda carrier, waybill_no: "lost",
        base=BASE,
    )


@pytest.fixture
def ask(scene: Scene, talk):
    """`ask(scenario)`: put a question to the page; an application lives in one event loop only."""
    return lambda scenario: talk(make_page_app(scene), scenario)


def stalled(stage: Stage = Stage.BREACH) -> Finding:
    """The parcel moved 49 hours ago; 48 are allowed."""
    started = NOON - 49 * HOUR if stage is Stage.BREACH else NOON - 41 * HOUR
    limit = started + 48 * HOUR
    return Finding(
        rule="transit_stagnation",
        stage=stage,
        started_at=started,
        crossed_at=limit if stage is Stage.BREACH else limit - 8 * HOUR,
        policy=f"旗舰店{SCRIPT}",
        deadline=limit,
        limit=48 * HOUR,
        step=2,
        severity=70,
        evidence={"rule_zh": "中转停滞", "waits_for": "派件中"},
    )


def add(conn: Connection, waybill_no: str, finding: Finding, shop: str = f"云上{SCRIPT}") -> str:
    """An order, its parcel with one scan, and a ticket; its number."""
    paid = NOON - 60 * HOUR
    order = Order(
        f"31{waybill_no}", platform="taobao_tmall", shop=shop, paid_at=paid, amount=Decimal("19.90")
    )
    order = replace(order, shipped_at=paid + HOUR, receiver_province="浙江", receiver_city=PICTURE)
    taken = parcels.intake(
        conn, [parcels.Incoming(order, (Waybill("zhongtong", waybill_no),), "", paid + HOUR)], NOON
    )
    parcel_id = taken[0].parcel_ids[0]
    scan = TrackingEvent(finding.started_at, Milestone.PICKED_UP, f"已揽收{PICTURE}", "1")
    events.apply(
        conn,
        [(parcel_id, merge([], Answer("zhongtong", waybill_no, (scan,)), NOON))],
        provider="快递100",
        at=NOON,
    )
    step = Step(finding.stage, finding.crossed_at, timedelta(0))
    reading = ClockReading(
        finding.rule,
        finding.policy,
        started_at=finding.started_at,
        started_by="揽收",
        waits_for="派件中",
        limit=48 * HOUR,
        deadline=finding.deadline,
        steps=(step,),
    )
    parcels.save(conn, [parcels.Update(parcel_id, condense([scan]), NOON, clocks=(reading,))], NOON)
    ids = findings.open_(conn, [findings.NewFinding(parcel_id, finding, NOON)])
    ticket = tickets.open_(
        conn,
        parcel_id=parcel_id,
        at=NOON,
        severity=70,
        summary=f"中转停滞 {PICTURE}",
        filled={"orders": [{"shop": shop, "order_no": order.order_no}]},
        finding_ids=ids,
    )
    tickets.entry(conn, ticket.id, NOON, EntryKind.COMMENT, author=SCRIPT, text=PICTURE)
    message = Message(MessageKind.ALERT, f"[紧急] {SCRIPT} · {ticket.number}")
    outbox.put(conn, [outbox.NewMessage(f"k{ticket.id}", "ops", message, NOON, ticket_id=ticket.id)])
    row = outbox.by_key(conn, f"k{ticket.id}")
    assert row is not None
    outbox.begin(conn, [row.id], NOON)
    outbox.finish(conn, row.id, Outcome.TAKEN, f"errcode 0 {PICTURE}", NOON, state=MessageState.SENT)
    return ticket.number


@pytest.fixture
def number(database: Database) -> str:
    """A ticket whose limit is broken."""
    return database.write_now(lambda conn: add(conn, "75810000000001", stalled()))


def says(platform: str, *lines: str, code: int = 0, fault: Fault = Fault.OK, **more: Any) -> Received:
    return Received(NOON, platform, "ops", Reading(code, "ok", lines=lines, **more), 100, fault)


# ── asking ───────────────────────────────────────────────────────────────────────────────────────


def get(path: str, **headers: str):
    """A scenario: one question; status, headers and text of the answer."""

    async def scenario(session: aiohttp.ClientSession, base: str):
        async with session.get(base + path, headers=headers) as reply:
            return reply.status, reply.headers, await reply.text()

    return scenario


def post(path: str, form: dict[str, str], **headers: str):
    """A scenario: one form, sent as this page's own unless `headers` say otherwise."""

    async def scenario(session: aiohttp.ClientSession, base: str):
        said = {"Origin": base, "Sec-Fetch-Site": "same-origin"} | headers
        sent = {name: value for name, value in said.items() if value}
        async with session.post(base + path, data=form, headers=sent, allow_redirects=False) as reply:
            return reply.status, reply.headers, await reply.text()

    return scenario


@dataclass
class Outline(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    found.close()
    return found


def texts(tree: Any) -> Iterator[str]:
    """Every text of a tree as the script gets it."""
    if isinstance(tree, str):
        yield tree
    else:
        for child in tree[2:]:
            yield from texts(child)


# ── what it shows ────────────────────────────────────────────────────────────────────────────────


def test_the_first_page_lists_tickets_by_urgency_without_a_script(ask, database, number):
    warned = database.write_now(lambda conn: add(conn, "75810000000002", stalled(Stage.WARNING)))
    _, _, text = ask(get("/"))
    page = outline(text)
    rows = [attributes["data-key"] for attributes in page.all("tr") if "data-key" in attributes]
    assert rows == [number, warned]
    assert "已超 60 分钟" in page.text  # 49 hours of 48
    assert "还剩 7 小时" in page.text  # 41 hours of 48
    assert "中转停滞" in page.text
    assert "75810000000001" in page.text


def test_a_ticket_leaves_its_section_when_it_is_resolved(ask, database, number):
    def resolve(conn: Connection) -> None:
        found = tickets.by_number(conn, number)
        assert found is not None
        tickets.move(conn, found.id, to=TicketState.RESOLVED, version=None, at=NOON, by="parcelwatch")

    database.write_now(resolve)
    _, _, text = ask(get("/?section=breach"))
    assert number not in text
    _, _, text = ask(get("/?section=over"))
    assert number in text


def test_a_ticket_shows_order_clock_scan_history_and_what_the_platform_answered(ask, number):
    _, _, text = ask(get(f"/tickets/{number}"))
    page = outline(text)
    for shown in ("3175810000000001", "¥ 19.90", "中转停滞", "已揽收", "留言", "errcode 0", "途中丢失"):
        assert shown in page.text
    assert {"now", "limit", "over"} <= {attributes.get("class") for _, attributes in page.elements}


def test_english_labels(ask, number):
    _, _, text = ask(get("/?lang=en"))
    page = outline(text)
    assert "Stalled in transit" in page.text
    assert "60 min over" in page.text
    assert f"/tickets/{number}?lang=en" in [attributes.get("href") for attributes in page.all("a")]


def test_the_script_gets_the_parts_that_are_on_the_page(ask, number):
    for address in ("/", f"/tickets/{number}"):

        async def both(session: aiohttp.ClientSession, base: str, path: str = address):
            async with session.get(base + path) as reply:
                page = outline(await reply.text())
            live = page.all("body")[0]["data-live"]
            async with session.get(base + live) as reply:
                return page, await reply.json()

        page, parts = ask(both)
        places = {attributes.get("id") for _, attributes in page.elements}
        assert parts
        assert set(parts) <= places


def test_messages_stand_in_their_group_with_the_verdict(ask, inbox):
    inbox.add(says("dingtalk", "#### [紧急] 停滞", "- 第一行", f"[打开工单]({BASE}/tickets/T-1)"))
    inbox.add(says("wecom", "> 订单：1", "<@zhangsan>", code=45009))
    _, _, text = ask(get("/"))
    page = outline(text)
    assert "/tickets/T-1" in [attributes.get("href") for attributes in page.all("a")]
    assert "✓ 平台回答 errcode 0" in page.text
    assert "✕ 平台拒绝 45009" in page.text
    assert "@zhangsan" in page.text
    assert "等待第一条消息" in page.text  # QQ has none yet


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (says("onebot", "x"), "✓ 平台回答 status ok"),
        (says("dingtalk", "x", fault=Fault.TAKE_AND_DROP), "已进群，没有回执"),
        (says("dingtalk", "x", code=-1, fault=Fault.RESET), "✕ 没有回执（reset）"),
    ],
)
def test_verdicts_tell_a_lost_receipt_from_a_refusal(item, expected):
    assert verdict(item, Words()) == expected


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────


def bars(seen_hours: int, now_hours: int) -> dict[str, tuple[float, float]]:
    """Where each bar of a 48-hour clock begins and ends, in hours."""
    start = NOON
    reading = ClockReading(
        "r",
        "p",
        started_at=start,
        limit=48 * HOUR,
        deadline=start + 48 * HOUR,
        steps=(Step(Stage.BREACH, start + 48 * HOUR, timedelta(0)),),
    )
    drawn = line(reading, start + seen_hours * HOUR, start + now_hours * HOUR, Words())
    found = [
        dict(child.attributes) for child in drawn.children if isinstance(child, Node) and child.tag == "rect"
    ]
    whole = max(48, now_hours) * 1.04 / 100
    return {
        each["class"]: (
            round(float(each["x"].rstrip("%")) * whole, 1),
            round((float(each["x"].rstrip("%")) + float(each["width"].rstrip("%"))) * whole, 1),
        )
        for each in found
    }


def test_what_nobody_looked_at_is_drawn_as_unseen_not_as_over():
    found = bars(seen_hours=40, now_hours=55)
    assert found["seen"] == (0, 40)
    assert found["unseen"] == (40, 55)
    assert "over" not in found


def test_silence_past_the_limit_is_over_as_far_as_it_was_seen():
    found = bars(seen_hours=50, now_hours=55)
    assert found["seen"] == (0, 48)
    assert found["over"] == (48, 50)
    assert found["unseen"] == (50, 55)


def test_a_deadline_nobody_looked_past_is_being_verified_not_broken():
    assert Words().left(NOON, NOON + HOUR, proven=False) == "到点，核实中"
    assert Words().left(NOON, NOON + HOUR, proven=True) == "已超 60 分钟"


# ── hostile texts ────────────────────────────────────────────────────────────────────────────────


def test_nothing_from_outside_becomes_an_element(ask, inbox, number):
    for platform in ("dingtalk", "wecom", "onebot"):
        inbox.add(
            says(platform, SCRIPT, PICTURE, "[点我](javascript:alert(3))", "[去](https://evil.example/)")
        )
        inbox.add(says(platform, f"[近]({BASE}//evil.example/)", '<@a"onclick=1>', title=SCRIPT))
    for path in ("/", f"/tickets/{number}", "/?lang=en&section=%3Cscript%3E"):
        _, _, text = ask(get(path))
        page = outline(text)
        assert page.all("script") == [{"src": "/live.js", "defer": ""}]
        assert not page.all("img")
        names = {name for _, attributes in page.elements for name in attributes}
        assert not [name for name in names if name.startswith("on") or name == "style"]
        links = [attributes["href"] for attributes in page.all("a")]
        assert all(re.match(r"/(?!/)|[#?]", href) for href in links), links
    assert SCRIPT in outline(ask(get("/"))[2]).text, "it is still readable as text"


def test_the_script_gets_hostile_text_as_text(ask, inbox, number):
    inbox.add(says("wecom", SCRIPT))

    async def scenario(session: aiohttp.ClientSession, base: str):
        found = []
        for path in ("/live.json", f"/tickets/{number}/live.json"):
            async with session.get(base + path) as reply:
                assert reply.content_type == "application/json"
                found.append(await reply.json())
        return found

    for parts in ask(scenario):
        shown = "".join(text for trees in parts.values() for tree in trees for text in texts(tree))
        assert "<script>" in shown or "<img" in shown


def test_the_script_builds_elements_and_never_reads_html():
    script = (PAGES / "live.js").read_text("utf-8")
    assert "createElement" in script
    assert "createTextNode" in script
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|Function\(|srcdoc", script
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"onclick": "x"},
        {"style": "x"},
        {"src": "/x"},
        {"href": "javascript:x"},
        {"href": "//evil.example"},
        {"href": "/\\evil.example"},
        {"action": "https://evil.example"},
    ],
    ids=str,
)
def test_a_tree_refuses_what_could_run_or_lead_away(attributes):
    with pytest.raises(ValueError, match=r"may|no attribute"):
        el("a", "x", **attributes)


def test_a_tree_refuses_elements_that_load():
    for tag in ("script", "img", "iframe", "object", "style", "link", "base"):
        with pytest.raises(ValueError, match="no element"):
            el(tag)


def test_one_tree_two_forms():
    tree = el("p", "1 < 2", el("a", "&", href="/?a=1&b=2"), None, [" ", "x"], key='"')
    assert html(tree) == '<p data-key="&quot;">1 &lt; 2<a href="/?a=1&amp;b=2">&amp;</a> x</p>'
    assert plain(tree) == ["p", {"data-key": '"'}, "1 < 2", ["a", {"href": "/?a=1&b=2"}, "&"], " ", "x"]


# ── the door ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", ["/", "/live.json", "/feed.json", "/demo.css", "/live.js", "/nothing", "/tickets/T-0"]
)
def test_every_answer_carries_the_policy(ask, path):
    _, headers, _ = ask(get(path))
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost:1", 200),
        ("[::1]:1", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_only_loopback_names_are_served(ask, host, status):
    assert ask(get("/", Host=host))[0] == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_from_elsewhere_changes_nothing(ask, database, number, headers):
    assert ask(post(f"/tickets/{number}/ack", {"version": "0"}, **headers))[0] == 403
    ticket = database.read_now(lambda conn: tickets.by_number(conn, number))
    assert ticket is not None
    assert ticket.state is TicketState.OPEN


def test_acknowledge_and_resolve(ask, database, number):
    status, headers, _ = ask(post(f"/tickets/{number}/ack", {"version": "0"}))
    assert (status, headers["Location"]) == (303, f"/tickets/{number}")
    assert ask(post(f"/tickets/{number}/resolve", {"version": "1"}))[0] == 303
    found = database.read_now(lambda conn: detail(conn, number))
    assert found is not None
    assert found.ticket.state is TicketState.RESOLVED
    assert [entry.author for entry in found.entries[-2:]] == ["演示用户", "演示用户"]


def test_two_people_at_one_ticket(ask, number):
    """The second acts on what is no longer so, and is told."""
    assert ask(post(f"/tickets/{number}/ack", {"version": "0"}))[0] == 303
    assert ask(post(f"/tickets/{number}/resolve", {"version": "0"}))[0] == 409
    assert ask(post(f"/tickets/{number}/ack", {"version": "1"}))[0] == 409


def test_comments_are_kept_cut_and_never_empty(ask, database, number):
    assert ask(post(f"/tickets/{number}/comment", {"text": "  \n "}))[0] == 400
    assert ask(post(f"/tickets/{number}/comment", {"text": "已致电网点 13812345678 " + "长" * 900}))[0] == 303
    found = database.read_now(lambda conn: detail(conn, number))
    assert found is not None
    assert found.entries[-1].kind is EntryKind.COMMENT
    assert "12345678" not in found.entries[-1].text, "phones are hidden"
    assert len(found.entries[-1].text) <= 500


@pytest.mark.parametrize("path", ["/tickets/T-0", "/tickets/T-0/live.json", "/tickets/<script>"])
def test_an_unknown_ticket_is_said_plainly(ask, path):
    status, headers, text = ask(get(path))
    assert status == 404
    assert headers["Content-Type"].startswith("text/plain")
    assert "没有工单" in text


def test_a_form_for_an_unknown_ticket(ask, database):
    assert ask(post("/tickets/T-0/comment", {"text": "x"}))[0] == 404
    assert database.read_now(lambda conn: conn.execute(select(schema.ticket_entries)).all()) == []


def test_the_list_goes_on_when_a_ticket_has_no_standing_finding(ask, database, number):
    def end(conn: Connection) -> None:
        row = conn.execute(select(schema.findings.c.id)).scalar_one()
        findings.end(conn, [findings.Ended(row, FindingState.CLEARED, NOON, "派件中")])

    database.write_now(end)
    status, _, text = ask(get("/"))
    assert status == 200
    assert number in text
