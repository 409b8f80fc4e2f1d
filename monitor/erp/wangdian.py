"""旺店通 企业版, classic and Y edition (`facts/carriers-orders-erp.md`, "旺店通 企业版").

Asks: `stockout_order_query_trade.php`, outbound documents by the time they were modified (`time_type` 1): one hour a
      question, 30 days in the Y edition; pages from 0, 100 a page, `total_count` on page 0 only.
Says: HTTP 200 always; `code` holds the outcome. Times are Beijing; `0000-00-00 00:00:00` is none. Numbers are often
      text. `logistics_list` holds parent and child waybills.
Odd:  carriers are named by hand in the ERP: the type is trusted, then the number's letters, then the name. Orders of
      淘系 and 拼多多 are withheld.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

from domain.remote import Conversation, Denied, Reply, Request, Secret, Throttled, Unavailable, Unreadable
from domain.time import to_micros
from monitor.erp import windows
from monitor.erp.base import Cursor, Grant, Outbound, Page, Parcel, Standing, order_source
from monitor.erp.rows import (
    beijing,
    label,
    local_text,
    mapping,
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
from monitor.intake.values import Unfit

__all__ = ["CARRIER_TYPES", "Wangdian", "standing_of"]

CARRIER_TYPES: Final = {
    2: "youzhengguonei", 3: "ems", 4: "yuantong", 5: "zhongtong", 6: "shentong", 8: "shunfeng", 9: "yunda",
    10: "huitongkuaidi", 22: "debangwuliu", 88: "debangkuaidi", 91: "kuayue", 102: "danniao", 103: "jd",
    108: "jtexpress", 110: "jd", 2111: "shunfengkuaiyun", 2129: "fengwang", 2154: "youzhengdsbk",
}  # fmt: skip
"""`logistics_type` (facts, same section). 16 天天 and 90 菜鸟配送 are in no list of ours: there the name speaks."""
_SHIPPED: Final = frozenset({95, 110})
_GONE: Final = frozenset({4, 5})
_PENDING: Final = frozenset({50, 51, 52, 53, 55})
_FIELDS: Final = frozenset({
    "code", "message", "total_count", "stockout_list", "order_no", "stockout_id", "src_order_no", "src_tids", "status",
    "shop_no", "shop_name", "consign_time", "modified", "warehouse_no", "logistics_type", "logistics_type_name",
    "logistics_name", "logistics_no", "related_logistics_no", "logistics_list",
})  # fmt: skip
_PAGE: Final = 100
_MINUTE: Final = timedelta(minutes=1)


@order_source("wangdian")
@dataclass(frozen=True, slots=True)
class Wangdian:
    """An interface account of 旺店通 企业版."""

    sid: str
    appkey: str
    appsecret: Secret
    edition: str = "classic"
    """`classic`, or `y` for the newer one at openapi.huice.com."""
    base_url: str = "https://api.wangdian.cn/openapi2"
    """The Y edition's own address is known; write this only to point elsewhere."""

    kind: ClassVar[str]
    fields: ClassVar[frozenset[str]] = _FIELDS
    overlap: ClassVar[timedelta] = timedelta(minutes=10)
    withheld: ClassVar[str] = "旺店通的接口不给淘宝、天猫和拼多多店铺的订单"
    uncertain: ClassVar[tuple[str, ...]] = (
        "企业版（classic）出库单一次最多查 1 小时",
        "除 1010、1060、1090、2900 以外的错误码是什么意思：按文字判断，认不出的稍后再试",
        "状态 110 是否就是已发货之后的完成：按已发货处理",
    )

    def __post_init__(self) -> None:
        if self.edition not in _HOSTS:
            raise ValueError(f"edition 只能写 {' 或 '.join(_HOSTS)}")

    @property
    def longest(self) -> timedelta:
        """One hour, 30 days in the Y edition."""
        return timedelta(days=30) if self.edition == "y" else timedelta(hours=1)

    def pull(self, cursor: Cursor, now: datetime, held: Grant | None) -> Conversation[Page]:
        """The next page of documents modified in the span under way."""
        span = windows.begin(cursor, now, self.longest)
        if span is None:
            return Page((), cursor, more=False)
        reply = yield self.question(
            {
                "start_time": local_text(span.begin),
                "end_time": local_text(span.end),
                "time_type": "1",
                "page_no": str(span.page),
                "page_size": str(_PAGE),
            },
            now,
        )
        told = _outcome(reply)
        total = _total(told)
        rows = rows_of(told, "stockout_list", at_least=windows.owed(span, _PAGE, total))
        states: list[str] = []
        read = partial(_document, now=now, states=states)
        documents, poisoned = read_rows(rows, read, ("order_no", "stockout_id"), _FIELDS)
        following = windows.following(span, rows, _PAGE, total)
        unknown = tuple(dict.fromkeys(states))
        if following is not None:
            return Page(documents, following.cursor(), more=True, poisoned=poisoned, unknown=unknown)
        after, proven, more = windows.finished(span, now, self.overlap)
        return Page(documents, after, more, proven, poisoned, unknown)

    def question(self, asked: Mapping[str, str], now: datetime) -> Request:
        """A signed request for outbound documents."""
        own = {"sid": self.sid, "appkey": self.appkey, "timestamp": str(int(now.timestamp()))}
        fields = {**own, **asked}
        base = _HOSTS[self.edition] if self.base_url == _HOSTS["classic"] else self.base_url
        url = f"{base}/stockout_order_query_trade.php"
        return Request.form(url, fields | {"sign": self.sign(fields)}, (self.appsecret,))

    def sign(self, fields: Mapping[str, str]) -> str:
        """Lower hex MD5 over `LL-key:VVVV-value;…` sorted by name and the secret; lengths count characters."""
        packed = ";".join(
            f"{len(key):02d}-{key}:{len(fields[key]):04d}-{fields[key]}"
            for key in sorted(fields)
            if key != "sign"
        )
        return hashlib.md5((packed + self.appsecret.reveal()).encode()).hexdigest()


