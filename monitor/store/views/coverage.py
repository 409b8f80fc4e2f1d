"""Is every shipped order watched, and where not, why not (feature A8).

The parcels asked about are counted on the index of the next questions; each reason not to be is a small
index of its own. So the counts cost the parcels that are not covered, not those that are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, exists, func, literal_column, not_, or_, select

from carriers.names import CARRIERS
from domain.orders import OrderStatus
from domain.time import from_micros
from monitor.store import schema
from monitor.store.codec import moment
from monitor.store.views import walking
from monitor.store.views.paging import Page
from monitor.store.views.speaking import NOBODY, Speaking, speaking
from monitor.store.views.walking import Key, Part

__all__ = ["MOST", "Coverage", "Reason", "Uncovered", "coverage", "uncovered"]

MOST: Final = 100_000
"""No count goes further: this many or more."""
_due, _parcels, _orders = schema.due, schema.parcels, schema.orders
_ASIDE: Final = ("无法判定：", "无法处理")
"""How `polls.put_aside` and the poller begin a reason of ours, rather than the provider's."""


class Reason(StrEnum):
    """How a shipped order stands."""

    ASKED = "asked"
    """Watched: the next question has its moment."""
    WAITING = "waiting"
    """Watched, but the carrier has never answered yet."""
    NO_WAYBILL = "no_waybill"
    """Shipped, and no waybill number is known."""
    UNKNOWN_CARRIER = "unknown_carrier"
    """A waybill without a carrier anybody knows."""
    NOT_SERVED = "not_served"
    """No provider account serves the carrier."""
    PUT_ASIDE = "put_aside"
    """It cannot be judged, or its answer cannot be read: a fault of ours, shown until it is mended."""
    REFUSED = "refused"
    """The provider will not answer for this number; it says why."""
    CHANGED = "changed"
    """The shop gave the order another number; its new parcel is watched."""
    ENDED = "ended"
    """Over: signed for, returned, closed, or silent for sixty days."""

    @property
    def covered(self) -> bool:
        """Nothing is missing."""
        return self in (Reason.ASKED, Reason.CHANGED, Reason.ENDED)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many parcels (of `no_waybill`: orders) stand how; no count goes beyond `MOST` but `asked`."""

    counts: dict[Reason, int]

    @property
    def missing(self) -> int:
        """Shipped and not watched as it should be."""
        return sum(n for reason, n in self.counts.items() if not reason.covered)


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A parcel, or an order without one, and why it is on its list."""

    reason: Reason
    why: str
    """The provider's or our own words, where there are any."""
    carrier: str
    waybill_no: str
    order_no: str
    shop: str
    platform: str
    since: datetime
    """Shipped, or put on watch."""
    asked_at: datetime | None


def coverage(conn: Connection, served: Callable[[str], bool]) -> Coverage:
    """The counts. `served` says of a carrier whether some provider account answers for it.

    A parcel is counted once, for what is worst: that nobody can be asked, a fault of ours, a refusal, that
    it was never answered.
    """
    carriers = _Carriers.of(conn, served)
    counts = {
        reason: walking.count(conn, _parts(reason, carriers), MOST)
        for reason in Reason
        if reason is not Reason.ASKED
    }
    asked = _asked(conn) - sum(counts[each] for each in (Reason.WAITING, Reason.PUT_ASIDE, Reason.REFUSED))
    return Coverage({Reason.ASKED: max(0, asked)} | counts)


def uncovered(
    conn: Connection,
    reason: Reason,
    served: Callable[[str], bool],
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Uncovered]:
    """The parcels, or orders, that stand so, the newest first. Raises `BadCursor`; nothing for `asked`."""
    if reason is Reason.ASKED:
        return Page()
    key = _ENDED if reason is Reason.ENDED else Key(f"coverage-{reason}", ("id",), (True,))
    found = walking.walk(conn, _parts(reason, _Carriers.of(conn, served)), key, cursor, limit)
    ids = [each[-1] for each in found.keys]
    read = _read_orders if reason is Reason.NO_WAYBILL else _read_parcels
    return found.page(read(conn, reason, ids))


# ── which ────────────────────────────────────────────────────────────────────────────────────────

_ENDED: Final = Key("coverage-ended", ("done_at", "id"), (True, True))
_KNOWN: Final = frozenset(carrier.key for carrier in CARRIERS)


@dataclass(frozen=True, slots=True)
class _Carriers:
    """The carriers there are parcels of that no account answers for."""

    unknown: tuple[str, ...]
    unserved: tuple[str, ...]

    @classmethod
    def of(cls, conn: Connection, served: Callable[[str], bool]) -> _Carriers:
        nobody = [each for each in _distinct(conn, _parcels.c.carrier) if not served(each)]
        return cls(
            tuple(each for each in nobody if each not in _KNOWN),
            tuple(each for each in nobody if each in _KNOWN),
        )

    @property
    def all(self) -> tuple[str, ...]:
        return self.unknown + self.unserved


