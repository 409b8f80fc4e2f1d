"""What the ticket list and *Now* cost with 100,000 tickets and a million parcels, against bare queries.

The bare queries are what one would write by hand for the same rows and the same counts, over a plain
`sqlite3` connection, with nothing read into objects (`console_parts/bare.py`). They take turns with the views,
round by round. `ratio_tickets` and `ratio_now` are the figures, the goal is at most 3: all that the page
shows, the list with its count and its menus, the parcels that pass a limit within twelve hours with their
counts. The views cap and sample where the bare queries count everything. `…_page` is the whole page, drawn
by the site and fetched without a socket; `rows_…` are the fifty rows alone. Prints one JSON line.

    python bench/console.py [--parcels 1000000] [--tickets 100000] [--rounds 15] [--store FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median

import httpx
from console_parts import bare
from console_parts.store import NOW, fill, parcels, tickets
from sqlalchemy import Connection

from monitor.config.settings import load
from monitor.store.database import Database, migrate
from monitor.store.views import now
from monitor.store.views import tickets as ticket_views
from monitor.store.views.tickets import Sort, TicketFilter
from monitor.vitals import Vitals
from monitor.web.context import Context
from monitor.web.site import make_site

WITHIN = timedelta(hours=12)
LIVE = TicketFilter(("open", "acknowledged"), sort=Sort.URGENT)
DEAR = TicketFilter(("open", "acknowledged"), sort=Sort.RISK)
HOURLY = TicketFilter(("open", "acknowledged"), sort=Sort.PER_HOUR, now=NOW)
ALL = TicketFilter()
Work = Callable[[], object]


def cursor_after(db: Database, filter_: TicketFilter, pages: int) -> str | None:
    """The cursor of a page further on."""
    cursor: str | None = None
    for _ in range(pages):
        cursor = db.read_now(lambda conn, at=cursor: ticket_views.page(conn, filter_, at, 500)).next
    return cursor


def works(db: Database, raw: sqlite3.Connection, pages: int) -> dict[str, tuple[Work, Work]]:
    """By name: the view, and the bare queries for the same; the middle is so many pages of 500 further on."""
    middle = cursor_after(db, ALL, pages)
    upcoming = db.read_now(lambda conn: now.upcoming(conn, NOW, WITHIN))

    def listed(conn: Connection) -> object:
        some = ticket_views.page(conn, LIVE)
        return some, ticket_views.count(conn, LIVE, 10_000), ticket_views.choices(conn)

    def first(conn: Connection) -> object:
        return (
            now.upcoming(conn, NOW, WITHIN),
            now.tally(conn, NOW, WITHIN),
            now.sources(conn, NOW),
            now.stake(conn, NOW, WITHIN),
        )

    return {
        "tickets": (lambda: db.read_now(listed), lambda: (bare.urgent(raw), bare.around(raw))),
        "rows_urgent": (
            lambda: db.read_now(lambda conn: ticket_views.page(conn, LIVE)),
            lambda: bare.urgent(raw),
        ),
        "rows_risk": (
            lambda: db.read_now(lambda conn: ticket_views.page(conn, DEAR)),
            lambda: bare.dearest(raw),
        ),
        "rows_hourly": (
            lambda: db.read_now(lambda conn: ticket_views.page(conn, HOURLY)),
            lambda: bare.hourly(raw, NOW),
        ),
        "rows_newest": (
            lambda: db.read_now(lambda conn: ticket_views.page(conn, ALL)),
            lambda: bare.newest(raw),
        ),
        "rows_middle": (
            lambda: db.read_now(lambda conn: ticket_views.page(conn, ALL, middle)),
            lambda: bare.newest(raw, pages * 500),
        ),
        "now": (lambda: db.read_now(first), lambda: bare.first_page(raw, NOW, WITHIN)),
        "rows_upcoming": (
            lambda: db.read_now(lambda conn: now.upcoming(conn, NOW, WITHIN, upcoming.next)),
            lambda: bare.upcoming(raw, NOW, WITHIN, 50),
        ),
    }


def seconds(rounds: int, *takes_turns: Work) -> list[float]:
    """The median of each, after a round that warms up: of the processor's time, since others share the machine."""
    took: list[list[float]] = [[] for _ in takes_turns]
    for turn in range(rounds + 1):
        for n, work in enumerate(takes_turns):
            started = time.process_time()
            work()
            if turn:
                took[n].append(time.process_time() - started)
    return [median(each) for each in took]


def site_works(db: Database, folder: Path, loop: asyncio.Runner) -> dict[str, Work]:
    """The pages of the same lists."""
    config = folder / "parcelwatch.toml"
    config.write_text('timezone = "Asia/Shanghai"\n', "utf-8")
    settings = load(config, {})
    site = make_site(Context(db, lambda: NOW, lambda: settings, Vitals(NOW)))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://127.0.0.1:8000")

    def fetched(path: str) -> Work:
        async def get() -> None:
            answer = await client.get(path)
            assert answer.status_code == 200, answer

        return lambda: loop.run(get())

    return {
        "tickets": fetched("/tickets?state=open&state=acknowledged&sort=urgent"),
        "now": fetched("/?hours=12"),
    }


def made(url: str, in_flight: int, count: int) -> Database:
    """The store, filled."""
    migrate(url)
    db = Database.open(url)
    fill(db, parcels(in_flight))
    fill(db, tickets(count, in_flight))
    return db


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--store", help="a store an earlier run kept, or to be kept", default="")
    asked = parser.parse_args()
    line: dict[str, object] = {"bench": "console", "parcels": asked.parcels, "tickets": asked.tickets}
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as loop:
        path = Path(asked.store or f"{folder}/console.db").absolute()
        url = f"sqlite:///{path}"
        db = Database.open(url) if path.exists() else made(url, asked.parcels, asked.tickets)
        with closing(db), closing(sqlite3.connect(path)) as raw:
            pages = site_works(db, Path(folder), loop)
            for name, (view, by_hand) in works(db, raw, asked.tickets // 1000).items():
                both = [view, by_hand, pages[name]] if name in pages else [view, by_hand]
                took = seconds(asked.rounds if name != "now" else max(3, asked.rounds // 5), *both)
                line |= {f"{name}_ms": round(took[0] * 1000, 1), f"{name}_bare_ms": round(took[1] * 1000, 1)}
                line[f"ratio_{name}"] = round(took[0] / took[1], 2)
                if name in pages:
                    line |= {f"{name}_page_ms": round(took[2] * 1000, 1)}
                    line[f"ratio_{name}_page"] = round(took[2] / took[1], 2)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
