"""Coverage: every shipped order is watched, or its reason stands here with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from monitor.config.settings import Settings
from monitor.store.database import Database
from monitor.store.views.coverage import Reason
from monitor.web.pages.coverage import ADVICE_ZH, REASON_ZH
from tests.simulated import PICKED, Robot, World
from tests.web.conftest import Site

CONFIG = (
    '[[providers]]\nname = "k100"\nkind = "kuaidi100"\ncustomer = "c"\nkey = "k"\ncarriers = ["zhongtong"]'
)


@pytest.fixture
def world(store: Database) -> World:
    return World(store, [Robot("ops")])


@pytest.fixture
def site(world: World, make_settings: Callable[[str], Settings]) -> Site:
    """One answered for, one never answered, one refused, one of a carrier nobody serves."""
    world.carrier.says("GOOD", (-1, PICKED))
    world.carrier.fails("BAD", "rejected")
    for number in ("GOOD", "BAD"):
        world.import_(number)
    world.due_now()
    world.poll()
    world.import_("NEW")
    world.import_("ELSE", carrier="yuantong", shop="<b>店</b>13812345678")
    return Site(world.store, make_settings(CONFIG), now=world.now)


def shown(text: str) -> list[str]:
    body = re.search(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    return re.findall(r'href="/parcels/\w+/(\w+)"', body[1]) if body else []


def test_every_reason_has_words_and_those_that_want_something_done_say_what() -> None:
    assert set(REASON_ZH) == set(Reason)
    assert set(ADVICE_ZH) == {reason for reason in Reason if not reason.covered}


@pytest.mark.parametrize(
    ("reason", "numbers"),
    [("waiting", ["NEW"]), ("refused", ["BAD"]), ("not_served", ["ELSE"]), ("put_aside", []), ("ended", [])],
)
def test_each_reason_lists_its_own(site: Site, reason: str, numbers: list[str]) -> None:
    text = site.get("/coverage", params={"reason": reason}).text
    assert shown(text) == numbers
    assert ADVICE_ZH.get(Reason(reason), "").replace('"', "&#34;") in text


def test_what_wants_something_done_is_shown_first(site: Site) -> None:
    text = site.get("/coverage").text
    assert shown(text) == ["ELSE"]
    assert "&lt;b&gt;店&lt;/b&gt;138******78" in text
    figures = re.findall(r'pw-figure-n">(\d+)<', text)
    assert figures == ["1", "1", "2", "0"], "watched, waiting for a first answer, to be done, over"


def test_the_providers_own_words_are_shown(site: Site) -> None:
    assert "单号不对" in site.get("/coverage?reason=refused").text


@pytest.mark.parametrize("reason", ["", "asked", "nonsense", "<script>"])
def test_a_reason_that_is_none_is_the_usual_one(site: Site, reason: str) -> None:
    assert shown(site.get("/coverage", params={"reason": reason}).text) == ["ELSE"]


def test_an_empty_store_lists_nothing(store: Database, make_settings: Callable[[str], Settings]) -> None:
    text = Site(store, make_settings("")).get("/coverage").text
    assert "没有这样的订单" in text
    assert set(re.findall(r'pw-figure-n">(\d+)<', text)) == {"0"}
