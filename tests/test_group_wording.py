"""What the groups read of outages and digests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.messages import Message, MessageKind
from monitor.store.outbox import MessageState, Waiting
from monitor.telling.digest import digest_of
from monitor.telling.wording import feed_alert

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def waiting(n: int, link: str) -> Waiting:
    message = Message(MessageKind.ALERT, f"[紧急] 停滞 T-{n}", link=link)
    return Waiting(n, f"k{n}", "ops", message, MessageState.WAITING, 0, 0, NOON, NOON)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://watch.example.com/tickets/T-1", "https://watch.example.com/tickets"),
        ("https://example.com/watch/tickets/T-1", "https://example.com/watch/tickets"),
        ("", ""),
    ],
)
def test_a_digest_leads_to_the_list_not_to_one_of_its_tickets(link: str, expected: str):
    assert digest_of([waiting(1, link), waiting(2, link)], NOON).link == expected


@pytest.mark.parametrize("down", [True, False])
def test_an_outage_that_held_up_no_parcel_names_no_number(down: bool):
    told = feed_alert("k100", NOON, down=down, since=NOON - timedelta(hours=1), why="502", waiting=0)
    assert not [value for _, value in told.facts if "0 个" in value]


def test_an_outage_says_how_many_parcels_wait():
    told = feed_alert("k100", NOON, down=True, since=NOON, why="502", waiting=12)
    assert dict(told.facts)["影响"].startswith("12 个运单")
