"""What shops call a kind of order, and the word profiles know it by (`exempt`, `goods`, `when`).

Only what is certain: a word that may mean two kinds stands for none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["KINDS", "tagged"]

_WORDS: Final[Mapping[str, str]] = {
    "presale": "预售 预售商品 预售订单 pre_sale",
    "preorder": "预售 预售商品 预售订单 pre_order",
    "custom": "定制 定制商品 定制订单 custom_made customized customised",
    "cod": "货到付款 cash_on_delivery",
    "bulky": "大件 大件商品",
    "virtual": "虚拟 虚拟商品 虚拟订单",
    "booked_delivery": "预约配送 预约",
    "bonded": "保税 保税仓 保税商品",
    "direct_mail": "直邮 海外直邮",
    "cross_border": "跨境 跨境商品",
    "reship": "补发 补发订单",
    "postal": "邮政",
    "slow_courier": "慢速快递",
}
"""By the profiles' word, what else it is called; a sale ahead is `presale` in China and `preorder` on Shopee."""
KINDS: Final[Mapping[str, frozenset[str]]] = {
    word: frozenset(kind for kind, others in _WORDS.items() if word in (kind, *others.split()))
    for known, names in _WORDS.items()
    for word in (known, *names.split())
}
"""By a shop's word in small letters, the profiles' words for it."""
_JOINED: Final = re.compile(r"[\s-]+")
_SEVERAL: Final = re.compile(r"[\s,，;；、/]+")


def tagged(goods_type: str, tags: frozenset[str]) -> frozenset[str]:
    """The tags as written, and the profiles' words for them and for the goods type; `Pre-Sale` is `pre_sale`."""
    said = (goods_type, *_SEVERAL.split(goods_type), *tags)
    known = (KINDS.get(_JOINED.sub("_", word.strip().lower()), frozenset()) for word in said)
    return tags | frozenset[str]().union(*known) - {goods_type}
