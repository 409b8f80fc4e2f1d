"""The data map names every table and column there is, and nothing that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.config.service import Retention
from monitor.store import retention
from monitor.store.schema import METADATA

TEXT = (Path(__file__).parents[2] / "docs" / "data-map.md").read_text("utf-8")
PERIODS = {"包裹": "parcels", "消息": "messages", "异类": "oddities", "七天": "", "配置": "", "现状": ""}
_SECTION = re.compile(
    r"^### (?P<table>\w+) \S+ · (?P<period>\S+)\n(?P<body>.*?)(?=^##)", re.MULTILINE | re.DOTALL
)
SECTIONS = {found["table"]: found for found in _SECTION.finditer(TEXT)}


def test_every_table_is_there():
    assert list(SECTIONS) != []
    assert set(SECTIONS) == set(METADATA.tables)


@pytest.mark.parametrize("table", METADATA.tables)
def test_every_column_is_there(table):
    fields = [line.split("|")[1] for line in SECTIONS[table]["body"].splitlines() if line.startswith("| `")]
    named = [name for field in fields for name in re.findall(r"`(\w+)`", field)]
    assert sorted(named) == sorted(column.name for column in METADATA.tables[table].columns)


def test_the_periods_are_those_of_the_configuration():
    for name in ("personal", "parcels", "messages", "oddities"):
        days = getattr(Retention(), name).days
        assert re.search(rf"\| {days} 天 \| `retention\.{name}` \|", TEXT)
    assert {found["period"] for found in SECTIONS.values()} <= set(PERIODS)


def test_what_has_a_period_is_purged():
    """A table whose heading names a period of time has rows that a purge takes away."""
    timed = {table for table, found in SECTIONS.items() if found["period"] not in ("配置", "现状")}
    along = {"order_parcels", "events", "event_edits", "due", "findings", "tickets", "ticket_entries"}
    along |= {"subscriptions", "billed", "recognitions", "opinions"}
    own = {"orders", "parcels", "oddities", "unknown_codes", "idempotency", "imports", "spend", "counters"}
    own |= {"pulled"}
    own |= {"facets", "feed_hours"}
    assert own <= set(retention.KINDS)
    assert timed == along | own | {"outbox", "attempts"}
