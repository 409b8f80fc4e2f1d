"""Subscriptions: every parcel of an account that pushes, never more often than the service allows, and what they save.

The service is 快递100's: a number four times a month, half an hour after its end at the earliest.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs

import httpx
import pytest
from structlog.testing import capture_logs

from carriers.kuaidi100 import Kuaidi100
from carriers.push import End
from domain.remote import Secret
from monitor.config.accounts import ProviderAccount
from monitor.net import Net
from monitor.pushes.subscribe import Subscribing
from monitor.store import subscriptions
from monitor.store.database import Database, StoreUnavailable
from tests.simulated import DAY, MINUTE, OUT, PICKED, SIGNED, Robot, World, at

K100 = Kuaidi100(Secret("C"), Secret("K"), base_url="http://service.test", salt=Secret("pepper"))
ACCOUNT = ProviderAccount(
    "k100", "kuaidi100", K100, frozenset({"zhongtong"}), K100.ceilings, timedelta(0), push=True,
    callback_key=Secret("sesame"),
)  # fmt: skip


@dataclass
class Service:
    """Counts like the real one."""

    now: Callable[[], datetime]
    asked: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    code: str = "200"
    """What it says next."""
    urls: set[str] = field(default_factory=set)
    failing: Callable[[], None] = lambda: None

    def answer(self, request: httpx.Request) -> httpx.Response:
        param = json.loads(parse_qs(request.content.decode())["param"][0])
        if self.code == "200":
            self.asked[param["number"]].append(self.now())
        self.urls.add(param["parameters"]["callbackurl"])
        self.failing()
        return httpx.Response(
            200, json={"result": self.code == "200", "returnCode": self.code, "message": "说"}
        )

    def obeyed(self) -> bool:
        """No number was subscribed five times in a month, or twice in half an hour."""
        return all(
            all(later - one >= 30 * MINUTE for one, later in pairwise(times))
            and all(fifth - first >= 31 * DAY for first, fifth in zip(times, times[4:], strict=False))
            for times in self.asked.values()
        )


@dataclass
class Office:
    """A world whose account pushes."""

    world: World
    account: ProviderAccount = ACCOUNT
    url: str = "https://watch.example.org"

    def __post_init__(self) -> None:
        self.service = Service(lambda: self.world.now)
        self.restart()

    def restart(self) -> None:
        net = Net(transport=httpx.MockTransport(self.service.answer))
        self.subscribing = Subscribing(self.account, self.world.db, net, self.world.clock, self.url)  # type: ignore[arg-type]

    def tick(self, hours: float = 0) -> int:
        self.world.clock.start += timedelta(hours=hours)
        return self.world.run(self.subscribing.tick)

    def states(self) -> dict[str, int]:
        return self.world.store.read_now(lambda conn: subscriptions.standing(conn, "k100"))

    def end(self, parcel: int, why: End) -> None:
        self.world.store.write_now(
            lambda conn: subscriptions.ended(
                conn, "k100", parcel, why, "", self.world.now, K100.terms.again_after
            )
        )


def opens(world: World, parcel: int) -> int:
    """How many places of its month the parcel has used up."""
    return len(world.store.read_now(lambda conn: subscriptions.opens_of(conn, "k100", parcel)))


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")])


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


def test_every_watched_parcel_is_subscribed_once(world: World, office: Office) -> None:
    for n in range(7):
        world.import_(f"Z{n}")
    world.import_("Y1", carrier="yuantong")
    assert office.tick() == 7, "another account's is not"
    assert office.tick(1) == 0
    world.import_("Z9")
    assert office.tick() == 1, "a new one at the next tick"
    assert office.states() == {"open": 8}
    assert set(office.service.asked) == {*(f"Z{n}" for n in range(7)), "Z9"}
    assert office.service.urls == {"https://watch.example.org/callbacks/k100?key=sesame"}


def test_without_an_address_nobody_is_asked(world: World) -> None:
    office = Office(world, url="")
    world.import_("Z1")
    assert office.tick() == 0
    assert not office.service.asked


def test_a_subscribed_parcel_is_asked_about_at_its_deadlines_only(world: World, office: Office) -> None:
    subscribed, other = world.import_("Z1"), world.import_("Y1", carrier="zhongtong")
    world.carrier.says("Z1", (-1, PICKED))
    world.carrier.says("Y1", (-1, PICKED))
    world.store.write_now(
        lambda conn: subscriptions.want(conn, "k100", 0, world.now, carriers=["*"], asked=True, limit=1)
    )
    world.run(office.subscribing.tick)
    world.due_now()
    world.poll()
    office.end(other, End.SILENT)
    world.tick()
    pushed_at, asked_at = world.loaded(subscribed).next_poll_at, world.loaded(other).next_poll_at
    assert pushed_at is not None
    assert asked_at is not None
    assert asked_at <= at(12) + MINUTE, "whoever is not pushed is looked at every twelve hours"
    assert pushed_at >= at(22), "the first step of a clock"


def test_a_parcel_that_was_signed_for_is_closed(world: World, office: Office) -> None:
    parcel = world.import_("Z1")
    office.tick()
    world.carrier.says("Z1", (-1, PICKED), (0, OUT), (0, SIGNED))
    world.set(26)
    world.due_now()
    world.poll()
    assert world.loaded(parcel).state == "done"
    office.tick(1.1)
    assert office.states() == {"closed": 1}


def test_given_up_as_unknown_it_is_renewed_when_a_question_has_shown_a_scan(
    world: World, office: Office
) -> None:
    parcel = world.import_("Z1")
    office.tick()
    world.set(72)
    office.end(parcel, End.NO_RECORD)
    assert office.tick(0.4) == 0, "not within half an hour"
    assert office.tick(0.2) == 0, "and not before somebody has checked"
    world.carrier.says("Z1", (70, PICKED))
    world.due_now()
    world.poll()
    assert office.tick(1) == 0
    assert office.tick(24) == 1
    assert office.states() == {"open": 1}
    assert office.service.obeyed()


@pytest.mark.parametrize(
    ("why", "state"),
    [(End.SILENT, "ended"), (End.DONE, "ended"), (End.REFUSED, "refused"), (End.CORRECTED, "open")],
)
def test_other_ends(world: World, office: Office, why: End, state: str) -> None:
    parcel = world.import_("Z1")
    office.tick()
    office.end(parcel, why)
    office.end(parcel, why)
    assert office.states() == {state: 1}
    assert office.tick(24 * 40) == 0, "nothing more will come"


def test_the_ceiling_of_a_month_holds_whatever_happens(world: World, office: Office) -> None:
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (0, PICKED))
    world.due_now()
    world.poll()
    for nth in range(190):
        office.tick(0.3 if nth % 3 else 15)
        office.restart()
        if office.states().get("open"):
            office.end(parcel, End.NO_RECORD)
    assert len(office.service.asked["Z1"]) == 8, "four in each of two months"
    assert office.service.obeyed()


def test_a_crash_at_any_moment_breaks_no_ceiling(
    world: World, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost each time: the service has counted, and so have we."""
    world.import_("Z1")

    def dies(*_: object) -> None:
        raise StoreUnavailable("gone")

    for nth in range(150):
        with monkeypatch.context() as broken:
            broken.setattr(subscriptions, "settle", dies)
            try:
                office.tick(0.4 if nth % 3 else 15)
            except StoreUnavailable:
                office.restart()
    assert len(office.service.asked["Z1"]) >= 4, "it is tried again"
    assert office.service.obeyed()


