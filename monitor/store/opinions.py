"""Second opinions: whom to ask about which parcel, what was said, and where it differs from the first's word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from domain.journey import Journey
from domain.time import from_micros, to_micros
from domain.tracking import Milestone
from monitor.store import billing, schema
from monitor.store.bulk import chunks
from monitor.store.claims import ALL, Allowance, Claim, Scope, Taken, addresses, mark_of, uses_of
from monitor.store.codec import clean, length, micros, moment
from monitor.store.namesakes import Use
from monitor.store.providers import upsert

__all__ = [
    "Opinion", "differing", "dropped", "failed", "heard", "hold", "of", "request", "restated", "take", "waiting",
]  # fmt: skip

_opinions, _parcels = schema.opinions, schema.parcels
_AGAIN: Final = timedelta(days=1)
"""An account that contradicts itself about a parcel at every question is verified once in so long."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a second account said of a parcel, or is to be asked."""

    provider: str
    due_at: datetime | None
    wait_until: datetime | None
    """A finding waits for it until then, at most."""
    asked_at: datetime | None
    heard_at: datetime | None
    """When it answered last; None: never, and the rest says nothing."""
    milestone: Milestone
    last_event_at: datetime | None
    against: Milestone
    """What the first account said then."""
    against_at: datetime | None
    says: tuple[str, ...]
    """What differs (`domain.opinions.DIFFERENCES`)."""
    why: str


def of(conn: Connection, parcel_ids: Sequence[int]) -> dict[int, list[Opinion]]:
    """The opinions on these parcels."""
    found: dict[int, list[Opinion]] = {}
    for some in chunks(parcel_ids):
        query = select(_opinions).where(_opinions.c.parcel_id.in_(some)).order_by(_opinions.c.provider)
        for row in conn.execute(query):
            found.setdefault(row.parcel_id, []).append(_opinion(row))
    return found


def _opinion(row: Row[Any]) -> Opinion:
    return Opinion(
        row.provider,
        moment(row.due_at),
        moment(row.wait_until),
        moment(row.asked_at),
        moment(row.heard_at),
        Milestone(row.milestone or Milestone.UNKNOWN),
        moment(row.last_event_at),
        Milestone(row.against or Milestone.UNKNOWN),
        moment(row.against_at),
        tuple(row.says.split("；")) if row.says else (),
        row.why,
    )


def request(conn: Connection, parcel_id: int, provider: str, reason: int, now: datetime) -> None:
    """Ask the account about the parcel, unless it is to be asked already or was within a day."""
    row = _row(conn, parcel_id, provider)
    if row is not None and (row.due_at is not None or (row.asked_at or 0) > to_micros(now - _AGAIN)):
        return
    _ask(conn, parcel_id, provider, reason, to_micros(now), None)


def hold(
    conn: Connection,
    parcel_id: int,
    provider: str,
    reason: int,
    since: datetime,
    now: datetime,
    wait: timedelta,
) -> datetime | None:
    """Until when a finding of silence past `since` waits for the account; it is asked if it was not since then.

    None: it waits no longer, because the account was asked, or did not answer within `wait`.
    """
    row = _row(conn, parcel_id, provider)
    until = now + wait
    if (
        row is not None
        and row.due_at is None
        and row.asked_at is not None
        and row.asked_at >= to_micros(since)
    ):
        return None
    if row is not None and row.due_at is not None and row.wait_until is not None:
        until = from_micros(row.wait_until)
        return until if until > now else None
    _ask(conn, parcel_id, provider, reason, to_micros(now), to_micros(until))
    return until if wait > timedelta(0) else None


def _row(conn: Connection, parcel_id: int, provider: str) -> Row[Any] | None:
    return conn.execute(
        select(_opinions).where(_opinions.c.parcel_id == parcel_id, _opinions.c.provider == provider)
    ).first()


def _ask(conn: Connection, parcel_id: int, provider: str, reason: int, at: int, until: int | None) -> None:
    values = {"reason": reason, "due_at": at, "wait_until": until, "why": ""}
    later = {**values, "due_at": func.coalesce(_opinions.c.due_at, at)}
    upsert(conn, _opinions, {"parcel_id": parcel_id, "provider": provider, **values}, later)


def waiting(conn: Connection, provider: str, now: datetime) -> bool:
    """Something is to be asked of this account."""
    query = select(_opinions.c.parcel_id).where(
        _opinions.c.provider == provider, _opinions.c.due_at <= to_micros(now)
    )
    return conn.execute(query.limit(1)).first() is not None


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
) -> Taken:
    """Take up to `limit` parcels that this account is to be asked about, money first: `claims.take` of opinions.

    Inside the same ceilings of each waybill. What there is no money for stays as it is; one that is watched no more
    is not asked about; of one that it is no use to ask about `refused` says why.
    """
    allowance, at = Allowance.of(interval, daily), to_micros(now)
    taken = Taken([], [])
    free, uses = _free(conn, provider, now, limit, allowance)
    for claim, row in _claims(conn, provider, free, now, scope):
        if why := refused(claim):
            taken.refused.append((claim, why))
        elif _affordable(claim, scope, sum(each.charged for each in taken.claims)):
            mark = mark_of(row, uses[claim.parcel_id], allowance, at, length(lease) or 0, row.due_at)
            taken.claims.append(replace(claim, mark=mark))
            values = {"asked_at": mark.asked_at, "quota_at": mark.quota_at, "due_at": mark.again_at}
            _set(conn, claim.parcel_id, provider, **values)
    return taken


