"""A ticket: how much time is left, why, the clocks on their lines, the parcel's history, who was told, what was done.

Drawn whole by the server, without any script: it is opened from a chat on a phone. What a person does is a form
with the version the page was drawn from; where somebody was faster the page says who did what meanwhile and keeps
what was typed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from domain.findings import FindingState
from domain.tickets import EntryKind, TicketState
from monitor.desk.voice import Voice
from monitor.desk.why import Ground, Sentence, opening, why
from monitor.store import tickets
from monitor.store.ticket_page import Detail, Entry, TicketFinding
from monitor.web.parts import (
    Clocks,
    Scan,
    clocks_of,
    language_query,
    scans_of,
    shared,
    voice_of,
)
from monitor.web.render import context_of, page, view_of
from monitor.web.timeline import TimeLine
from rules.judge import judge
from rules.policy import Line, Policy, PolicyBook

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

LONGEST: Final = 4000
"""Characters of what a person writes on a ticket."""
_SHOWN: Final = 40
"""Scans, messages and entries at first; all of them on request."""
_NO_TICKET: Final = "没有这张工单。工单号形如 T-20261122-0031；也可以在工单列表里按运单号或订单号查找。"
_MOVES: Final = {
    "ack": TicketState.ACKNOWLEDGED,
    "resolve": TicketState.RESOLVED,
    "reopen": TicketState.OPEN,
}
_COUNTED: Final = frozenset(
    {EntryKind.ACKNOWLEDGED, EntryKind.RESOLVED, EntryKind.REOPENED, EntryKind.CLOSED}
)
"""Each of these made the ticket's version grow by one."""


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding of the ticket, explained."""

    found: TicketFinding
    sentences: tuple[Sentence, ...]
    line: Line | None = None
    """The policy's line as it holds now; None for a rule that is no more."""

    @property
    def stands(self) -> bool:
        """It has not ended."""
        return self.found.state is FindingState.OPEN

    @property
    def speaks(self) -> bool:
        """It stands, somebody is to be told of it, and no worse one speaks for it."""
        return self.stands and self.found.finding.notify and not self.found.silenced_by


