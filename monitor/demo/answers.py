"""The bodies 快递100 answers with: rows in the detail asked for, errors, and the older shape of "no such number".

Shapes are those of `facts/samples/kuaidi100`; the wording of 504 is not documented and invented here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from domain.time import SHANGHAI
from monitor.demo.places import CITIES
from monitor.demo.scans import STATUS_ZH, Row

__all__ = ["SIGNED", "error", "foreign", "old_style", "overdue", "reply"]

UNKNOWN_COMPANY: Final = "找不到对应公司"
_ERRORS: Final[Mapping[str, str]] = {
    "400": "提交的数据不完整，或者贵公司没授权",
    "408": "快递公司参数异常：验证码错误",
    "500": "查询无结果，请隔段时间再查",
    "501": "服务器错误",
    "502": "服务器繁忙，请稍后再试",
    "503": "验证签名失败",
    "504": "查询过于频繁，请稍后再试",
    "601": "KEY已过期",
}
SIGNED: Final = frozenset({"3", "301", "302", "303", "304", "4"})
_BASIC: Final[Mapping[str, str]] = {
    **dict.fromkeys(("101", "102", "103"), "1"),
    **dict.fromkeys(("1001", "1002", "1003"), "0"),
    **dict.fromkeys(("301", "302", "303", "304"), "3"),
    **dict.fromkeys((str(code) for code in range(201, 211)), "2"),
    "501": "5",
    "401": "4",
}
_OVERDUE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("0", "1", "103", "1001", "1002"), "202"),
    "5": "201",
    "501": "205",
}


def error(code: str, message: str = "") -> dict[str, Any]:
    """A refusal; it comes with HTTP 200."""
    return {"result": False, "returnCode": code, "message": message or _ERRORS[code]}


def old_style() -> dict[str, Any]:
    """The shape without a return code (sample `error_old_style_no_result`)."""
    message = "快递公司参数异常：单号不存在或者已经过期"
    nothing = {"nu": "", "ischeck": "0", "condition": "", "com": "", "status": "201", "state": "0"}
    return {"message": message, **nothing, "data": []}


def reply(com: str, num: str, rows: Sequence[Row], param: Mapping[str, Any]) -> dict[str, Any]:
    """The answer for `rows`, newest first and not empty, in the detail and order `param` asks for."""
    level = _level(param)
    newest = rows[0].code if level >= 4 else _BASIC.get(rows[0].code, rows[0].code)
    data = [_line(row, level) for row in rows]
    body: dict[str, Any] = {
        "message": "ok",
        "nu": num,
        "ischeck": "1" if newest in SIGNED else "0",
        "com": com,
        "status": "200",
        "data": data[::-1] if param.get("order") == "asc" else data,
        "state": newest,
        "condition": "F00" if newest in SIGNED else "00",
    }
    if level >= 4:
        body |= {"routeInfo": _route(rows), "isLoop": False}
    return body


def overdue(rows: Sequence[Row], at: datetime, after: timedelta | None) -> Sequence[Row]:
    """The aggregator's own clock: its code on the newest row when that is old (sample `reply_advanced_stale`)."""
    newest, *others = rows
    code = _OVERDUE.get(newest.code)
    if code is None or after is None or at - newest.at <= after:
        return rows
    return [Row(newest.at, newest.text, code, newest.city), *others]


def foreign(at: datetime) -> list[Row]:
    """Somebody else's parcel: rows that share no moment with anybody's."""
    there, start = CITIES["拉萨"], (at - timedelta(days=40)).replace(microsecond=0)
    said = [
        ("【拉萨市】快件已揽收", "103"),
        ("快件离开【拉萨转运中心】已发往【西宁转运中心】", "1002"),
        ("包裹已签收!签收人是【本人签收】", "301"),
    ]
    rows = [Row(start + timedelta(hours=31 * n), text, code, there) for n, (text, code) in enumerate(said)]
    return rows[::-1]


def _level(param: Mapping[str, Any]) -> int:
    """`resultv2`; what is no number switches it off."""
    text = str(param.get("resultv2") or "0")
    return int(text) if text.isdecimal() else 0


def _line(row: Row, level: int) -> dict[str, Any]:
    time = row.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    line: dict[str, Any] = {"time": time, "context": row.text, "ftime": time}
    if level >= 1:
        code = row.code if level >= 4 else _BASIC.get(row.code, row.code)
        line["areaCode"] = f"CN{row.city.code}000000" if row.city else None
        line["areaName"] = row.city.area if row.city else None
        line["status"] = STATUS_ZH.get(code, "在途")
    if level >= 4:
        line["location"] = ""
        line["areaCenter"] = f"{row.city.lng:.6f},{row.city.lat:.6f}" if row.city else None
        line["areaPinYin"] = row.city.pinyin if row.city else None
        line["statusCode"] = row.code
    return line


def _route(rows: Sequence[Row]) -> dict[str, Any]:
    """Where it came from and where it is; the destination is left out, as any part may be."""
    places = [row.city for row in rows if row.city]
    named = {"from": places[-1], "cur": places[0]} if places else {}
    return {name: {"number": f"CN{city.code}000000", "name": city.area} for name, city in named.items()}
