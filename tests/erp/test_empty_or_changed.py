"""An answer that no longer is what it was never passes for a quiet shop, and a count that goes astray hides nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from domain.remote import Reply, Secret, Unreadable, rehearse
from monitor.erp.base import Grant
from monitor.erp.jushuitan import Jushuitan
from monitor.erp.wangdian import Wangdian
from monitor.erp.wangdian_flagship import WangdianFlagship
from monitor.erp.windows import Span, fresh
from tests.erp.conftest import Source
from tests.erp.test_pull import number, ship_many, state

NOW = datetime.fromtimestamp(1772416800, UTC)
HELD = Grant(Secret("token"))
JST = Jushuitan("app", Secret("secret"))
WDT = Wangdian("demo", "gw", Secret("secret"))
FLAG = WangdianFlagship("demo", "key", Secret("secret:salt"))
SOURCES = {"jushuitan": JST, "wangdian": WDT, "flagship": FLAG}


def read(kind, told, cursor=None):
    start = cursor or fresh(NOW - timedelta(minutes=30))
    return rehearse(SOURCES[kind].pull(start, NOW, HELD), lambda _: Reply(200, json.dumps(told).encode()))


def jst(**data):
    return {"code": 0, "issuccess": True, "msg": None, "data": data}


def rows(n, first=1):
    return [{"io_id": str(i), "ts": i} for i in range(first, first + n)]


LATER = Span(NOW - timedelta(hours=1), NOW, page=1, way="up", digest="x").cursor()

NO_ANSWER = {
    "聚水潭 renamed its list": ("jushuitan", jst(datass=rows(3), has_next=False), None),
    "聚水潭 without its list": ("jushuitan", jst(has_next=False), None),
    "聚水潭 full page, no word of a next one": ("jushuitan", jst(datas=rows(50)), None),
    "聚水潭 next page told in words": ("jushuitan", jst(datas=rows(3), has_next="false"), None),
    "聚水潭 next page, and nothing on this": ("jushuitan", jst(datas=[], has_next=True), None),
    "旺店通 renamed its list": ("wangdian", {"code": 0, "total_count": 3, "stockout_lists": [{}]}, None),
    "旺店通 without its list": ("wangdian", {"code": 0, "total_count": 0}, None),
    "旺店通 counts rows and gives none": ("wangdian", {"code": 0, "total_count": 3, "stockout_list": []}, None),
    "旺店通 counts rows in text and gives null": (
        "wangdian",
        {"code": 0, "total_count": "3", "stockout_list": None},
        None,
    ),
    "旗舰版 renamed its list": ("flagship", {"status": 0, "data": {"total_count": 1, "orders": [{}]}}, None),
    "旗舰版 counts rows and gives none": ("flagship", {"status": 0, "data": {"total_count": 1, "order": []}}, None),
    "旗舰版 counts rows of page 1 and gives none": (
        "flagship",
        {"status": 0, "data": {"total_count": 130, "order": []}},
        LATER,
    ),
    "旗舰版 further waybills without their list": (
        "flagship",
        {"status": 0, "data": {"total_count": 0, "order": []}},
        Span(NOW - timedelta(hours=1), NOW, stage=1).cursor(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(NO_ANSWER))
def test_a_list_that_is_gone_or_short_of_its_own_count_is_no_empty_page(case):
    kind, told, cursor = NO_ANSWER[case]
    with pytest.raises(Unreadable):
        read(kind, told, cursor)


QUIET = {
    "聚水潭": ("jushuitan", jst(datas=[], has_next=False), None),
    "聚水潭 short page, no word of a next one": ("jushuitan", jst(datas=[]), None),
    "旺店通": ("wangdian", {"code": 0, "total_count": 0, "stockout_list": []}, None),
    "旺店通 total as text": ("wangdian", {"code": "0", "total_count": "0", "stockout_list": []}, None),
    "旺店通 later page without a total": ("wangdian", {"code": 0, "message": "", "stockout_list": []}, LATER),
    "旗舰版": ("flagship", {"status": 0, "data": {"total_count": 0, "order": []}}, None),
    "旗舰版 page behind the last": ("flagship", {"status": 0, "data": {"total_count": 100, "order": []}}, LATER),
}  # fmt: skip


@pytest.mark.parametrize("case", list(QUIET))
def test_an_empty_list_with_nothing_to_count_is_a_quiet_shop(case):
    kind, told, cursor = QUIET[case]
    page = read(kind, told, cursor)
    assert (page.documents, page.poisoned) == ((), ())


def test_nothing_is_proven_while_the_list_is_missing_and_all_is_read_when_it_is_back(source: Source) -> None:
    shipped = ship_many(source, 30, over=timedelta(minutes=20))
    honest = source.erp._honest

    def renamed(path, query, body):
        told = honest(path, query, body)
        for part in (told, told.get("data") or {}):
            for key in ("stockout_list", "order", "order_list", "datas"):
                if key in part:
                    part[key + "_v2"] = part.pop(key)
        return told

    source.erp._honest = renamed  # type: ignore[method-assign]
    for _ in range(8):
        source.after(minutes=6)
    assert (state(source).observed_at, state(source).cursor, state(source).state) == (None, {}, "down")
    assert len(source.column("SELECT message FROM outbox")) == 1
    source.erp._honest = honest  # type: ignore[method-assign]
    source.after(minutes=6)
    assert source.watched == sorted(shipped)


# ── 聚水潭: `ts` ─────────────────────────────────────────────────────────────────────────────────

STRAY = 9_000_000_000_000_000_000
ORDERED = [7_000_000_001, 7_000_000_005, 7_000_000_009]


@pytest.mark.parametrize(
    ("ts", "goes_on_at"),
    [
        pytest.param(ORDERED, ORDERED[-1], id="the greatest"),
        pytest.param([*ORDERED, STRAY], ORDERED[-1], id="but no stray"),
        pytest.param([STRAY, *ORDERED], ORDERED[-1], id="wherever it stands"),
        pytest.param([ORDERED[0], STRAY], ORDERED[0], id="nor one of two"),
        pytest.param([*ORDERED, None, "x"], ORDERED[-1], id="rows without one do not matter"),
        pytest.param([1, 2, 3, 100, 250], 3, id="a young count that leaps is read again from its middle on"),
    ],
)
def test_where_the_next_page_goes_on(ts, goes_on_at):
    told = jst(datas=[{"io_id": str(i), "ts": each} for i, each in enumerate(ts)], has_next=True)
    assert read("jushuitan", told).cursor["ts"] == goes_on_at


def test_every_span_of_time_begins_at_nothing_whatever_was_reached_before():
    sent = []

    def answer(request):
        sent.append(request.content.decode())
        return Reply(200, json.dumps(jst(datas=rows(1, STRAY), has_next=False)).encode())

    first = rehearse(JST.pull(fresh(NOW - timedelta(minutes=30)), NOW, HELD), answer)
    rehearse(JST.pull(first.cursor, NOW + timedelta(hours=1), HELD), answer)
    rehearse(JST.pull({**first.cursor, "ts": STRAY, "base": STRAY}, NOW + timedelta(hours=1), HELD), answer)
    assert ["start_ts%22%3A0%2C" in each for each in sent] == [True] * 3


@pytest.mark.parametrize("kind", ["jushuitan"])
def test_a_count_that_begins_anew_hides_no_later_shipment_and_no_cancellation(source: Source) -> None:
    source.erp.ship("D1", "1", number(1))
    source.erp.ship("D2", "2", number(2))
    source.after(minutes=1)
    source.after(minutes=6)
    source.erp._ts = 5
    source.erp.ship("D3", "3", number(3))
    source.erp.change("D1", status="gone")
    source.after(minutes=6)
    assert source.watched == [number(2), number(3)]


@pytest.mark.parametrize("kind", ["jushuitan"])
def test_one_row_with_a_stray_count_hides_no_other(source: Source) -> None:
    shipped = ship_many(source, 60, over=timedelta(minutes=30))
    source.erp.docs["D00007"].ts = STRAY
    source.after(minutes=1)
    source.erp.ship("D9", "9", number(900))
    source.erp.change("D00007", status="gone")
    source.after(minutes=6)
    assert source.watched == sorted({*shipped, number(900)} - {number(7)})
