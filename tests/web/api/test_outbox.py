"""Who was told what, as a program reads it."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.store import outbox
from tests.store import given
from tests.web.api.conftest import Api, problem
from tests.web.api.world import CLEAN, Story, fill


@pytest.fixture
def story(api: Api) -> Story:
    return fill(api.store)


def ids(told: Any) -> list[int]:
    return [row["id"] for row in told["items"]]


def test_messages_have_the_names_of_the_command_line_and_more(api: Api, story: Story) -> None:
    told = api.get("/outbox")
    assert ids(told) == [4, 3, 2], "what waits and what is dead, not what was sent"
    assert {"id", "channel", "ticket", "state", "attempts", "next_try_at", "last_answer"} < set(
        told["items"][0]
    )
    dead = told["items"][-1]
    assert (dead["state"], dead["last_answer"], dead["attempts"]) == ("dead", "关键词不匹配", 1)
    assert dead["ticket"] == story.tickets[0]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"state": "sent"}, [1]),
        ({"state": ["sent", "dead"]}, [2, 1]),
        ({"channel": "ops"}, [4, 3, 2]),
        ({"channel": "nobody"}, []),
        ({"kind": "alert"}, [4, 3, 2]),
        ({"kind": "digest"}, []),
        ({"ticket": "T-20261101-0001", "state": "sent"}, [1]),
        ({"ticket": "T-20261101-0002"}, []),
        ({"limit": 2}, [4, 3]),
    ],
)
def test_filters_of_messages(api: Api, story: Story, asked: dict[str, Any], expected: list[int]) -> None:
    assert ids(api.get("/outbox", **asked)) == expected


def test_messages_are_walked_to_their_end(api: Api, story: Story) -> None:
    first = api.get("/outbox", limit=2)
    second = api.get("/outbox", limit=2, cursor=first["next"])
    assert (ids(second), second["next"]) == ([2], None)


def test_one_message_with_every_try(api: Api, story: Story) -> None:
    told = api.get("/outbox/1")
    assert told["facts"] == [{"label": "运单", "value": "Z1"}]
    assert told["tries"] == [{"at": "2026-11-01T11:00:00+08:00", "outcome": "taken", "answer": CLEAN}]


def test_a_folded_message_shows_the_tries_of_its_digest(api: Api, story: Story) -> None:
    api.store.write_now(lambda conn: outbox.fold(conn, [3], 1))
    told = api.get("/outbox/3")
    assert (told["state"], told["folded_into"], len(told["tries"])) == ("folded", 1, 1)


@pytest.mark.parametrize(
    ("id_", "status"), [("99", 404), ("0", 422), ("-1", 422), ("x", 422), (str(2**70), 422)]
)
def test_a_message_that_is_not_there(api: Api, id_: str, status: int) -> None:
    problem(api("GET", f"/api/v1/outbox/{id_}"), status)


def test_a_message_that_waits_says_when_it_is_tried_next(api: Api) -> None:
    api.store.write_now(lambda conn: outbox.put(conn, [given.alert("a", next_try_at=given.T0 + 8 * given.H)]))
    [row] = api.get("/outbox")["items"]
    assert row["next_try_at"] == "2026-11-01T18:00:00+08:00"
