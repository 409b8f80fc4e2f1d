"""The feed doctor through the real poller and store (B7, L1): one carrier of several is down, and nobody is accused.

Both carriers are asked through one account, in the dialect of `tests/simulated.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.time import to_micros
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent
from monitor.feeds.doctor import Doctor
from monitor.feeds.feed import FeedState
from monitor.polling.keeping import Keeper
from monitor.polling.told import Told
from monitor.store import feeds, outbox
from monitor.store.database import Database
from monitor.store.feeds import Counts, Lag
from tests.simulated import DAY, HOUR, HUB, MINUTE, OUT, PICKED, T0, Robot, World, at, scans

ZTO, YTO = "zhongtong", "yuantong"
SHOWN = {ZTO: "k100 · 中通快递", YTO: "k100 · 圆通速递"}


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")], carriers=frozenset({"*"}))


def numbers(carrier: str, n: int) -> list[str]:
    return [f"{carrier[0].upper()}{i:03d}" for i in range(n)]


def on_their_way(world: World, n: int = 8, *, hours: float = -1) -> None:
    """So many parcels of each carrier, picked up and looked at."""
    for carrier in (ZTO, YTO):
        for number in numbers(carrier, n):
            world.import_(number, carrier=carrier)
            world.carrier.says(number, (hours, PICKED))
    world.due_now()
    world.poll()


def later(world: World, hours: float) -> None:
    """Everything is asked about again."""
    world.clock.start += timedelta(hours=hours)
    world.due_now()
    world.poll()


def news(world: World) -> list[str]:
    rows = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", at(99_999), 1000))
    told = sorted((row for row in rows if row.message.kind == "feed"), key=lambda row: row.id)
    return [row.message.title.removeprefix("[数据源] ") for row in told]


def states(world: World) -> dict[str, FeedState]:
    found = world.store.read_now(lambda conn: feeds.lines(conn, "k100"))
    return {carrier: line.state for carrier, line in found.items() if carrier}


def counts(world: World, carrier: str = ZTO) -> Counts:
    found = world.store.read_now(lambda conn: feeds.totals(conn, T0 - DAY))
    return found["k100", carrier]


def seen(world: World, carrier: str) -> set[Any]:
    return set(
        world.column(
            "SELECT coalesce(d.seen_at, p.observed_at) FROM parcels p JOIN due d ON d.parcel_id = p.id"
            " WHERE p.carrier = :carrier",
            carrier=carrier,
        )
    )


# ── one carrier is down, the other is not ────────────────────────────────────────────────────────


def breaks(world: World, how: str, n: int = 8) -> None:
    for number in numbers(ZTO, n):
        if how == "emptied":
            world.carrier.says(number)
        elif how == "strange":
            world.carrier.says(number, (-9, PICKED), (-8, HUB))
        else:
            world.carrier.fails(number, how)


@pytest.mark.parametrize("how", ["emptied", "unreadable"])
def test_one_carrier_is_down_told_once_and_accuses_nobody(world: World, how: str) -> None:
    on_their_way(world)
    breaks(world, how)
    later(world, 2)
    assert states(world) == {ZTO: FeedState.DOWN, YTO: FeedState.UP}
    assert [each.split("，")[0] for each in news(world)] == [f"{SHOWN[ZTO]} 查询不正常"]
    assert world.poller.feed.state is not FeedState.DOWN, "the account answers"
    for _ in range(6):
        later(world, 9)
        world.tick()
    assert len(news(world)) == 1, "told once"
    accused = world.column("SELECT DISTINCT p.carrier FROM findings f JOIN parcels p ON p.id = f.parcel_id")
    assert accused == [YTO], "48 hours without a scan: who can be seen is judged, who cannot is not"
    assert max(seen(world, ZTO)) < to_micros(T0 + MINUTE)


def test_other_parcels_traces_under_all_its_numbers_are_an_outage_too(world: World) -> None:
    on_their_way(world)
    for number in numbers(ZTO, 8):
        world.carrier.says(number, (-1, PICKED), (0, HUB))
    later(world, 1)
    breaks(world, "strange")
    later(world, 1)
    assert states(world) == {ZTO: FeedState.DOWN, YTO: FeedState.UP}


def test_refusals_of_one_carrier_are_told_and_the_account_goes_on(world: World) -> None:
    on_their_way(world, 22)
    breaks(world, "rejected", 22)
    later(world, 2)
    assert states(world) == {ZTO: FeedState.DOWN, YTO: FeedState.UP}
    assert [each.split("，")[0] for each in news(world)] == [f"{SHOWN[ZTO]} 查询不正常"]
    assert world.poller.feed.state is FeedState.UP


def test_when_it_is_back_who_waits_is_looked_at_before_anything_is_said(world: World) -> None:
    on_their_way(world)
    breaks(world, "emptied")
    later(world, 2)
    world.set(60)  # every limit has passed meanwhile
    world.tick()
    world.poll()
    assert [
        each
        for each in world.column("SELECT p.carrier FROM findings f JOIN parcels p ON p.id = f.parcel_id")
        if each == ZTO
    ] == []

    moved, still = numbers(ZTO, 8)[:4], numbers(ZTO, 8)[4:]
    for number in moved:
        world.carrier.says(number, (-1, PICKED), (40, HUB))
    for number in still:
        world.carrier.says(number, (-1, PICKED))
    asked_before = len(world.carrier.asked)

    async def verbs() -> None:
        await world.db.write(lambda conn: world.sweep.tick(conn, world.now))
        await world.poller.tick()

    for _ in range(10):  # a probe is due within six hours at the latest; then everybody, in one cycle
        world.run(lambda: world.repeat(verbs, seconds=3600, every=60))
        unproven = world.column(
            "SELECT count(*) FROM findings f JOIN parcels p ON p.id = f.parcel_id"
            " WHERE p.carrier = :carrier AND p.observed_at <= :then",
            carrier=ZTO,
            then=to_micros(at(60)),
        )
        assert unproven == [0], "first a look, then a finding"
    assert [each.split("，")[0] for each in news(world)] == [
        f"{SHOWN[ZTO]} 查询不正常",
        f"{SHOWN[ZTO]} 已恢复",
    ]
    guilty = world.column(
        "SELECT p.waybill_no FROM findings f JOIN parcels p ON p.id = f.parcel_id"
        " WHERE p.carrier = :carrier AND f.rule = 'transit_stagnation' AND f.stage = 'breach' ORDER BY 1",
        carrier=ZTO,
    )
    assert guilty == still
    assert {number for _, number in world.carrier.asked[asked_before:]} >= set(moved + still)


def test_while_it_is_down_its_parcels_cost_a_few_questions_and_not_one_each_half_hour(world: World) -> None:
    on_their_way(world, 40)
    breaks(world, "emptied", 40)
    later(world, 2)
    before = len(world.carrier.asked)

    async def verbs() -> None:
        await world.db.write(lambda conn: world.sweep.tick(conn, world.now))
        await world.poller.tick()

    world.set(50)  # all their clocks have run out
    world.run(lambda: world.repeat(verbs, seconds=5 * 3600, every=60))
    asked = [number for _, number in world.carrier.asked[before:] if number.startswith("Z")]
    assert 3 <= len(asked) <= 5 * 30 + 40


@pytest.mark.parametrize("how", ["emptied", "unreadable", "rejected"])
def test_a_few_poisoned_numbers_are_no_outage(world: World, how: str) -> None:
    on_their_way(world)
    breaks(world, how, 3)
    for _ in range(12):
        later(world, 1)
    assert set(states(world).values()) == {FeedState.UP}
    assert news(world) == []


def test_a_feed_that_flaps_is_told_once(world: World) -> None:
    on_their_way(world, 48)
    ids = dict(world.rows("SELECT waybill_no, id FROM parcels"))
    world.clock.start += HOUR
    for turn in range(8):
        six = numbers(ZTO, 48)[6 * turn : 6 * turn + 6]
        for number in six[:-1] if turn else six:
            world.carrier.says(number)
        world.due_now(*(ids[number] for number in six))
        world.poll()
        world.clock.start += MINUTE
        world.due_now(ids[numbers(YTO, 48)[turn]])
        world.poll()
        world.clock.start += MINUTE
    assert [each.split("，")[0] for each in news(world)] == [
        f"{SHOWN[ZTO]} 查询不正常",
        f"{SHOWN[ZTO]} 已恢复",
    ]


@pytest.mark.parametrize("error", ["denied", "unavailable", "unreadable"])
def test_what_befalls_all_of_them_is_told_once_and_for_the_account(world: World, error: str) -> None:
    on_their_way(world)
    world.carrier.everywhere = error
    later(world, 15)  # one in the morning
    assert [each.split("，")[0] for each in news(world)] == ["k100 查询中断"]
    assert world.poller.feed.state is FeedState.DOWN
    world.run(lambda: world.repeat(world.poller.tick, seconds=8 * 3600, every=60))
    assert len(news(world)) == 1
    world.carrier.everywhere = ""
    world.run(lambda: world.repeat(world.poller.tick, seconds=7200, every=60))
    assert [each.split("，")[0] for each in news(world)] == ["k100 查询中断", "k100 已恢复"]
    assert set(states(world).values()) == {FeedState.UP}


def test_an_account_with_half_of_its_questions_failing_is_told_to_be_poor(world: World) -> None:
    on_their_way(world, 40)
    for carrier in (ZTO, YTO):
        for number in numbers(carrier, 40)[::2]:
            world.carrier.fails(number, "unreadable")
    later(world, 3)
    assert [each for each in news(world) if "不稳" in each] == ["k100 不稳：近一小时一半以上的查询失败"]
    for carrier in (ZTO, YTO):
        for number in numbers(carrier, 40):
            world.carrier.says(number, (-1, PICKED))
    later(world, 3)
    assert news(world)[-1].startswith("k100 查询恢复稳定")


# ── a silence ────────────────────────────────────────────────────────────────────────────────────


def usual(world: World, carrier: str, *, days: int = 14) -> None:
    """Two weeks of hours in which each day's scans came by day and none at night."""

    def fill(conn: Any) -> None:
        for n in range(days * 24):
            hour = T0 - DAY * days + HOUR * n
            by_day = (hour.hour + 8) % 24 in range(8, 22)
            found = Counts(looks=30, news=20 if by_day else 0, watched_s=30 * 3600)
            feeds.add(conn, "k100", {carrier: found}, hour)

    world.store.write_now(fill)


