"""The outbox and the ledger: who was told what, when, what the platform answered, and what nobody was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from monitor.store import outbox
from monitor.store.outbox import MessageState
from monitor.store.ticket_page import Attempt
from monitor.store.views import ledger
from monitor.store.views.ledger import MessageFilter, MessageRow
from monitor.store.views.paging import Page
from monitor.web.render import context_of, page

__all__ = ["MESSAGE_STATE_ZH", "router"]

router = APIRouter(include_in_schema=False)

MESSAGE_STATE_ZH: Final = {
    MessageState.WAITING: "待发",
    MessageState.SENDING: "发送中",
    MessageState.SENT: "已送达",
    MessageState.FOLDED: "并入汇总",
    MessageState.DROPPED: "不必再发",
    MessageState.DEAD: "已放弃",
}
_ROWS: Final = 50
_LARGEST: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of the address; a state that is none is no filter."""

    state: str = ""
    channel: str = ""
    ticket: str = ""

    def __post_init__(self) -> None:
        if self.state not in set(MessageState):
            object.__setattr__(self, "state", "")

    @property
    def filter(self) -> MessageFilter:
        """The same as the store takes it."""
        states, channels = ((each,) if each else () for each in (self.state, self.channel))
        return MessageFilter(states=states, channels=channels, ticket=self.ticket)


@dataclass(frozen=True, slots=True)
class _Found:
    page: Page[MessageRow]
    channels: tuple[str, ...]
    dead: int


@router.get("/outbox")
async def show(request: Request) -> Response:
    """The messages, the newest first."""
    asked = request.query_params
    wanted = Wanted(asked.get("state", ""), asked.get("channel", ""), asked.get("ticket", "").strip())

    def read(conn: Connection) -> _Found:
        return _Found(
            ledger.messages(conn, wanted.filter, asked.get("cursor"), _ROWS),
            ledger.channels(conn),
            outbox.count(conn, MessageState.DEAD),
        )

    context = context_of(request)
    found = await context.db.read(read)
    known = dict.fromkeys((*(each.name for each in context.settings().channels), *found.channels))
    return await page(
        request, "outbox.html", found=found, wanted=wanted, states=MESSAGE_STATE_ZH, channels=list(known)
    )


@router.get("/outbox/{number}")
async def one(request: Request, number: int) -> Response:
    """One message: what it says, and every attempt to say it."""

    def read(conn: Connection) -> tuple[MessageRow, tuple[Attempt, ...]] | None:
        found = ledger.message(conn, number) if 0 < number < _LARGEST else None
        return (found, ledger.attempts(conn, number)) if found is not None else None

    found = await context_of(request).db.read(read)
    if found is None:
        raise HTTPException(404)
    row, attempts = found
    return await page(request, "message.html", row=row, attempts=attempts, states=MESSAGE_STATE_ZH)
