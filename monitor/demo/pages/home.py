"""The first page: how things stand, the tickets, and the groups as their members see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from domain.findings import Stage
from domain.time import SHANGHAI
from monitor.demo.inbox import Received
from monitor.demo.pages.board import Board, Item, Section, Source
from monitor.demo.pages.chat import GROUPS, Group, bubble
from monitor.demo.pages.nodes import Child, Node, el
from monitor.demo.pages.words import Words

__all__ = ["cards", "chat", "data", "simulated", "tickets", "what"]

_SHOWN: Final[Mapping[Section, int]] = {Section.BREACH: 9, Section.WARNING: 9, Section.OVER: 5}


def simulated(now: datetime, started_at: datetime, speed: float, words: Words) -> list[Child]:
    """The line that says which time it is here."""
    gone = words.length(now - started_at)
    pace = words.length(timedelta(seconds=speed)) if speed >= 1 else ""
    return [
        el("strong", now.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"), class_="time"),
        el(
            "span",
            words.say(
                f"模拟时间，每秒走 {pace}；已走 {gone}", f"simulated time, {pace} a second; {gone} so far"
            ),
        ),
    ]


# ── now ──────────────────────────────────────────────────────────────────────────────────────────


def cards(board: Board, words: Words) -> list[Child]:
    """Counts by stage, parcels watched, sources, messages."""
    say = words.say
    sections = {section: len(board.section(section)) for section in Section}
    watched, done = board.parcels.get("watched", 0), board.parcels.get("done", 0)
    sent, waiting = board.messages.get("sent", 0), _unsent(board)
    folded, dead = board.messages.get("folded", 0), board.messages.get("dead", 0)
    return [
        _card(
            "breach",
            sections[Section.BREACH],
            say("已超时", "over the limit"),
            say("超出平台时限", "a platform's limit is broken"),
        ),
        _card(
            "warning",
            sections[Section.WARNING],
            say("预警中", "warned"),
            say("还来得及处理", "still time to act"),
        ),
        _card(
            "over",
            board.over,
            say("已恢复", "recovered"),
            say("包裹动了，自动了结", "moved, closed by itself"),
        ),
        _card(
            "",
            watched,
            say("盯着的包裹", "parcels watched"),
            say(f"另有 {done} 个已走完", f"{done} more are done"),
        ),
        _card(
            "bad" if dead else "",
            sent,
            say("已发消息", "messages sent"),
            say(f"待发 {waiting}，并入汇总 {folded}", f"{waiting} waiting, {folded} in digests")
            + (say(f"，失败 {dead}", f", {dead} failed") if dead else ""),
        ),
        *(_source(source, words) for source in board.sources),
    ]


def _unsent(board: Board) -> int:
    return board.messages.get("waiting", 0) + board.messages.get("sending", 0)


def _card(kind: str, number: int, label: str, note: str) -> Node:
    return el(
        "div",
        el("strong", f"{number:,}"),
        el("span", label),
        el("small", note),
        class_=f"card {kind}".rstrip(),
        key=label,
    )


def _source(source: Source, words: Words) -> Node:
    """A provider account; while it is silent nobody is accused, and the card says so."""
    say = words.say
    down = source.state == "down"
    state = {
        "up": say("数据源正常", "source is up"),
        "degraded": say("数据源不稳", "source is shaky"),
        "down": say("数据源中断", "source is down"),
    }.get(source.state, source.state)
    note = (
        say(
            "看不见就不下结论：暂停告警，恢复后先补查",
            "blind, so nobody is accused; asked again once it is back",
        )
        if down
        else say(f"今日查询 {source.asked_today:,} 次", f"asked {source.asked_today:,} times today")
    )
    last = words.clock(source.last_good_at)
    return el(
        "div",
        el("strong", source.name),
        el("span", state),
        el("small", note, say(f"；最后成功 {last}", f"; last answer {last}")),
        class_=f"card source {source.state}",
        key=f"source {source.name}",
    )


# ── tickets ──────────────────────────────────────────────────────────────────────────────────────


def tickets(board: Board, words: Words, only: Section | None = None) -> list[Child]:
    """The tickets by urgency, the newest change first; of `only` one section all of them."""
    sections = [only] if only else list(Section)
    return [_section(board, section, words, whole=only is not None) for section in sections]


def _section(board: Board, section: Section, words: Words, *, whole: bool) -> Node:
    say = words.say
    items = board.section(section)
    shown = items if whole else items[: _SHOWN[section]]
    total = board.over if section is Section.OVER else len(items)
    title = {
        Section.BREACH: say("已超时", "Over the limit"),
        Section.WARNING: say("预警中", "Warned"),
        Section.OVER: say("刚恢复", "Recovered"),
    }[section]
    more = None
    if whole:
        more = el("a", say("返回全部", "back to all"), href=words.link("/"), class_="more")
    elif total > len(shown):
        address = words.link(f"/?section={section.value}")
        more = el("a", say(f"全部 {total} 张", f"all {total}"), href=address, class_="more")
    head = el("h3", title, " ", el("span", str(total), class_="count"), more)
    return el(
        "section",
        head,
        _table(shown, board.at, words) if shown else el("p", say("没有", "none"), class_="empty"),
        class_=f"tickets {section.value}{' whole' if whole else ''}",
        key=section.value,
    )


def _table(items: Iterable[Item], now: datetime, words: Words) -> Node:
    say = words.say
    columns = (
        say("异常", "What"),
        say("时限", "Time"),
        say("运单", "Parcel"),
        say("店铺", "Shop"),
        say("工单", "Ticket"),
    )
    return el(
        "table",
        el("thead", el("tr", [el("th", name, scope="col") for name in columns])),
        el("tbody", [_row(item, now, words) for item in items]),
    )


def _row(item: Item, now: datetime, words: Words) -> Node:
    others = words.say(f"等 {item.others + 1} 项", f"+{item.others}") if item.others else None
    return el(
        "tr",
        el("td", what(item, words), el("small", others, class_="others") if others else None, class_="what"),
        el("td", _time(item, now, words), class_="left"),
        el(
            "td",
            words.carrier(item.carrier),
            " ",
            el("span", item.waybill_no, class_="number"),
            class_="parcel",
        ),
        el("td", item.shop, class_="shop"),
        el(
            "td",
            el("a", item.number, href=words.link(f"/tickets/{item.number}")),
            el("small", words.state(item.state)),
            class_="ticket",
        ),
        key=item.number,
        class_=f"{item.section.value} {item.state.value}",
    )


def what(item: Item, words: Words) -> str:
    """What is wrong, in a word."""
    worst = item.worst
    return words.rule(worst.rule, worst.evidence.get("rule_zh", "")) if worst else "—"


def _time(item: Item, now: datetime, words: Words) -> str:
    """How long is left or over; for trouble that the carrier reports, since when; what ended it."""
    worst = item.worst
    if item.section is Section.OVER:
        return words.say(f"{words.clock(item.updated_at)} 恢复", f"at {words.clock(item.updated_at)}")
    if worst is None:
        return "—"
    if worst.deadline is None:
        return words.say(f"{words.clock(worst.crossed_at)} 上报", f"told {words.clock(worst.crossed_at)}")
    return words.left(worst.deadline, now, proven=worst.stage is Stage.BREACH)


# ── groups ───────────────────────────────────────────────────────────────────────────────────────


def chat(group: Group, messages: Sequence[tuple[int, Received]], base: str, words: Words) -> list[Child]:
    """One group: its name and its messages, the newest first (the style turns them round)."""
    platform = words.say(*GROUPS[group.platform])
    bubbles = [bubble(item, number, base, words) for number, item in messages]
    waiting = el("p", words.say("等待第一条消息…", "waiting for the first message…"), class_="empty")
    return [
        el(
            "h3",
            el("span", platform, class_=f"badge {group.platform}"),
            " ",
            words.say(group.zh, group.en),
            el("small", words.say(group.about_zh, group.about_en)),
        ),
        el("ol", bubbles, class_="talk") if bubbles else waiting,
    ]


# ── for programs ─────────────────────────────────────────────────────────────────────────────────


def data(board: Board, messages: Iterable[tuple[int, Received]], speed: float) -> dict[str, Any]:
    """The page as plain data: what a program wants to know of it."""
    return {
        "simulation": True,
        "now": _iso(board.at),
        "speed": speed,
        "parcels": dict(board.parcels),
        "messages": [{"id": number, **item.plain()} for number, item in messages],
        "outbox": dict(board.messages),
        "sources": [
            {
                "name": each.name,
                "state": each.state,
                "last_good_at": _iso(each.last_good_at),
                "waiting": each.waiting,
            }
            for each in board.sources
        ],
        "tickets": [_item(item) for item in board.items],
    }


def _item(item: Item) -> dict[str, Any]:
    worst = item.worst
    return {
        "number": item.number,
        "state": item.state.value,
        "section": item.section.value,
        "carrier": item.carrier,
        "waybill_no": item.waybill_no,
        "shop": item.shop,
        "opened_at": _iso(item.opened_at),
        "updated_at": _iso(item.updated_at),
        "rule": worst.rule if worst else None,
        "stage": worst.stage.value if worst else None,
        "deadline": _iso(worst.deadline) if worst else None,
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(SHANGHAI).isoformat() if at is not None else None
