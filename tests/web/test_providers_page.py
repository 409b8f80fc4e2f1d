"""The page of sources: who answers, since when not, what it cost, and what nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from monitor.settings import Settings
from monitor.store import providers
from monitor.store.database import Database
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
    assert text.count("正常") == 2
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
