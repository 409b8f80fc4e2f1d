"""`/api/v1/outbox`: who was told what, when, and what the platform answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from domain.messages import MessageKind, Urgency
from monitor.store.outbox import MessageState
from monitor.store.ticket_page import Attempt as Tried
from monitor.store.views import ledger
from monitor.store.views.ledger import MessageFilter, MessageRow
from monitor.web.api.problems import Problem, documented
from monitor.web.api.problems import router as api_router
from monitor.web.api.story import Attempt
from monitor.web.api.values import Asked, Word, Zone, answer, local, shown, zone_of
from monitor.web.context import Context

__all__ = ["Message", "message", "router"]

router = api_router("outbox")
_UNDONE: Final = [MessageState.WAITING, MessageState.SENDING, MessageState.DEAD]


class OutboxQuery(Asked):
    """Which messages: all of these hold, of each parameter any value."""

    state: list[MessageState] = Field(_UNDONE, description="默认是待发、发送中和死信")
    kind: list[MessageKind] = []
    channel: list[Word] = []
    ticket: Word = Field("", description="工单号")


class Message(BaseModel):
    """A message and what became of it: the columns of `outbox --json`, and more."""

    id: int
    channel: str
    ticket: str
    state: MessageState
    attempts: int
    next_try_at: datetime | None
    last_answer: str
    kind: MessageKind
    urgency: Urgency
    title: str
    created_at: datetime
    sent_at: datetime | None
    unknowns: int = Field(description="平台是否收到不明的次数")
    last_outcome: str
    folded_into: int | None = Field(description="并入哪一条汇总")


class Messages(BaseModel):
    """A page; a search for something rare may give a short one with a `next`."""

    items: list[Message]
    next: str | None


class Fact(BaseModel):
    """A line of a message."""

    label: str
    value: str


class Whole(Message):
    """A message whole, with every try; of one that was folded, the tries of its digest."""

    facts: list[Fact]
    rows: list[str] = Field(description="汇总里的各行")
    tries: list[Attempt]


@router.get("/outbox", summary="消息", response_model=Messages)
async def list_messages(request: Request, asked: Annotated[OutboxQuery, Query()]) -> Response:
    """The newest first; without `state` what waits, is leaving or is dead."""
    context: Context = request.app.state.context
    filter_ = MessageFilter(tuple(asked.state), tuple(asked.kind), tuple(asked.channel), asked.ticket)
    found = await context.db.read(lambda conn: ledger.messages(conn, filter_, asked.cursor, asked.limit))
    zone = zone_of(request)
    return answer(Messages(items=[message(row, zone) for row in found.rows], next=found.next))


@router.get("/outbox/{id}", summary="一条消息", response_model=Whole, responses=documented(404))
async def get_message(request: Request, id_: Annotated[int, Path(alias="id", ge=1, le=2**62)]) -> Response:
    """What was said, and every try at saying it."""
    context: Context = request.app.state.context

    def read(conn: Connection) -> tuple[MessageRow, tuple[Tried, ...]]:
        found = ledger.message(conn, id_)
        if found is None:
            raise Problem(404, "没有这条消息。")
        return found, ledger.attempts(conn, id_)

    row, tries = await context.db.read(read)
    zone = zone_of(request)
    told = Whole(
        **message(row, zone).model_dump(),
        facts=[Fact(label=shown(label), value=shown(value)) for label, value in row.message.facts],
        rows=[shown(each) for each in row.message.rows],
        tries=[
            Attempt(at=each.at.astimezone(zone), outcome=each.outcome, answer=shown(each.answer))
            for each in tries
        ],
    )
    return answer(told)


def message(of: MessageRow, zone: Zone) -> Message:
    """A message as it is given out."""
    return Message(
        id=of.id,
        channel=of.channel,
        ticket=of.ticket,
        state=of.state,
        attempts=of.attempts,
        next_try_at=local(of.next_try_at, zone),
        last_answer=shown(of.last_answer),
        kind=of.message.kind,
        urgency=of.message.urgency,
        title=shown(of.message.title),
        created_at=of.created_at.astimezone(zone),
        sent_at=local(of.sent_at, zone),
        unknowns=of.unknowns,
        last_outcome=of.last_outcome,
        folded_into=of.folded_into,
    )
