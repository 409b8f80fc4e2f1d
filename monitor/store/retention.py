"""What is over goes after its time, in small batches; what is still open stays, whatever its age.

A parcel goes whole: scans, edits, findings, tickets with their entries, messages and attempts, and then
its orders when no parcel is left to them. The histories are append-only, so the database itself lets go of
them only for a parcel named in `purging`, and takes no name of a parcel with anything open about it
(`migrations/versions/0003_purging.py`). Personal fields go first, after a month: the rest tells no person.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    Table,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from domain.masking import forget_phones
from domain.orders import OrderStatus
from domain.time import SHANGHAI, to_micros
from monitor.store import schema
from monitor.store.bulk import chunks, update_many
from monitor.store.codec import dump, read_mapping
from monitor.store.facets import unused

__all__ = ["BATCH", "KINDS", "KINDS_ZH", "Periods", "count", "purge_some"]

BATCH: Final = 200
"""Parcels taken away in one transaction: some tens of milliseconds, then others write."""
_MISSED: Final = timedelta(days=7)
"""How long the daily purge may have been missed without overlooking a parcel that was watched again."""
_REPLAYED: Final = timedelta(days=7)
"""How long the answer to a repeated API call is remembered."""
_IDLE: Final = timedelta(days=7)
"""How long a group of parcels is kept after one has come to it last, when none is left in it."""
_OVER: Final = ("done", "unwatched")
_ENDED: Final = tuple(status.value for status in OrderStatus if status.ended)
_SAID: Final = ("sent", "folded", "dropped", "dead")
_LIVE: Final = ("open", "acknowledged")

_orders, _parcels, _links, _events = schema.orders, schema.parcels, schema.order_parcels, schema.events
_edits, _findings, _tickets, _entries = (
    schema.event_edits,
    schema.findings,
    schema.tickets,
    schema.ticket_entries,
)
_outbox, _attempts, _purging = schema.outbox, schema.attempts, schema.purging


class Periods(Protocol):
    """How long what is over is kept (`[retention]`)."""

    @property
    def personal(self) -> timedelta: ...
    @property
    def parcels(self) -> timedelta: ...
    @property
    def messages(self) -> timedelta: ...
    @property
    def oddities(self) -> timedelta: ...


KINDS_ZH: Final = {
    "phone_tails": "手机尾号",
    "personal": "轨迹和工单里的快递员、电话",
    "parcels": "结束的包裹（连同轨迹、异常、工单、消息）",
    "orders": "没有包裹的已结束订单",
    "messages": "消息台账",
    "oddities": "看不懂的回答",
    "unknown_codes": "不认识的状态码",
    "feed_hours": "每小时的查询质量",
    "idempotency": "接口的重复请求记录",
    "imports": "导入记录",
    "pulled": "订单来源说过的出库单",
    "spend": "每日查询费用",
    "counters": "每日工单号的计数",
    "facets": "没有在途包裹的类别",
}
KINDS: Final = tuple(KINDS_ZH)
"""In the order they are purged."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One kind: which keys are due, and how a batch of them goes."""

    due: Callable[[Periods, datetime], Select[Any]]
    go: Callable[[Connection, Sequence[Any], datetime], object]


def count(conn: Connection, periods: Periods, now: datetime) -> dict[str, int]:
    """What a purge at `now` would take away, by kind. `orders` are those that are over without parcels today."""
    return {
        kind: int(
            conn.execute(select(func.count()).select_from(work.due(periods, now).subquery())).scalar_one()
        )
        for kind, work in _WORKS.items()
    }


def purge_some(conn: Connection, kind: str, periods: Periods, now: datetime, batch: int = BATCH) -> int:
    """Take away up to `batch` of a kind; returns how many went, less than `batch` when no more are due."""
    work = _WORKS[kind]
    keys = list(conn.execute(work.due(periods, now).limit(batch)).scalars())
    if keys:
        work.go(conn, keys, now)
    return len(keys)


# ── personal fields ──────────────────────────────────────────────────────────────────────────────


