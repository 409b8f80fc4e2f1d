"""What a provider does to a true journey (`facts/carriers.md`, realities): nothing of it changes what happened."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from monitor.demo.noise import Noise
from monitor.demo.scans import Scan, rows_at
from monitor.demo.story import Kind
from monitor.demo.world import World

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
END = START + timedelta(days=150)


def scans(noise: Noise, count: int = 400) -> list[tuple[Scan, ...]]:
    world = World(2, START, mix={}, jams=(), noise=noise)
    return [parcel.scans for parcel in world.parcels(count)]


def test_without_noise_every_line_is_seen_within_a_quarter_of_an_hour_and_once() -> None:
    for life in scans(Noise.none()):
        assert all(timedelta(0) < s.visible_at - s.occurred_at <= timedelta(minutes=15) for s in life)
        said = [(s.occurred_at, s.text) for s in life]
        assert len(set(said)) == len(said)


def test_late_lines_appear_behind_newer_ones() -> None:
    life = next(
        life for life in scans(Noise(late=0.3)) if any(b.visible_at < a.visible_at for a, b in pairwise(life))
    )
    older, newer = next((a, b) for a, b in pairwise(life) if b.visible_at < a.visible_at)
    before = {row.at for row in rows_at(life, newer.visible_at)}
    after = {row.at for row in rows_at(life, older.visible_at)}
    assert newer.occurred_at in before
    assert older.occurred_at not in before
    assert older.occurred_at in after


def test_echoes_have_the_same_words_within_five_minutes() -> None:
    found = 0
    for life in scans(Noise(echoed=0.2)):
        for echo in (s for s in life if s.echo and "感谢使用中通快递,期待" not in s.text[:14]):
            first = [s for s in life if not s.echo and s.text == echo.text]
            assert any(timedelta(0) <= echo.occurred_at - s.occurred_at < timedelta(minutes=5) for s in first)
            found += 1
    assert found > 50


def test_a_hub_line_first_names_the_city_and_is_edited_later() -> None:
    edited = [s for life in scans(Noise(edited=0.5)) for s in life if s.edits and "1380000" not in s.text]
    assert edited
    for scan in edited:
        since, later = scan.edits[0]
        assert scan.hub not in scan.words(scan.visible_at)
        assert scan.hub in scan.words(since)
        assert scan.words(since) == later


def test_phones_are_shown_in_full_at_first_and_masked_later() -> None:
    phones = [s for life in scans(Noise.none()) for s in life if re.search(r"1\d{10}", s.text)]
    assert phones
    for scan in phones:
        assert not re.search(r"1\d{10}", scan.words(END))
        assert "****" in scan.words(END)


def test_a_stray_line_of_another_parcel_comes_and_goes() -> None:
    strays = [s for life in scans(Noise(strayed=1.0), 60) for s in life if s.stray]
    assert len(strays) == 60
    for scan in strays:
        assert scan.visible(scan.visible_at)
        assert scan.withdrawn_at is not None
        assert not scan.visible(scan.withdrawn_at)


def test_forecasts_are_no_movements() -> None:
    world = World(2, START, mix={Kind.STALL_BETWEEN_NODES: 1.0}, jams=())
    lines = [s for p in world.parcels(600) for s in p.scans if s.text.startswith("预计")]
    assert lines
    assert not any(s.moves for s in lines)
    assert all(s.event(END).forecast for s in lines)


@pytest.mark.parametrize("noise", [Noise.none(), Noise(), Noise(0.2, 0.2, 0.2, 0.2)])
def test_seconds_are_whole_as_providers_write_them(noise: Noise) -> None:
    assert all(s.occurred_at.microsecond == 0 for life in scans(noise, 100) for s in life)
