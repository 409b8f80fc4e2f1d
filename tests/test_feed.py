"""The feed doctor (feature B7): "silent" is a state of its own, told once per account, ended once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.remote import Denied, Rejected, RemoteError, Throttled, Unavailable, Unreadable
from monitor.feeds.feed import Feed, FeedState, after_answer, after_error, may_ask
from tests.simulated import HOUR, MINUTE, T0

UP, DEGRADED, DOWN = FeedState.UP, FeedState.DEGRADED, FeedState.DOWN
SECOND = timedelta(seconds=1)
TIMEOUT, KEY, NUMBER, JUNK = Unavailable("没有答完"), Denied("key"), Rejected("单号"), Unreadable("HTML")


class Account:
    """A feed with its history: what was told, and when."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.now = T0
        self.told: list[FeedState] = []

    def hears(self, *errors: RemoteError | None, number: str = "", each: bool = False) -> Account:
        """Answers (None) and failures, a second apart; `each` of another number."""
        for n, error in enumerate(errors):
            self.now += SECOND
            if error is None:
                self.feed, tell = after_answer(self.feed, self.now)
            else:
                self.feed, tell = after_error(self.feed, error, f"{number}{n if each else ''}", self.now)
            if tell:
                self.told.append(self.feed.state)
        return self


@pytest.mark.parametrize(
    ("errors", "each", "state", "told"),
    [
        pytest.param([TIMEOUT] * 2, False, UP, [], id="two time-outs are no trend"),
        pytest.param([TIMEOUT] * 3, False, DEGRADED, [], id="three are"),
        pytest.param([TIMEOUT] * 5, False, DEGRADED, [], id="five still"),
        pytest.param([TIMEOUT] * 6, False, DOWN, [DOWN], id="six are an outage, also of a single number"),
        pytest.param([TIMEOUT] * 600, True, DOWN, [DOWN], id="told once, however long it lasts"),
        pytest.param(
            [*[TIMEOUT] * 5, None, *[TIMEOUT] * 5], False, DEGRADED, [], id="an answer breaks the row"
        ),
        pytest.param([*[TIMEOUT] * 6, None], False, UP, [DOWN, UP], id="back once"),
        pytest.param([*[TIMEOUT] * 6, None, None, None], False, UP, [DOWN, UP], id="and not at every answer"),
        pytest.param([*[TIMEOUT] * 3, None], False, UP, [], id="what was not told does not come back"),
        pytest.param([KEY], False, DOWN, [DOWN], id="a refused key at once: the owner has to act"),
        pytest.param([KEY] * 9, False, DOWN, [DOWN], id="a refused key once"),
        pytest.param([JUNK] * 100, False, UP, [], id="a poisoned number is no outage"),
        pytest.param([*[JUNK] * 100, TIMEOUT], False, UP, [], id="nor with a time-out of another one"),
        pytest.param([JUNK] * 6, True, DOWN, [DOWN], id="junk for six numbers is"),
        pytest.param([NUMBER] * 100, False, UP, [], id="a refused number is that number's fault"),
        pytest.param([NUMBER] * 19, True, UP, [], id="so are nineteen"),
        pytest.param([NUMBER] * 20, True, DOWN, [DOWN], id="twenty say that it is the account"),
        pytest.param([*[NUMBER] * 19, TIMEOUT], True, UP, [], id="refusals are no time-outs"),
        pytest.param([*[NUMBER] * 19, None, *[NUMBER] * 19], True, UP, [], id="an answer in between"),
        pytest.param(
            [*[TIMEOUT] * 6, NUMBER], False, UP, [DOWN, UP], id="who refuses a number is there again"
        ),
        pytest.param([*[NUMBER] * 20, NUMBER], True, DOWN, [DOWN], id="but not who refuses all of them"),
        pytest.param([Throttled("慢点", HOUR)] * 50, True, UP, [], id="too fast is our fault, no outage"),
    ],
)
def test_the_state_and_what_is_told(
    errors: list[RemoteError | None], each: bool, state: FeedState, told: list[FeedState]
) -> None:
    account = Account().hears(*errors, each=each)
    assert account.feed.state is state
    assert account.told == told


