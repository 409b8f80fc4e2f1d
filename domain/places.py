"""Which place, next place and courier a scan's words name.

Works on text that `reading.normalise` has prepared: half-width punctuation, no phone numbers. The wordings
are those of the samples in `facts/platform-rules.md` §10.1 and of the real scans in `data/`. What is not
recognised stays empty: a missing place costs a line in a message, a wrong one accuses an outlet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.journey import HUB_WORDS

__all__ = ["Places", "find_places"]

_BRACKET: Final = r"[【\[] ?([^【】\[\]]{2,30}?) ?[】\]]"
_BARE: Final = r"((?:(?!的)[一-鿿A-Za-z0-9·]){2,25}?)(?=已|正|的|[^一-鿿A-Za-z0-9·]|$)"
_OFFICE: Final = r"(?:公司|网点|中心|转运场|[部站店点])"

_NEXT: Final = re.compile(
    rf"(?:已在|已装袋|准备|已|正)*(?:发往|送往|下一站点?|下一部门)[: -]*(?:{_BRACKET}|{_BARE})"
)
_UPSTREAM: Final = re.compile(r"上级站点[: ]*\S*")
_NO_PLACE: Final = re.compile(
    r"[*:,。!?/]|签收|本人|代签|代收|驿站|柜|自提|代理点|超市|便利店|兔喜|取[货件]码|^请|您|评价|感谢"
    r"|^[^ ]{2,8}(?:市|省|自治区|自治州|地区)$"
)
"""Brackets also hold cities, people, lockers and advertising."""

_BARE_PLACES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:离开|到达|抵达)[: ]*{_BARE}",  # 快件离开芜湖已发往… · 到达:云南昆明分拨中心
        rf"^([一-鿿]{{2,20}}{_OFFICE}) ?[- ]",  # 湖南长沙转运中心-已发往-… · 余杭良渚服务部 已揽收
        r"已?在 ?([一-鿿]{2,20}?) ?(?:已?签收|完成)",  # 快件已在南京雨花区签收
        rf"^[【\[][^】\]]{{2,8}}[】\]] ?{_BARE}(?:的| ?[-\[(])",  # 【梧州市】龙圩网点-王小明()已揽收
    )
)

_GIVEN: Final = r"(?:(?:(?![员部点站店司哥件])[一-鿿]){1,2}|\*{1,3})"  # 收件员 is no name
_NAME: Final = rf"(?![请正已将开为您我如电联感处上下手负暂揽派投配的])([一-鿿]){_GIVEN}"
_TITLE: Final = r"(?:派[件送](?:员|人)|业务员|快递员|投递员|配送员|揽[件收投]员|收件员|取件人|快递小哥)"
_COURIERS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_TITLE}[是为]?[:, 【\[(]+{_NAME}(?![一-鿿])",  # 派件员 李** · 派送人:王小明
        rf"{_TITLE}{_NAME}(?= ?(?:正在|电话|\(|$))",  # 派件员王小明正在派件
        rf"(?:交给|指定:){_NAME}(?![一-鿿])",  # 快件交给陈**,正在派送途中
        rf"[【\[] ?{_NAME} ?[】\]] ?正在派",  # 【刘**】正在派件
        rf"[】\]] ?的 ?{_NAME}(?=已[收揽])",  # [杭州城南区]的王小明已收件
        rf"- ?{_NAME} ?\([^)]*\) ?已揽",  # 龙圩网点-王小明()已揽收
    )
)
_PERSON: Final = re.compile(r"(?:扫描员|派[件送]员|收件员|业务员|快递员)是? ?[【\[][^】\]]{0,30}[】\]]?")
_HUB_COMPANY: Final = re.compile(r"(?<=[心部场])公司$")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a line plays and who acts; empty where it does not say."""

    hub: str = ""
    outlet: str = ""
    next_stop: str = ""
    courier: str = ""
    """Surname and a star."""


def find_places(text: str) -> Places:
    """The places and the courier in a normalised line."""
    onward = _NEXT.search(text)
    next_stop = _tidy(onward[1] or onward[2]) if onward else ""
    rest = _PERSON.sub(" ", _UPSTREAM.sub(" ", _NEXT.sub(" ", text)))
    node = _node(rest)
    courier = next((f"{found[1]}*" for pattern in _COURIERS if (found := pattern.search(text))), "")
    return Places(*((node, "") if _is_hub(node) else ("", node)), next_stop, courier)


def _node(text: str) -> str:
    """The place a line speaks of: the last bracket that holds one, else a bare name beside a verb."""
    inside = [name for name in re.findall(_BRACKET, text) if not _NO_PLACE.search(name)]
    if inside:
        return _tidy(inside[-1])
    for pattern in _BARE_PLACES:
        found = pattern.search(text)
        if found and not _NO_PLACE.search(found[1]):
            return _tidy(found[1])
    return ""


def _is_hub(name: str) -> bool:
    return any(word in name for word in HUB_WORDS)


def _tidy(name: str) -> str:
    """One name for one place: 圆通 writes 济南转运中心 and 济南转运中心公司 in turn."""
    name = name.strip()
    return _HUB_COMPANY.sub("", name) if _is_hub(name) else name
