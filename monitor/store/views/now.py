"""What passes a limit soon, and how the sources are: the console's first page.

Every parcel keeps the nearest limit ahead of its running clocks (`due.limit_at`), written whenever it is
judged, so that the list is read along an index and costs the same at a thousand and at a million parcels.
A limit in the past that is still there waits for its parcel's next judgement: it is not shown as ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, case, exists, func, select

from domain.findings import Blame, Risk, Stage
from domain.time import from_micros, to_micros
from domain.tracking import Milestone
from monitor.feeds.line import account_shown
from monitor.store import feeds, schema
from monitor.store.codec import clean, moment
from monitor.store.rows import read_blame, read_risk
from monitor.store.views import walking
from monitor.store.views.paging import Page
from monitor.store.views.speaking import NOBODY, of_shops, speaking
from monitor.store.views.ticket_filter import standing
from monitor.store.views.walking import Key, Part

__all__ = ["LONGEST", "Source", "Stake", "Tally", "Upcoming", "sources", "stake", "tally", "upcoming"]

LONGEST: Final = timedelta(days=7)
"""The furthest that is looked ahead."""
_HOUR: Final = 3_600_000_000
_SAMPLE: Final = 2500
_MOST: Final = 10_000
_WHEEL: Final = (40_503, 65_537)
"""Multiplied and divided by these, neighbouring ids fall far apart."""
_due, _parcels, _findings, _tickets = schema.due, schema.parcels, schema.findings, schema.tickets


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A parcel whose next limit is near."""

    parcel_id: int
    carrier: str
    waybill_no: str
    shop: str
    platform: str
    order_no: str
    rule: str
    limit_at: datetime
    milestone: Milestone
    last_event_at: datetime | None
    ticket: str
    """The number of its ticket that is open or being worked on; else empty."""
    risk: Risk | None = None
    """Of that ticket."""
    blame: Blame | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many parcels pass their next limit within a time, and what is over already."""

    total: int
    hours: tuple[int, ...]
    """In the first hour, in the second, …; together the total."""
    by_rule: tuple[tuple[str, int], ...]
    """The largest first."""
    by_carrier: tuple[tuple[str, int], ...]
    by_shop: tuple[tuple[str, int], ...]
    """Of the parcel's first order."""
    one_in: int
    """1: every count is exact. Else those by rule, carrier and shop are estimates from one parcel in so many."""
    overdue: int
    """Tickets somebody has to do something about in which a rule is broken; counted up to 10,000."""


@dataclass(frozen=True, slots=True)
class Stake:
    """What breaking the limits that are near would cost, as far as it is known."""

    risk: Risk
    """Summed up; of no parcel more than its ticket says in all."""
    tickets: int
    """Of so many tickets. Parcels nobody was warned of yet are not in it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A provider account's health."""

    name: str
    state: str
    """`up`, `degraded`, `down`, or `unknown`: not yet heard of."""
    since: datetime | None
    last_good_at: datetime | None
    last_error: str
    waiting: int
    """Parcels due to be asked about; counted up to 10,000."""


def upcoming(
    conn: Connection,
    now: datetime,
    within: timedelta,
    cursor: str | None = None,
    limit: int = 50,
    *,
    rules: Sequence[str] = (),
    carriers: Sequence[str] = (),
    shops: Sequence[str] = (),
) -> Page[Upcoming]:
    """The parcels whose next limit lies within, the nearest first. Raises `BadCursor`."""
    rows = _ahead(now, within, "limit_at", "parcel_id", "limit_rule")
    fits = _fits(*(tuple(map(clean, each)) for each in (rules, carriers, shops)))
    found = walking.walk(conn, [Part(rows, fits)], _KEY, cursor, limit)
    return found.page(_read(conn, [key[-1] for key in found.keys]))


