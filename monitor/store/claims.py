"""Claiming questions: which waybills a provider may be asked about now, inside each one's ceilings.

Two ceilings of one waybill, both facts about the service: the least time between two questions, and
how many a day (快递100 locks a number for 24 h that is asked too often). The daily one is a GCRA:
`quota_at` is the theoretical arrival time, half of the day's questions may come at once and the other
half refill evenly, so no window of 24 hours ever holds more than the whole.

A number that is two parcels (two carriers' codes) is one number to the account: both share its ceilings
(`namesakes`). What a claim wrote is undone where nothing was asked (`claimed`).

Where money is short only some of what is due may be asked (`Scope`): the rest stays due as it is, so that
it is asked at once when there is money again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    bindparam,
    func,
    literal,
    not_,
    or_,
    select,
)

from domain.remote import Secret
from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import chunks, update_many
from monitor.store.codec import length, moment
from monitor.store.namesakes import Use, others
from monitor.store.sealing import Unsealable, keys_of, unseal

__all__ = [
    "ALL",
    "Allowance",
    "Claim",
    "Mark",
    "Scope",
    "Taken",
    "addresses",
    "claim_polls",
    "mark_of",
    "open_tail",
    "phone_context",
    "take",
    "uses_of",
]

_DAY: Final = 24 * 3600 * 1_000_000
_MINUTE: Final = 60 * 1_000_000
_NEVER: Final = 1 << 62
_due = schema.due


@dataclass(frozen=True, slots=True)
class Mark:
    """What a claim wrote, and over what; moments in microseconds."""

    asked_at: int
    quota_at: int
    again_at: int
    due_at: int
    before: Use
    refill: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to ask about one waybill, once, now."""

    parcel_id: int
    carrier: str
    waybill_no: str
    phone_tail: Secret | None
    province: str
    city: str
    answer_hash: str
    asked_before: datetime | None
    """When it was last asked about."""
    patience: timedelta | None = None
    """How long a look at the same words stays fresh; None: even the same words are to be judged."""
    next_deadline_at: datetime | None = None
    reason: int = 3
    """What it is asked for (`rules.schedule.Reason`)."""
    stake: int = 3
    """What the question at the next step would be for."""
    charged: bool = True
    """An answer about it costs money: the account has not charged for the number within its period."""
    known: bool = False
    """It has scans already."""
    claimed_at: datetime | None = None
    """When it was claimed, and paid for."""
    answered: bool = False
    """Somebody answered about it before, if only that nothing is known."""
    mark: Mark | None = None
    """How to undo it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which of the due questions may be asked."""

    least: int = 0
    """What they are for, at least (`rules.schedule.Reason`)."""
    stretched: timedelta | None = None
    """One that is for nothing but freshness waits so much longer."""
    paying: int | None = None
    """At most so many that cost money."""
    billed_since: datetime | None = None
    """A number charged for since then is free, and asked whatever it is for. None: every answer costs."""

    def within(self, provider: str, now: datetime) -> list[ColumnElement[bool]]:
        """As conditions on `due`; none where everything may be asked."""
        asked = self._for_what(to_micros(now))
        if asked is None or self.billed_since is None:
            return [] if asked is None else [asked]
        return [or_(asked, _charged(provider, self.billed_since))]

    def _for_what(self, at: int) -> ColumnElement[bool] | None:
        if self.least > 0:
            return _due.c.reason >= self.least
        if self.stretched is None:
            return None
        return or_(_due.c.reason > 0, _due.c.next_poll_at <= at - (length(self.stretched) or 0))


