"""`parcelwatch profiles`: the platforms' rules readably, with their sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.profiles import load_profiles
from monitor.sources import CONFIDENCE_ZH, load_sources
from tests.cli.conftest import Shell


def test_all_profiles_in_a_table(shell: Shell) -> None:
    told = shell("profiles")
    rows = [line.split() for line in told.stdout.splitlines()]
    assert rows[0] == ["编号", "平台", "规则", "核对", "最低可信度"]
    assert {row[0] for row in rows[1:20]} == set(load_profiles())
    assert "默认值，请以规则中心为准" in told.stdout


def test_the_rows_for_programs(shell: Shell) -> None:
    rows = {row["id"]: row for row in shell.json("profiles")}
    assert rows["temu_jit"]["worst_confidence"] == "SEC"
    assert rows["pinduoduo"]["rules"] > rows["temu_jit"]["rules"]


@pytest.mark.parametrize("name", ["pinduoduo", "拼多多", "PINDUODUO"])
def test_one_profile_for_people(shell: Shell, name: str) -> None:
    told = shell("profiles", name).stdout
    assert told.startswith("拼多多（pinduoduo），2026-11 核对。默认值，请以规则中心为准。")
    for each in (
        "停止：发货 且 揽收",
        "时限：普通 48h、偏远 72h、极偏远 120h",
        "豁免：大件、定制、直邮、节假日窗口、预售",
        "处罚：实付低于 ¥300：¥3；实付不低于 ¥300：实付的 1%（最高 ¥30）",
        "2025-05-14 止付款的订单\n    停止：发货\n",
        "可信度：官方原文转述",
        "PD1（2024-11-06）https://58z.net/z/431295247284764252.html",
        "── 继承自 generic_cn ──",
    ):
        assert each in told


def test_a_rule_without_a_limit_says_what_it_waits_for(shell: Shell) -> None:
    assert "订单写了承诺送达时间的，以它为准，没写的不管" in shell("profiles", "amazon").stdout
    assert "按线路时效表的天数（表里有 0 条线路）" in shell("profiles", "douyin").stdout
    assert "计时：美国工作日（整天，太平洋时间）" in shell("profiles", "temu_us_local").stdout


def test_the_lines_beside_the_configuration_are_counted(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "douyin.csv").write_text('始发,到达,天数\n"浙江,杭州","四川,成都",3\n', "utf-8")
    assert "表里有 1 条线路" in shell("profiles", "douyin", "-c", str(tmp_path / "parcelwatch.toml")).stdout


def test_one_profile_for_programs(shell: Shell) -> None:
    rows = {row["rule"]: row for row in shell.json("profiles", "tiktok_us")}
    dispatch = rows["dispatch"]
    assert (dispatch["start"], dispatch["stop"], dispatch["calendar"]) == (
        "ordered", ["first_scan"], "us_business_days",
    )  # fmt: skip
    assert dispatch["limit_hours"]["normal"] == 48
    assert [(each["until"], each["limit_hours"]["normal"]) for each in dispatch["variants"]] == [
        ("2025-10-22", 72)
    ]
    assert dispatch["sources"][0]["dated"] == "2025-10-23"
    assert rows["deliver_by"]["promise"] == "delivery"
    assert rows["lost"]["from"] == "generic_cn"


def test_an_unknown_profile_is_told_the_nearest(shell: Shell) -> None:
    told = shell("profiles", "pindoudou", code=2)
    assert "是不是想写 pinduoduo" in told.stderr
    assert "可用的有：ali1688" in shell("profiles", "@@@@", code=2).stderr


@pytest.mark.parametrize("name", sorted(load_profiles()))
def test_every_profile_is_told_with_sources_that_are_known(shell: Shell, name: str) -> None:
    assert "默认值，请以规则中心为准" in shell("profiles", name).stdout
    for row in shell.json("profiles", name):
        for each in (row, *row["variants"]):
            assert each["confidence"] in {"", *CONFIDENCE_ZH}
            assert all(source["where"] and source["dated"] for source in each["sources"]), row["rule"]


def test_the_sources_are_numbered_and_dated() -> None:
    known = load_sources()
    assert len(known) == 106
    assert known["TT1"].where.startswith("https://seller-us.tiktok.com/")
    assert known["DH1"].dated == "undated"
