"""One ticket's page: the order, the clocks on their time lines, the scans, the history, what was said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain.findings import FindingState, Stage
from domain.history import Stored
from domain.orders import Case, Order
from domain.tickets import EntryKind, TicketState
from domain.tracking import EXCEPTION_ZH
from monitor.demo.pages.clocks import clocks
from monitor.demo.pages.nodes import Child, Node, el
from monitor.demo.pages.words import Words
from monitor.store.ticket_page import Detail, Entry, Said, TicketFinding

__all__ = ["actions", "facts", "head", "history", "said", "scans", "times"]

_ENTRIES: Final = {
    EntryKind.OPENED: ("开单", "opened"),
    EntryKind.FINDING: ("异常", "finding"),
    EntryKind.CLEARED: ("异常结束", "finding over"),
    EntryKind.SCAN: ("新轨迹", "new scan"),
    EntryKind.MESSAGE: ("消息", "message"),
    EntryKind.COMMENT: ("留言", "comment"),
    EntryKind.ACKNOWLEDGED: ("认领", "acknowledged"),
    EntryKind.RESOLVED: ("解决", "resolved"),
    EntryKind.REOPENED: ("重新打开", "reopened"),
    EntryKind.CLOSED: ("关闭", "closed"),
}
_SAID: Final = {
    "waiting": ("待发", "waiting"),
    "sending": ("发送中", "being sent"),
    "sent": ("已送达", "delivered"),
    "folded": ("并入汇总", "told in a digest"),
    "dropped": ("未发：已恢复", "not sent: recovered"),
    "dead": ("未送达", "not delivered"),
}
_PLATFORMS: Final = {
    "taobao_tmall": ("淘宝/天猫", "Taobao/Tmall"),
    "pinduoduo": ("拼多多", "Pinduoduo"),
}


def head(detail: Detail, script: str, words: Words) -> list[Child]:
    """What it is about and where it stands, readable alone."""
    say, ticket = words.say, detail.ticket
    standing = [each for each in detail.findings if each.state is FindingState.OPEN]
    worst = max(
        standing, key=lambda each: (each.finding.stage is Stage.BREACH, each.finding.severity), default=None
    )
    waybill = detail.parcel.case.waybill
    return [
        el(
            "h2",
            _badge(worst, words)
            if ticket.state.live
            else el("span", say("已恢复", "recovered"), class_="badge over"),
            " ",
            words.carrier(waybill.carrier),
            " ",
            el("span", waybill.waybill_no, class_="number"),
        ),
        el(
            "p",
            say("、", ", ").join(_names(standing, words)) or ticket.resolution or ticket.summary,
            class_="lead",
        ),
        el(
            "p",
            el("span", ticket.number, class_="number"),
            f" · {words.state(ticket.state)}",
            f" · {say('开单', 'opened')} {words.clock(ticket.opened_at)}",
            f" · {_seen(detail.parcel.case, words)}",
            class_="quiet",
        ),
        el(
            "p",
            say("模拟剧本：", "The script of this parcel: "),
            el("strong", words.kind(script)),
            class_="script",
        )
        if script
        else None,
    ]


def _names(found: Sequence[TicketFinding], words: Words) -> list[str]:
    return [words.rule(each.finding.rule, each.finding.evidence.get("rule_zh", "")) for each in found]


def _badge(worst: TicketFinding | None, words: Words) -> Node | None:
    if worst is None:
        return None
    if worst.finding.stage is Stage.BREACH:
        return el("span", words.say("已超时", "over the limit"), class_="badge breach")
    return el("span", words.say("预警", "warned"), class_="badge warning")


def _seen(case: Case, words: Words) -> str:
    seen = words.clock(case.observed_at) if case.observed_at else words.say("尚未", "never")
    return words.say(f"承运商动态已核实到 {seen}", f"the carrier was looked at up to {seen}")


# ── the order ────────────────────────────────────────────────────────────────────────────────────


def facts(detail: Detail, words: Words) -> list[Child]:
    """The order and where the parcel is."""
    say, case = words.say, detail.parcel.case
    order, journey = case.order, case.journey
    stop = journey.node + (f" → {journey.next_stop}" if journey.next_stop else "")
    rows = [
        (say("订单", "Order"), order.order_no),
        (say("店铺", "Shop"), " · ".join(filter(None, (_platform(order, words), order.shop)))),
        (say("付款", "Paid"), words.clock(order.paid_at)),
        (say("发货", "Shipped"), words.clock(order.shipped_at)),
        (say("承诺发货", "Promised"), words.clock(order.promised_ship_at) if order.promised_ship_at else ""),
        (say("金额", "Amount"), f"¥ {order.amount:.2f}" if order.amount is not None else ""),
        (say("收货", "To"), f"{order.receiver_province} {order.receiver_city}".strip()),
        (say("发自", "From"), " · ".join(filter(None, (order.warehouse, order.goods_type)))),
        (say("进度", "State"), words.milestone(journey.milestone)),
        (say("位置", "Place"), stop),
        (say("业务员", "Courier"), journey.courier),
    ]
    return [el("div", el("dt", label), el("dd", value), key=label) for label, value in rows if value]


def _platform(order: Order, words: Words) -> str:
    return words.say(*_PLATFORMS.get(order.platform, (order.platform, order.platform)))


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────


def times(detail: Detail, now: datetime, words: Words) -> list[Child]:
    """Every clock: those that run, then those that ended; the others are folded away."""
    return clocks(detail.clocks, detail.parcel.case.observed_at, now, words)


# ── scans ────────────────────────────────────────────────────────────────────────────────────────


def scans(detail: Detail, words: Words) -> list[Child]:
    """What the carrier told, the newest first; what came late or was taken back says so."""
    rows = sorted(detail.events, key=lambda row: (row.event.occurred_at, row.seq), reverse=True)
    if not rows:
        none = words.say(
            "承运商还没有任何记录：可能未揽收，也可能承运商选错、缺手机号后四位",
            "The carrier knows nothing of it yet: not picked up, a wrong carrier, or a missing phone tail",
        )
        return [el("li", none, class_="empty", key="none")]
    return [_scan(row, _late(row, rows), words) for row in rows]


def _scan(row: Stored, late: bool, words: Words) -> Node:
    event = row.event
    marks = [words.milestone(event.milestone)]
    marks += [
        words.say(EXCEPTION_ZH[kind], kind.value.replace("_", " ")) for kind in sorted(event.exceptions)
    ]
    note = ""
    if row.withdrawn_at:
        note = words.say(
            f"承运商于 {words.clock(row.withdrawn_at)} 撤回", f"withdrawn {words.clock(row.withdrawn_at)}"
        )
    elif late:
        note = words.say(
            f"补传，{words.clock(row.learned_at)} 才看到", f"back-dated, seen {words.clock(row.learned_at)}"
        )
    text = el("s", event.text) if row.withdrawn_at else event.text
    return el(
        "li",
        el("time", words.clock(event.occurred_at)),
        el("div", el("span", "·".join(marks), class_="mark"), " ", text, el("small", note) if note else None),
        key=f"{event.occurred_at.timestamp():.0f}-{row.seq}",
        class_="scan trouble" if event.exceptions else "scan",
    )


def _late(row: Stored, rows: Sequence[Stored]) -> bool:
    """A younger scan was known before it."""
    return any(
        other.event.occurred_at > row.event.occurred_at and other.learned_at < row.learned_at
        for other in rows
    )


# ── history and messages ─────────────────────────────────────────────────────────────────────────


def history(detail: Detail, words: Words) -> list[Child]:
    """The ticket's entries, the newest first."""
    count = len(detail.entries)
    return [_entry(entry, count - n, words) for n, entry in enumerate(reversed(detail.entries))]


