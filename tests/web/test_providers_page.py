"""The page of sources: who answers, since when not, what it cost, and what nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from sqlalchemy import text as text_

from domain.orders import Order, Waybill
from monitor.config.settings import Settings
from monitor.feeds.feed import Feed, FeedState
from monitor.feeds.line import Cause, Line
from monitor.store import feeds, parcels, providers
from monitor.store.database import Database
from monitor.store.feeds import Counts
from monitor.store.parcels import Incoming
from monitor.store.providers import ProviderState
from tests.simulated import HOUR, MINUTE, T0
from tests.web.conftest import Site

CONFIG = """
[[providers]]
name = "first"
kind = "kuaidi100"
customer = "c"
key = "0123456789abcdef"
carriers = ["zhongtong", "shunfeng"]
price = 0.05

[[providers]]
name = "spare"
kind = "kuaidi100"
customer = "c2"
key = "fedcba9876543210"
carriers = ["*"]
"""


@pytest.fixture
def site(store: Database, make_settings: Callable[[str], Settings]) -> Site:
    return Site(store, make_settings(CONFIG))


def test_an_account_that_was_never_asked(site: Site) -> None:
    text = site.get("/providers").text
    assert text.count("尚无应答") == 2
    assert "正常" not in text, "nothing says that it works"
    assert "还没有" in text
    assert "中通快递、顺丰速运" in text.replace("\n", "") or "顺丰速运、中通快递" in text.replace("\n", "")
    assert "未写单价" in text
    assert "全部认识" in text


def test_no_account_at_all_says_what_to_do(store: Database, make_settings: Callable[[str], Settings]) -> None:
    text = Site(store, make_settings("")).get("/providers").text
    assert "[[providers]]" in text
    assert "parcelwatch check" in text


def test_an_outage_stands_first_with_its_reason_and_since_when(site: Site, store: Database) -> None:
    state = ProviderState(
        "spare",
        "down",
        T0 - 2 * HOUR,
        T0 - 3 * HOUR,
        T0 - MINUTE,
        "余额不足 13812345678",
        7,
        resume_at=T0 + MINUTE,
    )
    store.write_now(lambda conn: providers.save(conn, state))
    text = site.get("/providers").text
    assert text.index("spare") < text.index("first")
    assert "中断" in text
    assert "余额不足 138******78" in text
    assert "2 小时前" in text
    assert "下次再问" in text
    assert "11-10 07:00" in text, "the last good answer, in the configured zone"


def test_what_was_asked_and_spent_today_is_told_in_yuan(site: Site, store: Database) -> None:
    day = T0.date()
    store.write_now(lambda conn: providers.spend(conn, "first", day, asked=1234, cents=6170))
    store.write_now(
        lambda conn: providers.spend(conn, "first", day - timedelta(days=1), asked=9, cents=99_99)
    )
    text = site.get("/providers").text
    assert "1,234" in text
    assert "¥61.70" in text
    assert "¥99.99" not in text


def test_unknown_codes_come_with_a_sample_and_nothing_hostile(site: Site, store: Database) -> None:
    def seen(conn):  # type: ignore[no-untyped-def]
        providers.note_unknown(conn, "first", ["7788", "<b>9</b>"], "快件\u202e已<script>x</script>", T0)
        providers.note_unknown(conn, "first", ["7788"], "later", T0 + HOUR)
        providers.oddity(conn, "first", "看不懂", "secret body 13812345678", T0)

    store.write_now(seen)
    text = site.get("/providers").text
    assert text.index("7788") < text.index("&lt;b&gt;9"), "the frequent one first"
    assert "快件已&lt;script&gt;" in text
    assert "看不懂" in text
    assert "secret body" not in text, "a reply itself may hold anything"
    assert "<script" not in text


def test_no_secret_of_the_configuration_is_shown(site: Site) -> None:
    text = site.get("/providers").text
    assert "0123456789abcdef" not in text
    assert "fedcba" not in text


def test_an_account_is_well_once_it_answered_or_pushed(site: Site, store: Database) -> None:
    good = ProviderState("spare", last_good_at=T0)
    store.write_now(lambda conn: providers.save(conn, good))
    pushed = Line(Feed(last_good_at=T0))
    store.write_now(lambda conn: feeds.save(conn, "first", {"zhongtong": pushed, "shunfeng": Line()}))
    text = site.get("/providers").text
    assert text.count("</svg>正常</span>") == 3, "both accounts, and the carrier that was heard of"
    assert text.count("</svg>尚无应答</span>") == 1, "the other carrier"


PUSHED = CONFIG.replace(
    "price = 0.05", 'price = 0.05\nbudget = {per_day = 30}\npush = true\nsalt = "saltsaltsalt"'
)


def test_subscriptions_and_the_ceiling_of_a_day_are_counted(
    store: Database, make_settings: Callable[[str], Settings]
) -> None:
    site = Site(store, make_settings(PUSHED))
    numbers = [Waybill("zhongtong", f"Z{n}") for n in range(8)]
    orders = [Incoming(Order(f"O{n}", paid_at=T0), (each,), "", T0) for n, each in enumerate(numbers)]
    states = ["open", "open", "open", "wanted", "wanted", "refused", "refused", "closed"]
    next_at = ["NULL", "NULL", "NULL", "1", "1", "NULL", "1", "NULL"]

    def subscribe(conn: Connection) -> None:
        parcels.intake(conn, orders, T0)
        for n, (state, at) in enumerate(zip(states, next_at, strict=True), 1):
            conn.execute(
                text_(
                    "INSERT INTO subscriptions (parcel_id, provider, state, next_at)"
                    f" VALUES ({n}, 'first', '{state}', {at})"
                )
            )

    store.write_now(subscribe)
    text = " ".join(site.get("/providers").text.split())
    counts = [("订阅着", 3), ("等着订阅", 2), ("本月到上限", 1), ("被拒绝", 1), ("推送已结束", 0)]
    for label, n in counts:
        assert f'data-label="{label}" class="pw-n">{n}</td>' in text, label
    assert "每日上限 600" in text, "30 yuan at 0.05 each"
    told = site.get("/api/v1/providers").json()["items"][0]
    assert told["subscriptions"] == {
        **{"open": 3, "wanted": 2, "renew": 0, "full": 1, "refused": 1, "ended": 0},
        "per_number_monthly": 4,
    }
    assert (told["state"], told["queries_limit_day"], told["limit_day"]) == ("unknown", 600, 30)
    assert site.get("/api/v1/providers").json()["items"][1]["subscriptions"] is None


# ── each carrier behind an account ───────────────────────────────────────────────────────────────


def fed(store: Database, carrier: str, counts: Counts, line: Line = Line()) -> None:
    def write(conn: Connection) -> None:
        feeds.add(conn, "first", {carrier: counts}, T0 - HOUR)
        feeds.save(conn, "first", {carrier: line})

    store.write_now(write)


def late(least: timedelta, most: timedelta) -> Counts:
    counts = Counts(answered=199, failed=1, looks=150, news=40, scans=40, unknown=2)
    counts.learned(least, most)
    return counts


def test_a_carrier_that_is_down_stands_beside_one_that_is_well(site: Site, store: Database) -> None:
    fed(store, "zhongtong", late(timedelta(0), 14 * MINUTE))
    broken = Feed(FeedState.DOWN, T0 - 3 * HOUR, T0 - 4 * HOUR, last_error="<b>空</b> 13812345678", told=True)
    fed(store, "shunfeng", late(2 * HOUR, 30 * HOUR), Line(broken, Cause.EMPTIED))
    text = " ".join(site.get("/providers").text.split())
    assert "99.5%" in text
    assert "15 分钟内" in text, "at most: our own looks bound it"
    assert "超过 1 小时" in text
    assert "5%" in text
    assert "&lt;b&gt;空&lt;/b&gt; 138******78" in text
    assert text.count("中断") >= 1
    assert "3 小时前" in text


def test_a_carrier_whose_account_is_down_says_so_and_that_it_was_last_heard_of_by_a_push(
    store: Database, make_settings: Callable[[str], Settings]
) -> None:
    down = ProviderState("first", "down", T0 - HOUR, T0 - 3 * HOUR, last_error="HTTP 502", failures=7)
    store.write_now(lambda conn: providers.save(conn, down))
    fed(store, "zhongtong", Counts(pushed=1), Line(Feed(last_good_at=T0 - MINUTE)))
    fed(store, "shunfeng", Counts(answered=1), Line(Feed(last_good_at=T0 - 3 * HOUR)))
    text = " ".join(Site(store, make_settings(PUSHED)).get("/providers").text.split())
    assert text.count("</svg>账号中断</span>") == 2, "both carriers, neither of which is at fault"
    assert "</svg>正常</span>" not in text
    assert text.count('<span class="pw-sub">推送</span>') == 1


def test_parcels_nobody_answers_for_lead_to_their_list(site: Site, store: Database) -> None:
    fed(store, "zhongtong", Counts(refused=3))
    order = Incoming(Order("O1", paid_at=T0, shipped_at=T0), (Waybill("zhongtong", "Z1"),), "", T0)

    def asked(conn: Connection) -> None:
        parcels.intake(conn, [order], T0)
        conn.execute(text_("UPDATE due SET provider = 'first', asked_at = 1"))

    store.write_now(asked)
    assert '<a href="/coverage">1</a>' in site.get("/providers").text


def test_a_bill_that_will_be_over_the_limit_says_so(
    store: Database, make_settings: Callable[[str], Settings]
) -> None:
    limited = CONFIG.replace("price = 0.05", "price = 0.05\nbudget = {per_day = 30, per_month = 500}")
    site = Site(store, make_settings(limited))
    for back in range(3):
        day = T0.date() - timedelta(days=back)
        store.write_now(lambda conn, day=day: providers.spend(conn, "first", day, asked=500, cents=2500))
    text = " ".join(site.get("/providers").text.split())
    for said in ("¥25.00", "¥75.00", "每日上限 ¥30.00", "每月上限 ¥500.00", "预计超出上限", "未写单价"):
        assert said in text


def test_what_nobody_confirmed_is_shown(site: Site) -> None:
    text = site.get("/providers").text
    assert [said for said in site.settings.providers[0].provider.uncertain if said not in text] == []


def test_a_long_reason_is_shown_whole(site: Site, store: Database) -> None:
    why = "收寄件人手机号后四位才给查，" * 20 + "请补上"
    state = ProviderState("spare", "down", T0, last_error=why)
    store.write_now(lambda conn: providers.save(conn, state))
    assert why in site.get("/providers").text


def test_readiness_names_a_carrier_that_is_down_and_stays_green(site: Site, store: Database) -> None:
    broken = Feed(FeedState.DOWN, T0 - 3 * HOUR, last_error="空 13812345678")
    store.write_now(lambda conn: feeds.save(conn, "first", {"shunfeng": Line(broken, Cause.EMPTIED)}))
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (200, [])
    [note] = answer.json()["notes"]
    assert note["kind"] == "carrier"
    assert note["text"].startswith("数据源账号“first”的顺丰速运已中断 3 小时，原因：空 138******78。")
