"""`POST /api/v1/orders`: one order or a batch of them, judged like the rows of a file; idempotent by key."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final

from fastapi import Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from domain.masking import safe_text
from monitor.intake.objects import NAMES, read_object
from monitor.intake.rows import RowVerdict, Terms
from monitor.intake.tables import Problem as Fault
from monitor.intake.take import keep
from monitor.intake.values import text as plain
from monitor.store import idempotency
from monitor.store.idempotency import Given
from monitor.store.parcels import Taken
from monitor.web.api.problems import LARGE, Flaw, Problem, documented
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import Instant, named
from monitor.web.context import Context

__all__ = ["MOST_PARCELS", "MOST_ROWS", "router"]

MOST_ROWS: Final = 1000
MOST_PARCELS: Final = 5000
"""A request is one transaction, and nobody else writes meanwhile: a second or two for so many."""
router = api_router("orders", limit=LARGE)

OUTCOMES: Final = ("accepted", "updated", "unchanged", "older", "ignored", "rejected")
_ORDER: Final = {
    "type": "object",
    "description": "一个订单。字段与导入文件的列相同；写错的值不会让整个请求失败，而是得到这一行的 rejected。",
    "properties": {name: {"description": meaning} for name, meaning in NAMES.items()},
    "example": {
        "order_no": "6920254321098765432",
        "platform": "taobao_tmall",
        "shop": "旗舰店",
        "carrier": "中通",
        "waybill_no": "75812345678901",
        "paid_at": "2026-11-22T10:00:00+08:00",
    },
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        _ORDER,
                        {"type": "array", "items": _ORDER, "minItems": 1, "maxItems": MOST_ROWS},
                    ]
                }
            }
        },
    }
}


class Remark(BaseModel):
    """Something about one field of a row."""

    field: str
    reason: str = Field(description="给程序看的原因，不随语言变")
    text: str


class Verdict(BaseModel):
    """What became of one row."""

    row: int = Field(description="第几个，从 1 起")
    outcome: str = Field(description="、".join(OUTCOMES))
    order_no: str
    waybills: list[str] = Field(description="承运商/运单号")
    detail: str = Field(description="一句话")
    problems: list[Remark] = Field(description="拒绝（全部原因）或忽略的原因")
    warnings: list[Remark]


class Intake(BaseModel):
    """What became of all rows: how many of each outcome, and each row's verdict in the order given."""

    rows: int
    accepted: int
    updated: int
    unchanged: int
    older: int
    ignored: int
    rejected: int
    verdicts: list[Verdict]


@router.post(
    "/orders",
    summary="登记一个或一批订单",
    response_model=Intake,
    responses=documented(409, 415),
    openapi_extra=_BODY,
)
async def post_orders(
    request: Request,
    known_at: Annotated[
        Instant | None, Query(description="来源知道这些内容的时刻，默认现在；更早的说法不会覆盖更新的")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern="^[!-~]+$",
            min_length=1,
            max_length=128,
            description="同一个键和同样的内容只处理一次，七天内重发得到原来的答复",
        ),
    ] = None,
) -> Response:
    """Put orders on watch. `known_at` is when their source knew this (default: now): older words never replace newer."""
    context: Context = request.app.state.context
    body, now = await request.body(), context.now()
    known = min(known_at or now, now)
    async with context.parsing:
        read = await asyncio.to_thread(_read, body, Terms(context.settings().timezone, now))
    if idempotency_key is None:
        answer = await context.db.write(lambda conn: _kept(conn, read, known, now))
        return _sent(answer)
    mark = _fingerprint(body, known_at)
    with _alone(request, idempotency_key):
        work = _once(f"orders:{idempotency_key}", mark, read, known, now)
        try:
            given, again = await context.db.write(work)
        except IntegrityError as error:
            raise _busy() from error
    if given.fingerprint != mark:
        text = "这个 Idempotency-Key 七天内用过，内容与现在不同；没有做任何改动，请换一个键。"
        raise Problem(422, text, code="key_reused", flaws=[Flaw("Idempotency-Key", "key_reused", text)])
    return _sent(given.body, again=again)


