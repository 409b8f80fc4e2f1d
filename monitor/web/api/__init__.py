"""The REST interface `/api/v1`: what a program may ask and tell. Pages and commands call the same functions."""

from __future__ import annotations

from typing import Final

from monitor.web.api import coverage, findings, now, orders, outbox, parcels, policies, providers, tickets
from monitor.web.api.elsewhere import elsewhere

__all__ = ["routers"]

_OURS: Final = (
    orders.router,
    now.router,
    parcels.router,
    tickets.router,
    findings.router,
    outbox.router,
    providers.router,
    coverage.router,
    policies.router,
)
routers: Final = (*_OURS, elsewhere(_OURS))
"""In this order: the last one answers for every other address under `/api/`."""