def _due_tails(periods: Periods, now: datetime) -> Select[Any]:
    """Orders with a phone tail that no parcel needs for a question any more."""
    before = to_micros(now - periods.personal)
    needed = exists().where(
        _links.c.order_id == _orders.c.id,
        _links.c.parcel_id == _parcels.c.id,
        or_(_parcels.c.state == "watched", _ended_at() >= before),
    )
    return select(_orders.c.id).where(
        _orders.c.phone_tail.is_not(None), _orders.c.updated_at < before, ~needed
    )


def _clear_tails(conn: Connection, ids: Sequence[int], _now: datetime) -> None:
    conn.execute(update(_orders).where(_orders.c.id.in_(ids)).values(phone_tail=None))


def _due_personal(periods: Periods, now: datetime) -> Select[Any]:
    """Parcels that are over and not gone through yet, and those that were over once more since."""
    before = now - periods.personal
    first = select(_parcels.c.id).where(
        _parcels.c.state != literal_column("'watched'"),
        _parcels.c.forgotten_at.is_(None),
        _ended_at() < to_micros(before),
    )
    again = select(_parcels.c.id).where(
        _parcels.c.state == literal_column("'done'"),
        _parcels.c.done_at.between(to_micros(before - _MISSED), to_micros(before)),
        _parcels.c.forgotten_at < _parcels.c.done_at,
    )
    return select(union_all(first, again).subquery().c.id)


def _forget(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """Couriers' names and what was left of phone numbers; moments, places and words stay."""
    _mark(conn, "personal", ids)
    conn.execute(update(_parcels).where(_parcels.c.id.in_(ids)).values(forgotten_at=to_micros(now)))
    _rewrite(conn, _parcels, ("id",), _parcels.c.id.in_(ids), {"journey": _without_person})
    _rewrite(
        conn,
        _events,
        ("parcel_id", "occurred_at", "seq"),
        _events.c.parcel_id.in_(ids),
        {"detail": _without_person, "text": forget_phones},
    )
    _rewrite(conn, _edits, ("id",), _edits.c.parcel_id.in_(ids), {"was": _without_person})
    _rewrite(conn, _tickets, ("id",), _tickets.c.parcel_id.in_(ids), {"filled": _without_person})
    _unmark(conn, "personal", ids)


def _rewrite(
    conn: Connection,
    table: Table,
    keys: Sequence[str],
    where: ColumnElement[bool],
    change: Mapping[str, Callable[[str], str]],
) -> None:
    """Pass columns of the rows `where` through their functions; only rows that change are written."""
    changed = []
    for row in conn.execute(select(*(table.c[name] for name in (*keys, *change))).where(where)):
        was = row._mapping
        now = {name: forget(was[name]) for name, forget in change.items()}
        if any(now[name] != was[name] for name in change):
            changed.append({name: was[name] for name in keys} | now)
    update_many(conn, table, keys, changed)


def _without_person(text: str) -> str:
    """A JSON text without couriers and without hints of phones; itself when there are none."""
    if "courier" not in text and "*" not in text:
        return text
    found = read_mapping(text)
    clean = _cleaned(found)
    return text if clean == found else dump(clean)


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cleaned(each) for key, each in value.items() if key != "courier"}
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, str) and value.startswith("{"):  # a detail within an edit
        try:
            return dump(_cleaned(json.loads(value)))
        except ValueError:
            return forget_phones(value)
    return forget_phones(value) if isinstance(value, str) else value


# ── parcels, whole ───────────────────────────────────────────────────────────────────────────────


def _ended_at() -> ColumnElement[int]:
    """When a parcel was over: delivered and judged, or left by its order."""
    return func.coalesce(_parcels.c.done_at, _parcels.c.updated_at)


