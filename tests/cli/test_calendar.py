"""`parcelwatch calendar`: holidays, make-up days and exemptions of a year."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.cli.conftest import CONFIG, Shell

NOW = datetime(2026, 9, 2, tzinfo=UTC)
STORM = """
[[exemptions]]
name = "台风\u202e"
from = 2026-09-01T00:00:00+08:00
until = 2026-09-03T00:00:00+08:00
match = {receiver_province = ["广东", "福建"]}
rules = ["no_pickup"]
proof = "公告"
"""


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.cli.calendar.wall", lambda: NOW)


def test_this_year_for_a_person(shell: Shell) -> None:
    shell.config(CONFIG + STORM)
    told = shell("calendar")
    assert "中国大陆 2026 年" in told.stdout
    assert [line.split() for line in told.stdout.splitlines() if line.startswith(("春节", "国庆节", "台风"))] == [
        ["春节", "2026-02-15", "2026-02-23", "9", "2026-02-14、2026-02-28"],
        ["国庆节", "2026-10-01", "2026-10-07", "7", "2026-09-20、2026-10-10"],
        ["台风�", "商家自定，停止计时", "2026-09-01", "00:00", "2026-09-03", "00:00", "进行中", "receiver_province", "=", "广东、福建", "no_pickup", "公告", "-"],
    ]  # fmt: skip
    assert "国办发明电〔2025〕7号" in told.stdout
    assert told.stderr == "", "in September nobody can know next year's"


def test_a_year_that_is_not_official_is_warned_of(shell: Shell) -> None:
    told = shell("calendar", "2027")
    assert "! 中国大陆 2027 年没有官方放假安排" in told.stderr
    assert "cn.toml" in told.stderr
    assert "2027 年没有豁免。" in told.stdout
    [china] = [part for part in told.stdout.split("\n\n") if part.startswith("中国大陆")]
    assert "假期" not in china, "no day is made up"
    assert "2027" not in shell("calendar", "2025").stderr


def test_from_october_on_the_next_year_is_warned_of(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.cli.calendar.wall", lambda: datetime(2026, 10, 1, tzinfo=UTC))
    assert "2027 年没有官方放假安排" in shell("calendar").stderr


def test_the_rows_for_programs(shell: Shell) -> None:
    shell.config(CONFIG + STORM)
    rows = [row for row in shell.json("calendar", "2026") if row.get("calendar") in (None, "cn")]
    assert [row["kind"] for row in rows] == ["year", *["holiday"] * 7, "exemption"]
    assert list(rows[0]) == ["kind", "calendar", "year", "official", "source", "note"]
    assert list(rows[1]) == ["kind", "calendar", "name", "from", "until", "days", "workdays"]
    assert list(rows[-1]) == [
        *("kind", "name", "from", "until", "state", "match", "rules", "proof"),
        *("ground", "grants", "source", "confidence", "window"),
    ]
    assert rows[-1]["match"] == {"receiver_province": ["广东", "福建"]}
    [unknown] = [row for row in shell.json("calendar", "2027") if row.get("calendar") == "cn"]
    assert (unknown["kind"], unknown["official"]) == ("year", False)


def test_a_shipped_window_that_is_switched_on(shell: Shell) -> None:
    shell.config('windows = ["tmall_2022_spring", "carriers_2026_spring"]\n' + CONFIG)
    [row] = [row for row in shell.json("calendar", "2022") if row["kind"] == "window"]
    assert (row["name"], row["state"], row["ground"]) == ("天猫 2022 春节", "over", "festival")
    assert (row["from"], row["until"]) == ("2022-01-25T00:00:00+08:00", "2022-02-09T00:00:00+08:00")
    assert row["grants"]["late_shipment"] == "2022-02-10T23:59:59+08:00"
    assert (row["source"], row["confidence"], row["window"]) == (["TB9"], "OFFQ", "tmall_2022_spring")
    told = shell("calendar", "2022").stdout
    assert "节假日，宽限（按付款时间）" in told
    assert "late_shipment 2022-02-10 23:59" in told
    assert "快递停运，停止计时" in shell("calendar", "2026").stdout


def test_a_policy_that_counts_by_the_holidays_is_told(shell: Shell) -> None:
    own = '[[policies]]\nname = "甲"\nrules.late_shipment.calendar = "cn_working_days"\n'
    shell.config(CONFIG + own)
    assert "甲.late_shipment" in shell("calendar").stdout


@pytest.mark.parametrize("year", ["1999", "2060", "abc"])
def test_what_is_no_year(shell: Shell, year: str) -> None:
    assert "[YEAR]" in shell("calendar", year, code=2).stderr
