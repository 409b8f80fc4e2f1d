"""The list of tickets as an address says it: which, in what order, with which columns; the same for its exports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from domain.findings import Stage
from domain.tickets import TicketState
from domain.time import UTC
from monitor.store.views.numbers import numbers_in
from monitor.store.views.ticket_filter import LIVE
from monitor.store.views.tickets import BadFilter, Sort, TicketFilter, TicketRow
from monitor.web.export import Cell, Column, Kind
from monitor.web.formats import View
from monitor.web.parts import platform_name

__all__ = [
    "COLUMNS",
    "STAGE_ZH",
    "STANDARD",
    "Asked",
    "ListColumn",
    "asked_of",
    "chosen",
    "columns_for_export",
    "export_row",
    "menu",
]

_GROUPS: Final[Mapping[str, tuple[TicketState, ...]]] = {
    "live": LIVE,
    **{state.value: (state,) for state in TicketState},
    "all": (),
}
"""What the tabs over the list stand for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for."""

    filter: TicketFilter
    tab: str
    """A key of the tabs, or nothing where several states were named."""
    since: str
    until: str

    @property
    def narrowed(self) -> bool:
        """Something besides the state is asked for."""
        found = self.filter
        facets = (found.stages, found.rules, found.carriers, found.shops, found.platforms, found.blames)
        return any(facets) or bool(found.numbers) or bool(found.text or self.since or self.until)


def asked_of(query: Iterable[tuple[str, str]], zone: ZoneInfo, now: datetime) -> Asked:
    """Read an address: `state, stage, rule, carrier, shop, platform, blame` may be said several times; days are of `zone`.

    Without a state: those somebody still has to do something about, or all where numbers were pasted. What has ended
    has no hours left, so by the hour it is sorted by its money alone. Raises `BadFilter` and `TooMany` with a text for
    the person.
    """
    said: dict[str, list[str]] = {}
    for name, value in query:
        if value.strip():
            said.setdefault(name, []).append(value.strip())
    numbers = numbers_in("\n".join(said.get("numbers", ())))
    states = said.get("state") or (["all"] if numbers else ["live"])
    tab = states[0] if len(states) == 1 and states[0] in _GROUPS else ""
    wanted: tuple[TicketState | str, ...] = _GROUPS[tab] if tab else tuple(states)
    usual = Sort.URGENT if wanted == LIVE else Sort.NEWEST
    sort = said.get("sort", [usual.value])[0]
    if sort == Sort.PER_HOUR and not set(wanted or ("all",)) <= set(LIVE):
        sort = Sort.RISK
    since, until = (said.get(name, [""])[0] for name in ("since", "until"))
    filter_ = TicketFilter(
        states=wanted,
        stages=tuple(said.get("stage", ())),
        rules=tuple(said.get("rule", ())),
        carriers=tuple(said.get("carrier", ())),
        shops=tuple(said.get("shop", ())),
        platforms=tuple(said.get("platform", ())),
        numbers=numbers,
        opened_since=_midnight(since, zone, 0),
        opened_until=_midnight(until, zone, 1),
        text=said.get("q", [""])[0],
        sort=sort,
        blames=tuple(said.get("blame", ())),
        now=now,
    )
    return Asked(filter_, tab, since, until)


def _midnight(text: str, zone: ZoneInfo, days: int) -> datetime | None:
    """The beginning of a day in the zone, or of the day after."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadFilter("日期要写成 2026-11-22 这样。") from None


# ── columns ──────────────────────────────────────────────────────────────────────────────────────

