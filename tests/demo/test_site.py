"""The demo's own page: what it shows and drives, that nothing hostile survives in it, and who may press."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

import monitor.demo.site
from monitor.config.settings import Settings, load
from monitor.demo.causes import Cause, Causes
from monitor.demo.dialects import Reading
from monitor.demo.faults import Fault, Switchboard
from monitor.demo.inbox import Inbox, Received
from monitor.demo.pace import FASTEST, SimulatedTime
from monitor.demo.places import CITIES
from monitor.demo.scene import GROUPS, Scene, Wall
from monitor.demo.show import _policies as policies
from monitor.demo.site import EXTRA, make_router
from monitor.demo.walk import Footsteps, watched
from monitor.demo.world import World
from monitor.store.database import Database
from monitor.vitals import Vitals
from monitor.web.context import Context
from monitor.web.site import make_site
from tests.hostile import TEXTS

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
HERE = "http://127.0.0.1:8000"
TEMPLATES = Path(monitor.demo.site.__file__).parent / "templates"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "parcelwatch.toml"
    path.touch(0o600)
    path.write_text('store = "sqlite:///unused.db"\n', "utf-8")
    return load(path)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with closing(Database.open(sqlite_url)) as opened:
        yield opened


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def scene(inbox: Inbox) -> Scene:
    world = World(7, START, per_day=180, backlog=timedelta(days=4))
    causes = Causes(world, Switchboard(), Switchboard(), [group.robot for group in GROUPS])
    time = SimulatedTime(START, 576, steady=lambda: 0.0)
    return Scene(HERE, time, causes, Wall(inbox), Vitals(START, speed=576), policies())


class Visitor:
    """A browser on the site, sending forms from its own pages."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path)

    def post(self, path: str, data: dict[str, str], **headers: str) -> httpx.Response:
        own = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"} | headers
        return self._ask("POST", path, data=data, headers=own)

    def _ask(self, method: str, path: str, **values: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
                return await client.request(method, path, **values)

        return asyncio.run(asked())


@pytest.fixture
def visitor(scene: Scene, database: Database, settings: Settings) -> Visitor:
    context = Context(
        database, scene.time, lambda: settings, scene.vitals, extras=(EXTRA,), simulated=True, who="演示用户"
    )
    site = make_site(context, routers=[make_router(scene)])
    return Visitor(watched(site, scene.steps))


def message(text: str, platform: str = "dingtalk", **more) -> Received:
    reading = Reading(title="t", lines=tuple(text.splitlines()), form="markdown", text=text)
    return Received(START, platform, "紧急群", reading, len(text), **more)


def test_the_page_stands_before_anything_was_said(visitor: Visitor) -> None:
    text = visitor.get("/demo").text
    for group in GROUPS:
        assert group.name in text
    assert text.count("还没有消息") == 3
    assert "现在没有人为的麻烦" in text
    assert 'aria-current="page">演示' in text


def test_messages_are_drawn_in_their_group_newest_first(visitor: Visitor, inbox: Inbox) -> None:
    for text in ("第一条", "第二条", "**第三条**"):
        inbox.add(message(text))
    inbox.add(message("**粗**", "onebot"))
    text = visitor.get("/demo").text
    assert text.index("第三条") < text.index("第二条") < text.index("第一条")
    assert "<strong>第三条</strong>" in text
    assert "共 3 条" in text


def test_a_link_of_a_message_leads_to_its_ticket(visitor: Visitor, inbox: Inbox) -> None:
    inbox.add(message(f"[打开工单]({HERE}/tickets/T-20261122-0001)"))
    assert '<a href="/tickets/T-20261122-0001">打开工单</a>' in visitor.get("/demo").text


def test_what_the_platform_answered_stands_below_each_message(visitor: Visitor, inbox: Inbox) -> None:
    inbox.add(message("一"))
    inbox.add(Received(START, "wecom", "淘系群", Reading(45009, "api freq out of limit"), 9))
    inbox.add(message("二", "onebot", fault=Fault.TAKE_AND_DROP))
    text = visitor.get("/demo").text
    assert "平台已收下" in text
    assert "平台拒绝：45009" in text
    assert "api freq out of limit" in text
    assert "已进群，但没有回执" in text


@pytest.mark.parametrize("first", range(0, len(TEXTS), 15))
def test_nothing_hostile_survives_in_a_message(visitor: Visitor, inbox: Inbox, first: int) -> None:
    for text in TEXTS[first : first + 15]:
        for platform in ("dingtalk", "wecom", "onebot"):
            inbox.add(message(text, platform))
    drawn = visitor.get("/demo").text.replace('<script src="/static/', "")
    assert "<script" not in drawn
    assert not re.search(r"<[a-z][^>]*\son\w+=", drawn)
    assert not re.search(r'(?:href|src|action)="(?!/|#|data:image/svg)', drawn)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", drawn)


@pytest.mark.parametrize("cause", [Cause.JAM, Cause.OUTAGE, Cause.MUTE])
def test_a_press_is_told_until_it_is_healed(visitor: Visitor, scene: Scene, cause: Cause) -> None:
    pressed = visitor.post("/demo/press", data={"cause": cause.value})
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/demo")
    assert [each.cause for each in scene.causes.standing(START)] == [cause]
    assert 'class="alert alert-warning"' in visitor.get("/demo").text
    visitor.post("/demo/press", data={"cause": "heal"})
    assert 'class="alert alert-warning"' not in visitor.get("/demo").text


@pytest.mark.parametrize(
    "form",
    [
        {"cause": "fire"},
        {"cause": ""},
        {},
        {"cause": "outage", "fault": "garbage"},
        {"cause": "jam", "fault": "x"},
    ],
)
def test_a_press_of_no_button_is_refused_and_causes_nothing(
    visitor: Visitor, scene: Scene, form: dict[str, str]
) -> None:
    assert visitor.post("/demo/press", data=form).status_code == 422
    assert scene.causes.pressed == []
    assert scene.causes.provider.mode is Fault.OK


def test_another_site_cannot_press(visitor: Visitor, scene: Scene) -> None:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for path, form in (("/demo/press", {"cause": "jam"}), ("/demo/speed", {"speed": "60"})):
        assert visitor.post(path, data=form, **foreign).status_code == 403
    assert (scene.causes.pressed, scene.time.speed) == ([], 576)


@pytest.mark.parametrize(("wanted", "is_"), [("60", 60), ("1800", 1800), ("1e9", FASTEST), ("inf", FASTEST)])
def test_the_speed_is_changed_for_the_world_and_for_those_who_wait(
    visitor: Visitor, scene: Scene, wanted: str, is_: float
) -> None:
    assert visitor.post("/demo/speed", data={"speed": wanted}).status_code == 303
    assert scene.time.speed == scene.vitals.speed == is_


@pytest.mark.parametrize("wanted", ["", "nan", "schnell", "１２abc"])
def test_a_speed_that_is_none_is_refused(visitor: Visitor, scene: Scene, wanted: str) -> None:
    assert visitor.post("/demo/speed", data={"speed": wanted}).status_code == 422
    assert scene.time.speed == 576


def test_a_press_leads_back_to_the_page_in_its_language(visitor: Visitor) -> None:
    answer = visitor.post("/demo/press", data={"cause": "burst"}, Referer=f"{HERE}/demo?lang=en")
    assert answer.headers["location"] == "/demo?lang=en"


def test_the_limits_are_shown_with_no_key_and_no_address(visitor: Visitor) -> None:
    text = visitor.get("/demo/policy").text
    assert "transit_stagnation = {limit = &#34;36h&#34;" in text
    assert not re.search(r"webhook|secret|token|customer", text)


def test_a_ticket_nobody_has_shows_the_limits_alone(visitor: Visitor) -> None:
    answer = visitor.get("/demo/policy?ticket=T-20990101-0001")
    assert answer.status_code == 200
    assert "这张工单的时限" not in answer.text


def test_only_pages_that_were_there_count_as_opened(visitor: Visitor, scene: Scene) -> None:
    visitor.get("/tickets/T-20990101-0001")
    visitor.get("/parcels/zhongtong/12345678")
    assert scene.steps.seen == set()
    visitor.get("/demo/policy")
    assert scene.steps.seen == {"policy"}


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/tickets/T-20261122-0001", {"ticket"}),
        ("/tickets/T-20261122-10001", {"ticket"}),
        ("/tickets/T-20261122-0001/ack", set()),
        ("/tickets", set()),
        ("/parcels/zhongtong/75812345678901", {"parcel"}),
        ("/parcels", set()),
        ("/demo", set()),
    ],
)
def test_which_pages_are_steps_of_the_walk(path: str, seen: set[str]) -> None:
    steps = Footsteps()
    steps.note(path)
    assert steps.seen == seen


