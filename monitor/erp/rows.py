"""Values out of an ERP's rows. Raises `Unfit`, in a merchant's words, for what cannot be what its field says.

Numbers are often text and texts often numbers (`facts/carriers-orders-erp.md`); JSON's whole numbers are exact,
so a long one is as good as its text. A fraction is no name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from carriers.names import CARRIERS, canonical
from domain.masking import mask_phones, safe_text, visible
from domain.numbers import looks_like, shape_hint
from domain.remote import Unreadable
from domain.time import SHANGHAI
from monitor.erp.base import Outbound, Parcel, Poisoned
from monitor.erp.outline import outline
from monitor.intake import values
from monitor.intake.values import Unfit

__all__ = [
    "beijing", "carrier_of", "instant", "label", "local_text", "mapping", "mapping_of", "name", "names", "read_rows", "rows_of", "said_in", "waybills", "whole",
]  # fmt: skip

_AHEAD: Final = timedelta(days=2)
_BODY: Final = 4000
_LABEL: Final = 64
_SAID: Final = 300
_LARGEST: Final = 2**63
_TELLING_LETTERS: Final = 2


def mapping(value: Any) -> Mapping[str, Any]:
    """An object. Raises `Unfit`."""
    if not isinstance(value, dict):
        raise Unfit("not_an_object", "这一行不是对象")
    return value


def mapping_of(value: Any) -> Mapping[str, Any]:
    """An object of an answer. Raises `Unreadable`."""
    try:
        return mapping(value)
    except Unfit:
        raise Unreadable("回答不是对象") from None


def rows_of(told: Mapping[str, Any], key: str, *, at_least: int = 0) -> Sequence[Any]:
    """The list of rows of an answer; null is an empty one. Raises `Unreadable`.

    A list that is missing, or empty though the answer itself counts rows for this page (`at_least`), is no empty
    page: a service that renamed its field would else be taken for a shop that does nothing.
    """
    if key not in told:
        raise Unreadable(f"回答里没有 {key}")
    value = told[key]
    if value is not None and not isinstance(value, list):
        raise Unreadable(f"{key} 不是列表")
    if not value and at_least > 0:
        raise Unreadable(f"回答说这一页还有 {at_least} 行，而 {key} 是空的")
    return value or ()


def name(row: Mapping[str, Any], key: str) -> str:
    """A number that is a name, or nothing where it is missing. Raises `Unfit`, also for words with a phone in them."""
    return _nobodys_phone(_name(row, key), key)


def _name(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unfit("bad_value", f"{key} 不是文字")
    if isinstance(value, int):
        if abs(value) >= _LARGEST:
            raise Unfit("bad_value", f"{key} 太长，不是号码")
        return str(value)
    return values.identifier(value)[0]


def _nobodys_phone(number: str, key: str) -> str:
    """The number. Raises `Unfit`, without repeating it, for one that is no bare digits and holds a phone."""
    if values.wordy(number) and mask_phones(number) != number:
        raise Unfit("phone_number", f"{key} 里面像有电话号码，不能当作号码")
    return number


def said_in(told: Mapping[str, Any], key: str) -> str:
    """What a service says of an outcome, as it may be kept and told: short, visible, without phones."""
    return safe_text(str(told.get(key) or "")[:_BODY], _SAID)


def label(row: Mapping[str, Any], key: str) -> str:
    """What something is called, without phones; nothing where it is no text or number. Never a reason to put a row aside."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    shown = "".join(each for each in str(value)[:200] if each.isprintable())
    return values.text(mask_phones(visible(shown)))[:_LABEL]