def _over_before(moment: datetime) -> Subquery:
    """The ids of parcels over by then, each half from its partial index: SQLite takes one only where its condition is
    written out, and none for both halves in one; without them a million parcels in flight are read through."""
    before = to_micros(moment)
    done = select(_parcels.c.id).where(
        _parcels.c.state == literal_column("'done'"), _parcels.c.done_at < before
    )
    left = select(_parcels.c.id).where(
        _parcels.c.state == literal_column("'unwatched'"), _parcels.c.updated_at < before
    )
    return union_all(done, left).subquery("over")


def _due_parcels(periods: Periods, now: datetime) -> Select[Any]:
    """Over for long enough, nothing open about it, nothing of it still to be said."""
    before = to_micros(now - periods.parcels)
    over = _over_before(now - periods.parcels)
    lively = exists().where(
        _tickets.c.parcel_id == over.c.id,
        or_(_tickets.c.state.in_(_LIVE), _tickets.c.updated_at >= before),
    )
    standing = exists().where(_findings.c.parcel_id == over.c.id, _findings.c.state == "open")
    unsaid = ~_outbox.c.state.in_(_SAID)
    of_ticket = exists().where(
        _outbox.c.ticket_id == _tickets.c.id, _tickets.c.parcel_id == over.c.id, unsaid
    )
    of_finding = exists().where(
        _outbox.c.finding_id == _findings.c.id, _findings.c.parcel_id == over.c.id, unsaid
    )
    return select(over.c.id).where(~lively, ~standing, ~of_ticket, ~of_finding)


