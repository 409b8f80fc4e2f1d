"""What goes into a column comes out the same, whatever it holds."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.findings import ClockReading, Stage, Step
from domain.journey import Journey, OpenException, Sighting
from domain.messages import Message, MessageKind
from domain.time import from_micros, to_micros
from domain.tracking import ExceptionKind, Milestone, TrackingEvent
from monitor.store import codec

MOMENTS = st.integers(946_684_800_000_000, 4_102_444_800_000_000).map(from_micros)
LENGTHS = st.timedeltas(timedelta(0), timedelta(days=400))
TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)
"""Any character at all: NUL and half surrogate pairs too, since carriers' JSON may hold them."""


def any_of(kind: type[Any], **given_: Any) -> st.SearchStrategy[Any]:
    """Every field of a dataclass drawn by its type, so a field that is added is tested as well."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{f.name: _strategy(hints[f.name]) for f in fields(kind)} | given_)


def _strategy(hint: Any) -> st.SearchStrategy[Any]:
    if NoneType in get_args(hint):
        return st.none() | _strategy(next(arg for arg in get_args(hint) if arg is not NoneType))
    if get_origin(hint) is tuple:
        return st.lists(_strategy(get_args(hint)[0]), max_size=3).map(tuple)
    known = {str: TEXTS, timedelta: LENGTHS, datetime: MOMENTS}
    return known[hint] if hint in known else st.from_type(hint)


EVENTS = any_of(TrackingEvent)
TROUBLES = any_of(OpenException)
MARKS = st.dictionaries(st.sampled_from(Milestone), MOMENTS)
STAYS = any_of(Sighting)
JOURNEYS = any_of(
    Journey,
    first=MARKS,
    last=MARKS,
    exceptions=st.lists(TROUBLES, max_size=3).map(tuple),
    cities=st.lists(STAYS, max_size=3).map(tuple),
    doorstep=st.none() | STAYS,
    forwarded=st.none() | TROUBLES,
)
CLOCKS = any_of(ClockReading, steps=st.lists(any_of(Step), max_size=3).map(tuple))
MESSAGES = any_of(
    Message,
    facts=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    rows=st.lists(TEXTS, max_size=3).map(tuple),
    mentions=st.lists(TEXTS, max_size=3).map(tuple),
    data=st.dictionaries(TEXTS, TEXTS, max_size=3),
)


def row_of(event: TrackingEvent) -> tuple[int, str, str, str, str]:
    """The columns of one scan."""
    return (to_micros(event.occurred_at), event.milestone.value, *codec.event_texts(event))


@given(EVENTS)
def test_a_scan_comes_back_as_it_was(event):
    read = codec.read_event(*row_of(event))
    assert all(getattr(read, each.name) == getattr(event, each.name) for each in fields(event))


@given(EVENTS)
def test_no_column_of_a_scan_holds_what_postgresql_refuses(event):
    for value in row_of(event)[1:]:
        assert "\0" not in str(value)
        str(value).encode()


@given(JOURNEYS)
def test_a_journey_comes_back_as_it_was(journey):
    assert codec.read_journey(codec.journey_text(journey)) == journey


@given(st.lists(CLOCKS, max_size=3).map(tuple))
def test_clocks_come_back_as_they_were(clocks):
    assert codec.read_clocks(codec.clocks_text(clocks)) == clocks


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message):
    assert codec.read_message(codec.message_text(message)) == message


@given(TEXTS)
def test_every_text_can_be_stored(text):
    assert "\0" not in codec.clean(text)
    codec.clean(text).encode()
    assert json.loads(codec.dump(text)) == text


def test_a_text_without_trouble_is_stored_as_it_is():
    assert codec.clean("快件已到达【杭州转运中心】") == "快件已到达【杭州转运中心】"


@pytest.mark.parametrize(
    ("text", "kept"), [("a\0b", "a\ufffdb"), ("\ud83d", "?"), ("\U0001f4e6", "\U0001f4e6")]
)
def test_what_postgresql_refuses_is_replaced(text, kept):
    assert codec.clean(text) == kept


def test_nothing_is_said_of_what_has_its_default():
    assert codec.journey_text(Journey()) == "{}"
    assert codec.clocks_text(()) == "[]"
    assert codec.event_texts(TrackingEvent(from_micros(0), Milestone.PICKED_UP, "已揽收")) == (
        "",
        "已揽收",
        "{}",
    )


def test_a_usual_journey_is_short():
    at = datetime(2026, 11, 1, 8, tzinfo=UTC)
    marks = {Milestone.PICKED_UP: at, Milestone.IN_TRANSIT: at + timedelta(hours=9)}
    journey = Journey(
        first=marks, last=marks, milestone=Milestone.IN_TRANSIT, last_text="已发往杭州", events=2
    )
    assert len(codec.journey_text(journey)) < 250


def with_more(text: str, **more: Any) -> str:
    return json.dumps(json.loads(text) | more)


def test_keys_of_a_later_version_are_passed_over():
    journey = Journey(last_text="已揽收", events=1)
    later = with_more(codec.journey_text(journey), speed=3, first={"teleported": 1, "picked_up": 0})
    assert codec.read_journey(later) == replace(journey, first={Milestone.PICKED_UP: from_micros(0)})

    clock = ClockReading("late_pickup", "flagship", steps=(Step(Stage.BREACH, from_micros(5), timedelta(0)),))
    [found] = json.loads(codec.clocks_text([clock]))
    found["steps"].append(["hint", 9, 0])
    assert codec.read_clocks(json.dumps([found | {"mood": "bad"}])) == (clock,)

    message = Message(MessageKind.ALERT, "揽收超时")
    assert codec.read_message(with_more(codec.message_text(message), urgency="whenever")) == message


def test_a_trouble_of_a_later_version_is_passed_over():
    known = OpenException(ExceptionKind.HELD, from_micros(7), "滞留")
    found = json.loads(codec.journey_text(Journey(exceptions=(known,))))
    found["exceptions"].insert(0, ["abducted", 7, "外星人"])
    assert codec.read_journey(json.dumps(found)).exceptions == (known,)


def test_a_milestone_of_a_later_version_reads_as_unknown():
    assert codec.read_event(0, "teleported", "", "x", "{}").milestone is Milestone.UNKNOWN


def test_a_journey_stored_before_there_were_stays_reads_as_one_without():
    stored = '{"events":1,"last_text":"已揽收","first":{"picked_up":0},"movements":[0]}'
    journey = codec.read_journey(stored)
    assert (journey.cities, journey.doorstep, journey.pickups, journey.first_event_at) == ((), None, (), None)
    assert journey.last_text == "已揽收"