def _entry(entry: Entry, number: int, words: Words) -> Node:
    return el(
        "li",
        el("time", words.clock(entry.at)),
        el(
            "div",
            el("span", words.say(*_ENTRIES[entry.kind]), class_="mark"),
            " ",
            entry.text,
            el("small", entry.author) if entry.author else None,
        ),
        key=f"e{number}",
        class_=f"entry {entry.kind.value}",
    )


def said(detail: Detail, words: Words) -> list[Child]:
    """Who was told what, and what the platform answered."""
    if not detail.messages:
        return [el("li", words.say("还没有消息", "nothing was said yet"), class_="empty", key="none")]
    return [_message(each, words) for each in reversed(detail.messages)]


def _message(each: Said, words: Words) -> Node:
    answers = [f"{words.clock(attempt.at)} {attempt.answer or attempt.outcome}" for attempt in each.attempts]
    return el(
        "li",
        el("time", words.clock(each.sent_at or each.created_at)),
        el(
            "div",
            el(
                "span",
                f"{each.channel} · {words.say(*_SAID.get(each.state, (each.state, each.state)))}",
                class_="mark",
            ),
            " ",
            each.message.title,
            [el("small", words.say("平台回答：", "the platform: "), answer) for answer in answers],
        ),
        key=f"s{each.id}",
        class_=f"said {each.state}",
    )


# ── actions ──────────────────────────────────────────────────────────────────────────────────────


def actions(detail: Detail, words: Words) -> list[Child]:
    """What a person may do with it now, each a form of its own."""
    ticket = detail.ticket
    buttons = []
    if ticket.state is TicketState.OPEN:
        buttons.append(("ack", words.say("认领", "Acknowledge"), ""))
    if ticket.state.live:
        buttons.append(("resolve", words.say("标为已解决", "Resolve"), "quiet"))
    if ticket.state is TicketState.RESOLVED:
        buttons.append(("reopen", words.say("重新打开", "Reopen"), "quiet"))
    return [
        el(
            "form",
            el("input", type="hidden", name="version", value=ticket.version),
            el("button", label, type="submit", class_=kind),
            method="post",
            action=words.link(f"/tickets/{ticket.number}/{verb}"),
            key=verb,
        )
        for verb, label, kind in buttons
    ]
