"""A store with something of everything in it, some of it written by an enemy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from domain.findings import FindingState, Stage
from domain.remote import Outcome
from domain.tickets import EntryKind
from domain.tracking import Milestone, TrackingEvent
from monitor.store import findings, outbox, providers, tickets
from monitor.store.database import Database
from monitor.store.outbox import MessageState
from monitor.store.providers import ProviderState
from tests.store import given
from tests.store.given import T0, H

HOSTILE = "<script>alert(1)</script>\u202e=1+1 13812345678"
CLEAN = "<script>alert(1)</script>=1+1 138******78"


@dataclass(frozen=True)
class Story:
    """What is in it."""

    tickets: tuple[str, ...]
    parcel: int


def fill(store: Database, parcels: int = 6) -> Story:
    """Parcels with scans, findings and tickets; messages sent, waiting and dead; an account that is down."""
    ids = given.many_parcels(store, parcels)
    scan = TrackingEvent(T0 + H, Milestone.PICKED_UP, HOSTILE, "103")
    given.learn(store, ids[0], T0 + 2 * H, scan)
    numbers = []
    for n, parcel in enumerate(ids[: parcels - 1]):
        stage = Stage.BREACH if n % 2 else Stage.WARNING
        finding = given.open_finding(
            store, parcel, stage=stage, limit=24 * H, deadline=T0 + 24 * H, evidence={"rule_zh": HOSTILE}
        )
        ticket = given.open_ticket(store, parcel, finding, at=T0 + n * H, severity=40 + n)
        numbers.append(ticket.number)
        store.write_now(
            lambda conn, id_=ticket.id: tickets.entry(  # type: ignore[misc]
                conn, id_, T0 + 3 * H, EntryKind.COMMENT, author=HOSTILE, text=HOSTILE
            )
        )
    store.write_now(_messages)
    store.write_now(_rest)
    return Story(tuple(numbers), ids[0])


def _messages(conn: Connection) -> None:
    rows = [given.alert(f"m{n}", ticket_id=1) for n in range(4)]
    outbox.put(conn, rows)
    outbox.begin(conn, [1, 2], T0 + H)
    outbox.finish(conn, 1, Outcome.TAKEN, HOSTILE, T0 + H, state=MessageState.SENT)
    outbox.finish(conn, 2, Outcome.REFUSED, "关键词不匹配", T0 + H, state=MessageState.DEAD)


def _rest(conn: Connection) -> None:
    [ended] = findings.open_(
        conn, [findings.NewFinding(1, given.a_finding("late_shipment", policy=HOSTILE), T0 + 5 * H)]
    )
    findings.end(conn, [findings.Ended(ended, FindingState.CLEARED, T0 + 6 * H, HOSTILE)])
    since = T0 + timedelta(hours=3)
    providers.save(conn, ProviderState("k100", "down", since, T0, since, HOSTILE))
    providers.spend(conn, "k100", (T0 + 24 * H).date(), asked=40, cents=250)
    providers.note_unknown(conn, "k100", ["x1", HOSTILE], "zhongtong/Z1", T0)
