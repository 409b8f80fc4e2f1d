"""What every adapter does with a reply before it reads it: nothing of ours in an error, JSON inside JSON."""

from __future__ import annotations

import pytest

from carriers.replies import nested, refused, starring
from domain.remote import Denied, RemoteError, Secret, Unreadable

KEY = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"wrong key {KEY}!", "wrong key ***!"),
        (f"wrong key {KEY[:20]}…", "wrong key ***…"),
        (f"wrong key {KEY[:4]}…", "wrong key ***…"),
        (f"wrong key {KEY[:3]}…", f"wrong key {KEY[:3]}…"),
        ("wrong key…", "wrong key…"),
    ],
    ids=["whole", "cut", "cut short", "three characters", "not in it"],
)
def test_a_secret_is_starred_also_where_the_text_was_cut(said: str, shown: str) -> None:
    with pytest.raises(Denied) as told, starring((Secret(KEY), None, Secret(""))):
        raise Denied(said)
    assert str(told.value) == shown


@pytest.mark.parametrize("head", range(0, 120, 7))
def test_a_refusal_shows_no_part_of_a_secret_wherever_it_is_cut(head: int) -> None:
    with pytest.raises(RemoteError) as told, starring((Secret(KEY),)):
        raise refused("某家", KEY, "长" * head + KEY)
    assert KEY[:4] not in str(told.value)


@pytest.mark.parametrize("said", [{"a": 1}, '{"a":1}'], ids=["object", "text"])
def test_an_object_may_stand_there_as_its_text(said: object) -> None:
    assert nested(said, "它") == {"a": 1}


NO_OBJECTS = {
    "nothing": None,
    "empty": "",
    "text": "x",
    "list as text": "[]",
    "list": [],
    "number": 7,
    "truth": True,
    "deep": "[" * 100_000,
    "half a pair": "\ud800",
}


@pytest.mark.parametrize("said", NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_whatever_is_no_object_is_unreadable(said: object) -> None:
    with pytest.raises(Unreadable):
        nested(said, "它")
