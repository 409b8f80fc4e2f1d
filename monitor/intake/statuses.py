"""Status words of orders and refunds, and what they mean together (`facts/import-formats.md` §3).

A word in no table is kept in the row, told once per file, and read as "shipped if there is a
waybill, else paid".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from domain.orders import OrderStatus

__all__ = ["Standing", "standing"]

_UNPAID: Final = "unpaid"
_AS_IT_LOOKS: Final = "as_it_looks"

_ORDER_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    _UNPAID: ("等待买家付款", "待付款", "待支付", "未付款"),
    OrderStatus.AWAITING: (
        "买家已付款,等待卖家发货", "买家已付款", "等待卖家发货", "待发货", "待配货", "等待出库", "已审核",
        "已付款", "已支付", "未发货", "备货中", "待审核", "已付款待审核", "已客审待财审", "发货中",
    ),
    _AS_IT_LOOKS: ("部分发货",),
    OrderStatus.SHIPPED: (
        "卖家已发货,等待买家确认", "卖家已发货", "等待买家确认", "等待买家确认收货", "等待买家收货",
        "等待确认收货", "已发货", "已发货,待签收", "已发货,待收货", "待收货", "待签收", "运输中", "已出库",
    ),
    OrderStatus.FINISHED: ("交易成功", "已完成", "已收货", "已签收", "交易完成", "完成"),
    OrderStatus.CLOSED: (
        "交易关闭", "已取消", "订单关闭", "已关闭", "(删除)等待出库", "取消", "交易失败", "被合并", "被拆分",
    ),
    OrderStatus.REFUNDED: ("退款成功", "已退款"),
    OrderStatus.REFUNDING: ("退款中", "退货退款", "售后中", "部分退款中"),
}  # fmt: skip
"""The words of §3 first, then those the same back offices are known to use besides (confidence C)."""

_REFUND_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    OrderStatus.REFUNDED: ("退款成功", "已退款", "全部退款", "退款完成"),
    OrderStatus.REFUNDING: ("退款中", "退货退款", "售后中", "退款处理中"),
    _AS_IT_LOOKS: (
        "部分退款", "无售后或售后取消", "没有申请退款", "无退款申请", "无售后", "未申请退款", "退款关闭",
        "售后取消", "售后关闭", "未退款",
    ),
}  # fmt: skip


def _key(word: str) -> str:
    """NFKC makes full-width commas and brackets plain; blanks do not count."""
    return "".join(unicodedata.normalize("NFKC", word).split()).lower()


def _by_word(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    own = {status.value: status.value for status in OrderStatus}
    return own | {_key(word): meaning for meaning, words in table.items() for word in words}


_ORDER: Final = _by_word(_ORDER_WORDS)
_REFUND: Final = _by_word(_REFUND_WORDS)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order stands; `status` is None while it is not paid. `unknown` are words in no table."""

    status: OrderStatus | None
    unknown: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def standing(order_word: str, refund_word: str, *, shipped: bool) -> Standing:
    """Read the two columns together. `shipped`: the row has a waybill."""
    unknown = []
    said = _ORDER.get(_key(order_word)) if order_word else _AS_IT_LOOKS
    if said is None:
        unknown.append(order_word)
        said = _AS_IT_LOOKS
    refund = _REFUND.get(_key(refund_word)) if refund_word else _AS_IT_LOOKS
    if refund is None:
        unknown.append(refund_word)
    if said == _UNPAID:
        return Standing(None, tuple(unknown))
    looks = OrderStatus.SHIPPED if shipped else OrderStatus.AWAITING
    status = looks if said == _AS_IT_LOOKS else OrderStatus(said)
    if refund in (OrderStatus.REFUNDED, OrderStatus.REFUNDING) and status is not OrderStatus.CLOSED:
        status = max(status, OrderStatus(refund), key=lambda known: known.rank)
    return Standing(status, tuple(unknown))
