"""Phones hidden, waybills and service numbers left, invisible characters gone (design §6.10, §7)."""

from __future__ import annotations

import re
import unicodedata
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.masking import clean, mask_phones, safe_text

MOBILE = r"(?<!\d)1\d{10}(?!\d)"
LANDLINE = r"(?<![0-9A-Za-z])0(?:10|2\d|[3-9]\d{2})-\d{7,8}(?!\d)"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("派件员电话13800138000", "派件员电话138******00"),
        ("(13800138000)", "(138******00)"),
        ("13800138000,13912345678", "138******00,139******78"),
        ("138 0013 8000", "138 **** **00"),
        ("138-0013-8000", "138-****-**00"),
        ("+8613800138000", "+86138******00"),
        ("１３８００１３８０００", "138******00"),
        ("**13800138000**", "**138******00**"),
        ("0553-1234567", "0553-*******"),
        ("010-12345678", "010-********"),
        ("(0571)12345678转801", "(0571)********转801"),
        ("05531234567", "0553*******"),
        # a virtual number's tail tells the receiver
        ("13800138000-1234", "138******00-****"),
        ("13800138000转1234", "138******00转****"),
    ],
)
def test_a_phone_is_hidden_but_for_a_hint(text: str, masked: str) -> None:
    plain = unicodedata.normalize("NFKC", mask_phones(text))
    assert plain == masked


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("客服95338，投诉95543", id="service numbers"),
        pytest.param("400-800-1234", id="a 400 number"),
        pytest.param("YT8812345678901", id="圆通"),
        pytest.param("SF1390001112223", id="顺丰"),
        pytest.param("75812345678901", id="14 digits"),
        pytest.param("9800000000001", id="13 digits"),
        pytest.param("139000111222", id="12 digits: an old 顺丰 number"),
        pytest.param("JDVC00000000001-1-1-", id="京东"),
        pytest.param("RR000000005CN", id="S10"),
        pytest.param("2026-03-05 11:31:02", id="a time"),
        pytest.param("1**********/0371********", id="starred by the carrier"),
        pytest.param("0757-********", id="landline starred by the carrier"),
        pytest.param("快件已签收", id="no digits"),
    ],
)
def test_what_is_no_phone_or_hidden_already_stays(text: str) -> None:
    assert mask_phones(text) == text


@pytest.mark.parametrize("text", ["138****0036", "1380*****01"])
def test_a_carriers_own_mask_is_deepened_to_six_digits(text: str) -> None:
    masked = mask_phones(text)
    assert masked.count("*") == 6
    assert masked[:3] + masked[-2:] == text[:3] + text[-2:]


texts = st.text(alphabet="0123456789-* +86电话转(),.aZ快１０", max_size=60)
mobiles = st.from_regex(r"1[0-9]{10}", fullmatch=True)
landlines = st.from_regex(r"0(10|2[0-9]|[3-9][0-9]{2})-[0-9]{7,8}", fullmatch=True)
words = st.text(alphabet="快件已签收，。【】 :", max_size=20)


@settings(deadline=None)
@given(texts)
def test_masking_twice_is_masking_once_and_keeps_the_length(text: str) -> None:
    once = mask_phones(text)
    assert mask_phones(once) == once
    assert len(once) == len(text)


@settings(deadline=None)
@given(texts)
def test_no_whole_phone_is_left(text: str) -> None:
    plain = unicodedata.normalize("NFKC", mask_phones(text))
    assert re.search(MOBILE, plain, re.ASCII) is None
    assert re.search(LANDLINE, plain, re.ASCII) is None


@settings(deadline=None)
@given(words, mobiles | landlines, words)
def test_at_least_six_digits_are_hidden(before: str, phone: str, after: str) -> None:
    masked = mask_phones(before + phone + after)
    assert masked.count("*") >= 6
    assert masked.startswith(before)
    assert masked.endswith(after)


@settings(deadline=None)
@given(words, st.from_regex(r"[0-9]{13,20}", fullmatch=True), words)
def test_a_longer_run_of_digits_is_never_touched(before: str, number: str, after: str) -> None:
    assert mask_phones(before + number + after) == before + number + after


@pytest.mark.parametrize(
    ("text", "limit", "cleaned"),
    [
        ("快件\u202e已签收", 20, "快件已签收"),
        ("快\u200b件\ufeff\x00\x1b[31m", 20, "快件[31m"),
        ("第一行\r\n第二行\t三", 20, "第一行 第二行 三"),
        ("一半\ud83d", 20, "一半"),
        ("  快件  ", 20, "快件"),
        ("快件已签收", 5, "快件已签收"),
        ("快件已签收", 4, "快件已…"),
        ("e\u0301e\u0301e\u0301", 4, "e\u0301…"),
        ("快件", 0, ""),
    ],
)
def test_clean(text: str, limit: int, cleaned: str) -> None:
    assert clean(text, limit) == cleaned


@settings(deadline=None)
@given(st.text(max_size=80), st.integers(0, 40))
def test_cleaned_text_is_visible_short_and_can_be_written(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    cleaned.encode()
    assert not {unicodedata.category(mark) for mark in cleaned} & {"Cc", "Cs", "Zl", "Zp"}
    assert clean(cleaned, limit) == cleaned


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        pytest.param(
            "电话138\u200b0013\u200b8000", 50, "电话138******00", id="split by invisible characters"
        ),
        pytest.param("电话13800138000", 9, "电话138***…", id="a cut leaves no half phone"),
    ],
)
def test_safe_text_masks_before_it_cuts_and_after_it_cleans(text: str, limit: int, shown: str) -> None:
    assert safe_text(text, limit) == shown


@pytest.mark.parametrize("bait", ["138", "1 ", "1*", "0571-", "+86", "1-3", "1" * 11 + "-"])
def test_hostile_text_cannot_hang_the_mask(bait: str) -> None:
    hostile = bait * (100_000 // len(bait))
    started = perf_counter()
    assert len(mask_phones(hostile)) == len(hostile)
    assert perf_counter() - started < 5, "a hundred kilobytes take some 50 ms"
