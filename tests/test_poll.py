"""Asking the carriers (laws L1, L5, L6, L7; features B4, B5, B7, B8): what an answer is, what none is, and how often.

The carrier is that of `tests/simulated.py`: half an hour between two questions about one number, 48 a day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carriers.base import Ceilings, Question
from domain.remote import Conversation, Rejected, Reply, Request
from domain.time import to_micros
from domain.tracking import Answer
from monitor.store import outbox, providers
from monitor.store.database import Database, StoreUnavailable
from monitor.telling.routing import Route
from tests.simulated import (
    DAY,
    HOUR,
    HUB,
    MINUTE,
    OUT,
    PICKED,
    POLITE,
    T0,
    Adapter,
    Robot,
    Scan,
    World,
    at,
)

SECOND = timedelta(seconds=1)
TABLES = (
    *("orders", "parcels", "order_parcels", "events", "event_edits", "findings", "tickets", "ticket_entries"),
    *("outbox", "oddities", "unknown_codes"),
)
SCANS = ("events", "event_edits")


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")])


@pytest.fixture
def asked(world: World) -> int:
    """A parcel that was picked up an hour ago and has been asked about just now."""
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (-1, PICKED))
    world.due_now()
    assert world.poll().parcels == 1
    return parcel


def again(world: World, hours: float = 1) -> Any:
    """So many hours later everything is asked about."""
    world.clock.start += timedelta(hours=hours)
    world.due_now()
    return world.poll()


def everything(world: World) -> dict[str, list[Any]]:
    return {table: world.rows(f"SELECT * FROM {table}") for table in TABLES}


def feed_news(world: World) -> list[str]:
    """What was written about the account."""
    rows = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", at(99_999), 1000))
    rows.sort(key=lambda row: row.id)
    return [row.message.title.split("，")[0] for row in rows if row.message.kind == "feed"]


# ── an answer, and what it costs ─────────────────────────────────────────────────────────────────


def test_an_answer_that_repeats_the_last_one_costs_a_reschedule_and_nothing_else(
    world: World, asked: int
) -> None:
    before, seen = everything(world), world.loaded(asked).case.observed_at
    assert again(world).parcels == 1
    assert everything(world) == before, "only `due`, and the account's own books"
    loaded = world.loaded(asked)
    assert seen == T0
    assert loaded.case.observed_at == at(1)
    assert loaded.next_poll_at is not None
    assert loaded.next_poll_at > at(2)


def test_a_fresh_answer_and_its_consequences_land_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (-1, PICKED))
    put = outbox.put

    def no_room(conn: Any, rows: Any) -> int:
        put(conn, rows)
        raise RuntimeError("disk full")

    world.set(25)
    monkeypatch.setattr(outbox, "put", no_room)
    world.due_now()
    world.poll()
    assert world.counts() == {
        **dict.fromkeys(("events", "findings", "tickets", "ticket_entries", "outbox"), 0),
        "oddities": 1,
    }
    assert world.loaded(parcel).case.observed_at is None, "what was not kept was not seen"
    assert world.loaded(parcel).why == "无法处理查询结果：RuntimeError: disk full"
    again_at = world.loaded(parcel).next_poll_at
    assert again_at is not None
    assert at(25.5) <= again_at < at(25.5) + 5 * SECOND, "again as soon as the ceiling allows, for sure"

    monkeypatch.undo()
    world.set(25.51)
    world.poll()
    assert (world.counts()["events"], world.counts()["findings"], world.counts()["outbox"]) == (1, 1, 1)
    assert world.loaded(parcel).why == ""


def test_a_poisoned_parcel_stops_only_itself(world: World) -> None:
    """Promise 7: put aside, counted and shown."""
    parcels_ = {number: world.import_(number) for number in ("Z1", "Z2", "Z3")}
    for number in parcels_:
        world.carrier.says(number, (-1, PICKED))
    world.store.write_now(
        lambda conn: conn.exec_driver_sql(f"UPDATE parcels SET journey = '{{' WHERE id = {parcels_['Z2']}")
    )
    world.due_now()
    assert world.poll().parcels == 3
    assert world.column("SELECT count(*) FROM events") == [2]
    assert world.column("SELECT parcel_id FROM events ORDER BY parcel_id") == [parcels_["Z1"], parcels_["Z3"]]
    assert len(world.column("SELECT body FROM oddities WHERE reason LIKE 'Z2：%'")) == 1


def test_a_store_that_is_away_loses_no_claim_and_no_outage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.import_many(6)
    world.tick()
    world.carrier.everywhere = "denied"
    world.due_now()
    write, calls = world.db.write, Counter[str]()

    async def away(work: Callable[[Any], Any]) -> Any:
        calls["write"] += 1
        if calls["write"] == 3:  # after the start's and the claim's: what came of it
            raise StoreUnavailable("weg")
        return await write(work)

    monkeypatch.setattr(world.db, "write", away)
    with pytest.raises(StoreUnavailable):
        world.poll()
    assert feed_news(world) == []
    again(world)
    assert feed_news(world) == ["[数据源] k100 查询中断"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(st.tuples(st.integers(-40, 0), st.sampled_from([PICKED, HUB, OUT])), max_size=6),
    later=st.lists(st.tuples(st.integers(-40, 0), st.sampled_from([PICKED, HUB, OUT])), max_size=6),
)
def test_asking_twice_stores_nothing_new(sqlite_world: World, told: list[Scan], later: list[Scan]) -> None:
    world = sqlite_world
    world.set(0)
    number = f"Z{world.column('SELECT count(*) FROM parcels')[0]}"
    parcel = world.import_(number)
    for turn, answer in enumerate((told, later)):
        world.carrier.says(number, *answer, nonce=0)
        again_one(world, parcel)
        before = everything(world)
        world.carrier.says(number, *answer, nonce=turn + 1)  # other bytes, the same words
        again_one(world, parcel)
        assert [everything(world)[table] for table in SCANS] == [before[table] for table in SCANS]


def again_one(world: World, parcel: int) -> None:
    world.clock.start += HOUR / 2
    world.due_now(parcel)
    world.poll()


@pytest.fixture
def sqlite_world(sqlite_url: str, tmp_path: Any) -> Any:
    from tests.conftest import opened

    with opened(sqlite_url, tmp_path) as store:
        yield World(store, [Robot("ops")])


# ── what is a look (L1) ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "looked", "oddity"),
    [
        pytest.param({"scans": [(-1, "picked_up")]}, True, "", id="the same"),
        pytest.param({"scans": [(-1, "picked_up"), (0.5, "in_transit")]}, True, "", id="a new scan"),
        pytest.param({"scans": []}, False, "原有轨迹，这次查询却为空", id="empty after full"),
        pytest.param({"error": "unavailable"}, False, "", id="no connection"),
        pytest.param({"error": "unreadable"}, False, "看不懂", id="unreadable"),
        pytest.param({"error": "rejected"}, False, "", id="a locked or refused number"),
        pytest.param({"error": "throttled"}, False, "", id="too fast"),
        pytest.param({"error": "denied"}, False, "", id="a refused account"),
    ],
)
def test_only_an_answer_is_a_look(
    world: World, asked: int, answer: dict[str, Any], looked: bool, oddity: str
) -> None:
    world.carrier.known["Z1"] = answer
    again(world)
    assert world.loaded(asked).case.observed_at == (at(1) if looked else T0)
    reasons = world.column("SELECT reason FROM oddities")
    assert ([oddity in reason for reason in reasons] or [False]) == [bool(oddity)]
    assert [oddity] == [""] or reasons[0].startswith("Z1：")
    events = world.column("SELECT count(*) FROM events WHERE withdrawn_at IS NULL")[0]
    assert events == (2 if len(answer.get("scans", ())) == 2 else 1), "nothing known is lost"


def test_nothing_known_of_a_number_is_a_look_when_it_is_said_twice(world: World) -> None:
    parcel = world.import_("Z1")
    world.set(25)
    world.due_now()
    world.poll()
    assert world.open_findings(parcel) == {}
    again(world)
    assert world.loaded(parcel).case.observed_at == at(26)
    assert set(world.open_findings(parcel)) == {"late_pickup"}
    assert "no_news" in world.open_findings(parcel)["late_pickup"].evidence, (
        "and names the other explanations"
    )


def test_another_parcels_answer_is_no_look_and_is_kept_to_be_looked_into(world: World, asked: int) -> None:
    world.carrier.says("Z1", (-1, PICKED), (0.5, HUB))
    again(world)
    world.carrier.says("Z1", (-7, PICKED), (-3, HUB))
    again(world)
    assert world.loaded(asked).case.observed_at == at(1)
    assert world.column("SELECT count(*) FROM events") == [2]
    [(reason, body)] = world.rows("SELECT reason, body FROM oddities")
    assert reason == "Z1：与已知轨迹毫无重合，疑为别的包裹"
    assert body.splitlines() == [
        "2026-11-09T19:00:00+00:00 picked_up picked_up -7",
        "2026-11-09T23:00:00+00:00 in_transit in_transit -3",
    ]


def test_an_unreadable_reply_is_kept_without_what_is_nobodys_business(world: World, asked: int) -> None:
    world.carrier.known["Z1"] = {"error": "unreadable", "call": "13812345601", "sign": "ABCDEF0123456789"}
    again(world)
    [(source, reason, body)] = world.rows("SELECT source, reason, body FROM oddities")
    assert (source, reason) == ("k100", "Z1：看不懂")
    assert "unreadable" in body, "it is the next sample"
    assert "13812345601" not in body
    assert "ABCDEF0123456789" not in body


def test_a_provider_that_is_behind_proves_less(database: Database) -> None:
    world = World(database, [Robot("ops")], lag=2 * HOUR)
    parcel = world.import_("Z1")
    world.due_now()
    world.set(22)
    world.poll()
    again(world)
    assert world.loaded(parcel).case.observed_at == at(21)
    assert {rule: each.step for rule, each in world.open_findings(parcel).items()} == {"late_pickup": 2}


@pytest.mark.parametrize(("read_at", "seen"), [(20, 20), (30, 26)], ids=["its own word", "never the future"])
def test_a_provider_that_says_when_it_read_the_carrier_proves_that(
    world: World, read_at: float, seen: float
) -> None:
    parcel = world.import_("Z1")
    world.carrier.says("Z1", read_at=read_at)
    world.set(25)
    world.due_now()
    world.poll()
    again(world)
    assert world.loaded(parcel).case.observed_at == at(seen)
    again(world)
    assert world.loaded(parcel).case.observed_at == at(20 if read_at == 20 else 27), (
        "also when the words are the same"
    )


def test_scans_of_an_earlier_use_of_the_number_are_dropped(world: World) -> None:
    """Numbers are reused; what is two days older than the payment is another parcel's."""
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (-2000, PICKED), (-1990, OUT), (-60, HUB), (-1, PICKED))
    world.due_now()
    world.poll()
    assert world.column("SELECT text FROM events") == ["picked_up -1"]
    world.carrier.says("Z1", (-2000, PICKED))
    assert world.loaded(parcel).case.journey.events == 1


