"""A parcel's page: every clock and why it sleeps, the next look, whose word holds, all parcels of the number; the search."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import Connection

from domain.journey import condense
from domain.opinions import DIFFERENCES
from domain.tracking import Milestone
from monitor.store import opinions, parcels
from tests import hostile
from tests.simulated import PICKED, at
from tests.store import given
from tests.web.conftest import Site
from tests.web.desk import Desk, harmless, scan
from tests.web.test_ticket import words

NUMBER = "75812345678901"


@pytest.fixture
def desk(site: Site) -> Desk:
    site.now = at(50)
    return Desk(site)


def read(desk: Desk, path: str) -> str:
    answer = desk.site.get(path)
    assert answer.status_code == 200, answer.text
    return words(answer.text)


def test_everything_about_a_parcel(desk: Desk) -> None:
    number = desk.stalled(NUMBER, amount=None)
    page = read(desk, f"/parcels/zhongtong/{NUMBER}")
    for told in (
        f"中通快递 {NUMBER}",
        "监控中",
        "已核实到 11-12 12:00",
        "更新到 11-12 12:00",
        "k100",
        "下次查询",
        "下次变化",
        "中转停滞 已超 2 小时",
        "没有在走的时效",
        "派签超时 尚未开始：还没有「派件中」 generic_cn.dispatch_sign",
        "taobao_tmall.transit_stagnation",
        f"{number} 待处理",
        f"O-{NUMBER}",
        "【广州市】已揽收",
        "条规则",
    ):
        assert told in page, told


def test_the_page_judges_as_the_watch_does(desk: Desk) -> None:
    """What stands on the page is what the sweep found, not a second opinion (L3)."""
    desk.stalled(NUMBER)
    page = desk.site.get(f"/parcels/zhongtong/{NUMBER}").text
    [loaded] = desk.site.db.read_now(lambda conn: parcels.load(conn, parcels.find(conn, NUMBER)))
    found = {each.finding.rule for each in loaded.open}
    over = set(re.findall(r'pw-clock-name">(.*?)</h3><span class="pw-badge pw-danger">', page))
    assert found == {"transit_stagnation", "paid_to_signed"}
    assert over == {"中转停滞", "支付-签收时长"}


def test_edited_and_withdrawn_scans_are_all_there(desk: Desk) -> None:
    desk.stalled(NUMBER)
    desk.news(NUMBER, scan(-5, "【广州市】已揽收", milestone=PICKED), scan(0, "【东莞市】改了说法"), seen=51)
    desk.site.now = at(51)
    page = read(desk, f"/parcels/zhongtong/{NUMBER}")
    assert "【东莞市】改了说法 11-12 13:00 前写的是： 【东莞市】快件已到达 东莞分拨中心" in page


def test_a_parcel_that_is_over_says_why_and_looks_no_more(desk: Desk) -> None:
    desk.stalled(NUMBER, seen=10)
    desk.news(
        NUMBER,
        scan(-5, "【广州市】已揽收", milestone=PICKED),
        scan(0),
        scan(11, "已签收", milestone=Milestone.RETURNED),
        seen=12,
    )
    page = read(desk, f"/parcels/zhongtong/{NUMBER}")
    assert "已结束" in page
    assert "下次查询" not in page


def test_a_carrier_may_be_named_as_people_do(desk: Desk) -> None:
    desk.stalled(NUMBER)
    assert NUMBER in read(desk, f"/parcels/{quote('中通')}/{NUMBER}")


@pytest.mark.parametrize("asked", ["中通", "zhongtong"])
def test_a_number_without_a_carrier_is_found_under_any_and_says_so(desk: Desk, asked: str) -> None:
    given.a_parcel(desk.site.db, f"auto/{NUMBER}")
    page = read(desk, f"/parcels/{quote(asked)}/{NUMBER}")
    assert f"待识别 {NUMBER}" in page
    assert "没有中通快递的这个单号" in page
    assert "没有中通快递" not in read(desk, f"/parcels/auto/{NUMBER}")
    english = read(desk, f"/parcels/zhongtong/{NUMBER}?lang=en")
    assert "nobody has said yet whose it is" in english


def test_a_carriers_own_parcel_comes_before_one_without_a_carrier(desk: Desk) -> None:
    given.a_parcel(desk.site.db, f"auto/{NUMBER}", shop="另一家店")
    desk.stalled(NUMBER)
    page = read(desk, f"/parcels/{quote('中通')}/{NUMBER}")
    assert "待识别" not in page


def test_it_speaks_english_too(desk: Desk) -> None:
    desk.stalled(NUMBER)
    page = read(desk, f"/parcels/zhongtong/{NUMBER}?lang=en")
    assert "Not started: no “Out for delivery” yet" in page
    left = re.sub(
        r"【.*?】\S+( 东莞分拨中心)?|O-\S+|\[\S+\].*?\S+-\d{8}-\d+|旗舰店|广东|东莞分拨中心|中文", "", page
    )
    assert re.findall(r"[\u4e00-\u9fff]+", left) == []


@pytest.mark.parametrize(
    "path",
    [
        "/parcels/zhongtong/NIX",
        f"/parcels/yuantong/{NUMBER}",
        f"/parcels/zhongtong/{NUMBER}?use=7",
        f"/parcels/zhongtong/{NUMBER}?use=x",
        "/parcels/%00/%00",
        "/parcels/x/" + "9" * 3000,
    ],
)
def test_a_number_that_is_not_watched_is_said_in_words(desk: Desk, path: str) -> None:
    desk.stalled(NUMBER)
    answer = desk.site.get(path)
    assert answer.status_code == 404
    assert "没有在监控这个单号" in words(answer.text)


def test_a_number_with_odd_characters_has_a_page(desk: Desk) -> None:
    desk.stalled("A/B?C#D&E%F")
    html = desk.site.get("/parcels?" + urlencode({"q": "A/B?C#D&E%F"}))
    assert html.status_code == 303
    assert "A/B?C#D&E%F" in read(desk, html.headers["location"])


# ── search ───────────────────────────────────────────────────────────────────────────────────────


def test_one_number_opens_its_parcel(desk: Desk) -> None:
    number = desk.stalled(NUMBER)
    for asked in (NUMBER, f"  {NUMBER}\n", f"O-{NUMBER}", number):
        answer = desk.site.get("/parcels?" + urlencode({"q": asked}))
        assert (answer.status_code, answer.headers["location"]) == (303, f"/parcels/zhongtong/{NUMBER}")


def test_several_numbers_are_listed_with_those_nobody_knows(desk: Desk) -> None:
    first, second = desk.stalled(NUMBER), desk.stalled("Z2")
    page = read(desk, "/parcels?" + urlencode({"q": f"{NUMBER}, Z2 nix"}))
    assert first in page
    assert second in page
    assert "1 个单号查不到" in page
    assert "nix" in page


def test_the_search_alone_says_what_it_is_for(desk: Desk) -> None:
    assert "输入一个单号" in read(desk, "/parcels")
    assert "1 个单号查不到" in read(desk, "/parcels?q=nix")
    answer = desk.site.get("/parcels?q=" + "+".join(map(str, range(501))))
    assert answer.status_code == 400
    assert "一次最多查 500 个单号" in words(answer.text)


def test_hostile_texts_stay_texts(desk: Desk) -> None:
    for n, text in enumerate(hostile.TEXTS[::3]):
        desk.parcel(
            f"H{n}",
            scan(-5, milestone=PICKED),
            scan(0, text, hub=text[:60]),
            seen=50,
            shop=text,
            warehouse=text,
        )
        html = desk.site.get(f"/parcels/zhongtong/H{n}").text
        harmless(html)
        found = desk.site.get("/parcels?" + urlencode({"q": f"nix {text[:80]}"}))
        harmless(found.text)


def test_what_a_second_account_says_stands_beside_the_first(desk: Desk) -> None:
    desk.stalled(NUMBER)
    [parcel] = desk.site.db.read_now(lambda conn: parcels.find(conn, NUMBER))

    def answered(conn: Connection) -> None:
        opinions.request(conn, parcel, "<b>kdn</b>", 2, at(49))
        second, first = condense([scan(45)]), condense([scan(0)])
        opinions.heard(conn, parcel, "<b>kdn</b>", second, first, DIFFERENCES[1:], at(49))

    desk.site.db.write_now(answered)
    page = read(desk, f"/parcels/zhongtong/{NUMBER}")
    assert "两家不一致 进度不同、 最后动静差两小时以上" in page
    assert "它说 运输中 · 最后动静 11-12 07:00" in page
    assert "第一家说 运输中 · 最后动静 11-10 10:00" in page
    assert "<b>kdn</b>" not in desk.site.get(f"/parcels/zhongtong/{NUMBER}").text
    english = read(desk, f"/parcels/zhongtong/{NUMBER}?lang=en")
    assert "They differ another step" in english
