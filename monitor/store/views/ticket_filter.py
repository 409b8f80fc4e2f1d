"""Which tickets: what a filter means, said to the database.

States, sort and pasted numbers are found by an index; carrier, shop and platform are tried on the index
itself, stage, rule, blame and words on rows in passing (`walking.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, and_, case, exists, func, literal, or_, select

from domain.findings import FindingState, Party, Stage
from domain.tickets import TicketState
from domain.time import to_micros
from monitor.store import schema
from monitor.store.codec import clean
from monitor.store.views.numbers import MOST_NUMBERS, TooMany, named
from monitor.store.views.walking import Key, Part

__all__ = ["KEYS", "LIVE", "UNKNOWN", "BadFilter", "Sort", "TicketFilter", "members", "parts", "standing"]

E = TypeVar("E", bound=StrEnum)
_tickets, _findings = schema.tickets, schema.findings
_LONGEST_TEXT: Final = 100
_MOST_PARCELS: Final = 5000


class Sort(StrEnum):
    """The order of the list."""

    NEWEST = "newest"
    URGENT = "urgent"
    """The worst first, of these the oldest."""
    RISK = "risk"
    """The most money at risk first, of these the newest; those of unknown risk last."""
    PER_HOUR = "risk_per_hour"
    """The most money at risk for each hour left first (`hourly.py`); of unfinished tickets only."""


LIVE: Final = (TicketState.OPEN, TicketState.ACKNOWLEDGED)


class BadFilter(ValueError):
    """A filter that asks for what does not exist; the text is for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets: all of these hold, of each one's values any. Empty: no condition.

    States, stages, parties and the sort may be given as texts. Raises `BadFilter` or `TooMany`.
    """

    states: tuple[TicketState | str, ...] = ()
    stages: tuple[Stage | str, ...] = ()
    """`breach` where one of the findings it is told by is one: the open ones, or all of a ticket that has none."""
    rules: tuple[str, ...] = ()
    """It is told by a finding of one of these."""
    carriers: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    blames: tuple[Party | str, ...] = ()
    """Who is to blame, as it was last judged."""
    numbers: tuple[str, ...] = ()
    """Waybill, order or ticket numbers (`numbers.numbers_in`), at most 500."""
    opened_since: datetime | None = None
    opened_until: datetime | None = None
    """Opened before this moment."""
    text: str = ""
    """Words of the summary, as they stand there."""
    sort: Sort | str = Sort.NEWEST
    now: datetime | None = None
    """The moment from which hours are left: asked for where the list is sorted by the hour."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "states", members(TicketState, self.states, "工单状态"))
        put(self, "stages", members(Stage, self.stages, "阶段"))
        put(self, "blames", members(Party, self.blames, "责任方"))
        put(self, "sort", members(Sort, (self.sort,), "排序方式")[0])
        if self.sort is Sort.PER_HOUR:
            if not set(self.states) <= set(LIVE):
                raise BadFilter(_ENDED)
            put(self, "states", self.states or LIVE)
        for name in ("rules", "carriers", "shops", "platforms", "numbers"):
            put(self, name, tuple(dict.fromkeys(map(clean, getattr(self, name)))))
            if len(getattr(self, name)) > MOST_NUMBERS:
                raise TooMany
        put(self, "text", clean(self.text).strip())
        if len(self.text) > _LONGEST_TEXT:
            raise BadFilter(f"搜索的文字太长，最多 {_LONGEST_TEXT} 个字。")


_ENDED: Final = "按每小时可能赔付排序只能用在未结束的工单上：结束了的没有剩余时间。"
KEYS: Final = {
    Sort.NEWEST: Key("tickets-newest", ("opened_at", "id"), (True, True)),
    Sort.URGENT: Key("tickets-urgent", ("severity", "opened_at", "id"), (True, False, False)),
    Sort.RISK: Key("tickets-risk", ("risk_high", "opened_at", "id"), (True, True, True)),
}
UNKNOWN: Final = -1
"""What an unknown risk counts as: less than none."""
_FACETS: Final = (
    *(("carriers", "carrier"), ("shops", "shop"), ("platforms", "platform")),
    ("blames", "blame"),
)


