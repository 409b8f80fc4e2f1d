"""The profiles in `config/profiles/` say what `facts/platform-rules.md` §11 says, and bad ones are refused whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.time import AROUND_THE_CLOCK, Calendar
from domain.tracking import ExceptionKind
from rules.declare import Declined, Kind, Rule, parse_profile
from rules.lines import WHOLE_DAYS
from rules.regions import Tier
from rules.values import duration, parse_limit, parse_warn
from tests.rules.scenes import FACTS, PROFILES_FOLDER, calendars, plain_book, profiles, rule

FILES = sorted(PROFILES_FOLDER.glob("*.toml"))
DOMESTIC = {
    "generic_cn", "taobao_tmall", "taobao_special", "tmall_global", "pinduoduo", "douyin", "jd_pop",
    "kuaishou", "xiaohongshu", "ali1688", "wechat_shop",
}  # fmt: skip
HOUR = timedelta(hours=1)
CALENDARS = {
    "working:CN-sun": "cn_six_days",
    "business:CN": "cn_business_days",
    "working:site": "site_business_days",
    "business:site": "site_business_days",
    "business:US": "us_business_days",
    "business:marketplace": "us_business_days",
}
"""The calendars of the facts by our names."""


# ── the files ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_profile_is_without_mistakes(file: Any) -> None:
    profile, problems = parse_profile(tomllib.loads(file.read_text(encoding="utf-8")), calendars())
    assert problems == []
    assert profile is not None
    assert profile.id == file.stem
    assert profile.verified_on, "numbers without a date cannot be trusted"


def test_every_domestic_platform_of_the_facts_has_a_profile() -> None:
    assert {file.stem for file in FILES} >= DOMESTIC


@pytest.mark.parametrize("name", sorted(profiles()))
def test_what_a_profile_drops_it_would_have_inherited(name: str) -> None:
    profile = profiles()[name]
    inherited = {each for parent in profile.inherits for each in plain_book().rule_ids(parent)}
    assert profile.drops <= inherited


@pytest.mark.parametrize("name", sorted(profiles()))
def test_every_rule_has_a_chinese_name_and_every_number_a_confidence(name: str) -> None:
    for each in profiles()[name].rules.values():
        assert re.search("[\u4e00-\u9fff]", each.zh), each.id
        assert not each.limit or each.confidence in ("OFF", "OFFQ", "SEC", "UNC"), each.id


@pytest.mark.parametrize("name", sorted(profiles()))
def test_no_two_rules_of_a_profile_are_equally_grave(name: str) -> None:
    """So that of two findings it is always clear which one speaks."""
    ids = plain_book().rule_ids(name)
    severities = [rule(name, each).severity for each in ids]
    assert len(set(severities)) == len(severities)


def test_trouble_carriers_report_is_told_by_some_rule() -> None:
    told = {word for each in profiles()["generic_cn"].rules.values() for word in each.on}
    by_clocks = {ExceptionKind.NO_RECORD, ExceptionKind.LOCKER_OVERDUE}
    no_trouble = {ExceptionKind.RESCHEDULED, ExceptionKind.TRANSIT_WAREHOUSE}
    assert told == {*(set(ExceptionKind) - by_clocks - no_trouble), "returning", "returned"}


# ── the facts ────────────────────────────────────────────────────────────────────────────────────

TOKEN = re.compile(r'"([^"]*)"|([{}\[\],:])|([^{}\[\],:"]+)')


def flow(text: str) -> Any:
    """One value of YAML's flow style, as §11 writes its rules: `{id: x, warn_hours: [12, 4], …}`."""
    tokens = [m for m in TOKEN.finditer(text) if m[0].strip()]
    value, rest = _value(tokens)
    assert not rest, text
    return value


