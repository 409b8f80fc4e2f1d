"""What holds for every file: none crashes, none loses its good rows, and our own format comes back as it went."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.orders import Order, OrderStatus
from monitor.intake.export import neutral
from monitor.intake.files import FileRefused, RowVerdict, read_orders
from monitor.intake.verdicts import ParsedWaybill, RowKind
from tests.intake.conftest import NOW, SHANGHAI
from tests.intake.workbook import package, sheet, workbook

OWN = "order_no,carrier,waybill_no"
STARTS = (
    b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"PK\x03\x04", b"PK\x05\x06", b"<table><tr><td>", b"<![", b"<?xml",
    bytes.fromhex("d0cf11e0a1b11ae1"), OWN.encode() + b"\n", OWN.encode() + b"\nA-1,yuantong,\"",
    "订单号,快递公司,快递单号\n".encode("gb18030"),
)  # fmt: skip
GOOD = workbook([["order_no", "carrier", "waybill_no"], ["A-1", "圆通", "YT2600000000001"]])


def verdicts(content: bytes, name: str = "orders.csv") -> list[RowVerdict]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return list(read_orders(path, zone=SHANGHAI, now=NOW).rows)


def survives(content: bytes) -> None:
    """Verdicts or a refusal in words; nothing else may happen."""
    refused, rows = None, []
    try:
        rows = verdicts(content)
    except FileRefused as error:
        refused = error
    assert refused is None or ("orders.csv" in str(refused) and refused.reason)
    assert all(row.problems for row in rows if row.kind in (RowKind.REJECTED, RowKind.IGNORED))
    assert all(row.order for row in rows if row.kind in (RowKind.SHIPMENT, RowKind.AWAITING))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=600))
def test_no_bytes_crash_the_reader(start: bytes, rest: bytes) -> None:
    survives(start + rest)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400))
@example('订单号,快递公司,快递单号\n"')
@example("<table><tr><td rowspan=3 colspan=2>订单号<tr><td>快递单号<tr>")
def test_no_text_crashes_the_reader(text: str) -> None:
    survives(f"订单号,快递公司,快递单号\n{text}".encode("utf-8", "replace"))
    survives(f"<table>{text}<tr><td>订单号<td>快递单号<tr>{text}".encode("utf-8", "replace"))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_no_flipped_byte_of_a_workbook_crashes_the_reader(place: int, byte: int) -> None:
    survives(GOOD[:place] + bytes([byte]) + GOOD[place + 1 :])


@settings(max_examples=100, deadline=None)
@given(st.text("<>/\"'= crvtsAZ019:&;xis", max_size=60), st.integers(0, 300))
def test_no_broken_sheet_crashes_the_reader(junk: str, place: int) -> None:
    body = sheet([["order_no", "carrier", "waybill_no"], ["A-1", "圆通", 1e15]], merged=["A1:A2"])
    survives(package({"Sheet1": body[:place] + junk + body[place:]}))


SAFE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), max_size=60)


@settings(max_examples=200, deadline=None)
@given(st.lists(SAFE, min_size=1, max_size=3))
@example(['A-9,圆通,"YT'])
@example(['"', '""', '"""'])
@example(["A-9,圆通,YT1,,,多"])
def test_a_bad_line_never_harms_the_lines_around_it(junk: list[str]) -> None:
    good = [f"GOOD-{n},圆通,YT260000000000{n},好" for n in range(4)]
    text = "\n".join([f"{OWN},备注", good[0], *junk, good[1], good[2], *junk, good[3]]) + "\n"
    read = {
        row.order.order_no for row in verdicts(text.encode()) if row.kind is RowKind.SHIPMENT and row.order
    }
    assert read >= {"GOOD-0", "GOOD-1", "GOOD-2", "GOOD-3"}


LETTERS = "甲乙丙丁店铺仓库浙江省杭州市AaZz"
NAMES = st.text(f"{LETTERS}09 -_（）'\"=,，\n", max_size=20).map(lambda text: f"甲{text}乙")
PLACES = st.one_of(st.just(""), st.text("浙江省杭州市新疆维吾尔自治区", min_size=1, max_size=12))
MOMENTS = st.one_of(
    st.none(),
    st.integers(0, 10 * 365 * 86400).map(lambda back: NOW - timedelta(seconds=back)),
)


