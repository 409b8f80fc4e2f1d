"""The merchants of the simulated world: their shops, warehouses, prices and working hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from domain.orders import Order
from monitor.demo.places import CITIES, City
from monitor.demo.story import BEIJING, hours

__all__ = ["ERP_SHOP", "SHOPS", "Shop", "fulfil", "place_order"]


@dataclass(frozen=True, slots=True)
class Shop:
    """One shop, shipping from one warehouse."""

    platform: str
    name: str
    merchant: str
    origin: City
    warehouse: str
    goods_type: str
    cheapest: int
    dearest: int
    """Prices in yuan."""


SHOPS: Final = (
    Shop("taobao_tmall", "云上家居旗舰店", "云上商贸", CITIES["杭州"], "杭州仓", "家居", 29, 399),
    Shop("taobao_tmall", "山野户外专营店", "云上商贸", CITIES["泉州"], "泉州仓", "户外", 59, 699),
    Shop("taobao_tmall", "拾光文具旗舰店", "拾光文创", CITIES["苏州"], "苏州仓", "文具", 9, 89),
    Shop("pinduoduo", "日日鲜百货", "日日商行", CITIES["金华"], "义乌仓", "百货", 5, 59),
    Shop("pinduoduo", "暖冬服饰店", "日日商行", CITIES["广州"], "广州仓", "服饰", 19, 199),
)

ERP_SHOP: Final = Shop("douyin", "云上家居抖音店", "云上商贸", CITIES["杭州"], "杭州仓", "家居", 29, 399)
"""Its orders come out of the merchant's ERP, which may give them away: 聚水潭 has none of 淘系 and 拼多多."""

_ROUNDS: Final = ((12.0, 14.0, 16.0), (18.0, 19.0, 21.0), (24.0, 34.0, 35.5))
"""Orders paid before the first hour of a line are picked up between the two others (Beijing time)."""


def fulfil(paid_at: datetime, rng: Random) -> tuple[datetime, datetime]:
    """When the shop prints the label and when the courier fetches an order: within 17.5 hours of payment."""
    wall = paid_at + BEIJING
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    paid = (wall - midnight).total_seconds() / 3600
    opens, closes = next((opens, closes) for before, opens, closes in _ROUNDS if paid < before)
    fetched = midnight - BEIJING + hours(rng.uniform(opens, closes))
    printed = max(paid_at + hours(rng.uniform(0.1, 0.5)), fetched - hours(rng.uniform(0.5, 2.0)))
    return printed, fetched


def place_order(
    shop: Shop, serial: int, paid_at: datetime, shipped_at: datetime, to: City, rng: Random
) -> Order:
    """The order as the shop's back office knows it. 拼多多 promises to ship within 48 hours."""
    duoduo = shop.platform == "pinduoduo"
    day = (paid_at + BEIJING).strftime("%y%m%d")
    return Order(
        order_no=f"{day}-{serial:015d}" if duoduo else f"31{serial:017d}",
        merchant=shop.merchant,
        platform=shop.platform,
        shop=shop.name,
        paid_at=paid_at,
        shipped_at=shipped_at,
        promised_ship_at=paid_at + timedelta(hours=48) if duoduo else None,
        amount=Decimal(rng.randint(shop.cheapest * 10, shop.dearest * 10)) / 10,
        receiver_province=to.province,
        receiver_city=to.full,
        warehouse=shop.warehouse,
        goods_type=shop.goods_type,
    )
