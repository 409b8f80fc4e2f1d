"""One key for every spelling (`facts/carriers-codes.csv`, `facts/import-formats.md` §4, 23)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carriers.names import (
    CARRIERS,
    NOT_WATCHED,
    Carrier,
    canonical,
    display,
    nearest,
    phone_needed,
    s10_is_valid,
    shape_hint,
    watched,
)

CODES = Path(__file__).parents[2].parent / "shared" / "facts" / "carriers-codes.csv"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("顺丰", "shunfeng"),
        ("顺丰速运", "shunfeng"),
        ("顺丰快递", "shunfeng"),
        ("SF", "shunfeng"),
        ("shunfeng", "shunfeng"),
        ("圆通", "yuantong"),
        ("圆通速递", "yuantong"),
        ("圆通快递", "yuantong"),
        ("ＹＴＯ", "yuantong"),
        ("YTO Express", "yuantong"),
        ("圆通速递有限公司", "yuantong"),
        ("圆通速递（电子面单）", "yuantong"),
        (" 中 通 快 递 ", "zhongtong"),
        ("\ufeff中通\u200b", "zhongtong"),
        ("ZhongTong", "zhongtong"),
        ("申通物流", "shentong"),
        ("韵达速运", "yunda"),
        ("J&T", "jtexpress"),
        ("Ｊ＆Ｔ Express", "jtexpress"),
        ("极兔", "jtexpress"),
        ("JTSD", "jtexpress"),
        ("京东物流", "jd"),
        ("京东快递", "jd"),
        ("EMS", "ems"),
        ("ems", "ems"),
        ("中国邮政", "youzhengguonei"),
        ("邮政快递包裹", "youzhengguonei"),
        ("德邦快递", "debangkuaidi"),
        ("德邦物流", "debangwuliu"),
        ("汇通快递", "huitongkuaidi"),
        ("丹鸟快递", "danniao"),
        ("优速快递", "youshuwuliu"),
        ("安能快运", "annengwuliu"),
        # freight is another carrier
        ("顺丰快运", "shunfengkuaiyun"),
        ("中通快运", "zhongtongkuaiyun"),
        ("韵达快运", "yundakuaiyun"),
        ("京东快运", "jingdongkuaiyun"),
        ("德邦快运", "debangwuliu"),
        ("百世快运", "baishiwuliu"),
        # 快递100 knows more carriers than we list
        ("huaxialongwuliu", "huaxialongwuliu"),
    ],
)
def test_every_spelling_has_one_key(written: str, key: str) -> None:
    assert canonical(written) == key


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("圆通快运", id="a freight arm we do not know is not the parcel arm"),
        pytest.param("申通快运", id="no more is this"),
        pytest.param("顺丰物流", id="parcels or freight?"),
        pytest.param("百世", id="parcels or freight, both old"),
        pytest.param("邮政", id="four carriers"),
        pytest.param("飞毛腿快递", id="nobody"),
        pytest.param("快递", id="a trade and no name"),
        pytest.param("其他", id="other"),
        pytest.param("无需物流", id="no carrier"),
        pytest.param("", id="empty"),
        pytest.param("nan", id="a spreadsheet's empty cell"),
        pytest.param("two words", id="a sentence is no code"),
        pytest.param("FOOBAR", id="capitals are nobody's code"),
        pytest.param("x" * 40, id="too long for a code"),
    ],
)
def test_nobodys_name_and_two_carriers_name_is_none(written: str) -> None:
    assert canonical(written) is None


def facts() -> list[dict[str, str]]:
    if not CODES.exists():
        return []
    with CODES.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("row", facts(), ids=lambda row: row["key"])
def test_the_facts_table(row: dict[str, str]) -> None:
    key = row["kuaidi100"].split(" ")[0]
    spellings = [
        *row["names_zh"].split(";"),
        row["key"],
        row["kdniao"],
        row["kdniao"].lower(),
        key,
        key.upper(),
    ]
    assert {canonical(spelling) for spelling in spellings if spelling} == {key}
    assert display(key) != key, "it has a Chinese name"
    if row["phone_needed"].startswith("yes"):
        assert phone_needed(key)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_key_or_none_and_a_key_is_its_own(text: str) -> None:
    key = canonical(text)
    assert key is None or canonical(key) == key
    assert len(nearest(text)) <= 3


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.key)
def test_what_people_read_is_understood(carrier: Carrier) -> None:
    assert canonical(display(carrier.key)) == carrier.key


@pytest.mark.parametrize(
    ("key", "name"), [("zhongtong", "中通快递"), ("ems", "EMS"), ("huaxialongwuliu", "huaxialongwuliu")]
)
def test_display(key: str, name: str) -> None:
    assert display(key) == name


@pytest.mark.parametrize(
    ("written", "meant"),
    [("中同快递", "中通快递"), ("顺丰物流", "顺丰速运"), ("圆通快运", "圆通速递"), ("FEDEX", "FedEx")],
)
def test_nearest_names_come_first(written: str, meant: str) -> None:
    assert nearest(written)[0] == meant


def test_nearest_of_nonsense_is_nothing() -> None:
    assert nearest("飞毛腿") == ()


@pytest.mark.parametrize("written", [*sorted(NOT_WATCHED), " 无需 物流"])
def test_no_carrier_takes_these(written: str) -> None:
    assert not watched(written)


@pytest.mark.parametrize("written", ["中通", "其他", ""])
def test_everything_else_is_watched(written: str) -> None:
    assert watched(written)


@pytest.mark.parametrize(
    ("key", "number", "hint"),
    [
        ("shunfeng", "SF1390001112223", True),
        ("shunfeng", "139000111222", True),
        ("shunfeng", "YT8812345678901", False),
        ("zhongtong", "75812345678901", True),
        ("zhongtong", "7581234567890123", False),
        ("yuantong", " yt8812345678901 ", True),
        ("shentong", "773012345678901", True),
        ("shentong", "7730123456789", True),
        ("shentong", "883012345678901", False),
        ("yunda", "432100000000001", True),
        ("jtexpress", "JT0012345678901", True),
        ("jd", "JDVC00000000001-1-1-", True),
        ("jd", "JDVC00000000001", True),
        ("ems", "9800000000001", True),
        ("ems", "RR123456785CN", True),
        ("ems", "RR123456784CN", False),
        ("emsguoji", "RR000000005CN", True),
        ("emsguoji", "9800000000001", False),
        ("debangkuaidi", "DPK202312345678", True),
        ("yunda", "４３２１００００００００００１", False),
        # nothing is known of these
        ("zhaijisong", "A1", None),
        ("huaxialongwuliu", "A1", None),
    ],
)
def test_a_shape_is_a_hint(key: str, number: str, hint: bool | None) -> None:
    assert shape_hint(key, number) is hint


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("RR123456785CN", True),  # the worked example of the facts: sum 204, check 5
        ("RR123456780CN", False),
        ("RR000000005CN", True),  # sum 0: 11 becomes 5
        ("RR000040000CN", True),  # 4 × 3 = 12, 12 mod 11 = 1: 10 becomes 0
        ("RR12345678CN", False),
        ("1R123456785CN", False),
    ],
)
def test_the_postal_check_digit(number: str, valid: bool) -> None:
    assert s10_is_valid(number) is valid
