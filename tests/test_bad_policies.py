"""Mistakes in policies, exemptions and windows: all told in one go, with line and nearest name (issue: bad input)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert

from monitor.checking.check import check
from monitor.checking.lint import unknown_matches, unknown_names
from monitor.config.file import ConfigError
from monitor.config.settings import load, load_book
from monitor.profiles import load_profiles
from monitor.store import schema
from monitor.store.migration import migrate

NOW = datetime(2026, 9, 1, tzinfo=UTC)
EVERYTHING_WRONG = """\
windows = ["tmall_2022_sprin"]

[[warehouses]]
name = "义乌仓"
province = "浙汪"

[tiers]
remote = ["甘素"]

[calendars.mine]
zh = "仓库"
base = "china"

[[policies]]
name = "旗舰店"
match = {shop = "旗舰店", receiver_province = "新僵"}
profile = "taobao_tmal"
rules.transit_stagnaton = {limit = "48h"}
rules.late_shipment = {limit = "0h"}
rules.first_hub = {limit = "-5h"}
rules.no_pickup = {limit = "10h", warn = ["24h"]}
rules.paid_to_signed = {calendar = "cn_working_day"}

[[policies]]
name = "同样的"
match = {carrier = "圆通"}

[[policies]]
name = "又是它"
match = {carrier = "yuantong"}

[[exemptions]]
name = "倒着的"
from = 2026-09-03T00:00:00+08:00
until = 2026-09-01T00:00:00+08:00

[[exemptions]]
name = "没有截止"
paid_from = 2026-09-01T00:00:00+08:00
paid_to = 2026-09-03T00:00:00+08:00

[[exemptions]]
name = "截止太早"
kind = "festval"
paid_from = 2026-09-01T00:00:00+08:00
paid_to = 2026-09-03T00:00:00+08:00
rules = ["late_shipment"]
deadline_at = 2026-09-02T00:00:00+08:00
limits = {no_pickp = "72h", lost = "72h"}
"""
TOLD = [
    (1, "windows[0]", "没有叫 tmall_2022_sprin 的豁免或窗口，是不是想写 tmall_2022_spring？"),
    (5, "warehouses[0].province", "不认识的省份 浙汪，是不是想写 浙江？"),
    (8, "tiers.remote", "不认识的省份 甘素，是不是想写 甘肃？"),
    (12, "calendars.mine.base", "没有叫 china 的节假日表"),
    (16, "policies[0].match.receiver_province", "不认识的省份 新僵，是不是想写 新疆？"),
    (17, "policies[0].profile", "没有叫 taobao_tmal 的平台配置，是不是想写 taobao_tmall？"),
    (
        18,
        "policies[0].rules.transit_stagnaton",
        "这里没有规则 transit_stagnaton，是不是想写 transit_stagnation？",
    ),
    (19, "policies[0].rules.late_shipment.limit", "'0h' 必须大于零"),
    (20, "policies[0].rules.first_hub.limit", "'-5h' 不是时长"),
    (21, "policies[0].rules.no_pickup.warn", "提前 24h 预警不早于时限 10h"),
    (
        22,
        "policies[0].rules.paid_to_signed.calendar",
        "没有叫 cn_working_day 的日历，是不是想写 cn_working_days？",
    ),
    (30, "policies[2].match", "match 和「同样的」完全一样"),
    (35, "exemptions[0].until", "结束时间要晚于开始时间"),
    (37, "exemptions[1]", "宽限窗口没有写截止"),
    (44, "exemptions[2].kind", "没有叫 festval 的缘由，是不是想写 festival？"),
    (48, "exemptions[2].deadline_at", "截止时间早于窗口里最后的付款时间"),
    (49, "exemptions[2].limits.no_pickp", "没有叫 no_pickp 的规则，是不是想写 no_pickup？"),
    (49, "exemptions[2].limits.lost", "lost 没有时限，宽限不了"),
]


def test_every_mistake_of_a_file_in_one_go(tmp_path: Path) -> None:
    file = tmp_path / "parcelwatch.toml"
    file.write_text(EVERYTHING_WRONG, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    found = [(each.line, each.path, each.reason) for each in caught.value.problems]
    missing = [
        told
        for told in TOLD
        if not any(line == told[0] and path == told[1] and told[2] in why for line, path, why in found)
    ]
    assert missing == [], found
    assert len(found) == len(TOLD), found
    with pytest.raises(ConfigError) as caught:
        load_book(file)
    assert [(each.line, each.path, each.reason) for each in caught.value.problems] == found, (
        "the lab says the same"
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("paid_from = 2026-09-01T00:00:00+08:00", 3, "缺少 paid_to", id="half a window"),
        pytest.param("from = 2026-09-01T00:00:00+08:00", 3, "缺少 until", id="half a pause"),
        pytest.param("proof = 'x'", 3, "缺少 from", id="neither kind"),
    ],
)
def test_what_is_missing(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(f"[[exemptions]]\nname = '台风'\n{text}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_book(file)
    assert any(each.line in (1, line) and words in each.reason for each in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("deadline_at = 2026-09-05T00:00:00+08:00", "停止计时的豁免没有 deadline_at", id="a pause with a deadline"),
        pytest.param("opted_in = ['甲']", "停止计时的豁免没有 opted_in", id="a pause that is renounced"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(tmp_path: Path, text: str, words: str) -> None:
    span = "from = 2026-09-01T00:00:00+08:00\nuntil = 2026-09-02T00:00:00+08:00"
    file = tmp_path / "policy.toml"
    file.write_text(f"[[exemptions]]\nname = '台风'\n{span}\n{text}\n", "utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        load_book(file)
    assert [each.line for each in caught.value.problems] == [5]


@pytest.mark.parametrize(
    ("limit", "said"),
    [("12h", "提前 16h 预警不早于这里的时限 12h"), ("16h", "提前 16h"), ("17h", ""), ("3h", "")],
)
def test_a_shorter_limit_under_a_longer_warning_is_remarked(tmp_path: Path, limit: str, said: str) -> None:
    """It is no error: the file worked before, and the shorter steps still come."""
    file = tmp_path / "parcelwatch.toml"
    file.write_text(
        f"""[[policies]]
