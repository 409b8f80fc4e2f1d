"""What the groups show: a message as its platform draws it, with the platform's answer below.

Of markdown the few forms that the platforms take are drawn (heading, quote, list, bold, link, colour, mention);
everything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from monitor.demo.faults import Fault
from monitor.demo.inbox import Received
from monitor.demo.pages.nodes import Child, Node, el
from monitor.demo.pages.words import Words

__all__ = ["GROUPS", "Group", "bubble", "verdict"]

GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "dingtalk": ("钉钉", "DingTalk"),
    "wecom": ("企业微信", "WeCom"),
    "onebot": ("QQ 群", "QQ group"),
}
"""The platforms in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group of the demo: which robot speaks there, and what it is for."""

    platform: str
    robot: str
    zh: str
    en: str
    about_zh: str
    about_en: str


_INLINE: Final = re.compile(
    r"\[(?P<label>[^\[\]]{1,200})\]\((?P<link>[^()\s]{1,500})\)"
    r"|\*\*(?P<strong>[^*]{1,200})\*\*"
    r'|<font color="(?P<colour>info|comment|warning)">(?P<coloured>[^<]{0,300})</font>'
    r"|<@(?P<user>[^<>\s]{1,64})>"
    r"|(?P<address>https?://[A-Za-z0-9._~:/?#$&+,;=%-]{1,400})"
)
_HEADING: Final = re.compile(r"#{1,6} ")


def bubble(item: Received, number: int, base: str, words: Words) -> Node:
    """One message in its group; `number` is its place in the inbox, `base` the address of this site."""
    lines = [_line(line, base) for line in item.reading.lines]
    in_text = any(line.startswith("@") for line in item.reading.lines)
    rung = "" if in_text else "、".join("@" + _person(who, words) for who in item.reading.mentions)
    return el(
        "li",
        el("div", _robot(item, words), " ", el("time", words.clock(item.at)), class_="who"),
        el("div", lines, el("p", rung, class_="rung") if rung else None, class_="bubble"),
        el("div", verdict(item, words), class_="verdict ok" if item.taken else "verdict bad"),
        key=f"m{number}",
        class_=f"message {item.platform}",
    )


def verdict(item: Received, words: Words) -> str:
    """What the platform said to it, as the sender heard it."""
    if item.fault is not Fault.OK:
        told = words.say("没有回执", "no receipt")
        return (
            f"{words.say('已进群', 'in the group')}，{told}"
            if item.taken
            else f"✕ {told}（{item.fault.value}）"
        )
    code = item.reading.code
    if code == 0:
        said = "status ok" if item.platform == "onebot" else "errcode 0"
        return f"✓ {words.say('平台回答', 'platform says')} {said}"
    return f"✕ {words.say('平台拒绝', 'refused')} {code}：{item.reading.answer}"


def _robot(item: Received, words: Words) -> str:
    return words.say("物流异常监控", "parcelwatch") + (f" · {item.robot}" if item.robot else "")


def _person(who: str, words: Words) -> str:
    """A mobile number is hidden but for its end, as the chat shows a name instead."""
    if who == "all":
        return words.say("所有人", "all")
    return f"{who[:3]}******{who[-2:]}" if who.isdecimal() and len(who) == 11 else who


def _line(text: str, base: str) -> Node:
    if heading := _HEADING.match(text):
        return el("strong", _inline(text[heading.end() :], base), class_="title")
    if text.startswith("> "):
        return el("p", _inline(text[2:], base), class_="quote")
    if text.startswith("- "):
        return el("p", "· ", _inline(text[2:], base), class_="row")
    if text.startswith("@"):
        return el("p", _called(text), class_="rung")
    return el("p", _inline(text, base))


def _called(text: str) -> str:
    """The mentions DingTalk wants repeated in the text, numbers hidden."""
    return re.sub(r"@(1\d{2})\d{6}(\d{2})", r"@\1******\2", text)


def _inline(text: str, base: str) -> list[Child]:
    parts: list[Child] = []
    last = 0
    for found in _INLINE.finditer(text):
        parts += [text[last : found.start()], _form(found, base)]
        last = found.end()
    return [*parts, text[last:]]


def _form(found: re.Match[str], base: str) -> Child:
    if found["link"]:
        return _link(found["label"], found["link"], base)
    if found["address"]:
        return _link(found["address"], found["address"], base)
    if found["strong"]:
        return el("strong", found["strong"])
    if found["user"]:
        return el("span", f"@{found['user']}", class_="rung")
    return el("span", found["coloured"], class_=found["colour"])


def _link(label: str, target: str, base: str) -> Child:
    """A link into this site; one that leads anywhere else stays text."""
    path = target.removeprefix(base) if base and target.startswith(f"{base}/") else ""
    if not path or path.startswith("//"):
        return label if label == target else f"{label}（{target}）"
    return el("a", label, href=path)