def _free(
    conn: Connection, provider: str, now: datetime, limit: int, allowance: Allowance
) -> tuple[list[Row[Any]], dict[int, Use]]:
    """Those due that may be asked about, one of each number; the others are put off. What each number has used."""
    columns = (_parcels.c[name] for name in ("carrier", "waybill_no", "state", "last_event_at"))
    query = (
        select(_opinions, *columns)
        .join(_parcels, _parcels.c.id == _opinions.c.parcel_id)
        .where(_opinions.c.provider == provider, _opinions.c.due_at <= to_micros(now))
        .order_by(_opinions.c.reason.desc(), _opinions.c.due_at)
        .limit(limit)
        .with_for_update(of=_opinions, skip_locked=True)
    )
    rows = conn.execute(query).all()
    uses = uses_of(conn, provider, rows, _opinions)
    free: dict[str, Row[Any]] = {}
    for row in rows:
        used = uses[row.parcel_id]
        later = allowance.allowed_at(used, to_micros(now)) if row.state == "watched" else None
        if later is not None and later <= to_micros(now):
            free.setdefault(row.waybill_no, row)
        else:
            asked, quota = allowance.believed(used, to_micros(now))
            _set(conn, row.parcel_id, provider, due_at=later, asked_at=asked, quota_at=quota)
    return list(free.values()), uses


def _claims(
    conn: Connection, provider: str, rows: Sequence[Row[Any]], now: datetime, scope: Scope
) -> list[tuple[Claim, Row[Any]]]:
    ids = [row.parcel_id for row in rows]
    tails, places = addresses(conn, ids)
    since = scope.billed_since
    charged = billing.known(conn, provider, ids, since) if since is not None else set()
    return [
        (
            Claim(
                *(row.parcel_id, row.carrier, row.waybill_no, tails.get(row.parcel_id)),
                *places.get(row.parcel_id, ("", "")),
                answer_hash="",
                asked_before=moment(row.asked_at),
                reason=row.reason,
                charged=row.parcel_id not in charged,
                claimed_at=now,
                answered=row.heard_at is not None,
            ),
            row,
        )
        for row in rows
    ]


def _affordable(claim: Claim, scope: Scope, paid: int) -> bool:
    if not claim.charged:
        return True
    return claim.reason >= scope.least and (scope.paying is None or paid < scope.paying)


def heard(
    conn: Connection,
    parcel_id: int,
    provider: str,
    second: Journey,
    first: Journey,
    says: Sequence[str],
    now: datetime,
) -> None:
    """It answered."""
    _set(
        conn,
        parcel_id,
        provider,
        due_at=None,
        wait_until=None,
        asked_at=to_micros(now),
        heard_at=to_micros(now),
        milestone=second.milestone.value,
        last_event_at=micros(second.last_movement_at),
        against=first.milestone.value,
        against_at=micros(first.last_movement_at),
        says="；".join(says),
        why="",
    )


def failed(conn: Connection, parcel_id: int, provider: str, why: str) -> None:
    """It did not answer: nobody waits for it any longer. What it said before stands."""
    _set(conn, parcel_id, provider, due_at=None, wait_until=None, why=clean(why)[:300])


def dropped(conn: Connection, parcel_id: int, provider: str, why: str, now: datetime) -> None:
    """It is no use to ask it."""
    _set(
        conn, parcel_id, provider, due_at=None, wait_until=None, asked_at=to_micros(now), why=clean(why)[:300]
    )


def restated(conn: Connection, parcel_id: int, provider: str, first: Journey, says: Sequence[str]) -> None:
    """The first account has said something new."""
    _set(
        conn,
        parcel_id,
        provider,
        against=first.milestone.value,
        against_at=micros(first.last_movement_at),
        says="；".join(says),
    )


def differing(conn: Connection) -> dict[str, int]:
    """By second account: of how many watched parcels it says otherwise than the first."""
    query = (
        select(_opinions.c.provider, func.count().label("n"))
        .join(_parcels, _parcels.c.id == _opinions.c.parcel_id)
        .where(_opinions.c.says != "", _parcels.c.state == "watched")
        .group_by(_opinions.c.provider)
    )
    return {row.provider: row.n for row in conn.execute(query)}


def _set(conn: Connection, parcel_id: int, provider: str, **values: Any) -> None:
    conn.execute(
        update(_opinions)
        .where(_opinions.c.parcel_id == parcel_id, _opinions.c.provider == provider)
        .values(**values)
    )
