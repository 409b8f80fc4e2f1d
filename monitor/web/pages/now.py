"""The first page: which parcels pass a limit next, what is over one already, and whether we see at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from monitor.store import outbox
from monitor.store.outbox import MessageState
from monitor.store.views import now
from monitor.store.views.now import Source, Stake, Tally, Upcoming
from monitor.store.views.paging import Page
from monitor.web.formats import View
from monitor.web.render import context_of, page, view_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_HOURS: Final = (1, 4, 12, 24, 48)
_USUAL: Final = 12
_ROWS: Final = 50
_GROUP: Final = 8
"""Lines of one breakdown."""
_PROMPT: Final = timedelta(minutes=5)
"""A message that waits longer is held up: its robot is muted, refuses or is overrun."""
_FACETS: Final = ("rule", "carrier", "shop")
_TROUBLE: Final = {"down": 0, "degraded": 1}


@dataclass(frozen=True, slots=True)
class _Now:
    """Everything of the page that comes from the store, as it stood at one moment."""

    upcoming: Page[Upcoming]
    tally: Tally
    stake: Stake
    sources: Sequence[Source]
    dead: int
    late: int
    """Messages that wait to be said for longer than `_PROMPT`."""


@dataclass(frozen=True, slots=True)
class _Bar:
    """A line of a breakdown: it filters by what it counts, or lets go of that."""

    label: str
    n: int
    address: str
    chosen: bool
    foreign: bool
    """The label is somebody's own word, such as a shop's name."""


@router.get("/")
async def show(request: Request) -> Response:
    """The page; only its changing part where the page itself asks."""
    context, view, asked = context_of(request), view_of(request), request.query_params
    hours = _hours(asked.get("hours", ""))
    chosen = {facet: asked[facet] for facet in _FACETS if asked.get(facet)}
    accounts = [account.name for account in context.settings().providers]

    def read(conn: Connection) -> _Now:
        within = timedelta(hours=hours)
        filters = {f"{facet}s": (value,) for facet, value in chosen.items()}
        return _Now(
            now.upcoming(conn, view.now, within, asked.get("cursor"), _ROWS, **filters),
            now.tally(conn, view.now, within),
            now.stake(conn, view.now, within),
            _sources(now.sources(conn, view.now), accounts),
            outbox.count(conn, MessageState.DEAD),
            outbox.late(conn, view.now - _PROMPT),
        )

    found = await context.db.read(read)
    template = "now_live.html" if request.headers.get("HX-Request") == "true" else "now.html"
    return await page(
        request,
        template,
        found=found,
        hours=hours,
        choices=_HOURS,
        cursor=asked.get("cursor"),
        chosen=[(facet, _names(view)[facet](value)) for facet, value in chosen.items()],
        problems=context.vitals.problems(view.now),
        groups=_groups(view, found.tally, chosen),
        chart=_chart(view, found.tally),
    )


def _hours(text: str) -> int:
    """How far ahead: one of the choices, the usual one for anything else."""
    return int(text) if text in map(str, _HOURS) else _USUAL


def _sources(known: Sequence[Source], accounts: Sequence[str]) -> list[Source]:
    """The accounts of the configuration, those in trouble first; one that was never asked is no trouble."""
    by_name = {source.name: source for source in known}
    found = [by_name.get(name, Source(name, "up", None, None, "", 0)) for name in accounts]
    return sorted(found, key=lambda source: _TROUBLE.get(source.state, 2))


def _names(view: View) -> Mapping[str, Callable[[str], str]]:
    """How a value of each facet is called."""
    nobody = view.words.say("没有店铺名")
    return {"rule": view.rule, "carrier": view.carrier, "shop": lambda shop: view.clean(shop, 40) or nobody}


def _groups(view: View, tally: Tally, chosen: Mapping[str, str]) -> list[tuple[str, list[_Bar]]]:
    """The breakdowns, each under its heading."""
    say = view.words.say
    headings = {"rule": say("按规则"), "carrier": say("按承运商"), "shop": say("按店铺")}
    counts = {"rule": tally.by_rule, "carrier": tally.by_carrier, "shop": tally.by_shop}
    return [(headings[facet], _bars(view, facet, counts[facet], chosen.get(facet))) for facet in _FACETS]


def _bars(view: View, facet: str, counts: Sequence[tuple[str, int]], chosen: str | None) -> list[_Bar]:
    """The largest, what is chosen, and in one line all that is left."""
    name = _names(view)[facet]
    shown = [*counts[:_GROUP], *(pair for pair in counts[_GROUP:] if pair[0] == chosen)]
    rest = sum(n for _, n in counts) - sum(n for _, n in shown)
    return [
        _Bar(
            name(value),
            n,
            view.link(**{facet: None if value == chosen else value}) if value else "",
            value == chosen,
            foreign=facet == "shop" and bool(value),
        )
        for value, n in shown
    ] + ([_Bar(view.words.say("其他"), rest, "", False, foreign=False)] if rest else [])


def _chart(view: View, tally: Tally) -> dict[str, Any]:
    """How many limits fall into each hour from now on, under the reader's clock."""
    starts = [view.now + timedelta(hours=nth) for nth in range(len(tally.hours))]
    labels = [f"{at.astimezone(view.zone):%H:%M}" for at in starts]
    return {"name": view.words.say("包裹"), "labels": labels, "counts": tally.hours}