def _value(tokens: list[re.Match[str]]) -> tuple[Any, list[re.Match[str]]]:
    head, rest = tokens[0], tokens[1:]
    if head[2] == "{":
        mapping = {}
        while rest[0][2] != "}":
            key = rest[0][0].strip()
            assert rest[1][2] == ":", key
            mapping[key], rest = _value(rest[2:])
            rest = rest[1:] if rest[0][2] == "," else rest
        return mapping, rest[1:]
    if head[2] == "[":
        items = []
        while rest[0][2] != "]":
            item, rest = _value(rest)
            items.append(item)
            rest = rest[1:] if rest[0][2] == "," else rest
        return items, rest[1:]
    if head[1] is not None:
        return head[1], rest
    bare = head[0].strip()
    plain = {"true": True, "false": False, "null": None}
    return (plain[bare] if bare in plain else float(bare) if bare.replace(".", "").isdigit() else bare), rest


def fact_rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """(profile, rule) for every rule of §11 that a profile of ours has under the same name."""
    if not FACTS.exists():
        return
    section = (
        FACTS.read_text(encoding="utf-8").partition("## 11.")[2].partition("```yaml")[2].partition("```")[0]
    )
    profile = ""
    for line in section.splitlines():
        if found := re.match(r"  - id: (\w+)", line):
            profile = found[1]
        elif re.match(r"      - \{id:", line):
            said = flow(line.strip().removeprefix("- "))
            if profile in profiles() and said["id"] in profiles()[profile].rules:
                yield profile, said


FACT_RULES = list(fact_rules())


@pytest.mark.skipif(not FACTS.exists(), reason="the facts are not part of the product")
def test_the_facts_were_read() -> None:
    names = {(profile, said["id"]) for profile, said in FACT_RULES}
    assert {
        ("taobao_tmall", "late_shipment"),
        ("pinduoduo", "first_hub"),
        ("generic_cn", "no_record"),
    } <= names
    assert len(names) >= 55


@pytest.mark.skipif(not FACTS.exists(), reason="the facts are not part of the product")
def test_every_profile_and_rule_of_the_facts_is_ours() -> None:
    ours = {(profile, each) for profile in profiles() for each in profiles()[profile].rules}
    section = FACTS.read_text(encoding="utf-8").partition("## 11.")[2]
    missing = set()
    profile = ""
    for line in section.splitlines():
        if found := re.match(r"  - id: (\w+)", line):
            profile = found[1]
        elif (found := re.match(r"      - \{id: (\w+)", line)) and profile:
            missing |= {(profile, found[1])} - ours
    assert missing == set()
    assert len({profile for profile, _ in ours}) == 19


@pytest.mark.parametrize(
    ("profile", "said"), [pytest.param(p, s, id=f"{p}-{s['id']}") for p, s in FACT_RULES]
)
def test_a_rule_equals_the_facts(profile: str, said: dict[str, Any]) -> None:
    ours = profiles()[profile].rules[said["id"]]
    listed = said.get("stop", said.get("until"))
    assert ours.kind == said["kind"]
    assert ours.start == said.get("start", said.get("from"))
    assert list(ours.stops) == (listed if isinstance(listed, list) else [listed])
    assert ours.all_stops == (said.get("stop_mode") == "all")
    assert {tier.value: limit / HOUR for tier, limit in ours.limit.items()} == tiers(said["limit_hours"])
    assert [ahead / HOUR for ahead in ours.warn] == said.get("warn_hours", [])
    assert ours.exempt == frozenset(said.get("exempt", []))
    assert ours.promise == (said.get("promise", False) or "promise_plus_hours" in said)
    assert ours.promise_plus / HOUR == said.get("promise_plus_hours", 0)
    assert {word: limit / HOUR for word, limit in ours.goods.items()} == said.get("overrides", {})
    assert ours.calendar == calendar_of(said.get("calendar", "natural"))
    assert (ours.lines is not None) == (said.get("calendar") == "line")
    assert ours.promises == ("delivery" if said["id"] in ("deliver_by", "delivery_date") else "ship")
    assert ours.when == frozenset([said["when"]] if "when" in said else [])
    assert ours.soft == said.get("soft", False)
    assert (ours.confidence, list(ours.source)) == (said["confidence"], said["src"])


