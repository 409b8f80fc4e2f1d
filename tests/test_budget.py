"""An account's money: what an answer costs, what is dropped first, and that no limit is ever passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from carriers.base import Billing
from monitor.config.accounts import Budget
from monitor.polling.budget import STRETCHED, Purse, today
from monitor.store import outbox, providers, schema
from monitor.store.claims import ALL
from monitor.store.database import Database
from rules.schedule import Reason
from tests.simulated import DAY, HOUR, PICKED, T0, Adapter, Robot, World

PRICE = Decimal("0.1")
FEN10 = 100_000
"""The price in millionths of a yuan."""


def shop(database: Database, *, day: str | None = None, month: str | None = None, **account: Any) -> World:
    """A world whose account costs a dime an answer."""
    world = World(database, [Robot("ops")], adapter=Adapter(billing=account.pop("billing", Billing.QUERY)))
    budget = Budget(None if day is None else Decimal(day), None if month is None else Decimal(month))
    world.account = replace(
        world.account, price=PRICE, budget=None if day is month is None else budget, **account
    )
    world.restart()
    return world


def parcels_for(world: World, *reasons: Reason) -> list[int]:
    """A parcel due now for each, asked about in this order; the carrier knows a scan of each."""
    ids = world.import_many(len(reasons))
    for n, (parcel, reason) in enumerate(zip(ids, reasons, strict=True)):
        world.carrier.says(f"Z{n:05d}", (-1, PICKED))
        change = {"next_poll_at": 1 + n, "provider": "k100", "reason": int(reason)}
        query = update(schema.due).where(schema.due.c.parcel_id == parcel).values(**change)
        world.store.write_now(lambda conn, query=query: conn.execute(query))
    return ids


def spent(world: World, since: datetime = T0, until: datetime | None = None) -> int:
    """In millionths of a yuan."""
    days = today(since), today(until or world.now)
    return world.store.read_now(lambda conn: providers.spent_in(conn, "k100", *days)).micros


def asked(world: World) -> list[str]:
    return [number for _, number in world.carrier.asked]


# ── how far each reason may go ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("used", "least"),
    [
        pytest.param("0", Reason.FRESHNESS, id="nothing spent"),
        pytest.param("6.9", Reason.FRESHNESS, id="the last one for freshness"),
        pytest.param("7", Reason.AWAITED, id="freshness stops"),
        pytest.param("7.95", Reason.VERIFY, id="news that people wait for stops"),
        pytest.param("8", Reason.VERIFY, id="also on the dot"),
        pytest.param("9", Reason.MONEY, id="deadlines without money stop"),
        pytest.param("9.9", Reason.MONEY, id="money at risk, to the very end"),
        pytest.param("9.91", 4, id="not enough for one more"),
        pytest.param("10", 4, id="the end"),
    ],
)
@pytest.mark.parametrize("which", ["day", "month"])
def test_what_is_dropped_first(used: str, least: int, which: str) -> None:
    """Of ten yuan, at a dime each."""
    limit, micros = 10_000_000, int(Decimal(used) * 1_000_000)
    purse = Purse(today=micros, per_day=limit) if which == "day" else Purse(month=micros, per_month=limit)
    assert purse.least(FEN10) == least
    assert purse.exhausted(FEN10) is (least == 4)


def test_the_tighter_limit_rules() -> None:
    both = Purse(today=1_000_000, month=95_000_000, per_day=10_000_000, per_month=100_000_000)
    assert both.least(FEN10) == Reason.MONEY
    assert both.monthly
    assert not replace(both, today=9_500_000).monthly


@pytest.mark.parametrize(
    ("used", "stretched", "paying"), [("4.9", None, 21), ("5", STRETCHED, 20), ("6.95", STRETCHED, 0)]
)
def test_freshness_stretches_before_it_stops(used: str, stretched: timedelta | None, paying: int) -> None:
    scope = Purse(today=int(Decimal(used) * 1_000_000), per_day=10_000_000).scope(FEN10)
    if paying:
        assert (scope.stretched, scope.paying, scope.least) == (stretched, paying, Reason.FRESHNESS)
    else:
        assert scope.least == Reason.AWAITED


def test_without_a_limit_or_a_price_everything_may_be_asked() -> None:
    assert Purse(today=10**12).scope(FEN10) == ALL
    assert Purse(today=10**12, per_day=1).scope(0) == ALL


def test_the_dearest_are_asked_when_money_is_short(database: Database) -> None:
    """A yuan a day is ten questions: seven for freshness, and the rest is kept for what matters more."""
    world = shop(database, day="1")
    parcels_for(world, *[Reason.FRESHNESS] * 12, *[Reason.VERIFY] * 3, *[Reason.MONEY] * 3)
    for _ in range(4):
        world.poll()
    assert asked(world) == [f"Z{n:05d}" for n in (*range(7), 12, 13, 15)]
    assert spent(world) == 1_000_000


def test_a_stretched_question_is_asked_half_a_day_later(database: Database) -> None:
    world = shop(database, day="1")
    [tight] = parcels_for(world, Reason.FRESHNESS)
    world.store.write_now(lambda conn: providers.spend(conn, "k100", today(T0), asked=5, cents=50))
    world.due_now(tight)
    world.poll()
    assert asked(world) == []
    world.clock.start += timedelta(hours=12, minutes=1)
    world.poll()
    assert asked(world) == ["Z00000"]


# ── the end of the money ─────────────────────────────────────────────────────────────────────────


def feed_news(world: World) -> list[str]:
    rows = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", T0 + 99 * DAY, 100))
    return [row.message.title for row in rows if row.message.kind == "feed"]


def test_used_up_it_is_told_once_nobody_is_accused_and_it_goes_on_after_midnight(database: Database) -> None:
    world = shop(database, day="0.2")
    parcels_for(world, *[Reason.MONEY] * 3)
    for _ in range(3):
        world.poll()
    assert len(asked(world)) == 2
    assert feed_news(world) == ["[数据源] k100 今天的查询预算用完"]

    world.restart()  # another process would not tell it again
    world.set(13.9)  # one minute to midnight in Shanghai, and a parcel unseen for half a day
    world.poll()
    world.tick()
    assert len(asked(world)) == 2
    assert world.column("SELECT count(*) FROM findings") == [0]

    world.set(14.1)
    for _ in range(2):
        world.poll()
    assert asked(world)[2:] == ["Z00002"]
    assert len(feed_news(world)) == 1


def test_the_owner_raises_the_limit_and_it_goes_on_at_once(database: Database) -> None:
    world = shop(database, month="0.2")
    parcels_for(world, *[Reason.MONEY] * 4)
    for _ in range(3):
        world.poll()
    assert feed_news(world) == ["[数据源] k100 本月的查询预算用完"]
    world.account = replace(world.account, budget=Budget(per_month=Decimal("0.3")))
    world.restart()
    for _ in range(3):
        world.poll()
    assert len(asked(world)) == 3
    assert len(feed_news(world)) == 2, "the raised limit is used up as well"


# ── what costs ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("billing", "answer", "cost"),
    [
        (Billing.QUERY, "scans", FEN10),
        (Billing.QUERY, "nothing", FEN10),
        (Billing.QUERY, "rejected", FEN10),
        (Billing.QUERY, "unreadable", FEN10),
        (Billing.QUERY, "unavailable", 0),
        (Billing.QUERY, "denied", 0),
        (Billing.QUERY, "throttled", 0),
        (Billing.NUMBER, "scans", FEN10),
        (Billing.NUMBER, "nothing", 0),
        (Billing.NUMBER, "rejected", 0),
        (Billing.REGISTRATION, "scans", FEN10),
        (Billing.REGISTRATION, "nothing", FEN10),
        (Billing.REGISTRATION, "rejected", 0),
        (Billing.FREE, "scans", 0),
    ],
)
def test_what_an_answer_costs(database: Database, billing: Billing, answer: str, cost: int) -> None:
    world = shop(database, billing=billing)
    parcels_for(world, Reason.MONEY)
    if answer == "nothing":
        world.carrier.says("Z00000")
    elif answer != "scans":
        world.carrier.fails("Z00000", answer)
    world.poll()
    assert spent(world) == cost
    assert asked(world)


def test_a_number_is_charged_once_in_forty_days(database: Database) -> None:
    """快递鸟 8001: once per number in 40 days, and only when there is a trace."""
    world = shop(database, billing=Billing.NUMBER)
    world.account = replace(world.account, provider=Patient(billing=Billing.NUMBER))
    world.restart()
    parcels_for(world, Reason.MONEY)
    world.carrier.says("Z00000")
    bill = []
    for days in (0, 1, 2, 3, 39, 41.5, 43):
        world.set(24 * days)
        if days == 2:
            world.carrier.says("Z00000", (47, PICKED))
        world.due_now()
        world.poll()
        bill.append(spent(world) // FEN10)
    assert bill == [0, 0, 1, 1, 1, 1, 2]


class Patient(Adapter):
    billed_for = 40 * DAY


def test_numbers_already_paid_for_are_asked_when_the_money_is_gone(database: Database) -> None:
    world = shop(database, day="0.2", billing=Billing.NUMBER)
    parcels_for(world, *[Reason.MONEY] * 3)
    for _ in range(2):
        world.poll()
    assert len(asked(world)) == 2
    world.clock.start += 2 * HOUR
    world.due_now()
    world.poll()
    assert asked(world)[2:] == asked(world)[:2]
    assert spent(world) == 2 * FEN10


def test_registering_costs_once(database: Database) -> None:
    world = shop(database, billing=Billing.REGISTRATION)
    ids = parcels_for(world, Reason.MONEY, Reason.MONEY)
    till = world.poller._till
    costs = [world.store.write_now(lambda conn: till.register(conn, ids, T0)) for _ in range(2)]
    assert costs == [2 * FEN10, 0]
    world.poll()
    assert spent(world) == 2 * FEN10, "reading is free"


def test_a_subscription_is_not_charged_what_an_answer_costs(database: Database) -> None:
    """The price is of an answer (快递100): what a subscription costs is nowhere written, and is not guessed."""
    world = shop(database, day="1", billing=Billing.QUERY)
    ids = parcels_for(world, Reason.MONEY)
    till = world.poller._till
    assert world.store.write_now(lambda conn: till.register(conn, ids, T0)) == 0
    assert world.store.read_now(lambda conn: till.registrable(conn, T0)) is None
    world.store.write_now(lambda conn: till.unregister(conn, ids, T0))
    assert spent(world) == 0


# ── the law ──────────────────────────────────────────────────────────────────────────────────────

ANSWERS = st.sampled_from(["scans", "nothing", "unavailable", "rejected", "unreadable"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    day=st.integers(1, 12),
    month=st.integers(1, 30),
    billing=st.sampled_from([Billing.QUERY, Billing.NUMBER, Billing.REGISTRATION]),
    known=st.lists(st.tuples(st.sampled_from(list(Reason)), ANSWERS), min_size=1, max_size=12),
    hops=st.lists(st.floats(0.5, 30), min_size=1, max_size=8),
)
def test_no_more_is_ever_spent_than_the_limit(
    database: Database,
    day: int,
    month: int,
    billing: Billing,
    known: list[tuple[Reason, str]],
    hops: list[float],
) -> None:
    world = shop(database, day=str(PRICE * day), month=str(PRICE * month), billing=billing)
    for table in ("spend", "billed", "outbox"):
        world.store.write_now(lambda conn, table=table: conn.execute(schema.METADATA.tables[table].delete()))
    parcels_for(world, *(reason for reason, _ in known))
    for n, (_, answer) in enumerate(known):
        number = f"Z{n:05d}"
        world.carrier.says(number, *([(-1, PICKED)] if answer == "scans" else []))
        if answer not in ("scans", "nothing"):
            world.carrier.fails(number, answer)
    for hours in hops:
        world.poll()
        world.clock.start += timedelta(hours=hours)
        world.due_now()
        bills = world.rows("SELECT day, micros FROM spend")
        assert all(0 <= micros <= day * FEN10 for _, micros in bills)
        months: dict[str, int] = {}
        for at, micros in bills:
            months[at[:7]] = months.get(at[:7], 0) + micros
        assert all(total <= month * FEN10 for total in months.values())


# ── what the owner sees ──────────────────────────────────────────────────────────────────────────


def test_the_month_is_projected_by_the_last_seven_days(database: Database) -> None:
    """Ten yuan a day for a week, four so far today, the 16th: 94 yuan, 6 more today, and 14 days of ten."""
    world = shop(database)
    for n in range(1, 16):
        bill = date(2026, 11, n)
        world.store.write_now(lambda conn, at=bill: providers.spend(conn, "k100", at, asked=1, cents=600))
    for n in range(9, 16):
        bill = date(2026, 11, n)
        world.store.write_now(lambda conn, at=bill: providers.spend(conn, "k100", at, asked=1, cents=400))
    sixteenth = datetime(2026, 11, 16, 4, tzinfo=UTC)
    world.store.write_now(lambda conn: providers.spend(conn, "k100", today(sixteenth), asked=1, cents=400))
    till = world.poller._till
    purse = world.store.read_now(lambda conn: till.purse(conn, sixteenth))
    assert (purse.today, purse.month) == (4_000_000, 8 * 6_000_000 + 7 * 10_000_000 + 4_000_000)
    ahead = world.store.read_now(lambda conn: till.projected(conn, sixteenth))
    assert ahead == purse.month + 6_000_000 + 14 * 10_000_000


def test_an_account_of_today_is_projected_by_today(database: Database) -> None:
    world = shop(database)
    world.store.write_now(lambda conn: providers.spend(conn, "k100", today(T0), asked=1, cents=200))
    left = 30 - today(T0).day
    assert world.store.read_now(lambda conn: world.poller._till.projected(conn, T0)) == 2_000_000 * (1 + left)