def silent_hours(world: World, n: int) -> None:
    for _ in range(n):
        later(world, 1)


def test_a_carrier_that_brings_nothing_new_is_silent_and_accuses_nobody(world: World) -> None:
    usual(world, ZTO)
    on_their_way(world, 25)
    later(world, 0)
    for number in numbers(ZTO, 25):
        world.carrier.says(number, (-1, PICKED), (0, HUB))
    later(world, 1)
    silent_hours(world, 6)
    assert states(world) == {ZTO: FeedState.DOWN, YTO: FeedState.UP}
    assert news(world) == [f"{SHOWN[ZTO]} 没有新轨迹，暂停一切基于它的判定"]
    stood = max(seen(world, ZTO))
    silent_hours(world, 50)
    assert max(seen(world, ZTO)) == stood, "a stale copy proves nothing"
    for number in numbers(ZTO, 25)[:3]:
        world.carrier.says(number, (-1, PICKED), (0, HUB), (50, OUT))
    silent_hours(world, 1)
    assert news(world)[1:] == [f"{SHOWN[ZTO]} 已恢复，中断 53 小时"]


def test_a_night_and_a_shop_with_few_parcels_are_no_silence(world: World) -> None:
    usual(world, ZTO)
    usual(world, YTO)
    on_their_way(world, 12)
    world.set(12)  # ten in the evening
    for carrier in (ZTO, YTO):
        for number in numbers(carrier, 12):
            world.carrier.says(number, (-1, PICKED), (11, HUB))
    silent_hours(world, 1)
    silent_hours(world, 9)
    assert news(world) == []
    assert set(states(world).values()) == {FeedState.UP}


