"""A ticket as text, for the terminal."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from monitor.store.tickets import Detail

__all__ = ["ticket_text"]


def ticket_text(detail: Detail, zone: ZoneInfo) -> str:
    return ""
