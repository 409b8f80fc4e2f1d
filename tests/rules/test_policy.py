"""Which line of which policy holds for a parcel, and the name of the rules in force (design §4, L8)."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from domain.orders import Case, Waybill
from domain.time import Window
from rules.policy import Exemption, Line, PolicyBook, PolicySpec, facets, most_specific, normal_match
from rules.regions import PROVINCES, Tier, province, tier_of
from tests.rules.scenes import (
    PICKED,
    T0,
    at,
    book,
    change,
    judged,
    match,
    order,
    parcel,
    plain_book,
    profiles,
    rules_of,
    spec,
)

HOUR = timedelta(hours=1)
RULE = "transit_stagnation"
ROOT = Path(__file__).parents[2]


def line(by: PolicyBook, rule: str = RULE, **said: Any) -> Line:
    """The line of a rule for a parcel of which `said` tells."""
    found = by.policy_for(parcel(**said)).line(rule)
    assert found is not None
    return found


# ── which policy ─────────────────────────────────────────────────────────────────────────────────

BROAD = spec("全部", transit_stagnation=change("40h"))
SHOP = spec("旗舰店", match(shop="旗舰店"), transit_stagnation=change("41h"))
SHOP_AND_CARRIER = spec(
    "旗舰店圆通", match(shop="旗舰店", carrier="yuantong"), transit_stagnation=change("42h")
)
MERCHANT = spec("商家", match(merchant="甲"), transit_stagnation=change("43h"))
TWO_SHOPS = spec("两家店", match(shop=["乙店", "丙店"]), transit_stagnation=change("44h"))


@pytest.mark.parametrize(
    ("specs", "said", "name", "limit"),
    [
        pytest.param([], {}, "taobao_tmall", 48, id="no policy: the platform's profile"),
        pytest.param([BROAD], {}, "全部", 40, id="no match applies to everything"),
        pytest.param([BROAD, SHOP], {"shop": "旗舰店"}, "旗舰店", 41, id="a match beats none"),
        pytest.param([BROAD, SHOP], {"shop": "另一家"}, "全部", 40, id="a match that does not fit"),
        pytest.param([SHOP_AND_CARRIER, SHOP], {"shop": "旗舰店"}, "旗舰店圆通", 42, id="more fields win"),
        pytest.param([SHOP, SHOP_AND_CARRIER], {"shop": "旗舰店"}, "旗舰店圆通", 42, id="whatever the order"),
        pytest.param([SHOP, MERCHANT], {"shop": "旗舰店", "merchant": "甲"}, "旗舰店", 41, id="of equals the first"),
        pytest.param([MERCHANT, SHOP], {"shop": "旗舰店", "merchant": "甲"}, "商家", 43, id="of equals the first, again"),
        pytest.param([TWO_SHOPS], {"shop": "丙店"}, "两家店", 44, id="any of the values"),
        pytest.param([SHOP], {}, "taobao_tmall", 48, id="what is unknown matches nothing"),
    ],
)  # fmt: skip
def test_the_most_specific_policy_holds(
    specs: list[PolicySpec], said: dict[str, Any], name: str, limit: int
) -> None:
    policy = book(*specs).policy_for(parcel(**said))
    found = policy.line(RULE)
    assert found is not None
    assert found.limit is not None
    assert (policy.name, found.limit / HOUR) == (name, limit)
    assert found.source == f"{name}.{RULE}"


@pytest.mark.parametrize(
    ("platform", "profile", "expected"),
    [
        ("taobao_tmall", "", "taobao_tmall"),
        ("pinduoduo", "", "pinduoduo"),
        ("pinduoduo", "taobao_tmall", "taobao_tmall"),
        ("某个新平台", "", "generic_cn"),
        ("", "", "generic_cn"),
    ],
)
def test_the_profile_is_the_policys_else_the_platforms_else_the_general_one(
    platform: str, profile: str, expected: str
) -> None:
    lines = book(spec(profile=profile)).policy_for(parcel(platform=platform)).lines
    assert {each.rule.id for each in lines} == plain_book().rule_ids(expected)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("merchant", "甲", {"merchant": "甲"}),
        ("shop", "甲店", {"shop": "甲店"}),
        ("platform", "taobao_tmall", {"platform": "taobao_tmall"}),
        ("carrier", "yuantong", {}),
        ("warehouse", "义乌仓", {"warehouse": "义乌仓"}),
        ("receiver_province", "新疆", {"receiver_province": "新疆维吾尔自治区"}),
        ("receiver_city", "杭州市", {"receiver_city": "杭州"}),
        ("goods_type", "bulky", {"goods_type": "bulky"}),
        ("tag", "vip", {"tags": frozenset({"vip", "presale"})}),
    ],
)
def test_what_a_policy_can_match(field: str, value: str, said: dict[str, Any]) -> None:
    where = {field: normal_match(field, [value])}
    hit = book(spec("甲", where, damaged=change(watch=False)))
    miss = book(spec("乙", {field: frozenset({"别的"})}, damaged=change(watch=False)))
    assert hit.policy_for(parcel(**said)).name == "甲"
    assert miss.policy_for(parcel(**said)).name == "taobao_tmall"


def test_every_order_in_the_parcel_counts_for_a_match() -> None:
    both = parcel(orders=(order("1", shop="甲店"), order("2", shop="乙店", tags=frozenset({"vip"}))))
    assert book(spec("乙", match(shop="乙店", tag="vip"))).policy_for(both).name == "乙"


def test_most_specific_of_none() -> None:
    assert most_specific([SHOP], facets(parcel())) is None


# ── layers ───────────────────────────────────────────────────────────────────────────────────────

WEST = spec("西部", match(receiver_province=["新疆", "西藏"]), transit_stagnation=change("120h"))
WEST_BULKY = spec(
    "西部大件",
    match(receiver_province=["新疆", "西藏"], goods_type="bulky"),
    transit_stagnation=change(notify=False),
)
LAYERED = spec(
    "旗舰店", match(shop="旗舰店"), overrides=(WEST, WEST_BULKY), transit_stagnation=change("20h", ["6h"]), lost=change(notify=False)
)  # fmt: skip


def test_an_override_changes_only_what_it_names() -> None:
    far = {"shop": "旗舰店", "receiver_province": "新疆"}
    base, west = line(book(LAYERED), shop="旗舰店"), line(book(LAYERED), **far)
    both = line(book(LAYERED), goods_type="bulky", **far)
    for found, source, limit, notify in (
        (base, "旗舰店.transit_stagnation", 20, True),
        (west, "旗舰店 › 西部.transit_stagnation", 120, True),
        (both, "旗舰店 › 西部大件.transit_stagnation", 120, False),
    ):
        assert found.limit is not None
        assert (found.source, found.limit / HOUR, found.rule.notify) == (source, limit, notify)
        assert [ahead / HOUR for ahead in found.rule.warn] == [6], "the policy's warnings stay"
    untouched = line(book(LAYERED), "lost", **far)
    assert (untouched.source, untouched.rule.notify) == ("旗舰店.lost", False)
    assert line(book(LAYERED), "damaged", **far).source == "generic_cn.damaged"


def test_of_two_overrides_as_specific_the_one_written_first_has_the_last_word() -> None:
    first = spec("甲", match(goods_type="bulky"), transit_stagnation=change("50h"))
    second = spec("乙", match(warehouse="义乌仓"), transit_stagnation=change("60h"))
    both = book(spec("策略", overrides=(first, second)))
    found = line(both, goods_type="bulky", warehouse="义乌仓")
    assert (found.source, found.limit) == ("策略 › 甲.transit_stagnation", timedelta(hours=50))


def test_warnings_that_fit_no_shorter_limit_come_back_with_a_longer_one() -> None:
    """24 hours ahead makes no sense under a limit of 20, and does again under the override's 120."""
    west = spec("西部", match(receiver_province="新疆"), transit_stagnation=change("120h"))
    by = book(spec("策略", overrides=(west,), transit_stagnation=change("20h")))
    near, far = parcel((2, PICKED), seen=3), parcel((2, PICKED), seen=3, receiver_province="新疆")
    steps = {}
    for name, case in (("near", near), ("far", far)):
        reading = judged(case, by=by).clock(RULE)
        assert reading is not None
        steps[name] = [step.left / HOUR for step in reading.steps]
    assert steps == {"near": [8, 0], "far": [24, 8, 0]}


