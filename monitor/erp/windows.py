"""Reading a span of time page by page where pages are numbered: nothing is lost while the shop goes on working.

The span is fixed when it is begun and lies in the past. A document that changes meanwhile leaves it, and all
behind it move up one place: read forwards, one would be passed over. So the end is looked for first and the pages
are read from there back to the first; what changed meanwhile stands in the next span. What is read twice changes
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.remote import Unreadable
from monitor.erp.base import Cursor

__all__ = ["MOST_PAGES", "Span", "begin", "finished", "following", "fresh", "owed", "running"]

MOST_PAGES: Final = 5000
"""Of one span; a service that always has one more page does not keep us for ever."""
_DEPTH: Final = 8
_EDGE: Final = timedelta(seconds=1)
"""Whether a span's ends belong to it is nowhere written: neighbours share a second."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span being read, and the page to read next."""

    begin: datetime
    end: datetime
    stage: int = 0
    """Which of the adapter's questions is asked about it."""
    page: int = 0
    way: str = "first"
    """`first`, then `up` to find the end, then `down` to the first page again."""
    digest: str = ""
    """Of the last page's rows: a service that repeats a page for ever is found out."""

    def cursor(self) -> Cursor:
        """As it is kept."""
        return {
            "from": self.begin.isoformat(),
            "until": self.end.isoformat(),
            "stage": self.stage,
            "page": self.page,
            "way": self.way,
            "digest": self.digest,
        }


def fresh(since: datetime) -> Cursor:
    """A cursor that begins at a moment."""
    return {"from": since.astimezone(UTC).isoformat()}


def begin(cursor: Cursor, now: datetime, longest: timedelta) -> Span | None:
    """The span under way, or the next one; None while there is nothing to read. Raises `Unreadable`."""
    try:
        start = datetime.fromisoformat(cursor["from"])
        if "until" in cursor:
            return _under_way(cursor, start)
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("保存的进度读不出来") from error
    end = min(start + longest, now.replace(microsecond=0))
    return Span(start, end) if end > start else None


def _under_way(cursor: Mapping[str, Any], start: datetime) -> Span:
    until = datetime.fromisoformat(cursor["until"])
    names = ("stage", "page", "way", "digest")
    return Span(start, until, **{name: cursor[name] for name in names if name in cursor})


def running(cursor: Cursor) -> bool:
    """A span was begun and not finished."""
    return "until" in cursor


def following(span: Span, rows: Sequence[Any], size: int, total: int | None) -> Span | None:
    """The next page of the same question after this one's rows; None when it is answered to the end.

    `total` is the number of rows in the span where the service says it (on the first page). Raises `Unreadable`
    for a page that comes again where another was asked for, and for pages without end.
    """
    seen, full = _digest(rows), len(rows) >= size
    if span.way == "first":
        if not full:
            return None
        last = -(-total // size) - 1 if total is not None else 1
        return replace(span, page=min(max(last, 1), MOST_PAGES), way="up", digest=seen)
    if span.way == "up":
        if rows and seen == span.digest:
            raise Unreadable(f"翻页没有前进：第 {span.page} 页和前一页一样")
        if full and span.page >= MOST_PAGES:
            raise Unreadable(f"一个时段里超过 {MOST_PAGES} 页，翻不完")
        if full:
            return replace(span, page=span.page + 1, digest=seen)
    elif span.page == 0:
        return None
    return replace(span, page=span.page - 1, way="down", digest=seen)


def owed(span: Span, size: int, total: int | None) -> int:
    """How many rows stand from this page on, by the answer's own count; 0 where it does not say."""
    return max(0, (total or 0) - span.page * size)


def finished(span: Span, now: datetime, overlap: timedelta) -> tuple[Cursor, datetime, bool]:
    """After the last page: the cursor of the next span, up to when all is read, and whether more waits.

    What lies within `overlap` of now may still turn up: it is read again, and proves nothing yet.
    """
    settled = now - overlap
    more = span.end < settled
    start = span.end - (_EDGE if more else overlap)
    return fresh(start), min(span.end, settled), more


def _digest(rows: Sequence[Any]) -> str:
    text = json.dumps(_bounded(rows, _DEPTH), ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _bounded(value: Any, depth: int) -> Any:
    """The value down to a depth: one row that is nested without end must not cost the page."""
    if not isinstance(value, dict | list):
        return value
    if not depth:
        return len(value)
    if isinstance(value, list):
        return [_bounded(each, depth - 1) for each in value]
    return {key: _bounded(each, depth - 1) for key, each in value.items()}
