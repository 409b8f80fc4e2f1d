"""What holds for every parcel (design §1: L1, L2, L3, L6, L8), over histories nobody wrote by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.findings import Finding, Verdict
from domain.journey import condense
from domain.orders import Case, Order, OrderStatus, Waybill
from domain.time import RESOLUTION, Window
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, Motion, TrackingEvent
from rules.changes import compare, silencer
from rules.declare import Kind
from rules.policy import Change, Exemption, PolicyBook, PolicySpec
from rules.questions import plan_of
from rules.schedule import Pace, next_question
from tests.rules.scenes import T0, book, judged, plain_book, profiles, seen_at

MINUTE = timedelta(minutes=1)
ALWAYS = settings(deadline=None, max_examples=150)

# ── histories ────────────────────────────────────────────────────────────────────────────────────

SCANS = [each for each in Milestone if each.rank == -1 or each.rank >= Milestone.LABEL_CREATED.rank]
minutes = st.integers(-600, 400 * 60)
"""Within about two weeks of the payment, also before it."""


def moments(draw_from: st.SearchStrategy[int] = minutes) -> st.SearchStrategy[datetime]:
    return draw_from.map(lambda n: T0 + n * MINUTE)


forward = [Milestone.LABEL_CREATED, Milestone.PICKED_UP, *[Milestone.IN_TRANSIT] * 4, Milestone.ARRIVED_DEST_CITY,
           Milestone.AT_DELIVERY_STATION, Milestone.OUT_FOR_DELIVERY, Milestone.DELIVERY_FAILED,
           Milestone.READY_FOR_COLLECTION, Milestone.DELIVERED]  # fmt: skip
hubs = st.sampled_from(["", "义乌转运中心", "武汉分拨中心"])


@st.composite
def scans(draw: st.DrawFn) -> TrackingEvent:
    """Mostly a parcel on its way, now and then anything at all."""
    usual = draw(st.integers(0, 9)) < 8
    milestone = draw(st.sampled_from(forward if usual else SCANS))
    troubles = frozenset() if usual else draw(st.frozensets(st.sampled_from(list(ExceptionKind)), max_size=2))
    return TrackingEvent(
        draw(moments()),
        milestone,
        text=milestone.value + draw(st.sampled_from(["", "一", "二", "三"])),
        exceptions=troubles,
        motion=draw(st.sampled_from([None, Motion.ARRIVED, Motion.DEPARTED])),
        hub=draw(hubs),
        delivered_kind=draw(st.sampled_from([None, *DeliveredKind]))
        if milestone is Milestone.DELIVERED
        else None,
        forecast=not usual and draw(st.booleans()),
    )


maybe = st.one_of(st.none(), moments(st.integers(-600, 6000)))


GOODS = [frozenset({each}) for each in ("custom", "bulky", "bonded", "direct_mail", "reship")]


@st.composite
def orders(draw: st.DrawFn) -> Order:
    return Order(
        draw(st.sampled_from(["1", "2"])),
        platform=draw(st.sampled_from([*sorted(profiles()), "?"])),
        status=draw(st.sampled_from([OrderStatus.SHIPPED] * 4 + list(OrderStatus))),
        paid_at=draw(maybe),
        confirmed_at=draw(maybe),
        shipped_at=draw(maybe),
        promised_ship_at=draw(st.one_of(st.none(), maybe)),
        receiver_province=draw(st.sampled_from(["浙江", "浙江", "甘肃", "新疆", "香港", ""])),
        tags=draw(st.sampled_from([*[frozenset()] * 4, *GOODS])),
    )


histories = st.lists(scans(), max_size=8)
parcels = st.lists(orders(), min_size=1, max_size=2).map(tuple)
looks = moments(st.integers(0, 500 * 60))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Case, datetime]:
    """A parcel as it was known at a look, and that moment: no scan is known before it happened."""
    seen = draw(looks)
    known = [event for event in draw(histories) if event.occurred_at <= seen]
    case = Case(
        Waybill("yuantong", "YT1"), draw(parcels), condense(known), seen, draw(st.one_of(st.none(), looks))
    )
    return case, seen


def clocks_found(verdict: Verdict) -> dict[str, Finding]:
    return {found.rule: found for found in verdict.findings if found.deadline is not None}


# ── laws of the judgement ────────────────────────────────────────────────────────────────────────


@ALWAYS
@given(histories, parcels, looks, st.randoms())
def test_the_order_of_arrival_does_not_matter(
    history: list[TrackingEvent], inside: tuple[Order, ...], seen: datetime, random: object
) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    verdicts = [
        judged(Case(Waybill("yuantong", "YT1"), inside, condense(events), seen, seen), seen)
        for events in (history, shuffled)
    ]
    assert verdicts[0] == verdicts[1]


@ALWAYS
@given(cases(), st.integers(0, 30_000))
def test_time_alone_proves_nothing(known: tuple[Case, datetime], later: int) -> None:
    """Nothing changes while nobody looks (L1)."""
    case, seen = known
    assume(case.orders_observed_at is None or case.orders_observed_at <= seen)
    assert judged(case, seen + later * MINUTE) == judged(case, seen)


@ALWAYS
@given(cases(), st.integers(0, 30_000))
def test_more_silence_never_clears_a_finding_nor_lowers_its_step(
    known: tuple[Case, datetime], later: int
) -> None:
    case, seen = known
    case = seen_at(case, seen)
    before, after = judged(case, seen), judged(seen_at(case, seen + later * MINUTE), seen + later * MINUTE)
    for rule, found in ((found.rule, found) for found in before.findings):
        worse = next((each for each in after.findings if each.rule == rule), None)
        assert worse is not None, rule
        assert worse.step >= found.step
        assert (worse.started_at, worse.deadline) == (found.started_at, found.deadline)
    changes = compare(before.findings, after, case, seen + later * MINUTE)
    assert changes.ended == ()


@ALWAYS
@given(cases(), looks)
def test_nothing_is_claimed_beyond_what_was_observed(known: tuple[Case, datetime], now: datetime) -> None:
    case, seen = known
    shop = case.orders_observed_at
    for found in clocks_found(judged(case, now)).values():
        proven = max(at for at in (seen, shop) if at is not None)
        assert found.crossed_at < min(now, proven)
    blind = judged(replace(case, observed_at=None, orders_observed_at=None), now)
    assert clocks_found(blind) == {}


@ALWAYS
@given(cases())
def test_the_next_look_is_exactly_when_something_changes(known: tuple[Case, datetime]) -> None:
    """At `next_look_at`, looked at then, a finding is new or further; at any moment before it, none is (L2)."""
    case, seen = known
    case = seen_at(case, seen)
    verdict = judged(case, seen)
    steps = {found.rule: found.step for found in verdict.findings}
    look = verdict.next_look_at
    if look is None:
        far = seen + timedelta(days=4000)
        assert {found.rule: found.step for found in judged(seen_at(case, far), far).findings} == steps
        return
    assert look > seen
    after = {found.rule: found.step for found in judged(seen_at(case, look), look).findings}
    assert any(step > steps.get(rule, 0) for rule, step in after.items())
    for before in (look - RESOLUTION, seen + (look - seen) / 2):
        between = min(before, look - RESOLUTION)
        assert {found.rule: found.step for found in judged(seen_at(case, between), between).findings} == steps


@ALWAYS
@given(cases())
def test_what_the_carriers_silence_decides_is_part_of_the_next_look(known: tuple[Case, datetime]) -> None:
    case, seen = known
    verdict = judged(case, seen)
    if verdict.carrier_look_at is not None:
        assert verdict.next_look_at is not None
        assert verdict.next_look_at <= verdict.carrier_look_at
    lines = plain_book().policy_for(case).lines
    only_carrier = {line.rule.id for line in lines if line.rule.limit and not plan_of(line).by_shop}
    assert bool(verdict.carrier_look_at) or not any(
        step.at >= seen
        for reading in verdict.clocks
        if reading.rule in only_carrier and reading.running
        for step in reading.steps
    )


@ALWAYS
@given(cases())
def test_every_finding_can_be_explained_by_its_clock(known: tuple[Case, datetime]) -> None:
    case, seen = known
    verdict = judged(case, seen)
    for rule, found in clocks_found(verdict).items():
        reading = verdict.clock(rule)
        assert reading is not None
        assert reading.running
        assert reading.started_at is not None
        worst = reading.steps[found.step - 1]
        assert (found.stage, found.crossed_at, found.policy) == (worst.stage, worst.at, reading.policy)
        assert (found.started_at, found.deadline, found.limit) == (
            reading.started_at,
            reading.deadline,
            reading.limit,
        )
        assert reading.started_at < found.crossed_at
    for reading in verdict.clocks:
        times = [reading.started_at, *(step.at for step in reading.steps)] if reading.started_at else []
        assert times == sorted(set(times)), "steps come one after the other"
        assert reading.ended_at is None or (
            reading.started_at is not None and reading.ended_at >= reading.started_at
        )
        assert bool(reading.asleep) == (reading.started_at is None)


@ALWAYS
@given(histories, parcels, looks)
def test_a_delivered_parcel_has_no_forward_clock(
    history: list[TrackingEvent], inside: tuple[Order, ...], seen: datetime
) -> None:
    case = Case(Waybill("yuantong", "YT1"), inside, condense(history), seen, seen)
    if case.journey.over:
        running = {reading.rule for reading in judged(case, seen).clocks if reading.running}
        assert running == set()


# ── laws of policies ─────────────────────────────────────────────────────────────────────────────

CLOCKS = sorted(
    {
        each.id
        for profile in profiles().values()
        for each in profile.rules.values()
        if each.kind is not Kind.EXCEPTION
    }
)


def with_limit(rule: str, hours: int) -> PolicyBook:
    limit = {tier: timedelta(hours=hours) for tier in ("normal", "remote", "very_remote")}
    return book(PolicySpec("x", rules={rule: Change(limit=limit)}))  # type: ignore[dict-item]


@settings(deadline=None, max_examples=60)
@given(cases(), st.sampled_from(CLOCKS), st.integers(80, 300), st.integers(0, 300))
def test_a_wider_limit_never_adds_a_finding(
    known: tuple[Case, datetime], rule: str, limit: int, more: int
) -> None:
    case, seen = known
    narrow, wide = (
        clocks_found(judged(case, seen, by=with_limit(rule, hours))) for hours in (limit, limit + more)
    )
    assert wide.keys() <= narrow.keys()
    if rule in wide:
        assert wide[rule].step <= narrow[rule].step


@settings(deadline=None, max_examples=60)
@given(cases(), looks, st.integers(1, 6000), st.lists(st.tuples(looks, st.integers(1, 6000)), max_size=2))
def test_a_further_exemption_never_makes_a_deadline_earlier(
    known: tuple[Case, datetime], start: datetime, length: int, others: list[tuple[datetime, int]]
) -> None:
    case, seen = known
    known_ones = tuple(Exemption(Window(at, at + n * MINUTE)) for at, n in others)
    further = Exemption(Window(start, start + length * MINUTE))
    before = judged(case, seen, by=book(exemptions=known_ones))
    after = judged(case, seen, by=book(exemptions=(*known_ones, further)))
    for one, other in zip(before.clocks, after.clocks, strict=True):
        assert one.rule == other.rule
        # A clock that another's breach starts has no deadline when the other's breach is excused.
        excused = not other.steps and one.rule == "trajectory_to_out_of_stock"
        assert excused or [step.at for step in one.steps] <= [step.at for step in other.steps]
    assert clocks_found(after).keys() <= clocks_found(before).keys()


@ALWAYS
@given(cases())
def test_the_same_case_gets_the_same_policy_and_verdict_from_a_new_book(known: tuple[Case, datetime]) -> None:
    case, seen = known
    assert judged(case, seen, by=PolicyBook(profiles())) == judged(case, seen, by=plain_book())


# ── laws of change ───────────────────────────────────────────────────────────────────────────────


@ALWAYS
@given(cases())
def test_the_same_verdict_again_changes_nothing(known: tuple[Case, datetime]) -> None:
    case, seen = known
    verdict = judged(case, seen)
    changes = compare(verdict.findings, verdict, case, seen)
    assert not changes
    assert changes.standing == verdict.findings


@ALWAYS
@given(histories, parcels, looks, looks, st.randoms())
def test_after_any_change_what_stands_is_what_was_found(
    history: list[TrackingEvent], inside: tuple[Order, ...], one: datetime, other: datetime, random: object
) -> None:
    """Scans may be late or withdrawn: every old finding is kept, grown or ended, every new one is there."""
    first, second = sorted((one, other))
    knew = [e for e in history if e.occurred_at <= first and random.random() < 0.8]  # type: ignore[attr-defined]
    learned = [e for e in history if e.occurred_at <= second and random.random() < 0.9]  # type: ignore[attr-defined]
    name = Waybill("yuantong", "YT1")
    before = judged(Case(name, inside, condense(knew), first, first), first)
    case = Case(name, inside, condense(learned), second, second)
    after = judged(case, second)
    changes = compare(before.findings, after, case, second)

    assert {found.rule for found in changes.standing} == {found.rule for found in after.findings}
    assert len(changes.standing) == len(after.findings)
    gone = [old for old, _ in changes.ended]
    went_on = [*changes.kept, *(old for old, _ in changes.grown)]
    assert sorted(old.rule for old in (*gone, *went_on)) == sorted(old.rule for old in before.findings)
    for old, ending in changes.ended:
        assert ending.at <= second
        assert ending.by
        assert ending.state in ("cleared", "retracted", "expired")
        if ending.state == "cleared":
            told = ending.at == second  # by a clock that is ahead of ours
            assert told or ending.at > old.started_at
            assert told or ending.at > old.crossed_at or old.deadline is None
    assert not compare(changes.standing, after, case, second), "and then there is peace"


@ALWAYS
@given(cases())
def test_of_two_findings_at_most_one_silences_the_other(known: tuple[Case, datetime]) -> None:
    case, seen = known
    found = judged(case, seen).findings
    for one in found:
        worse = silencer(one, found)
        if worse is None:
            continue
        assert worse.severity >= one.severity
        assert silencer(worse, (one,)) is None, "never mutually"
        assert silencer(worse, found) is None, "the one that speaks is itself not silenced"
    if found:
        assert any(silencer(one, found) is None for one in found), "somebody speaks"


# ── laws of asking ───────────────────────────────────────────────────────────────────────────────

paces = st.builds(
    Pace,
    interval=st.integers(1, 600).map(lambda n: n * MINUTE),
    lag=st.integers(0, 300).map(lambda n: n * MINUTE),
    freshness=st.integers(30, 2000).map(lambda n: n * MINUTE),
)


@ALWAYS
@given(cases(), paces, st.one_of(st.none(), st.integers(0, 3000)), st.integers(0, 3000))
def test_a_provider_is_asked_neither_too_often_nor_too_late(
    known: tuple[Case, datetime], pace: Pace, ago: int | None, later: int
) -> None:
    case, seen = known
    now = seen + later * MINUTE
    asked_at = None if ago is None else now - ago * MINUTE
    verdict = judged(case, now)
    due = next_question(case, verdict, pace, asked_at, now)
    if due is None:
        assert case.journey.over
        return
    earliest = now if asked_at is None else max(now, asked_at + pace.interval)
    assert due >= earliest
    if case.journey.over:
        return
    step = verdict.carrier_look_at
    if step is None:
        return
    proof = max(earliest, step + pace.lag)
    if due < proof:
        # A question before the step leaves the interval free for the one that proves it.
        assert due + pace.interval <= proof
    else:
        assert due == proof
