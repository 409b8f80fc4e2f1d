"""A shop's own words for a kind of order work as the profiles' words do, and stay as they were written."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.goods import KINDS, tagged
from monitor.intake.objects import read_object
from monitor.intake.rows import Terms
from tests.intake.conftest import Reader

WORDS = [
    ("预售", {"presale", "preorder"}),
    ("Pre-Sale", {"presale"}),
    ("pre-order", {"preorder"}),
    ("定制", {"custom"}),
    ("货到付款", {"cod"}),
    ("COD", {"cod"}),
    ("大件", {"bulky"}),
    ("虚拟", {"virtual"}),
    ("预约", {"booked_delivery"}),
    ("预约配送", {"booked_delivery"}),
    ("保税", {"bonded"}),
    ("直邮", {"direct_mail"}),
    ("海外直邮", {"direct_mail"}),
    ("跨境", {"cross_border"}),
    ("补发", {"reship"}),
    ("邮政", {"postal"}),
    ("慢速快递", {"slow_courier"}),
]
NOTHING = ["预订", "大件儿", "不预售", "百货", ""]
TERMS = Terms(ZoneInfo("Asia/Shanghai"), datetime(2026, 11, 22, 4, tzinfo=UTC))
ROW = {"order_no": "A-1", "carrier": "圆通", "waybill_no": "YT2600000000001"}


@pytest.mark.parametrize(("word", "kinds"), [*WORDS, *((word, set[str]()) for word in NOTHING)])
@pytest.mark.parametrize("column", ["goods_type", "tags"])
def test_a_word(read: Reader, word: str, kinds: set[str], column: str) -> None:
    """In a file and over the API, as the goods type and as a tag."""
    header = f"order_no,carrier,waybill_no,{column}"
    [row] = read(f"{header}\nA-1,圆通,YT2600000000001,{word}\n").orders()
    sent = read_object(TERMS, ROW | {column: word}, 1).order
    for order in (row, sent):
        assert order is not None
        if column == "goods_type":
            assert order.goods_type == word, "it stays as written"
            assert order.tags == kinds
        else:
            assert order.tags == kinds | ({word} if word else set())


@pytest.mark.parametrize(("word", "kinds"), [(word, kinds) for word, kinds in KINDS.items()])
def test_every_word_of_the_table(word: str, kinds: frozenset[str]) -> None:
    assert tagged(word, frozenset()) == kinds - {word}
    assert tagged("", frozenset({word})) == kinds | {word}


def test_several_words_in_one_cell_and_a_phrase() -> None:
    assert tagged("大件，预约", frozenset({"急"})) == {"急", "bulky", "booked_delivery"}
    assert tagged("Cash on Delivery", frozenset()) == {"cod"}
