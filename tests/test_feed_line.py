"""One carrier behind an account: what is an outage of it, what is none, and what is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.remote import Rejected, RemoteError, Unavailable, Unreadable
from monitor.feeds.feed import FeedState
from monitor.feeds.line import Cause, Line, Sign, after_look, after_share, after_silence, place_in_queue
from tests.simulated import HOUR, MINUTE, T0

NEWS, KNOWN, NOTHING, EMPTIED = Sign.NEWS, Sign.KNOWN, Sign.NOTHING, Sign.EMPTIED
JUNK, NUMBER, LATE = Unreadable("HTML"), Rejected("不支持这家快递"), Unavailable("没有答完")
Told = Sign | RemoteError
SECOND = timedelta(seconds=1)


class Feed:
    """A line with its history."""

    def __init__(self) -> None:
        self.line, self.now, self.told = Line(), T0, list[str]()

    def hears(self, *told: Told, one: bool = False) -> Feed:
        """Looks a second apart, each at another number unless it is `one`."""
        for n, each in enumerate(told):
            self.now += SECOND
            number = "N" if one else f"N{n}"
            error = each if isinstance(each, RemoteError) else None
            sign = Sign.ERROR if isinstance(each, RemoteError) else each
            self.line, tell = after_look(self.line, sign, number, self.now, error)
            self._tells(tell)
        return self

    def falls_silent(self) -> Feed:
        self.now += HOUR
        self.line, tell = after_silence(self.line, "哑了", self.now)
        self._tells(tell)
        return self

    def _tells(self, tell: bool) -> None:
        if tell:
            self.told.append(self.line.state.value)


@pytest.mark.parametrize(
    ("told", "one", "down", "said"),
    [
        pytest.param([KNOWN] * 50, False, False, [], id="all is well"),
        pytest.param([NOTHING] * 50, False, False, [], id="numbers that nobody ever knew"),
        pytest.param([EMPTIED] * 5, False, False, [], id="five that expired"),
        pytest.param([EMPTIED] * 50, True, False, [], id="one that expired, time and again"),
        pytest.param([EMPTIED] * 6, False, True, ["down"], id="six in a row"),
        pytest.param(
            [*[EMPTIED] * 5, KNOWN, *[EMPTIED] * 5], False, False, [], id="one in between that has its scans"
        ),
        pytest.param(
            [*[EMPTIED] * 5, NOTHING, EMPTIED],
            False,
            True,
            ["down"],
            id="one that never had any says nothing",
        ),
        pytest.param([*[EMPTIED] * 6, NOTHING], False, True, ["down"], id="nor does it end it"),
        pytest.param([*[EMPTIED] * 6, KNOWN], False, False, ["down", "up"], id="what is there again does"),
        pytest.param([*[EMPTIED] * 6, NUMBER, JUNK], False, True, ["down"], id="trouble does not"),
        pytest.param([JUNK] * 6, False, True, ["down"], id="six nobody can read"),
        pytest.param([JUNK] * 60, True, False, [], id="a poisoned number"),
        pytest.param([*[JUNK] * 6, NOTHING], False, False, ["down", "up"], id="an empty answer can be read"),
        pytest.param([NUMBER] * 19, False, False, [], id="nineteen refused"),
        pytest.param([NUMBER] * 20, False, True, ["down"], id="twenty"),
        pytest.param([LATE] * 6, False, True, ["down"], id="nobody answers for it"),
        pytest.param([*[EMPTIED] * 6, KNOWN] * 30, False, False, ["down", "up"], id="flapping is one outage"),
    ],
)
def test_what_an_outage_is_and_what_is_told(told: list[Told], one: bool, down: bool, said: list[str]) -> None:
    feed = Feed().hears(*told, one=one)
    assert (feed.line.down, feed.told) == (down, said)
    assert bool(feed.line.cause) == down


def test_a_silence_ends_with_news_of_three_parcels_and_with_nothing_less() -> None:
    feed = Feed().hears(NEWS).falls_silent()
    assert feed.line.cause is Cause.SILENT
    feed.hears(*[KNOWN, NOTHING] * 20, JUNK, NUMBER, EMPTIED, NEWS, NEWS)
    assert feed.line.down, "a stale copy has all the old scans"
    feed.hears(NEWS, NEWS, NEWS)
    assert (feed.line.down, feed.told) == (False, ["down", "up"])


def test_one_parcel_with_much_news_does_not_end_it() -> None:
    assert Feed().falls_silent().hears(*[NEWS] * 20, one=True).line.down


@given(st.lists(st.sampled_from([NEWS, KNOWN, NOTHING, EMPTIED, JUNK, NUMBER, LATE, "silence"]), max_size=80))
def test_down_and_up_are_told_in_turn_and_once_within_half_an_hour(told: list[Told | str]) -> None:
    feed = Feed()
    for each in told:
        if isinstance(each, str):
            feed.line, tell = after_silence(feed.line, each, feed.now)
            feed._tells(tell)
        else:
            feed.hears(each)
    said = [each for each in feed.told if each in ("down", "up")]
    assert said in ([], ["down"], ["down", "up"])
    assert feed.line.down == (feed.line.feed.state is FeedState.DOWN)


@pytest.mark.parametrize(
    ("asked", "failed", "poor"),
    [
        pytest.param(40, 29, False, id="too few to say"),
        pytest.param(59, 30, True, id="half"),
        pytest.param(100, 40, False, id="two fifths"),
        pytest.param(30, 30, True, id="all"),
    ],
)
def test_poor_is_half_of_many(asked: int, failed: int, poor: bool) -> None:
    line, tell = after_share(Line(), asked, failed, T0)
    assert (line.state is FeedState.DEGRADED, tell) == (poor, poor)


def test_poor_is_told_once_and_ends_once() -> None:
    line, said = Line(), []
    for asked, failed in [(60, 60), (70, 60), (100, 30), (100, 11), (100, 10), (100, 10)]:
        line, tell = after_share(line, asked, failed, T0)
        said.append(tell)
    assert said == [True, False, False, False, True, False]


def test_while_it_is_down_its_parcels_ask_one_after_the_other() -> None:
    line, earliest = Feed().falls_silent().line, T0 + 30 * MINUTE
    places = []
    for _ in range(400):
        line, at = place_in_queue(line, earliest, T0)
        places.append(at)
    assert places[:3] == [earliest, earliest + 2 * MINUTE, earliest + 4 * MINUTE]
    assert max(places) == T0 + 6 * HOUR, "nobody waits for ever"
