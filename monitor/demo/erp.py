"""聚水潭 over HTTP: `POST /open/orders/out/simple/query`, and its tokens; and the shop whose orders stand in it.

Protocol and codes: `facts/carriers-orders-erp.md`. The shop is a world of its own, in which nothing goes wrong: what
the watch finds of it would be made up. Its parcels are known to the carriers like all others (`Carriers`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, Final

from aiohttp import web

from domain.time import SHANGHAI, UTC
from monitor.demo.faults import Clock, Switchboard, tell_time
from monitor.demo.noise import Noise
from monitor.demo.scans import Row
from monitor.demo.shops import ERP_SHOP
from monitor.demo.world import Parcel, World

__all__ = ["SENDER_TAIL", "Carriers", "erp_world", "make_erp_app"]

SENDER_TAIL: Final = "6688"
"""Of the warehouse's phone: 顺丰 answers for the sender's digits as well, and the ERP gives away no receiver's."""
_PER_DAY: Final = 16.0
_LONGEST: Final = timedelta(days=7)
_LASTS: Final = timedelta(days=30)
"""An access token."""
_EARLY: Final = 10**6
"""More orders than any show sees: a number of one world may be one of the other's far future."""


def erp_world(seed: int, started_at: datetime, backlog: timedelta) -> World:
    """The shop's orders: all of them arrive as they should."""
    quiet = {"mix": {}, "noise": Noise.none(), "jams": ()}
    return World(seed, started_at, per_day=_PER_DAY, backlog=backlog, shops=(ERP_SHOP,), **quiet)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Carriers:
    """What the carriers know of both worlds, as the tracking provider asks for it."""

    world: World
    erp: World

    def lookup(self, com: str, num: str, at: datetime) -> Sequence[Row] | None:
        """Rows visible at `at`, newest first; None when nothing is known."""
        return (self.erp if self._of_erp(com, num) else self.world).lookup(com, num, at)

    def phone_tail(self, com: str, num: str) -> str | None:
        """The digits that open the number: the sender's for the ERP's, else the receiver's."""
        tail = self.world.phone_tail(com, num)
        return SENDER_TAIL if self._of_erp(com, num) and self.erp.phone_tail(com, num) else tail

    def _of_erp(self, com: str, num: str) -> bool:
        found = self.erp.find(com, num)
        return found is not None and found.index < _EARLY


def make_erp_app(world: World, *, app_key: str, app_secret: str, clock: Clock) -> web.Application:
    """The ERP as an application for `aiohttp.web`."""
    desk = _Desk(world, app_key, app_secret, clock)
    app = web.Application()
    app.router.add_post("/open/orders/out/simple/query", desk.outbound)
    app.router.add_post("/openWeb/auth/getInitToken", desk.token)
    app.router.add_post("/openWeb/auth/refreshToken", desk.token)
    tell_time(app, clock, Switchboard())
    return app


@dataclass
class _Desk:
    world: World
    app_key: str
    app_secret: str
    clock: Clock
    access: str = ""
    refresh: str = ""
    lapses_at: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    async def token(self, request: web.Request) -> web.Response:
        """A new token; the one before it is void."""
        form = await _form(request)
        renews = request.path.endswith("refreshToken")
        known = form.get("refresh_token") == self.refresh != "" if renews else len(form.get("code", "")) == 6
        if not self._signed(form) or not known:
            return _said(100, "授权无效")
        self.access, self.refresh, self.lapses_at = token_hex(), token_hex(), self.clock() + _LASTS
        lasts = int(_LASTS.total_seconds())
        return _said(
            0, None, {"access_token": self.access, "refresh_token": self.refresh, "expires_in": lasts}
        )

    async def outbound(self, request: web.Request) -> web.Response:
        """Outbound documents modified within the span, by `ts`."""
        form = await _form(request)
        if not self._signed(form):
            return _said(100, "无效签名")
        if form.get("access_token") != self.access or self.clock() >= self.lapses_at:
            return _said(100, "access_token已过期")
        try:
            asked = json.loads(form["biz"])
            begin, end = _moment(asked["modified_begin"]), _moment(asked["modified_end"])
            after, size = int(asked["start_ts"]), int(asked["page_size"])
        except (KeyError, TypeError, ValueError):
            return _said(100, "参数错误")
        if not timedelta(0) <= end - begin <= _LONGEST or not 0 < size <= 50:
            return _said(100, "参数错误")
        second = timedelta(seconds=1)
        shipped = self.world.shipped(begin - second, min(end, self.clock()))
        rows = sorted((_row(each) for each in shipped), key=lambda row: int(row["ts"]))
        rows = [row for row in rows if row["ts"] > after]
        data = {"page_index": 1, "page_size": size, "has_next": len(rows) > size, "datas": rows[:size]}
        return _said(0, None, data)

    def _signed(self, form: Mapping[str, str]) -> bool:
        text = "".join(key + form[key] for key in sorted(form) if key != "sign")
        ours = hashlib.md5((self.app_secret + text).encode()).hexdigest()
        right = hmac.compare_digest(ours.encode(), form.get("sign", "").encode())
        return right and form.get("app_key") == self.app_key


def _row(parcel: Parcel) -> dict[str, Any]:
    """An outbound document: without the receiver's name, address and phone."""
    order = parcel.order
    assert order.shipped_at is not None
    at = order.shipped_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "io_id": 70_000_000 + parcel.index,
        "o_id": 20_000_000 + parcel.index,
        "so_id": order.order_no,
        "shop_id": 10086,
        "shop_name": order.shop,
        "status": "Confirmed",
        "io_date": at,
        "modified": at,
        "ts": int(order.shipped_at.timestamp()) * 1_000_000 + parcel.index,
        "logistics_company": parcel.carrier.zh,
        "l_id": parcel.waybill_no,
        "wms_co_id": 0,
    }


def _said(code: int, words: str | None, data: object = None) -> web.Response:
    """Always HTTP 200."""
    return web.json_response({"code": code, "issuccess": code == 0, "msg": words, "data": data})


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).astimezone(UTC)


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.post()).items()}
