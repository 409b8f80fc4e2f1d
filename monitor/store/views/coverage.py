"""Is every shipped order watched, and where not, why not (feature A8).

The parcels asked about are counted on the index of the next questions; each reason not to be is a small
index of its own. So the counts cost the parcels that are not covered, not those that are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, case, exists, func, literal_column, or_, select

from carriers.names import CARRIERS
from domain.orders import UNNAMED, OrderStatus
from domain.time import from_micros
from monitor.store import schema
from monitor.store.codec import moment
from monitor.store.polls import LOCKED
from monitor.store.views import walking
from monitor.store.views.paging import Page
from monitor.store.views.speaking import NOBODY, Speaking, speaking
from monitor.store.views.walking import Key, Part

__all__ = [
    "MOST",
    "WATCHED",
    "Answers",
    "Coverage",
    "Reason",
    "Silent",
    "Uncovered",
    "coverage",
    "kind_of",
    "nobody",
    "remarked",
    "uncovered",
    "watched_by",
]

MOST: Final = 100_000
"""No count goes further: this many or more."""
_due, _parcels, _orders, _pulled = schema.due, schema.parcels, schema.orders, schema.pulled
Answers: TypeAlias = Callable[[str], bool]
"""Of a carrier (our key)."""


def nobody(carrier: str) -> bool:
    """No account does."""
    return False


_ASIDE: Final = ("无法判定：", "无法处理")
"""How `polls.put_aside` and the poller begin a reason of ours, rather than the provider's."""


