"""What somebody told of one parcel: the answer to a question, or a push."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.tracking import Answer
from monitor.polling.flight import Same

__all__ = ["Told", "lines"]


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody told of one parcel."""

    parcel_id: int
    answer: Answer | Same
    seen_at: datetime | None
    """Silence is proven up to here; None where only what was said is proven (a push)."""
    asked_at: datetime | None
    """When we asked; None where nobody asked, so that no provider's pause begins."""
    answered_at: datetime
    """When we heard it: a pause is counted from here."""
    digest: str = ""
    """Of the answer, to know it again; nothing where it is not to be known again."""


def lines(answer: object) -> str:
    """What an answer said, for whoever looks into it; nothing for what is none."""
    told = answer.events if isinstance(answer, Answer) else ()
    return "\n".join(f"{event.occurred_at.isoformat()} {event.code} {event.text}" for event in told)
