"""Carriers under one key: what merchants write, what people read, which number looks like whose.

Our key is the 快递100 code (`zhongtong`, `shunfeng`, …). The table is `facts/carriers-codes.csv`; a code it
does not have passes through, since 快递100 knows many more carriers than we list. Shapes are
observations: a hint for a typing check, never a refusal.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from domain.masking import visible
from domain.numbers import s10_is_valid, shape_hint
from domain.orders import UNNAMED

__all__ = [
    "CARRIERS",
    "NOT_WATCHED",
    "Carrier",
    "canonical",
    "display",
    "listed",
    "nearest",
    "phone_needed",
    "s10_is_valid",
    "shape_hint",
    "watched",
]


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier and all its spellings."""

    key: str
    """快递100's code, and ours."""
    name: str
    """What people read."""
    others: tuple[str, ...] = ()
    """Other Chinese names, the key of the facts table, 快递鸟's code."""


CARRIERS: Final = (
    Carrier("shunfeng", "顺丰速运", ("顺丰", "顺丰快递", "sf")),
    Carrier("shunfengkuaiyun", "顺丰快运", ("sf_freight",)),
    Carrier("zhongtong", "中通快递", ("中通", "zto")),
    Carrier("zhongtongkuaiyun", "中通快运", ("zto_freight",)),
    Carrier("yuantong", "圆通速递", ("圆通", "圆通快递", "yto")),
    Carrier("shentong", "申通快递", ("申通", "sto")),
    Carrier("yunda", "韵达快递", ("韵达", "韵达速递", "yd")),
    Carrier("yundakuaiyun", "韵达快运", ("yunda_freight",)),
    Carrier("jtexpress", "极兔速递", ("极兔", "J&T", "jt", "jtsd", "极兔快递")),
    Carrier("jd", "京东快递", ("京东", "京东物流")),
    Carrier("jingdongkuaiyun", "京东快运", ("jd_freight", "jdky")),
    Carrier("ems", "EMS", ("邮政EMS", "邮政特快专递", "中国邮政EMS", "中国邮政速递物流")),
    Carrier("youzhengguonei", "邮政快递包裹", ("中国邮政", "邮政包裹", "post_parcel", "yzpy")),
    Carrier("youzhengbk", "邮政标准快递", ("post_standard",)),
    Carrier("youzhengdsbk", "邮政电商标快", ("post_ecommerce",)),
    Carrier("debangkuaidi", "德邦快递", ("德邦", "deppon", "dbl")),
    Carrier("debangwuliu", "德邦物流", ("德邦快运", "deppon_freight", "dblky")),
    Carrier("danniao", "菜鸟速递", ("丹鸟",)),
    Carrier("huitongkuaidi", "百世快递", ("汇通", "百世汇通", "best", "htky")),
    Carrier("baishiwuliu", "百世快运", ("best_freight", "btwl")),
    Carrier("zhaijisong", "宅急送", ("zjs",)),
    Carrier("kuayue", "跨越速运", ("跨越", "kye", "kysy")),
    Carrier("suer", "速尔快递", ("速尔", "sure")),
    Carrier("youshuwuliu", "优速快递", ("优速", "uce", "uc")),
    Carrier("annengwuliu", "安能物流", ("ane", "aneky")),
    Carrier("fengwang", "丰网速运", ("丰网", "fwx")),
    Carrier("lianbangkuaidi", "联邦快递", ("fedex_cn",)),
    Carrier("emsguoji", "EMS国际", ("ems_intl",)),
    Carrier("youzhengguoji", "邮政国际", ("post_intl",)),
    # abroad: those that `facts/carriers-international.md` names, under 快递100's codes (public lists of them)
    Carrier("usps", "USPS", ("美国邮政",)),
    Carrier("ups", "UPS"),
    Carrier("fedex", "FedEx"),
    Carrier("dhl", "DHL", ("敦豪",)),
    Carrier("dhlde", "DHL Paket", ("德国DHL",)),
)

NOT_WATCHED: Final = frozenset(
    {"无需物流", "无需快递", "无须物流", "无需发货", "自提", "买家自提", "上门自提", "门店自提", "虚拟发货"}
)
"""What stands in the carrier column of parcels that no carrier takes (`facts/import-formats.md` §4, 23)."""

_PHONE_CHECKED: Final = frozenset({"shunfeng", "shunfengkuaiyun", "zhongtongkuaiyun", "fengwang"})
"""快递100 answers only with a phone's last digits; 丰网 by older texts (`facts/carriers-kuaidi100.md`)."""

