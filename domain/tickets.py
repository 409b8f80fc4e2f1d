"""Tickets: work for a person, opened by a finding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.time import SHANGHAI

__all__ = ["TICKET_STATE_ZH", "TRANSITIONS", "EntryKind", "TicketState", "ticket_number"]


class TicketState(StrEnum):
    """Where a ticket stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def live(self) -> bool:
        """Somebody still has to do something: at most one such ticket per parcel."""
        return self in (TicketState.OPEN, TicketState.ACKNOWLEDGED)


TICKET_STATE_ZH: Final[Mapping[TicketState, str]] = {
    TicketState.OPEN: "待处理",
    TicketState.ACKNOWLEDGED: "处理中",
    TicketState.RESOLVED: "已解决",
    TicketState.CLOSED: "已关闭",
}

TRANSITIONS: Final[frozenset[tuple[TicketState | None, TicketState]]] = frozenset(
    {
        (None, TicketState.OPEN),
        (TicketState.OPEN, TicketState.ACKNOWLEDGED),
        (TicketState.OPEN, TicketState.RESOLVED),
        (TicketState.ACKNOWLEDGED, TicketState.RESOLVED),
        (TicketState.RESOLVED, TicketState.OPEN),
        (TicketState.RESOLVED, TicketState.CLOSED),
    }
)
"""From, to. The same table stands in the database, which refuses anything else."""


class EntryKind(StrEnum):
    """What a line in a ticket's history is. Entries are only ever added."""

    OPENED = "opened"
    FINDING = "finding"
    CLEARED = "cleared"
    SCAN = "scan"
    MESSAGE = "message"
    COMMENT = "comment"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"


def ticket_number(opened_at: datetime, nth: int) -> str:
    """`T-20261122-0031`: the day in Shanghai and a counter that starts anew each day."""
    return f"T-{opened_at.astimezone(SHANGHAI):%Y%m%d}-{nth:04d}"
