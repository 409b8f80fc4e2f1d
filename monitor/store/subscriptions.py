"""Subscriptions: which parcel an account was asked to push, what came of it, when to ask again.

The ceiling of a number is kept in the row: `opens` holds the moments of the last month's subscriptions, and a place is
taken there before the request leaves, so a crash in between costs one place and never breaks the ceiling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, exists, func, select, update

from carriers.push import End, Terms
from domain.remote import Secret
from domain.time import from_micros, to_micros
from monitor.store import polls, schema
from monitor.store.bulk import chunks, insert_many, update_many
from monitor.store.claims import addresses
from monitor.store.codec import clean

__all__ = [
    "Claim",
    "Outcome",
    "State",
    "any_after",
    "claim",
    "close_done",
    "due",
    "ended",
    "is_open",
    "opens_of",
    "pushed",
    "settle",
    "standing",
    "want",
]

_subs, _parcels, _due = schema.subscriptions, schema.parcels, schema.due
MONTH: Final = timedelta(days=31)
"""The longest a month can be: a ceiling "per month" holds however it is counted."""
_LOOK_AGAIN: Final = timedelta(days=1)
_WHY: Final = 300


class State(StrEnum):
    """How a subscription stands."""

    WANTED = "wanted"
    OPEN = "open"
    ENDED = "ended"
    REFUSED = "refused"
    CLOSED = "closed"
    """By us: the parcel is done."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to subscribe one parcel, once, now; its place under the ceiling is taken."""

    parcel_id: int
    carrier: str
    waybill_no: str
    phone_tail: Secret | None
    destination: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a claim."""

    claim: Claim
    state: State
    why: str = ""
    again_at: datetime | None = None
    taken: bool = True
    """The service may have counted it; False gives the place back."""


def want(
    conn: Connection,
    provider: str,
    after: int,
    now: datetime,
    *,
    carriers: Sequence[str],
    asked: bool,
    limit: int,
) -> int:
    """Note watched parcels that this account is to push, of the next `limit` after the id `after`.

    `asked`: those it is asked about; else those of its `carriers` (`("*",)` for all), as nobody asks it anything.
    Returns the last id looked at; 0 when there is none left.
    """
    query = (
        select(
            _parcels.c.id, _parcels.c.state, _parcels.c.carrier, _due.c.provider, _subs.c.state.label("known")
        )
        .join(_due, _due.c.parcel_id == _parcels.c.id)
        .outerjoin(_subs, (_subs.c.parcel_id == _parcels.c.id) & (_subs.c.provider == provider))
        .where(_parcels.c.id > after)
        .order_by(_parcels.c.id)
        .limit(limit)
    )
    rows = conn.execute(query).all()
    fresh: list[int] = []
    reopened: list[int] = []
    for row in rows:
        ours = row.provider == provider if asked else "*" in carriers or row.carrier in carriers
        if row.state != "watched" or not ours:
            continue
        if row.known is None:
            fresh.append(row.id)
        elif row.known == State.CLOSED:
            reopened.append(row.id)
    at = to_micros(now)
    values = [{"parcel_id": each, "provider": provider, "state": "wanted", "next_at": at} for each in fresh]
    insert_many(conn, _subs, values, ignore=True)
    _move(conn, provider, reopened, state=State.WANTED.value, next_at=at)
    return int(rows[-1].id) if rows else 0


def any_after(conn: Connection, parcel_id: int) -> bool:
    """There are parcels newer than this one: one look at an index."""
    return conn.execute(select(_parcels.c.id).where(_parcels.c.id > parcel_id).limit(1)).first() is not None


def due(conn: Connection, provider: str, now: datetime) -> bool:
    """Some subscription is due: one look at an index."""
    query = select(_subs.c.parcel_id).where(_subs.c.provider == provider, _subs.c.next_at <= to_micros(now))
    return conn.execute(query.limit(1)).first() is not None


def claim(
    conn: Connection, provider: str, terms: Terms, limit: int, now: datetime, *, asked: bool
) -> list[Claim]:
    """Take up to `limit` parcels whose subscription is due and allowed; their places are taken with this commit.

    After a crash each is due again when the service allows the next one. Who has used up the month waits for it to
    pass; who was given up as unknown waits, where the account can be `asked`, until a question has shown a scan.
    """
    at = to_micros(now)
    query = (
        select(
            _subs.c.parcel_id,
            _subs.c.state,
            _subs.c.opens,
            _parcels.c.carrier,
            _parcels.c.waybill_no,
            _parcels.c.last_event_at,
            _parcels.c.state.label("parcel_state"),
        )
        .join(_parcels, _parcels.c.id == _subs.c.parcel_id)
        .where(_subs.c.provider == provider, _subs.c.next_at <= at)
        .order_by(_subs.c.next_at)
        .limit(limit)
        .with_for_update(of=_subs, skip_locked=True)
    )
    month, again = at - _us(MONTH), _us(terms.again_after)
    changes: list[dict[str, Any]] = []
    free: list[Any] = []
    for row in conn.execute(query).all():
        opens = [each for each in json.loads(row.opens) if each > month]
        key = {"parcel_id": row.parcel_id, "provider": provider}
        if row.parcel_state != "watched":
            changes.append(
                {**key, "state": State.CLOSED.value, "next_at": None, "opens": json.dumps(opens), "why": ""}
            )
        elif len(opens) >= terms.per_number_monthly:
            why = f"一个月内已经订阅 {len(opens)} 次，到上限了"
            later = min(opens) + _us(MONTH) + 1
            changes.append(
                {
                    **key,
                    "state": State.REFUSED.value,
                    "next_at": later,
                    "opens": json.dumps(opens),
                    "why": why,
                }
            )
        elif opens and max(opens) + again > at:
            changes.append(_same(key, row, opens, max(opens) + again))
        elif asked and row.state == State.ENDED and row.last_event_at is None:
            changes.append(_same(key, row, opens, at + _us(_LOOK_AGAIN)))
        else:
            changes.append(_same(key, row, [*opens, at], at + again))
            free.append(row)
    update_many(conn, _subs, ("parcel_id", "provider"), changes)
    tails, places = addresses(conn, [row.parcel_id for row in free])
    return [
        Claim(
            row.parcel_id,
            row.carrier,
            row.waybill_no,
            tails.get(row.parcel_id),
            "".join(places.get(row.parcel_id, ())),
            now,
        )
        for row in free
    ]


def _same(key: Mapping[str, Any], row: Any, opens: Sequence[int], next_at: int) -> dict[str, Any]:
    return {**key, "state": row.state, "next_at": next_at, "opens": json.dumps(opens), "why": ""}


def settle(conn: Connection, provider: str, outcomes: Sequence[Outcome], now: datetime) -> None:
    """What came of claims. An open subscription relaxes the questions about its parcel: it is judged anew."""
    rows: list[dict[str, Any]] = []
    for each in outcomes:
        held = conn.execute(
            select(_subs.c.opens).where(
                _subs.c.parcel_id == each.claim.parcel_id, _subs.c.provider == provider
            )
        ).scalar()
        opens = [at for at in json.loads(held or "[]") if each.taken or at != to_micros(each.claim.at)]
        rows.append(
            {
                "parcel_id": each.claim.parcel_id,
                "provider": provider,
                "state": each.state.value,
                "next_at": None if each.again_at is None else to_micros(each.again_at),
                "opens": json.dumps(opens),
                "why": clean(each.why)[:_WHY],
            }
        )
    update_many(conn, _subs, ("parcel_id", "provider"), rows)
    opened = [each.claim.parcel_id for each in outcomes if each.state is State.OPEN]
    _move(conn, provider, opened, opened_at=to_micros(now))
    polls.touch(conn, opened, now)


def pushed(conn: Connection, provider: str, at: Mapping[int, datetime]) -> None:
    """News of these parcels came from this account just now."""
    rows = [
        {"parcel_id": parcel_id, "provider": provider, "pushed_at": to_micros(moment)}
        for parcel_id, moment in at.items()
    ]
    update_many(conn, _subs, ("parcel_id", "provider"), rows)


def ended(
    conn: Connection, provider: str, parcel_id: int, why: End, said: str, at: datetime, again_after: timedelta
) -> None:
    """The pusher ended it. Given up as unknown, it is asked for again once the number was looked at.

    A correction ends nothing: the pusher goes on under the other carrier. An end told twice changes nothing more.
    """
    if why is End.CORRECTED:
        return
    mine = (_subs.c.parcel_id == parcel_id, _subs.c.provider == provider, _subs.c.state == State.OPEN.value)
    again = to_micros(at + again_after) if why is End.NO_RECORD else None
    state = State.REFUSED if why is End.REFUSED else State.ENDED
    words = clean(f"{_END_ZH[why]}{f'（{said}）' if said else ''}")[:_WHY]
    if conn.execute(update(_subs).where(*mine).values(state=state.value, next_at=again, why=words)).rowcount:
        polls.touch(conn, [parcel_id], at)


_END_ZH: Final[Mapping[End, str]] = {
    End.DONE: "包裹已到，推送结束",
    End.NO_RECORD: "一直没有轨迹，对方不再推送",
    End.SILENT: "太久没有变化，对方不再推送",
    End.REFUSED: "对方不再推送",
}


def close_done(conn: Connection, provider: str, limit: int) -> int:
    """Nothing more is owed of parcels that are watched no more; how many were closed."""
    live = [each.value for each in State if each is not State.CLOSED]
    over = exists().where(_parcels.c.id == _subs.c.parcel_id, _parcels.c.state != "watched")
    query = select(_subs.c.parcel_id).where(_subs.c.provider == provider, _subs.c.state.in_(live), over)
    ids = list(conn.execute(query.limit(limit)).scalars())
    _move(conn, provider, ids, state=State.CLOSED.value, next_at=None)
    return len(ids)


def standing(conn: Connection, provider: str) -> dict[str, int]:
    """How many subscriptions of the account are in each state."""
    query = select(_subs.c.state, func.count()).where(_subs.c.provider == provider).group_by(_subs.c.state)
    return {row[0]: row[1] for row in conn.execute(query)}


def is_open(conn: Connection, provider: str, parcel_id: int) -> bool:
    """The account was asked for this parcel's news, and said yes."""
    query = select(_subs.c.state).where(_subs.c.parcel_id == parcel_id, _subs.c.provider == provider)
    return bool(conn.execute(query).scalar() == State.OPEN.value)


def opens_of(conn: Connection, provider: str, parcel_id: int) -> list[datetime]:
    """When the parcel was subscribed in the last month, as far as it is counted."""
    query = select(_subs.c.opens).where(_subs.c.parcel_id == parcel_id, _subs.c.provider == provider)
    return [from_micros(at) for at in json.loads(conn.execute(query).scalar() or "[]")]


def _move(conn: Connection, provider: str, ids: Sequence[int], **values: Any) -> None:
    for some in chunks(list(ids)):
        conn.execute(
            update(_subs).where(_subs.c.provider == provider, _subs.c.parcel_id.in_(some)).values(**values)
        )


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