def calendar_of(word: str) -> Calendar:
    if word in ("natural", "line"):
        return AROUND_THE_CLOCK if word == "natural" else WHOLE_DAYS
    return calendars()[CALENDARS[word]]


def tiers(said: Any) -> dict[str, float]:
    if said is None:
        return {}
    return said if isinstance(said, dict) else dict.fromkeys(("normal", "remote", "very_remote"), said)


def test_what_pinduoduo_calls_by_another_name_is_not_watched_twice() -> None:
    assert "transit_stagnation" not in plain_book().rule_ids("pinduoduo")
    assert "update_timeout" in plain_book().rule_ids("pinduoduo")


# ── a profile with mistakes ──────────────────────────────────────────────────────────────────────

GOOD: dict[str, Any] = {
    "kind": "clock", "start": "paid", "stop": ["picked_up"], "limit": "48h", "warn": ["12h"],
}  # fmt: skip
STALE: dict[str, Any] = {"kind": "staleness", "from": "picked_up", "until": "delivered", "limit": "48h"}


def parsed(**rules: Any) -> tuple[Rule | None, list[Declined]]:
    profile, problems = parse_profile({"id": "x", "name": "某平台", "rules": rules}, calendars())
    return (next(iter(profile.rules.values())) if profile else None), problems


def without(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}