def tally(conn: Connection, now: datetime, within: timedelta) -> Tally:
    """Counts for the same parcels.

    Total and hours are counted on the limit's index and are exact. Rule, carrier and shop would cost a read
    for each parcel: beyond five thousand parcels an even sample of about half of that is looked at.
    """
    hours = tuple(_in_hour(conn, now, within, nth) for nth in range(-(-_micros(_clamped(within)) // _HOUR)))
    total = sum(hours)
    one_in = -(-total // _SAMPLE) if total > 2 * _SAMPLE else 1
    counted = conn.execute(_by_all(_sample(_ahead(now, within, "parcel_id", "limit_rule"), one_in))).all()
    seen = sum(row.n for row in counted)

    def by(name: str) -> tuple[tuple[str, int], ...]:
        counts: Counter[str] = Counter()
        for row in counted:
            counts[row._mapping[name] or ""] += row.n
        return tuple((value, round(n * total / seen)) for value, n in counts.most_common())

    return Tally(total, hours, by("limit_rule"), by("carrier"), by("shop"), one_in, _overdue(conn))


def stake(conn: Connection, now: datetime, within: timedelta) -> Stake:
    """The money of the warnings whose limits lie within: of at most the ten thousand dearest live tickets."""
    most = select(_tickets.c.id, _tickets.c.risk_low, _tickets.c.risk_high)
    most = most.where(_tickets.c.state.in_(_LIVE), _tickets.c.risk_high.is_not(None))
    dear = most.order_by(_tickets.c.risk_high.desc()).limit(_MOST).subquery("dear")
    warned = standing(
        _findings.c.stage == Stage.WARNING.value,
        _findings.c.deadline > to_micros(now),
        _findings.c.deadline <= to_micros(now + _clamped(within)),
        _findings.c.risk_high.is_not(None),
    )
    each = select(
        *(_least(func.sum(_findings.c[name]), dear.c[name]).label(name) for name in ("risk_low", "risk_high"))
    )
    each = each.join(dear, dear.c.id == _findings.c.ticket_id).where(warned)
    rows = each.group_by(dear.c.id, dear.c.risk_low, dear.c.risk_high).subquery("rows")
    found = conn.execute(
        select(func.count().label("n"), func.sum(rows.c.risk_low), func.sum(rows.c.risk_high)).select_from(
            rows
        )
    ).one()
    return Stake(Risk(int(found[1] or 0), int(found[2] or 0)), found.n)


def _least(one: Any, other: Any) -> Any:
    return case((one < other, one), else_=other)


def sources(conn: Connection, now: datetime) -> tuple[Source, ...]:
    """The provider accounts that ever did something, by name."""
    rows = conn.execute(select(schema.providers).order_by(schema.providers.c.name)).all()
    lines = feeds.standing(conn)
    return tuple(
        Source(
            row.name,
            account_shown(
                row.state,
                {carrier: line for (account, carrier), line in lines.items() if account == row.name},
                good=row.last_good_at is not None,
            ),
            moment(row.since),
            moment(row.last_good_at),
            row.last_error,
            _count(
                conn,
                select(_due.c.parcel_id).where(
                    _due.c.provider == row.name, _due.c.next_poll_at <= to_micros(now)
                ),
            ),
        )
        for row in rows
    )


_KEY: Final = Key("upcoming", ("limit_at", "parcel_id"), (False, False))


def _ahead(now: datetime, within: timedelta, *columns: str) -> Select[Any]:
    """The parcels whose next limit lies within: a range of its index."""
    until = now + _clamped(within)
    rows = select(*(_due.c[name] for name in columns))
    return rows.where(_due.c.limit_at > to_micros(now), _due.c.limit_at <= to_micros(until))


def _fits(rules: Sequence[str], carriers: Sequence[str], shops: Sequence[str]) -> Callable[[Any], Any] | None:
    if not (rules or carriers or shops):
        return None

    def fits(seen: Any) -> Any:
        conditions = [seen.c.limit_rule.in_(rules)] if rules else []
        if carriers:
            parcel = _parcels.c.id == seen.c.parcel_id
            conditions.append(exists().where(parcel, _parcels.c.carrier.in_(carriers)))
        if shops:
            conditions.append(of_shops(seen.c.parcel_id, shops))
        return and_(*conditions)

    return fits


def _sample(rows: Select[Any], one_in: int) -> Any:
    """One in so many of the parcels, the same ones for the same number."""
    if one_in == 1:
        return rows.subquery("sample")
    factor, modulus = _WHEEL
    return rows.where((_due.c.parcel_id * factor) % modulus < modulus // one_in).subquery("sample")


def _in_hour(conn: Connection, now: datetime, within: timedelta, nth: int) -> int:
    begins = now + nth * timedelta(hours=1)
    rows = _ahead(begins, min(timedelta(hours=1), now + _clamped(within) - begins), "parcel_id")
    return int(conn.execute(rows.with_only_columns(func.count())).scalar_one())


def _by_all(sample: Any) -> Select[Any]:
    """The sample by rule, carrier and the shop of its first order."""
    links, orders = schema.order_parcels, schema.orders
    shop = (
        select(orders.c.shop)
        .join(links, links.c.order_id == orders.c.id)
        .where(links.c.parcel_id == sample.c.parcel_id, links.c.unlinked_at.is_(None))
        .order_by(links.c.order_id)
        .limit(1)
        .scalar_subquery()
        .label("shop")
    )
    rows = select(sample.c.limit_rule, _parcels.c.carrier, shop, func.count().label("n"))
    rows = rows.join(_parcels, _parcels.c.id == sample.c.parcel_id)
    return rows.group_by(sample.c.limit_rule, _parcels.c.carrier, "shop")


def _overdue(conn: Connection) -> int:
    """Live tickets with an open breach: the same tickets as the list shows under that stage."""
    broken = exists().where(
        _findings.c.ticket_id == _tickets.c.id, standing(_findings.c.stage == Stage.BREACH.value)
    )
    live = _tickets.c.state.in_(_LIVE)
    return _count(conn, select(_tickets.c.id).where(live, broken))


def _count(conn: Connection, rows: Select[Any]) -> int:
    return int(conn.execute(select(func.count()).select_from(rows.limit(_MOST).subquery())).scalar_one())


def _clamped(within: timedelta) -> timedelta:
    return max(timedelta(0), min(within, LONGEST))


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


_LIVE: Final = ("open", "acknowledged")
_KNOWN: Final = frozenset(Milestone)
_COLUMNS: Final = (
    _due.c.parcel_id,
    _due.c.limit_at,
    _due.c.limit_rule,
    *(_parcels.c[name] for name in ("carrier", "waybill_no", "milestone", "last_event_at")),
    *(_tickets.c[name] for name in ("number", "risk_low", "risk_high", "blame", "blame_why")),
)
_ROWS: Final = (
    select(*_COLUMNS)
    .join(_parcels, _parcels.c.id == _due.c.parcel_id)
    .outerjoin(_tickets, (_tickets.c.parcel_id == _due.c.parcel_id) & _tickets.c.state.in_(_LIVE))
    .where(_due.c.parcel_id.in_(bindparam("ids", expanding=True)))
)


def _read(conn: Connection, ids: Sequence[int]) -> list[Upcoming]:
    """The lines of these parcels, in this order."""
    if not ids:
        return []
    rows = {row.parcel_id: row for row in conn.execute(_ROWS, {"ids": list(ids)})}
    orders = speaking(conn, ids)
    return [_line(rows[id_], orders.get(id_, NOBODY)) for id_ in ids]


def _line(row: Any, order: Any) -> Upcoming:
    return Upcoming(
        row.parcel_id,
        row.carrier,
        row.waybill_no,
        order.shop,
        order.platform,
        order.order_no,
        row.limit_rule,
        from_micros(row.limit_at),
        Milestone(row.milestone) if row.milestone in _KNOWN else Milestone.UNKNOWN,
        moment(row.last_event_at),
        row.number or "",
        read_risk(row),
        read_blame(row),
    )