def _take_away(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    orders = _all(conn, select(_links.c.order_id).where(_links.c.parcel_id.in_(ids)).distinct())
    tickets = select(_tickets.c.id).where(_tickets.c.parcel_id.in_(ids))
    findings = select(_findings.c.id).where(_findings.c.parcel_id.in_(ids))
    about = or_(_outbox.c.ticket_id.in_(tickets), _outbox.c.finding_id.in_(findings))
    _mark(conn, "parcel", ids)
    _drop_messages(conn, _all(conn, select(_outbox.c.id).where(about)), now)
    conn.execute(delete(_entries).where(_entries.c.ticket_id.in_(tickets)))
    # Reopened since the mark, by another process: then something refers to the parcel and none of this is kept.
    conn.execute(delete(_findings).where(_findings.c.parcel_id.in_(ids), _findings.c.state != "open"))
    conn.execute(delete(_tickets).where(_tickets.c.parcel_id.in_(ids), ~_tickets.c.state.in_(_LIVE)))
    for table in (
        _edits,
        _events,
        schema.due,
        schema.subscriptions,
        schema.billed,
        schema.recognitions,
        schema.opinions,
        _links,
    ):
        conn.execute(delete(table).where(table.c.parcel_id.in_(ids)))
    conn.execute(delete(_parcels).where(_parcels.c.id.in_(ids)))
    _unmark(conn, "parcel", ids)
    left = exists().where(_links.c.order_id == _orders.c.id)
    over = or_(~_orders.c.bare, _orders.c.status.in_(_ENDED))  # one that awaits a new number is open
    for some in chunks(orders):
        conn.execute(delete(_orders).where(_orders.c.id.in_(some), ~left, over))


def _due_orders(periods: Periods, now: datetime) -> Select[Any]:
    before = to_micros(now - periods.parcels)
    linked = exists().where(_links.c.order_id == _orders.c.id)
    return select(_orders.c.id).where(
        _orders.c.status.in_(_ENDED), _orders.c.updated_at < before, _orders.c.bare, ~linked
    )


# ── messages ─────────────────────────────────────────────────────────────────────────────────────


def _due_messages(periods: Periods, now: datetime) -> Select[Any]:
    """Out or given up, and about nothing that is still open: who heard of an open ticket is still asked."""
    before = to_micros(now - periods.messages)
    live = exists().where(_tickets.c.id == _outbox.c.ticket_id, _tickets.c.state.in_(_LIVE))
    standing = exists().where(_findings.c.id == _outbox.c.finding_id, _findings.c.state == "open")
    folded = _outbox.alias()
    holds = exists().where(folded.c.folded_into == _outbox.c.id)
    return select(_outbox.c.id).where(
        _outbox.c.state.in_(_SAID), _outbox.c.created_at < before, ~live, ~standing, ~holds
    )


def _drop_messages(conn: Connection, ids: Sequence[int], _now: datetime) -> None:
    for some in chunks(ids):
        _mark(conn, "message", some)
        conn.execute(delete(_attempts).where(_attempts.c.outbox_id.in_(some)))
        conn.execute(update(_outbox).where(_outbox.c.folded_into.in_(some)).values(folded_into=None))
        conn.execute(delete(_outbox).where(_outbox.c.id.in_(some)))
        _unmark(conn, "message", some)


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────


def _plainly(table: Any, key: str, due: Callable[[Periods, datetime], Select[Any]]) -> _Work:
    """Rows that nothing refers to."""

    def go(conn: Connection, keys: Sequence[Any], _now: datetime) -> None:
        conn.execute(delete(table).where(table.c[key].in_(keys)))

    return _Work(due, go)


def _older(table: Any, key: str, moment: str, period: Callable[[Periods], timedelta]) -> _Work:
    """The same, by one of their moments."""
    return _plainly(
        table,
        key,
        lambda periods, now: select(table.c[key]).where(table.c[moment] < to_micros(now - period(periods))),
    )


def _due_codes(periods: Periods, now: datetime) -> Select[Any]:
    """Codes that no provider has sent for so long."""
    codes = schema.unknown_codes.c
    before = to_micros(now - periods.oddities)
    return select(codes.code).group_by(codes.code).having(func.max(codes.last_at) < before)


def _due_spend(periods: Periods, now: datetime) -> Select[Any]:
    spend = schema.spend.c
    return select(spend.day).where(spend.day < _day(now - periods.parcels)).distinct()


def _due_counters(periods: Periods, now: datetime) -> Select[Any]:
    """Of days whose ticket numbers nobody will give any more."""
    name = schema.counters.c.name
    first = f"ticket:{_day(now - periods.parcels).replace('-', '')}"
    return select(name).where(name >= "ticket:", name < first)


def _due_facets(_: Periods, now: datetime) -> Select[Any]:
    return select(schema.facets.c.id).where(unused(now - _IDLE))


def _drop_facets(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """Asked once more in the same breath: a parcel may have come to one meanwhile, which holds its row."""
    conn.execute(delete(schema.facets).where(schema.facets.c.id.in_(ids), unused(now - _IDLE)))


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d}"


def _mark(conn: Connection, kind: str, ids: Sequence[int]) -> None:
    conn.execute(insert(_purging), [{"kind": kind, "id": id_} for id_ in ids])


def _unmark(conn: Connection, kind: str, ids: Sequence[int]) -> None:
    conn.execute(delete(_purging).where(_purging.c.kind == kind, _purging.c.id.in_(ids)))


def _all(conn: Connection, query: Select[Any]) -> list[int]:
    return list(conn.execute(query).scalars())


_WORKS: Final[dict[str, _Work]] = {
    "phone_tails": _Work(_due_tails, _clear_tails),
    "personal": _Work(_due_personal, _forget),
    "parcels": _Work(_due_parcels, _take_away),
    "orders": _plainly(_orders, "id", _due_orders),
    "messages": _Work(_due_messages, _drop_messages),
    "oddities": _older(schema.oddities, "id", "at", lambda periods: periods.oddities),
    "unknown_codes": _plainly(schema.unknown_codes, "code", _due_codes),
    "feed_hours": _older(schema.feed_hours, "hour", "hour", lambda periods: periods.oddities),
    "idempotency": _older(schema.idempotency, "key", "created_at", lambda _: _REPLAYED),
    "imports": _older(schema.imports, "id", "at", lambda periods: periods.parcels),
    "pulled": _older(schema.pulled, "id", "seen_at", lambda periods: periods.parcels),
    "spend": _plainly(schema.spend, "day", _due_spend),
    "counters": _plainly(schema.counters, "name", _due_counters),
    "facets": _Work(_due_facets, _drop_facets),
}