def test_unknown_codes_are_counted_and_shown(world: World, asked: int) -> None:
    """L7."""
    world.carrier.says("Z1", (-1, PICKED), unknown=["1234 神秘", "88"])
    again(world)
    world.carrier.says("Z1", (-1, PICKED), (1, HUB), unknown=["88"])
    again(world)
    assert world.rows("SELECT code, n, sample FROM unknown_codes ORDER BY code") == [
        ("1234 神秘", 1, "zhongtong/Z1"),
        ("88", 2, "zhongtong/Z1"),
    ]
    [row] = world.store.read_now(lambda conn: providers.listing(conn, world.now))
    assert (row["unknown_codes"], row["asked_today"]) == (2, 3)


# ── when it is asked again ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "after"),
    [
        pytest.param("unavailable", 30 * MINUTE, id="nobody acts: as soon as the ceiling allows"),
        pytest.param("unreadable", 30 * MINUTE, id="a developer acts"),
        pytest.param("denied", 30 * MINUTE, id="the owner acts; the account's probes set the pace"),
        pytest.param("throttled", 90 * MINUTE, id="not before it says"),
        pytest.param("closed", 30 * MINUTE, id="nor sooner than the ceiling"),
        pytest.param("rejected", DAY, id="this number: tomorrow"),
    ],
)
def test_when_a_number_is_asked_about_again_after_a_failure(
    world: World, asked: int, error: str, after: timedelta
) -> None:
    world.carrier.fails("Z1", error)
    world.clock.start += HOUR
    world.due_now()
    world.poll()
    answered = world.now
    assert answered - at(1) < MINUTE
    due_at = world.loaded(asked).next_poll_at
    assert due_at is not None
    assert abs(due_at - answered - after) < SECOND
    assert world.loaded(asked).next_deadline_at is not None, "its deadlines are what they were"


