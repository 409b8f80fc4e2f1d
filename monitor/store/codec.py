from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.findings import ClockReading
from domain.messages import Message
from domain.tracking import Journey


def dump(value: object) -> str:
    raise NotImplementedError


def journey_text(journey: Journey) -> str:
    raise NotImplementedError


def read_journey(text: str) -> Journey:
    raise NotImplementedError


def clocks_text(clocks: Sequence[ClockReading]) -> str:
    raise NotImplementedError


def read_clocks(text: str) -> tuple[ClockReading, ...]:
    raise NotImplementedError


def message_text(message: Message) -> str:
    raise NotImplementedError


def read_message(text: str) -> Message:
    raise NotImplementedError


def read_mapping(text: str) -> Mapping[str, Any]:
    raise NotImplementedError