def names(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The numbers of a field that may hold several (quirk 10 of the files). Raises `Unfit`, as `name` does."""
    value = row.get(key)
    if isinstance(value, str) and any(each.isalpha() and not each.isascii() for each in value):
        _nobodys_phone(
            visible(value), key
        )  # a name before a phone: apart, the phone would pass for bare digits
    return tuple(_nobodys_phone(each, key) for each in _names(row, key))


def _names(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = row.get(key)
    if isinstance(value, str):
        return tuple(values.identifier(part)[0] for part in values.split_list(value))
    one = _name(row, key)
    return (one,) if one else ()


def waybills(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The waybill numbers of a field. Raises `Unfit`."""
    return tuple(values.waybill_no(each)[0] for each in _names(row, key))


def whole(row: Mapping[str, Any], key: str) -> int | None:
    """A whole number, also one written as text; None where it is missing. Raises `Unfit`."""
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unfit("bad_value", f"{key} 不是整数")
    try:
        found = int(value) if len(str(value)) < _LABEL else _LARGEST
    except ValueError:
        found = _LARGEST
    if abs(found) >= _LARGEST:
        raise Unfit("bad_value", f"{key} 不是整数：{values.quoted(str(value)[:40])}")
    return found


def beijing(row: Mapping[str, Any], key: str, now: datetime) -> datetime | None:
    """A Beijing time as text; None where it is missing or a zero date. Raises `Unfit`."""
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unfit("bad_time", f"{key} 不是时间文字")
    read = values.moment(value, SHANGHAI, latest=now + _AHEAD)
    return None if read is None else read.at


def instant(row: Mapping[str, Any], key: str, now: datetime) -> datetime | None:
    """Epoch milliseconds where it is a number, a Beijing time where it is text. Raises `Unfit`."""
    value = row.get(key)
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return beijing(row, key, now)
    try:
        at = datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        raise Unfit("bad_time", f"{key} 不是毫秒时间") from None
    return beijing({key: at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")}, key, now) if value else None


def local_text(at: datetime) -> str:
    """A moment as these services want it: Beijing time, whole seconds."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def carrier_of(known: str | None, waybill_no: str, named: str) -> str:
    """Our key: what the ERP's own type says, then the number's letters, then the name; nothing where none tells.

    Names are typed by hand there (中通电商): one that begins with a carrier's is taken for that carrier's.
    """
    if known:
        return known
    by_name = canonical(named) if not named.isascii() else _by_code(named)
    told = looks_like(waybill_no)
    if told:
        return by_name if by_name in told else _first(told)
    lettered = [each.key for each in CARRIERS if _letters(waybill_no) and shape_hint(each.key, waybill_no)]
    if lettered:
        return by_name if by_name in lettered else lettered[0]
    return by_name or _by_beginning(named)


def _by_code(text: str) -> str | None:
    """A carrier of our table by a code; a strange code is no carrier's here."""
    key = canonical(text)
    return key if key in {each.key for each in CARRIERS} else None


def _first(keys: Iterable[str]) -> str:
    """Parcels before freight: the table's order."""
    return next(each.key for each in CARRIERS if each.key in keys)


def _letters(number: str) -> bool:
    """Its letters tell something: not bare digits, and no foreign postal number (its last two are a country)."""
    return number[:_TELLING_LETTERS].isalpha() and (
        not number[-2:].isalpha() or number.upper().endswith("CN")
    )


def _by_beginning(named: str) -> str:
    """The carrier with the longest name that the text begins with."""
    folded = "".join(named.split())
    spelled = {
        text: each.key for each in CARRIERS for text in (each.name, *each.others) if not text.isascii()
    }
    begun = [text for text in spelled if folded.startswith(text)]
    return spelled[max(begun, key=len)] if begun else ""


def parcel(row: Mapping[str, Any], number: str, known: str | None, named: str) -> Parcel:
    """One waybill with whose it is. Raises `Unfit` for a phone's number where nothing names a carrier."""
    key = carrier_of(known, number, named)
    if not key and not named and mask_phones(number) != number:
        raise Unfit("phone_number", f"运单号{values.quoted(number)}像电话号码，又没有写快递公司")
    return Parcel(number, key, named)


def read_rows(
    rows: Sequence[Any],
    read: Callable[[Mapping[str, Any]], Outbound],
    named_by: Sequence[str],
    fields: Set[str],
) -> tuple[tuple[Outbound, ...], tuple[Poisoned, ...]]:
    """The documents of a page; a row that cannot be read stops only itself.

    `named_by`: fields that may name it. `fields`: those whose values may be kept of it.
    """
    documents: list[Outbound] = []
    poisoned: list[Poisoned] = []
    for row in rows:
        try:
            documents.append(read(mapping(row)))
        except (
            Unfit,
            KeyError,
            TypeError,
            ValueError,
            ArithmeticError,
            AttributeError,
            RecursionError,
        ) as error:
            poisoned.append(_aside(row, named_by, fields, error))
    return tuple(documents), tuple(poisoned)


def _aside(row: Any, named_by: Sequence[str], fields: Set[str], error: Exception) -> Poisoned:
    told = row if isinstance(row, dict) else {}
    number = next((found for key in named_by if (found := _number(told, key))), "")
    why = str(error) if isinstance(error, Unfit) else f"读不下去（{type(error).__name__}）"
    body = json.dumps(outline(row, fields), ensure_ascii=False, default=str)[:_BODY]
    return Poisoned(number, _takeable(why), _takeable(body))


def _number(row: Mapping[str, Any], key: str) -> str:
    """What names a row nobody can read: as it would be named, else whatever stands there."""
    try:
        return name(row, key)
    except Unfit:
        value = row.get(key)
        return _takeable(mask_phones(visible(str(value)))[:_LABEL]) if isinstance(value, str | int) else ""


def _takeable(text: str) -> str:
    """Text that every database and every file takes: without NUL and half surrogate pairs."""
    return "".join("\ufffd" if each == "\0" or "\ud800" <= each <= "\udfff" else each for each in text)
