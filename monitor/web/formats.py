"""Times, lengths and numbers as a reader of the console sees them: in the configured zone, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from markupsafe import Markup

from carriers import names
from domain.findings import PARTY_ZH, Party, Risk
from domain.masking import safe_text
from domain.tickets import TICKET_STATE_ZH
from domain.tracking import MILESTONE_ZH
from monitor.config.settings import Settings
from monitor.web.i18n import SOURCE, Words

__all__ = ["View"]

_NOTHING: Final = "—"
_NO_TIME: Final = Markup("—")
_SHORT: Final = {True: ("MM-dd HH:mm", "yyyy-MM-dd HH:mm"), False: ("d MMM HH:mm", "d MMM yyyy HH:mm")}
"""By whether the language is Chinese: within this year, and in any other."""
_TEXT: Final = 500
"""Characters of a text from outside, unless a template says otherwise."""


@dataclass(frozen=True)
class View:
    """One reader at one moment: what turns the values of a page into words."""

    words: Words
    zone: ZoneInfo
    now: datetime
    settings: Settings
    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    """The address of the page, for links to the same page with something changed."""

    def link(self, **changes: object) -> str:
        """This page's address with some parameters set anew, or taken out where None or empty.

        A change of anything but the place in the list begins at its head again.
        """
        gone = set(changes) | ({"cursor"} if changes else set())
        kept = [(name, value) for name, value in self.query if name not in gone]
        kept += [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
        return self.path + (f"?{urlencode(kept)}" if kept else "")

    # ── times ────────────────────────────────────────────────────────────────────────────────────

    def when(self, at: datetime | None) -> Markup:
        """`<time>` with the moment in short; the whole of it, with its zone, on hovering. A dash for none."""
        if at is None:
            return _NO_TIME
        local = at.astimezone(self.zone)
        whole = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            at.isoformat(timespec="seconds"), whole, self.moment(at)
        )

    def clock(self) -> str:
        """The time it is, `18:10:05`."""
        return f"{self.now.astimezone(self.zone):%H:%M:%S}"

    def moment(self, at: datetime) -> str:
        """`11-22 08:10`, with the year where it is another one."""
        local = at.astimezone(self.zone)
        patterns = _SHORT[self.words.language == SOURCE]
        other = local.year != self.now.astimezone(self.zone).year
        return format_datetime(local, patterns[other], locale=self.words.locale)

    def day(self, at: datetime | None) -> str:
        """The date alone, `2026-11-22` or `22 Nov 2026`."""
        if at is None:
            return _NOTHING
        pattern = "yyyy-MM-dd" if self.words.language == SOURCE else "d MMM yyyy"
        return format_date(at.astimezone(self.zone).date(), pattern, locale=self.words.locale)

    def left(self, at: datetime | None) -> str:
        """How far a limit is: `还剩 3 小时 20 分` ahead, `已超 40 分钟` behind. A dash for none."""
        if at is None:
            return _NOTHING
        gap = at - self.now
        text = self.length(abs(gap))
        say = self.words.say
        return say("还剩 {length}", length=text) if gap > timedelta(0) else say("已超 {length}", length=text)

    def ago(self, at: datetime | None) -> str:
        """How long ago something was, in its largest unit: `3 分钟前`, `46 小时前`. A dash for never."""
        if at is None:
            return _NOTHING
        gap = self.now - at
        if gap < timedelta(seconds=5):
            return self.words.say("刚刚")
        unit = timedelta(days=1) if gap >= timedelta(days=2) else timedelta(hours=1)
        about = gap - gap % unit if gap >= timedelta(hours=1) else gap
        return self.words.say("{length}前", length=self.length(about))

    def length(self, length: timedelta) -> str:
        """A length in its two largest units: `40 秒`, `12 分钟`, `3 小时 20 分`, `5 天 4 小时`."""
        seconds = max(0, int(length.total_seconds()))
        minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
        say = self.words.say
        if minutes < 2:
            return say("{s} 秒", s=seconds)
        if hours < 1:
            return say("{m} 分钟", m=minutes)
        if hours < 48:
            return (
                say("{h} 小时 {m} 分", h=hours, m=minutes % 60) if minutes % 60 else say("{h} 小时", h=hours)
            )
        return say("{d} 天 {h} 小时", d=days, h=hours % 24) if hours % 24 else say("{d} 天", d=days)

    # ── numbers ──────────────────────────────────────────────────────────────────────────────────

    def number(self, value: float) -> str:
        """`12,345`, as the language groups it."""
        return format_decimal(value, locale=self.words.locale)

    def yuan(self, cents: int | None) -> str:
        """An amount kept in cents: `¥1,234.50`. A dash for none."""
        if cents is None:
            return _NOTHING
        return "¥" + format_decimal(Decimal(cents) / 100, "#,##0.00", locale=self.words.locale)

    def risk(self, risk: Risk | None) -> str:
        """What may have to be paid: `¥5.00–¥50.00`, one amount where both ends are the same. A dash for unknown."""
        if risk is None or risk.low == risk.high:
            return self.yuan(None if risk is None else risk.high)
        return f"{self.yuan(risk.low)}–{self.yuan(risk.high)}"

    # ── names ────────────────────────────────────────────────────────────────────────────────────

    def clean(self, text: object, limit: int = _TEXT) -> str:
        """A text from outside, safe to show: visible characters only, phones masked, cut at `limit`."""
        return safe_text(str(text), limit)

    def carrier(self, key: str) -> str:
        """The carrier's name; the code of one we do not list, made safe."""
        return safe_text(self.words.say(names.display(key)), 40)

    def rule(self, rule_id: str, platform: str = "") -> str:
        """The rule's name in this language, as that platform's profile has it; the id of one that is no more."""
        rule = self.settings.book.rule(rule_id, platform)
        return self.words.say(rule.zh) if rule is not None else safe_text(rule_id, 48)

    def milestone(self, value: str) -> str:
        """A milestone in words."""
        known = {each.value: zh for each, zh in MILESTONE_ZH.items()}
        return self.words.say(known[value]) if value in known else safe_text(value, 24)

    def state(self, value: str) -> str:
        """A ticket's state in words."""
        known = {each.value: zh for each, zh in TICKET_STATE_ZH.items()}
        return self.words.say(known[value]) if value in known else safe_text(value, 16)

    def party(self, value: Party) -> str:
        """Who is to blame, in words."""
        return self.words.say(PARTY_ZH[value])
