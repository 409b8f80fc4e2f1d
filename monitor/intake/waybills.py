"""Which carrier has a waybill: named by the file, or told by the number's letters.

Numbers and names are never repaired here; what does not fit is `Unfit`, in a merchant's words.
"""

from __future__ import annotations

import re
from typing import Final

from carriers.names import canonical, nearest, shape_hint
from carriers.recognise import guesses, likeliest
from domain.masking import mask_phones
from domain.orders import UNNAMED
from monitor.intake.values import Cell, Unfit, quoted, split_list, text

__all__ = ["carrier_by_shape", "carriers", "check_zeros"]

_DIGITS: Final = re.compile(r"\d{10,20}", re.ASCII)
"""A number of which no shape was observed."""


def carriers(cell: Cell, count: int) -> tuple[str, ...]:
    """The carrier of each of `count` waybills: one name for all, or as many names as numbers.

    Raises `Unfit` for a name nobody has.
    """
    name = text(cell)
    key = canonical(name)
    if key is not None:
        return (key,) * count
    parts = [text(part) for part in split_list(name)]
    keys = tuple(filter(None, map(canonical, parts)))
    if len(keys) == len(parts) == count:
        return keys
    if keys and len(keys) == len(parts):
        raise Unfit("unknown_carrier", f"写了 {len(keys)} 家快递公司，却有 {count} 个运单号，对不上")
    alike = "、".join(nearest(name))
    hint = f"；相近的有：{alike}" if alike else ""
    raise Unfit("unknown_carrier", f"认不出快递公司{quoted(name)}{hint}")


def carrier_by_shape(cell: Cell) -> str:
    """Whose number this is, where its letters tell; `UNNAMED` for a number that may be several carriers'.

    Bare digits never tell: they are watched all the same, and whose they are is asked later. Raises `Unfit` for
    what looks like nobody's number, or like somebody's phone: with a carrier named it may be a waybill all the same.
    """
    number = text(cell)
    if mask_phones(number) != number:
        words = f"{quoted(number)}像电话号码，不登记为运单；确实是运单号的，请填“快递公司”"
        raise Unfit("phone_number", words)
    found = guesses(number)
    if found or _DIGITS.fullmatch(number):
        return likeliest(found) or UNNAMED
    raise Unfit("missing_carrier", f"没有写快递公司，单号{quoted(number)}也看不出是哪家；请填“快递公司”")


def check_zeros(key: str, cell: Cell) -> None:
    """Raise `Unfit` for a number out of a number cell that would be its carrier's with zeros before it."""
    number = text(cell)
    if shape_hint(key, number) is not False:
        return
    if any(shape_hint(key, number.rjust(length, "0")) for length in range(len(number) + 1, 16)):
        words = f"只有 {len(number)} 位，前面的 0 被电子表格丢掉了；请把这一列设为文本格式后重新导出"
        raise Unfit("number_damaged", words)
