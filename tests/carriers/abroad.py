"""What the tests of the international aggregators share: their states as the facts have them, and scripted talks."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Reply, Request, rehearse
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

T = TypeVar("T")
M, X = Milestone, ExceptionKind
STATES: Final = Path(__file__).parents[2].parent / "shared" / "facts" / "carriers-states.csv"
NUMBER: Final = "RR000000005CN"
POSTAL: Final = Waybill("youzhengguoji", NUMBER)

_MILESTONES: Final[dict[str, frozenset[Milestone]]] = {
    "registered": frozenset({M.LABEL_CREATED}),
    "picked_up": frozenset({M.PICKED_UP}),
    "in_transit": frozenset({M.IN_TRANSIT, M.IMPORT_CUSTOMS, M.CUSTOMS_CLEARED}),
    "out_for_delivery": frozenset({M.OUT_FOR_DELIVERY}),
    "ready_for_collection": frozenset({M.READY_FOR_COLLECTION}),
    "delivered": frozenset({M.DELIVERED}),
    "delivery_failed": frozenset({M.DELIVERY_FAILED}),
    "returning": frozenset({M.RETURNING}),
    "returned": frozenset({M.RETURNED}),
    "cancelled": frozenset({M.CANCELLED}),
}
_TROUBLES: Final[dict[str, frozenset[ExceptionKind]]] = {
    "customs": frozenset({X.CUSTOMS_EXCEPTION}),
    "refused": frozenset({X.REFUSED}),
    "address": frozenset({X.ADDRESS_ERROR}),
    "contact": frozenset({X.CONTACT_FAILURE}),
    "damaged": frozenset({X.DAMAGED}),
    "lost": frozenset({X.LOST}),
    "unknown": frozenset({X.HELD}),
    "overdue": frozenset({X.HELD, X.LOCKER_OVERDUE}),
}


def states(provider: str) -> list[dict[str, str]]:
    """The rows of a provider in `facts/carriers-states.csv`; none where the facts are not at hand."""
    if not STATES.exists():
        return []
    rows = csv.DictReader(STATES.read_text(encoding="utf-8").splitlines())
    return [each for each in rows if each["provider"] == provider]


def as_the_facts_say(event: TrackingEvent, state: dict[str, str]) -> bool:
    """A row whose words say nothing means what its code means; their own clocks and `-` mean nothing."""
    if state["milestone"] == "-":
        return event.milestone is M.UNKNOWN and not event.exceptions
    if state["code"].startswith("Expired"):
        return event.milestone is M.UNKNOWN and not event.exceptions and event.overlaid
    if state["milestone"] == "exception":
        return bool(event.exceptions & _TROUBLES[state["exception_kind"]])
    return event.milestone in _MILESTONES[state["milestone"]] and not event.exceptions


def talk(
    conversation: Conversation[T], *said: object, then: Callable[[Request], object] | None = None
) -> tuple[T, list[Request]]:
    """What came of it, and what was asked, when these are the replies; the last is heard again."""
    requests: list[Request] = []
    left = list(said)

    def answer(request: Request) -> Reply:
        requests.append(request)
        body = then(request) if then is not None else left.pop(0) if len(left) > 1 else left[0]
        return body if isinstance(body, Reply) else Reply(200, json.dumps(body).encode())

    return rehearse(conversation, answer), requests


def bodies(requests: Iterable[Request]) -> list[Any]:
    """The JSON of each request that has one."""
    return [json.loads(request.content) for request in requests if request.content]


def one(told: Sequence[Answer | Rejected]) -> Answer:
    """The only answer; a refusal said in its place is raised."""
    if isinstance(told[0], Rejected):
        raise told[0]
    return told[0]
