"""The tickets: found by their address, pasted numbers among it; with the columns one wants; as a page or a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from domain.findings import Party
from monitor.store.views import tickets as view_of_tickets
from monitor.store.views.hourly import RANKED
from monitor.store.views.numbers import TooMany
from monitor.store.views.paging import Page
from monitor.store.views.tickets import BadFilter, Choices, TicketRow
from monitor.web.export import MOST, chunks, csv_file, xlsx_file
from monitor.web.formats import View
from monitor.web.parts import pasted, shared
from monitor.web.render import context_of, page, view_of
from monitor.web.ticket_list import (
    COLUMNS,
    STAGE_ZH,
    Asked,
    ListColumn,
    asked_of,
    chosen,
    columns_for_export,
    export_row,
    menu,
)

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

COLUMNS_COOKIE: Final = "parcelwatch_ticket_columns"
_YEAR: Final = 365 * 86400
_ON_A_PAGE: Final = 50
_COUNTED: Final = 10_000
_PATIENCE: Final = 20.0
"""Seconds that an export waits for its turn."""
_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def _columns(request: Request) -> tuple[ListColumn, ...]:
    """Of the address, else of the cookie, else the standard ones."""
    asked = request.query_params.getlist("col")
    return chosen(asked or request.cookies.get(COLUMNS_COOKIE, "").split("."))


@router.get("/tickets")
async def listing(request: Request) -> Response:
    """A page of the list."""
    view, columns = view_of(request), _columns(request)
    trouble = ""
    try:
        asked = asked_of(request.query_params.multi_items(), view.zone, view.now)
    except (BadFilter, TooMany) as error:
        asked, trouble = asked_of((), view.zone, view.now), str(error)
    cursor = request.query_params.get("cursor")

    def work(conn: Connection) -> _Found:
        return _found(conn, asked, None if trouble else cursor)

    found = await context_of(request).db.read(work)
    answer = await page(
        request,
        "tickets.html",
        status=400 if trouble else 200,
        asked=asked,
        found=found,
        trouble=trouble,
        pasted=pasted(request.query_params.getlist("numbers")),
        columns=columns,
        all_columns=COLUMNS,
        stages=STAGE_ZH,
        counted=_COUNTED,
        ranked=RANKED,
        menu=partial(menu, view=view),
        parties=[(party.value, view.party(party)) for party in Party],
        query=_query(request),
        **shared(request),
    )
    if request.query_params.getlist("col"):
        keys = ".".join(column.key for column in columns)
        answer.set_cookie(COLUMNS_COOKIE, keys, max_age=_YEAR, httponly=True, samesite="lax")
    return answer


def _query(request: Request) -> str:
    """The same list's parameters, whatever page of it is shown."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the list shows."""

    page: Page[TicketRow]
    count: int
    choices: Choices
    unknown: tuple[str, ...]
    """Pasted numbers that nothing is known of."""
    quiet: tuple[str, ...]
    """Pasted numbers of parcels that never had a ticket."""


def _found(conn: Connection, asked: Asked, cursor: str | None) -> _Found:
    unknown, quiet = view_of_tickets.unknown(conn, asked.filter) if asked.filter.numbers else ((), ())
    return _Found(
        view_of_tickets.page(conn, asked.filter, cursor, _ON_A_PAGE),
        view_of_tickets.count(conn, asked.filter, _COUNTED),
        view_of_tickets.choices(conn),
        unknown,
        quiet,
    )


# ── files ────────────────────────────────────────────────────────────────────────────────────────


@router.get("/tickets.csv")
async def as_csv(request: Request) -> Response:
    """The same list as a CSV."""
    return await _file(request, "csv", _csv)


@router.get("/tickets.xlsx")
async def as_xlsx(request: Request) -> Response:
    """The same list as a workbook."""
    return await _file(request, "xlsx", _xlsx)


_Make = Callable[[Connection, Asked, tuple[ListColumn, ...], View], IO[bytes]]


async def _file(request: Request, suffix: str, make: _Make) -> Response:
    view, columns = view_of(request), _columns(request)
    try:
        asked = asked_of(request.query_params.multi_items(), view.zone, view.now)
    except (BadFilter, TooMany):
        return await listing(request)
    context = context_of(request)
    async with _turn(context.exports):
        file = await context.db.read(lambda conn: make(conn, asked, columns, view))
    name = f"tickets-{view.now.astimezone(view.zone):%Y%m%d-%H%M}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks(file), media_type=_TYPES[suffix], headers=headers)


@asynccontextmanager
async def _turn(exports: asyncio.Semaphore) -> AsyncIterator[None]:
    """A file is written by one reader at a time: pages, polls and the watchdog want the others."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await exports.acquire()
    except TimeoutError:
        raise HTTPException(429, "前面还有别人在导出，请过一会儿再试。", {"Retry-After": "30"}) from None
    try:
        yield
    finally:
        exports.release()


def _csv(conn: Connection, asked: Asked, columns: tuple[ListColumn, ...], view: View) -> IO[bytes]:
    rows = (export_row(columns, row, view) for row in view_of_tickets.rows(conn, asked.filter, MOST + 1))
    return csv_file(columns_for_export(columns, view), rows, view.zone, cut=_cut(view))


def _xlsx(conn: Connection, asked: Asked, columns: tuple[ListColumn, ...], view: View) -> IO[bytes]:
    rows = (export_row(columns, row, view) for row in view_of_tickets.rows(conn, asked.filter, MOST + 1))
    sheet = view.words.say("工单")
    return xlsx_file(columns_for_export(columns, view), rows, view.zone, sheet=sheet, cut=_cut(view))


def _cut(view: View) -> str:
    return view.words.say("只导出了前 {n} 行，后面还有：请缩小筛选范围再导出。", n=view.number(MOST))