def test_a_limit_by_tier_is_the_destinations() -> None:
    tiered = book(spec(first_hub=change({"normal": "30h", "very_remote": "90h"})))
    limits = [
        line(tiered, "first_hub", platform="pinduoduo", receiver_province=place).limit
        for place in ("浙江", "甘肃", "西藏")
    ]
    assert limits == [30 * HOUR, 30 * HOUR, 90 * HOUR]


# ── one parcel, one answer ───────────────────────────────────────────────────────────────────────


def test_parcels_alike_share_one_policy() -> None:
    by = book(LAYERED)
    assert by.policy_for(parcel(shop="甲")) is by.policy_for(parcel((2, PICKED), shop="甲", seen=9))
    assert by.policy_for(parcel(shop="甲")) is by.policy_for(parcel(shop="乙", tags=frozenset({"加急"}))), (
        "no table tells them apart"
    )
    assert by.policy_for(parcel(shop="甲")) is not by.policy_for(parcel(shop="旗舰店"))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(({"platform": "taobao_tmall"}, {"platform": "pinduoduo"}), id="platforms"),
        pytest.param(({"receiver_province": "新疆"}, {"receiver_province": "浙江"}), id="provinces"),
        pytest.param(({"tags": frozenset({"custom"})}, {}), id="excuses"),
    ],
)
def test_the_policy_does_not_depend_on_which_parcel_was_asked_about_first(
    said: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Two orders in one parcel that differ: the earliest paid one speaks, whatever was asked before (L3)."""
    one, other = order("1", **said[0]), order("2", **said[1])
    cases = [
        parcel(orders=(one, other)),
        parcel(orders=(other, one)),
        parcel(orders=(one,)),
        parcel(orders=(other,)),
    ]
    forward, backward = book(), book()
    there = [forward.policy_for(case) for case in cases]
    back = [backward.policy_for(case) for case in reversed(cases)]
    assert there == list(reversed(back))


# ── regions ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("新疆维吾尔自治区", "新疆"),
        ("广西壮族自治区", "广西"),
        ("内蒙古自治区", "内蒙古"),
        ("黑龙江省", "黑龙江"),
        ("北京市", "北京"),
        ("香港特别行政区", "香港"),
        (" 西藏 ", "西藏"),
        ("加利福尼亚", "加利福尼亚"),
        ("", ""),
    ],
)
def test_a_province_by_any_of_its_names(said: str, name: str) -> None:
    assert province(said) == name


def test_the_tiers_of_the_facts() -> None:
    tiers: dict[Tier, set[str]] = {}
    for each in PROVINCES:
        tiers.setdefault(tier_of(each), set()).add(each)
    assert len(PROVINCES) == len(set(PROVINCES)) == 34
    assert tiers[Tier.REMOTE] == {"内蒙古", "海南", "甘肃", "青海", "宁夏"}
    assert tiers[Tier.VERY_REMOTE] == {"西藏", "新疆"}
    assert tiers[Tier.EXCLUDED] == {"台湾", "香港", "澳门"}
    assert tier_of("") is tier_of("加利福尼亚") is Tier.NORMAL


def test_the_merchants_own_tiers_replace_the_default() -> None:
    own = book(tiers={"taobao_tmall": {Tier.REMOTE: frozenset({"云南"})}})
    assert line(own, receiver_province="云南省").asleep == "偏远地区豁免"
    assert line(own, receiver_province="甘肃").asleep == "", "the level is said anew"
    assert line(own, receiver_province="新疆").asleep == "极偏远地区豁免", "the other levels stay"
    none = book(tiers={"": {Tier.REMOTE: frozenset(), Tier.VERY_REMOTE: frozenset()}})
    assert line(none, receiver_province="新疆").asleep == ""


def test_where_the_platform_spares_a_place_the_merchants_own_limit_costs_nothing() -> None:
    """§8: remote areas excepted. A limit of one's own there is a promise to oneself."""
    here = spec("here", {"receiver_province": frozenset({"新疆"})}, transit_stagnation=change(limit="30h"))
    own, plain = book(here), plain_book()

    def of(book: PolicyBook, province: str) -> Any:
        found = book.policy_for(parcel(platform="taobao_tmall", receiver_province=province))
        return found.line("transit_stagnation")

    assert (of(own, "新疆").asleep, of(own, "新疆").rule.penalty) == ("", ())
    assert of(own, "四川").rule.penalty
    assert of(plain, "新疆").asleep


# ── exemptions ───────────────────────────────────────────────────────────────────────────────────


def test_exemptions_that_fit_stop_the_calendar_together() -> None:
    windows = [Window(at(10), at(20), "台风"), Window(at(15), at(30), "封路"), Window(at(50), at(60), "国庆")]
    exemptions = tuple(Exemption(window) for window in windows)
    calendar = line(book(exemptions=exemptions)).calendar
    assert [(each.starts_at, each.ends_at) for each in calendar.pauses] == [
        (at(10), at(30)),
        (at(50), at(60)),
    ]
    assert calendar.pauses[0].name == "台风、封路"


# ── the version ──────────────────────────────────────────────────────────────────────────────────


def test_the_same_rules_have_the_same_version() -> None:
    assert book(BROAD).version == book(BROAD).version
    assert book(BROAD).policy_for(parcel()).version == book(BROAD).version
    assert judged(parcel(seen=1), by=book(BROAD)).policy_version == book(BROAD).version


def test_any_changed_number_is_another_version() -> None:
    window = Window(T0, T0 + HOUR, "台风")
    versions = [
        plain_book().version,
        book(BROAD).version,
        book(replace(BROAD, rules={RULE: change("40.5h")})).version,
        book(replace(BROAD, rules={RULE: change("40h", ["1h"])})).version,
        book(replace(BROAD, rules={RULE: change("40h", watch=False)})).version,
        book(SHOP, MERCHANT).version,
        book(MERCHANT, SHOP).version,
        book(exemptions=(Exemption(window),)).version,
        book(exemptions=(Exemption(window, proof="公告"),)).version,
        book(exemptions=(Exemption(window, rules=frozenset({"lost"})),)).version,
        book(tiers={"": {Tier.REMOTE: frozenset({"云南"})}}).version,
    ]
    assert len(set(versions)) == len(versions)


def test_a_changed_profile_is_another_version() -> None:
    mine = dict(profiles())
    generic = mine["generic_cn"]
    lost = replace(generic.rules["lost"], severity=99)
    mine["generic_cn"] = replace(generic, rules={**generic.rules, "lost": lost})
    assert PolicyBook(mine).version != plain_book().version


def test_the_same_moment_in_another_zone_is_the_same_version() -> None:
    beijing = timezone(timedelta(hours=8))
    here = Window(T0, T0 + HOUR, "台风")
    there = Window(T0.astimezone(beijing), (T0 + HOUR).astimezone(beijing), "台风")
    assert book(exemptions=(Exemption(here),)).version == book(exemptions=(Exemption(there),)).version


_IN_ANOTHER_PROCESS = """
from tests.rules.scenes import *
from rules.regions import Tier
from tests.rules.test_policy import LAYERED, TWO_SHOPS
print(book(LAYERED, TWO_SHOPS, tiers={"": {Tier.REMOTE: frozenset({"云南", "贵州"})}}).version)
"""


def test_the_version_is_the_same_in_every_process() -> None:
    """Sets and dictionaries come in another order in each; findings name the version for years."""
    said = set()
    for seed in ("1", "2", "3"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            [sys.executable, "-c", _IN_ANOTHER_PROCESS],
            env=env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(run.stdout.strip())
    assert said == {book(LAYERED, TWO_SHOPS, tiers={"": {Tier.REMOTE: frozenset({"贵州", "云南"})}}).version}


def test_a_parcel_nobody_ordered_is_judged_by_the_general_profile() -> None:
    assert plain_book().policy_for(Case(Waybill("yuantong", "YT1"), ())).name == "generic_cn"


def test_the_excluded_tier_leaves_reported_trouble_alone() -> None:
    policy = plain_book().policy_for(parcel(receiver_province="台湾"))
    asleep = {each.rule.id for each in policy.lines if each.asleep and each.rule.watch}
    assert asleep == {each.rule.id for each in policy.lines if each.rule.limit}
    assert rules_of(judged(parcel((2, PICKED), seen=900, receiver_province="台湾"))) == set()
