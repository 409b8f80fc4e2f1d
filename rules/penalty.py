"""A rule's `penalty` as people write it, and every mistake in it with its place (`rules.tariff` says what it means)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from rules.tariff import CNY, SUBJECTS, Tariff, When
from rules.values import Problems, as_written, parse_days, text, words

__all__ = ["parse_penalty", "parse_share"]

_ORDER, _PARCEL = "order", "parcel"


def parse_penalty(value: Any, path: Sequence[str | int], problems: Problems) -> tuple[Tariff, ...]:
    """A rule's `penalty`; what is wrong goes to `problems`, each with its place."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        problems.at(path, "penalty 要写成表的列表，如 [{ pct = 5, min = 5, max = 50 }]")
        return ()
    return tuple(_entry(each, (*path, index), problems) for index, each in enumerate(value))


def parse_share(table: Mapping[str, Any], path: Sequence[str | int], problems: Problems) -> Tariff:
    """A part of the amount and the most it may be: `pct`, `max` (yuan), one of them or both."""
    said = {key: problems.read((*path, key), _KEYS[key], value) for key, value in table.items()}
    return Tariff(percent=said.get("pct"), cap=said.get("max"))


def _entry(table: Any, path: Sequence[str | int], problems: Problems) -> Tariff:
    if not isinstance(table, Mapping):
        problems.at(path, f"每一条罚则要写成表，如 {{ flat = 3 }}（现在是 {table!r}）")
        return Tariff()
    for key in sorted(table.keys() - _KEYS.keys()):
        problems.unknown_key(path, key, list(_KEYS))
    said = {
        key: problems.read((*path, key), parse, table[key]) if key in table else None
        for key, parse in _KEYS.items()
    }
    days = {key: table[key] for key in ("since", "until") if key in table}
    place = (*path, *(days if len(days) == 1 else ()))
    since, until = (problems.read(place, parse_days, days) if days else None) or (None, None)
    _check(said, table, path, problems)
    return Tariff(
        flat=said["flat"],
        percent=said["pct"],
        times=said["times_goods_value"],
        floor=said["min"],
        cap=said["max"],
        points=said["points"] or 0,
        currency=said["currency"] or CNY,
        when=said["when"],
        since=since,
        until=until,
        per_parcel=said["per"] == _PARCEL,
        confidence=said["confidence"] or "",
        source=said["source"] or (),
        note=said["note"] or "",
    )


def _check(
    said: Mapping[str, Any], table: Mapping[str, Any], path: Sequence[str | int], problems: Problems
) -> None:
    """Mistakes that only show when the keys of one entry are read together."""
    amounts = [key for key in ("flat", "pct", "times_goods_value") if key in table]
    if len(amounts) > 1:
        problems.at((*path, amounts[1]), f"一条罚则里 {' 和 '.join(amounts)} 只能写一个")
    if not amounts and "points" not in table:
        problems.at(path, "罚多少：要写 flat、pct、times_goods_value 或 points")
    for key in ("min", "max"):
        if key in table and "points" in table and not amounts:
            problems.at((*path, key), f"{key} 要和 pct 一起写")
    if "min" in table and "flat" in table:
        problems.at((*path, "min"), "固定金额没有 min")
    least = said["min"] if said["min"] is not None else said["flat"]
    if least is not None and said["max"] is not None and least > said["max"]:
        problems.at((*path, "max"), "max 不能小于 min 或 flat")


def _fen(value: Any) -> int:
    """Yuan as people write them, in fen."""
    fen = _number(value) * 100
    if fen != int(fen):
        raise ValueError(f"金额最多两位小数（现在是 {value!r}）")
    return int(fen)


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"要写成数字，不加引号（现在是 {value!r}）")
    number = Decimal(str(value))
    if not number.is_finite() or number < 0:
        raise ValueError(f"不能是负数（现在是 {value!r}）")
    return number


def _above_zero(value: Any) -> Decimal:
    number = _number(value)
    if not number:
        raise ValueError("必须大于零")
    return number


def _points(value: Any) -> int:
    number = _above_zero(value)
    if number != int(number):
        raise ValueError(f"分数要写成整数（现在是 {value!r}）")
    return int(number)


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise ValueError(f'币种要写三个大写字母，如 "USD"（现在是 {value!r}）')
    return value


def _per(value: Any) -> str:
    if value not in (_ORDER, _PARCEL):
        raise ValueError(f'per 要写 "{_ORDER}" 或 "{_PARCEL}"（现在是 {value!r}）')
    return str(value)


_COMPARISON: Final = re.compile(r"(\w+)\s*(<=|<|>=|>)\s*(\d+(?:\.\d+)?)")


def _when(value: Any) -> When:
    said = text(value)
    found = _COMPARISON.fullmatch(said)
    if found is None:
        if not re.fullmatch(r"\w+", said):
            raise ValueError(f'看不懂 {said!r}：要写 "paid < 300"、"promise <= 48"，或一个商品类型或标签')
        return When(said)
    if found[1] not in SUBJECTS:
        near = get_close_matches(found[1], SUBJECTS, n=1)
        hint = f"，是不是想写 {near[0]}？" if near else "；只能比较 paid（实付，元）或 promise（承诺，小时）"
        raise ValueError(f"when 不认识 {found[1]}{hint}")
    return When(found[1], found[2], Decimal(found[3]))


_KEYS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "flat": _fen,
        "pct": _above_zero,
        "min": _fen,
        "max": _fen,
        "points": _points,
        "times_goods_value": _above_zero,
        "currency": _currency,
        "when": _when,
        "since": as_written,
        "until": as_written,
        "per": _per,
        "confidence": text,
        "source": words,
        "note": text,
    }
)
"""What an entry may say, and how each key is read."""
