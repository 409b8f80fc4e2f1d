"""Time that does not count, and more time for a platform's window (`facts/platform-rules.md` §7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.findings import ClockReading
from domain.orders import Case, Order
from domain.time import AROUND_THE_CLOCK, Calendar, Window
from rules.exemptions import Deferral, Exemption, Grant, Leave, granted
from rules.facets import Match
from rules.policy import PolicyBook, PolicySpec
from rules.regions import Tier
from rules.values import parse_limit
from tests.rules.scenes import (
    HUB,
    LEFT,
    PICKED,
    at,
    calendars,
    change,
    clock,
    hours,
    judged,
    match,
    order,
    parcel,
    profiles,
    seen_at,
    spec,
    stage,
)
from tests.rules.test_laws import MINUTE, cases, clocks_found, looks

HOUR = timedelta(hours=1)
OPEN = "不打烊"


def window(
    start: float = -24, end: float = 240, deadline: float | None = None, limit: Any = None, **said: Any
) -> Deferral:
    """More time for late shipments of orders paid between these hours."""
    grant: Grant = Grant(
        None if deadline is None else at(deadline), None if limit is None else parse_limit(limit)
    )
    rules = said.pop("rules", ("late_shipment",))
    opt_in = said.pop("opt_in", OPEN)
    return Deferral(Window(at(start), at(end), "春节"), dict.fromkeys(rules, grant), opt_in=opt_in, **said)


def under(
    *deferrals: Deferral, exemptions: tuple[Exemption, ...] = (), policies: tuple[PolicySpec, ...] = ()
) -> PolicyBook:
    return PolicyBook(profiles(), policies, exemptions, deferrals=deferrals)


def deadline(case: Case, *deferrals: Deferral, rule: str = "late_shipment", **more: Any) -> float | None:
    """In hours since T0."""
    return hours(clock(judged(case, 1, under(*deferrals, **more)), rule).deadline)


# ── platform windows: the later of the normal deadline and the window's ──────────────────────────


@pytest.mark.parametrize(
    ("paid", "said", "expected"),
    [
        pytest.param(0, {"deadline": 300}, 300, id="paid in the window"),
        pytest.param(-24, {"deadline": 300}, 300, id="paid at its first moment"),
        pytest.param(-24.001, {"deadline": 300}, 23.999, id="paid before it"),
        pytest.param(239.999, {"deadline": 300}, 300, id="paid at its last moment"),
        pytest.param(240, {"deadline": 300}, 288, id="paid when it was over"),
        pytest.param(200, {"deadline": 247}, 248, id="the normal deadline is later"),
        pytest.param(0, {"limit": "72h"}, 72, id="a longer limit"),
        pytest.param(0, {"limit": "24h"}, 48, id="a shorter limit takes nothing away"),
        pytest.param(
            0, {"limit": "96h", "deadline": 90}, 96, id="a limit and a moment: the later, the limit"
        ),
        pytest.param(
            0, {"limit": "96h", "deadline": 99}, 99, id="a limit and a moment: the later, the moment"
        ),
    ],
)
def test_the_deadline_of_an_order_paid_in_a_window(
    paid: float, said: dict[str, Any], expected: float
) -> None:
    assert deadline(parcel(paid_at=paid), window(**said)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({}, 300, id="not opted in"),
        pytest.param({"tags": frozenset({OPEN})}, 48, id="the order says 不打烊"),
        pytest.param({"shop": "开门店"}, 48, id="the shop opted in"),
        pytest.param({"shop": "别的店"}, 300, id="another shop"),
        pytest.param({"platform": "pinduoduo", "confirmed_at": 0}, 48, id="another platform"),
    ],
)
def test_who_has_the_window(said: dict[str, Any], expected: float) -> None:
    given_ = window(deadline=300, match=match(platform="taobao_tmall"), opted_in=frozenset({"开门店"}))
    assert deadline(parcel(**said), given_) == expected


def test_the_line_says_who_gave_the_time() -> None:
    """Every number says where it came from (L8)."""
    late = judged(parcel(seen=301), by=under(window(deadline=300)))
    assert stage(late, "late_shipment") == "breach"
    assert clock(late, "late_shipment").policy == "taobao_tmall.late_shipment（春节）"
    normal = judged(parcel(paid_at=250, seen=251), by=under(window(deadline=300)))
    assert clock(normal, "late_shipment").policy == "taobao_tmall.late_shipment"


@pytest.mark.parametrize(("seen", "expected"), [(299, "warning"), (300, "warning"), (300.001, "breach")])
def test_at_the_windows_deadline_on_both_sides(seen: float, expected: str) -> None:
    assert stage(judged(parcel(seen=seen), by=under(window(deadline=300))), "late_shipment") == expected


def test_warnings_keep_their_distance_from_the_windows_deadline() -> None:
    reading = clock(judged(parcel(seen=1), by=under(window(deadline=300))), "late_shipment")
    assert [hours(step.at) for step in reading.steps] == [
        300 - ahead / HOUR for ahead in (step.left for step in reading.steps)
    ]


def test_the_orders_own_promise_may_be_put_off_as_well() -> None:
    promised = parcel(promised_ship_at=60)
    assert deadline(promised, window(deadline=50)) == 60
    assert deadline(promised, window(deadline=100)) == 100


def test_the_merchants_own_limit_is_the_normal_deadline() -> None:
    own = (spec("店", late_shipment=change("30h")),)
    assert deadline(parcel(), window(deadline=20), policies=own) == 30
    assert deadline(parcel(), window(deadline=100), policies=own) == 100


def test_an_order_from_outside_the_window_keeps_its_own_deadline() -> None:
    inside, outside = order("1", paid_at=0), order("2", paid_at=-30)
    assert deadline(parcel(orders=(outside, inside)), window(deadline=300)) == 18
    both = parcel((2, PICKED), orders=(outside, inside), platform="taobao_tmall")
    longer = window(limit="96h", rules=("transit_stagnation",))
    assert deadline(both, longer, rule="transit_stagnation") == 50, "one clock, and one order had no window"


@pytest.mark.parametrize(
    ("rule", "tier", "expected"),
    [
        ("no_pickup", "浙江", 1 + 72),
        ("first_hub", "浙江", 2 + 72),
        ("first_hub", "甘肃", 2 + 96),
        ("first_hub", "新疆", 2 + 120),
    ],
)
def test_the_limits_of_pinduoduos_window_of_2023(rule: str, tier: str, expected: float) -> None:
    """§7, PDD 2023: no-pick-up limit 72 h; fake trajectory 72/96/120 h."""
    grants = {
        "no_pickup": Grant(limit=parse_limit("72h")),
        "first_hub": Grant(limit=parse_limit({"normal": "72h", "remote": "96h", "very_remote": "120h"})),
    }
    given_ = Deferral(Window(at(-1), at(1), "拼多多 2023 春节"), grants, match(platform="pinduoduo"))
    scans = [(2, PICKED)] if rule == "first_hub" else []
    case = parcel(*scans, platform="pinduoduo", confirmed_at=0, receiver_province=tier)
    assert deadline(case, given_, rule=rule) == expected


def test_a_breach_that_another_clock_starts_from_is_put_off_with_it() -> None:
    """Five days from the stall: without one, no clock."""
    scans = [(2, PICKED), (3, HUB), (60, LEFT)]
    plain = judged(parcel(*scans, seen=61), by=under())
    longer = judged(parcel(*scans, seen=61), by=under(window(limit="96h", rules=("transit_stagnation",))))
    assert hours(clock(plain, "trajectory_to_out_of_stock").started_at) == 51
    assert clock(longer, "trajectory_to_out_of_stock").started_at is None


def test_no_window_covers_an_order_that_is_not_paid() -> None:
    leave = Leave(Window(at(0), at(10), "春节"), limit=99 * HOUR)
    assert not leave.covers(Order("1"))
    assert granted(HOUR, [leave], ()) == (HOUR, "", None, "")


# ── what both kinds match ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("where", "hit"),
    [
        pytest.param(match(platform="taobao_tmall"), True, id="platform"),
        pytest.param(match(carrier="yuantong"), True, id="carrier"),
        pytest.param(match(carrier=["shentong", "jtexpress"]), False, id="other carriers"),
        pytest.param(match(origin_province="浙江"), True, id="origin"),
        pytest.param(match(origin_city="金华"), True, id="city of origin"),
        pytest.param(match(origin_province="广东"), False, id="another origin"),
        pytest.param(match(receiver_province="广东"), True, id="destination"),
        pytest.param(match(receiver_province="福建"), False, id="another destination"),
        pytest.param(match(warehouse="义乌仓", tag="vip"), True, id="warehouse and tag"),
        pytest.param(match(warehouse="义乌仓", tag="别的"), False, id="all of them"),
    ],
)
def test_both_kinds_match_on_every_facet(where: Match, hit: bool) -> None:
    case = replace(
        parcel(warehouse="义乌仓", tags=frozenset({"vip"}), receiver_province="广东省"), origin="浙江,金华"
    )
    storm = Exemption(Window(at(10), at(20), "台风"), where)
    assert deadline(case, exemptions=(storm,)) == (58 if hit else 48)
    assert deadline(case, window(deadline=100, match=where)) == (100 if hit else 48)


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────

RULES = sorted(
    {rule for profile in profiles().values() for rule, each in profile.rules.items() if each.limit}
)
AFTER = {rule for profile in profiles().values() for rule, each in profile.rules.items() if each.after}
spans = st.tuples(looks, st.integers(1, 9000)).map(
    lambda pair: Window(pair[0], pair[0] + pair[1] * MINUTE, "窗")
)
limits = st.integers(1, 300).map(lambda n: {tier: timedelta(hours=n) for tier in list(Tier)[:3]})
grants = st.builds(Grant, st.one_of(st.none(), looks), st.one_of(st.none(), limits))
deferrals = st.builds(
    Deferral, spans, st.dictionaries(st.sampled_from(RULES), grants, min_size=1, max_size=8)
)
everywhere = st.builds(Deferral, spans, grants.map(lambda grant: dict.fromkeys(RULES, grant)))
ALWAYS = settings(deadline=None, max_examples=40)


def not_earlier(before: ClockReading, after: ClockReading) -> bool:
    """No step of the clock came nearer; a clock that another's breach starts may not start at all."""
    if before.deadline is None or (after.deadline is None and before.rule in AFTER):
        return True
    assert after.deadline is not None
    left = {step.left: step.at for step in after.steps}
    return all(left[step.left] >= step.at for step in before.steps)


