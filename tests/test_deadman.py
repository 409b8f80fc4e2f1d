"""The dead man's switch: a sign of life while all is well, silence otherwise, each told once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from domain.remote import Secret
from monitor.deadman import Pinger
from monitor.net import Net, Timeouts

URL = "https://hc.example.com/ping-of-ours-83"


class Check:
    """The service outside."""

    def __init__(self, *moods: int | Exception) -> None:
        self.moods = list(moods)
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, str(request.url)))
        mood = self.moods.pop(0) if self.moods else 200
        if isinstance(mood, Exception):
            raise mood
        return httpx.Response(mood, text="OK")


def ticks(check: Check, *states: Sequence[str]) -> tuple[list[bool], list[dict[str, Any]]]:
    """One tick for each state of ours; what each came to, and what was logged."""
    now: list[Sequence[str]] = [()]

    async def play() -> list[bool]:
        net = Net(transport=httpx.MockTransport(check), timeout=Timeouts(backoff=timedelta(0)))
        pinger = Pinger(Secret(URL), net, lambda: now[0])
        told = []
        for state in states:
            now[0] = state
            told.append(await pinger.tick())
        await net.close()
        return told

    with capture_logs() as logged:
        told = asyncio.run(play())
    return told, [dict(each) for each in logged]


def test_while_all_is_well_the_address_is_called_on_as_it_stands() -> None:
    check = Check()
    assert ticks(check, (), ()) == ([True, True], [])
    assert check.asked == [("GET", URL), ("GET", URL)]


def test_while_something_is_wrong_nothing_is_said_not_even_that() -> None:
    """The silence is the alarm; `/fail` is one service's habit and no contract."""
    check = Check()
    told, logged = ticks(check, ["磁盘空间已满"], ["磁盘空间已满"], (), ["k100 已中断"])
    assert told == [False, False, True, False]
    assert check.asked == [("GET", URL)]
    assert [(each["log_level"], each.get("problems")) for each in logged] == [
        ("warning", ["磁盘空间已满"]),
        ("info", None),
        ("warning", ["k100 已中断"]),
    ]


@pytest.mark.parametrize(
    "mood",
    [
        pytest.param(404, id="no such check"),
        pytest.param(302, id="sent elsewhere: not followed, not taken for a yes"),
        pytest.param(500, id="it is broken"),
        pytest.param(httpx.ConnectError(f"cannot reach {URL}"), id="it is gone"),
    ],
)
def test_a_check_that_does_not_answer_is_told_once_when_it_begins_and_once_when_it_ends(
    mood: int | Exception,
) -> None:
    check = Check(*[mood] * 6)
    told, logged = ticks(check, *[()] * 8)
    assert told[0] is False
    assert told[-1] is True
    assert [each["log_level"] for each in logged] == ["warning", "info"]
    assert "ping-of-ours" not in str(logged), "its address is a secret"