STAGE_ZH: Final[Mapping[Stage, str]] = {Stage.WARNING: "预警", Stage.BREACH: "已发生"}
"""A ticket's stage in a list: about to be broken, or true already."""


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a file: its heading in the source language, and what it holds."""

    zh: str
    read: Callable[[TicketRow, View], Cell]
    kind: Kind = Kind.TEXT
    width: int = 14


@dataclass(frozen=True, slots=True)
class ListColumn:
    """One column of the list: its heading in the source language, and its columns in a file."""

    key: str
    zh: str
    file: tuple[FileColumn, ...]
    late: bool = False
    """In a file it stands behind the others."""


def _one(
    key: str, zh: str, read: Callable[[TicketRow, View], Cell], kind: Kind = Kind.TEXT, width: int = 14
) -> ListColumn:
    return ListColumn(key, zh, (FileColumn(zh, read, kind, width),))


COLUMNS: Final = (
    _one("number", "工单", lambda row, view: row.number, Kind.IDENTIFIER, 18),
    _one("state", "状态", lambda row, view: view.state(row.state.value), width=10),
    _one("stage", "阶段", lambda row, view: view.words.say(STAGE_ZH[row.stage]), width=10),
    _one("rules", "异常", lambda row, view: _rules(row, view), width=28),
    ListColumn(
        "risk",
        "可能赔付",
        (
            FileColumn("可能赔付（低）", lambda row, view: row.risk.low if row.risk else None, Kind.MONEY),
            FileColumn("可能赔付（高）", lambda row, view: row.risk.high if row.risk else None, Kind.MONEY),
        ),
        late=True,
    ),
    ListColumn(
        "blame",
        "责任",
        (
            FileColumn(
                "责任", lambda row, view: view.party(row.blame.party) if row.blame else None, width=12
            ),
            FileColumn("责任依据", lambda row, view: row.blame.because if row.blame else None, width=36),
        ),
        late=True,
    ),
    _one("limit", "最近时限", lambda row, view: row.limit_at, Kind.MOMENT, 20),
    ListColumn(
        "waybill",
        "运单",
        (
            FileColumn("快递公司", lambda row, view: view.carrier(row.carrier)),
            FileColumn("运单号", lambda row, view: row.waybill_no, Kind.IDENTIFIER, 20),
        ),
    ),
    _one("order", "订单号", lambda row, view: row.order_no, Kind.IDENTIFIER, 24),
    _one("shop", "店铺", lambda row, view: row.shop, width=18),
    _one("platform", "平台", lambda row, view: platform_name(view, row.platform), width=12),
    _one("province", "收货省", lambda row, view: row.receiver_province, width=10),
    _one("opened", "开单时间", lambda row, view: row.opened_at, Kind.MOMENT, 20),
    _one("updated", "更新时间", lambda row, view: row.updated_at, Kind.MOMENT, 20),
    _one("by", "认领人", lambda row, view: row.acknowledged_by, width=12),
    _one("resolved", "解决时间", lambda row, view: row.resolved_at, Kind.MOMENT, 20),
    _one("severity", "严重程度", lambda row, view: row.severity, Kind.NUMBER, 8),
)
_BY_KEY: Final = {column.key: column for column in COLUMNS}
STANDARD: Final = ("number", "state", "stage", "rules", "risk", "blame", "limit", "waybill", "shop", "opened")


def chosen(keys: Sequence[str]) -> tuple[ListColumn, ...]:
    """The columns of these keys in the list's own order; the standard ones where none is known."""
    wanted = {key for key in keys if key in _BY_KEY} or set(STANDARD)
    return tuple(column for column in COLUMNS if column.key in wanted)


def _rules(row: TicketRow, view: View) -> str:
    return view.words.say("、").join(view.rule(rule, row.platform) for rule in row.rules)


def columns_for_export(columns: Sequence[ListColumn], view: View) -> list[Column]:
    """The headings of a file in the reader's language."""
    return [Column(view.words.say(part.zh), part.kind, part.width) for part in _parts(columns)]


def export_row(columns: Sequence[ListColumn], row: TicketRow, view: View) -> list[Cell]:
    """A row of a file."""
    return [part.read(row, view) for part in _parts(columns)]


def _parts(columns: Sequence[ListColumn]) -> list[FileColumn]:
    """The columns of a file: what a list has had since its first version keeps its place."""
    return [part for column in sorted(columns, key=lambda each: each.late) for part in column.file]


def menu(names: Sequence[str], selected: Sequence[str], kind: str, view: View) -> list[tuple[str, str]]:
    """A filter's menu: values that occur, and those asked for, each with the words for it, by the words."""
    words: Mapping[str, Callable[[str], str]] = {
        "rule": view.rule,
        "carrier": view.carrier,
        "platform": lambda value: platform_name(view, value),
    }
    say = words.get(kind, view.clean)
    return sorted(((name, say(name)) for name in {*names, *selected}), key=lambda pair: pair[1])
