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

__all__ = ["ADVICE_ZH", "REASON_ZH", "router"]

router = APIRouter(include_in_schema=False)
_ROWS: Final = 50

REASON_ZH: Final = {
    Reason.ASKED: "监控中",
    Reason.WAITING: "监控中，承运商还没有任何答复",
    Reason.NO_WAYBILL: "已发货，没有运单号",
    Reason.UNKNOWN_CARRIER: "不认识的快递公司",
    Reason.NOT_SERVED: "没有数据源查这家快递",
    Reason.PUT_ASIDE: "本程序处理不了，已放在一边",
    Reason.REFUSED: "数据源拒绝查这个单号",
    Reason.CHANGED: "商家已换单号，新单号在监控中",
    Reason.ENDED: "已结束",
}
ADVICE_ZH: Final = {
    Reason.WAITING: "刚发货时属正常。一天后仍是这样，请核对单号和快递公司是否填对。",
    Reason.NO_WAYBILL: "请在店铺后台补填运单号，再重新导入；延迟发货的时限仍在监控。",
    Reason.UNKNOWN_CARRIER: "请把快递公司改成常用的名字再导入，例如“中通快递”。",
    Reason.NOT_SERVED: '请在配置的 [[providers]] 里让一个账号负责这家快递（carriers），或写 ["*"]。',
    Reason.PUT_ASIDE: "请把这里的原因转告维护人员；修好后会自动继续。",
    Reason.REFUSED: "请核对单号；顺丰等快递还需要收件人手机号后四位。",
}
"""What to do about those that are not covered."""
_LISTED: Final = tuple(reason for reason in REASON_ZH if reason is not Reason.ASKED)


@dataclass(frozen=True, slots=True)
class _Found:
    counts: Coverage
    page: Page[Uncovered]


@router.get("/coverage")
async def show(request: Request) -> Response:
    """The counts, and the list of one reason: the one asked for, else the first that wants something done."""
    context, asked = context_of(request), request.query_params
    settings = context.settings()

    def served(carrier: str) -> bool:
        return settings.provider_for(carrier) is not None

    def read(conn: Connection) -> tuple[Reason, _Found]:
        counts = coverage.coverage(conn, served)
        reason = _reason(asked.get("reason", ""), counts)
        rows = coverage.uncovered(conn, reason, served, asked.get("cursor"), _ROWS)
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
