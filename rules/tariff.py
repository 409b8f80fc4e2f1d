"""What breaking a rule costs, as the platforms print it: data, read from a rule's `penalty` by `rules.penalty`.

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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

__all__ = ["CNY", "SUBJECTS", "Tariff", "When", "yuan_zh"]

CNY: Final = "CNY"


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
SUBJECTS: Final = ("paid", "promise")
"""What a condition may compare; anything else is a word of the order."""


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
        return "；".join(each for each in (_money_zh(self), points, self.note) if each)

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
