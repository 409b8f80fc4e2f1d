"""What policies may match, kept as a text that a later policy is worked out for (design §3, versions)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.orders import Case, Order, Waybill
from rules.facets import MATCHABLE, Warehouse, case_of, facets, said_of
from rules.policy import PolicyBook
from tests.rules.scenes import PICKED, book, change, match, order, parcel, profiles, spec

WORDS = st.sampled_from(["", "甲", "乙", "丙店"])
ORDERS = st.builds(
    lambda **said: Order("1", **said),
    merchant=WORDS,
    shop=WORDS,
    platform=st.sampled_from(["", "taobao_tmall", "pinduoduo", "某平台"]),
    warehouse=st.sampled_from(["", "义乌仓", "西安仓"]),
    receiver_province=st.sampled_from(["", "新疆维吾尔自治区", "新疆", "浙江省", "台湾"]),
    receiver_city=st.sampled_from(["", "杭州市", "杭州", "吉林"]),
    goods_type=st.sampled_from(["", "bulky", "custom"]),
    tags=st.frozensets(st.sampled_from(["vip", "presale", "custom"])),
)
CASES = st.builds(
    lambda carrier, orders: Case(Waybill(carrier, "1"), tuple(orders)),
    st.sampled_from(["yuantong", "shunfeng"]),
    st.lists(ORDERS, max_size=3),
)
YIWU = Warehouse("义乌仓", "浙江", "金华")
BOOK = PolicyBook(
    profiles(),
    (
        spec("店", match(shop=["甲", "乙"], tag="vip"), transit_stagnation=change("30h")),
        spec("仓", match(origin_province="浙江"), transit_stagnation=change("31h")),
        spec("远", match(receiver_city="杭州"), transit_stagnation=change("32h")),
        spec("顺丰", match(carrier="shunfeng", goods_type="custom"), lost=change(notify=False)),
    ),
    warehouses=(YIWU,),
)


@given(CASES)
def test_a_policy_is_the_same_by_the_text_as_by_the_parcel(case: Case) -> None:
    """The law that versions stand on: what a stored text says is all that a policy asks."""
    said = BOOK.facets_key(case)
    assert BOOK.policy_of(said) == BOOK.policy_for(case)
    assert said_of(case_of(said)) == said, "and the text of the text is the text"


@given(CASES)
def test_the_text_holds_everything_that_may_be_matched(case: Case) -> None:
    assert facets(BOOK.placed(case_of(said_of(case)))) == facets(BOOK.placed(case))


def test_the_facets_are_what_may_be_matched() -> None:
    assert tuple(facets(parcel())) == MATCHABLE


def test_the_text_for_a_person() -> None:
    case = parcel(
        shop="甲店", receiver_province="浙江省", receiver_city="杭州市", tags=frozenset({"vip", "a"})
    )
    assert json.loads(said_of(case)) == {
        "carrier": "yuantong",
        "orders": [
            {
                "platform": "taobao_tmall",
                "shop": "甲店",
                "receiver_province": "浙江",
                "receiver_city": "杭州",
                "tags": ["a", "vip"],
            }
        ],
    }


def test_parcels_that_no_policy_can_tell_apart_have_one_text() -> None:
    one, two, three = (order(str(n), shop=shop) for n, shop in enumerate(["甲", "乙", "丙"]))
    texts = {
        said_of(parcel(orders=(one, two, three))),
        said_of(parcel((2, PICKED), orders=(one, three, two), seen=9)),
        said_of(parcel(orders=(one, two, three, two))),
    }
    assert len(texts) == 1
    assert said_of(parcel(orders=(two, one, three))) not in texts, "another order speaks for the parcel"


@pytest.mark.parametrize("said", ["", "nonsense", "[]", "{}"])
def test_what_is_no_such_text(said: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|not the facets"):
        case_of(said)


# ── where it comes from ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        pytest.param({"warehouse": "义乌仓"}, "浙江,金华", id="by its name"),
        pytest.param({"warehouse": "义乌仓", "merchant": "甲"}, "浙江,金华", id="anybody's"),
        pytest.param({"warehouse": "义乌仓", "merchant": "乙"}, "江西,上饶", id="the merchant's own first"),
        pytest.param({"warehouse": "别的仓"}, "", id="unknown"),
        pytest.param({}, "", id="not said"),
    ],
)
def test_the_place_of_the_warehouse(said: dict[str, Any], origin: str) -> None:
    by = PolicyBook(profiles(), warehouses=(YIWU, Warehouse("义乌仓", "江西", "上饶", merchant="乙")))
    case = by.placed(parcel(**said))
    assert case.origin == origin
    assert by.policy_for(parcel(**said)).origin == origin
    assert facets(case)["origin_province"] == frozenset({origin.partition(",")[0]} - {""})


def test_what_the_parcel_says_itself_stays() -> None:
    case = Case(Waybill("yuantong", "1"), (order(warehouse="义乌仓"),), origin="陕西,西安市")
    assert BOOK.placed(case).origin == "陕西,西安市"
    assert facets(case)["origin_city"] == {"西安"}


def test_a_warehouse_that_moved_is_another_text_for_no_parcel() -> None:
    """The text has the warehouse's name; where it stands is the book's to say, so it may be said anew."""
    said = BOOK.facets_key(parcel(warehouse="义乌仓"))
    assert BOOK.facets_key(BOOK.placed(parcel(warehouse="义乌仓"))) == said, (
        "also of a parcel that was placed"
    )
    moved = PolicyBook(profiles(), warehouses=(Warehouse("义乌仓", "江西", "上饶"),))
    assert BOOK.policy_of(said).origin == "浙江,金华"
    assert moved.policy_of(said).origin == "江西,上饶"
    assert moved.policy_of(said).terms != BOOK.policy_of(said).terms


# ── terms ────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_elsewhere_leaves_the_terms_alone() -> None:
    """So that only the parcels a change touches are judged anew."""
    before = book(spec("甲", match(shop="甲"), lost=change(notify=False)))
    after = book(
        spec("甲", match(shop="甲"), lost=change(notify=False)),
        spec("乙", match(shop="乙"), lost=change(watch=False)),
    )
    assert before.version != after.version
    assert before.policy_for(parcel(shop="甲")).terms == after.policy_for(parcel(shop="甲")).terms
    assert before.policy_for(parcel(shop="乙")).terms != after.policy_for(parcel(shop="乙")).terms


def test_a_policy_that_loses_is_told_but_is_no_other_terms() -> None:
    mine = spec("甲", match(shop="甲", carrier="yuantong"), lost=change(notify=False))
    alone, rivals = book(mine), book(mine, spec("全部", lost=change(watch=False)))
    one, two = (by.policy_for(parcel(shop="甲")) for by in (alone, rivals))
    assert one.terms == two.terms
    assert (one.beat, two.beat) == ((), ("全部",))
    assert two.why == "match 有 2 项，比「全部」的 0 项更具体"
