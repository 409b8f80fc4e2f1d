"""Which carrier's a waybill number looks like: what was observed, never a rule of the carriers'.

Shapes are those of `facts/carriers.md` and its pages. A hint for a typing check, never a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["SHAPES", "looks_like", "s10_is_valid", "shape_hint"]

_S10: Final = r"[A-Z]{2}\d{9}[A-Z]{2}"
_SF: Final = r"SF\d{13}"
_JD: Final = r"JD[0-9A-Z]{6,20}(?:-\d+){0,2}-?"

SHAPES: Final[Mapping[str, str]] = {
    "shunfeng": rf"{_SF}|\d{{12}}",
    "shunfengkuaiyun": _SF,
    "zhongtong": r"\d{12,14}",
    "yuantong": r"YT\d{13}",
    "shentong": r"77(?:\d{11}|\d{13})",
    "yunda": r"\d{13}|\d{15}",
    "jtexpress": r"JT\d{13}",
    "jd": _JD,
    "jingdongkuaiyun": _JD,
    "ems": rf"\d{{13}}|{_S10}",
    "youzhengguonei": r"\d{13}",
    "debangkuaidi": r"DPK\d+",
    "kuayue": r"KY\d+",
    "emsguoji": _S10,
    "youzhengguoji": _S10,
}
"""By our carrier key, a regular expression over the whole number in upper case."""

_TELLING: Final[Mapping[str, frozenset[str]]] = {
    _SF: frozenset({"shunfeng", "shunfengkuaiyun"}),
    r"YT\d{13}": frozenset({"yuantong"}),
    r"JT\d{13}": frozenset({"jtexpress"}),
    r"DPK\d{9,}": frozenset({"debangkuaidi"}),
}
"""Shapes that no other carrier was seen to use: letters and length. Bare digits tell nothing."""


def shape_hint(key: str, number: str) -> bool | None:
    """Whether a number looks like this carrier's; None where nothing is known. Never a refusal.

    A number of the postal S10 form must also have the right check digit.
    """
    shape = SHAPES.get(key, "")
    if not shape:
        return None
    plain = number.strip().upper()
    if re.fullmatch(shape, plain, re.ASCII) is None:
        return False
    return s10_is_valid(plain) if re.fullmatch(_S10, plain, re.ASCII) else True


def looks_like(number: str) -> frozenset[str]:
    """The carriers, by key, that alone use numbers of this shape; none where it tells nothing."""
    plain = number.strip().upper()
    return next(
        (keys for shape, keys in _TELLING.items() if re.fullmatch(shape, plain, re.ASCII)), frozenset()
    )


def s10_is_valid(number: str) -> bool:
    """The check digit of a postal number: two letters, eight digits, the check, two letters.

    Weights 8 6 4 2 3 5 9 7; 11 − (sum mod 11), where 10 becomes 0 and 11 becomes 5.
    """
    if re.fullmatch(_S10, number, re.ASCII) is None:
        return False
    weighed = zip(number[2:10], (8, 6, 4, 2, 3, 5, 9, 7), strict=True)
    check = 11 - sum(int(digit) * weight for digit, weight in weighed) % 11
    return int(number[10]) == {10: 0, 11: 5}.get(check, check)
