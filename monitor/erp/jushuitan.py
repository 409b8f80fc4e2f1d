"""聚水潭 (`facts/carriers-orders-erp.md`, "聚水潭 Jushuitan").

Asks: `/open/orders/out/simple/query`, outbound documents by the time they were modified, 50 a page. Read without
      loss: `start_ts` is the greatest `ts` read so far and `page_index` stays 1 while there is a next page.
      Each span of time begins at `ts` 0 again: nothing is lost where that count begins anew or one row's is nonsense.
Says: HTTP 200 always; `code` holds the outcome. Times are Beijing. The same `io_id` comes again when it changes; the
      greatest `ts` is the latest word. Several waybills stand in one field, parted by commas.
Odd:  the token lapses and renewing it may void the old one: one process owns it. Orders of 淘系 and 拼多多 are withheld.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

from domain.remote import Conversation, Denied, Reply, Request, Secret, Throttled, Unavailable, Unreadable
from monitor.erp import windows
from monitor.erp.base import Cursor, Expired, Grant, Outbound, Page, Poisoned, Standing, order_source, strays
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

__all__ = ["Jushuitan"]

_OUTBOUND: Final = "/open/orders/out/simple/query"
_FIRST, _RENEW = "/openWeb/auth/getInitToken", "/openWeb/auth/refreshToken"
_STANDING: Final = {
    "Confirmed": Standing.SHIPPED,
    "Archive": Standing.SHIPPED,
    "Cancelled": Standing.GONE,
    "Delete": Standing.GONE,
    "WaitConfirm": Standing.PENDING,
}
_FIELDS: Final = frozenset({
    "code", "issuccess", "msg", "data", "datas", "has_next", "page_index", "page_size", "io_id", "o_id", "so_id",
    "shop_id", "shop_name", "status", "io_date", "modified", "ts", "logistics_company", "l_id", "wms_co_id",
})  # fmt: skip
_PAGE: Final = 50
_RENEW_BEFORE: Final = timedelta(days=1)
"""Renewed so long before it lapses, so that a night's trouble costs nothing."""
_THROTTLED: Final = {199: timedelta(minutes=1), 200: timedelta(seconds=2)}