_EXPRESS: Final = ("快递", "速递", "速运", "express", "快件")
_FREIGHT: Final = "快运"
_EITHER: Final = ("物流", "logistics")
_COMPANY: Final = re.compile(r"(?:股份)?(?:有限)?(?:责任)?公司$|集团$|\(.*\)$")
_CODE: Final = re.compile(r"[a-z][a-z0-9]{1,30}")
_ANY: Final = frozenset({UNNAMED, "自动识别", "待识别"})
"""Written where somebody else is to say whose the number is."""
_EMPTY: Final = frozenset({"nan", "none", "null", "na"})
"""What spreadsheets write for an empty cell."""


def _folded(text: str) -> str:
    """Half-width, lower case, without blanks: `ＹＴＯ Express ` → `ytoexpress`."""
    return "".join(visible(unicodedata.normalize("NFKC", text)).split()).casefold()


def _stem(name: str) -> tuple[str, str]:
    """A folded name without its trade, and the trade: 圆通速递 → 圆通, 速递."""
    for trade in (*_EXPRESS, _FREIGHT, *_EITHER):
        if len(name) > len(trade) and name.endswith(trade):
            return name.removesuffix(trade), trade
    return name, ""


def _tables() -> tuple[Mapping[str, str], Mapping[str, frozenset[str]]]:
    """Exact spellings, and which carriers share a stem: 顺丰 is the parcel arm and the freight arm."""
    exact: dict[str, str] = {}
    stems: dict[str, set[str]] = defaultdict(set)
    for carrier in CARRIERS:
        for name in (carrier.key, carrier.name, *carrier.others):
            folded = _folded(name)
            if exact.setdefault(folded, carrier.key) != carrier.key:
                raise ValueError(f"{name} names two carriers")
            stems[_stem(folded)[0]].add(carrier.key)
    return exact, {stem: frozenset(keys) for stem, keys in stems.items()}


_EXACT, _STEMS = _tables()
_BY_KEY: Final = {carrier.key: carrier for carrier in CARRIERS}
_FREIGHT_ARMS: Final = frozenset(c.key for c in CARRIERS if _stem(c.name)[1] in (_FREIGHT, "物流"))


def canonical(text: str) -> str | None:
    """Our key of a carrier as merchants write it, or None when it is nobody's name or two carriers'.

    Takes Chinese names with or without their trade, the codes of 快递100 and 快递鸟, any width and case.
    A lower-case code that we do not list is taken for 快递100's.
    快运 is never read as 快递: freight and parcels are different carriers with different numbers.
    """
    folded = _folded(text)
    plain = _COMPANY.sub("", folded)
    if folded in _ANY:
        return UNNAMED
    for name in (folded, plain):
        found = _EXACT.get(name) or _by_stem(name)
        if found is not None:
            return found
    code = unicodedata.normalize("NFKC", text).strip()
    return code if _CODE.fullmatch(code) and code not in _EMPTY else None


def listed(text: str) -> str | None:
    """Our key of a carrier of the table, however it is written; None for any other code or word."""
    key = canonical(text)
    return key if key in _BY_KEY else None


def _by_stem(name: str) -> str | None:
    stem, trade = _stem(name)
    keys = _STEMS.get(stem, frozenset())
    if trade == _FREIGHT:
        keys = keys & _FREIGHT_ARMS
    elif trade in _EXPRESS:
        keys = keys - _FREIGHT_ARMS
    return next(iter(keys)) if len(keys) == 1 else None


def watched(text: str) -> bool:
    """False for what no carrier takes: 无需物流, 自提, 虚拟发货."""
    return _folded(text) not in NOT_WATCHED


def nearest(text: str) -> tuple[str, ...]:
    """Up to three carriers that may have been meant, as people read them, the likeliest first."""
    folded = _folded(text)
    stem, _ = _stem(folded)
    keys = [carrier.key for carrier in CARRIERS if carrier.key in _STEMS.get(stem, frozenset())]
    keys += [_EXACT[name] for name in get_close_matches(folded, _EXACT, n=5, cutoff=0.6)]
    return tuple(dict.fromkeys(display(key) for key in keys))[:3]


def display(key: str) -> str:
    """What people read; a carrier we do not list shows its code."""
    if key == UNNAMED:
        return "待识别"
    return _BY_KEY[key].name if key in _BY_KEY else key


def phone_needed(key: str) -> bool:
    """The carrier answers 快递100 only with the last four digits of sender or receiver."""
    return key in _PHONE_CHECKED
