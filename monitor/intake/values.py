"""Cells: what one says once the marks of spreadsheets and back offices are taken off it.

Every function takes a cell as a reader hands it over (text from CSV and HTML, typed values from
workbooks) and returns a value or raises `Unfit`, which says why in a merchant's words. Digits are
never guessed: a number a spreadsheet has rounded is refused (`facts/import-formats.md` §4).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from domain.masking import mask_phones, safe_text, visible

__all__ = [
    "Cell",
    "Moment",
    "Precision",
    "Unfit",
    "blank",
    "clean",
    "heading_key",
    "harmless",
    "identifier",
    "moment",
    "money",
    "order_no",
    "wordy",
    "quoted",
    "shown",
    "split_list",
    "text",
    "waybill_no",
    "without_label",
]

Cell: TypeAlias = str | int | float | bool | datetime | date | time | timedelta


class Unfit(ValueError):
    """A cell that cannot be what its column says. `reason` is the code, the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


_DIRECTIONS: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE: Final = "\x00\u00ad\u180e\u200b\u200c\u200d\u2060\ufeff" + _DIRECTIONS
_EDGES: Final = (
    " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + _INVISIBLE
    + "".join(map(chr, range(0x2000, 0x200B)))
)
_QUOTED_FORMULA: Final = re.compile(r'="(.*)"', re.DOTALL)
_EMPTY: Final = frozenset({"", "-", "--", "无", "无权限", "n/a", "#n/a", "nan", "none", "null"})
_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def clean(raw: str) -> str:
    """`raw` without blanks of any width at both ends, one leading apostrophe and `="…"` (quirks 2–4)."""
    if raw.isalnum() or not raw:
        return raw
    return _remembered(raw) if len(raw) <= 40 else _cleaned(raw)


def _cleaned(raw: str) -> str:
    stripped = raw.strip(_EDGES)
    apostrophe = stripped.startswith("'")
    if apostrophe:
        stripped = stripped[1:].strip(_EDGES)
    wrapped = _QUOTED_FORMULA.fullmatch(stripped)
    if wrapped:
        stripped = wrapped[1].strip(_EDGES)
        if stripped.startswith("'") and not apostrophe:
            stripped = stripped[1:].strip(_EDGES)
    return stripped


_remembered: Final = lru_cache(maxsize=8192)(_cleaned)
"""Status words, shops and numbers come again and again; long cells are not worth the memory."""


def shown(cell: Cell) -> str:
    """A cell as people see it, unchanged if it is text. Numbers of 16 digits and more keep their E+."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        if not isfinite(cell) or abs(cell) >= _EXACT:
            return f"{cell:.14E}"
        return str(int(cell)) if cell == int(cell) else repr(cell)
    return cell.isoformat(" ") if isinstance(cell, datetime) else str(cell)


def blank(cell: Cell) -> bool:
    """Nothing in it, or one of the words back offices write for nothing (quirk 6)."""
    return isinstance(cell, str) and not text(cell)


def text(cell: Cell) -> str:
    """The cell as trimmed text; the words for nothing give an empty one."""
    if not isinstance(cell, str):
        return shown(cell)
    if not cell:
        return cell
    cleaned = clean(cell)
    return "" if len(cleaned) < 5 and cleaned.lower() in _EMPTY else cleaned


def harmless(cell: Cell) -> str:
    """A cell's words as they may be kept and matched: visible characters only, nobody's phone among them."""
    return mask_phones(visible(text(cell))).strip()


def quoted(cell: Cell) -> str:
    """A few characters of a cell for a message: visible ones, phones hidden."""
    return f"“{safe_text(text(cell), 24)}”"


def heading_key(raw: str) -> tuple[str, str]:
    """A heading in the form it is compared in: whole, and without its bracketed suffix (quirk 5)."""
    folded = unicodedata.normalize("NFKC", clean(raw)).lower()
    whole = "".join(letter for letter in folded if letter not in _EDGES).strip("*'")
    bare = whole
    while bare.endswith(")") and "(" in bare[1:]:
        bare = bare[: bare.rindex("(")]
    return whole, bare


_EXACT: Final = 10**15
_SCIENTIFIC: Final = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,3}")
_DECIMAL: Final = re.compile(r"(\d+)\.(\d+)")
_DAMAGED: Final = "{}已被电子表格改坏，原来的号码无法恢复；请重新导出，或先把这一列设为文本格式"


def identifier(cell: Cell) -> tuple[str, bool]:
    """A number that is a name (order, waybill) and whether it passed through a number cell (quirk 7).

    Raises `Unfit` for scientific notation, more than 15 digits in a number cell, and fractions.
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if not isfinite(cell) or not 0 <= cell < _EXACT or cell != int(cell):
            raise Unfit("number_damaged", _DAMAGED.format(quoted(cell)))
        return str(int(cell)), True
    name = text(cell)
    if _SCIENTIFIC.fullmatch(name):
        raise Unfit("number_damaged", _DAMAGED.format(quoted(name)))
    fraction = _DECIMAL.fullmatch(name)
    if fraction:
        if fraction[2].strip("0") or len(fraction[1]) > 15:
            raise Unfit("number_damaged", _DAMAGED.format(quoted(name)))
        return fraction[1], True
    if len(name) > 64 or not name.isprintable():
        raise Unfit("bad_number", f"{quoted(name)}不是号码：太长，或夹有换行和看不见的字符")
    return name, False


