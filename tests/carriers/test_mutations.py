"""A provider that changes a field: whatever stands where, an adapter answers or says what is wrong, and no more.

Every saved reply, with one of its values replaced, left out or said twice. What comes of it is an answer in
UTC or a `RemoteError`; never another exception, and never an answer about another number than the one
asked about.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from carriers.base import Provider
from domain.remote import RemoteError
from domain.tracking import Answer

HERE = Path(__file__).parent
SAMPLES = [path for path in sorted(HERE.glob("samples/*/*.json")) if ".golden" not in path.suffixes]
JUNK: tuple[object, ...] = (
    *(None, True, False, 0, -1, 7.5, 10**40, float("inf"), "", " ", "x", "true", "2026-99-99 00:00:00"),
    *([], {}, [None], [[]], [{}], {"": None}, "\ud800", "￿" * 5_000, "<b>", "9" * 5_000),
)
TRIES = 60
Ask = Callable[..., Answer]


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a reply: the keys that lead there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from places(each, (*path, key))


def changed(body: Any, path: tuple[Any, ...], chance: random.Random) -> Any:
    """A copy with one place changed."""
    copy = deepcopy(body)
    around = copy
    for key in path[:-1]:
        around = around[key]
    match chance.randrange(8):
        case 0:
            del around[path[-1]]
        case 1 if isinstance(around, list):
            around.append(deepcopy(around[path[-1]]))
        case 2:
            around[path[-1]] = str(around[path[-1]])
        case _:
            around[path[-1]] = chance.choice(JUNK)
    return copy


@pytest.mark.parametrize("saved", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_changed_field_is_an_answer_or_an_error_that_says_so(
    saved: Path, ask: Ask, specimen: Callable[[str], Provider]
) -> None:
    golden = json.loads(saved.with_suffix(".golden.json").read_text(encoding="utf-8"))
    try:
        body = json.loads(saved.read_bytes())
    except ValueError:
        pytest.skip("this one is no JSON")
    where, chance = list(places(body)), random.Random(saved.name)
    for _ in range(TRIES if where else 0):
        said = json.dumps(changed(body, chance.choice(where), chance)).encode()
        try:
            answer = ask(saved.parent.name, said, golden["asked"])
        except RemoteError:
            continue
        if specimen(saved.parent.name).asks:
            assert f"{answer.carrier}/{answer.waybill_no}" == golden["asked"]
        assert all(event.occurred_at.tzinfo is UTC for event in answer.events)
        assert answer.events or answer.remark or answer.corrected_carrier