@pytest.mark.parametrize(
    ("table", "path", "said"),
    [
        ({**GOOD, "limt": "48h"}, ("limt",), "是不是想写 limit"),
        ({**GOOD, "qqqqqq": 1}, ("qqqqqq",), "可用的有"),
        (without(GOOD, "kind"), ("kind",), "缺少 kind"),
        ({**GOOD, "kind": "clok"}, ("kind",), "clock、staleness、exception"),
        ({**GOOD, "kind": ["clock"]}, ("kind",), "clock、staleness、exception"),
        (without(GOOD, "start"), ("start",), "缺少 start"),
        (without(GOOD, "stop"), ("stop",), "缺少 stop"),
        (without(GOOD, "limit", "warn"), ("limit",), "缺少 limit"),
        ({**GOOD, "start": "payed"}, ("start",), "是不是想写 paid"),
        ({**GOOD, "start": ["paid"]}, ("start",), "要写成文字"),
        ({**GOOD, "start": "any_scan"}, ("start",), "不认识 any_scan"),
        ({**GOOD, "start": "hub_scan"}, ("start",), "不认识 hub_scan"),
        ({**GOOD, "start": "breach:late", "promise": True}, ("promise",), "承诺"),
        ({**GOOD, "start": "breach:late", "restarts": True}, ("restarts",), "重新计时"),
        ({**STALE, "from": "breach:late"}, ("from",), "不认识 breach:late"),
        ({**GOOD, "stop": ["piked_up"]}, ("stop",), "是不是想写 picked_up"),
        ({**GOOD, "stop": 5}, ("stop",), "文字或文字的列表"),
        ({**GOOD, "stop": []}, ("stop",), "不能是空的"),
        ({"kind": "exception", "on": []}, ("on",), "不能是空的"),
        ({**GOOD, "stop": [5]}, ("stop",), "文字或文字的列表"),
        ({**GOOD, "stop_mode": "al"}, ("stop_mode",), '"any" 或 "all"'),
        ({**GOOD, "limit": 48}, ("limit",), '如 "48h"'),
        ({**GOOD, "limit": "48"}, ("limit",), "不是时长"),
        ({**GOOD, "limit": "0h"}, ("limit",), "必须大于零"),
        ({**GOOD, "limit": {"remote": "72h"}}, ("limit",), "要有 normal"),
        ({**GOOD, "limit": {"normal": "72h", "far": "80h"}}, ("limit",), "remote、very_remote"),
        ({**GOOD, "warn": 12}, ("warn",), "时长的列表"),
        ({**GOOD, "warn": ["12"]}, ("warn",), "不是时长"),
        ({**GOOD, "warn": ["48h"]}, ("warn",), "必须小于时限"),
        ({**GOOD, "limit": {"normal": "12h", "remote": "72h"}}, ("warn",), "必须小于时限"),
        ({**GOOD, "severity": "high"}, ("severity",), "0 到 100"),
        ({**GOOD, "severity": 101}, ("severity",), "0 到 100"),
        ({**GOOD, "severity": True}, ("severity",), "0 到 100"),
        ({**GOOD, "promise": "false"}, ("promise",), "不加引号"),
        ({**GOOD, "watch": "false"}, ("watch",), "不加引号"),
        ({**GOOD, "restarts": True}, ("restarts",), "重新计时"),
        ({**GOOD, "start": "picked_up", "stop": "delivered", "promise": True}, ("promise",), "承诺"),
        ({**GOOD, "calendar": "cn_workingdays"}, ("calendar",), "是不是想写 cn_working_days"),
        (
            {**GOOD, "calendar": "zzzz"},
            ("calendar",),
            "可用的有：cn_business_days、cn_six_days、cn_working_days、line、natural",
        ),
        ({**GOOD, "calendar": 5}, ("calendar",), "要写成文字"),
        (
            {"kind": "exception", "on": "lost", "calendar": "natural"},
            ("calendar",),
            "exception 规则没有 calendar",
        ),
        ({**GOOD, "goods": {}}, ("goods",), "bulky"),
        ({**GOOD, "goods": {"bulky": 72}}, ("goods",), '如 "48h"'),
        ({**GOOD, "goods": {"bulky": "8h"}}, ("warn",), "必须小于时限"),
        (
            {**GOOD, "start": "picked_up", "stop": "delivered", "goods": {"bulky": "72h"}},
            ("goods",),
            "商品类型",
        ),
        ({**STALE, "goods": {"bulky": "72h"}}, ("goods",), "staleness 规则没有 goods"),
        ({**GOOD, "promise_plus": "48h"}, ("promise_plus",), "promise = true"),
        ({**GOOD, "promise": True, "promise_plus": 48}, ("promise_plus",), '如 "48h"'),
        ({**GOOD, "when": 5}, ("when",), "文字或文字的列表"),
        ({**GOOD, "when": []}, ("when",), "不能是空的"),
        ({"kind": "exception", "on": "lost", "when": "bonded"}, ("when",), "exception 规则没有 when"),
        ({**GOOD, "in_force": "2025-08-26"}, ("in_force",), "since、until"),
        ({**GOOD, "in_force": {}}, ("in_force",), "since、until"),
        ({**GOOD, "in_force": {"from": date(2025, 8, 26)}}, ("in_force",), "since、until"),
        ({**GOOD, "in_force": {"since": "2025-08-26"}}, ("in_force",), "不加引号"),
        ({**GOOD, "in_force": {"since": datetime(2025, 8, 26, tzinfo=UTC)}}, ("in_force",), "不加引号"),
        (
            {**GOOD, "in_force": {"since": date(2025, 8, 26), "until": date(2025, 8, 25)}},
            ("in_force",),
            "不能早于",
        ),
        ({**GOOD, "zh": 5}, ("zh",), "要写成文字"),
        ({**GOOD, "exempt": {"remote": True}}, ("exempt",), "文字或文字的列表"),
        ({**GOOD, "on": ["lost"]}, ("on",), "clock 规则没有 on"),
        ({**STALE, "from": "paid"}, ("from",), "不认识 paid"),
        ({**STALE, "until": ["any_scan"]}, ("until",), "不认识 any_scan"),
        ({**STALE, "promise": True}, ("promise",), "staleness 规则没有 promise"),
        ({"kind": "exception"}, ("on",), "缺少 on"),
        ({"kind": "exception", "on": "losst"}, ("on",), "是不是想写 lost"),
        ({"kind": "exception", "on": "delivered"}, ("on",), "不认识 delivered"),
        ({"kind": "exception", "on": "lost", "limit": "4h"}, ("limit",), "exception 规则没有 limit"),
        ("48h", (), "要写成一张表"),
    ],
)
def test_a_mistake_is_told_with_its_path(table: Any, path: tuple[str, ...], said: str) -> None:
    got, problems = parsed(r=table)
    assert got is None
    found = {each.path: each.reason for each in problems}
    assert said in found.get(("rules", "r", *path), f"nothing at {path}: {found}")


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ({}, {("id",), ("name",)}),
        ({"id": 5, "name": ""}, {("id",), ("name",)}),
        ({"id": "x", "name": "y", "inherits": 5, "drops": [1]}, {("inherits",), ("drops",)}),
        ({"id": "x", "name": "y", "rules": []}, {("rules",)}),
        ({"id": "x", "name": "y", "rule": {}}, {("rule",)}),
    ],
)
def test_mistakes_of_the_profile_itself(data: dict[str, Any], paths: set[tuple[str, ...]]) -> None:
    profile, problems = parse_profile(data)
    assert profile is None
    assert {each.path for each in problems} == paths


