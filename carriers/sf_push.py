"""顺丰's route push (RoutePushService).

Says: up to ten `WaybillRoute`, new rows only, of waybills of the account's own orders: JSON, or a form whose `content`
is XML. Each form has an answer of its own.
Odd:  nothing is signed, so the address holds a key; three of four messages repeat what was said, with another `id`.
Unsure: how long production repeats a push that was not taken.
From: `facts/carriers-sf.md` (RoutePushService).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from xml.parsers import expat

from carriers.push import Delivery, Forged, Push, Receipt, form
from carriers.scans import word
from carriers.sf_track import read_routes
from domain.masking import clean
from domain.orders import Waybill
from domain.remote import Reply, Unreadable
from domain.tracking import Answer

__all__ = ["admitted", "read_push"]

_MOST: Final = 200
"""Rows of one push; they promise ten."""
_JSON: Final = {"content-type": "application/json; charset=utf-8"}
_XML: Final = {"content-type": "text/xml; charset=utf-8"}
_BY_JSON: Final = Receipt(
    Reply(200, '{"return_code":"0000","return_msg":"成功"}'.encode(), _JSON),
    Reply(200, '{"return_code":"1000","return_msg":"系统异常"}'.encode(), _JSON),
)
_BY_XML: Final = Receipt(
    Reply(200, b"<Response service='RoutePushService'><Head>OK</Head></Response>", _XML),
    Reply(
        200,
        "<Response service='RoutePushService'><Head>ERR</Head>"
        "<ERROR code='4001'>系统发生数据错误或运行时异常</ERROR></Response>".encode(),
        _XML,
    ),
)


def admitted(push: Push) -> Receipt:
    """What to answer, by the form it came in. Nothing of the push itself proves where it comes from."""
    return _BY_JSON if _is_json(push) else _BY_XML


def read_push(push: Push) -> Delivery:
    """What a push says, one answer for each waybill. Raises `Unreadable` where no row can be read."""
    rows = _json_rows(push.body) if _is_json(push) else _xml_rows(_content(push))
    if len(rows) > _MOST:
        raise Unreadable(f"顺丰的一次推送有 {len(rows)} 行")
    by_number: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_number.setdefault(clean(word(row, "mailno").strip(), 64), []).append(row)
    answers: list[Answer] = []
    odd: list[str] = []
    for number, its in by_number.items():
        try:
            if not number:
                raise Unreadable("顺丰的推送有一行没有 mailno")
            answer = read_routes(its, Waybill("shunfeng", number))
            answers.append(replace(answer, whole=False, late=True, alone=True))
        except Unreadable as error:
            odd.append(str(error))
    if not answers:
        raise Unreadable(odd[0] if odd else "顺丰的推送没有 WaybillRoute")
    return Delivery(tuple(answers), admitted(push).kept, unreadable=tuple(odd))


def _is_json(push: Push) -> bool:
    return push.body.lstrip()[:1] == b"{"


def _content(push: Push) -> str:
    """The XML, out of its form or bare."""
    if push.body.lstrip()[:1] == b"<":
        return push.body.decode("utf-8", "replace")
    try:
        return form(push).get("content", "")
    except Forged as error:
        raise Unreadable("顺丰的推送既不是 JSON，也不是表单") from error


def _json_rows(body: bytes) -> Sequence[Mapping[str, Any]]:
    said = Reply(200, body).json()
    inner = said.get("Body")
    rows = inner.get("WaybillRoute") if isinstance(inner, dict) else None
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("顺丰的推送没有 WaybillRoute 列表")
    return rows


def _xml_rows(content: str) -> Sequence[Mapping[str, Any]]:
    """The attributes of every `WaybillRoute`. A document that declares a type or an entity is not read at all: that
    is how a few bytes become gigabytes, or another file's contents."""
    rows: list[Mapping[str, Any]] = []

    def started(name: str, attributes: dict[str, str]) -> None:
        if name == "WaybillRoute":
            rows.append(attributes)

    def declared(*_: object) -> int:
        raise Unreadable("顺丰推送的 XML 带有 DOCTYPE 或实体声明")

    parser = expat.ParserCreate()
    parser.StartElementHandler = started
    parser.StartDoctypeDeclHandler = declared
    parser.EntityDeclHandler = declared
    parser.ExternalEntityRefHandler = declared
    try:
        parser.Parse(content, True)
    except expat.ExpatError:
        raise Unreadable("顺丰推送的 XML 读不了") from None
    return rows