@st.composite
def rows(draw: st.DrawFn) -> tuple[Order, tuple[ParsedWaybill, ...], str]:
    """An order as our own format can say it."""
    waybills = draw(st.lists(st.from_regex(r"[A-Z]{2}[0-9]{6,12}", fullmatch=True), max_size=3, unique=True))
    cents = draw(st.one_of(st.none(), st.integers(0, 10**9)))
    return (
        Order(
            draw(st.from_regex(r"[A-Z][0-9A-Za-z#-]{1,30}", fullmatch=True)),
            merchant=draw(NAMES),
            platform=draw(st.sampled_from(["", "taobao_tmall", "pinduoduo", "自有商城"])),
            shop=draw(NAMES),
            status=OrderStatus.SHIPPED if waybills else OrderStatus.AWAITING,
            paid_at=draw(MOMENTS),
            confirmed_at=draw(MOMENTS),
            shipped_at=draw(MOMENTS) if waybills else None,
            promised_ship_at=draw(MOMENTS),
            amount=None if cents is None else Decimal(cents) / 100,
            receiver_province=draw(PLACES),
            receiver_city=draw(PLACES),
            warehouse=draw(NAMES),
            goods_type=draw(st.sampled_from(["", "presale", "bulky"])),
            tags=frozenset(draw(st.lists(st.text(LETTERS, min_size=1, max_size=5), max_size=3))),
        ),
        tuple(ParsedWaybill("yuantong", number) for number in waybills),
        draw(st.from_regex(r"([0-9]{4})?", fullmatch=True)),
    )


COLUMNS = (
    "order_no", "merchant", "platform", "shop", "status", "paid_at", "confirmed_at", "shipped_at", "promised_ship_at",
    "amount", "receiver_province", "receiver_city", "warehouse", "goods_type", "tags",
)  # fmt: skip


def written(order: Order, waybills: tuple[ParsedWaybill, ...], tail: str) -> list[str]:
    def cell(value: object) -> str:
        if isinstance(value, datetime):
            return value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        if isinstance(value, frozenset):
            return "、".join(sorted(value))
        return "" if value is None else str(value)

    cells = [cell(getattr(order, name)) for name in COLUMNS]
    return [*cells, "圆通速递" if waybills else "", " ".join(each.waybill_no for each in waybills), tail]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(rows(), min_size=1, max_size=5),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16", "xlsx"]),
)
def test_our_own_format_comes_back_as_it_went(
    wanted: list[tuple[Order, tuple[ParsedWaybill, ...], str]], encoding: str
) -> None:
    table = [[*COLUMNS, "carrier", "waybill_no", "phone_tail"], *(written(*row) for row in wanted)]
    if encoding == "xlsx":
        content = workbook(table)
    else:
        out = io.StringIO()
        csv.writer(out, delimiter="\t" if encoding == "utf-16" else ",").writerows(table)
        content = out.getvalue().encode(encoding)
    got = verdicts(content)
    assert [(row.order, row.waybills, row.phone_tail) for row in got] == [
        (in_one_line(order), *rest) for order, *rest in wanted
    ]
    assert all(not row.problems for row in got)
    assert {warning.reason for row in got for warning in row.warnings} <= {"unknown_platform"}


def in_one_line(order: Order) -> Order:
    """Names are kept without the line breaks that a cell may have."""
    names = {each: re.sub(r"\n+", " ", getattr(order, each)) for each in ("merchant", "shop", "warehouse")}
    return replace(order, **names)


@given(st.text(max_size=30))
def test_no_cell_comes_out_as_a_formula(words: str) -> None:
    safe = neutral(words)
    assert safe.removeprefix("'") == words.removeprefix("'")
    number = safe[:1] == "-" and safe[1:].replace(".", "", 1).isdecimal()
    assert number or not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠"))


def test_moments_are_utc() -> None:
    row = verdicts(f"{OWN},paid_at\nA-1,圆通,YT1,2026-11-18 09:00:00\n".encode())[0]
    assert row.order is not None
    assert row.order.paid_at is not None
    assert row.order.paid_at.tzinfo is UTC


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_reading_twice_says_the_same(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(f"{OWN}\nA-1,圆通,YT1\nA-2,圆同,YT2\n".encode(encoding))
    first, again = (list(read_orders(path, zone=SHANGHAI, now=NOW).rows) for _ in range(2))
    assert first == again