_HOSTS: Final = {
    "classic": "https://api.wangdian.cn/openapi2",
    "y": "https://openapi.huice.com/openapi",
}


def _outcome(reply: Reply) -> Mapping[str, Any]:
    """A good answer. Raises what the code, or else a stable part of the text, means."""
    if reply.status >= 500:
        raise Unavailable(f"HTTP {reply.status}")
    told = mapping_of(reply.json())
    code, said = _whole(told, "code"), said_in(told, "message")
    if code == 0:
        return told
    if "频率" in said:
        raise Throttled(said, _MINUTE)
    if code == 1060 or "欠费" in said:
        raise Denied(f"{said}：请为旺店通接口账号续费")
    if code == 2900:
        raise Unreadable(f"{code}：{said}")
    raise _by_text(code, said)


def _by_text(code: int | None, said: str) -> Denied | Unavailable:
    """Codes nobody listed: what the text surely says, else tried again."""
    if "白名单" in said or "IP" in said:
        return Denied(f"{code} {said}：请在旺店通把本机的出口 IP 加入白名单")
    if "签名" in said or "sign" in said.lower():
        return Denied(f"{code} {said}：请核对 sid、appkey 和密钥")
    if "权限" in said:
        return Denied(f"{code} {said}：请在旺店通为账号开通出库单查询接口")
    if "时间戳" in said or "timestamp" in said.lower():
        return Denied(f"{code} {said}：请对准本机时钟（timedatectl set-ntp true）")
    return Unavailable(f"code {code}：{said}")


def _whole(told: Mapping[str, Any], key: str) -> int | None:
    try:
        return whole(told, key)
    except Unfit:
        return None


def _total(told: Mapping[str, Any]) -> int | None:
    """How many rows there are; None where it is not said or cannot be."""
    total = _whole(told, "total_count")
    return total if total is not None and total >= 0 else None


def standing_of(status: int | None, *, shipped: bool, states: list[str]) -> Standing:
    """A state's meaning. One in no table is noted; what was shipped with a number is watched all the same."""
    if status in _SHIPPED:
        return Standing.SHIPPED
    if status in _GONE:
        return Standing.GONE
    if status not in _PENDING:
        states.append(f"出库单状态 {status}")
        return Standing.SHIPPED if shipped else Standing.PENDING
    return Standing.PENDING


def _document(row: Mapping[str, Any], now: datetime, states: list[str]) -> Outbound:
    number = name(row, "order_no") or name(row, "stockout_id")
    if not number:
        raise Unfit("missing_number", "没有出库单号 order_no")
    parcels = _parcels(row)
    shipped_at = beijing(row, "consign_time", now)
    modified_at = beijing(row, "modified", now)
    shipped = bool(parcels) and shipped_at is not None
    return Outbound(
        number,
        standing_of(whole(row, "status"), shipped=shipped, states=states),
        orders=names(row, "src_order_no"),
        platform_orders=names(row, "src_tids"),
        shop_id=name(row, "shop_no"),
        shop=label(row, "shop_name"),
        parcels=parcels,
        shipped_at=shipped_at,
        warehouse=label(row, "warehouse_no"),
        version=0 if modified_at is None else to_micros(modified_at),
    )


def _parcels(row: Mapping[str, Any]) -> tuple[Parcel, ...]:
    """The document's waybill and all of its list, parents and children, each once."""
    kind, company = CARRIER_TYPES.get(whole(row, "logistics_type") or 0), label(row, "logistics_type_name")
    company = company or label(row, "logistics_name")
    found = {each: parcel(row, each, kind, company) for each in waybills(row, "logistics_no")}
    for line in rows_in(row, "logistics_list"):
        for key in ("logistics_no", "related_logistics_no"):
            for each in waybills(line, key):
                found.setdefault(each, parcel(line, each, kind, label(line, "logistics_name") or company))
    return tuple(found.values())


def rows_in(row: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], ...]:
    """The objects of a row's list. Raises `Unfit`."""
    value = row.get(key) or []
    if not isinstance(value, list):
        raise Unfit("bad_value", f"{key} 不是列表")
    return tuple(mapping(each) for each in value)
