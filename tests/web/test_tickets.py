"""The list of tickets: found by its address, with pasted numbers and chosen columns; its files hold exactly what it shows."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from python_calamine import CalamineWorkbook

from domain.tracking import ExceptionKind, Milestone
from monitor.web import export
from monitor.web.pages import tickets as page_of_tickets
from tests import hostile
from tests.simulated import PICKED, at
from tests.web.conftest import Site
from tests.web.desk import Desk, harmless, scan
from tests.web.test_ticket import words


@pytest.fixture
def desk(site: Site) -> Desk:
    site.now = at(50)
    return Desk(site)


@pytest.fixture
def three(desk: Desk) -> Desk:
    """A stalled parcel, one about to stall at another shop with another carrier, a lost one that is resolved."""
    desk.stalled("75812345678901", shop="甲店")
    desk.parcel(
        "YT8812345678901",
        scan(5, milestone=PICKED),
        scan(10),
        seen=50,
        shop="乙店",
        carrier="yuantong",
        platform="pinduoduo",
    )
    lost = scan(1, "快件丢失", milestone=Milestone.UNKNOWN, exceptions=frozenset({ExceptionKind.LOST}))
    desk.act(desk.parcel("Z3", scan(-5, milestone=PICKED), lost, seen=3), "resolve", 0)
    return desk


def listed(answer: httpx.Response) -> list[str]:
    """The ticket numbers of a page, in its order."""
    assert answer.status_code == 200
    body = answer.text.split("<tbody>")[1].split("</tbody>")[0] if "<tbody>" in answer.text else ""
    return re.findall(r'href="/tickets/(T-[\d-]+)"', body)


def numbers(desk: Desk, **query: Any) -> list[str]:
    """The waybills of the list under these filters."""
    answer = desk.site.get(f"/tickets?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200
    body = answer.text.split("<tbody>")[1] if "<tbody>" in answer.text else ""
    return re.findall(r'href="/parcels/\w+/(\w+)"', body)


def test_pasted_numbers_are_looked_for_among_all_tickets(three: Desk) -> None:
    """The form of the list as it stands sends no state along; the tabs of what was found do."""
    form = three.site.get("/tickets").text
    assert 'name="state"' not in form[form.index("<form") : form.index("</form>")]
    resolved = three.site.get("/tickets?state=resolved").text
    assert '<input type="hidden" name="state" value="resolved">' in resolved


# ── filters ──────────────────────────────────────────────────────────────────────────────────────

FIRST, SECOND, THIRD = "75812345678901", "YT8812345678901", "Z3"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {FIRST, SECOND}),
        ({"state": "all"}, {FIRST, SECOND, THIRD}),
        ({"state": "resolved"}, {THIRD}),
        ({"state": ["open", "resolved"]}, {FIRST, SECOND, THIRD}),
        ({"state": "acknowledged"}, set()),
        ({"stage": "breach"}, {FIRST}),
        ({"stage": "warning"}, {SECOND}),
        ({"rule": "transit_stagnation"}, {FIRST}),
        ({"rule": ["transit_stagnation", "update_timeout"]}, {FIRST, SECOND}),
        ({"carrier": "yuantong"}, {SECOND}),
        ({"shop": "甲店"}, {FIRST}),
        ({"platform": "pinduoduo"}, {SECOND}),
        ({"q": "中转停滞 已"}, {FIRST}),
        ({"q": "%"}, set()),
        ({"since": "2026-11-12"}, {FIRST, SECOND}),
        ({"since": "2026-11-13"}, set()),
        ({"state": "all", "until": "2026-11-10"}, {THIRD}),
        ({"state": "all", "until": "2026-11-12"}, {FIRST, SECOND, THIRD}),
        ({"numbers": f"{FIRST},{THIRD}"}, {FIRST, THIRD}),
        ({"numbers": f"O-{SECOND}"}, {SECOND}),
        ({"numbers": FIRST, "state": "resolved"}, set()),
        ({"shop": "没有的店"}, set()),
        ({"nonsense": "x", "lang": "en"}, {FIRST, SECOND}),
    ],
    ids=lambda each: (
        " ".join(sorted(each)) if isinstance(each, set) else str(each)
    ),  # the same in every process
)
def test_filters_stand_in_the_address(three: Desk, query: dict[str, Any], expected: set[str]) -> None:
    assert set(numbers(three, **query)) == expected


def test_the_worst_first_or_the_newest(three: Desk) -> None:
    assert numbers(three, state="all", sort="urgent")[0] == THIRD
    assert numbers(three, state="all", sort="newest")[-1] == THIRD


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=nix", "没有这样的工单状态"),
        ("stage=nix", "没有这样的阶段"),
        ("sort=nix", "没有这样的排序方式"),
        ("since=gestern", "日期要写成 2026-11-22 这样"),
        ("until=9999-12-31", "日期要写成"),
        ("q=" + "x" * 101, "搜索的文字太长"),
        ("numbers=" + "+".join(map(str, range(501))), "一次最多查 500 个单号"),
    ],
)
def test_a_filter_that_cannot_be_is_said_in_words(three: Desk, query: str, said: str) -> None:
    answer = three.site.get(f"/tickets?{query}")
    assert answer.status_code == 400
    assert said in words(answer.text)
    english = three.site.get(f"/tickets?{query}&lang=en").text
    alert = re.search(r'role="alert">(.*?)</p>', english, re.DOTALL)
    assert alert is not None
    assert not re.search(r"[\u4e00-\u9fff]", alert[1])
    for suffix in ("csv", "xlsx"):
        assert three.site.get(f"/tickets.{suffix}?{query}").status_code == 400


def test_pasted_numbers_that_are_not_found_are_named(three: Desk) -> None:
    three.parcel("Z9", scan(40, milestone=PICKED), seen=41)
    text = f' {FIRST}\r\n“nix1”，NIX2;\tz9、="{SECOND}" '
    answer = three.site.get(f"/tickets?{urlencode({'numbers': text})}")
    said = words(answer.text)
    assert "2 个单号查不到" in said
    assert "nix1 NIX2" in said
    assert "1 个单号在监控，没有开过工单 z9" in said
    assert len(listed(answer)) == 2
    assert "nix1" in re.search(r"<textarea.*?</textarea>", answer.text, re.DOTALL)[0]  # type: ignore[index]


def test_five_hundred_numbers_fit_into_an_address(three: Desk) -> None:
    pasted = "\r\n".join([FIRST, *(f"YT88{n:011d}" for n in range(499))])
    answer = three.site.get(f"/tickets?{urlencode({'numbers': pasted})}")
    assert len(listed(answer)) == 1
    assert "499 个单号查不到" in words(answer.text)


def test_menus_offer_what_occurs_and_keep_what_was_asked(three: Desk) -> None:
    html = three.site.get("/tickets?shop=没有的店").text
    assert '<option value="甲店">' in html
    assert '<option value="没有的店" selected>' in html
    assert '<option value="yuantong">圆通速递</option>' in html


def test_each_reader_has_his_own_language(three: Desk) -> None:
    """Whoever comes first: a template is compiled once, for all of them."""
    for language, tabs in (
        ("zh", "待处理 处理中 已解决"),
        ("en", "Open In work Resolved"),
        ("zh", "待处理 处理中 已解决"),
    ):
        assert tabs in words(three.site.get(f"/tickets?lang={language}").text)


def test_nothing_to_do_is_good_news(desk: Desk) -> None:
    assert "没有待办的工单" in words(desk.site.get("/tickets").text)
    assert "没有符合条件的工单" in words(desk.site.get("/tickets?shop=x").text)


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


def test_pages_follow_each_other_and_keep_the_filters(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_of_tickets, "_ON_A_PAGE", 2)
    all_ = [desk.stalled(f"Z{n}") for n in range(5)]
    seen: list[str] = []
    address = "/tickets?sort=newest&shop=旗舰店"
    for _ in range(3):
        answer = desk.site.get(address)
        seen += listed(answer)
        following = re.search(r'rel="next" href="([^"]+)"', answer.text)
        if following is None:
            break
        address = following[1].replace("&amp;", "&")
        assert "shop=" + quote("旗舰店") in address
    assert seen == all_[::-1]
    assert 'rel="prev"' in desk.site.get(address).text


@pytest.mark.parametrize("cursor", ["x", "W10", "9" * 5000, "%00", "' OR 1=1 --", "eyJhIjoxfQ"])
def test_a_place_that_is_none_of_ours_is_said_in_words(three: Desk, cursor: str) -> None:
    answer = three.site.get(f"/tickets?cursor={cursor}")
    assert answer.status_code == 400
    assert "翻页标记无效" in words(answer.text)


def test_far_beyond_the_end_is_an_empty_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last page's cursor, after everything on it was resolved."""
    monkeypatch.setattr(page_of_tickets, "_ON_A_PAGE", 1)
    tickets = [desk.stalled(f"Z{n}") for n in range(3)]
    address = re.search(r'rel="next" href="([^"]+)"', desk.site.get("/tickets").text)
    assert address is not None
    for number in tickets:
        desk.act(number, "resolve", 0)
    answer = desk.site.get(address[1].replace("&amp;", "&"))
    assert answer.status_code == 200
    assert listed(answer) == []