def test_every_mistake_is_told_at_once() -> None:
    _, problems = parse_profile(
        {
            "id": "x",
            "nam": "y",
            "drops": 7,
            "rules": {
                "a": {"kind": "clock", "start": "payed", "limit": "48", "warn": 3, "watch": "no"},
                "b": {"kind": "exception", "on": "losst", "severity": -1},
                "c": 5,
            },
        }
    )
    assert {".".join(map(str, each.path)) for each in problems} == {
        "nam", "name", "drops", "rules.a.start", "rules.a.stop", "rules.a.limit", "rules.a.warn",
        "rules.a.watch", "rules.b.on", "rules.b.severity", "rules.c",
    }  # fmt: skip


def test_mistakes_are_told_in_the_same_order_every_time() -> None:
    table = {f"zz{letter}": 1 for letter in "hgfedcba"}
    _, problems = parsed(r={**GOOD, **table})
    assert [each.path[-1] for each in problems] == sorted(table)


def test_what_a_rule_leaves_out() -> None:
    got, problems = parsed(r=without(GOOD, "warn"))
    assert problems == []
    assert got is not None
    assert (got.zh, got.kind, got.warn, got.severity) == ("r", Kind.CLOCK, (), 50)
    assert (got.watch, got.notify, got.promise, got.restarts, got.all_stops) == (
        True,
        True,
        False,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("48h", (48, 48, 48)),
        ({"normal": "48h"}, (48, 48, 48)),
        ({"normal": "48h", "remote": "72h"}, (48, 72, 72)),
        ({"normal": "48h", "very_remote": "5d"}, (48, 48, 120)),
        ({"normal": "2d", "remote": "72h", "very_remote": "120h"}, (48, 72, 120)),
    ],
)
def test_a_limit_by_destination(said: Any, expected: tuple[int, ...]) -> None:
    limit = parse_limit(said)
    assert tuple(limit[tier] / HOUR for tier in (Tier.NORMAL, Tier.REMOTE, Tier.VERY_REMOTE)) == expected


@pytest.mark.parametrize(
    ("said", "expected"), [([], ()), ("8h", (8,)), (["4h", "12h", "240m"], (12, 4)), (["0.5h"], (0.5,))]
)
def test_warnings_come_longest_first_and_none_twice(said: Any, expected: tuple[float, ...]) -> None:
    assert tuple(ahead / HOUR for ahead in parse_warn(said)) == expected


@pytest.mark.parametrize(
    "value", [48, None, True, "", "h", "-1h", "48 hours", "1e3h", "∞h", "0s", "9" * 400 + "d"]
)
def test_what_is_no_duration_is_refused_in_chinese(value: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"时长|大于零"):
        duration(value)
