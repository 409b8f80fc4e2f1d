"""The row loop and the refusals that adapters share (`carriers/scans.py`, `carriers/replies.py`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.replies import decoded, opened, refused, truth
from carriers.scans import BY_WORDS, NOBODY_KNOWS, Meaning, Row, Unknown, coded, millis, rows_in, scan, track
from domain.orders import Waybill
from domain.remote import Denied, RemoteError, Reply, Throttled, Unavailable, Unreadable
from domain.time import to_micros
from domain.tracking import Answer, Milestone, TrackingEvent

NUMBER = "YT9000000000001"
WAYBILL = Waybill("yuantong", NUMBER)


def row(words: str, at: str = "2026-03-05 11:31:02", number: str = NUMBER) -> Row:
    return {"at": at, "words": words, "no": number}


def event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    return scan(moment, row["words"], BY_WORDS, unknown, said_in="words")


def read(*rows: Row) -> Answer:
    return track(rows, WAYBILL, "服务商", when="at", event=event, number="no")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (1772681462000, datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)),
        ("1772681462000", datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)),
        (1772681462001, datetime(2026, 3, 5, 3, 31, 2, 1000, tzinfo=UTC)),
        (1772681462, None),  # seconds: never told by the size
        (10**30, None),
        ("9" * 400, None),
        ("", None),
        ("²", None),
        ("2026-03-05 11:31:02", None),
        (-1, None),
        (True, None),
        (None, None),
        ([], None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_milliseconds_or_nothing(written: object, moment: datetime | None) -> None:
    assert millis(written) == moment


@given(st.integers(946_771_200_000, 7_258_118_400_000))
def test_milliseconds_come_back(written: int) -> None:
    """From 2000 to 2200."""
    moment = millis(written)
    assert moment is not None
    assert to_micros(moment) == written * 1000


@pytest.mark.parametrize(
    ("said", "is_true"),
    [
        (True, True),
        ("true", True),
        (" TRUE ", True),
        (False, False),
        ("false", False),
        ("False", False),
        (None, None),
        ("", None),
        ("yes", None),
        (1, None),
        (0, None),
        ("1", None),
        ([], None),
    ],
    ids=repr,
)
def test_a_boolean_as_it_comes(said: object, is_true: bool | None) -> None:
    assert truth(said) is is_true


def test_a_code_in_no_table_is_counted_and_no_code_is_left_to_the_words() -> None:
    unknown, table = Unknown(), {"1": Meaning(Milestone.PICKED_UP)}
    assert coded("1", table, "op", unknown) is table["1"]
    assert coded("", table, "op", unknown) is BY_WORDS
    assert not unknown.seen
    assert coded("2", table, "op", unknown) is NOBODY_KNOWS
    assert list(unknown.seen) == ["op 2"]


@pytest.mark.parametrize("said", [None, {}, "[]", 7, [1], [[]], [{}, None]], ids=repr)
def test_only_a_list_of_lines_is_one(said: object) -> None:
    with pytest.raises(Unreadable, match="trace"):
        rows_in(said, "trace")


def test_an_empty_list_of_lines_is_one() -> None:
    assert rows_in([], "trace") == []


class TestTrack:
    def test_rows_are_in_order_and_whole(self) -> None:
        answer = read(row("快件已签收"), row("已揽收", "2026-03-03 18:22:50"))
        assert [each.milestone for each in answer.events] == [Milestone.PICKED_UP, Milestone.DELIVERED]
        assert answer.whole
        assert (answer.carrier, answer.waybill_no) == ("yuantong", NUMBER)

    @pytest.mark.parametrize(
        "odd", [row("到达", "昨天"), row("到达", number="YT9")], ids=["no time", "another"]
    )
    def test_what_cannot_be_used_is_counted_and_withdraws_nothing(self, odd: Row) -> None:
        answer = read(row("快件已签收"), odd)
        assert len(answer.events) == 1
        assert not answer.whole
        assert answer.unknown_codes

    @pytest.mark.parametrize("rows", [(), (row("到达", "昨天"),), (row("到达", number="YT9"),)])
    def test_nothing_that_can_be_used_is_no_empty_history(self, rows: tuple[Row, ...]) -> None:
        with pytest.raises(Unreadable):
            read(*rows)

    @pytest.mark.parametrize("number", [NUMBER.lower(), f" {NUMBER} ", ""])
    def test_our_number_in_another_dress_is_ours(self, number: str) -> None:
        assert read(row("快件已签收", number=number)).whole


def told(reply: Reply) -> type[RemoteError]:
    with pytest.raises(RemoteError) as error:
        opened(reply, "服务商")
    return type(error.value)


class TestReplies:
    @pytest.mark.parametrize(
        ("status", "content", "expected"),
        [
            (429, b"{}", Throttled),
            (500, b"{}", Unavailable),
            (404, b"{}", Unreadable),
            (200, b"[]", Unreadable),
            (200, b"<html>", Unreadable),
            (200, "<r><reason>签名校验失败</reason></r>".encode(), Denied),
            (404, "<r><reason>签名校验失败</reason></r>".encode(), Unreadable),
            (503, "<r><reason>签名校验失败</reason></r>".encode(), Unavailable),
            (200, "<r><reason>系统繁忙</reason></r>".encode(), Unreadable),
            (200, "<r><reason>签名".encode(), Unreadable),
            (200, "<r><reason>签名校验失败</reason></r>".encode("gb18030"), Unreadable),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_http_first_then_xml_then_json(
        self, status: int, content: bytes, expected: type[RemoteError]
    ) -> None:
        assert told(Reply(status, content)) is expected

    @pytest.mark.parametrize("body", [[], {}, [1], "x", None])
    def test_json_of_any_type(self, body: object) -> None:
        assert decoded(Reply(200, json.dumps(body).encode()), "服务商") == body

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ("数据签名验证失败", Denied),
            ("Sign error", Denied),
            ("IP 不在白名单", Denied),
            ("来源IP未授权", Denied),
            ("signed", Unreadable),
            ("ship failed", Unreadable),
            ("单号不存在", Unreadable),
            (None, Unreadable),
        ],
        ids=str,
    )
    def test_a_refusal_is_the_accounts_only_if_it_says_so(
        self, said: str | None, expected: type[RemoteError]
    ) -> None:
        error = refused("服务商", "S01", said)
        assert type(error) is expected
        assert "S01" in str(error)
