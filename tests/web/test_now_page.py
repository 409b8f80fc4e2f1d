"""The first page: what passes a limit next, in order, with what is known of it; counts that filter; whether we see at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.config.settings import Settings
from monitor.store import providers
from monitor.store.database import Database
from monitor.store.providers import ProviderState
from tests.simulated import HOUR, MINUTE, PICKED, Robot, World
from tests.web.conftest import Site


@pytest.fixture
def world(store: Database) -> World:
    return World(store, [Robot("ops")])


@pytest.fixture
def site(world: World, make_settings: Callable[[str], Settings]) -> Site:
    """Three parcels: due in 2, 10 and 30 hours. Nothing is known of them, and it was said twice."""
    world.set(-0.6)
    world.import_("SOON", paid=-22, shipped=-21)
    world.import_("LATER", paid=-14, shipped=-13, shop="别家店")
    world.import_("FAR", paid=6, shipped=None)
    for hours in (-0.6, 0):
        world.set(hours)
        world.due_now()
        world.poll()
    return Site(world.store, replace(make_settings(""), book=world.book), now=world.now)


def test_messages_that_are_held_up_are_counted_before_they_are_given_up(world: World, site: Site) -> None:
    """A ticket was opened, its message waits: on its way at first, held up ten minutes later."""

    def card() -> str:
        found = re.search(
            r'<div class="pw-figure pw-(\w+)">\s*<span class="pw-figure-n">(\d+)</span>\s*<span[^>]*>\s*<a href="/outbox([^"]*)',
            site.get("/").text,
        )
        assert found
        return " ".join(found.groups())

    assert card() == "ok 0 ?state=waiting"
    site.now += timedelta(minutes=10)
    assert card() == "warning 1 ?state=waiting"


def rows(text: str) -> list[str]:
    """The waybills of the list, in its order."""
    body = re.search(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    return re.findall(r'href="/parcels/\w+/(\w+)"', body[1]) if body else []


def test_the_nearest_limit_stands_first(site: Site) -> None:
    text = site.get("/").text
    assert rows(text) == ["SOON", "LATER"], "twelve hours ahead, where nothing else is asked for"
    first = text[text.index("<tbody>") : text.index("</tr>", text.index("<tbody>"))]
    for told in ("还剩 1 小时 59 分", "中通快递", "揽收超时", "旗舰店", "O-SOON", "T-2026"):
        assert told in first, told


@pytest.mark.parametrize(
    ("hours", "shown"),
    [("1", []), ("4", ["SOON"]), ("12", ["SOON", "LATER"]), ("48", ["SOON", "LATER", "FAR"])],
)
def test_how_far_is_chosen_in_the_address(site: Site, hours: str, shown: list[str]) -> None:
    text = site.get("/", params={"hours": hours}).text
    assert rows(text) == shown
    assert re.search(rf'hours={hours}" aria-current="true"', text)
    assert f"{hours} 小时内到时限" in text


@pytest.mark.parametrize("hours", ["", "0", "-1", "999999999999", "1e3", "x", "１２"])
def test_a_distance_that_is_none_of_the_choices_is_the_usual_one(site: Site, hours: str) -> None:
    assert rows(site.get("/", params={"hours": hours}).text) == ["SOON", "LATER"]


def test_every_count_filters_by_what_it_counts_and_lets_go_again(site: Site) -> None:
    text = site.get("/?hours=12").text
    [address] = re.findall(r'<a class="pw-bars-line" href="([^"]*shop=%E5%88%AB[^"]*)"', text)
    assert "hours=12" in address
    filtered = site.get(address.replace("&amp;", "&")).text
    assert rows(filtered) == ["LATER"]
    assert "去掉这个筛选" in filtered
    assert rows(site.get("/?carrier=yuantong").text) == []
    assert rows(site.get("/?rule=late_pickup&carrier=zhongtong").text) == ["SOON", "LATER"]


def test_what_comes_after_the_eighth_is_added_up_and_leads_nowhere(
    world: World, make_settings: Callable[[str], Settings]
) -> None:
    world.set(-0.6)
    for n in range(11):
        world.import_(f"Z{n}", paid=-14, shipped=-13, shop=f"店{n:02d}")
    for hours in (-0.6, 0):
        world.set(hours)
        world.due_now()
        world.poll()
    page = Site(world.store, replace(make_settings(""), book=world.book), now=world.now)
    told = re.findall(
        r'<span class="pw-bars-line"><span>其他</span><span class="pw-bars-n">(\d+)<',
        page.get("/?hours=12").text,
    )
    assert told == ["3"], "the shops; neither the rules nor the carriers are that many"


def test_the_chart_is_data_not_script(site: Site) -> None:
    text = site.get("/?hours=4").text
    [source] = re.findall(r'<script type="application/json" id="chart-data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(source)["counts"] == [0, 1, 0, 0]
    assert [label[-2:] for label in json.loads(source)["labels"]] == ["00"] * 4
    noscript = text[text.index("<noscript>") : text.index("</noscript>")]
    assert "11:00" in noscript, "the same without a script"
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", text) == []


def test_what_is_over_the_limit_is_counted(site: Site, world: World) -> None:
    for hours in (29, 30):
        world.set(hours)
        world.due_now()
        world.poll()
    world.tick()
    site.now = world.now
    text = site.get("/").text
    over = re.search(
        r'pw-figure-n">(\d+)</span>\s*<span class="pw-figure-label"><a href="/tickets\?stage=breach"', text
    )
    assert over is not None
    broken = world.column("SELECT count(*) FROM findings WHERE stage = 'breach' AND state = 'open'")
    assert [int(over[1])] == broken != [0]


def test_the_page_asks_for_its_changing_part_alone(site: Site) -> None:
    whole, part = site.get("/?hours=4"), site.get("/?hours=4", headers={"HX-Request": "true"})
    assert 'hx-get="/?hours=4" hx-trigger="every 15s, refresh"' in whole.text
    assert part.text.strip().startswith('<div id="live"')
    assert "<html" not in part.text
    assert rows(part.text) == rows(whole.text)


def test_whether_we_see_at_all(site: Site, world: World, make_settings: Callable[[str], Settings]) -> None:
    account = 'name = "k1"\nkind = "kuaidi100"\ncustomer = "c"\nkey = "k"\ncarriers = ["*"]'
    site.settings = make_settings(f"[[providers]]\n{account}\n[[providers]]\n{account.replace('k1', 'k2')}")
    down = ProviderState("k2", "down", site.now - 2 * HOUR, site.now - 3 * HOUR, last_error="x")
    world.store.write_now(lambda conn: providers.save(conn, down))
    text = site.get("/").text
    assert "1 个异常" in text
    assert text.index(">k2<") < text.index(">k1<")
    assert "3 小时前" in text
    site.vitals.verb("sweep", site.now - 10 * MINUTE, "磁盘满")
    site.vitals.verb("sweep", site.now, "磁盘满 <b>")
    alarmed = site.get("/").text
    assert "磁盘满 &lt;b&gt;" in alarmed
    assert 'role="alert"' in alarmed


def test_an_empty_world_says_what_to_look_at(
    store: Database, make_settings: Callable[[str], Settings]
) -> None:
    text = Site(store, make_settings("")).get("/").text
    assert "12 小时内没有包裹到时限" in text
    assert "配置里没有数据源" in text
    assert "只绑定本机，尚无登录" in text


def test_pages_of_a_long_list(world: World, make_settings: Callable[[str], Settings]) -> None:
    for n in range(55):
        world.import_(f"W{n:02d}", paid=-20 + n / 100, shipped=-19)
    site = Site(world.store, make_settings(""), now=world.now)
    first = site.get("/").text
    [onward] = re.findall(r'rel="next" href="([^"]+)"', first)
    second = site.get(onward.replace("&amp;", "&")).text
    assert rows(first) + rows(second) == [f"W{n:02d}" for n in range(55)]
    assert 'rel="prev"' in second
    # The parcels are over their limit meanwhile: the same place in the list is beyond its end.
    site.now += timedelta(hours=12)
    assert rows(site.get(onward.replace("&amp;", "&")).text) == []


def test_hostile_names_are_shown_as_they_are_read(
    world: World, make_settings: Callable[[str], Settings]
) -> None:
    world.import_("BAD", paid=-22, shipped=-21, shop="<img src=x>\u202e店13812345678")
    world.carrier.says("BAD", (-20, PICKED))
    text = Site(world.store, make_settings(""), now=world.now).get("/").text
    assert "&lt;img src=x&gt;店138******78" in text
    assert "<img" not in text
    assert "\u202e" not in text


def test_everything_of_a_page_is_of_one_moment(site: Site) -> None:
    """The clock of a demo runs hundreds of times faster: what is ahead when it is read is ahead when it is drawn."""
    start, steps = site.now, iter(range(100))
    site.app.state.context = replace(site.app.state.context, now=lambda: start + next(steps) * HOUR)
    text = site.get("/").text
    assert "SOON" in text
    assert "已超 " not in text
