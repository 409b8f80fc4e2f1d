"""What breaking a rule costs, as the platforms print it: data, read from a rule's `penalty`.

    penalty = [
      { pct = 5, min = 5, max = 50, since = 2025-09-05 },     # 5 % of what the buyer paid, ¥5 to ¥50
      { when = "paid < 300", flat = 3 },                      # of the entries with `when` the first that holds
      { flat = 30, currency = "USD", when = "dispatch_pledge" },
    ]

Entries without `when` are what different sources say of the same thing: together they make a range.
`since` and `until` are days of the *breach*, in Beijing. Every dated tariff of the texts is a notice that takes
effect on a day (Tmall 2020-09-17, Pinduoduo 2025-05-15, Taobao 2025-09-05; `facts/platform-rules.md` §2, §6) and
prices what is judged from that day on; where a text speaks of orders *paid* since a day (AliExpress, §3.1) it is
the rule itself that begins, and that is the rule's `in_force`.
Money is written in yuan and kept in fen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from rules.values import Problems, parse_days, text, words

__all__ = ["CNY", "Tariff", "When", "parse_penalty", "parse_share", "yuan_zh"]

CNY: Final = "CNY"
_ORDER, _PARCEL = "order", "parcel"


@dataclass(frozen=True, slots=True)
class When:
    """Which orders an entry is about: by what was paid, by how long was promised, or by a word."""

    subject: str
    """`paid` (yuan), `promise` (hours from the payment to the promised time), or a goods type or tag."""
    sign: str = ""
    bound: Decimal = Decimal(0)

    def holds(self, value: Decimal) -> bool:
        """Whether a paid amount or promised time meets the condition."""
        return _SIGNS[self.sign](value, self.bound)

    @property
    def zh(self) -> str:
        """`实付低于 ¥300`, `承诺不超过 48 小时`, or the word itself."""
        if self.subject == "paid":
            return f"实付{_SIGNS_ZH[self.sign]} {yuan_zh(int(self.bound * 100))}"
        return f"承诺{_SIGNS_ZH[self.sign]} {self.bound} 小时" if self.subject == "promise" else self.subject


_SIGNS: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}
_SIGNS_ZH: Final = {"<": "低于", "<=": "不超过", ">": "超过", ">=": "不低于"}
_SUBJECTS: Final = ("paid", "promise")


@dataclass(frozen=True, slots=True)
class Tariff:
    """One entry. Money in fen of `currency`."""

    flat: int | None = None
    """That much; with a cap: from that much up to the cap, the text names no steps between."""
    percent: Decimal | None = None
    """Of what the buyer paid."""
    times: Decimal | None = None
    """So many times the value of the goods: of what was paid for them."""
    floor: int | None = None
    cap: int | None = None
    points: int = 0
    """Penalty points: no money, so they are told and not added up."""
    currency: str = CNY
    when: When | None = None
    since: date | None = None
    """The first day of the breach, in Beijing."""
    until: date | None = None
    """The last one."""
    per_parcel: bool = False
    """Once for the parcel, whatever orders are inside; else for each order."""
    confidence: str = ""
    source: tuple[str, ...] = ()
    note: str = ""

    @property
    def share(self) -> Decimal | None:
        """The part of the amount that is owed, as a fraction."""
        return self.times if self.percent is None else self.percent / 100

    def in_force(self, day: date) -> bool:
        """Whether the entry prices a breach of that day."""
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    @property
    def zh(self) -> str:
        """What it costs, as a person would say it: `实付的 5%（最低 ¥5，最高 ¥50）`."""
        points = f"扣 {self.points} 分" if self.points else ""
        return "，".join(each for each in (_money_zh(self), points, self.note) if each)

    @property
    def about_zh(self) -> str:
        """Which breaches it is about: `实付低于 ¥300，2025-05-15 起`; nothing where all."""
        days = (f"{day} {side}" for day, side in ((self.since, "起"), (self.until, "止")) if day)
        return "，".join([*([self.when.zh] if self.when else []), *days])


def yuan_zh(fen: int, currency: str = CNY) -> str:
    """`¥5`, `¥4.50`, `USD 30`."""
    whole, rest = divmod(fen, 100)
    number = f"{whole}.{rest:02d}" if rest else str(whole)
    return f"¥{number}" if currency == CNY else f"{currency} {number}"


def _money_zh(tariff: Tariff) -> str:
    least, most = (
        None if each is None else yuan_zh(each, tariff.currency) for each in (tariff.floor, tariff.cap)
    )
    if tariff.flat is not None:
        flat = yuan_zh(tariff.flat, tariff.currency)
        return f"{flat} 到 {most}" if most else flat
    if tariff.share is None:
        return most or ""
    what = (
        f"实付的 {tariff.percent.normalize():f}%"
        if tariff.percent is not None
        else f"货值的 {tariff.times} 倍"
    )
    ends = "，".join(f"{name} {end}" for name, end in (("最低", least), ("最高", most)) if end)
    return f"{what}（{ends}）" if ends else what


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


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
    if found[1] not in _SUBJECTS:
        near = get_close_matches(found[1], _SUBJECTS, n=1)
        hint = f"，是不是想写 {near[0]}？" if near else "；只能比较 paid（实付，元）或 promise（承诺，小时）"
        raise ValueError(f"when 不认识 {found[1]}{hint}")
    return When(found[1], found[2], Decimal(found[3]))


def _day(value: Any) -> Any:
    """Read with its partner by `parse_days`."""
    return value


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
        "since": _day,
        "until": _day,
        "per": _per,
        "confidence": text,
        "source": words,
        "note": text,
    }
)
"""What an entry may say, and how each key is read."""