@order_source("jushuitan")
@dataclass(frozen=True, slots=True)
class Jushuitan:
    """An application at open.jushuitan.com, self-built or authorised by the merchant."""

    app_key: str
    app_secret: Secret
    access_token: Secret | None = None
    """Of an authorisation page; a self-built application needs none."""
    refresh_token: Secret | None = None
    base_url: str = "https://openapi.jushuitan.com"

    kind: ClassVar[str]
    fields: ClassVar[frozenset[str]] = _FIELDS
    longest: ClassVar[timedelta] = timedelta(days=7)
    overlap: ClassVar[timedelta] = timedelta(minutes=10)
    withheld: ClassVar[str] = "聚水潭的接口不给淘宝、天猫和拼多多店铺的订单"
    uncertain: ClassVar[tuple[str, ...]] = (
        "换新令牌后旧令牌是否立即失效：按失效处理，同一个应用只能由一个程序换令牌",
        "不写 date_type 时是否按修改时间取：按修改时间处理",
    )

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def pull(self, cursor: Cursor, now: datetime, held: Grant | None) -> Conversation[Page]:
        """The next 50 documents modified since the cursor. Raises `Expired` for a token that is not taken."""
        span = windows.begin(cursor, now, self.longest)
        if span is None:
            return Page((), cursor, more=False)
        # A span of time is read from ts 0 on: the service's count may begin anew between two of them.
        ts = _reached(cursor)
        biz = {
            "start_ts": ts,
            "page_index": 1,
            "page_size": _PAGE,
            "modified_begin": local_text(span.begin),
            "modified_end": local_text(span.end),
        }
        reply = yield self.question(_OUTBOUND, biz, now, held)
        data = mapping_of(_outcome(reply))
        rows = rows_of(data, "datas")
        more_here = _has_next(data, len(rows))
        states: list[str] = []
        documents, poisoned = read_rows(
            rows, partial(_document, now=now, states=states), ("io_id", "o_id"), _FIELDS
        )
        unknown = tuple(dict.fromkeys(states))
        if more_here:
            greatest = _greatest(rows, ts)
            if greatest <= ts:
                raise Unreadable(f"翻页没有前进：还有下一页，而最大的 ts 仍是 {ts}")
            endless = span.page + 1 >= windows.MOST_PAGES
            going_on = {**replace(span, page=0 if endless else span.page + 1).cursor(), "ts": greatest}
            if (
                endless
            ):  # told as what nobody can read; the next turn goes on from here, and proves nothing yet
                poisoned = (
                    *poisoned,
                    Poisoned("", f"一个时段里超过 {windows.MOST_PAGES} 页，还说有下一页", f"ts {greatest}"),
                )
            return Page(documents, going_on, more=not endless, poisoned=poisoned, unknown=unknown)
        after, proven, more = windows.finished(span, now, self.overlap)
        return Page(documents, after, more, proven, poisoned, unknown)

    def question(self, path: str, biz: Mapping[str, Any], now: datetime, held: Grant | None) -> Request:
        """A signed request. Raises `Expired` when there is no token to sign with."""
        if held is None:
            raise Expired("还没有访问令牌")
        fields = {
            "app_key": self.app_key,
            "access_token": held.access.reveal(),
            "timestamp": str(int(now.timestamp())),
            "charset": "utf-8",
            "version": "2",
            "biz": json.dumps(biz, ensure_ascii=False, separators=(",", ":")),
        }
        return Request.form(
            self.base_url + path, fields | {"sign": self.sign(fields)}, (self.app_secret, held.access)
        )

    def sign(self, fields: Mapping[str, str]) -> str:
        """Lower hex MD5 over the secret and all parameters, sorted by name, as key+value."""
        text = "".join(key + fields[key] for key in sorted(fields) if key != "sign")
        return hashlib.md5((self.app_secret.reveal() + text).encode()).hexdigest()

    # ── the token ────────────────────────────────────────────────────────────────────────────────

    def seed(self) -> Grant | None:
        """The tokens written in the configuration."""
        return Grant(self.access_token, self.refresh_token) if self.access_token else None

    def stale(self, held: Grant | None, now: datetime) -> bool:
        """None is held, or it lapses within a day."""
        if held is None:
            return True
        return held.expires_at is not None and held.expires_at - now <= _RENEW_BEFORE

    def renew(self, held: Grant | None, now: datetime) -> Conversation[Grant]:
        """A new token for the old one's refresh token; without one the first token of a self-built application.

        Not repeated by itself: a lost answer may have voided the old token.
        """
        refresh = held.refresh if held is not None else None
        if refresh is None and self.access_token is not None:
            raise Denied("访问令牌已失效，而配置里没有 refresh_token：请在聚水潭重新授权，换上新的令牌")
        own = {"app_key": self.app_key, "timestamp": str(int(now.timestamp())), "charset": "utf-8"}
        if refresh is not None:
            asked = {"grant_type": "refresh_token", "refresh_token": refresh.reveal(), "scope": "all"}
            try:
                reply = yield self._alone(_RENEW, own | asked, refresh)
                return _grant(mapping_of(_outcome(reply)), refresh, now)
            except (Expired, Unreadable) as lapsed:
                if self.access_token is not None:
                    raise Denied(f"请在聚水潭重新授权，在配置里换上新的令牌（{lapsed}）") from None
        first = {"grant_type": "authorization_code", "code": self._code(now)}
        reply = yield self._alone(_FIRST, own | first, None)
        return _grant(mapping_of(_outcome(reply)), None, now)

    def _alone(self, path: str, fields: Mapping[str, str], refresh: Secret | None) -> Request:
        """Asked once: whoever repeats it may have voided the answer."""
        hidden = tuple(each for each in (self.app_secret, refresh) if each is not None)
        form = Request.form(self.base_url + path, {**fields, "sign": self.sign(fields)}, hidden)
        return replace(form, repeatable=False)

    def _code(self, now: datetime) -> str:
        """Six characters that are another's guess: the interface wants them random."""
        seed = f"{self.app_secret.reveal()}{now.isoformat()}"
        return hashlib.sha256(seed.encode()).hexdigest()[:6]


