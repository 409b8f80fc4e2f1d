"""The outbox and the ledger: who was told what, when, and what the platform answered; nothing undelivered is overlooked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.remote import Outcome
from monitor.config.settings import Settings
from monitor.store import outbox
from monitor.store.database import Database
from monitor.store.outbox import MessageState
from tests.hostile import TEXTS
from tests.store import given
from tests.store.given import T0, H
from tests.web.conftest import Site

HOSTILE = '<script>alert(1)</script>\u202e"><img src=x> 13812345678'


@pytest.fixture
def ticket(store: Database) -> str:
    """One ticket, and of it: a message sent at the second try, one refused for good, one waiting, one in a digest."""
    parcel = given.a_parcel(store)
    found = given.open_ticket(store, parcel, given.open_finding(store, parcel))

    def fill(conn):  # type: ignore[no-untyped-def]
        rows = [given.alert(f"m{n}", ("ops", "qq")[n % 2], ticket_id=found.id) for n in range(4)]
        outbox.put(conn, [*rows, given.alert("digest")])
        outbox.begin(conn, [1, 2], T0 + H)
        outbox.finish(conn, 1, Outcome.LATER, "45009 太快", T0 + H, state=MessageState.WAITING)
        outbox.begin(conn, [1], T0 + 2 * H)
        outbox.finish(conn, 1, Outcome.TAKEN, f"ok {HOSTILE}", T0 + 2 * H, state=MessageState.SENT)
        outbox.finish(conn, 2, Outcome.REFUSED, "310000 关键词不匹配", T0 + H, state=MessageState.DEAD)
        outbox.fold(conn, [4], into=5)

    store.write_now(fill)
    return found.number


@pytest.fixture
def site(store: Database, ticket: str, make_settings: Callable[[str], Settings]) -> Site:
    return Site(store, make_settings(""), now=T0 + 3 * H)


def listed(site: Site, **query: str) -> set[int]:
    """The messages of the list."""
    text = site.get("/outbox", params=query).text
    return set(map(int, re.findall(r'class="pw-wrap" href="/outbox/(\d+)"', text)))


def test_everything_that_was_said_or_is_to_be_said(site: Site, ticket: str) -> None:
    text = site.get("/outbox").text
    assert listed(site) == {1, 2, 3, 4, 5}
    for told in ("已送达", "已放弃", "待发", "并入汇总", "关键词不匹配", "2 次尝试", ticket, "看汇总"):
        assert told in text, told
    assert "11-01 12:00" in text, "when it was sent, in the configured zone"


def test_what_nobody_was_told_is_said_loudly(site: Site) -> None:
    text = site.get("/outbox").text
    assert re.search(r'role="alert">.*有 1 条消息没能送出', text, re.DOTALL)
    assert 'href="/outbox?state=dead"' in text
    assert listed(site, state="dead") == {2}
    assert "/outbox?state=dead" in site.get("/").text, "the first page says so too"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"state": "sent"}, {1}),
        ({"channel": "qq"}, {2, 4}),
        ({"channel": "qq", "state": "folded"}, {4}),
        ({"ticket": "T-20991231-0001"}, set()),
        ({"state": "no such state"}, {1, 2, 3, 4, 5}),
        ({"channel": "nobody"}, set()),
    ],
)
def test_filters_stand_in_the_address(site: Site, query: dict[str, str], shown: set[int]) -> None:
    assert listed(site, **query) == shown


def test_the_messages_of_a_ticket(site: Site, ticket: str) -> None:
    assert listed(site, ticket=f" {ticket} ") == {1, 2, 3, 4}


def test_one_message_with_every_attempt(site: Site) -> None:
    text = site.get("/outbox/1").text
    assert text.index("45009 太快") < text.index("ok &lt;script&gt;")
    for told in ("稍后再试", "平台收下", "138******78"):
        assert told in text
    assert "<script" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert "平台拒收" in site.get("/outbox/2").text
    assert "还没有发过" in site.get("/outbox/3").text
    assert 'href="/outbox/5"' in site.get("/outbox/4").text, "the digest it was said in"


@pytest.mark.parametrize("number", ["0", "99", "-1", str(1 << 70), "1e3", "x", "١"])
def test_a_message_that_is_not_there(site: Site, number: str) -> None:
    assert site.get(f"/outbox/{number}").status_code in (404, 422)


def test_hostile_answers_of_a_platform_stay_text(
    store: Database, make_settings: Callable[[str], Settings]
) -> None:
    """Three hundred of them, on one page."""

    def fill(conn):  # type: ignore[no-untyped-def]
        for n, text in enumerate(TEXTS, 1):
            outbox.put(conn, [given.alert(f"k{n}")])
            outbox.begin(conn, [n], T0)
            outbox.finish(conn, n, Outcome.REFUSED, text, T0, state=MessageState.DEAD)

    store.write_now(fill)
    site = Site(store, make_settings(""), now=T0 + timedelta(hours=1))
    address, seen = "/outbox", 0
    while address:
        text = site.get(address).text
        rows = text[text.index("<tbody>") : text.index("</tbody>")]
        seen += rows.count("<tr>")
        assert not re.search(r"<(?!/?(?:tbody|tr|td|span|a|time|svg|path|circle)\b)", rows)
        assert not re.search(r"<[^>]*\son\w+=", rows)
        assert set(re.findall(r'href="([^"]{8})', rows)) == {"/outbox/"}
        onward = re.findall(r'rel="next" href="([^"]+)"', text)
        address = onward[0].replace("&amp;", "&") if onward else ""
    assert seen == len(TEXTS)
