"""A ticket's page: what is on it, what a person may do, and two people who do it at once."""

from __future__ import annotations

import gzip
import re
from html import unescape

import pytest
from sqlalchemy import Connection

from domain.messages import Message, MessageKind
from domain.remote import Outcome
from domain.tickets import EntryKind, TicketState
from domain.tracking import Milestone
from monitor.store import outbox, tickets
from monitor.store.outbox import MessageState, NewMessage
from monitor.web.files import static_files
from tests import hostile
from tests.simulated import PICKED, at
from tests.web.conftest import Site
from tests.web.desk import Desk, harmless, scan, unread


@pytest.fixture
def desk(site: Site) -> Desk:
    site.now = at(50)
    return Desk(site)


def words(html: str) -> str:
    """What a person reads of a page."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def read(desk: Desk, number: str, query: str = "") -> str:
    answer = desk.site.get(f"/tickets/{number}{query}")
    assert answer.status_code == 200
    return words(answer.text)


def state(desk: Desk, number: str) -> tuple[TicketState, int]:
    ticket = desk.site.db.read_now(lambda conn: tickets.by_number(conn, number))
    assert ticket is not None
    return ticket.state, ticket.version


def entries(desk: Desk, number: str) -> list[tuple[EntryKind, str, str]]:
    detail = desk.site.db.read_now(lambda conn: tickets.detail(conn, number))
    assert detail is not None
    return [(entry.kind, entry.author, entry.text) for entry in detail.entries]


# ── what is on it ────────────────────────────────────────────────────────────────────────────────


def test_the_whole_story_of_a_stalled_parcel(desk: Desk) -> None:
    number = desk.stalled("75812345678901", amount=None, warehouse="广州仓")
    page = read(desk, number)
    for told in (
        "待处理",
        "中转停滞",
        "已超 2 小时",
        "中通快递 75812345678901",
        "请帮忙查一下这票快件",
        "计时从 11月10日 10:00 的「运输中」扫描开始",
        "时限 48 小时，最晚到 11月12日 10:00。",
        "策略行 taobao_tmall.transit_stagnation",
        "已核实到 11-12 12:00",
        "O-75812345678901",
        "广州仓",
        "淘宝/天猫",
        "【广州市】已揽收",
        "11-12 12:00 得知",
        "认领",
    ):
        assert told in page, told


def test_a_clock_is_drawn_for_eyes_and_for_ears(desk: Desk) -> None:
    html = desk.site.get(f"/tickets/{desk.stalled('Z1')}").text
    drawn = re.findall(r"<svg class=\"pw-tl\".*?</svg>", html, re.DOTALL)
    assert drawn
    for svg in drawn:
        labelled = re.search(r'role="img" aria-labelledby="(\S+) (\S+)"', svg)
        assert labelled is not None
        assert all(f'id="{each}"' in svg for each in labelled.groups())
        assert " style=" not in svg
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_what_was_taken_back_is_struck_through_with_when_we_learned_of_it(desk: Desk) -> None:
    number = desk.stalled("Z1")
    desk.news("Z1", scan(-5, "【广州市】已揽收", milestone=PICKED), scan(1, "【东莞市】改到"), seen=51)
    desk.site.now = at(51)
    html = desk.site.get(f"/tickets/{number}").text
    assert "<s>【东莞市】快件已到达 东莞分拨中心</s>" in html
    assert "承运商已撤回，11-12 13:00 发现" in words(html)


def test_a_scan_that_came_late_says_so(desk: Desk) -> None:
    number = desk.stalled("Z1")
    desk.news(
        "Z1",
        scan(-5, "【广州市】已揽收", milestone=PICKED),
        scan(-2, "补传的"),
        scan(0),
        seen=51,
    )
    assert "补传 · 11-12 13:00 得知 补传的" in read(desk, number)


def test_lines_nobody_could_read_are_shown_in_the_reason(desk: Desk) -> None:
    number = desk.parcel("Z1", scan(-5, milestone=PICKED), scan(0), unread(3, "A77"), seen=50)
    assert "此后还有 1 条我们没能识别的轨迹，请一起核对：「A77」" in read(desk, number)


def test_past_the_limit_but_not_looked_since_is_not_called_over(desk: Desk) -> None:
    number = desk.stalled("Z1", seen=44)
    desk.site.now = at(60)
    page = read(desk, number)
    assert "时限已过，正在向承运商核实" in page
    assert "时限已过，待核实" in page
    assert "已超" not in page.split("为什么告警")[0]


def test_over_is_counted_no_further_than_was_seen(desk: Desk) -> None:
    number = desk.stalled("Z1", seen=50)
    desk.site.now = at(80)
    assert "已超 2 小时" in read(desk, number)
    assert "已超 32 小时" not in read(desk, number)


def test_who_was_told_what_and_what_the_platform_answered(desk: Desk) -> None:
    number = desk.stalled("Z1")
    assert "ops 待发" in read(desk, number)

    def deliver(conn: Connection) -> None:
        [row] = outbox.waiting(conn, "ops", at(50), 9)
        outbox.begin(conn, [row.id], at(50))
        outbox.finish(conn, row.id, Outcome.TAKEN, "errcode 0 <ok>", at(50.5), state=MessageState.SENT)

    desk.site.db.write_now(deliver)
    page = read(desk, number)
    assert "11-12 12:30 ops 已送达" in page
    assert f"中转停滞 已 50 小时（限 48 小时） · {number}" in page
    assert "11-12 12:30 平台回答：errcode 0 <ok>" in page


def test_long_histories_are_cut_and_shown_whole_on_request(desk: Desk) -> None:
    many = [scan(hour / 10, f"第{hour}条") for hour in range(60)]
    number = desk.parcel("Z1", scan(-5, milestone=PICKED), *many, seen=60)
    desk.site.now = at(60)
    page = read(desk, number)
    assert "另有更早的 21 条。" in page
    assert "第59条" in page
    assert "第1条" not in page
    assert "第1条" in read(desk, number, "?all=1")


def test_it_speaks_english_too(desk: Desk) -> None:
    number = desk.stalled("75812345678901")
    page = read(desk, number, "?lang=en")
    assert "Stalled in transit" in page
    assert "The limit is 48 h: until 12 Nov 10:00 at the latest." in page
    assert "Out for delivery" in page
    left = re.sub(
        r"【.*?】\S+( 东莞分拨中心)?|O-\S+|\[\S+\].*?\S+-\d{8}-\d+|旗舰店|广东|东莞分拨中心|中文", "", page
    )
    assert re.findall(r"[\u4e00-\u9fff]+", left) == []


def test_an_unknown_ticket_is_said_in_words(desk: Desk) -> None:
    answer = desk.site.get("/tickets/T-20990101-0001")
    assert answer.status_code == 404
    assert "没有这张工单" in words(answer.text)
    english = desk.site.get("/tickets/T-20990101-0001?lang=en")
    assert "There is no such ticket" in words(english.text)
    assert desk.act("T-20990101-0001", "ack", 0).status_code == 404
    assert desk.site.get("/tickets/" + "9" * 5000).status_code == 404
    assert desk.site.get("/tickets/%00%F0%9F%92%A9").status_code == 404


def test_it_costs_little_on_a_phone(desk: Desk) -> None:
    """The page and one style sheet, at most 60 KB together as they travel; no script."""
    many = [scan(hour / 10, f"【东莞市】快件已到达 东莞分拨中心，第{hour}次") for hour in range(40)]
    number = desk.parcel("Z1", scan(-5, milestone=PICKED), *many, seen=60)
    desk.site.now = at(60)
    for n in range(40):
        desk.act(number, "comment", 0, f"第{n}次打给网点，对方说今晚发出。")
    html = desk.site.get(f"/tickets/{number}").text
    assert "<script" not in html
    assert re.findall(r'(?:src|<link[^>]*href)="(?!data:)([^"]+)"', html) == re.findall(
        r'"(/static/[^"]+\.css)"', html
    )
    assert len(gzip.compress(html.encode(), 6)) + len(static_files()["console.css"].packed) <= 60_000


# ── what a person does ───────────────────────────────────────────────────────────────────────────


def test_acknowledge_comment_resolve_reopen(desk: Desk) -> None:
    number = desk.stalled("Z1")
    answer = desk.act(number, "ack", 0)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/tickets/{number}")
    assert state(desk, number) == (TicketState.ACKNOWLEDGED, 1)
    assert desk.act(number, "comment", 1, "打给东莞网点，\r\n今晚发出").status_code == 303
    assert entries(desk, number)[-1] == (EntryKind.COMMENT, "控制台", "打给东莞网点，\n今晚发出")
    page = desk.site.get(f"/tickets/{number}").text
    assert (
        '<p class="pw-wrap" translate="no">打给东莞网点，</p><p class="pw-wrap" translate="no">今晚发出</p>'
        in page
    )
    assert desk.act(number, "resolve", 1, "已发出").status_code == 303
    assert state(desk, number) == (TicketState.RESOLVED, 2)
    assert "重新打开" in read(desk, number)
    assert desk.act(number, "reopen", 2).status_code == 303
    assert state(desk, number) == (TicketState.OPEN, 3)


@pytest.mark.parametrize("text", ["", "   ", "\r\n\t ", "\u3000"])
def test_an_empty_comment_is_refused_kindly(desk: Desk, text: str) -> None:
    number = desk.stalled("Z1")
    before = entries(desk, number)
    answer = desk.act(number, "comment", 0, text)
    assert answer.status_code == 422
    assert "留言是空的：写一句再提交" in words(answer.text)
    assert entries(desk, number) == before


def test_a_comment_that_is_too_long_is_kept_in_the_form(desk: Desk) -> None:
    number = desk.stalled("Z1")
    answer = desk.act(number, "comment", 0, "长" * 4001)
    assert answer.status_code == 422
    assert "最多 4000 个字" in words(answer.text)
    assert "长" * 4001 in answer.text


@pytest.mark.parametrize("verb", ["ack", "resolve", "comment"])
def test_two_people_at_one_ticket(desk: Desk, verb: str) -> None:
    """The second is told what the first did, keeps what he typed, and can submit again."""
    number = desk.stalled("Z1")
    assert desk.act(number, "ack", 0, "我来").status_code == 303
    answer = desk.act(number, verb, 0, "我<b>也</b>打过电话了")
    assert answer.status_code == 409
    said = words(answer.text)
    assert "别人刚刚改过这张工单" in said
    assert "控制台 认领 — 我来" in said
    assert "我&lt;b&gt;也&lt;/b&gt;打过电话了</textarea>" in answer.text
    assert state(desk, number) == (TicketState.ACKNOWLEDGED, 1)
    assert [kind for kind, *_ in entries(desk, number)].count(EntryKind.COMMENT) == 0
    version = re.search(r'name="version" value="(\d+)"', answer.text)
    assert version is not None
    assert desk.act(number, "comment", int(version[1]), "我也打过电话了").status_code == 303


def test_only_what_happened_meanwhile_is_told(desk: Desk) -> None:
    number = desk.stalled("Z1")
    desk.act(number, "ack", 0, "第一次")
    desk.act(number, "resolve", 1, "第二次")
    desk.act(number, "reopen", 2, "第三次")
    said = words(desk.act(number, "resolve", 2, "我").text)
    meanwhile = said.split("您写的字还在。")[1].split("写点什么")[0]
    assert "第三次" in meanwhile
    assert "第二次" not in meanwhile


def test_the_machine_may_be_the_faster_one(desk: Desk) -> None:
    number = desk.stalled("Z1")
    desk.news(
        "Z1",
        scan(-5, "【广州市】已揽收", milestone=PICKED),
        scan(0),
        scan(51, "派件中", milestone=Milestone.OUT_FOR_DELIVERY),
        seen=52,
    )
    desk.site.now = at(52)
    answer = desk.act(number, "ack", 0, "我来")
    assert answer.status_code == 409
    assert "parcelwatch 解决" in words(answer.text)


def test_a_step_the_ticket_cannot_take_is_said_in_words(desk: Desk) -> None:
    number = desk.stalled("Z1")
    answer = desk.act(number, "reopen", 0, "写了半天")
    assert answer.status_code == 409
    assert "不能改为「待处理」" in words(answer.text)
    assert "写了半天</textarea>" in answer.text
    english = desk.site.post(f"/tickets/{number}/reopen?lang=en", {"version": "0"})
    assert "cannot become “Open”" in words(english.text)


def test_an_answer_keeps_the_language_of_the_address(desk: Desk) -> None:
    number = desk.stalled("Z1")
    answer = desk.site.post(f"/tickets/{number}/ack?lang=en", {"version": "0"})
    assert answer.headers["location"] == f"/tickets/{number}?lang=en"
    assert f"/tickets/{number}/comment?lang=en" in desk.site.get(f"/tickets/{number}?lang=en").text


@pytest.mark.parametrize(
    ("verb", "form", "status"),
    [
        ("delete", {"version": "0"}, 404),
        ("ack", {}, 422),
        ("ack", {"version": "x"}, 422),
        ("ack", {"version": "9" * 30}, 409),
        ("ack", {"version": "-1"}, 409),
    ],
)
def test_forms_that_are_not_ours(desk: Desk, verb: str, form: dict[str, str], status: int) -> None:
    number = desk.stalled("Z1")
    assert desk.site.post(f"/tickets/{number}/{verb}", form).status_code == status
    assert state(desk, number) == (TicketState.OPEN, 0)


def test_a_form_of_another_site_changes_nothing(desk: Desk) -> None:
    number = desk.stalled("Z1")
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert desk.act(number, "resolve", 0, headers=elsewhere).status_code == 403
    assert state(desk, number) == (TicketState.OPEN, 0)


# ── hostile texts ────────────────────────────────────────────────────────────────────────────────


def test_hostile_texts_in_every_field_stay_texts(desk: Desk) -> None:
    """Each text as a scan, a place, a shop, a city, a comment and a message: nothing of it becomes markup."""
    for n, text in enumerate(hostile.TEXTS):
        number = desk.parcel(
            f"H{n}",
            scan(-5, milestone=PICKED),
            scan(0, text, hub=text[:60], next_stop=text[:60], courier=text[:60]),
            seen=50,
            shop=text,
            merchant=text,
            receiver_city=text[:40],
            warehouse=text,
            goods_type=text,
        )
        desk.act(number, "comment", 0, text[:3900] or "x")
        message = Message(MessageKind.ALERT, text or "x")

        def put(conn: Connection, number: str = number, message: Message = message) -> None:
            ticket = tickets.by_number(conn, number)
            assert ticket is not None
            outbox.put(conn, [NewMessage(f"x:{number}", "ops", message, at(50), ticket_id=ticket.id)])

        desk.site.db.write_now(put)
        html = desk.site.get(f"/tickets/{number}").text
        harmless(html)


def test_ten_thousand_characters_are_cut(desk: Desk) -> None:
    number = desk.parcel(
        "Z1", scan(-5, milestone=PICKED), scan(0, "长" * 10_000), seen=50, shop="店" * 10_000
    )
    html = desk.site.get(f"/tickets/{number}").text
    assert html.count("长") < 1500
    assert html.count("店") < 600
    assert "…" in html


def test_phones_are_masked_and_waybills_are_not(desk: Desk) -> None:
    number = desk.parcel(
        "13812345678", scan(-5, milestone=PICKED), scan(0, "收件人电话 13912345678"), seen=50
    )
    page = read(desk, number)
    assert "13912345678" not in page
    assert "139******78" in page
    assert "13812345678" in page


def test_a_parcel_that_nobody_scanned_has_a_page(desk: Desk) -> None:
    desk.site.now = at(40)
    number = desk.parcel("Z1", seen=40)
    page = read(desk, number)
    assert "承运商还没有任何记录" in page
    assert "也可能是承运商选错" in page
