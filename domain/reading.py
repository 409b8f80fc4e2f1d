"""Reading what a carrier wrote: milestone, trouble, motion and places from one line of free text.

The tables are in `patterns`, the places in `places`. Text from outside is hostile: only its first part is
read, and every pattern looks a bounded distance ahead, so that no text can hang the reader.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from domain.masking import mask_phones, visible
from domain.patterns import DELIVERED_KINDS, EXCEPTIONS, MILESTONES
from domain.places import find_places
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, Motion

__all__ = ["Reading", "delivered_kind", "normalise", "read"]

_READ_AT_MOST: Final = 1000
"""Characters. The longest line in the samples and the real scans has about 120."""

_PHONES: Final = re.compile(
    r"1[\d*]{2}[ -]?[\d*]{4}[ -]?[\d*]{4}|\(?0\d{2,3}\)?[- ]?[\d*]{7,8}|95\d{3}(?!\d)"
)
_COURTESY: Final = re.compile(
    r"感谢您?(?:使用|选择)[^,。!]{0,20}(?:[,。!]? ?期待再次为您服务)?|期待再次为您服务"
    r"|(?:[可在到]|登录)?官网.{0,30}查看签收人信息|查看签收(?:人信息|图|底单)"
)
"""Lines after the news; "在官网…可查看签收人信息" is no signature (§10, pitfalls)."""
_FORECAST: Final = re.compile(
    r"(?:预计|预估|将于)[^,。;!]{0,30}?(?:送达|到达|抵达|到货|派送|派件|送货上门|签收|妥投)[^,。;!]{0,6}"
    r"|\b(?:estimated|expected|scheduled)\b[^,.;]{0,40}\b(?:deliver|arriv)[a-z]*[^,.;]{0,40}"
)
"""A clause about the future: no milestone is read from it (§10, pitfalls)."""

_TRANSIT: Final = frozenset(
    {
        Milestone.IN_TRANSIT,
        Milestone.IMPORT_CUSTOMS,
        Milestone.AT_DELIVERY_STATION,
        Milestone.RETURNING,
    }
)
_MOTIONS: Final = (
    # 准备发往 is still inside; 发往: with nothing behind it is 韵达's empty column
    (
        Motion.DEPARTED,
        re.compile(
            r"离开|已发出|(?<!准备)发往[: -]*[^ ,。;:-]|装车扫描|已装车|发车|起飞|已封发|封车|已装袋"
            r"|depart|\bleft (?:the )?(?:facility|hub|origin|warehouse)|dispatched from"
        ),
    ),
    (
        Motion.ARRIVED,
        re.compile(
            r"(?<!即将)(?<!尚未)到达|抵达|^到|已收入|卸车|到件|入库|进入分拨|arriv|processed (?:through|at)"
        ),
    ),
    (Motion.DEPARTED, re.compile(r"下一站|下一部门")),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one line says. `UNKNOWN` where nobody knows: nothing is guessed into "in transit" (L7)."""

    milestone: Milestone = Milestone.UNKNOWN
    exceptions: frozenset[ExceptionKind] = frozenset()
    delivered_kind: DeliveredKind | None = None
    motion: Motion | None = None
    hub: str = ""
    outlet: str = ""
    courier: str = ""
    next_stop: str = ""
    forecast: bool = False
    """Speaks of nothing but the future."""

    @property
    def silent(self) -> bool:
        """Nothing could be read: neither progress, nor trouble, nor a forecast."""
        return self.milestone is Milestone.UNKNOWN and not self.exceptions and not self.forecast


def normalise(text: str) -> str:
    """Half-width, single blanks; phone numbers and courtesy gone; at most `_READ_AT_MOST` characters."""
    plain = visible(unicodedata.normalize("NFKC", visible(text[:_READ_AT_MOST])))[:_READ_AT_MOST]
    return " ".join(_COURTESY.sub(" ", _PHONES.sub(" ", mask_phones(plain))).split())


def read(text: str) -> Reading:
    """What a carrier's line means by the patterns of `facts/platform-rules.md` §10. Never raises.

    Masked and unmasked phones read the same. Cached, because every look repeats the whole list.
    """
    return _read(text[:_READ_AT_MOST])


@lru_cache(maxsize=16_384)
def _read(text: str) -> Reading:
    plain = normalise(text)
    if not plain:
        return Reading()
    words = plain.lower()
    now = _FORECAST.sub(" ", words).strip()
    meaning = next((means for means, pattern in MILESTONES if pattern.search(now)), Milestone.UNKNOWN)
    exceptions = frozenset(kind for kind, pattern in EXCEPTIONS if pattern.search(words))
    if isinstance(meaning, ExceptionKind):
        exceptions, meaning = exceptions | {meaning}, Milestone.UNKNOWN
    places = find_places(plain)
    return Reading(
        milestone=meaning,
        exceptions=exceptions,
        delivered_kind=_kind(words) if meaning is Milestone.DELIVERED else None,
        motion=_motion(now) if meaning in _TRANSIT else None,
        hub=places.hub,
        outlet=places.outlet,
        courier=places.courier,
        next_stop=places.next_stop,
        forecast=meaning is Milestone.UNKNOWN and now != words,
    )


def delivered_kind(text: str) -> DeliveredKind | None:
    """Who or what took the parcel, of a line known to be a signature."""
    return _kind(normalise(text).lower())


def _kind(words: str) -> DeliveredKind | None:
    return next((kind for kind, pattern in DELIVERED_KINDS if pattern.search(words)), None)


def _motion(words: str) -> Motion | None:
    return next((motion for motion, pattern in _MOTIONS if pattern.search(words)), None)