@ALWAYS
@given(cases(), st.lists(st.one_of(deferrals, everywhere), max_size=2), st.one_of(deferrals, everywhere))
def test_a_further_window_never_makes_a_deadline_earlier(
    known: tuple[Case, datetime], others: list[Deferral], further: Deferral
) -> None:
    case, seen = known
    before, after = judged(case, seen, by=under(*others)), judged(case, seen, by=under(*others, further))
    for one, other in zip(before.clocks, after.clocks, strict=True):
        assert not_earlier(one, other), one.rule
    breaches = {rule for rule, found in clocks_found(before).items() if found.stage == "breach"}
    assert {r for r, found in clocks_found(after).items() if found.stage == "breach"} <= breaches


@ALWAYS
@given(cases(), st.lists(spans, min_size=1, max_size=3), spans)
def test_a_further_exemption_never_makes_a_deadline_earlier_under_a_window(
    known: tuple[Case, datetime], others: list[Window], further: Window
) -> None:
    case, seen = known
    given_ = Deferral(others[0], dict.fromkeys(RULES, Grant(others[0].ends_at)))
    pauses = tuple(map(Exemption, others))
    before = judged(case, seen, by=under(given_, exemptions=pauses))
    after = judged(case, seen, by=under(given_, exemptions=(*pauses, Exemption(further))))
    for one, other in zip(before.clocks, after.clocks, strict=True):
        assert not_earlier(one, other), one.rule