name = "店"
rules.transit_stagnation = {{limit = "40h", warn = ["16h", "4h"]}}
[[policies.overrides]]
match = {{receiver_province = "新疆"}}
rules.transit_stagnation = {{limit = "{limit}"}}
""",
        "utf-8",
    )
    told = [each.what for each in load(file, {}).written.remarks if "预警" in each.what]
    assert [said in each for each in told] == ([True] if said else [])


# ── names that nothing known carries ─────────────────────────────────────────────────────────────

OWN = """\
[[policies]]
name = "店"
match = {shop = ["旗舰店", "旗见店"], warehouse = "义乌仓"}
[[policies.overrides]]
match = {merchant = "甲商", receiver_province = "新疆"}
rules.lost = {notify = false}
"""
KNOWN = {"shop": {"旗舰店", "专营店"}, "warehouse": {"义务仓"}, "merchant": set[str]()}


def test_names_that_no_order_carries(tmp_path: Path) -> None:
    file = tmp_path / "parcelwatch.toml"
    file.write_text(OWN, "utf-8")
    lines = unknown_names(load(file, {}), KNOWN)
    assert [(each.line, each.todo) for each in lines] == [
        (3, "是不是想写 旗舰店？"),
        (3, "是不是想写 义务仓？"),
    ]
    assert "没有一个的店铺是 旗见店" in lines[0].what
    assert [each[1:] for each in unknown_matches(load_book(file).matched, KNOWN)] == [
        ("shop", "旗见店", "旗舰店"),
        ("warehouse", "义乌仓", "义务仓"),
    ]
    placed = '[[warehouses]]\nname = "义乌仓"\nprovince = "浙江"\n'
    file.write_text(OWN + placed, "utf-8")
    assert [each.todo for each in unknown_names(load(file, {}), KNOWN)] == ["是不是想写 旗舰店？"]


def test_check_holds_shops_against_the_store(tmp_path: Path) -> None:
    file = tmp_path / "parcelwatch.toml"
    file.write_text(OWN, "utf-8")
    settings = load(file, {})

    def told() -> list[str]:
        return [each.what for each in check(file, env={}, now=NOW) if "没有一个的" in each.what]

    assert told() == [], "no store yet: nobody can say"
    migrate(settings.store)
    engine = create_engine(settings.store)
    moments = dict.fromkeys(("observed_at", "created_at", "updated_at"), 0)
    with engine.begin() as conn:
        conn.execute(insert(schema.orders).values(order_no="1", shop="旗舰店", status="paid", **moments))
    engine.dispose()
    [only] = told()
    assert "旗见店" in only


# ── clocks that each other's breaches start ──────────────────────────────────────────────────────

CLOCK = """
[rules.{name}]
kind = "clock"
start = "{start}"
stop = "delivered"
limit = "1h"
"""


@pytest.mark.parametrize(
    ("starts", "chain"),
    [
        pytest.param({"a": "breach:b", "b": "breach:a"}, "绕成了圈：a → b → a", id="a circle"),
        pytest.param(
            {"a": "breach:b", "b": "breach:c", "c": "paid"}, "不能再接一条：a → b → c", id="a chain"
        ),
    ],
)
def test_the_circle_of_breaches_is_named(tmp_path: Path, starts: dict[str, str], chain: str) -> None:
    rules = "".join(CLOCK.format(name=name, start=start) for name, start in starts.items())
    (tmp_path / "x.toml").write_text(f'id = "x"\nname = "某平台"\n{rules}', "utf-8")
    with pytest.raises(ConfigError, match=chain):
        load_profiles(tmp_path)


def test_a_platforms_name_is_told_its_id(tmp_path: Path) -> None:
    file = tmp_path / "draft.toml"
    file.write_text('[[policies]]\nname = "旗舰店"\nprofile = "淘宝"\n', "utf-8")
    with pytest.raises(ConfigError) as told:
        load_book(file)
    [problem] = told.value.problems
    assert (problem.line, "淘宝 是 taobao_tmall" in str(problem)) == (3, True)
