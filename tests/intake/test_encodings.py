"""Which encoding a text file is in (`facts/import-formats.md` §4, quirk 1), where bytes alone do not tell.

`圆通` in GBK is D4 B2 CD A8, which is valid UTF-8 by accident: a file of 圆通's parcels is told by its other words,
and by this one where it has no others.
"""

from __future__ import annotations

import pytest

from monitor.intake.files import FileRefused
from tests.intake.conftest import Reader

CHINESE = "订单号,快递公司,运单号\r\n"
OWN = "order_no,carrier,waybill_no\r\n"


def lines(carrier: str, count: int, first: int = 0) -> str:
    return "".join(f"A{n},{carrier},YT51{n:011d}\r\n" for n in range(first, first + count))


@pytest.mark.parametrize(
    ("header", "yuantong", "zhongtong"),
    [
        pytest.param(CHINESE, 20, 0, id="only 圆通"),
        pytest.param(OWN, 20, 0, id="only 圆通, and not a Chinese heading"),
        pytest.param(CHINESE, 60, 40, id="60 of 圆通, 40 of 中通"),
        pytest.param(OWN, 6, 94, id="both, and not a Chinese heading"),
        pytest.param(OWN, 300, 3, id="the lines that tell come late"),
        pytest.param(OWN, 1, 0, id="one row"),
    ],
)
@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_a_file_of_yuantongs_parcels_is_read_in_its_encoding(
    read: Reader, header: str, yuantong: int, zhongtong: int, encoding: str
) -> None:
    text = header + lines("圆通", yuantong) + lines("中通", zhongtong, yuantong)
    got = read(text.encode(encoding))
    assert got.file.encoding == encoding
    assert got.kinds() == ["shipment"] * (yuantong + zhongtong)
    assert [each.reason for each in got.file.notes if each.reason == "bad_encoding"] == []
    assert [carrier for _, carrier, _ in got.parcels()] == ["yuantong"] * yuantong + ["zhongtong"] * zhongtong


def test_a_damaged_line_does_not_turn_the_file(read: Reader) -> None:
    """Neither encoding fits all of it: the headings and carriers that can be read decide."""
    text = (OWN + lines("圆通", 9)).encode("gb18030") + b"A9,\xff\xff,YT5100000000009\r\n"
    got = read(text)
    assert got.file.encoding == "gb18030"
    assert got.kinds() == ["shipment"] * 9 + ["rejected"]


@pytest.mark.parametrize("word", ["Café", "Größe", "2×3", "·"])
def test_letters_of_the_west_in_utf_8_stay_utf_8(read: Reader, word: str) -> None:
    """They are valid GB18030 too; nothing in them is a known word, so the first of the two stands."""
    got = read(f"order_no,carrier,waybill_no,shop\nA1,yto,YT5100000000001,{word}\n")
    assert got.file.encoding == "utf-8"
    assert got.orders()[0].shop == word


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_too_many_rows_are_refused_however_lines_end(
    read: Reader, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("monitor.intake.books.MAX_ROWS", 10)
    rows = (OWN + lines("圆通", 11)).replace("\r\n", end)
    with pytest.raises(FileRefused) as refused:
        read(rows)
    assert refused.value.reason == "too_many_rows"
    assert len(read((OWN + lines("圆通", 10)).replace("\r\n", end)).rows) == 10