@ALWAYS
@given(cases(), st.sampled_from(RULES), st.integers(80, 300), st.integers(0, 300), everywhere)
def test_a_wider_limit_never_adds_a_finding_in_a_window_either(
    known: tuple[Case, datetime], rule: str, limit: int, more: int, given_: Deferral
) -> None:
    case, seen = known
    narrow, wide = (
        judged(case, seen, by=under(given_, policies=(PolicySpec("x", rules={rule: change(f"{n}h")}),)))
        for n in (limit, limit + more)
    )
    assert clocks_found(wide).keys() <= clocks_found(narrow).keys()


@ALWAYS
@given(cases(), st.lists(spans, min_size=1, max_size=4))
def test_time_that_several_exemptions_excuse_counts_once(
    known: tuple[Case, datetime], windows: list[Window]
) -> None:
    """The windows cut up and doubled stop no clock longer than their union does."""
    case, seen = known
    halves = [
        half
        for each in windows
        for middle in [each.starts_at + (each.ends_at - each.starts_at) / 2]
        for half in (Window(each.starts_at, middle), Window(middle, each.ends_at), each)
    ]
    once, often = (
        judged(case, seen, by=under(exemptions=tuple(map(Exemption, each)))) for each in (windows, halves)
    )
    for one, other in zip(once.clocks, often.clocks, strict=True):
        assert (one.deadline, one.ended_at, one.asleep) == (other.deadline, other.ended_at, other.asleep)


