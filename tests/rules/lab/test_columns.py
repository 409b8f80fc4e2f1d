"""The columns say what the row-wise replay says, parcel by parcel (L3): every rule of every profile."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from domain.findings import FindingState
from domain.journey import KEPT_MOVEMENTS
from domain.time import Window
from domain.tracking import ExceptionKind
from monitor.profiles import load_profiles
from rules.declare import Rule
from rules.exemptions import Deferral, Exemption, Grant
from rules.lab import COLUMNS, MOST_ROWS, Milestones, milestones, run, run_rowwise
from rules.lines import City, Lines
from rules.policy import Change, Line, PolicyBook, PolicySpec, Warehouse
from rules.regions import Tier
from tests.rules.lab.histories import HOUR, MS, T0, World, edges_of, frames, frames_of, generated, longer

PROFILES = load_profiles()
BOOK = PolicyBook(PROFILES)
TIERS = (Tier.NORMAL, Tier.REMOTE, Tier.VERY_REMOTE)


def plain(found: pd.DataFrame) -> pd.DataFrame:
    """In one order, whatever the categories are."""
    for name in ("rule", "stage", "policy", "ended_by"):
        found[name] = found[name].astype(str)
    return found.sort_values(["parcel", "rule", "started_at", "step", "crossed_at"], ignore_index=True)


def assert_equal(m: Milestones, book: PolicyBook, as_of: datetime) -> int:
    """Columns and rows agree; how many crossings there are."""
    columns, rows = plain(run(m, book, as_of)), plain(run_rowwise(m, book, as_of))
    assert_frame_equal(columns, rows)
    return len(columns)


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("texts", [False, True], ids=["milestones", "texts"])
def test_columns_are_the_replay_on_every_rule_of_every_profile(profile: str, texts: bool) -> None:
    orders, events = generated(11, profile, edges_of(profile), texts=texts, learned=texts)
    m = milestones(orders, events)
    found = assert_equal(m, BOOK, T0 + timedelta(days=30))
    assert found > 10, "the histories are about something"
    assert 0 < len(m.odd_parcels) < m.parcels / 2


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    profile=st.sampled_from(sorted(PROFILES)),
    texts=st.booleans(),
    hours=st.integers(-50, 900),
)
def test_columns_are_the_replay_on_histories_nobody_wrote(
    seed: int, profile: str, texts: bool, hours: int
) -> None:
    orders, events = generated(seed, profile, edges_of(profile), 12, texts=texts, odd=0.2)
    assert_equal(milestones(orders, events), BOOK, T0 + hours * HOUR)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), texts=st.booleans(), days_=st.integers(5, 60))
def test_columns_are_the_replay_on_histories_longer_than_what_is_kept_of_them(
    seed: int, texts: bool, days_: int
) -> None:
    """Beyond so many movements a condensed history forgets the earliest (`domain.journey`)."""
    orders, events = longer(seed, "taobao_tmall", 3, texts=texts)
    m = milestones(orders, events)
    assert m.is_forgetful.any()
    for book in (BOOK, POLICIES["a merchant's own limits"]):
        assert_equal(m, book, T0 + timedelta(days=days_))


def test_a_long_history_is_no_reason_to_replay_a_parcel() -> None:
    scans = [(0, T0 + n * HOUR, "in_transit") for n in range(KEPT_MOVEMENTS * 5)]
    m = milestones(*frames_of([{"parcel": 0, "platform": "taobao_tmall", "paid_at": T0 - HOUR}], scans))
    assert m.odd == 0
    assert_equal(m, BOOK, T0 + timedelta(days=30))
    assert m.kept["histories"].keys() == {0}, "by the row-wise truth"
    fresh = milestones(m.orders, m.events)
    run(fresh, BOOK, T0 + timedelta(days=30))
    assert not fresh.kept["histories"]


def test_trouble_that_outlasts_what_is_kept_of_a_history_is_replayed() -> None:
    """The scan that followed it is forgotten when the parcel is signed for."""
    rows: list[dict[str, Any]] = [
        {"parcel": 0, "occurred_at": T0 + n * HOUR, "milestone": "in_transit", "text": ""} for n in range(120)
    ]
    rows[3] |= {"milestone": "", "text": "驿站超时未取"}
    rows[-1]["milestone"] = "delivered"
    order = {"parcel": 0, "platform": "generic_cn", "paid_at": T0 - HOUR}
    generic = PROFILES["generic_cn"]
    waits = replace(generic.rules["lost"], on=frozenset({ExceptionKind.LOCKER_OVERDUE}))
    book = PolicyBook({**PROFILES, "generic_cn": replace(generic, rules={**generic.rules, "lost": waits})})
    m = milestones(*frames(World(Random(0), (), [order], rows)))
    assert_equal(m, book, T0 + timedelta(days=20))
    assert "lost" in set(run(m, book, T0 + timedelta(days=20))["rule"])


@pytest.mark.parametrize(("rows", "left_out"), [(MOST_ROWS, []), (MOST_ROWS + 1, [1])])
def test_what_is_no_parcel_any_more_is_left_out_and_named(rows: int, left_out: list[int]) -> None:
    """The row of its order counts too; the other parcels are judged as without it."""
    orders = [{"parcel": n, "platform": "taobao_tmall", "paid_at": T0 - HOUR} for n in range(3)]
    few = [(n, T0 + HOUR, "picked_up") for n in (0, 2)]
    many = [(1, T0 + n * HOUR, "in_transit") for n in range(rows - 1)]
    as_of = T0 + timedelta(days=40)
    m = milestones(*frames_of(orders, few + many))
    found = run(m, BOOK, as_of)
    assert m.too_long.tolist() == left_out
    assert m.parcels == 3
    assert set(found["parcel"]) == {0, 1, 2} - set(left_out)
    others = run(milestones(*frames_of([orders[0], orders[2]], few)), BOOK, as_of)
    assert_frame_equal(plain(found[found["parcel"] != 1]), plain(others))


def test_all_parcels_left_out_find_nothing() -> None:
    scans = [(0, T0 + n * HOUR, "in_transit") for n in range(MOST_ROWS)]
    orders = [{"parcel": 0, "platform": "taobao_tmall", "paid_at": T0 - HOUR}]
    for said in (orders, [{**orders[0], "order_no": str(n)} for n in range(MOST_ROWS + 1)]):
        m = milestones(*frames_of(said, scans))
        assert m.too_long.tolist() == [0]
        assert run(m, BOOK, T0 + timedelta(days=40)).empty


def days(first: float, last: float, name: str) -> Window:
    return Window(T0 + timedelta(days=first), T0 + timedelta(days=last), name)


def changed(**limits: float) -> dict[str, Change]:
    return {rule: Change(limit=dict.fromkeys(TIERS, hours * HOUR)) for rule, hours in limits.items()}


def some_lines() -> Lines:
    ends = {(City("浙江", "杭州"), City("浙江", "杭州")): 1, (City("浙江", "杭州"), City("新疆", "成都")): 3}
    return Lines(ends)


POLICIES = {
    "a merchant's own limits": PolicyBook(
        PROFILES,
        [
            PolicySpec("all", rules=changed(late_shipment=40, transit_stagnation=20, pickup_no_update=12)),
            PolicySpec("one shop", {"shop": frozenset({"旗舰店"})}, rules=changed(late_shipment=30)),
            PolicySpec(
                "far", {"receiver_province": frozenset({"新疆"})}, rules=changed(transit_stagnation=90)
            ),
        ],
    ),
    "time that does not count": PolicyBook(
        PROFILES,
        exemptions=[
            Exemption(days(3, 5, "台风")),
            Exemption(days(4, 8, "大促"), {"shop": frozenset({"旗舰店"})}, frozenset({"late_shipment"})),
            Exemption(days(9, 9.5, "停运"), {"carrier": frozenset({"zhongtong"})}),
        ],
    ),
    "windows that give more time": PolicyBook(
        PROFILES,
        deferrals=[Deferral(days(2, 6, "国庆"), {"late_shipment": Grant(T0 + timedelta(days=12), None)})],
    ),
    "rules on trial, and told or not": PolicyBook(
        PROFILES,
        [
            PolicySpec("trial", shadow=True, rules={"late_shipment": Change(shadow=False, notify=False)}),
            PolicySpec(
                "quiet", {"tag": frozenset({"vip"})}, rules={"transit_stagnation": Change(watch=False)}
            ),
        ],
    ),
    "lines, and where warehouses stand": PolicyBook(
        {
            **PROFILES,
            "douyin": replace(
                PROFILES["douyin"],
                rules={
                    **PROFILES["douyin"].rules,
                    "line_ontime": replace(PROFILES["douyin"].rules["line_ontime"], lines=some_lines()),
                },
            ),
        },
        warehouses=[Warehouse("", "浙江", "杭州")],
    ),
}


@pytest.mark.parametrize("profile", ["taobao_tmall", "pinduoduo", "douyin", "aliexpress"])
@pytest.mark.parametrize("policy", POLICIES)
def test_columns_are_the_replay_under_every_kind_of_policy(policy: str, profile: str) -> None:
    orders, events = generated(5, profile, edges_of(profile), texts=True)
    assert_equal(milestones(orders, events), POLICIES[policy], T0 + timedelta(days=25))


def test_a_second_policy_over_the_same_frame_is_as_one_over_a_fresh_frame() -> None:
    orders, events = generated(6, "taobao_tmall", edges_of("taobao_tmall"), texts=True)
    kept, as_of = milestones(orders, events), T0 + timedelta(days=22)
    for book in (BOOK, *POLICIES.values(), BOOK):
        for until in (as_of, as_of - timedelta(days=9)):
            fresh = run(milestones(orders, events), book, until)
            assert_frame_equal(plain(run(kept, book, until)), plain(fresh))


def test_nothing_of_after_the_moment_is_known() -> None:
    """Scans, payments and ends after `as_of` change nothing."""
    orders, events = generated(8, "taobao_tmall", edges_of("taobao_tmall"), texts=True)
    for day in (0.5, 3, 6, 10):
        as_of = T0 + timedelta(days=day)
        early = events[events["occurred_at"] <= as_of]
        found = run(milestones(orders, events), BOOK, as_of)
        assert_frame_equal(plain(found), plain(run(milestones(orders, early), BOOK, as_of)))
        assert (found["crossed_at"] <= as_of.replace(tzinfo=None)).all()


# ── the edges ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("gap", "crossed"),
    [
        pytest.param(24 * HOUR, 0, id="a warning on the dot"),
        pytest.param(24 * HOUR + MS, 1, id="a millisecond over a warning"),
        pytest.param(48 * HOUR - MS, 2, id="a millisecond before the limit"),
        pytest.param(48 * HOUR, 2, id="the limit on the dot"),
        pytest.param(48 * HOUR + MS, 3, id="a millisecond over the limit"),
    ],
)
@pytest.mark.parametrize("ends", ["scan", "as_of"])
def test_a_silence_on_the_edge_of_its_limit(gap: timedelta, crossed: int, ends: str) -> None:
    scans = [(0, T0, "picked_up"), (0, T0 + HOUR, "in_transit")]
    over = T0 + HOUR + gap
    if ends == "scan":
        scans.append((0, over, "out_for_delivery"))
    order = {"parcel": 0, "platform": "taobao_tmall", "paid_at": T0 - HOUR}
    m = milestones(*frames_of([order], scans))
    as_of = over if ends == "as_of" else over + timedelta(days=9)
    found = run(m, BOOK, as_of)
    stalled = found[
        (found["rule"] == "transit_stagnation") & (found["started_at"] == np.datetime64("2026-10-20T03"))
    ]
    assert stalled["step"].tolist() == [*range(1, crossed + 1)]
    assert set(stalled["ended_by"]) <= {FindingState.CLEARED if ends == "scan" else FindingState.OPEN}
    assert_equal(m, BOOK, as_of)


def test_usual_parcels_are_not_replayed() -> None:
    """Attempts, lockers, returns, refunds and doubled lines are modelled."""
    usual = ("picked_up", "in_transit", "out_for_delivery", "delivery_failed", "out_for_delivery")
    ways = [
        (*usual, "ready_for_collection", "delivered"),
        (*usual, "returning", "in_transit", "delivered"),
        usual[:1],
    ]
    scans = [(n, T0 + hour * 9 * HOUR, mark) for n, way in enumerate(ways) for hour, mark in enumerate(way)]
    scans += [(0, T0 + 9 * HOUR + timedelta(seconds=20), "in_transit")]
    orders = [
        {"parcel": n, "platform": "taobao_tmall", "paid_at": T0 - HOUR, "status": status}
        for n, status in enumerate(("finished", "shipped", "refunded"))
    ]
    m = milestones(*frames_of(orders, scans))
    assert m.odd == 0
    assert assert_equal(m, BOOK, T0 + timedelta(days=12)) > 0


# ── what comes in and out ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_of_every_unit_say_the_same(unit: str, zone: str | None) -> None:
    orders, events = generated(2, "taobao_tmall", (24.0, 48.0), 10)
    whole = events["occurred_at"].dt.floor("s")
    events["occurred_at"] = whole
    expected = run(milestones(orders, events), BOOK, T0 + timedelta(days=20))
    events["occurred_at"] = whole.dt.as_unit(unit).dt.tz_convert(zone)
    assert_frame_equal(run(milestones(orders, events), BOOK, T0 + timedelta(days=20)), expected)


def test_years_apart_to_the_microsecond_are_sorted_all_the_same() -> None:
    """Where parcel, time and meaning do not fit one number."""
    rows = [
        (n * 50_000, T0 + timedelta(days=300 * k, microseconds=n), "in_transit")
        for n in range(40)
        for k in (3, 1)
    ]
    orders = [{"parcel": n * 50_000, "platform": "taobao_tmall", "paid_at": T0} for n in range(40)]
    m = milestones(*frames_of(orders, rows[::-1]))
    assert (np.diff(m.moved.owner) >= 0).all()
    same = np.diff(m.moved.owner) == 0
    assert (np.diff(m.moved.at)[same] > 0).all()


def test_an_empty_frame_finds_nothing() -> None:
    orders, events = frames_of(
        [{"parcel": 0, "platform": "taobao_tmall", "paid_at": T0}], [(0, T0, "picked_up")]
    )
    found = run(milestones(orders, events), BOOK, T0 + HOUR)
    assert list(found.columns) == list(COLUMNS)
    assert found.empty


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"occurred_at": pd.NaT}, "without a time", id="no time"),
        pytest.param({"parcel": -1}, "without a parcel", id="no parcel"),
        pytest.param({"milestone": "gone_fishing"}, "gone_fishing", id="a milestone nobody knows"),
    ],
)
def test_what_cannot_be_read_is_refused(change: dict[str, Any], said: str) -> None:
    orders, events = frames_of([{"parcel": 0, "paid_at": T0}], [(0, T0, "picked_up")])
    events = events.astype({"milestone": object})
    events = events.assign(**change)
    with pytest.raises(ValueError, match=said):
        milestones(orders, events)


KNOWN = {
    Rule: {
        *(
            "id",
            "zh",
            "kind",
            "severity",
            "start",
            "stops",
            "all_stops",
            "restarts",
            "limit",
            "goods",
            "warn",
        ),
        *(
            "grace",
            "promise",
            "promises",
            "calendar",
            "lines",
            "promise_plus",
            "when",
            "since",
            "until",
            "zone",
        ),
        *("variants", "exempt", "on", "check", "tolerances", "soft", "penalty", "watch", "notify", "shadow"),
        *("confidence", "source", "note", "profile"),
    },
    Line: {
        *("rule", "source", "limit", "by_merchant", "calendar", "natural", "asleep", "leaves", "tier"),
        *("variants", "beat"),
    },
}


@pytest.mark.parametrize("words", KNOWN)
def test_the_columns_know_every_word_a_rule_can_say(words: type) -> None:
    """A new word has to be modelled or sent to the replay (`rules.lab.clocks`), then written down here."""
    assert {each.name for each in fields(words)} == KNOWN[words]
