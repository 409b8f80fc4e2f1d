"""What a book of policies says, as data that is kept, and what two of them say differently (features E2, E5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.time import Window
from monitor.profiles import load_profiles
from rules.described import Difference, body, differences, entry, leaves, read_body
from rules.policy import Change, Exemption, PolicyBook, PolicySpec, Warehouse
from rules.values import parse_limit, parse_warn
from tests.rules.scenes import at

PROFILES = load_profiles()


def shop(limit: str = "36h", name: str = "旗舰店", **more: Any) -> PolicySpec:
    change = Change(limit=parse_limit(limit), **more)
    return PolicySpec(name, {"shop": frozenset({name})}, rules={"transit_stagnation": change})


def says(*policies: PolicySpec, **more: Any) -> dict[str, Any]:
    found = read_body(PolicyBook(PROFILES, policies, **more).describe())
    assert found is not None
    return found


def test_what_is_kept_is_what_was_said() -> None:
    storm = Exemption(
        Window(at(0), at(24), "台风"), {"receiver_province": frozenset({"广东"})}, proof="https://x"
    )
    book = says(
        shop(warn=parse_warn(["24h", "8h"]), shadow=True),
        exemptions=[storm],
        warehouses=[Warehouse("一仓", "浙江")],
    )
    assert book["policies"] == [
        {
            "name": "旗舰店",
            "match": {"shop": ["旗舰店"]},
            "rules": {"transit_stagnation": {"limit": "36h", "warn": ["24h", "8h"], "shadow": True}},
        }
    ]
    assert book["exemptions"][0]["window"]["name"] == "台风"
    assert book["warehouses"] == [{"name": "一仓", "province": "浙江"}]
    assert set(book["profiles"]) == set(PROFILES)


def test_a_rule_stands_where_it_is_said_and_not_where_it_is_inherited() -> None:
    told = says()["profiles"]
    for name, profile in PROFILES.items():
        assert set(told[name]["rules"]) == set(profile.rules)


def test_it_is_the_same_text_however_it_was_put_together() -> None:
    texts = {
        PolicyBook(dict(each), [shop()]).describe() for each in (PROFILES.items(), reversed(PROFILES.items()))
    }
    assert len(texts) == 1


def test_it_is_small_enough_to_keep_every_version() -> None:
    assert len(PolicyBook(PROFILES).describe().encode()) < 200_000


@pytest.mark.parametrize("text", ["({'taobao_tmall': ...},)", "", "[1]", "3"])
def test_what_an_earlier_program_kept_is_not_read(text: str) -> None:
    assert read_body(text) is None


LIMIT = ("policies", "旗舰店", "rules", "transit_stagnation", "limit")


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        pytest.param([shop()], [shop()], [], id="the same"),
        pytest.param([shop()], [shop("30h")], [Difference(LIMIT, "36h", "30h")], id="a limit"),
        pytest.param(
            [shop(shadow=True)],
            [shop()],
            [Difference((*LIMIT[:4], "shadow"), True, None)],
            id="promoted by deleting a word",
        ),
        pytest.param(
            [],
            [shop()],
            [Difference(("policies", "旗舰店", "match", "shop"), None, ["旗舰店"]), Difference(LIMIT, None, "36h")],
            id="a new policy, value by value",
        ),
        pytest.param(
            [shop()],
            [],
            [Difference(("policies", "旗舰店", "match", "shop"), ["旗舰店"], None), Difference(LIMIT, "36h", None)],
            id="a policy that is gone, so that it can be written again",
        ),
        pytest.param(
            [shop(), shop(name="乙店")],
            [shop(name="乙店"), shop()],
            [Difference(("policies", "（先后）"), ["旗舰店", "乙店"], ["乙店", "旗舰店"])],
            id="of equals the first wins, so their order counts",
        ),
        pytest.param([shop(name="乙店")], [shop(name="乙店"), PolicySpec("空")], [Difference(("policies", "空"), None, {})], id="one that says nothing"),
    ],
)  # fmt: skip
def test_what_is_different(was: list[PolicySpec], now: list[PolicySpec], expected: list[Difference]) -> None:
    assert differences(says(*was), says(*now)) == expected


def test_two_tables_with_one_name_are_told_apart() -> None:
    one, two = shop(), shop("30h")
    found = differences(says(one, two), says(one, one))
    assert found == [Difference(("policies", "旗舰店 #2", *LIMIT[2:]), "30h", "36h")]
    assert entry(says(one, two), "policies", "旗舰店 #2")["rules"]["transit_stagnation"]["limit"] == "30h"
    assert entry(says(one), "policies", "旗舰店 #2") is None


TABLE = st.recursive(
    st.integers(0, 3) | st.text("ab", max_size=2) | st.booleans(),
    lambda inner: st.dictionaries(st.sampled_from(["limit", "warn", "x", "y"]), inner, max_size=3),
    max_leaves=8,
)
BOOK = st.fixed_dictionaries(
    {},
    optional={
        "policies": st.lists(
            st.dictionaries(
                st.sampled_from(["limit", "match", "overrides"]), st.integers(0, 3), max_size=2
            ).map(lambda table: {"name": "店", **table}),
            max_size=3,
        ),
        "profiles": st.dictionaries(st.sampled_from("ab"), TABLE, max_size=2),
    },
)


@given(BOOK, BOOK)
def test_two_books_differ_exactly_where_one_of_them_says_something_else(
    was: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    there, back = differences(was, now), differences(now, was)
    assert {each.path for each in there} == {each.path for each in back}
    assert {(each.path, str(each.was), str(each.now)) for each in there} == {
        (each.path, str(each.now), str(each.was)) for each in back
    }
    if json.loads(body(**was)) == json.loads(body(**now)):
        assert all(not each.was and not each.now for each in there), "at most an empty table came or went"
    assert differences(was, was) == []


def test_every_value_of_a_book_is_one_of_its_leaves() -> None:
    told = says(shop())
    assert dict(leaves(told))[LIMIT] == "36h"
    assert all(path[0] in told for path, _ in leaves(told))
