"""The walk through three people's jobs: which steps are done, as the store and the server have it.

Ops read an alert and open its ticket; an agent takes it over, says what was done and ends it; the merchant sees
what happened to the parcel and where the limit stands. What people write is in the store. That a page was opened
is noted by the server while it answers: a browser keeps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, exists, false, or_, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.tickets import EntryKind, TicketState
from monitor.store import schema
from monitor.store.outbox import MessageState

__all__ = ["POLICY", "Footsteps", "Step", "Walk", "read_walk", "watched"]

POLICY: Final = "/demo/policy"
"""Where the limits stand."""
_LIVE: Final = (TicketState.OPEN.value, TicketState.ACKNOWLEDGED.value)
_PLACES: Final = (
    ("ticket", re.compile(r"/tickets/(T-\d{8}-\d{4,})")),
    ("parcel", re.compile(r"/parcels/[^/]+/([^/]+)")),
    ("policy", re.compile(re.escape(POLICY) + r"()")),
)


@dataclass
class Footsteps:
    """Which of the walk's pages were opened since the start, by whomever."""

    seen: set[str] = field(default_factory=set)
    """`ticket`, `parcel`, `policy`."""
    ticket: str = ""
    """The last one opened."""

    def note(self, path: str) -> None:
        """A page was answered."""
        for name, shape in _PLACES:
            if found := shape.fullmatch(path):
                self.seen.add(name)
                self.ticket = found[1] if name == "ticket" else self.ticket


def watched(app: ASGIApp, steps: Footsteps) -> ASGIApp:
    """The site, with every page that was opened noted."""

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                steps.note(scope["path"])
            await send(message)

        asked = scope["type"] == "http" and scope["method"] == "GET"
        await app(scope, receive, sending if asked else send)

    return watching


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; `path` is where."""

    who: str
    """`ops`, `agent` or `merchant`."""
    what: str
    """`alert`, `open`, `ack`, `comment`, `resolve`, `parcel`, `policy`."""
    done: bool
    path: str = ""
    """Empty: there is no ticket yet."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The ticket to walk with, and the steps in order."""

    number: str
    carrier: str
    waybill_no: str
    steps: tuple[Step, ...]

    def of(self, who: str) -> tuple[Step, ...]:
        """One person's steps."""
        return tuple(step for step in self.steps if step.who == who)

    @property
    def next(self) -> Step | None:
        """The first one still to be done."""
        return next((step for step in self.steps if not step.done), None)


def read_walk(conn: Connection, steps: Footsteps, who: str, policies: Sequence[str] = ()) -> Walk:
    """Where the walk stands; `who` is the author of what is done in the console.

    A ticket judged by one of these `policies` is the better example: somebody set its limit.
    """
    written = _written(conn, who)
    row = _ticket(conn, steps.ticket, policies, keep=len(written) > 0)
    number = str(row.number) if row else ""
    ticket = f"/tickets/{number}" if row else ""
    parcel = f"/parcels/{row.carrier}/{row.waybill_no}" if row else ""
    policy = f"{POLICY}?ticket={number}" if row else POLICY
    said = {EntryKind.ACKNOWLEDGED.value, EntryKind.RESOLVED.value} & written
    return Walk(
        number=number,
        carrier=str(row.carrier) if row else "",
        waybill_no=str(row.waybill_no) if row else "",
        steps=(
            Step("ops", "alert", _alerted(conn), "#groups"),
            Step("ops", "open", "ticket" in steps.seen, ticket),
            Step("agent", "ack", bool(said), ticket),
            Step("agent", "comment", EntryKind.COMMENT.value in written, ticket),
            Step("agent", "resolve", EntryKind.RESOLVED.value in written, ticket),
            Step("merchant", "parcel", "parcel" in steps.seen, parcel),
            Step("merchant", "policy", "policy" in steps.seen, policy),
        ),
    )


def _alerted(conn: Connection) -> bool:
    """A group has an alert about a ticket."""
    outbox = schema.outbox
    sent = (outbox.c.state == MessageState.SENT.value) & outbox.c.ticket_id.is_not(None)
    return bool(conn.execute(select(exists().where(sent))).scalar_one())


def _written(conn: Connection, who: str) -> set[str]:
    """The kinds of entries this author wrote, in whichever ticket."""
    entries = schema.ticket_entries
    return set(conn.execute(select(entries.c.kind).where(entries.c.author == who).distinct()).scalars())


def _ticket(conn: Connection, opened: str, policies: Sequence[str], *, keep: bool) -> Row[Any] | None:
    """The one last opened, while there is work in it or work was begun; else the newest broken limit told."""
    tickets, findings = schema.tickets, schema.findings
    live = tickets.c.state.in_(_LIVE)
    broken = (
        (findings.c.ticket_id == tickets.c.id)
        & (findings.c.state == "open")
        & (findings.c.stage == "breach")
        & findings.c.deadline.is_not(None)
    )
    own = or_(false(), *(findings.c.policy.startswith(f"{name}.", autoescape=True) for name in policies))
    mine = tickets.c.number == opened
    newest = tickets.c.id.desc()
    wishes: Sequence[Select[Any]] = (
        _TICKETS.where(mine if keep else mine & live),
        _TICKETS.where(live, tickets.c.told, exists().where(broken, own)).order_by(newest),
        _TICKETS.where(live, tickets.c.told, exists().where(broken)).order_by(newest),
        _TICKETS.where(live).order_by(tickets.c.severity.desc(), newest),
    )
    rows = (conn.execute(wish.limit(1)).first() for wish in wishes)
    return next((row for row in rows if row is not None), None)


_TICKETS: Final = select(schema.tickets.c.number, schema.parcels.c.carrier, schema.parcels.c.waybill_no).join(
    schema.parcels, schema.parcels.c.id == schema.tickets.c.parcel_id
)