def test_a_refused_number_says_why(world: World, asked: int) -> None:
    world.carrier.fails("Z1", "rejected")
    again(world)
    assert world.loaded(asked).why == "单号不对"
    assert feed_news(world) == []


@pytest.mark.parametrize("error", ["unreadable", "unavailable"])
def test_under_a_short_ceiling_a_failure_is_asked_about_soon_but_not_at_once(
    database: Database, error: str
) -> None:
    world = World(database, ceilings=Ceilings(SECOND, 10_000, 20.0, 16))
    parcel = world.import_("Z1")
    world.carrier.fails("Z1", error)
    for _ in range(5):  # a sixth would be an outage, and its probes set the pace
        world.due_now()
        world.poll()
        due_at = world.loaded(parcel).next_poll_at
        assert due_at is not None
        assert SECOND <= due_at - world.now <= 10 * MINUTE
        world.clock.start = due_at


# ── ceilings (B4) ────────────────────────────────────────────────────────────────────────────────


def most_within(moments: Sequence[Any], window: timedelta) -> int:
    """The most that any window of that length holds."""
    return max(sum(first <= each < first + window for each in moments) for first in moments)


@pytest.mark.parametrize("daily", [1, 6, 40])
def test_no_number_is_asked_about_more_often_than_the_provider_allows(
    sqlite_world: World, daily: int
) -> None:
    """快递100: half an hour between two questions and 48 a day, or the number is locked."""
    world = World(
        sqlite_world.store,
        ceilings=Ceilings(30 * MINUTE, daily, per_second=20.0, concurrency=4),
        freshness=MINUTE,
    )
    for number in ("Z1", "Z2", "Z3"):
        world.import_(number, paid=-30)  # overdue: wants to be asked about all the time

    async def eagerly() -> None:
        world.due_now()
        await world.poller.tick()

    world.run(lambda: world.repeat(eagerly, seconds=3 * 86400, every=400))
    for number in ("Z1", "Z2", "Z3"):
        moments = [moment for moment, asked in world.carrier.asked if asked == number]
        assert all(b - a >= 30 * MINUTE for a, b in pairwise(moments))
        assert most_within(moments, DAY) <= daily
        assert len(moments) >= 3 * (daily // 2), "the half that refills is used"


def test_an_account_is_asked_no_faster_than_it_allows(sqlite_world: World) -> None:
    world = World(sqlite_world.store, ceilings=Ceilings(30 * MINUTE, 48, per_second=2.0, concurrency=3))
    world.import_many(60)
    world.tick()
    world.due_now()
    world.run(lambda: world.repeat(world.poller.tick, seconds=60, every=0.3))
    moments = [moment for moment, _ in world.carrier.asked]
    assert len({number for _, number in world.carrier.asked}) == len(moments) == 60
    assert most_within(moments, SECOND) <= 3, "two a second; a third may begin in the same second"
    assert moments[-1] - moments[0] <= 40 * SECOND, "and no slower than it may"


def test_an_idle_tick_asks_nobody_and_writes_nothing(world: World, asked: int) -> None:
    before = len(world.carrier.asked)
    world.run(lambda: world.repeat(world.poller.tick, seconds=60))
    world.db.writes = 0  # in the first minute it gives its places back to other processes
    world.run(lambda: world.repeat(world.poller.tick, seconds=600))
    assert (len(world.carrier.asked), world.db.writes) == (before, 0)


# ── the feed (B7) ────────────────────────────────────────────────────────────────────────────────


def test_an_outage_accuses_nobody_is_told_once_and_ends_once(world: World) -> None:
    for n in range(12):
        world.import_(f"Z{n}")
    world.set(10)
    world.due_now()
    world.poll()
    world.carrier.down = True
    asked_before = len(world.carrier.asked)

    async def verbs() -> None:
        await world.db.write(lambda conn: world.sweep.tick(conn, world.now))
        await world.poller.tick()

    world.run(lambda: world.repeat(verbs, seconds=20 * 3600, every=60))
    assert feed_news(world) == ["[数据源] k100 查询中断"]
    assert world.counts()["findings"] == 0, "every limit has passed, and nobody has looked"
    assert len(world.carrier.asked) - asked_before <= 3 * (20 * 60 + 20), "a probe a minute, three tries each"

    world.carrier.down = False
    for _ in range(62):
        world.run(lambda: world.repeat(verbs, seconds=60, every=30))
        looked = world.column("SELECT count(*) FROM parcels WHERE observed_at > :end", end=to_micros(at(30)))
        assert world.column("SELECT count(*) FROM findings") == looked, "asked first, then judged"
    assert feed_news(world) == ["[数据源] k100 查询中断", "[数据源] k100 已恢复"]
    assert world.counts()["findings"] == 12, (
        "within two intervals: nobody has scans there, so all is said twice"
    )


def test_an_outage_and_its_end_in_one_breath_are_both_told(world: World) -> None:
    """Answers are kept in groups: six that failed and a seventh that came."""
    for n in range(6):
        world.import_(f"Z{n}")
        world.carrier.fails(f"Z{n}", "unreadable")
    world.import_("Z6")
    world.due_now()
    world.poll()
    world.clock.start += HOUR
    world.due_now()
    world.poll()
    news = feed_news(world)
    assert news == ["[数据源] k100 查询中断", "[数据源] k100 已恢复"] * (len(news) // 2)
    assert news


def test_a_restart_in_an_outage_tells_it_no_second_time(world: World) -> None:
    world.import_("Z1")
    world.carrier.everywhere = "denied"
    world.due_now()
    world.poll()
    world.restart()
    again(world)
    assert feed_news(world) == ["[数据源] k100 查询中断"]
    world.carrier.everywhere = ""
    world.restart()
    again(world)
    assert feed_news(world) == ["[数据源] k100 查询中断", "[数据源] k100 已恢复"]


def test_a_poisoned_number_is_not_an_outage(world: World) -> None:
    world.import_("Z1")
    world.import_("Z2")
    world.carrier.fails("Z1", "unreadable")
    for _ in range(12):
        again(world)
    assert feed_news(world) == []
    assert world.carrier.times("Z1") == 12
    assert world.column("SELECT count(DISTINCT reason) FROM oddities") == [1]


def test_news_of_the_feed_goes_to_those_who_asked_for_it(database: Database) -> None:
    routes = [Route(("ops",), {}), Route(("it",), {"kind": frozenset({"feed"})}, ("all",))]
    world = World(database, [Robot("ops"), Robot("it")], routes)
    world.import_("Z1")
    world.carrier.everywhere = "denied"
    world.due_now()
    world.poll()
    [row] = world.store.read_now(lambda conn: outbox.waiting(conn, "it", world.now, 9))
    assert row.message.mentions == ("all",)
    assert world.column("SELECT channel FROM outbox") == ["it"]


# ── adapters that do what they may not ───────────────────────────────────────────────────────────


class Tripping(Adapter):
    """Falls over Z2 in one of the ways in which code falls over."""

    how: str = ""

    def ask(self, questions: Sequence[Question], now: Any) -> Conversation[list[Answer]]:
        if questions[0].waybill.waybill_no != "Z2":
            return super().ask(questions, now)
        return self._trip(questions, now)

    def _trip(self, questions: Sequence[Question], now: Any) -> Conversation[list[Answer]]:
        match Tripping.how:
            case "before":
                raise ZeroDivisionError("13812345601")
            case "no answer":
                yield Request("GET", "http://carrier.test/Z2")
                return []
            case "two answers":
                answers = yield from super().ask(questions, now)
                return answers * 2
            case _:
                answers = yield from super().ask(questions, now)
                raise RecursionError(str(answers))


@pytest.mark.parametrize("how", ["before", "no answer", "two answers", "after"])
def test_an_adapter_that_trips_stops_only_its_own_question(
    database: Database, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(Tripping, "how", how)
    world = World(database, [Robot("ops")], adapter=Tripping())
    parcels_ = [world.import_(f"Z{n}") for n in (1, 2, 3)]
    world.due_now()
    assert world.poll().parcels == 2
    assert [world.loaded(each).case.observed_at is not None for each in parcels_] == [True, False, True]
    tripped = world.loaded(parcels_[1]).next_poll_at
    assert tripped is not None
    assert tripped <= world.now + 31 * MINUTE, "it is asked about again"
    assert world.column("SELECT count(*) FROM oddities WHERE reason LIKE 'Z2：%'") == [1]
    assert "13812345601" not in str(world.rows("SELECT * FROM oddities"))
    assert feed_news(world) == []


class Declining(Adapter):
    """Has no answer for Z2 and says so in its place, as an adapter that asks about several at once does."""

    def _read(self, question: Question, reply: Reply) -> Any:
        return Rejected("看不见") if question.waybill.waybill_no == "Z2" else super()._read(question, reply)


def test_a_refusal_in_the_place_of_an_answer_is_that_numbers_and_no_empty_history(database: Database) -> None:
    world = World(database, [Robot("ops")], adapter=Declining())
    parcels_ = [world.import_(f"Z{n}") for n in (1, 2)]
    world.due_now()
    world.poll()
    answered, refused = (world.loaded(each) for each in parcels_)
    assert answered.case.observed_at is not None
    assert refused.case.observed_at is None, "its silence is not proven"
    assert refused.next_poll_at is not None
    assert refused.next_poll_at >= world.now + DAY
    assert feed_news(world) == []


def test_the_providers_own_ceilings_are_those_of_its_document() -> None:
    """`facts/carriers-kuaidi100.md`; this file's carrier is as polite."""
    from carriers.kuaidi100 import Kuaidi100

    own = Kuaidi100.ceilings
    assert (own.per_waybill_interval, own.per_waybill_daily) == (30 * MINUTE, 48)
    assert (POLITE.per_waybill_interval, POLITE.per_waybill_daily) == (30 * MINUTE, 48)
