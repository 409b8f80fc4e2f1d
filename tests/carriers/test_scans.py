"""What the readings of all providers share: times at the door, and tables that contradict nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from carriers.scans import BY_WORDS, OWN_CLOCK, REMARK, Unknown, area_of, beijing, by_code, scan, word
from domain.tracking import Milestone


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-05 11:31:02", datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)),
        ("2026-03-05 11:31", datetime(2026, 3, 5, 3, 31, tzinfo=UTC)),
        ("2026/3/5 11:31:02", datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)),
        (" 2026-03-05T11:31:02 ", datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)),
        ("2026-03-05T11:31:02+00:00", datetime(2026, 3, 5, 11, 31, 2, tzinfo=UTC)),
        ("2026-03-05", None),
        ("2026-13-05 11:31:02", None),
        ("1970-01-01 08:00:00", None),
        ("0001-01-01 00:00:00", None),
        ("昨天", None),
        (1772681462, None),
        (None, None),
    ],
    ids=str,
)
def test_a_wall_clock_becomes_utc_or_nothing(written: object, moment: datetime | None) -> None:
    assert beijing(written) == moment


def test_a_code_has_one_meaning() -> None:
    assert by_code(("1 2", BY_WORDS), ("3", OWN_CLOCK))["2"] is BY_WORDS
    with pytest.raises(ValueError, match="code 2 "):
        by_code(("1 2", BY_WORDS), ("2 3", OWN_CLOCK))


def test_what_is_unknown_is_counted_once_masked_and_not_without_end() -> None:
    unknown = Unknown()
    for _ in range(2):
        unknown.note("remark", "请联系15912340036")
    assert list(unknown.seen) == ["remark 请联系159******36"]
    for n in range(1000):
        unknown.note("opCode", n)
    assert len(unknown.seen) == 20


MOMENT = datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "place", "hub", "outlet"),
    [
        ("快件离开余杭网点", "杭州余杭网点", "", "杭州余杭网点"),
        ("快件到达【北京转运中心】", "", "北京转运中心", ""),
        ("快件已揽收", "北京转运中心", "北京转运中心", ""),
        ("快件已存放至驿站", "驿站", "", ""),
        ("快件到达【北京转运中心】", "驿站", "北京转运中心", ""),
        ("派件员 15912340036 正在派件", "15912340036", "", ""),
    ],
)
def test_the_rows_own_place_comes_before_the_words_if_it_is_one(
    text: str, place: str, hub: str, outlet: str
) -> None:
    told = scan(MOMENT, text, BY_WORDS, Unknown(), said_in="desc", place=place)
    assert (told.hub, told.outlet) == (hub, outlet)


def test_a_remark_moves_nothing_and_its_words_are_not_counted() -> None:
    unknown = Unknown()
    told = scan(MOMENT, "一句谁也不懂的话", REMARK, unknown, said_in="desc")
    moved = scan(MOMENT, "快件已签收", REMARK, unknown, said_in="desc")
    assert (told.milestone, moved.milestone, unknown.seen) == (Milestone.UNKNOWN, Milestone.UNKNOWN, {})


@pytest.mark.parametrize(
    ("parts", "area"),
    [
        (("浙江省", "杭州市", "余杭区"), "浙江省,杭州市,余杭区"),
        (("浙江省", "杭州市", ""), "浙江省,杭州市"),
        (("", "北京市", "海淀区"), "北京市,北京市"),
        (("", "杭州市", "余杭区"), "杭州市"),
        (("", "", ""), ""),
    ],
    ids=str,
)
def test_an_area_of_its_parts(parts: tuple[str, str, str], area: str) -> None:
    assert area_of(*parts) == area


@pytest.mark.parametrize("field", ["text", "code", "status", "area", "next_stop"])
def test_a_phone_is_masked_whatever_field_it_stands_in(field: str) -> None:
    said: dict[str, Any] = {"text": "快件已揽收", field: "15912340036 张三"}
    told = scan(MOMENT, said.pop("text"), BY_WORDS, Unknown(), said_in="desc", **said)
    assert getattr(told, field) == "159******36 张三"


@pytest.mark.parametrize("code", ["1002", "GTMS_SIGNED", "20260305113102", "4401", "95338", "400-111-1111"])
def test_a_code_that_is_no_phone_stays_as_it_is(code: str) -> None:
    assert scan(MOMENT, "快件已揽收", BY_WORDS, Unknown(), said_in="desc", code=code).code == code


def test_a_cut_leaves_no_half_of_a_phone() -> None:
    assert "1591234" not in word({"area": "浙" * 51 + " 15912340036"}, "area")


def test_a_number_that_looks_like_a_phone_is_still_that_number() -> None:
    assert word({"nu": "15912340036"}, "nu") == "15912340036"
