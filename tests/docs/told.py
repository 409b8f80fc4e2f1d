"""What the pages that the program tells have in common."""

from __future__ import annotations

from datetime import timedelta

MADE = "<!-- 由程序生成，不要手改：make reference -->"


def cell(text: str) -> str:
    """A text inside a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def length(value: timedelta) -> str:
    """A length as the configuration writes it."""
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