def order_no(cell: Cell) -> tuple[str, bool]:
    """An order number, as `identifier`. Raises `Unfit`, without repeating it, where words hold somebody's phone.

    Bare digits are no words: a platform's order may well be numbered like a phone.
    """
    name, from_number = identifier(cell)
    if wordy(name) and mask_phones(name) != name:
        raise Unfit("phone_number", "里面像有电话号码，不能当作单号；请只填单号")
    return name, from_number


_LABEL: Final = re.compile(r"(?<![0-9A-Za-z])No\s*[:：]\s*", re.IGNORECASE)


def without_label(cell: Cell) -> Cell:
    """A waybill cell without `No:` before its numbers.

    Unverified: 千牛's exports are said to write it so, and no sample of ours does. No waybill number holds a colon,
    so taking it off harms nothing.
    """
    return _LABEL.sub("", cell) if isinstance(cell, str) else cell


_WAYBILL: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,39}")


def waybill_no(cell: Cell) -> tuple[str, bool]:
    """One waybill number, as `identifier`, in capitals; full-width letters and digits become plain ones."""
    name, from_number = identifier(cell)
    name = name.translate(_FULL_WIDTH).upper()
    if not _WAYBILL.fullmatch(name):
        raise Unfit("bad_waybill", f"{quoted(name)}不是运单号：只能有字母、数字和连字符")
    return name, from_number


_BETWEEN: Final = re.compile(r"[\s,，;；、\u200b\ufeff]+")


def split_list(cell: Cell) -> tuple[Cell, ...]:
    """The parts of a cell that holds several numbers or names (quirk 10), each once, in order."""
    if not isinstance(cell, str):
        return (cell,)
    parts = (clean(part) for part in _BETWEEN.split(clean(cell)))
    return tuple(dict.fromkeys(part for part in parts if part.lower() not in _EMPTY))


class Precision(StrEnum):
    """How much of a time was written down."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC: the later end of what was written, so that nobody is accused early (quirk 8)."""

    at: datetime
    precision: Precision = Precision.SECOND


_EARLIEST: Final = datetime(2010, 1, 1, tzinfo=UTC) - timedelta(hours=14)
_SERIAL_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook's day numbers have no zone
_SERIALS: Final = (40_000.0, 80_000.0)
_WRITTEN: Final = re.compile(
    r"(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?"
    r"(?:[T\s]*(\d{1,2})[:时](\d{1,2})(?:分?$|[:分](\d{1,2})(?:\.(\d{1,9}))?秒?)?)?\s*(Z|[+-]\d{2}:?\d{2})?"
)
_NEVER: Final = re.compile(r"0000[-/]00[-/]00.*")