@given(st.lists(st.sampled_from([None, TIMEOUT, KEY, NUMBER, JUNK, Throttled("慢", HOUR)]), max_size=60))
def test_down_and_up_are_told_in_turn(errors: list[RemoteError | None]) -> None:
    told = Account().hears(*errors, each=True).told
    assert told == [DOWN, UP] * (len(told) // 2) + [DOWN] * (len(told) % 2)


@pytest.mark.parametrize(
    ("errors", "waits"),
    [
        pytest.param([None], None, id="up: no limit"),
        pytest.param([TIMEOUT] * 5, None, id="degraded: nobody is held back"),
        pytest.param([TIMEOUT] * 6, SECOND, id="down: a probe after a second"),
        pytest.param([TIMEOUT] * 8, 4 * SECOND, id="then after longer"),
        pytest.param([TIMEOUT] * 60, MINUTE, id="every minute at most"),
        pytest.param([KEY], 10 * MINUTE, id="a refused key is asked for every ten minutes"),
        pytest.param([Throttled("504", 30 * MINUTE)], 30 * MINUTE, id="closed as long as the provider says"),
        pytest.param([Throttled("429", HOUR, closes=False)], None, id="one number too often closes nothing"),
    ],
)
def test_how_long_nobody_is_asked(errors: list[RemoteError | None], waits: timedelta | None) -> None:
    account = Account().hears(*errors)
    if waits is None:
        assert may_ask(account.feed, account.now) is None
    else:
        assert may_ask(account.feed, account.now + waits - SECOND / 2) == 0
        assert may_ask(account.feed, account.now + waits) == (1 if account.feed.state is DOWN else None)


def test_after_the_outage_everybody_is_asked_at_once() -> None:
    account = Account().hears(*[TIMEOUT] * 60, None)
    assert may_ask(account.feed, account.now) is None
    assert account.feed.failures == 0


def test_when_it_began_and_when_it_was_last_well() -> None:
    account = Account().hears(None, *[TIMEOUT] * 6)
    assert account.feed.last_good_at == T0 + SECOND
    assert account.feed.since == T0 + 7 * SECOND
    account.hears(TIMEOUT, TIMEOUT)
    assert account.feed.since == T0 + 7 * SECOND, "it did not begin again"
    assert account.feed.last_error == "没有答完"


def test_the_numbers_of_a_long_outage_are_not_collected() -> None:
    assert len(Account().hears(*[NUMBER] * 5000, each=True).feed.numbers) <= 20


# ── one that comes back ──────────────────────────────────────────────────────────────────────────

OUTAGE = [TIMEOUT] * 6


def test_an_outage_that_flaps_is_told_once_and_so_is_its_end() -> None:
    account = Account().hears(*[*OUTAGE, None] * 40)
    assert account.told == [DOWN, UP]


def test_one_that_comes_back_and_lasts_is_told_again() -> None:
    account = Account().hears(*OUTAGE, None, *OUTAGE)
    assert account.told == [DOWN, UP]
    account.now += 10 * MINUTE
    account.hears(TIMEOUT, TIMEOUT, None)
    assert account.told == [DOWN, UP, DOWN, UP]


@pytest.mark.parametrize("again", [OUTAGE, [KEY]], ids=["time-outs", "a refused key"])
def test_half_an_hour_later_it_is_a_new_one_told_at_once(again: list[RemoteError]) -> None:
    account = Account().hears(KEY, None)
    account.now += 30 * MINUTE
    assert account.hears(*again).told == [DOWN, UP, DOWN]


# ── one carrier of several ───────────────────────────────────────────────────────────────────────


def account_hears(*told: tuple[str, RemoteError], others: bool = True) -> FeedState:
    feed = Feed()
    for n, (carrier, error) in enumerate(told):
        feed, _ = after_error(feed, error, f"N{n}", T0, carrier=carrier, others=others)
    return feed.state


@pytest.mark.parametrize(
    ("told", "others", "state"),
    [
        pytest.param([("a", JUNK)] * 30, True, UP, id="junk of one carrier, while another answers"),
        pytest.param([("a", NUMBER)] * 30, True, UP, id="refusals of one carrier"),
        pytest.param([("a", JUNK)] * 6, False, DOWN, id="junk of the only carrier there is"),
        pytest.param([("a", JUNK)] * 6 + [("b", JUNK)] * 2, True, UP, id="two poisoned numbers more"),
        pytest.param([("a", JUNK)] * 6 + [("b", JUNK)] * 3, True, DOWN, id="of a second carrier too"),
        pytest.param([("a", JUNK), ("b", JUNK)] * 3, True, DOWN, id="of all of them, six are enough"),
        pytest.param([("a", TIMEOUT)] * 6, True, DOWN, id="a time-out is nobody's number"),
        pytest.param([("a", KEY)], True, DOWN, id="nor is the key"),
    ],
)
def test_one_carriers_numbers_are_no_outage_of_the_account(
    told: list[tuple[str, RemoteError]], others: bool, state: FeedState
) -> None:
    assert account_hears(*told, others=others) is state
