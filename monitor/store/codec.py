"""Values as texts in a column, and back: exact, compact, and deaf to what a later version adds.

Moments are whole microseconds as in the columns; what has its default value is left out. A key, a
milestone or a trouble that this program does not know is passed over when read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from enum import StrEnum
from json.encoder import encode_basestring as _quote
from operator import attrgetter
from typing import Any, Final, TypeVar

from domain.findings import ClockReading, Stage, Step
from domain.journey import Journey, OpenException, Sighting, Whereabouts
from domain.messages import Message, MessageKind, Urgency
from domain.time import from_micros, to_micros
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, Motion, TrackingEvent

__all__ = [
    "clean",
    "clocks_text",
    "dump",
    "event_texts",
    "journey_text",
    "length",
    "message_text",
    "micros",
    "moment",
    "read_clocks",
    "read_event",
    "read_journey",
    "read_mapping",
    "read_message",
]

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")
V = TypeVar("V")
_MICROSECOND: Final = timedelta(microseconds=1)
_write: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump(value: object) -> str:
    """JSON that both databases take: half a surrogate pair, which no UTF-8 has, is escaped."""
    text = _write(value)
    return text if _has_utf8(text) else json.dumps(value, separators=(",", ":"))


def clean(text: str) -> str:
    """The text without what PostgreSQL refuses in a column: NUL and half surrogate pairs."""
    if "\0" not in text and (text.isascii() or _has_utf8(text)):
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def micros(at: datetime | None) -> int | None:
    """A moment as its column keeps it."""
    return None if at is None else to_micros(at)


def moment(stored: int | None) -> datetime | None:
    """The inverse of `micros`."""
    return None if stored is None else from_micros(stored)


def length(span: timedelta | None) -> int | None:
    """A length in microseconds."""
    return None if span is None else span // _MICROSECOND


def read_mapping(text: str) -> dict[str, Any]:
    """A JSON object; anything else reads as an empty one."""
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _typed(kind: type[Any], *types: str) -> tuple[str, ...]:
    """The fields of a dataclass with one of these types, so that a field that is added is kept too."""
    return tuple(field.name for field in fields(kind) if field.type in types)


def _plain(kind: type[Any]) -> tuple[str, ...]:
    """The fields JSON holds as they are."""
    return _typed(kind, "str", "int", "bool")


def _moments(kind: type[Any]) -> tuple[str, ...]:
    """The fields that are a moment or nothing."""
    return _typed(kind, "datetime | None")


# ── scans ────────────────────────────────────────────────────────────────────────────────────────

_EVENT_COLUMNS: Final = ("text", "code")
_EVENT_PLAIN: Final = tuple(name for name in _plain(TrackingEvent) if name not in _EVENT_COLUMNS)
_EVENT_STRINGS: Final = tuple(
    (name, attrgetter(name))
    for name in (*_typed(TrackingEvent, "str"), "delivered_kind", "motion")
    if name not in _EVENT_COLUMNS
)
_EVENT_FLAGS: Final = tuple((name, attrgetter(name)) for name in _typed(TrackingEvent, "bool"))


def event_texts(event: TrackingEvent) -> tuple[str, str, str]:
    """A scan's columns `code`, `text` and `detail`: what it holds beyond its moment and milestone.

    The columns hold cleaned texts; where that changed something, the carrier's own are in the detail.
    Put together by hand, because setting up the JSON encoder costs more than writing a scan.
    """
    code, text = clean(event.code), clean(event.text)
    parts = [f'"{name}":{_quote(value)}' for name, read in _EVENT_STRINGS if (value := read(event))]
    if event.exceptions:
        parts.append(f'"exceptions":{dump(sorted(event.exceptions))}')
    parts += [f'"{name}":true' for name, read in _EVENT_FLAGS if read(event)]
    if code is not event.code:
        parts.append(f'"code":{_quote(event.code)}')
    if text is not event.text:
        parts.append(f'"text":{_quote(event.text)}')
    if not parts:
        return code, text, "{}"
    detail = f"{{{','.join(parts)}}}"
    return code, text, detail if _has_utf8(detail) else json.dumps(json.loads(detail))


def read_event(occurred_at: int, milestone: str, code: str, text: str, detail: str) -> TrackingEvent:
    """A scan from its columns."""
    at, known = from_micros(occurred_at), _known(Milestone, milestone) or Milestone.UNKNOWN
    if detail == "{}":
        return TrackingEvent(at, known, text, code)
    more = read_mapping(detail)
    return TrackingEvent(
        at,
        known,
        more.get("text", text),
        more.get("code", code),
        exceptions=frozenset(_all(ExceptionKind, more.get("exceptions", ()))),
        delivered_kind=_known(DeliveredKind, more.get("delivered_kind")),
        motion=_known(Motion, more.get("motion")),
        **_picked(more, (), _EVENT_PLAIN),
    )


# ── journeys ─────────────────────────────────────────────────────────────────────────────────────

_JOURNEY_MOMENTS: Final = _moments(Journey)
_JOURNEY_PLAIN: Final = _plain(Journey)


def journey_text(journey: Journey) -> str:
    """A condensed history as JSON."""
    found: dict[str, Any] = {name: v for name in _JOURNEY_PLAIN if (v := getattr(journey, name))}
    found |= {name: to_micros(v) for name in _JOURNEY_MOMENTS if (v := getattr(journey, name))}
    for name in ("first", "last"):
        if marks := getattr(journey, name):
            found[name] = {mark.value: to_micros(at) for mark, at in marks.items()}
    if journey.movements:
        found["movements"] = [to_micros(at) for at in journey.movements]
    if journey.pickups:
        found["pickups"] = [to_micros(at) for at in journey.pickups]
    if journey.cities:
        found["cities"] = [_stay(each) for each in journey.cities]
    if journey.doorstep is not None:
        found["doorstep"] = _stay(journey.doorstep)
    if journey.milestone is not Milestone.UNKNOWN:
        found["milestone"] = journey.milestone
    if journey.whereabouts:
        found["whereabouts"] = journey.whereabouts
    if journey.delivered_kind:
        found["delivered_kind"] = journey.delivered_kind
    if journey.exceptions:
        found["exceptions"] = [_trouble(each) for each in journey.exceptions]
    if journey.forwarded is not None:
        found["forwarded"] = _trouble(journey.forwarded)
    return dump(found)


def read_journey(text: str) -> Journey:
    """The inverse of `journey_text`."""
    if text == "{}":
        return Journey()
    found = read_mapping(text)
    troubles = map(_read_trouble, found.get("exceptions", ()))
    return Journey(
        first=_marks(found.get("first", {})),
        last=_marks(found.get("last", {})),
        milestone=_known(Milestone, found.get("milestone")) or Milestone.UNKNOWN,
        movements=tuple(from_micros(at) for at in found.get("movements", ())),
        pickups=tuple(from_micros(at) for at in found.get("pickups", ())),
        cities=tuple(_read_stay(each) for each in found.get("cities", ())),
        doorstep=_when(_read_stay, found.get("doorstep")),
        whereabouts=_known(Whereabouts, found.get("whereabouts")),
        delivered_kind=_known(DeliveredKind, found.get("delivered_kind")),
        exceptions=tuple(each for each in troubles if each is not None),
        forwarded=_when(_read_trouble, found.get("forwarded")),
        **_picked(found, _JOURNEY_MOMENTS, _JOURNEY_PLAIN),
    )


def _trouble(trouble: OpenException) -> tuple[str, int, str]:
    return trouble.kind, to_micros(trouble.since), trouble.text


def _read_trouble(found: tuple[str, int, str]) -> OpenException | None:
    """None for a kind of a later version."""
    name, since, words = found
    kind = _known(ExceptionKind, name)
    return None if kind is None else OpenException(kind, from_micros(since), words)


def _stay(stay: Sighting) -> tuple[str, int, int]:
    """The last scan counted from the first one: shorter."""
    return stay.area, to_micros(stay.at), length(stay.until - stay.at) or 0


def _read_stay(found: tuple[str, int, int]) -> Sighting:
    area, at, stayed = found
    return Sighting(area, from_micros(at), from_micros(at + stayed))


def _marks(found: Mapping[str, int]) -> dict[Milestone, datetime]:
    return {mark: from_micros(at) for name, at in found.items() if (mark := _known(Milestone, name))}


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────

_CLOCK_PLAIN: Final = tuple(name for name in _plain(ClockReading) if name not in ("rule", "policy"))
_CLOCK_MOMENTS: Final = _moments(ClockReading)


def clocks_text(clocks: Iterable[ClockReading]) -> str:
    """Clock readings as JSON."""
    return dump([_clock(clock) for clock in clocks])


def read_clocks(text: str) -> tuple[ClockReading, ...]:
    """The inverse of `clocks_text`."""
    return () if text == "[]" else tuple(_read_clock(found) for found in json.loads(text))


def _clock(clock: ClockReading) -> dict[str, Any]:
    found: dict[str, Any] = {"rule": clock.rule, "policy": clock.policy}
    found |= {name: v for name in _CLOCK_PLAIN if (v := getattr(clock, name))}
    found |= {name: to_micros(v) for name in _CLOCK_MOMENTS if (v := getattr(clock, name))}
    if clock.limit is not None:
        found["limit"] = length(clock.limit)
    if clock.steps:
        found["steps"] = [_step(step) for step in clock.steps]
    return found


def _step(step: Step) -> list[Any]:
    """A grace is rare, so it is only written where there is one."""
    grace = [length(step.grace)] if step.grace else []
    return [step.stage, to_micros(step.at), length(step.left), *grace]


def _read_clock(found: Mapping[str, Any]) -> ClockReading:
    steps = (
        Step(known, from_micros(at), *(timedelta(microseconds=each) for each in lengths))
        for stage, at, *lengths in found.get("steps", ())
        if (known := _known(Stage, stage))
    )
    return ClockReading(
        found["rule"],
        found["policy"],
        limit=_when(lambda us: timedelta(microseconds=us), found.get("limit")),
        steps=tuple(steps),
        **_picked(found, _CLOCK_MOMENTS, _CLOCK_PLAIN),
    )


# ── messages ─────────────────────────────────────────────────────────────────────────────────────


def message_text(message: Message) -> str:
    """A message as JSON."""
    found: dict[str, Any] = {"kind": message.kind, "title": message.title, "urgency": message.urgency}
    found |= {
        name: value
        for name in ("facts", "rows", "more", "link", "reference", "mentions")
        if (value := getattr(message, name))
    }
    if message.data:
        found["data"] = dict(message.data)
    if message.at is not None:
        found["at"] = to_micros(message.at)
    return dump(found)


def read_message(text: str) -> Message:
    """The inverse of `message_text`. Raises ValueError for a kind of message nobody knows."""
    found = read_mapping(text)
    return Message(
        MessageKind(found["kind"]),
        found["title"],
        facts=tuple((label, value) for label, value in found.get("facts", ())),
        rows=tuple(found.get("rows", ())),
        more=found.get("more", 0),
        link=found.get("link", ""),
        reference=found.get("reference", ""),
        mentions=tuple(found.get("mentions", ())),
        urgency=_known(Urgency, found.get("urgency")) or Urgency.NORMAL,
        at=moment(found.get("at")),
        data=found.get("data", {}),
    )


def _picked(found: Mapping[str, Any], moments: Sequence[str], plain: Sequence[str]) -> dict[str, Any]:
    """The fields of these names that are there."""
    picked: dict[str, Any] = {name: from_micros(found[name]) for name in moments if name in found}
    return picked | {name: found[name] for name in plain if name in found}


def _known(kind: type[E], name: object) -> E | None:
    """The member of that name, or None for nothing and for a name of a later version."""
    return kind._value2member_map_.get(name) if name is not None else None  # type: ignore[return-value]


def _all(kind: type[E], names: Sequence[object]) -> list[E]:
    return [member for name in names if (member := _known(kind, name))]


def _when(read: Callable[[V], T], value: V | None) -> T | None:
    return None if value is None else read(value)