@pytest.mark.parametrize("code", ["701", "702", "700"])
def test_who_is_refused_is_asked_about_as_ever(world: World, office: Office, code: str) -> None:
    world.import_("Z1")
    office.service.code = code
    assert office.tick() == 1
    assert office.states() == {"refused": 1}
    [why] = world.column("SELECT why FROM subscriptions")
    assert code in why
    assert office.tick(24) == 0, "and asked for no more"


def test_an_account_that_is_refused_rests_and_nothing_is_used_up(world: World, office: Office) -> None:
    parcels = [world.import_(f"Z{n}") for n in range(30)]
    office.service.code = "601"
    office.tick()
    assert len(office.service.urls) == 1
    assert office.states() == {"wanted": 30}
    assert office.tick(0.1) == 0, "it rests"
    office.service.code = "200"
    assert office.tick(1) == 30
    assert [opens(world, each) for each in parcels] == [1] * 30


def test_what_the_service_cannot_do_now_it_is_asked_again(world: World, office: Office) -> None:
    world.import_("Z1")
    office.service.code = "500"
    office.tick()
    office.service.code = "200"
    assert office.tick(0.01) == 0
    assert office.tick(0.6) == 1
    assert office.states() == {"open": 1}


def test_an_answer_nobody_can_read_uses_its_place_up(world: World, office: Office) -> None:
    parcel = world.import_("Z1")
    office.service.code = "999"
    office.tick()
    assert opens(world, parcel) == 1
    office.service.code = "200"
    assert office.tick(0.6) == 0
    assert office.tick(1) == 1


def test_an_account_that_is_never_asked_subscribes_by_its_carriers(world: World) -> None:
    world.import_("Z1")
    world.import_("Y1", carrier="yuantong")
    want = subscriptions.want
    last = world.store.write_now(
        lambda conn: want(conn, "p", 0, world.now, carriers=["yuantong"], asked=False, limit=9)
    )
    rows = world.rows(
        "SELECT waybill_no FROM subscriptions JOIN parcels ON parcels.id = parcel_id WHERE provider = 'p'"
    )
    assert rows == [("Y1",)]
    assert (
        world.store.write_now(
            lambda conn: want(conn, "p", last, world.now, carriers=["*"], asked=False, limit=9)
        )
        == 0
    )


def test_who_is_watched_again_is_subscribed_again(world: World, office: Office) -> None:
    parcel = world.import_("Z1")
    office.tick()
    world.store.write_now(lambda conn: conn.exec_driver_sql("UPDATE parcels SET state = 'unwatched'"))
    office.tick(1.1)
    assert office.states() == {"closed": 1}
    world.store.write_now(lambda conn: conn.exec_driver_sql("UPDATE parcels SET state = 'watched'"))
    office.tick(1.1)
    assert office.states() == {"open": 1}
    assert len(office.service.asked["Z1"]) == 2
    assert parcel


def test_the_address_as_the_owner_wrote_it() -> None:
    own = replace(ACCOUNT, callback_url="https://hooks.example.org/p?a=1", callback_key=Secret("开门"))
    assert own.callback("https://unused") == "https://hooks.example.org/p?a=1&key=%E5%BC%80%E9%97%A8"
    assert replace(ACCOUNT, name="快递 100", callback_key=None).callback("https://a/") == (
        "https://a/callbacks/%E5%BF%AB%E9%80%92%20100"
    )


def test_the_log_names_the_account_and_says_nothing_where_nothing_was_subscribed(
    world: World, office: Office
) -> None:
    world.import_("Z1")
    office.service.code = "700"
    with capture_logs() as refused:
        assert office.tick() == 1
    assert [each for each in refused if each["event"] == "subscribed"] == []
    world.import_("Z2")
    office.service.code = "200"
    with capture_logs() as taken:
        assert office.tick() == 1
    [said] = [each for each in taken if each["event"] == "subscribed"]
    assert (said["account"], said["opened"], said["asked"]) == ("k100", 1, 1)
