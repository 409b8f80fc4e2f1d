"""Every source, on both databases, over real HTTP: what was shipped is watched, whatever the ERP and the night do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.feeds.feed import FeedState
from monitor.pulling.documents import ShopTerms, Terms
from monitor.store import pulls
from monitor.store.pulls import PullState
from tests.erp.conftest import Source
from tests.erp.simulated_erp import RECEIVER, SECRET
from tests.simulated import T0

MINUTE = timedelta(minutes=1)


def number(n: int) -> str:
    return f"758{n:011d}"


def ship_many(source: Source, n: int, *, first: int = 0, over: timedelta = timedelta(hours=5)) -> list[str]:
    """n documents over the last hours, many within one second: a click ships hundreds."""
    for i in range(first, first + n):
        source.erp.ship(f"D{i:05d}", f"{i}", number(i), at=T0 - over * (1 - (i // 60 * 60) / max(n, 1)))
    return [number(i) for i in range(first, first + n)]


def state(source: Source) -> PullState:
    return source.database.read_now(lambda conn: pulls.load(conn, "erp"))


# ── everything, once ─────────────────────────────────────────────────────────────────────────────


def test_what_was_shipped_is_watched_each_once(source):
    shipped = ship_many(source, 230)
    source.pull()
    assert source.watched == sorted(shipped)
    assert source.column("SELECT count(*) FROM orders") == [230]
    assert set(source.column("SELECT source FROM orders")) == {"erp"}


def test_an_order_is_told_with_shop_time_and_carrier(source):
    source.erp.ship("D1", "800001", number(1), at=T0 - 30 * MINUTE)
    source.pull()
    [row] = source.column("SELECT order_no || ' ' || shop || ' ' || shipped_at FROM orders")
    shipped_at = int((T0 - 30 * MINUTE).timestamp()) * 1_000_000
    assert row == f"800001 店铺01 {shipped_at}"
    assert source.column("SELECT carrier FROM parcels") == ["zhongtong"]


def test_the_platforms_number_names_the_order_where_the_owner_wants_it(source):
    source.restart(source.erp.account(terms=Terms("douyin", "m", by_platform_number=True)))
    source.erp.ship("D1", "1", number(1), platform_order="P1,P2")
    source.after(minutes=1)
    told = source.column("SELECT merchant || '/' || platform || '/' || order_no FROM orders ORDER BY 1")
    assert told == ["m/douyin/P1", "m/douyin/P2"], "one parcel, two orders"
    assert source.column("SELECT count(*) FROM parcels") == [1]


def test_shops_are_called_as_the_owner_calls_them_and_some_are_left_out(source):
    shops = {"店铺01": ShopTerms("旗舰店", "douyin", "甲"), "批发": ShopTerms(watch=False)}
    source.restart(source.erp.account(terms=Terms(shops=shops)))
    source.erp.ship("D1", "1", number(1))
    source.erp.ship("D2", "2", number(2), shop="批发")
    source.after(minutes=1)
    assert source.column("SELECT merchant || platform || shop FROM orders") == ["甲douyin旗舰店"]


def test_reading_again_changes_nothing(source):
    ship_many(source, 120)
    source.pull()
    before = source.column("SELECT updated_at FROM orders ORDER BY id")
    done = source.after(minutes=5)
    assert (done.orders, done.aside) == (0, 0)
    assert source.column("SELECT updated_at FROM orders ORDER BY id") == before
    assert source.column("SELECT count(*) FROM pulled") == [120]


def test_nothing_is_asked_before_its_time(source):
    source.pull()
    asked = len(source.erp.asked)
    source.after(minutes=4)
    assert len(source.erp.asked) == asked
    source.after(minutes=2)
    assert len(source.erp.asked) > asked


def test_what_is_booked_late_with_an_older_time_is_found(source):
    source.erp.ship("D1", "1", number(1))
    source.after(minutes=1)
    source.after(minutes=6)
    source.erp.ship("D0", "0", number(0), at=source.clock.now() - 5 * MINUTE)
    source.after(minutes=5)
    assert source.watched == [number(0), number(1)]


def test_nothing_is_lost_while_the_shop_works_on(source):
    """A document that changes leaves the span that is being read, and moves up all behind it."""
    shipped = ship_many(source, 350, over=timedelta(minutes=30))

    def work_on(n: int) -> None:
        for i in range(n * 7 % 300, n * 7 % 300 + 40):
            source.erp.change(f"D{i:05d}")

    source.erp.on_answer = work_on
    for _ in range(3):
        source.after(minutes=5)
    source.erp.on_answer = lambda n: None
    source.after(minutes=5)
    assert source.watched == sorted(shipped)


# ── killed, cut off, refused ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pages", [1, 2, 4])
def test_a_process_that_dies_goes_on_behind_the_last_page_it_kept(source, pages):
    shipped = ship_many(source, 320, over=timedelta(minutes=50))
    source.erp.faults.extend(["ok"] * pages + ["reset"] * 4)
    source.pull()
    kept = state(source)
    assert kept.pages == pages
    cut, n = source.erp.asked[-1], len(source.erp.asked)
    source.erp.faults.clear()
    source.restart()
    source.after(seconds=30)
    again = source.erp.asked[n]
    for asked in (cut, again):
        asked["body"] = "&".join(
            p for p in asked["body"].split("&") if not p.startswith(("sign=", "timestamp="))
        )
    assert again["body"] == cut["body"], "the very page that was not answered"
    source.after(minutes=6)
    assert source.watched == sorted(shipped)


def test_a_throttled_page_is_waited_for_and_told_to_nobody(source):
    source.erp.ship("D1", "1", number(1))
    source.erp.faults.append("throttled")
    source.after(minutes=1)
    asked = len(source.erp.asked)
    source.after(seconds=1)
    assert len(source.erp.asked) == asked, "it waits"
    source.after(seconds=61)
    assert source.watched == [number(1)]
    assert source.column("SELECT count(*) FROM outbox") == [0]


@pytest.mark.parametrize(("fault", "todo"), [("ip", "白名单"), ("permission", "接口")])
def test_a_refused_account_is_told_once_with_what_to_do_and_once_when_it_is_back(source, fault, todo):
    source.erp.ship("D1", "1", number(1))
    source.erp.always = fault
    source.after(minutes=1)
    for _ in range(5):
        source.after(minutes=11)
    [message] = source.column("SELECT message FROM outbox")
    assert "取不到订单" in message
    assert todo in message
    source.erp.always = ""
    source.after(minutes=11)
    assert source.watched == [number(1)]
    assert len(source.column("SELECT message FROM outbox")) == 2


NONSENSE = {
    "html": "<html><body>维护中</body></html>",
    "nothing": " ",
    "cut off": '{"code":0,"status":0,"data":{"datas":[{"io',
    "a list": "[1,2]",
    "null": "null",
    "a number": "7",
    "code as text of nonsense": '{"code":"zero","status":"zero"}',
    "data is text": '{"code":0,"status":0,"data":"x","stockout_list":"x"}',
    "rows are an object": '{"code":0,"status":0,"data":{"datas":{},"order":{}},"stockout_list":{}}',
    "deep": "[" * 3000,
}


@pytest.mark.parametrize("nonsense", list(NONSENSE))
def test_nonsense_is_no_empty_page(source, nonsense):
    """An error never passes for news: the cursor stays, and the answer is kept as the next sample."""
    source.erp.ship("D1", "1", number(1))
    source.erp.always = NONSENSE[nonsense]
    source.after(minutes=1)
    assert state(source).cursor == {}
    assert state(source).observed_at is None
    source.erp.always = ""
    source.after(minutes=6)
    assert source.watched == [number(1)]


def test_an_outage_is_told_once_and_its_end_once(source):
    source.erp.ship("D1", "1", number(1))
    source.erp.always = "500"
    for _ in range(40):
        source.after(minutes=1)
    assert source.puller.feed.state is FeedState.DOWN
    assert len(source.column("SELECT message FROM outbox")) == 1
    source.erp.always = ""
    source.after(minutes=2)
    assert len(source.column("SELECT message FROM outbox")) == 2
    assert source.watched == [number(1)]


def test_a_page_that_comes_again_for_ever_is_found_out(source):
    ship_many(source, 250, over=timedelta(minutes=20))
    source.after(hours=0)
    source.erp.asked.clear()
    ship_many(source, 250, first=300, over=timedelta(minutes=20))
    for i in range(300, 550):
        source.erp.change(f"D{i:05d}")
    source.erp.faults.append("ok")
    source.erp.always = "repeat"
    source.after(minutes=5)
    assert len(source.erp.asked) <= 8, "no endless loop"
    assert "没有前进" in state(source).last_error
    source.erp.always = ""
    source.after(minutes=6)
    source.after(minutes=6)
    assert set(source.watched) >= {number(i) for i in range(300, 550)}


def test_our_own_clock_running_ahead_passes_nothing_over(source):
    """The page is asked for with a wrong time and dropped: a cursor beyond the real now would lose what comes next."""
    real = source.clock.start

    def mended(n: int) -> None:
        source.clock.start = real + MINUTE

    source.erp.on_answer = mended
    source.clock.start = (
        real + timedelta(minutes=8) if source.erp.kind == "jushuitan" else real + timedelta(seconds=90)
    )
    source.pull()
    source.erp.on_answer = lambda n: None
    source.erp.ship("D1", "1", number(1), at=real + 2 * MINUTE)
    source.clock.start = real + 3 * MINUTE
    source.restart()
    source.pull()
    source.after(minutes=10)
    assert source.watched == [number(1)]


# ── what becomes of orders ───────────────────────────────────────────────────────────────────────


def test_a_cancelled_document_ends_the_interest_and_a_new_one_revives_it(source):
    source.erp.ship("D1", "1", number(1))
    source.after(minutes=1)
    source.erp.change("D1", status="gone")
    source.after(minutes=6)
    assert source.watched == []
    assert source.column("SELECT status FROM orders") == ["closed"]
    source.erp.ship("D2", "1", number(2))
    source.after(minutes=6)
    assert source.column("SELECT status FROM orders") == ["shipped"]
    assert number(2) in source.watched


def test_an_order_in_two_boxes_keeps_both_and_loses_only_the_one_that_is_taken_back(source):
    source.erp.ship("D1", "1", number(1))
    source.after(minutes=1)
    source.erp.ship("D2", "1", number(2))
    source.after(minutes=6)
    assert source.watched == [number(1), number(2)]
    source.erp.change("D1", status="gone")
    source.after(minutes=6)
    assert source.watched == [number(2)]
    assert source.column("SELECT status FROM orders") == ["shipped"]


def test_a_changed_number_keeps_the_history_of_the_earlier_one(source):
    source.erp.ship("D1", "1", number(1))
    source.erp.ship("D2", "1", number(2))
    source.after(minutes=1)
    source.erp.change("D1", waybills=[number(3)])
    source.after(minutes=6)
    assert source.watched == [number(2), number(3)]
    assert source.column(f"SELECT state FROM parcels WHERE waybill_no = '{number(1)}'") == ["unwatched"]
    assert source.column("SELECT count(*) FROM order_parcels WHERE unlinked_at IS NOT NULL") == [1]


def test_a_number_reused_by_a_new_document_before_the_old_one_is_cancelled_stays(source):
    source.erp.ship("D1", "1", number(1))
    source.after(minutes=1)
    source.erp.ship("D2", "1", number(1))
    source.after(minutes=6)
    source.erp.change("D1", status="gone")
    source.after(minutes=6)
    assert source.watched == [number(1)]


def test_every_waybill_of_a_document_is_watched(source):
    source.erp.ship("D1", "1", number(1), number(2), number(3))
    source.after(minutes=1)
    assert source.watched == [number(1), number(2), number(3)]


def test_what_is_not_shipped_yet_is_left_alone(source):
    source.erp.ship("D1", "1", number(1), status="pending")
    source.after(minutes=1)
    assert source.column("SELECT count(*) FROM orders") == [0]
    source.erp.change("D1", status="shipped")
    source.after(minutes=6)
    assert source.watched == [number(1)]


def test_a_state_nobody_knows_is_counted_and_the_parcel_watched_all_the_same(source):
    strange = "Strange" if source.erp.kind == "jushuitan" else 60
    more = {} if source.erp.kind == "jushuitan" else {"raw": {"consign_time": "2026-11-10 09:00:00"}}
    source.erp.ship("D1", "1", number(1), status=strange, **more)
    source.after(minutes=1)
    assert source.column("SELECT code FROM unknown_codes") == [f"出库单状态 {strange}"]
    assert source.watched == [number(1)]


CARRIERS = [
    pytest.param("中通电商", None, number(1), "zhongtong", id="a name that begins with a carrier's"),
    pytest.param(
        "自由物流", None, "SF1390001112223", "shunfeng", id="the number's letters before a strange name"
    ),
    pytest.param("中通快递", None, "YT1234567890123", "yuantong", id="the number's letters before the name"),
    pytest.param(
        "顺丰快运", None, "SF1390001112223", "shunfengkuaiyun", id="the name among those the letters allow"
    ),
    pytest.param("极兔速递", None, "JT1234567890123", "jtexpress", id="both agree"),
]


@pytest.mark.parametrize(("company", "type_", "waybill", "carrier"), CARRIERS)
def test_whose_a_waybill_is(source, company, type_, waybill, carrier):
    source.erp.ship("D1", "1", waybill, company=company, carrier_type=type_)
    source.after(minutes=1)
    assert source.column("SELECT carrier FROM parcels") == [carrier]


def test_a_carrier_nobody_knows_is_said_and_watched_once_the_owner_names_it(source):
    source.erp.ship("D1", "1", number(1), company="自由物流", carrier_type=None)
    source.erp.ship("D2", "2", number(2))
    source.after(minutes=1)
    assert source.watched == [number(1), number(2)]
    assert source.column("SELECT carrier FROM parcels ORDER BY waybill_no") == ["auto", "zhongtong"]
    assert source.column("SELECT problem || why FROM pulled WHERE problem <> ''") == [
        f"unknown_carrier运单 {number(1)} 的快递公司“自由物流”不认识"
    ]
    source.restart(source.erp.account(terms=Terms(carriers={"自由物流": "annengwuliu"})))
    source.after(seconds=5)
    assert source.watched == [number(1), number(2)]
    assert source.column("SELECT count(*) FROM pulled WHERE problem <> ''") == [0]
    assert source.column("SELECT carrier FROM parcels WHERE state = 'watched' ORDER BY waybill_no") == [
        "annengwuliu",
        "zhongtong",
    ]


# ── poison ───────────────────────────────────────────────────────────────────────────────────────

POISON = {
    "a waybill that is none": {"l_id": "1" * 90, "logistics_no": "1" * 90},
    "a waybill that is an object": {"l_id": {}, "logistics_no": {}},
    "a time that is none": {"io_date": "昨天", "consign_time": "昨天"},
    "a time in the year 9999": {"io_date": "9999-01-01 00:00:00", "consign_time": "9999-01-01 00:00:00"},
    "an order number nobody can see": {"o_id": "1\x7f2", "src_order_no": "1\x7f2"},
    "a number of a hundred digits": {"o_id": 10**100, "src_order_no": 10**100},
    "no number at all": {"io_id": None, "order_no": None, "stockout_id": None},
    "a list for a name": {"o_id": [1], "src_order_no": [1]},
}


@pytest.mark.parametrize("poison", list(POISON))
def test_a_poisoned_row_is_put_aside_and_the_rest_is_kept(source, poison):
    for i in range(5):
        source.erp.ship(f"D{i}", str(i), number(i), raw=POISON[poison] if i == 2 else {})
    done = source.after(minutes=1)
    assert set(source.watched) == {number(i) for i in (0, 1, 3, 4)}
    assert done.aside == 1
    assert source.column("SELECT problem FROM pulled WHERE problem <> ''") == ["unreadable"]
    [kept] = source.column("SELECT body FROM oddities WHERE source = 'erp'")
    assert "王小明" not in kept
    source.erp.change("D2", raw={})
    source.after(minutes=6)
    assert number(2) in source.watched


def test_an_order_the_store_does_not_take_stops_only_itself(source, monkeypatch):
    from monitor.pulling import pull

    real = pull.parcels.intake

    def choosy(conn, rows, now):
        if any(row.order.order_no == "2" for row in rows):
            raise ValueError("no")
        return real(conn, rows, now)

    monkeypatch.setattr(pull.parcels, "intake", choosy)
    for i in range(5):
        source.erp.ship(f"D{i}", str(i), number(i))
    source.after(minutes=1)
    assert source.watched == [number(i) for i in (0, 1, 3, 4)]
    assert source.column("SELECT why FROM pulled WHERE problem = 'not_kept'") == [
        "订单 2 存不下来（ValueError）"
    ]


def test_no_receiver_and_no_secret_is_in_the_store_or_in_a_log(source, capfd):
    source.erp.ship("D1", "1", number(1))
    source.erp.ship("D2", "2", number(2), raw={"l_id": "??", "logistics_no": "??"})
    source.erp.faults.append(
        '{"code": 100, "msg": "' + SECRET + '", "status": 100, "message": "' + SECRET + '"}'
    )
    source.after(minutes=1)
    source.after(minutes=6)
    said = capfd.readouterr()
    everything = said.out + said.err
    for table in ("orders", "parcels", "pulls", "pulled", "oddities", "outbox", "unknown_codes"):
        rows = source.database.read_now(
            lambda conn, t=table: [str(tuple(r)) for r in conn.exec_driver_sql(f"SELECT * FROM {t}")]
        )
        everything += "".join(rows)
    for word in (*RECEIVER.values(), SECRET, "access-0", "refresh-0"):
        assert word not in everything
    assert number(1) in everything


# ── what a look proves ───────────────────────────────────────────────────────────────────────────


def test_a_pull_to_its_end_proves_what_the_shop_did_until_shortly_before(source):
    source.erp.ship("D1", "1", number(1))
    source.after(minutes=1)
    first = state(source).observed_at
    assert source.clock.now() - timedelta(minutes=11) <= first < source.clock.now()
    source.after(minutes=30)
    assert state(source).observed_at == first + 30 * MINUTE
    source.erp.always = "500"
    source.after(minutes=30)
    assert state(source).observed_at == first + 30 * MINUTE, "what was not answered proves nothing"


def test_a_poisoned_page_does_not_hold_up_the_others(source):
    ship_many(source, 130, over=timedelta(minutes=30))
    source.erp.change("D00007", raw={"o_id": [], "src_order_no": []})
    source.after(minutes=1)
    assert state(source).observed_at is not None
    assert len(source.watched) == 129
