"""What every page and every API call is given: the store, the time, and the configuration as it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.config.settings import Settings
from monitor.metrics import Metrics
from monitor.pushes.callbacks import Callbacks
from monitor.store.database import Database
from monitor.vitals import Vitals

__all__ = ["Context", "Extra"]


@dataclass(frozen=True, slots=True)
class Extra:
    """A page of somebody else's in the navigation, such as the demo's own."""

    path: str
    name: str
    """In the source language, Chinese; it goes through the catalogue like every other word."""


@dataclass(frozen=True)
class Context:
    """One per process. Reached from a request as `request.app.state.context`."""

    db: Database
    now: Callable[[], datetime]
    """The one clock, UTC; a demo's runs faster."""
    settings: Callable[[], Settings]
    """The configuration in force: a reload replaces it, so ask each time."""
    vitals: Vitals
    callbacks: Callable[[], Callbacks | None] = lambda: None
    """Who takes pushes, under the configuration in force; None where nobody does."""
    who: str = "控制台"
    """The author of what is done here, until people can sign in."""
    extras: Sequence[Extra] = field(default=())
    metrics: Metrics = field(default_factory=Metrics)
    """What `/metrics` shows; the daemon's own."""
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Whose turn it is to have a file written."""
    parsing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Whose turn it is to have a body of orders parsed, which may take a hundred times its memory."""
    importing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Whose turn it is to have an uploaded file read."""
    simulated: bool = False
    """It is the demo's world: pages say so."""