class Reason(StrEnum):
    """How a shipped order stands."""

    ASKED = "asked"
    """Watched: the next question has its moment."""
    PUSHED = "pushed"
    """Watched by what an account pushes; none can be asked, so silence is not proven."""
    WAITING = "waiting"
    """Watched, but the carrier has never answered yet."""
    NOT_KEPT = "not_kept"
    """An order source told of it, and it never became an order: its row could not be read or kept."""
    NO_WAYBILL = "no_waybill"
    """Shipped, and no waybill number is known."""
    UNKNOWN_CARRIER = "unknown_carrier"
    """A waybill without a carrier anybody knows."""
    NOT_SERVED = "not_served"
    """No provider account serves the carrier."""
    PUT_ASIDE = "put_aside"
    """It cannot be judged, or its answer cannot be read: a fault of ours, shown until it is mended."""
    NEEDS_PHONE = "needs_phone"
    """The provider answers only with the last four digits of a phone, and none are known."""
    LOCKED = "locked"
    """The provider has locked the number for some hours: it was asked about too often."""
    REFUSED = "refused"
    """The provider will not answer for this number; it says why."""
    CHANGED = "changed"
    """The shop gave the order another number; its new parcel is watched."""
    ENDED = "ended"
    """Over: signed for, returned, closed, or silent for sixty days."""

    @property
    def covered(self) -> bool:
        """Nothing is missing."""
        return self in (Reason.ASKED, Reason.PUSHED, Reason.CHANGED, Reason.ENDED)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many parcels stand how (of `no_waybill` orders, of `not_kept` documents); `ended` no further than `MOST`."""

    counts: dict[Reason, int]

    @property
    def missing(self) -> int:
        """Shipped and not watched as it should be."""
        return sum(n for reason, n in self.counts.items() if not reason.covered)

    @property
    def todo(self) -> int:
        """Of these, what somebody has to do something about: all but those that merely wait for a first answer."""
        return self.missing - self.counts.get(Reason.WAITING, 0)


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
    """Shipped, put on watch, or told of."""
    asked_at: datetime | None
    source: str = ""
    """The order source that told of it, of `not_kept`."""


def coverage(conn: Connection, served: Answers, pushed: Answers = nobody) -> Coverage:
    """The counts. `served` says of a carrier whether some account can be asked about it, `pushed` whether one pushes.

    A parcel is counted once, for what is worst: that nobody can be asked, a fault of ours, a refusal, that
    it was never answered. Parcels are counted by their carrier on an index that holds the watched ones; only those
    with a remark are read themselves.
    """
    carriers = Silent.of(conn, served, pushed)
    watched, unanswered = watched_by(conn), watched_by(conn, unanswered=True)
    counts = dict.fromkeys(Reason, 0)
    for (carrier,), (kind, answered), n in remarked(conn):
        if carrier not in carriers.all:
            counts[kind] += n
            watched[(carrier,)] -= n
            unanswered[(carrier,)] = unanswered.get((carrier,), 0) - (0 if answered else n)
    for (carrier,), n in watched.items():
        waiting = 0 if carrier in carriers.all else unanswered.get((carrier,), 0)
        counts[Reason.WAITING] += waiting
        counts[carriers.reason(carrier)] += n - waiting
    for reason in (Reason.NOT_KEPT, Reason.NO_WAYBILL, Reason.CHANGED, Reason.ENDED):
        counts[reason] = walking.count(conn, _parts(reason, carriers), MOST)
    return Coverage(counts)


def uncovered(
    conn: Connection,
    reason: Reason,
    served: Answers,
    cursor: str | None = None,
    limit: int = 50,
    pushed: Answers = nobody,
) -> Page[Uncovered]:
    """The parcels, or orders, that stand so, the newest first. Raises `BadCursor`; nothing for `asked` and `pushed`."""
    if reason in (Reason.ASKED, Reason.PUSHED):
        return Page()
    key = _ENDED if reason is Reason.ENDED else Key(f"coverage-{reason}", ("id",), (True,))
    found = walking.walk(conn, _parts(reason, Silent.of(conn, served, pushed)), key, cursor, limit)
    ids = [each[-1] for each in found.keys]
    read = _READ.get(reason, _read_parcels)
    return found.page(read(conn, reason, ids))


# ── which ────────────────────────────────────────────────────────────────────────────────────────

_ENDED: Final = Key("coverage-ended", ("done_at", "id"), (True, True))
_KNOWN: Final = frozenset(carrier.key for carrier in CARRIERS)


@dataclass(frozen=True, slots=True)
class Silent:
    """The carriers there are parcels of that no account can be asked about."""

    unknown: tuple[str, ...]
    unserved: tuple[str, ...]
    pushed: tuple[str, ...]

    @classmethod
    def of(cls, conn: Connection, served: Answers, pushed: Answers) -> Silent:
        silent = [each for each in _distinct(conn, _parcels.c.carrier) if not served(each)]
        # An account for all carriers pushes nothing of a number of which nobody knows whose it is.
        nobody_ = [each for each in silent if each == UNNAMED or not pushed(each)]
        return cls(
            tuple(each for each in nobody_ if each not in _KNOWN),
            tuple(each for each in nobody_ if each in _KNOWN),
            tuple(each for each in silent if each not in nobody_),
        )

    @property
    def all(self) -> tuple[str, ...]:
        """Nobody tells of them."""
        return self.unknown + self.unserved

    def reason(self, carrier: str) -> Reason:
        """How a parcel of the carrier stands that nothing else is to be said of."""
        if carrier in self.unknown:
            return Reason.UNKNOWN_CARRIER
        if carrier in self.unserved:
            return Reason.NOT_SERVED
        return Reason.PUSHED if carrier in self.pushed else Reason.ASKED


def _parts(reason: Reason, carriers: Silent) -> list[Part]:
    """Each reason along an index that holds hardly more than its rows."""
    match reason:
        case Reason.NO_WAYBILL:
            return _without_waybill()
        case Reason.UNKNOWN_CARRIER:
            return [_unasked(carriers.unknown)]
        case Reason.NOT_SERVED:
            return [_unasked(carriers.unserved)]
        case Reason.WAITING:
            rows = select(*_columns("id", "carrier", "why")).where(
                WATCHED, _parcels.c.answer_hash == literal_column("''")
            )
            return [Part(rows, lambda seen: (seen.c.why == "") & seen.c.carrier.not_in(carriers.all))]
        case Reason.PUT_ASIDE | Reason.REFUSED | Reason.NEEDS_PHONE | Reason.LOCKED:
            rows = select(*_columns("id", "carrier", "why")).where(
                WATCHED, _parcels.c.why != literal_column("''")
            )
            return [
                Part(
                    rows,
                    lambda seen: (kind_of(seen.c.why) == reason.value) & seen.c.carrier.not_in(carriers.all),
                )
            ]
        case Reason.NOT_KEPT:
            lost = _pulled.c.problem.in_((literal_column("'not_kept'"), literal_column("'unreadable'")))
            return [Part(select(_pulled.c.id).where(_pulled.c.problem != literal_column("''"), lost))]
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


_UNANSWERED: Final = _parcels.c.answer_hash == literal_column("''")
_PHONE: Final = "手机号后四位"
"""What adapters say where a carrier answers for nothing else (`carriers/*.py`)."""
WATCHED: Final = _parcels.c.state == literal_column("'watched'")
"""Conditions of partial indexes are written out: SQLite does not see a parameter's value when it plans."""


