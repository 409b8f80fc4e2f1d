"""The REST interface `/api/v1`: what a program may ask and tell. Pages and commands call the same functions."""

from __future__ import annotations

from monitor.web.api import coverage, findings, now, orders, outbox, parcels, policies, providers, tickets

__all__ = ["routers"]

routers = (
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