def moment(cell: Cell, zone: ZoneInfo, *, latest: datetime) -> Moment | None:
    """The time in a cell, read in `zone` unless it names its own; None for an empty one.

    Takes ISO 8601, what spreadsheets make of it, and their day numbers (quirks 8 and 9). Raises
    `Unfit` when it is none of these, before 2010, or after `latest`.
    """
    if blank(cell) or (isinstance(cell, str) and _NEVER.fullmatch(clean(cell))):
        return None
    try:
        wall, precision = _wall(cell)
        if wall.tzinfo is None:
            wall = wall.replace(tzinfo=zone)
        at = wall.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit("bad_time", f"{quoted(cell)}不是时间；请写成 2026-09-10 08:05:00 这样") from None
    if at < _EARLIEST:
        raise Unfit("bad_time", f"{quoted(cell)}早于 2010 年，不可能是这一单的时间")
    if at > latest:
        raise Unfit("bad_time", f"{quoted(cell)}晚于允许的最晚时间，请核对年月日")
    return Moment(at, precision)


def _wall(cell: Cell) -> tuple[datetime, Precision]:
    """The wall clock a cell shows, naive unless it has an offset. Raises ValueError."""
    if isinstance(cell, datetime):
        return _to_second(cell), Precision.SECOND
    if isinstance(cell, date):
        return datetime.combine(cell, time(23, 59, 59)), Precision.DAY
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _from_serial(float(cell))
    if not isinstance(cell, str):
        raise ValueError("a length, not a moment")
    written = unicodedata.normalize("NFKC", clean(cell)).strip()
    if re.fullmatch(r"\d{5}(\.\d+)?", written):
        return _from_serial(float(written))
    return _from_text(written)


def _from_serial(days: float) -> tuple[datetime, Precision]:
    """A workbook's day number, 46344.33: whole seconds, as fractions of a day are rounded."""
    if not _SERIALS[0] <= days <= _SERIALS[1]:
        raise ValueError("not a day number of our times")
    if days == int(days):
        return _SERIAL_ZERO + timedelta(days=days, hours=23, minutes=59, seconds=59), Precision.DAY
    return _to_second(_SERIAL_ZERO + timedelta(days=days)), Precision.SECOND


def _to_second(moment: datetime) -> datetime:
    return (moment + timedelta(milliseconds=500)).replace(microsecond=0)


def _from_text(written: str) -> tuple[datetime, Precision]:
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise ValueError("not a time")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    zone = datetime.strptime(offset.replace("Z", "+0000"), "%z").tzinfo if offset else None
    whole = datetime(int(year), int(month), int(day), tzinfo=zone)
    if hour is None:
        return whole.replace(hour=23, minute=59, second=59), Precision.DAY
    whole = whole.replace(hour=int(hour), minute=int(minute))
    if second is None:
        return whole.replace(second=59), Precision.MINUTE
    micros = int((fraction or "0").ljust(6, "0")[:6])
    return whole.replace(second=int(second), microsecond=micros), Precision.SECOND


_MONEY: Final = re.compile(
    r"[¥￥]?\s*(-?)((?:\d{1,3}(?:[,，]\d{3})+|\d+)(?:\.\d+)?(?:[eE]\+?\d{1,2})?)\s*元?"
)
_MOST_YUAN: Final = 10**9


def money(cell: Cell) -> Decimal | None:
    """Yuan, or None for an empty cell. Raises `Unfit` for anything else; below nothing and from 10⁹ on as well."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        written = f"{cell:.2f}" if isinstance(cell, float) else str(cell)
    else:
        written = text(cell)
    if not written:
        return None
    match = _MONEY.fullmatch(written)
    if match is None:
        raise Unfit("bad_amount", f"{quoted(cell)}不是金额；请只写数字，如 59.90")
    amount = Decimal(re.sub("[,，]", "", match[2]))
    if match[1]:
        raise Unfit("bad_amount", f"{quoted(cell)}是负数，不会是这一单的金额")
    if amount >= _MOST_YUAN:
        raise Unfit("bad_amount", f"{quoted(cell)}太大，金额应少于十亿元，请核对")
    return Decimal(f"{amount:f}")


def wordy(name: str) -> bool:
    """Whether a number is more than one plain word: codes of shops may hold eleven digits that are no phone."""
    return not name.isascii() or any(map(str.isspace, name))