@dataclass(frozen=True, slots=True)
class Look:
    """Everything the page shows of the ticket."""

    detail: Detail
    opening: str
    policy: Policy
    reasons: tuple[Reason, ...]
    """Those that stand first, the worst first."""
    trials: tuple[Reason, ...]
    """The same of rules on trial."""
    clocks: Clocks
    scans: tuple[Scan, ...]

    @property
    def urgent(self) -> TimeLine | None:
        """The running clock of the worst finding that stands."""
        rules = [each.found.finding.rule for each in self.reasons if each.stands]
        running = {line.reading.rule: line for line in self.clocks.running}
        return next((running[rule] for rule in rules if rule in running), None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody tried to do and could not: shown with what was typed."""

    text: str
    trouble: str = ""
    """What to do about it, in the source language."""
    meanwhile: tuple[Entry, ...] = ()
    """What others did since the page was drawn."""


@router.get("/tickets/{number}")
async def show(request: Request, number: str) -> Response:
    """The ticket."""
    return await _answer(request, number)


async def _answer(
    request: Request, number: str, *, status: int = 200, attempt: Attempt | None = None
) -> Response:
    context, voice = context_of(request), voice_of(request)
    detail = await context.db.read(lambda conn: tickets.detail(conn, number))
    if detail is None:
        raise HTTPException(404, _NO_TICKET)
    now = view_of(request).now
    look = look_at(detail, context.settings().book, now, voice, voice.zone)
    return await page(
        request,
        "ticket.html",
        status=status,
        look=look,
        attempt=attempt,
        most=1_000_000 if request.query_params.get("all") == "1" else _SHOWN,
        longest=LONGEST,
        **shared(request, look.clocks.names),
    )


def look_at(detail: Detail, book: PolicyBook, now: datetime, voice: Voice, zone: ZoneInfo) -> Look:
    """The ticket with its clocks as they read now, by the rules the watch uses (L3)."""
    case = detail.parcel.case
    policy = book.policy_for(case)
    verdict = judge(case, policy, now)
    clocks = clocks_of(verdict, policy, case, detail.events, now, zone)

    def explained(some: Iterable[TicketFinding]) -> tuple[Reason, ...]:
        reasons = [_reason(found, detail, policy, clocks, now, voice) for found in some]
        return tuple(sorted(reasons, key=_order))

    return Look(
        detail,
        opening(case, voice),
        policy,
        explained(detail.findings),
        explained(detail.trials),
        clocks,
        scans_of(detail.events),
    )


def _order(reason: Reason) -> tuple[bool, bool, int, int]:
    return not reason.stands, not reason.speaks, -reason.found.finding.severity, -reason.found.id


def _reason(
    found: TicketFinding, detail: Detail, policy: Policy, clocks: Clocks, now: datetime, voice: Voice
) -> Reason:
    rule = found.finding.rule
    drawn, line = clocks.line(rule), policy.line(rule)
    ground = Ground(
        found.finding,
        detail.parcel.case,
        detail.events,
        line,
        drawn.proven if drawn is not None else None,
        detail.parcel.provider,
        found.state,
        found.ended_at,
        found.ended_by,
    )
    return Reason(found, why(ground, now, voice), line)


# ── acting ───────────────────────────────────────────────────────────────────────────────────────


@router.post("/tickets/{number}/{verb}")
async def act(
    request: Request,
    number: str,
    verb: str,
    version: Annotated[int, Form()],
    text: Annotated[str, Form()] = "",
) -> Response:
    """Acknowledge, comment, resolve or reopen; back to the ticket, or the ticket with why it was not done."""
    if verb != "comment" and verb not in _MOVES:
        raise HTTPException(404)
    said = "\n".join(text.splitlines()).strip()
    if trouble := _unfit(verb, said):
        return await _answer(request, number, status=422, attempt=Attempt(said, trouble))
    context = context_of(request)
    now, who = context.now(), context.who
    try:
        attempt = await context.db.write(lambda conn: _done(conn, number, verb, version, said, now, who))
    except tickets.NotAllowed as refused:
        return await _answer(request, number, status=409, attempt=Attempt(said, str(refused)))
    if attempt is not None:
        return await _answer(request, number, status=409, attempt=attempt)
    return RedirectResponse(f"/tickets/{number}{language_query(request)}", 303)


def _unfit(verb: str, said: str) -> str:
    """What is wrong with what was typed, or nothing."""
    if verb == "comment" and not said:
        return "留言是空的：写一句再提交，比如打给了谁、对方怎么说。"
    return "写得太长了，最多 4000 个字。请删短一些再提交。" if len(said) > LONGEST else ""


def _done(
    conn: Connection, number: str, verb: str, version: int, said: str, now: datetime, who: str
) -> Attempt | None:
    """Do it, or tell what others did since `version`. Raises `NotAllowed` for a step the ticket cannot take."""
    ticket = tickets.by_number(conn, number)
    if ticket is None:
        raise HTTPException(404, _NO_TICKET)
    if version != ticket.version:
        return Attempt(said, meanwhile=_since(conn, number, ticket.version - version))
    if verb == "comment":
        tickets.entry(conn, ticket.id, now, EntryKind.COMMENT, author=who, text=said)
    else:
        tickets.move(conn, ticket.id, to=_MOVES[verb], version=version, at=now, by=who, text=said)
    return None


def _since(conn: Connection, number: str, moves: int) -> tuple[Entry, ...]:
    """The entries from the first of the last so many moves on."""
    detail = tickets.detail(conn, number)
    assert detail is not None
    places = [n for n, entry in enumerate(detail.entries) if entry.kind in _COUNTED]
    if moves <= 0 or not places:
        return ()
    return detail.entries[places[-moves] if moves <= len(places) else places[0] :]