def _parts(reason: Reason, carriers: _Carriers) -> list[Part]:
    """Each reason along an index that holds hardly more than its rows."""
    match reason:
        case Reason.NO_WAYBILL:
            return _without_waybill()
        case Reason.UNKNOWN_CARRIER:
            return [_nobody(carriers.unknown)]
        case Reason.NOT_SERVED:
            return [_nobody(carriers.unserved)]
        case Reason.WAITING:
            rows = select(*_columns("id", "carrier", "why")).where(
                _WATCHED, _parcels.c.answer_hash == literal_column("''")
            )
            return [Part(rows, lambda seen: (seen.c.why == "") & seen.c.carrier.not_in(carriers.all))]
        case Reason.PUT_ASIDE | Reason.REFUSED:
            rows = select(*_columns("id", "carrier", "why")).where(
                _WATCHED, _parcels.c.why != literal_column("''")
            )
            return [
                Part(
                    rows,
                    lambda seen: (
                        _by_us(seen, ours=reason is Reason.PUT_ASIDE) & seen.c.carrier.not_in(carriers.all)
                    ),
                )
            ]
        case Reason.CHANGED:
            return [Part(select(*_columns("id")).where(_parcels.c.state == literal_column("'unwatched'")))]
        case Reason.ENDED:
            return [
                Part(
                    select(*_columns("done_at", "id")).where(
                        _parcels.c.state == literal_column("'done'"), _parcels.c.done_at.is_not(None)
                    )
                )
            ]
        case _:
            return []


_WATCHED: Final = _parcels.c.state == literal_column("'watched'")
"""Conditions of partial indexes are written out: SQLite does not see a parameter's value when it plans."""


def _columns(*names: str) -> list[Any]:
    return [_parcels.c[name] for name in names]


def _nobody(carriers: Sequence[str]) -> Part:
    """Watched parcels of these carriers among those nobody can be asked about."""
    rows = select(_due.c.parcel_id.label("id")).where(_due.c.provider == literal_column("''"))

    def fits(seen: Any) -> Any:
        return exists().where(_parcels.c.id == seen.c.id, _WATCHED, _parcels.c.carrier.in_(carriers))

    return Part(rows, fits)


def _by_us(seen: Any, *, ours: bool) -> Any:
    said = or_(*(seen.c.why.startswith(words, autoescape=True) for words in _ASIDE))
    return said if ours else not_(said)


def _without_waybill() -> list[Part]:
    """Orders the shop calls shipped, or dated as shipped while nothing has ended them."""
    bare = _orders.c.bare
    rows = select(_orders.c.id, _orders.c.shipped_at).where(bare)
    shipped = Part(rows.where(_orders.c.status == OrderStatus.SHIPPED.value))
    others = (OrderStatus.AWAITING, OrderStatus.REFUNDING)
    return [
        shipped,
        *(
            Part(rows.where(_orders.c.status == each.value), lambda seen: seen.c.shipped_at.is_not(None))
            for each in others
        ),
    ]


def _asked(conn: Connection) -> int:
    """How many parcels have a next question, read off its index account by account."""
    waits = _due.c.next_poll_at.is_not(None)
    names = _distinct(conn, _due.c.provider, waits)
    query = select(func.count()).select_from(_due)
    return sum(conn.execute(query.where(_due.c.provider == name, waits)).scalar_one() for name in names)


def _distinct(conn: Connection, column: Any, *where: Any) -> list[str]:
    """The values of an index's first column: one look for each, however many rows there are."""
    found: list[str] = []
    following = select(func.min(column)).where(*where)
    value = conn.execute(following).scalar()
    while value is not None:
        found.append(value)
        value = conn.execute(following.where(column > value)).scalar()
    return found


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def _read_parcels(conn: Connection, reason: Reason, ids: Sequence[int]) -> list[Uncovered]:
    query = (
        select(*_columns("id", "carrier", "waybill_no", "why", "created_at"), _due.c.asked_at)
        .join(_due, _due.c.parcel_id == _parcels.c.id)
        .where(_parcels.c.id.in_(ids))
    )
    rows = {row.id: row for row in conn.execute(query)}
    orders = speaking(conn, ids)
    return [_of_parcel(reason, rows[id_], orders.get(id_, NOBODY)) for id_ in ids]


def _of_parcel(reason: Reason, row: Any, order: Speaking) -> Uncovered:
    return Uncovered(
        reason,
        row.why,
        row.carrier,
        row.waybill_no,
        order.order_no,
        order.shop,
        order.platform,
        from_micros(row.created_at),
        moment(row.asked_at),
    )


def _read_orders(conn: Connection, reason: Reason, ids: Sequence[int]) -> list[Uncovered]:
    names = ("id", "order_no", "shop", "platform", "shipped_at", "created_at")
    query = select(*(_orders.c[name] for name in names)).where(_orders.c.id.in_(ids))
    rows = {row.id: row for row in conn.execute(query)}
    return [_of_order(reason, rows[id_]) for id_ in ids]


def _of_order(reason: Reason, row: Any) -> Uncovered:
    since = from_micros(row.created_at if row.shipped_at is None else row.shipped_at)
    return Uncovered(reason, "", "", "", row.order_no, row.shop, row.platform, since, None)