def _grant(data: Mapping[str, Any], before: Secret | None, now: datetime) -> Grant:
    access, refresh, lasts = (data.get(key) for key in ("access_token", "refresh_token", "expires_in"))
    if not isinstance(access, str) or not access:
        raise Unreadable("换令牌的回答里没有 access_token")
    try:
        expires = None if lasts is None else now + timedelta(seconds=int(lasts))
    except (TypeError, ValueError, OverflowError):
        expires = None
    return Grant(Secret(access), Secret(refresh) if isinstance(refresh, str) and refresh else before, expires)


def _outcome(reply: Reply) -> Any:
    """`data` of a good answer. Raises what the code means (facts: table of codes)."""
    if reply.status >= 500:
        raise Unavailable(f"HTTP {reply.status}")
    told = mapping_of(reply.json())
    code, said = told.get("code"), said_in(told, "msg")
    if code == 0 and told.get("issuccess") is not False:
        return told.get("data")
    if code == 100 and "token" in said.lower():
        raise Expired(f"访问令牌失效：{said}")
    if code in _THROTTLED:
        raise Throttled(said or f"code {code}", _THROTTLED[code])
    if code == 110:
        raise Denied(f"{said}：请在聚水潭开放平台把本机的出口 IP 加入白名单")
    if code == 190:
        raise Denied(f"{said}：请在聚水潭开放平台为应用开通“出库单查询”接口")
    raise Unreadable(f"code {code}：{said}")


def _document(row: Mapping[str, Any], now: datetime, states: list[str]) -> Outbound:
    number = name(row, "io_id")
    if not number:
        raise Unfit("missing_number", "没有出库单号 io_id")
    status = label(row, "status")
    standing = _STANDING.get(status)
    numbers = waybills(row, "l_id")
    shipped_at = beijing(row, "io_date", now)
    if standing is None:
        states.append(f"出库单状态 {status}")
        # What nobody knows is kept out of the table, not out of the watch: a parcel on its way speaks for itself.
        standing = Standing.SHIPPED if numbers and shipped_at else Standing.PENDING
    company = label(row, "logistics_company")
    return Outbound(
        number,
        standing,
        orders=names(row, "o_id"),
        platform_orders=names(row, "so_id"),
        shop_id=name(row, "shop_id"),
        shop=label(row, "shop_name"),
        parcels=tuple(parcel(row, each, None, company) for each in numbers),
        shipped_at=shipped_at,
        warehouse="" if (house := label(row, "wms_co_id")) == "0" else house,
        version=whole(row, "ts") or 0,
    )


def _has_next(data: Mapping[str, Any], rows: int) -> bool:
    """Whether a further page waits. Raises `Unreadable` where the answer leaves that open.

    Only a page that is not full may go without the word: nothing can stand behind it.
    """
    told = data.get("has_next")
    if isinstance(told, bool):
        return told
    if told is not None or rows >= _PAGE:
        raise Unreadable("回答里没有 has_next，不知道后面还有没有")
    return False


def _reached(cursor: Cursor) -> int:
    """The greatest `ts` read so far of the span under way; 0 for a new one."""
    ts = cursor.get("ts", 0) if windows.running(cursor) else 0
    if not isinstance(ts, int):
        raise Unreadable("保存的进度读不出来")
    return ts


def _greatest(rows: Sequence[Any], ts: int) -> int:
    """From where the next page goes on: the greatest `ts` that is no stray, at least `ts`.

    A stray is one beyond `FAR` times the middle of its page: following it would pass over all between. To be wrong
    about one costs half a page read again, and the middle itself always leads on.
    """
    ahead = sorted(at for row in rows if (at := _ts(row)) is not None and at > ts)
    if not ahead:
        return ts
    middle = ahead[(len(ahead) - 1) // 2]
    return max(each for each in ahead if not strays(each, middle))


def _ts(row: Any) -> int | None:
    """The row's version, also of a row that is otherwise unreadable: reading goes on behind it."""
    try:
        return whole(mapping(row), "ts")
    except Unfit:
        return None
