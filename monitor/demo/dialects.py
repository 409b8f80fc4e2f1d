"""How DingTalk, WeCom and OneBot read a message body: is it valid, what does it say, whom does it ring.

Pure. Limits and codes: `facts/notifiers-dingtalk.md` §1, `facts/notifiers-wecom.md` §1,
`facts/notifiers-qq.md` §2. Where a code is not documented the nearest documented one stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["DINGTALK_BYTES", "WECOM_BYTES", "Reading", "read_dingtalk", "read_onebot", "read_wecom"]

DINGTALK_BYTES: Final = 20_000
"""Of the whole body."""
WECOM_BYTES: Final[Mapping[str, int]] = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}
"""Of the content, decoded."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the platform makes of a body: `code` 0 is a yes."""

    code: int = 0
    answer: str = "ok"
    title: str = ""
    lines: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    """Whom it rings; `all` is everybody."""
    unrung: tuple[str, ...] = ()
    """Named beside the text but not in it, so nobody hears it (DingTalk markdown)."""
    status: int = 200
    form: str = "text"
    """What the body called its type; OneBot's string form is `cq`."""
    text: str = ""
    """What was said, as it came: `lines` without what only markdown tells apart."""


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _part(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = message.get(name)
    return part if isinstance(part, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


# DingTalk


def read_dingtalk(body: bytes) -> Reading:
    """A group robot's body, after the address and the signature were found right."""
    if len(body) > DINGTALK_BYTES:
        return Reading(460101, "message too long, exceed 20000 bytes")
    message = _object(body)
    if message is None:
        return Reading(40035, "缺少参数 json")
    kind = message.get("msgtype")
    shape = _DINGTALK.get(kind) if isinstance(kind, str) else None
    if shape is None:
        return Reading(400105, "不支持的消息类型")
    title, text = shape(_part(message, str(kind)))
    if not title or not text:
        return Reading(40035, f"缺少参数 {kind}")
    rung, unrung = _dingtalk_mentions(_part(message, "at"), str(kind), text)
    return Reading(
        title=title, lines=_lines(text), mentions=rung, unrung=unrung, form=_drawn_as(str(kind)), text=text
    )


def _drawn_as(kind: str) -> str:
    """Cards hold markdown, the other types plain text."""
    return "markdown" if kind in ("markdown", "actionCard") else "text"


def _ding_text(part: Mapping[str, Any]) -> tuple[str, str]:
    text = str(part.get("content", ""))
    return next(iter(_lines(text)), ""), text


def _ding_markdown(part: Mapping[str, Any]) -> tuple[str, str]:
    return str(part.get("title", "")), str(part.get("text", ""))


def _ding_link(part: Mapping[str, Any]) -> tuple[str, str]:
    return str(part.get("title", "")), "\n".join(str(part.get(name, "")) for name in ("text", "messageUrl"))


def _ding_card(part: Mapping[str, Any]) -> tuple[str, str]:
    buttons = part.get("btns") or [{"title": part.get("singleTitle"), "actionURL": part.get("singleURL")}]
    shown = [f"[{button.get('title')}]({button.get('actionURL')})" for button in buttons]
    return str(part.get("title", "")), "\n".join([str(part.get("text", "")), *shown])


def _ding_feed(part: Mapping[str, Any]) -> tuple[str, str]:
    links = [f"[{link.get('title')}]({link.get('messageURL')})" for link in part.get("links") or ()]
    return next(iter(links), ""), "\n".join(links)


_DINGTALK: Final[Mapping[str, Callable[[Mapping[str, Any]], tuple[str, str]]]] = {
    "text": _ding_text,
    "markdown": _ding_markdown,
    "link": _ding_link,
    "actionCard": _ding_card,
    "feedCard": _ding_feed,
}


def _dingtalk_mentions(
    at: Mapping[str, Any], kind: str, text: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """§1.4: markdown and cards ring only those whose `@…` stands in the text; links and feeds ring nobody."""
    named = _texts(at.get("atMobiles")) + _texts(at.get("atUserIds"))
    if kind in ("link", "feedCard"):
        return (), named
    rung = tuple(who for who in named if kind == "text" or f"@{who}" in text)
    everybody = ("all",) if at.get("isAtAll") is True else ()
    return everybody + rung, tuple(who for who in named if who not in rung)


# WeCom

_USER: Final = re.compile(r"<@([^<>]{1,64})>")


def read_wecom(body: bytes) -> Reading:
    """A group robot's body, after the key was found right."""
    message = _object(body)
    if message is None:
        return Reading(47001, "data format error")
    kind = message.get("msgtype")
    if kind == "template_card":
        return _wecom_card(_part(message, "template_card"))
    if kind == "news":
        return _wecom_news(_part(message, "news"))
    if kind not in WECOM_BYTES:
        return Reading(40008, "invalid message type")
    part = _part(message, str(kind))
    text = str(part.get("content", ""))
    if not text:
        return Reading(44004, "empty content")
    most = WECOM_BYTES[str(kind)]
    if len(text.encode()) > most:
        return Reading(40058, f"{kind}.content exceed max length {most}. invalid Request Parameter")
    lines = _lines(text)
    mentions = _wecom_mentions(part, str(kind), text)
    return Reading(title=next(iter(lines), ""), lines=lines, mentions=mentions, form=str(kind), text=text)


def _wecom_mentions(part: Mapping[str, Any], kind: str, text: str) -> tuple[str, ...]:
    """§1.3: lists and `<@…>` in a text, `<@…>` in markdown, nobody in markdown_v2. `<@all>` rings no one."""
    if kind == "markdown_v2":
        return ()
    inside = tuple(who for who in _USER.findall(text) if who != "all")
    if kind == "markdown":
        return inside
    listed = _texts(part.get("mentioned_list")) + _texts(part.get("mentioned_mobile_list"))
    return tuple("all" if who == "@all" else who for who in listed) + inside


def _wecom_card(card: Mapping[str, Any]) -> Reading:
    title = str(_part(card, "main_title").get("title", ""))
    under = str(card.get("sub_title_text", ""))
    if not card.get("card_action"):
        return Reading(40058, "template_card.card_action missing. invalid Request Parameter")
    if not title and not under:
        return Reading(41016, "title missing")
    rows = [f"{row.get('keyname')}：{row.get('value')}" for row in card.get("horizontal_content_list") or ()]
    return Reading(title=title or under, lines=_lines("\n".join([under, *rows])))


def _wecom_news(news: Mapping[str, Any]) -> Reading:
    articles = news.get("articles") or []
    if not articles:
        return Reading(44004, "empty content")
    if len(articles) > 8:
        return Reading(45008, "article count exceed limit")
    titles = tuple(str(article.get("title", "")) for article in articles)
    return Reading(title=titles[0], lines=titles)


# OneBot v11

_CQ_AT: Final = re.compile(r"\[CQ:at,qq=([^\],]+)[^\]]*\]")


def read_onebot(body: bytes, groups: frozenset[str]) -> Reading:
    """The parameters of `send_group_msg`, for an account that is in `groups` (none given: in all)."""
    params = _object(body)
    if params is None:
        return Reading(1400, "bad request", status=400)
    message, group = params.get("message"), str(params.get("group_id", ""))
    if not group.isdecimal() or not message:
        return Reading(100, "参数错误")
    if groups and group not in groups:
        return Reading(200, "群不存在或不在群内")
    if isinstance(message, list):
        return _segments(message)
    text = str(message)
    rung = () if params.get("auto_escape") is True else tuple(_CQ_AT.findall(text))
    lines, form = _lines(text), "text" if params.get("auto_escape") is True else "cq"
    return Reading(title=next(iter(lines), ""), lines=lines, mentions=rung, form=form, text=text)


def _segments(message: list[Any]) -> Reading:
    """The array form: nothing in a text segment is special."""
    text, rung = "", []
    for segment in message:
        data = _part(segment, "data") if isinstance(segment, dict) else {}
        match segment.get("type") if isinstance(segment, dict) else None:
            case "text":
                text += str(data.get("text", ""))
            case "at":
                rung.append(str(data.get("qq", "")))
            case "image" | "reply" | "face":
                continue
            case _:
                return Reading(100, "消息段类型错误")
    lines = _lines(text)
    return Reading(title=next(iter(lines), ""), lines=lines, mentions=tuple(rung), text=text)
