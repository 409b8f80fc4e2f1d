"""When a carrier has gone silent, and that nights, Sundays and small shops are no silence."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from domain.time import SHANGHAI
from monitor.feeds.silence import Hour, expected, silent

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGAN = datetime(2026, 11, 2, 16, tzinfo=UTC)
"""A Monday's midnight in Shanghai."""
RATES = (
    [0.0, 0, 0, 0.001, 0.002, 0.01, 0.04, 0.1, 0.15, 0.15, 0.12, 0.1] + [0.1] * 8 + [0.06, 0.03, 0.01, 0.0]
)
"""New scans an hour of a watched parcel, by the hour of the day."""


def hours(
    days: int, parcels: int, *, seed: int = 1, until: datetime | None = None, lumps: int = 1
) -> list[Hour]:
    """A shop's feed: at night next to nothing, on Sundays a third; `lumps` scans come together."""
    chance, found = random.Random(seed), []
    for n in range(days * 24):
        at = BEGAN + n * HOUR
        local = at.astimezone(SHANGHAI)
        mean = RATES[local.hour] * parcels * (1 / 3 if local.weekday() == 6 else 1)
        news = 0 if until is not None and at >= until else lumps * _poisson(chance, mean / lumps)
        found.append(Hour(at, news, parcels * HOUR))
    return found


def _poisson(chance: random.Random, mean: float) -> int:
    n, left = 0, math.exp(-mean)
    product = chance.random()
    while product > left:
        n, product = n + 1, product * chance.random()
    return n


def alarms(feed: list[Hour]) -> list[datetime]:
    """When an hourly reckoning calls it silent, from the sixth day on."""
    found, news_at = [], None
    for n, each in enumerate(feed):
        if each.news:
            news_at = each.at + HOUR / 2
        elif news_at is not None and n > 5 * 24 and silent(feed[max(0, n - 14 * 24) : n + 1], news_at):
            found.append(each.at)
    return found


@pytest.mark.parametrize("parcels", [3, 30, 600])
@pytest.mark.parametrize("lumps", [1, 5, 40], ids=["one by one", "five at a time", "a lorry at a time"])
def test_a_month_of_nights_and_sundays_raises_no_alarm(parcels: int, lumps: int) -> None:
    assert [at for seed in range(2) for at in alarms(hours(24, parcels, seed=seed, lumps=lumps))] == []


@pytest.mark.parametrize(
    ("at", "parcels", "within"),
    [
        pytest.param(10, 300, 4, id="many parcels, in the morning: within four hours"),
        pytest.param(22, 300, 11, id="in the evening: when the day's first scans are missing"),
        pytest.param(10, 30, 31, id="a small shop: a day later"),
    ],
)
def test_a_silence_is_found_when_scans_are_missing(at: int, parcels: int, within: int) -> None:
    began = BEGAN + 15 * DAY + at * HOUR
    found = alarms(hours(20, parcels, until=began))
    assert found
    assert found[0] - began <= within * HOUR
    assert all(each >= began for each in found)


def test_a_few_days_say_nothing_of_what_is_usual() -> None:
    feed = hours(6, 300, until=BEGAN + 4 * DAY)
    assert expected(feed, BEGAN + 4 * DAY) < 1


def test_an_outage_of_one_day_does_not_hide_the_next() -> None:
    feed = [Hour(e.at, 0, e.watched) if 13 <= (e.at - BEGAN) / DAY < 14 else e for e in hours(16, 300)]
    assert expected(feed, BEGAN + 15 * DAY + 10 * HOUR) > 30


def test_who_is_not_looked_at_is_not_silent() -> None:
    feed = [Hour(e.at, 0, timedelta()) if e.at >= BEGAN + 15 * DAY else e for e in hours(20, 300)]
    assert expected(feed, BEGAN + 15 * DAY) == 0
