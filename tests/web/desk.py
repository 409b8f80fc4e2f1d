"""A shop's parcels for the console's tests, taken in, asked about and judged by the real store, rules and sweep.

desk = Desk(site)
number = desk.stalled("Z1")          # the ticket of a parcel that has stood still since T0
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from sqlalchemy import Connection, select

from domain.history import merge
from domain.journey import condense
from domain.orders import Waybill
from domain.tracking import Answer, Milestone, TrackingEvent
from monitor.store import events, parcels, schema
from monitor.store.parcels import Incoming
from monitor.sweep import Look, Sweep
from monitor.telling.routing import Route
from rules.schedule import Pace
from tests.simulated import HUB, PICKED, T0, at, order
from tests.web.conftest import Site

PACE = Pace(timedelta(minutes=30))


def scan(hour: float, text: str = "【东莞市】快件已到达 东莞分拨中心", **more: Any) -> TrackingEvent:
    """One line of the carrier's, a movement unless told otherwise."""
    more = {"milestone": HUB, "hub": "东莞分拨中心", **more}
    return TrackingEvent(at(hour), text=text, **more)


@dataclass
class Desk:
    """The parcels behind a site."""

    site: Site
    routes: tuple[Route, ...] = (Route(("ops",), {}),)
    sweep: Sweep = field(init=False)

    def __post_init__(self) -> None:
        self.sweep = Sweep(self.site.settings.book, self.routes, lambda carrier: ("k100", PACE))

    def parcel(
        self,
        number: str,
        *told: TrackingEvent,
        carrier: str = "zhongtong",
        seen: float = 0,
        paid: float = -10,
        **of_order: Any,
    ) -> str:
        """A parcel as it stands at hour `seen`, when its carrier told these scans; the number of its ticket."""
        of = order(
            number,
            paid=paid,
            shipped=paid + 2,
            **{"platform": "taobao_tmall", "receiver_province": "广东"} | of_order,
        )
        row = Incoming(of, (Waybill(carrier, number),), "", at(seen))

        def work(conn: Connection) -> None:
            [taken] = parcels.intake(conn, [row], at(seen))
            self.tell(conn, taken.parcel_ids[0], told, seen)

        self.site.db.write_now(work)
        return self.ticket(number)

    def stalled(self, number: str, seen: float = 50, **of_order: Any) -> str:
        """The ticket of a parcel that has stood still since T0."""
        return self.parcel(
            number, scan(-5, "【广州市】已揽收", milestone=PICKED), scan(0), seen=seen, **of_order
        )

    def news(self, number: str, *told: TrackingEvent, seen: float) -> None:
        """The carrier's whole answer at that hour."""
        self.site.db.write_now(lambda conn: self.tell(conn, parcels.find(conn, number)[0], told, seen))

    def tell(self, conn: Connection, parcel_id: int, told: tuple[TrackingEvent, ...], seen: float) -> None:
        known = events.known(conn, [parcel_id]).get(parcel_id, [])
        change = merge(known, Answer("", "", told), at(seen))
        events.apply(conn, [(parcel_id, change)], provider="k100", at=at(seen))
        [loaded] = parcels.load(conn, [parcel_id])
        standing = [
            row.event for row in events.known(conn, [parcel_id])[parcel_id] if row.withdrawn_at is None
        ]
        case = replace(loaded.case, journey=condense(standing), observed_at=at(seen))
        self.sweep.settle(conn, [Look(loaded, case)], at(seen))

    def ticket(self, waybill_no: str) -> str:
        """The number of a parcel's newest ticket, or nothing."""

        def work(conn: Connection) -> str:
            query = (
                select(schema.tickets.c.number)
                .join(schema.parcels, schema.parcels.c.id == schema.tickets.c.parcel_id)
                .where(schema.parcels.c.waybill_no == waybill_no)
                .order_by(schema.tickets.c.id.desc())
            )
            return conn.execute(query).scalar() or ""

        return self.site.db.read_now(work)

    def act(self, number: str, verb: str, version: int, text: str = "", **more: Any) -> Any:
        """A form of the ticket's page, sent."""
        return self.site.post(f"/tickets/{number}/{verb}", {"version": str(version), "text": text}, **more)


def unread(hour: float, text: str) -> TrackingEvent:
    """A line nobody can read."""
    return TrackingEvent(at(hour), Milestone.UNKNOWN, text)


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses |= {
            value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")
        }


OURS = frozenset(
    {
        *(
            "html",
            "head",
            "meta",
            "title",
            "link",
            "body",
            "a",
            "header",
            "div",
            "nav",
            "svg",
            "circle",
            "path",
        ),
        *(
            "span",
            "main",
            "p",
            "section",
            "h1",
            "h2",
            "h3",
            "dl",
            "dt",
            "dd",
            "time",
            "form",
            "input",
            "label",
        ),
        *(
            "textarea",
            "button",
            "ol",
            "ul",
            "li",
            "article",
            "desc",
            "rect",
            "line",
            "text",
            "code",
            "details",
        ),
        *("summary", "s", "strong", "footer", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("select", "option", "fieldset", "legend"),
    }
)
"""Every element our own templates write."""


def harmless(html: str) -> None:
    """Nothing in the page but our own markup, addresses of this site, and characters one can see."""
    found = _Markup()
    found.feed(html)
    assert found.tags <= OURS
    assert not [
        name for name in found.attributes if name.startswith(("on", "hx-")) or name in ("style", "srcdoc")
    ]
    assert all(each.startswith(("/", "#", "?", "data:image/svg")) for each in found.addresses)
    assert not [each for each in found.addresses if each.startswith("//")]
    assert not re.search(
        r"[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", found.text
    )


__all__ = ["T0", "Desk", "at", "harmless", "scan", "unread"]
