"""Coverage: every shipped order is watched, or it stands here with the reason and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from monitor.store.views import coverage
from monitor.store.views.coverage import Coverage, Reason, Uncovered
from monitor.store.views.paging import Page
from monitor.web.render import context_of, page
from monitor.wording_coverage import ADVICE_ZH, REASON_ZH

__all__ = ["ADVICE_ZH", "REASON_ZH", "router"]

router = APIRouter(include_in_schema=False)
_ROWS: Final = 50

_LISTED: Final = tuple(each for each in REASON_ZH if each not in (Reason.ASKED, Reason.PUSHED))


@dataclass(frozen=True, slots=True)
class _Found:
    counts: Coverage
    page: Page[Uncovered]


@router.get("/coverage")
async def show(request: Request) -> Response:
    """The counts, and the list of one reason: the one asked for, else the first that wants something done."""
    context, asked = context_of(request), request.query_params
    settings = context.settings()

    def read(conn: Connection) -> tuple[Reason, _Found]:
        counts = coverage.coverage(conn, settings.asked_about, settings.pushed_about)
        reason = _reason(asked.get("reason", ""), counts)
        rows = coverage.uncovered(
            conn, reason, settings.asked_about, asked.get("cursor"), _ROWS, settings.pushed_about
        )
        return reason, _Found(counts, rows)

    reason, found = await context.db.read(read)
    return await page(
        request,
        "coverage.html",
        found=found,
        reason=reason,
        reasons=REASON_ZH,
        listed=_LISTED,
        advice=ADVICE_ZH,
    )


def _reason(text: str, counts: Coverage) -> Reason:
    if text in set(_LISTED):
        return Reason(text)
    missing = (each for each in _LISTED if not each.covered and each is not Reason.WAITING)
    return next((each for each in missing if counts.counts.get(each)), Reason.WAITING)