@ALWAYS
@given(
    st.sampled_from([AROUND_THE_CLOCK, *calendars().values()]),
    st.lists(spans, max_size=4),
    looks,
    st.integers(1, 20_000),
)
def test_the_deadline_is_the_exact_inverse_of_the_time_elapsed(
    calendar: Calendar, windows: list[Window], start: datetime, minutes: int
) -> None:
    counted = calendar.pausing(windows)
    length = minutes * MINUTE
    end = counted.after(start, length)
    assert counted.elapsed(start, end) == length
    assert counted.elapsed(start, end - timedelta(microseconds=1)) < length, "and no earlier moment is"


@ALWAYS
@given(
    cases(),
    st.lists(deferrals, max_size=2),
    st.lists(spans, max_size=2),
    st.sampled_from(RULES),
    st.integers(1, 300),
)
def test_equal_terms_are_equal_verdicts(
    known: tuple[Case, datetime], given_: list[Deferral], windows: list[Window], rule: str, limit: int
) -> None:
    """So a parcel whose terms stay is not judged anew."""
    case, seen = known
    elsewhere = PolicySpec("别的店", match(shop="没有的店"), rules={rule: change(f"{limit}h")})
    pauses = tuple(map(Exemption, windows))
    one, other = under(*given_, exemptions=pauses), under(*given_, exemptions=pauses, policies=(elsewhere,))
    assert one.version != other.version
    assert one.policy_for(case).terms == other.policy_for(case).terms
    verdicts = [judged(seen_at(case, seen), seen, by=by) for by in (one, other)]
    assert replace(verdicts[0], policy_version="") == replace(verdicts[1], policy_version="")


@settings(ALWAYS, max_examples=10)
@given(everywhere)
def test_any_difference_in_a_line_is_other_terms(given_: Deferral) -> None:
    case = parcel()
    said = [
        under(),
        under(given_),
        under(replace(given_, opt_in="开门")),
        under(exemptions=(Exemption(given_.window),)),
        under(exemptions=(Exemption(given_.window, rules=frozenset({"late_shipment"})),)),
        under(policies=(spec("店", None, late_shipment=change("30h")),)),
        under(policies=(spec("店", None, late_shipment=change("30h", shadow=True)),)),
        under(policies=(spec("店", None, late_shipment=change(calendar=calendars()["cn_working_days"])),)),
    ]
    assert len({by.policy_for(case).terms for by in said}) == len(said)
