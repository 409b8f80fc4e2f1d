"""A parcel: every clock and why it runs or sleeps, the next look, whose word holds, its history, all else under its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from carriers import names
from domain.findings import Verdict
from monitor.store.views.numbers import TooMany, numbers_in
from monitor.store.views.parcel import Found, Hit, ParcelPage, Use, parcel, search
from monitor.web.formats import View
from monitor.web.parts import (
    FINDING_STATE_ZH,
    Clocks,
    Scan,
    clocks_of,
    language_query,
    pasted,
    scans_of,
    shared,
)
from monitor.web.render import context_of, page, view_of
from rules.judge import judge
from rules.policy import Policy

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_SHOWN: Final = 60
_NO_PARCEL: Final = "没有在监控这个单号。请核对快递公司和单号，或在包裹页按订单号查找；新订单要先导入。"
_STATES: Final = {"watched": "监控中", "done": "已结束", "unwatched": "不监控"}


@dataclass(frozen=True, slots=True)
class Look:
    """One use of the number as it reads now."""

    use: Use
    policy: Policy
    verdict: Verdict
    clocks: Clocks
    scans: tuple[Scan, ...]


@router.get("/parcels")
async def find(request: Request) -> Response:
    """The search; a single parcel is opened at once."""
    asked = "\n".join(request.query_params.getlist("q"))
    trouble, found = "", Found((), ())
    try:
        numbers = numbers_in(asked)
    except TooMany as error:
        numbers, trouble = (), str(error)
    if numbers:
        found = await context_of(request).db.read(lambda conn: search(conn, numbers))
    if len(numbers) == 1 and len(_places(found.hits)) == 1:
        return RedirectResponse(_address(found.hits[0]) + language_query(request), 303)
    return await page(
        request,
        "parcels.html",
        status=400 if trouble else 200,
        asked=pasted([asked]),
        found=found,
        trouble=trouble,
        states=_STATES,
        address=_address,
        **shared(request),
    )


def _places(hits: Sequence[Hit]) -> set[str]:
    return {_address(hit) for hit in hits}


def _address(hit: Hit) -> str:
    """A parcel's page; one without a number has none."""
    return (
        f"/parcels/{quote(hit.carrier, safe='')}/{quote(hit.waybill_no, safe='')}" if hit.waybill_no else ""
    )


@router.get("/parcels/{carrier}/{waybill_no:path}")
async def show(request: Request, carrier: str, waybill_no: str) -> Response:
    """Everything about a number; `use` picks an earlier parcel that had it."""

    def work(conn: Connection) -> ParcelPage | None:
        return parcel(conn, names.canonical(carrier) or carrier, waybill_no)

    found = await context_of(request).db.read(work)
    asked = request.query_params.get("use", "")
    use = _chosen(found, asked) if found is not None else None
    if found is None or use is None:
        raise HTTPException(404, _NO_PARCEL)
    look = look_at(use, view_of(request))
    return await page(
        request,
        "parcel.html",
        parcel=found,
        look=look,
        most=1_000_000 if request.query_params.get("all") == "1" else _SHOWN,
        states=_STATES,
        finding_states=FINDING_STATE_ZH,
        **shared(request, look.clocks.names),
    )


def _chosen(found: ParcelPage, cycle: str) -> Use | None:
    """The use of that cycle, the newest where none is named."""
    if not cycle:
        return found.uses[0]
    return next((use for use in found.uses if str(use.loaded.cycle) == cycle), None)


def look_at(use: Use, view: View) -> Look:
    """The clocks as they read now, by the rules the watch uses (L3)."""
    now: datetime = view.now
    case = use.loaded.case
    policy = view.settings.book.policy_for(case)
    verdict = judge(case, policy, now)
    stored = [scan.stored for scan in use.scans]
    clocks = clocks_of(verdict, policy, case, stored, now, view.zone)
    return Look(use, policy, verdict, clocks, scans_of(stored, use.edits, use.scans))
