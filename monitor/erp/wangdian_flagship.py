"""旺店通 旗舰版 (`facts/carriers-orders-erp.md`, "旺店通 旗舰版").

Asks: `wms.stockout.Sales.queryWithDetail`, outbound documents by the time they were modified, 60 minutes a question;
      then `wms.stockout.Sales.searchLogistics` over the same minutes for the further waybills of split parcels.
Says: HTTP 200 always; `status` holds the outcome. `consign_time` is text here and epoch milliseconds there.
Odd:  the timestamp counts from 2012 in Beijing, 120 s are tolerated; the body is signed as a parameter. 100 is both
      throttling, told by its text, and a bad parameter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

from domain.remote import Conversation, Denied, Reply, Request, Secret, Throttled, Unavailable, Unreadable
from domain.time import to_micros
from monitor.erp import windows
from monitor.erp.base import Cursor, Grant, Outbound, Page, Standing, order_source
from monitor.erp.rows import (
    instant,
    label,
    local_text,
    mapping_of,
    name,
    names,
    parcel,
    read_rows,
    rows_of,
    said_in,
    waybills,
    whole,
)
from monitor.erp.wangdian import CARRIER_TYPES, standing_of
from monitor.erp.windows import Span
from monitor.intake.values import Unfit

__all__ = ["WangdianFlagship"]

_EPOCH: Final = 1325347200
"""2012-01-01 in Beijing."""
_FIELDS: Final = frozenset({
    "status", "message", "data", "total_count", "order", "order_list", "order_no", "stockout_no", "stockout_id",
    "src_order_no", "src_trade_no", "shop_no", "shop_name", "consign_time", "modified", "warehouse_no",
    "logistics_type", "logistics_name", "logistics_no",
})  # fmt: skip
_PAGE: Final = 100
_DOCUMENTS: Final = "wms.stockout.Sales.queryWithDetail"
_PARCELS: Final = "wms.stockout.Sales.searchLogistics"
_STAGES: Final = ("", "20", "30")
"""The documents, then their waybills: to be settled, settled (what was shipped is one of the two)."""


@order_source("wangdian_flagship")
@dataclass(frozen=True, slots=True)
class WangdianFlagship:
    """An interface account of 旺店通 旗舰版."""

    sid: str
    key: str
    appsecret: Secret
    """`secret:salt`, as the platform shows it."""
    statuses: str = "5,95,110"
    """Which states are asked for: cancelled, shipped, done."""
    all_parcels: bool = True
    """Also ask for the further waybills of an order; false where searchLogistics is not granted."""
    base_url: str = "http://wdt.wangdian.cn/openapi"

    kind: ClassVar[str]
    fields: ClassVar[frozenset[str]] = _FIELDS
    longest: ClassVar[timedelta] = timedelta(minutes=60)
    overlap: ClassVar[timedelta] = timedelta(minutes=10)
    withheld: ClassVar[str] = "旺店通的接口不给淘宝、天猫和拼多多店铺的订单"
    uncertain: ClassVar[tuple[str, ...]] = (
        "状态 5（已取消）能否和 95、110 一起查：查不了就把 statuses 改成 95,110，那样撤销的出库单不会自动停止监控",
        "searchLogistics 的时间参数是否也叫 start_time、end_time：按同名处理",
        "错误 1 至 5、8、99 是什么意思：按文字判断，认不出的稍后再试",
    )

    def __post_init__(self) -> None:
        if not all(self._secret_and_salt()):
            raise ValueError("appsecret 要写成 密钥:盐 的样子，中间是英文冒号")

    def _secret_and_salt(self) -> tuple[str, str]:
        secret, _, salt = self.appsecret.reveal().partition(":")
        return secret, salt

    def pull(self, cursor: Cursor, now: datetime, held: Grant | None) -> Conversation[Page]:
        """The next page of documents, or of their waybills, modified in the span under way."""
        span = windows.begin(cursor, now, self.longest)
        if span is None:
            return Page((), cursor, more=False)
        reply = yield self.question(span, now)
        try:
            data = mapping_of(_outcome(reply))
        except Denied as refusal:
            if span.stage == 0:
                raise
            raise Denied(f"{refusal}（searchLogistics 没有开通的话，写 all_parcels = false）") from None
        states: list[str] = []
        field, read = "order", partial(_document, now=now, states=states)
        if span.stage:
            field, read = "order_list", partial(_more, now=now, states=states)
        total = _total(data)
        rows = rows_of(data, field, at_least=windows.owed(span, _PAGE, total))
        documents, poisoned = read_rows(rows, read, ("order_no", "stockout_no", "stockout_id"), _FIELDS)
        unknown = tuple(dict.fromkeys(states))
        following = windows.following(span, rows, _PAGE, total) or self._next_stage(span)
        if following is not None:
            return Page(documents, following.cursor(), more=True, poisoned=poisoned, unknown=unknown)
        after, proven, more = windows.finished(span, now, self.overlap)
        return Page(documents, after, more, proven, poisoned, unknown)

    def _next_stage(self, span: Span) -> Span | None:
        if not self.all_parcels or span.stage + 1 >= len(_STAGES):
            return None
        return Span(span.begin, span.end, span.stage + 1)

    def question(self, span: Span, now: datetime) -> Request:
        """A signed request for one page of the span."""
        asked: dict[str, Any] = {"start_time": local_text(span.begin), "end_time": local_text(span.end)}
        if span.stage:
            return self.signed(_PARCELS, asked | {"status": _STAGES[span.stage]}, span.page, now)
        return self.signed(_DOCUMENTS, asked | {"status_type": 3, "status": self.statuses}, span.page, now)

    def signed(self, method: str, asked: Mapping[str, Any], page: int, now: datetime) -> Request:
        """Any request of the service: parameters in the query, the arguments as a JSON list in the body."""
        body = json.dumps([asked], ensure_ascii=False, separators=(",", ":"))
        secret, salt = self._secret_and_salt()
        query = {
            "sid": self.sid,
            "key": self.key,
            "salt": salt,
            "method": method,
            "v": "1.0",
            "timestamp": str(int(now.timestamp()) - _EPOCH),
            "page_size": str(_PAGE),
            "page_no": str(page),
            "calc_total": "1",
        }
        whole_ = query | {"body": body}
        text = "".join(name_ + whole_[name_] for name_ in sorted(whole_))
        query["sign"] = hashlib.md5(f"{secret}{text}{secret}".encode()).hexdigest()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        hidden = (self.appsecret, Secret(secret), Secret(salt))
        return Request("POST", self.base_url, query, headers, body.encode(), hidden)


def _outcome(reply: Reply) -> Any:
    """`data` of a good answer. Raises what the status, or else a stable part of the text, means."""
    if reply.status >= 500:
        raise Unavailable(f"HTTP {reply.status}")
    told = mapping_of(reply.json())
    try:
        status = whole(told, "status")
    except Unfit:
        status = None
    said = said_in(told, "message")
    if status == 0:
        return told.get("data")
    if "频率" in said:
        raise Throttled(said, timedelta(minutes=1))
    if status == 6:
        raise Denied(f"{said}：请在旺店通把本机的出口 IP 加入白名单")
    if status == 7:
        raise Denied(f"{said}：请对准本机时钟（timedatectl set-ntp true）")
    if status == 100:
        raise Unreadable(f"status 100：{said}")
    if any(word in said for word in ("签名", "权限", "密钥", "授权")):
        raise Denied(f"status {status} {said}：请核对 sid、key、appsecret 和接口权限")
    if status is None:
        raise Unreadable("回答里没有 status")
    raise Unavailable(f"status {status}：{said}")


def _total(data: Mapping[str, Any]) -> int | None:
    try:
        total = whole(data, "total_count")
    except Unfit:
        return None
    return total if total is not None and total >= 0 else None


def _document(row: Mapping[str, Any], now: datetime, states: list[str]) -> Outbound:
    number = name(row, "order_no") or name(row, "stockout_id")
    if not number:
        raise Unfit("missing_number", "没有出库单号 order_no")
    kind, company = CARRIER_TYPES.get(whole(row, "logistics_type") or 0), label(row, "logistics_name")
    numbers = waybills(row, "logistics_no")
    shipped_at, modified_at = instant(row, "consign_time", now), instant(row, "modified", now)
    shipped = bool(numbers) and shipped_at is not None
    return Outbound(
        number,
        standing_of(whole(row, "status"), shipped=shipped, states=states),
        orders=names(row, "src_order_no"),
        platform_orders=names(row, "src_trade_no"),
        shop_id=name(row, "shop_no"),
        shop=label(row, "shop_name"),
        parcels=tuple(parcel(row, each, kind, company) for each in numbers),
        shipped_at=shipped_at,
        warehouse=label(row, "warehouse_no"),
        version=0 if modified_at is None else to_micros(modified_at),
    )


def _more(row: Mapping[str, Any], now: datetime, states: list[str]) -> Outbound:
    """A waybill of a document whose orders are told with the document."""
    number = name(row, "stockout_no") or name(row, "stockout_id")
    if not number:
        raise Unfit("missing_number", "没有出库单号 stockout_no")
    company = label(row, "logistics_name")
    found = tuple(parcel(row, each, None, company) for each in waybills(row, "logistics_no"))
    told = Outbound(number, Standing.SHIPPED, (), parcels=found, adds=True)
    return replace(told, shipped_at=instant(row, "consign_time", now))
