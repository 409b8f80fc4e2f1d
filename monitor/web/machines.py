"""What other machines ask: does it live, does it work, how much of everything.

`/healthz` is for whoever restarts processes: the process and its store answer. `/readyz` is for whoever wakes
people: red when work waits and nothing moves (`monitor/vitals.py`). `/metrics` is for Prometheus.
"""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from sqlalchemy import Connection, text

from monitor.store.errors import StoreError
from monitor.web.context import Context

__all__ = ["router"]

router = APIRouter(tags=["machines"])

PATIENCE: Final = 5.0
"""Seconds the store gets to answer."""
SILENT: Final = (
    f"数据库在 {PATIENCE:.0f} 秒内没有回答。请检查磁盘和数据库服务；若进程卡住，请重启服务，数据不会丢。"
)


class Health(BaseModel):
    """Whether the process and its store answer."""

    ok: bool
    why: str = Field("", description="为什么不行，以及怎么办")


class Complaint(BaseModel):
    """Something that keeps the service from doing its work."""

    kind: str = Field(description="store、verb、judge、account、fetch、orders、deliver；notes 里是 carrier")
    text: str = Field(description="出了什么事，从何时起，怎么办")


class Readiness(BaseModel):
    """Whether the service does its work."""

    ready: bool
    problems: list[Complaint]
    notes: list[Complaint] = Field(
        description="不妨碍整个服务的事，如一个账号背后的一家快递中断（carrier）；有它也是 200"
    )


@router.get(
    "/healthz", summary="进程和数据库是否有回答", response_model=Health, responses={503: {"model": Health}}
)
async def healthz(request: Request) -> JSONResponse:
    """200 when the process and its store answer, else 503 with the reason."""
    context: Context = request.app.state.context
    why = await _store_silent(context)
    return _answer(Health(ok=not why, why=why), bad=bool(why))


@router.get(
    "/readyz", summary="是否在正常工作", response_model=Readiness, responses={503: {"model": Readiness}}
)
async def readyz(request: Request) -> JSONResponse:
    """200 when all is well, else 503 with everything that is wrong: nothing fetched, delivered or judged.

    What is wrong with a part only, a single carrier behind an account, stands beside it and turns nothing red."""
    context: Context = request.app.state.context
    why = await _refreshed(context)
    found = [Complaint(kind="store", text=why)] if why else []
    known = context.vitals.found(context.now())
    found += [
        Complaint(kind=each.kind, text=each.text) for each in known if not (why and each.kind == "store")
    ]
    notes = [Complaint(kind=each.kind, text=each.text) for each in context.vitals.notes(context.now())]
    return _answer(Readiness(ready=not found, problems=found, notes=notes), bad=bool(found))


@router.get(
    "/metrics",
    summary="Prometheus 指标",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Every measure of `docs/reference/metrics.md`; also while the store is silent, as far as we know them."""
    context: Context = request.app.state.context
    await _refreshed(context)
    return Response(context.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _store_silent(context: Context) -> str:
    """Why the store does not answer, or nothing."""
    try:
        async with asyncio.timeout(PATIENCE):
            await context.db.read(_hello)
    except TimeoutError:
        return SILENT
    except StoreError as error:
        return str(error)
    return ""


def _hello(conn: Connection) -> None:
    conn.execute(text("SELECT 1 FROM counters LIMIT 1")).first()


async def _refreshed(context: Context) -> str:
    """The store read for metrics and vitals; why it could not be, or nothing."""
    settings, now = context.settings(), context.now()
    try:
        async with asyncio.timeout(PATIENCE):
            await context.metrics.refresh(
                context.db,
                now,
                context.vitals,
                accounts=[account.name for account in settings.providers],
                channels=[channel.name for channel in settings.channels],
            )
    except (TimeoutError, StoreError) as error:
        context.metrics.blind(now, context.vitals)
        return str(error) or SILENT
    return ""


def _answer(model: BaseModel, *, bad: bool) -> JSONResponse:
    return JSONResponse(model.model_dump(), 503 if bad else 200)
