"""What a group will read, before any platform's dialect.

A message is plain text in parts. Everything in it that came from outside is hostile until the
notifier has escaped it for its platform. The first line can stand alone (`facts/notifiers.md` §6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = ["Message", "MessageKind", "Receipt", "Urgency"]


class Urgency(StrEnum):
    """How much it matters that somebody reads it now; also the lane in the pacer."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"


class MessageKind(StrEnum):
    """What a message is about: decides repeats, folding and wording."""

    ALERT = "alert"
    RESOLVED = "resolved"
    RETRACTED = "retracted"
    FEED = "feed"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to say to one channel."""

    kind: MessageKind
    title: str
    """The first line: what, which parcel, how bad, which ticket. Readable on a lock screen."""
    facts: tuple[tuple[str, str], ...] = ()
    """At most six (label, value) lines for one parcel; a digest's rows are `rows`."""
    rows: tuple[str, ...] = ()
    """A digest's lines, most urgent first. What does not fit is counted at the end, never dropped silently."""
    more: int = 0
    """How many further lines the link lists."""
    link: str = ""
    reference: str = ""
    """The ticket number or another short stable mark, so that a repeat is seen as one."""
    mentions: tuple[str, ...] = ()
    """Mobile numbers or user ids as the route names them; `all` rings everybody."""
    urgency: Urgency = Urgency.NORMAL
    at: datetime | None = None
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform's yes: what it answered, and its id of the message where it gives one."""

    answer: str
    message_id: str = ""