ALL: Final = Scope()


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a claim."""

    claims: list[Claim]
    refused: list[tuple[Claim, str]]
    """Not to be asked, and why: it would only cost a question."""


def _charged(provider: str, since: datetime) -> ColumnElement[bool]:
    """The account has charged for the number since then."""
    billed = schema.billed.c
    return (
        select(billed.at)
        .where(
            billed.parcel_id == _due.c.parcel_id, billed.provider == provider, billed.at > to_micros(since)
        )
        .exists()
    )


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often one waybill may be asked about, in microseconds."""

    interval: int
    refill: int
    """One question more after this."""
    ahead: int
    """How far `quota_at` may lie ahead of now."""

    @classmethod
    def of(cls, interval: timedelta, daily: int) -> Allowance:
        burst = max(1, daily // 2)
        refill = -(-_DAY // max(1, daily - burst)) + (1 if daily == 1 else 0)
        return cls(length(interval) or 0, refill, (burst - 1) * refill)

    def allowed_at(self, used: Use | Row[Any], at: int) -> int:
        """The first moment at which this waybill may be asked about again."""
        asked, quota = self.believed(used, at)
        return max(0 if asked is None else asked + self.interval, 0 if quota is None else quota - self.ahead)

    def believed(self, used: Use | Row[Any], at: int) -> tuple[int | None, int | None]:
        """`asked_at` and `quota_at`; what lies further ahead of `at` than they can was written by a clock that
        was ahead: it counts as asked just now, as often as it may be."""
        asked, quota = used.asked_at, used.quota_at
        if asked is not None and asked > at + self.interval + _MINUTE:
            asked = at
        most = at + self.ahead + self.refill
        if quota is not None and quota > most + _MINUTE:
            quota = most
        return asked, quota


def phone_context(order_id: int) -> str:
    """What a sealed phone tail is bound to: it opens in this row only."""
    return f"orders.phone_tail:{order_id}"


def open_tail(conn: Connection, order_id: int, sealed: bytes) -> str:
    """The last digits of an order's phone; nothing when no key opens them.

    A lost key stops no question: the carrier refuses those that need the digits, and says so.
    """
    try:
        return unseal(keys_of(conn), bytes(sealed), phone_context(order_id))
    except Unsealable:
        return ""


def claim_polls(
    conn: Connection,
    provider: str,
    now: datetime,
    limit: int,
    *,
    interval: timedelta,
    daily: int,
    lease: timedelta,
) -> list[Claim]:
    """`take`, where everything may be asked."""
    return take(conn, provider, now, limit, interval=interval, daily=daily, lease=lease).claims


def take(
    conn: Connection,
    provider: str,
    now: datetime,
    limit: int,
    *,
    interval: timedelta,
    daily: int,
    lease: timedelta,
    scope: Scope = ALL,
    refused: Callable[[Claim], str] = lambda claim: "",
    waits: timedelta = timedelta(0),
) -> Taken:
    """Take up to `limit` due waybills of this account that may be asked about now, longest due first.

    Each is marked as asked when it has waited its turn (up to `waits`: whoever dies over it shortens no
    interval), and due again after the lease or the interval, whichever is longer: a crash
    before the answer asks again only when the ceiling allows. A due one that may not be asked yet is put
    off to the first moment it may, one that it is no use to ask about (`refused` says why) for a day.
    Two processes never take the same one (PostgreSQL: SKIP LOCKED).
    """
    ceilings, at = Allowance.of(interval, daily), to_micros(now)
    leaves = at + (length(waits) or 0)
    taken = Taken([], [])
    paying = scope.paying
    while len(taken.claims) < limit and daily > 0:
        asked_for = limit - len(taken.claims)
        rows = _due_rows(conn, provider, now, asked_for, scope)
        uses = uses_of(conn, provider, rows)
        held = [row for row in rows if not _free(row, uses, ceilings, at)]
        able = _claims(conn, [row for row in _once(rows) if _free(row, uses, ceilings, at)], now)
        vain = [(each, why) for each in able if (why := refused(each))]
        without = {each.parcel_id for each, _ in vain}
        asked = [each for each in able if each.parcel_id not in without]
        if paying is not None:
            asked = _afforded(asked, paying)
            paying -= sum(each.charged for each in asked)
        mine = {each.parcel_id for each in asked}
        marks = {
            row.parcel_id: mark_of(
                row, uses[row.parcel_id], ceilings, leaves, length(lease) or 0, row.next_poll_at
            )
            for row in rows
            if row.parcel_id in mine
        }
        _write(conn, [_asked(parcel_id, mark) for parcel_id, mark in marks.items()])
        _write(conn, [_put_off(row, uses[row.parcel_id], ceilings, at) for row in held])
        _write(conn, [{"parcel_id": parcel_id, "next_poll_at": at + _DAY} for parcel_id in without])
        taken.claims.extend(replace(each, mark=marks[each.parcel_id]) for each in asked)
        taken.refused.extend(vain)
        if len(rows) < asked_for or len(asked) + len(vain) < len(able):
            break
    return taken


def uses_of(
    conn: Connection, provider: str, rows: Sequence[Row[Any]], table: Table = schema.due
) -> dict[int, Use]:
    """What the number of each row of `table` has used of its ceilings, under whatever names."""
    also = others(conn, provider, [row.parcel_id for row in rows], table)
    return {row.parcel_id: Use(row.asked_at, row.quota_at).with_(also.get(row.waybill_no)) for row in rows}


def _once(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The first row of each number; the others stay due and find their number asked."""
    return list({row.waybill_no: row for row in reversed(rows)}.values())[::-1]


def _free(row: Row[Any], uses: Mapping[int, Use], ceilings: Allowance, at: int) -> bool:
    return row.state == "watched" and ceilings.allowed_at(uses[row.parcel_id], at) <= at


def _afforded(claims: list[Claim], most: int) -> list[Claim]:
    """Those that cost nothing, and the first of the others."""
    paid = iter(range(most))
    return [each for each in claims if not each.charged or next(paid, None) is not None]


def _due_rows(conn: Connection, provider: str, now: datetime, limit: int, scope: Scope) -> list[Any]:
    since = scope.billed_since
    charged = literal(True) if since is None else not_(_charged(provider, since))
    query = (
        select(
            charged.label("charged"),
            _due.c.parcel_id,
            _due.c.asked_at,
            _due.c.quota_at,
            _due.c.next_poll_at,
            _due.c.patience,
            _due.c.next_deadline_at,
            _due.c.reason,
            _due.c.stake,
            schema.parcels.c.last_event_at,
            schema.parcels.c.state,
            schema.parcels.c.carrier,
            schema.parcels.c.waybill_no,
            schema.parcels.c.answer_hash,
            schema.parcels.c.observed_at,
        )
        .join(schema.parcels, schema.parcels.c.id == _due.c.parcel_id)
        .where(
            _due.c.provider == provider,
            _due.c.next_poll_at <= to_micros(now),
            *scope.within(provider, now),
        )
        .order_by(_due.c.next_poll_at)
        .limit(limit)
        .with_for_update(of=_due, skip_locked=True)
    )
    return list(conn.execute(query))


def mark_of(row: Row[Any], used: Use, ceilings: Allowance, at: int, lease: int, due_at: int) -> Mark:
    """The question of `row` that leaves at `at`, of a number that has `used` so much."""
    quota = max(used.quota_at or 0, at) + ceilings.refill
    again = at + max(lease, ceilings.interval, 1)
    return Mark(at, quota, again, due_at, Use(row.asked_at, row.quota_at), ceilings.refill)


def _asked(parcel_id: int, mark: Mark) -> dict[str, int | None]:
    written = {"asked_at": mark.asked_at, "quota_at": mark.quota_at, "next_poll_at": mark.again_at}
    return {"parcel_id": parcel_id, **written}


def _put_off(row: Row[Any], used: Use, ceilings: Allowance, at: int) -> dict[str, int | None]:
    """Until it may be asked; a parcel that is not watched any more is not asked about at all."""
    later = ceilings.allowed_at(used, at) if row.state == "watched" else None
    asked, quota = ceilings.believed(used, at)
    return {"parcel_id": row.parcel_id, "next_poll_at": later, "asked_at": asked, "quota_at": quota}


def _write(conn: Connection, rows: list[dict[str, int | None]]) -> None:
    update_many(conn, _due, ("parcel_id",), sorted(rows, key=lambda row: row["parcel_id"] or 0))


_ADDRESSES: Final = (
    select(
        schema.order_parcels.c.parcel_id,
        schema.orders.c.id,
        schema.orders.c.phone_tail,
        schema.orders.c.receiver_province,
        schema.orders.c.receiver_city,
    )
    .join(schema.orders, schema.orders.c.id == schema.order_parcels.c.order_id)
    .where(
        schema.order_parcels.c.parcel_id.in_(bindparam("ids", expanding=True)),
        schema.order_parcels.c.unlinked_at.is_(None),
    )
    .order_by(func.coalesce(schema.orders.c.paid_at, _NEVER).desc(), schema.orders.c.id.desc())
)


def addresses(
    conn: Connection, parcel_ids: Sequence[int]
) -> tuple[dict[int, Secret], dict[int, tuple[str, str]]]:
    """A phone's last digits, and province and city, of each parcel: of its earliest paid order that says it."""
    tails: dict[int, Secret] = {}
    places: dict[int, tuple[str, str]] = {}
    for some in chunks(parcel_ids):
        for order in conn.execute(_ADDRESSES, {"ids": list(some)}):
            if order.phone_tail is not None and (tail := open_tail(conn, order.id, order.phone_tail)):
                tails[order.parcel_id] = Secret(tail)
            if order.receiver_province or order.receiver_city:
                places[order.parcel_id] = (order.receiver_province, order.receiver_city)
    return tails, places


def _claims(conn: Connection, rows: list[Row[Any]], now: datetime) -> list[Claim]:
    """With what the question needs of the orders inside."""
    tails, places = addresses(conn, [row.parcel_id for row in rows])
    return [
        Claim(
            row.parcel_id,
            row.carrier,
            row.waybill_no,
            tails.get(row.parcel_id),
            *places.get(row.parcel_id, ("", "")),
            row.answer_hash,
            moment(row.asked_at),
            None if row.patience is None else timedelta(microseconds=row.patience),
            moment(row.next_deadline_at),
            row.reason,
            row.stake,
            bool(row.charged),
            row.last_event_at is not None,
            now,
            row.observed_at is not None,
        )
        for row in rows
    ]