# ── the books ────────────────────────────────────────────────────────────────────────────────────


def test_every_question_is_counted_once_with_what_came_of_it(world: World) -> None:
    on_their_way(world, 3)
    later(world, 1)  # word for word the same
    world.carrier.says("Z000")
    world.carrier.fails("Z001", "rejected")
    world.carrier.fails("Z002", "unreadable")
    later(world, 1)
    found = counts(world)
    assert (found.answered, found.same, found.empty, found.emptied) == (7, 3, 0, 1)
    assert (found.refused, found.unreadable, found.failed, found.asked, found.bad) == (1, 1, 0, 9, 3)
    assert found.success == pytest.approx(2 / 3)
    assert counts(world, YTO).success == 1
    assert counts(world, YTO).asked == 9


@pytest.mark.parametrize(
    ("told", "unknown"),
    [
        pytest.param(
            TrackingEvent(at(0.5), Milestone.UNKNOWN, "喵", "x9"), 1, id="nobody knows what it means"
        ),
        pytest.param(
            TrackingEvent(at(0.5), Milestone.UNKNOWN, "预计11月21日17:00前送达", "0", forecast=True),
            0,
            id="forecast",
        ),
        pytest.param(
            TrackingEvent(
                at(0.5), Milestone.UNKNOWN, "快件丢失", "2", exceptions=frozenset({ExceptionKind.LOST})
            ),
            0,
            id="trouble in plain words",
        ),
    ],
)
def test_only_what_nobody_understood_counts_as_unknown(
    world: World, told: TrackingEvent, unknown: int
) -> None:
    """The share stands beside the list of unknown codes and words, and must not contradict it."""
    parcel = world.import_("Z1")
    keeper = Keeper("k100", (), world.sweep, Doctor("k100", (), 30 * MINUTE))
    news = Told(parcel, Answer(ZTO, "Z1", (told,)), T0 + HOUR, T0 + HOUR, T0 + HOUR)
    world.store.write_now(lambda conn: keeper.keep(conn, [news], T0 + HOUR))
    assert (counts(world).scans, counts(world).unknown) == (1, unknown)


