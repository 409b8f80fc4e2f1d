"""What the readings of all providers share: times at the door, and tables that contradict nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from carriers.scans import BY_WORDS, OWN_CLOCK, Unknown, beijing, by_code


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