def parts(conn: Connection, filter_: TicketFilter) -> list[Part]:
    """One for each state, since each stands by itself in the index; or the tickets of the pasted numbers.

    By the money those of unknown risk are parts of their own: no index has them behind all the others.
    """
    fits = _fits(filter_, conn.dialect.name)
    conditions: list[list[Any]]
    if filter_.numbers:
        parcels = {id_ for ids in named(conn, filter_.numbers).values() for id_ in ids}
        pasted = _tickets.c.parcel_id.in_(sorted(parcels)[-_MOST_PARCELS:])
        states = [str(state) for state in filter_.states]
        conditions = [[pasted, _tickets.c.state.in_(states)] if states else [pasted]]
    else:
        conditions = [[_tickets.c.state == str(state)] for state in filter_.states or TicketState]
    if filter_.sort is Sort.NEWEST:
        return [Part(_rows(filter_, *each, *_opened(_tickets.c, filter_)), fits) for each in conditions]
    if filter_.sort is Sort.URGENT:
        return [Part(_rows(filter_, *each), fits) for each in conditions]
    money = _tickets.c.risk_high
    known = [Part(_rows(filter_, *each, money.is_not(None)), fits) for each in conditions]
    rest = [_rows(filter_, *each, money.is_(None), money=literal(UNKNOWN)) for each in conditions]
    return [*known, *(Part(each, fits, (money, UNKNOWN)) for each in rest)]


def _rows(filter_: TicketFilter, *conditions: Any, money: Any = None) -> Select[Any]:
    """The rows of a part, with the columns it needs: all in one index, unless words or blame are looked for."""
    key = KEYS.get(Sort(filter_.sort), KEYS[Sort.RISK])
    names = [*key.columns, *(column for field_, column in _FACETS if getattr(filter_, field_))]
    names += ["summary"] if filter_.text else []
    columns = [
        _tickets.c[name] if name != "risk_high" or money is None else money.label(name) for name in names
    ]
    return select(*columns).where(*conditions)


def _opened(columns: Any, filter_: TicketFilter) -> list[Any]:
    """The moment of opening, a range of the index of the newest."""
    found = []
    if filter_.opened_since is not None:
        found.append(columns.opened_at >= to_micros(filter_.opened_since))
    if filter_.opened_until is not None:
        found.append(columns.opened_at < to_micros(filter_.opened_until))
    return found


def _fits(filter_: TicketFilter, dialect: str) -> Callable[[Any], Any] | None:
    """The conditions that are tried on rows in passing."""
    asked = [(column, getattr(filter_, name)) for name, column in _FACETS if getattr(filter_, name)]
    ranged = filter_.sort is not Sort.NEWEST and _opened(_tickets.c, filter_)
    if not (asked or ranged or filter_.text or filter_.rules or filter_.stages):
        return None

    find = func.instr if dialect == "sqlite" else func.strpos

    def fits(seen: Any) -> Any:
        conditions = [seen.c[column].in_([str(value) for value in values]) for column, values in asked]
        if filter_.text:
            conditions.append(find(seen.c.summary, filter_.text) > 0)
        if filter_.rules:
            conditions.append(_tells(seen, _findings.c.rule.in_(filter_.rules)))
        if filter_.stages:
            breach = _tells(seen, _findings.c.stage == Stage.BREACH.value)
            stage = case((breach, Stage.BREACH.value), else_=Stage.WARNING.value)
            conditions.append(stage.in_([str(stage) for stage in filter_.stages]))
        if ranged:
            conditions += _opened(seen.c, filter_)
        return and_(*conditions)

    return fits


def standing(*conditions: Any) -> Any:
    """Of findings: it stands, and is of no rule on trial."""
    is_open = _findings.c.state == FindingState.OPEN.value
    return and_(is_open, _findings.c.shadow.is_(False), *conditions)


def _has(seen: Any, *conditions: Any) -> Any:
    """A finding of the ticket fulfils these; one of a rule on trial tells nothing."""
    return exists().where(_findings.c.ticket_id == seen.c.id, _findings.c.shadow.is_(False), *conditions)


def _tells(seen: Any, condition: Any) -> Any:
    """One of the findings that the ticket is told by: its open ones, or all where none is."""
    is_open = standing()
    return or_(_has(seen, is_open, condition), and_(~_has(seen, is_open), _has(seen, condition)))


def members(kind: type[E], values: Iterable[str], what: str) -> tuple[E, ...]:
    """The members of these names, each once. Raises `BadFilter`, which says what there is."""
    try:
        return tuple(dict.fromkeys(kind(value) for value in values))
    except ValueError as error:
        known = "、".join(member.value for member in kind)
        raise BadFilter(f"没有这样的{what}；可以用的有：{known}。") from error
