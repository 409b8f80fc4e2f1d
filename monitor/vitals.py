"""How the daemon is: what was last fetched, judged and delivered, and whether that is long ago.

Kept in memory, told by the verbs as they work, read by `/readyz`, the watchdog, the outside check and the console.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Vitals"]


@dataclass(slots=True)
class Vitals:
    """One per process. Moments are UTC by the daemon's clock; None: not since the start."""

    started_at: datetime
    fetched_at: dict[str, datetime] = field(default_factory=dict)
    """By provider account: the last good answer."""
    delivered_at: dict[str, datetime] = field(default_factory=dict)
    """By channel: the last message a platform took."""
    judged_at: datetime | None = None
    """The last sweep that ran to its end, with or without work."""