# ── columns ──────────────────────────────────────────────────────────────────────────────────────


def headings(answer: httpx.Response) -> list[str]:
    return re.findall(r'<th scope="col">(.*?)</th>', answer.text)


def test_columns_are_chosen_in_the_address_and_remembered(three: Desk) -> None:
    assert headings(three.site.get("/tickets")) == [
        *("工单", "状态", "阶段", "异常", "可能赔付", "责任", "最近时限", "运单", "店铺", "开单时间"),
    ]
    answer = three.site.get("/tickets?col=shop&col=number&col=nix")
    assert headings(answer) == ["工单", "店铺"]
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert headings(three.site.get("/tickets", headers={"Cookie": cookie})) == ["工单", "店铺"]
    assert "set-cookie" not in three.site.get("/tickets").headers


@pytest.mark.parametrize("cookie", ["", "nix", "<script>", "." * 3000, "number;x"])
def test_a_cookie_of_somebody_elses_gives_the_standard_columns(three: Desk, cookie: str) -> None:
    answer = three.site.get("/tickets", headers={"Cookie": f"parcelwatch_ticket_columns={cookie}"})
    assert headings(answer) in (["工单"], headings(three.site.get("/tickets")))


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def as_csv(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def as_xlsx(answer: httpx.Response) -> list[list[Any]]:
    assert answer.status_code == 200
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    return [list(row) for row in book.get_sheet_by_index(0).to_python()]


def test_files_hold_what_the_list_shows(three: Desk) -> None:
    query = (
        "?state=all&sort=newest&col=number&col=state&col=rules&col=waybill&col=shop&col=opened&col=severity"
    )
    page = listed(three.site.get("/tickets" + query))
    table = as_csv(three.site.get("/tickets.csv" + query))
    assert table[0] == ["工单", "状态", "异常", "快递公司", "运单号", "店铺", "开单时间", "严重程度"]
    assert [row[0] for row in table[1:]] == page
    by_waybill = {row[4]: row for row in table[1:]}
    assert by_waybill[FIRST + "\t"][1:] == [
        *("待处理", "中转停滞、支付-签收时长", "中通快递", FIRST + "\t", "甲店", "2026-11-12 12:00:00", "70"),
    ]
    book = as_xlsx(three.site.get("/tickets.xlsx" + query))
    assert [[str(cell).strip() for cell in row[:6]] for row in book] == [
        [cell.strip() for cell in row[:6]] for row in table
    ]
    assert {row[7] for row in book[1:]} == {70.0, 71.0, 100.0}
    assert all(row[6].year == 2026 for row in book[1:])


def test_files_keep_the_filters_and_have_a_name(three: Desk) -> None:
    answer = three.site.get("/tickets.csv?shop=甲店")
    assert len(as_csv(answer)) == 2
    assert answer.headers["content-disposition"] == 'attachment; filename="tickets-20261112-1200.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(as_xlsx(three.site.get("/tickets.xlsx?shop=甲店"))) == 2
    html = three.site.get("/tickets?shop=甲店&cursor=").text
    assert f'href="/tickets.csv?shop={quote("甲店")}"' in html


def test_files_speak_english_too(three: Desk) -> None:
    table = as_csv(three.site.get("/tickets.csv?lang=en"))
    assert table[0][:2] == ["Tickets", "State"]
    assert not re.search(r"[\u4e00-\u9fff]", "".join(table[0]))


def test_a_file_that_was_cut_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST", 3)
    for n in range(5):
        desk.stalled(f"Z{n}")
    for table in (as_csv(desk.site.get("/tickets.csv")), as_xlsx(desk.site.get("/tickets.xlsx"))):
        assert len(table) == 5
        assert "后面还有" in str(table[-1][0])


def test_hostile_texts_in_the_list_and_its_files(desk: Desk) -> None:
    """Every text as a shop: nothing of it becomes markup on the page, or a formula in a file."""
    for n, text in enumerate(hostile.TEXTS):
        desk.stalled(f"H{n}", shop=text)
    query = "?state=all&col=number&col=shop&col=rules"
    table = as_csv(desk.site.get("/tickets.csv" + query))
    book = as_xlsx(desk.site.get("/tickets.xlsx" + query))
    assert len(table) == len(book) == len(hostile.TEXTS) + 1
    for row in table:
        assert not [cell for cell in row if cell[:1] in tuple("=+-@\t\r\n|%＝＋－＠")]
    html = desk.site.get("/tickets" + query).text
    harmless(html)


def test_who_would_export_beside_others_waits_and_is_told(
    three: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file at a time: the readers of the store are for pages, polls and the watchdog."""
    monkeypatch.setattr(page_of_tickets, "_PATIENCE", 0.01)
    busy = asyncio.Semaphore(0)
    object.__setattr__(three.site.app.state.context, "exports", busy)
    answer = three.site.get("/tickets.csv")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    assert "前面还有别人在导出" in answer.text
    busy.release()
    assert three.site.get("/tickets.csv").status_code == 200