def _columns(*names: str) -> list[Any]:
    return [_parcels.c[name] for name in names]


def _unasked(carriers: Sequence[str]) -> Part:
    """Watched parcels of these carriers among those nobody can be asked about."""
    rows = select(_due.c.parcel_id.label("id")).where(_due.c.provider == literal_column("''"))

    def fits(seen: Any) -> Any:
        return exists().where(_parcels.c.id == seen.c.id, WATCHED, _parcels.c.carrier.in_(carriers))

    return Part(rows, fits)


def kind_of(why: Any) -> Any:
    """What a remark on a parcel is, by how it begins or the words it has in it."""
    ours = or_(*(why.startswith(words, autoescape=True) for words in _ASIDE))
    return case(
        (ours, Reason.PUT_ASIDE.value),
        (why.startswith(LOCKED, autoescape=True), Reason.LOCKED.value),
        (why.contains(_PHONE, autoescape=True), Reason.NEEDS_PHONE.value),
        else_=Reason.REFUSED.value,
    )


def watched_by(conn: Connection, *more: Any, unanswered: bool = False) -> dict[tuple[Any, ...], int]:
    """Watched parcels by carrier, and by what `more` says of them; with `unanswered` only those never answered."""
    by = (_parcels.c.carrier, *more)
    query = select(*by, func.count()).where(WATCHED).group_by(*by)
    rows = conn.execute(query.where(_UNANSWERED) if unanswered else query)
    return {tuple(row[:-1]): row[-1] for row in rows}


def remarked(conn: Connection, *more: Any) -> list[tuple[tuple[Any, ...], tuple[Reason, bool], int]]:
    """Watched parcels with a remark: carrier and `more`, what the remark is and whether they were ever answered, how many."""
    by = (_parcels.c.carrier, *more)
    answered = (_parcels.c.answer_hash != literal_column("''")).label("answered")
    noted = select(*by, kind_of(_parcels.c.why).label("kind"), answered)
    seen = noted.where(WATCHED, _parcels.c.why != literal_column("''")).limit(MOST).subquery()
    query = select(*seen.c, func.count()).group_by(*seen.c)
    return [(tuple(row[:-3]), (Reason(row[-3]), bool(row[-2])), row[-1]) for row in conn.execute(query)]


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


def _read_pulled(conn: Connection, reason: Reason, ids: Sequence[int]) -> list[Uncovered]:
    rows = {row.id: row for row in conn.execute(select(_pulled).where(_pulled.c.id.in_(ids)))}
    return [_of_document(reason, rows[id_]) for id_ in ids]


def _of_document(reason: Reason, row: Any) -> Uncovered:
    since, told = from_micros(row.seen_at), row.order_no or row.number
    return Uncovered(reason, row.why, "", "", told, row.shop, "", since, None, row.source)


_READ: Final = {Reason.NO_WAYBILL: _read_orders, Reason.NOT_KEPT: _read_pulled}