def test_the_first_look_at_an_old_parcel_says_nothing_of_the_delay(world: World) -> None:
    on_their_way(world, 2, hours=-40)
    assert counts(world).scans == 2
    assert counts(world).lag(0.5) is None


@pytest.mark.parametrize(
    ("occurred", "lag"),
    [
        pytest.param(0.9, Lag(timedelta(0), 15 * MINUTE), id="scanned after the look before: at most"),
        pytest.param(-0.9, Lag(30 * MINUTE, 2 * HOUR), id="scanned an hour before it: at least half an hour"),
        pytest.param(-20, Lag(16 * HOUR, None), id="kept back for most of a day"),
    ],
)
def test_a_delay_is_bound_by_our_own_looks(world: World, occurred: float, lag: Lag) -> None:
    on_their_way(world, 1, hours=-30)
    world.carrier.says("Z000", (-30, PICKED), (occurred, HUB))
    later(world, 1)
    assert counts(world).lag(0.5) == counts(world).lag(0.95) == lag


def test_the_hours_and_the_answers_are_kept_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    on_their_way(world, 1)
    before = world.rows("SELECT * FROM feed_hours ORDER BY carrier, hour")

    def no_room(*_: Any) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(feeds, "save", no_room)
    world.carrier.says("Z000", (-1, PICKED), (0.5, HUB))
    later(world, 1)
    assert world.rows("SELECT * FROM feed_hours ORDER BY carrier, hour") == before
    assert world.column("SELECT count(*) FROM events WHERE milestone = 'in_transit'") == [0]


def test_parcels_nobody_ever_answered_for_are_counted(world: World) -> None:
    on_their_way(world, 2)
    world.import_("Z900", carrier=ZTO)
    world.carrier.fails("Z900", "rejected")
    later(world, 1)
    found = world.store.read_now(feeds.unheard)
    assert found == {("k100", ZTO): 1}


def pushed(world: World, parcel: int, *told: tuple[float, Any], hours: float) -> None:
    """A push, at that many hours after T0."""
    keeper = Keeper("k100", (), world.sweep, Doctor("k100", world.routes, HOUR / 2))
    now = at(hours)
    answer = Answer(ZTO, "Z900", tuple(scans(*told)), whole=False)
    news_ = Told(parcel, answer, None, None, now)
    world.store.write_now(lambda conn: keeper.keep(conn, [news_], now))


def test_a_push_says_exactly_how_late_it_is_and_the_first_one_nothing(world: World) -> None:
    parcel = world.import_("Z900", carrier=ZTO)
    pushed(world, parcel, (-1.5, PICKED), hours=1)
    assert counts(world).lag(0.5) is None, "it tells of old things"
    pushed(world, parcel, (1.2, HUB), hours=2)
    assert counts(world).lag(0.5) == Lag(30 * MINUTE, HOUR), "48 minutes"
    found = counts(world)
    assert (found.pushed, found.asked, found.scans, found.looks) == (2, 0, 2, 0)
    assert world.loaded(parcel).case.observed_at is None, "and it proves no silence"
