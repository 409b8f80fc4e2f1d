"""`coverage` and `sources` as they are typed: every shipped order is watched, or why not; the exit code says which."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.cli.errors import CHANGE
from monitor.clock import wall
from tests.erp.simulated_erp import SECRET, Erp
from tests.simulated import Hands

ORDERS = """order_no,carrier,waybill_no,platform,shop,paid_at,shipped_at
1,中通,75812345678901,douyin,一店,{now},{now}
1,中通,75812345678902,douyin,一店,{now},{now}
2,圆通,YT1234567890123,douyin,一店,{now},{now}
3,圆通,YT1234567890123,douyin,二店,{now},{now}
4,,,douyin,二店,{now},{now}
"""
CONFIG = """
[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "c"
key = "k"
carriers = ["zhongtong"]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parcelwatch.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "parcelwatch.toml").chmod(0o600)
    assert run("migrate").exit_code == 0
    return tmp_path


def run(*argv: str) -> Result:
    return CliRunner().invoke(cli, argv)


def told(*argv: str) -> Any:
    return json.loads(run(*argv, "--json").stdout)


@pytest.fixture
def imported(home: Path) -> Path:
    (home / "orders.csv").write_text(ORDERS.format(now=wall().isoformat(timespec="seconds")), "utf-8")
    assert run("import", "orders.csv").exit_code == 0
    return home


def test_with_nothing_to_do_it_ends_well(home: Path) -> None:
    done = run("coverage")
    assert done.exit_code == 0
    assert all(each["count"] == 0 for each in told("coverage"))


def test_what_is_not_watched_is_counted_and_the_exit_code_says_so(imported: Path) -> None:
    done = run("coverage")
    assert done.exit_code == CHANGE
    assert "没有数据源查这家快递" in done.stdout
    counts = {each["reason"]: each["count"] for each in told("coverage")}
    assert counts["waiting"] == 2, "two parcels of one order"
    assert counts["not_served"] == 1, "one parcel of two orders"
    assert counts["no_waybill"] == 1


def test_shops_and_lists_tell_the_same(imported: Path) -> None:
    shops = {each["shop"]: each for each in told("coverage", "--by", "shop") if each["shop"]}
    assert (shops["一店"]["orders"], shops["二店"]["orders"]) == (2, 2)
    assert shops["二店"]["no_waybill"] == 1
    [row] = told("coverage", "--list", "not_served")
    assert (row["waybill_no"], row["carrier"]) == ("YT1234567890123", "yuantong")
    assert "请在配置的" in run("coverage", "--list", "not_served").stdout


def test_a_list_is_walked_to_its_end_or_to_the_limit(imported: Path) -> None:
    assert len(told("coverage", "--list", "waiting")) == 2
    assert len(told("coverage", "--list", "waiting", "--limit", "1")) == 1


@pytest.fixture
def erp() -> Iterator[Erp]:
    with Erp("wangdian", Hands(wall())) as erp:
        yield erp


def _source(erp: Erp) -> str:
    return (
        f'\n[[order_sources]]\nname = "erp"\nkind = "wangdian"\nsid = "demo"\nappkey = "k"\nappsecret = "{SECRET}"\n'
        f'base_url = "{erp.url}/openapi2"\nplatform = "douyin"\n'
    )


def test_one_page_is_read_for_a_try_and_nothing_is_kept(home: Path, erp: Erp) -> None:
    (home / "parcelwatch.toml").write_text(CONFIG + _source(erp), "utf-8")
    erp.ship("D1", "JY1", "75812345678901")
    erp.clock.start = wall()
    done = run("try", "source", "erp")
    assert done.exit_code == 0, done.output
    assert "75812345678901" in done.stdout
    assert "1 张出库单" in done.stdout
    assert SECRET not in done.output
    assert "淘宝" in done.stdout, "who is withheld"
    assert told("coverage", "--by", "source") == [
        {**told("coverage", "--by", "source")[0], "documents": 0, "orders": 0, "not_kept": 0}
    ]


def test_a_try_names_the_carrier_as_an_order_of_it_would_have_it(home: Path, erp: Erp) -> None:
    """By the owner's own table too; what nobody knows is told in the source's words."""
    more = 'carriers = { "自由物流" = "安能" }\n'
    (home / "parcelwatch.toml").write_text(CONFIG + _source(erp) + more, "utf-8")
    erp.clock.start = wall()
    erp.ship("D1", "JY1", "300000000001", company="自由物流", carrier_type=None)
    erp.ship("D2", "JY2", "300000000002", company="天边物流", carrier_type=None)
    told = run("try", "source", "erp").stdout
    assert "安能物流 300000000001" in told
    assert "待识别 300000000002（来源写的是“天边物流”）" in told


def test_a_source_that_refuses_says_what_to_do(home: Path, erp: Erp) -> None:
    (home / "parcelwatch.toml").write_text(CONFIG + _source(erp), "utf-8")
    erp.always = "ip"
    done = run("try", "source", "erp")
    assert done.exit_code == 1
    assert "白名单" in done.output


def test_sources_are_listed_before_they_were_ever_read(home: Path, erp: Erp) -> None:
    (home / "parcelwatch.toml").write_text(CONFIG + _source(erp), "utf-8")
    [row] = told("sources")
    assert (row["name"], row["state"], row["observed_at"]) == ("erp", "unknown", None)
    assert "还没有拉取过" in run("sources").stdout
    assert "没有确认" in run("sources").stdout


def test_check_says_whose_orders_are_withheld(home: Path, erp: Erp) -> None:
    shops = '[[order_sources.shops]]\nid = "9"\nplatform = "taobao_tmall"\n'
    (home / "parcelwatch.toml").write_text(CONFIG + _source(erp) + shops, "utf-8")
    said = run("check").output
    assert "不给淘宝、天猫和拼多多店铺的订单" in said
    assert "9 取不到是正常的" in said