def _read(body: bytes, terms: Terms) -> list[RowVerdict]:
    """The rows of a body with their verdicts. Raises `Problem` for a body that is no list of orders."""
    try:
        given = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "请求体不是有效的 JSON（要 UTF-8）。", code="bad_json") from error
    rows = given if isinstance(given, list) else [given]
    if not 1 <= len(rows) <= MOST_ROWS:
        text = f"一次 1 到 {MOST_ROWS} 个订单，这次有 {len(rows)} 个；没有做任何改动，请分批提交。"
        raise Problem(422, text, flaws=[Flaw("body", "row_count", text)])
    wrong = [n for n, row in enumerate(rows, 1) if not isinstance(row, dict)]
    if wrong:
        flaws = [Flaw(f"body.{n - 1}", "not_an_object", f"第 {n} 个不是对象") for n in wrong[:20]]
        raise Problem(422, "每个订单要是一个对象；没有做任何改动。", flaws=flaws)
    read = [read_object(terms, row, n) for n, row in enumerate(rows, 1)]
    parcels = sum(len(row.waybills) for row in read)
    if parcels > MOST_PARCELS:
        text = f"一次最多 {MOST_PARCELS} 个运单，这次有 {parcels} 个；没有做任何改动，请分批提交。"
        raise Problem(422, text, flaws=[Flaw("body", "parcel_count", text)])
    return read


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _kept(conn: Connection, rows: Sequence[RowVerdict], known_at: datetime, now: datetime) -> str:
    """Everything kept, and the answer."""
    verdicts = [
        _verdict(row, taken) for row, taken in zip(rows, keep(conn, rows, known_at, now), strict=True)
    ]
    counts = Counter(each.outcome for each in verdicts)
    told = {outcome: counts[outcome] for outcome in OUTCOMES}
    return Intake(rows=len(rows), verdicts=verdicts, **told).model_dump_json()


def _verdict(row: RowVerdict, taken: Taken | None) -> Verdict:
    outcome = taken.outcome if taken is not None else row.kind.value
    detail = taken.detail if taken is not None else "；".join(each.text for each in row.problems)
    return Verdict(
        row=row.line,
        outcome=outcome,
        order_no=_order_no(row),
        waybills=[f"{each.carrier}/{each.waybill_no}" for each in row.waybills],
        detail=safe_text(detail, 300),
        problems=[_remark(each) for each in row.problems],
        warnings=[_remark(each) for each in row.warnings],
    )


def _order_no(row: RowVerdict) -> str:
    """The order's number; of a row that became no order what was sent as one, whatever that is."""
    if row.order is not None:
        return named(row.order.order_no)
    return safe_text(plain(dict(zip(NAMES, row.raw, strict=False)).get("order_no", "")), 64)


def _remark(fault: Fault) -> Remark:
    return Remark(field=safe_text(fault.column, 64), reason=fault.reason, text=safe_text(fault.text, 300))


def _once(
    key: str, mark: str, rows: Sequence[RowVerdict], known_at: datetime, now: datetime
) -> Callable[[Connection], tuple[Given, bool]]:
    """The work that keeps the rows and remembers the answer together, or finds the answer given before."""

    def work(conn: Connection) -> tuple[Given, bool]:
        before = idempotency.find(conn, key, now)
        if before is not None:
            return before, True
        given = Given(mark, 200, _kept(conn, rows, known_at, now))
        idempotency.put(conn, key, given, now)
        return given, False

    return work


def _fingerprint(body: bytes, known_at: datetime | None) -> str:
    """Tells requests under one key apart."""
    return hashlib.sha256(f"{known_at.isoformat() if known_at else ''}\n".encode() + body).hexdigest()


@contextmanager
def _alone(request: Request, key: str) -> Iterator[None]:
    """Nobody else is at this key in this process; another process is found out by the store."""
    state = request.app.state
    if not hasattr(state, "orders_under_way"):
        state.orders_under_way = set()
    under_way: set[str] = state.orders_under_way
    if key in under_way:
        raise _busy()
    under_way.add(key)
    try:
        yield
    finally:
        under_way.discard(key)


def _busy() -> Problem:
    text = "同一个 Idempotency-Key 的请求正在处理；稍后重发即可得到它的答复。"
    return Problem(409, text, code="key_busy", headers={"Retry-After": "1"})


def _sent(body: str, *, again: bool = False) -> Response:
    headers = {"Idempotent-Replay": "true"} if again else None
    return Response(body, headers=headers, media_type="application/json")