def test_the_sheet_is_a_style_sheet(visitor: Visitor) -> None:
    answer = visitor.get("/demo/style.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert "--pw-surface" in answer.text


def said_in(path: Path) -> Iterator[str]:
    """The texts a template gives to the catalogue."""
    with path.open("rb") as source:
        for found in extract("jinja2.ext:babel_extract", source, {"_": None, "ngettext": (1, 2)}):
            yield found[1] if isinstance(found[1], str) else found[1][0]


@pytest.fixture(scope="module")
def english() -> set[str]:
    """Every source text that has a translation."""
    folder = Path(monitor.web.i18n.__file__).parent / "locale" / "en"
    read: set[str] = set()
    for path in folder.glob("*.po"):
        with path.open("rb") as source:
            for each in read_po(source):
                read.add(each.id if isinstance(each.id, str) else each.id[0])
    return read


@pytest.mark.parametrize("name", ["demo.html", "demo-policy.html"])
def test_every_text_of_the_page_is_said_in_english_too(name: str, english: set[str]) -> None:
    texts = set(said_in(TEMPLATES / name))
    assert len(texts) > 8
    assert texts <= english


def test_names_from_the_code_are_said_in_english_too(english: set[str]) -> None:
    names = {text for group in GROUPS for text in (group.app, group.robot, group.name, group.about)}
    assert names | set(CITIES) | {EXTRA.name} <= english


@pytest.mark.parametrize("name", ["demo.html", "demo-policy.html"])
def test_no_chinese_stands_outside_the_catalogue(name: str) -> None:
    text = (TEMPLATES / name).read_text("utf-8")
    bare = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    assert not CHINESE.search(bare)


def test_the_page_is_english_where_english_is_asked_for(visitor: Visitor, inbox: Inbox, scene: Scene) -> None:
    inbox.add(message("一条中文消息"))
    visitor.post("/demo/press", data={"cause": "jam"})
    text = visitor.get("/demo?lang=en").text
    own = re.sub(r'<(\w+)[^>]*lang="zh[^>]*>.*?</\1>', "", text, flags=re.DOTALL)
    carriers = {"圆通速递", "中通快递", "申通快递", "韵达快递", "顺丰速运", "极兔速递"}
    left = set(re.findall(r"[\u4e00-\u9fff]+", re.sub(r"<[^>]*>", " ", own))) - carriers
    assert left <= {"中文"}
