"""Orders, parcels and findings for the store's tests, in few words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from domain.findings import Finding, Stage
from domain.history import Merge, merge
from domain.messages import Message, MessageKind, Urgency
from domain.orders import Order, Waybill
from domain.time import to_micros
from domain.tracking import Answer, Milestone, TrackingEvent
from monitor.store import events, findings, parcels, tickets
from monitor.store.database import Database
from monitor.store.outbox import NewMessage
from monitor.store.parcels import Incoming, LiveTicket, Taken

T0 = datetime(2026, 11, 1, 2, tzinfo=UTC)
H = timedelta(hours=1)
DAY = timedelta(days=1)


def waybill(name: str) -> Waybill:
    """`"Z1"` or `"yuantong/Y1"`."""
    carrier, _, number = name.rpartition("/")
    return Waybill(carrier or "zhongtong", number)


def incoming(
    order_no: str = "o1", *waybills: str, known: datetime = T0, tail: str = "", **order: Any
) -> Incoming:
    """A row: an order paid and shipped before T0 unless told otherwise."""
    order = {"paid_at": T0 - 5 * H, "shipped_at": T0 - 2 * H, "shop": "旗舰店"} | order
    return Incoming(Order(order_no, **order), tuple(map(waybill, waybills)), tail, known)


def take(store: Database, *rows: Incoming, now: datetime | None = None) -> list[Taken]:
    """Take rows in at the moment the last of them was known."""
    at = now or max(row.known_at for row in rows)
    return store.write_now(lambda conn: parcels.intake(conn, rows, at))


def a_parcel(store: Database, number: str = "Z1", **order: Any) -> int:
    """The id of a freshly imported parcel with one order."""
    [taken] = take(store, incoming(f"order of {number}", number, **order))
    return taken.parcel_ids[0]


def many_parcels(store: Database, n: int) -> list[int]:
    """The ids of n freshly imported parcels."""
    taken = take(store, *(incoming(f"o{i}", f"Z{i}") for i in range(n)))
    return [each.parcel_ids[0] for each in taken]


def loaded(store: Database, parcel_id: int) -> parcels.Loaded:
    """The parcel as it stands."""
    [found] = store.read_now(lambda conn: parcels.load(conn, [parcel_id]))
    return found


def a_finding(rule: str = "late_pickup", **more: Any) -> Finding:
    """A warning that ran out an hour after T0."""
    fixed = {"stage": Stage.WARNING, "started_at": T0, "crossed_at": T0 + H, "policy": "flagship", "step": 1}
    return Finding(rule, **(fixed | more))


def open_finding(store: Database, parcel_id: int, rule: str = "late_pickup", **more: Any) -> int:
    """The id of a finding that begins to stand."""
    row = findings.NewFinding(parcel_id, a_finding(rule, **more), T0 + H)
    [id_] = store.write_now(lambda conn: findings.open_(conn, [row]))
    return id_


def due(store: Database, *rows: parcels.Due) -> int:
    """Reschedule; how many rows were written."""
    return store.write_now(lambda conn: parcels.reschedule(conn, rows))


def column(store: Database, query: str, **values: Any) -> list[Any]:
    """The first column of a plain query."""
    return list(store.read_now(lambda conn: list(conn.execute(text(query), values).scalars())))


PICKED = TrackingEvent(T0, Milestone.PICKED_UP, "已揽收", "103")


def answer(*scans: TrackingEvent) -> Answer:
    """A provider's answer with these scans."""
    return Answer("zhongtong", "Z1", scans)


def learn(store: Database, parcel_id: int, at: datetime, *scans: TrackingEvent) -> Merge:
    """A provider's answer, folded into what is known, in one transaction, as the poller does it."""

    def work(conn: Connection) -> Merge:
        change = merge(events.known(conn, [parcel_id])[parcel_id], answer(*scans), at)
        events.apply(conn, [(parcel_id, change)], provider="k100", at=at)
        return change

    return store.write_now(work)


FILLED = {"orders": [{"order_no": "o1", "shop": "旗舰店"}], "courier": "王师傅"}


def open_ticket(
    store: Database, parcel_id: int, *finding_ids: int, at: datetime = T0, severity: int = 3
) -> LiveTicket:
    """A new ticket with these findings in it."""
    return store.write_now(
        lambda conn: tickets.open_(
            conn,
            parcel_id=parcel_id,
            at=at,
            severity=severity,
            summary="中通 Z1 揽收超时",
            filled=FILLED,
            finding_ids=finding_ids,
        )
    )


def alert(key: str, channel: str = "ops", *, urgency: Urgency = Urgency.HIGH, **row: Any) -> NewMessage:
    """An alarm for a channel, told apart by its key."""
    message = Message(MessageKind.ALERT, f"[揽收超时] {key}", urgency=urgency, facts=(("运单", "Z1"),))
    return NewMessage(key, channel, row.pop("message", message), row.pop("at", T0), **row)


def micros(*moments: datetime) -> Sequence[int]:
    """Moments as the columns keep them."""
    return [to_micros(moment) for moment in moments]
