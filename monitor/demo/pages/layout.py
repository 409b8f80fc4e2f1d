"""Where everything stands on a page; the parts that change are named, so that the script can keep them fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final, TypeAlias

from monitor.demo.pages.chat import Group
from monitor.demo.pages.nodes import Child, Node, el, html, plain
from monitor.demo.pages.words import Words

__all__ = ["FILES", "LONGEST", "Parts", "home_main", "ticket_main", "trees", "whole"]

FILES: Final = Path(__file__).parent
LONGEST: Final = 500
"""Characters of a comment."""
_SHELL: Final = Template((FILES / "shell.html").read_text("utf-8"))

Parts: TypeAlias = Mapping[str, Sequence[Child]]
"""What is shown in each named place."""


def trees(parts: Parts) -> dict[str, list[Any]]:
    """The parts for the script."""
    return {
        name: [plain(child) for child in el("div", *children).children] for name, children in parts.items()
    }


def home_main(parts: Parts, groups: Sequence[Group], words: Words) -> Node:
    """The first page: how things stand, the tickets, the groups."""
    jumps = (("work", words.say("工单", "Tickets")), ("groups", words.say("群消息", "Groups")))
    return el(
        "main",
        el("nav", [el("a", name, href=f"#{place}") for place, name in jumps], class_="jumps"),
        el(
            "section",
            el("h2", words.say("现在", "Now"), class_="unseen-title"),
            _part("now", parts, class_="cards"),
        ),
        el(
            "div",
            el("section", el("h2", words.say("工单", "Tickets")), _part("tickets", parts), id="work"),
            el(
                "section",
                el("h2", words.say("群里看到的", "What the groups see")),
                [_part(f"chat-{each.platform}", parts, class_="group") for each in groups],
                id="groups",
            ),
            class_="columns",
        ),
    )


def ticket_main(parts: Parts, number: str, words: Words) -> Node:
    """A ticket's page."""
    say = words.say
    left = el(
        "div",
        el("section", el("h3", say("时效", "Clocks")), _legend(words), _part("times", parts)),
        el("section", el("h3", say("轨迹", "Scans")), _part("scans", parts, "ol", class_="lines")),
    )
    right = el(
        "div",
        el("section", el("h3", say("订单", "Order")), _part("facts", parts, "dl", class_="facts")),
        el("section", el("h3", say("工单记录", "History")), _part("history", parts, "ol", class_="lines")),
        el("section", el("h3", say("告诉了谁", "Who was told")), _part("said", parts, "ol", class_="lines")),
    )
    return el(
        "main",
        el("nav", el("a", say("← 全部工单", "← all tickets"), href=words.link("/"))),
        _part("head", parts, class_="head"),
        el("section", _part("actions", parts, class_="actions"), _comment(number, words), class_="acts"),
        el("div", left, right, class_="columns even"),
        class_="ticket-page",
    )


def whole(path: str, query: str, title: str, main: Node, parts: Parts, words: Words) -> str:
    """The page as HTML. `path` and `query` are those it was asked for with."""
    header = _header(path, parts, words)
    lost = el("p", id="lost", role="status", hidden=True)
    body = "\n".join(map(html, (header, lost, main, _footer(words))))
    return _SHELL.substitute(
        lang=words.say("zh-CN", "en"),
        title=escape(f"{title} · {words.say('物流异常监控演示', 'parcelwatch demo')}"),
        live=escape(f"{path.rstrip('/')}/live.json" + (f"?{query}" if query else "")),
        lost=escape(words.say("连接中断：演示已停止", "connection lost: the demo has stopped")),
        body=body,
    )


def _header(path: str, parts: Parts, words: Words) -> Node:
    say = words.say
    other = path + say("?lang=en", "")
    return el(
        "header",
        el("h1", el("a", say("物流异常监控", "parcelwatch"), href=words.link("/"))),
        el("span", say("演示 · 全部为模拟", "a demo: everything is simulated"), class_="badge demo"),
        _part("clock", parts, class_="sim"),
        el("a", say("English", "中文"), href=other, class_="language"),
        class_="top",
    )


def _footer(words: Words) -> Node:
    return el(
        "footer",
        words.say(
            "承运商、订单和群都是模拟的；查询、判定、工单、消息走的是真实代码：用真实的客户端按快递100 的协议查询，"
            "向钉钉、企业微信、QQ 机器人发真实格式的消息。",
            "Carriers, orders and groups are simulated; queries, verdicts, tickets and messages are the real "
            "code: the real client speaking 快递100's protocol, the real messages to the three robots.",
        ),
    )


def _comment(number: str, words: Words) -> Node:
    """Outside the live parts: nobody loses what they are writing."""
    return el(
        "form",
        el("label", words.say("留言", "Comment"), el("input", name="text", required=True, maxlength=LONGEST)),
        el("button", words.say("写下", "Add"), type="submit"),
        method="post",
        action=words.link(f"/tickets/{number}/comment"),
        class_="comment",
    )


def _legend(words: Words) -> Node:
    names = (
        ("seen", words.say("已核实的等待", "waiting, verified")),
        ("unseen", words.say("尚未核实", "not yet verified")),
        ("over", words.say("超时", "over the limit")),
        ("step", words.say("预警点", "warning")),
        ("limit", words.say("时限", "limit")),
        ("now", words.say("现在", "now")),
    )
    return el("p", [el("span", name, class_=f"key {kind}") for kind, name in names], class_="legend")


def _part(name: str, parts: Parts, tag: str = "div", class_: str | None = None) -> Node:
    """A place the script keeps fresh."""
    return el(tag, *parts[name], id=name, class_=class_)
