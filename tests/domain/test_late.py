"""Pushes that are held up or played again: a history only ever learns from them, it never goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.history import Merge, Stored, merge
from domain.tracking import Answer, Milestone, TrackingEvent

T0 = datetime(2026, 5, 1, 2, tzinfo=UTC)
NOW = T0 + timedelta(days=9)


def scan(hour: int, text: str, code: str = "0") -> TrackingEvent:
    return TrackingEvent(T0 + timedelta(hours=hour), Milestone.IN_TRANSIT, text, code)


def look(*events: TrackingEvent) -> Answer:
    return Answer("zhongtong", "75812345678905", events)


def push(*events: TrackingEvent) -> Answer:
    return replace(look(*events), whole=False, late=True)


def alone(*events: TrackingEvent) -> Answer:
    return replace(push(*events), alone=True)


def after(known: Sequence[Stored], *said: Answer) -> list[Stored]:
    for each in said:
        change = merge(known, each, NOW)
        rows = {(row.event.occurred_at, row.seq): row for row in known}
        for row in (*(new for _, new in change.edited), *change.withdrawn, *change.restored, *change.added):
            rows[row.event.occurred_at, row.seq] = row
        known = list(rows.values())
    return list(known)


def standing(known: Sequence[Stored]) -> set[TrackingEvent]:
    return {row.event for row in known if row.withdrawn_at is None}


PICKED, LEFT, OUT = scan(0, "已揽收"), scan(5, "已发出"), scan(9, "派件中", "5")
MASKED = replace(PICKED, text="已揽收，电话 138******36")
SIGNED, PROOF = scan(12, "已签收", "80"), scan(12, "在官网查看签收凭证", "8000")


@pytest.mark.parametrize(
    ("before", "said", "expected"),
    [
        pytest.param([look(MASKED)], push(PICKED), {MASKED}, id="older words of a scan are no news"),
        pytest.param(
            [look(PICKED)], push(MASKED, LEFT), {MASKED, LEFT}, id="newer words come with a new scan"
        ),
        pytest.param(
            [look(PICKED, LEFT), look(PICKED, OUT)],
            push(PICKED, LEFT),
            {PICKED, OUT},
            id="what was taken back stays so",
        ),
        pytest.param(
            [look(PICKED, LEFT), look(PICKED, OUT)],
            push(PICKED, replace(LEFT, text="已发往杭州")),
            {PICKED, OUT},
            id="what was taken back stays so in other words",
        ),
        pytest.param(
            [look(PICKED), look(OUT)], push(), {PICKED, OUT}, id="a push of nothing takes nothing back"
        ),
        pytest.param(
            [look(PICKED, OUT)],
            push(PICKED, LEFT),
            {PICKED, LEFT, OUT},
            id="a scan that comes late is learned",
        ),
        pytest.param([alone(SIGNED)], alone(PROOF), {SIGNED, PROOF}, id="two codes in one second"),
        pytest.param(
            [alone(SIGNED)], alone(replace(SIGNED, text="签收")), {SIGNED}, id="a repeat in other words"
        ),
        pytest.param(
            [look(MASKED)], alone(LEFT, PICKED), {MASKED, LEFT}, id="one new scan proves no other's words"
        ),
    ],
)
def test_a_push_teaches_and_takes_nothing_back(
    before: list[Answer], said: Answer, expected: set[TrackingEvent]
) -> None:
    known = after([], *before)
    assert standing(after(known, said)) == expected
    assert merge(after(known, said), said, NOW) == Merge(), "played again it says nothing"


@dataclass
class Carrier:
    """What a carrier shows of a parcel, version after version."""

    versions: list[tuple[TrackingEvent, ...]] = field(default_factory=lambda: [()])

    def step(self, kind: str, nth: int, hour: int) -> None:
        rows = list(self.versions[-1])
        if kind == "add" or not rows:
            rows.append(scan(hour, f"第 {len(self.versions)} 行"))
        elif kind == "edit":
            at = nth % len(rows)
            rows[at] = replace(rows[at], text=f"改成第 {len(self.versions)} 行")
        else:
            rows.pop(nth % len(rows))
        self.versions.append(tuple(rows))


steps = st.lists(
    st.tuples(st.sampled_from(["add", "add", "edit"]), st.integers(0, 9), st.integers(0, 6)),
    min_size=1,
    max_size=9,
)
steps_with_withdrawals = st.lists(
    st.tuples(st.sampled_from(["add", "add", "edit", "drop"]), st.integers(0, 9), st.integers(0, 6)),
    min_size=1,
    max_size=9,
)
choices = st.lists(st.sampled_from(["look", "push", "nothing"]), min_size=10, max_size=10)


def played(story: list[tuple[str, int, int]]) -> Carrier:
    carrier = Carrier()
    for each in story:
        carrier.step(*each)
    return carrier


@settings(deadline=None)
@given(steps, st.integers(0, 9), st.integers(0, 9))
def test_a_push_from_before_the_last_look_changes_nothing(
    story: list[tuple[str, int, int]], looked: int, sent: int
) -> None:
    versions = played(story).versions
    looked = min(looked, len(versions) - 1)
    known = after([], *(look(*each) for each in versions[: looked + 1]))
    assert not merge(known, push(*versions[min(sent, looked)]), NOW)


@settings(deadline=None)
@given(steps_with_withdrawals, choices, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
def test_what_is_played_again_is_as_if_it_were_not(
    story: list[tuple[str, int, int]], kinds: list[str], again: list[tuple[int, int]]
) -> None:
    versions = played(story).versions
    plain: list[Stored] = []
    mixed: list[Stored] = []
    pushed: list[Answer] = []
    for nth, (version, kind) in enumerate(zip(versions, kinds, strict=False)):
        if kind != "nothing":
            said = look(*version) if kind == "look" else push(*version)
            plain, mixed = after(plain, said), after(mixed, said)
            pushed += [said] * (kind == "push")
        for when, which in again:
            if when == nth and pushed:
                mixed = after(mixed, pushed[which % len(pushed)])
    assert mixed == plain


@settings(deadline=None)
@given(steps_with_withdrawals, choices)
def test_whatever_was_pushed_a_look_has_the_last_word(
    story: list[tuple[str, int, int]], kinds: list[str]
) -> None:
    """But for scans from before the first it names, which it does not speak of, and an empty or strange one."""
    versions = played(story).versions
    known: list[Stored] = []
    for version, kind in zip(versions, kinds, strict=False):
        if kind == "push":
            known = after(known, push(*version))
    said = look(*versions[-1])
    change = merge(known, said, NOW)
    if said.events and not change.contradicts:
        first = min(event.occurred_at for event in said.events)
        assert {event for event in standing(after(known, said)) if event.occurred_at >= first} == set(
            said.events
        )
