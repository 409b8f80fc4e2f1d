"""The demo's world with its known truth, exported as two files: the lab finds every clock that ran out, and no other."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from domain.orders import Case
from monitor.demo.noise import Noise
from monitor.demo.story import Kind
from monitor.demo.truth import LIMITS, crossings, limits_of
from monitor.demo.world import Parcel, World
from monitor.lab.study import from_files, judged
from monitor.lab.telling import Telling
from monitor.profiles import load_profiles
from rules.policy import PolicyBook

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
AS_OF = START + timedelta(days=9)
BOOK = PolicyBook(load_profiles())
MIX = dict.fromkeys((kind for kind in Kind if kind not in (Kind.NORMAL, Kind.HUB_JAM)), 0.045)
"""Of nineteen kinds of trouble each is met a dozen times; the rest is normal or caught in the jam."""
PARCELS = 320
Claim = tuple[str, str, str, datetime, datetime, datetime | None]
"""Waybill, rule, stage, started, crossed, ended."""


@pytest.fixture(scope="module")
def parcels() -> list[Parcel]:
    world = World(31, START, mix=MIX, noise=Noise(late=0.0, strayed=0.0))
    return list(world.parcels(PARCELS))


def export(parcels: list[Parcel], folder: Path, *, given: bool) -> tuple[Path, Path]:
    """Two files as a merchant would have them; `given`: with the milestones beside the words."""
    orders, events = folder / "orders.csv", folder / "events.csv"
    fields = (
        "order_no",
        "platform",
        "shop",
        "paid_at",
        "shipped_at",
        "amount",
        "receiver_province",
        "receiver_city",
        "warehouse",
        "goods_type",
    )
    with orders.open("w", encoding="gb18030", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["carrier", "waybill_no", *fields])
        for parcel in parcels:
            rows.writerow(
                [parcel.carrier.key, parcel.waybill_no, *(getattr(parcel.order, name) for name in fields)]
            )
    with events.open("w", encoding="utf-8-sig", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(
            [
                "carrier",
                "waybill_no",
                "occurred_at",
                "description",
                "location",
                *(["milestone"] if given else []),
            ]
        )
        for parcel in parcels:
            for scan in parcel.scans:
                if scan.occurred_at <= AS_OF:
                    at = scan.occurred_at.astimezone(ZoneInfo("Asia/Shanghai")).strftime(
                        "%Y-%m-%d %H:%M:%S.%f"
                    )
                    mark = [scan.milestone.value] if given else []
                    rows.writerow(
                        [
                            parcel.carrier.key,
                            parcel.waybill_no,
                            at,
                            scan.words(AS_OF),
                            scan.city.area if scan.city else "",
                            *mark,
                        ]
                    )
    return orders, events


def truth(parcels: list[Parcel]) -> Iterator[Claim]:
    """Every step that was really passed by then."""
    for parcel in parcels:
        blank = Case(parcel.waybill, (parcel.order,))
        known = limits_of(BOOK.policy_for(blank))
        limits = {rule: known[rule] for rule in known.keys() & LIMITS[parcel.order.platform].keys()}
        for step in crossings(parcel, limits):
            if not step.retracted and step.at < AS_OF:
                ended = step.ended_at if step.ended_at is not None and step.ended_at <= AS_OF else None
                yield parcel.waybill_no, step.rule, step.stage.value, step.started_at, step.at, ended


@pytest.mark.parametrize("given", [True, False], ids=["milestones given", "words read"])
def test_every_clock_that_ran_out_is_found_and_no_other(
    parcels: list[Parcel], tmp_path: Path, given: bool
) -> None:
    telling = Telling()
    orders, events = export(parcels, tmp_path, given=given)
    history = from_files(
        orders,
        events,
        zone=ZoneInfo("Asia/Shanghai"),
        as_of=AS_OF,
        now=AS_OF,
        aside=tmp_path,
        telling=telling,
    )
    found = judged(history, BOOK)
    clocks = {rule for limits in LIMITS.values() for rule in limits}
    rows = found[found["rule"].isin(clocks)]
    claimed = {
        (
            *(str(row[name]) for name in ("waybill_no", "rule", "stage")),
            row["started_at"].to_pydatetime(),
            row["crossed_at"].to_pydatetime(),
            None if pd.isna(row["ended_at"]) else row["ended_at"].to_pydatetime(),
        )
        for row in rows.to_dict("records")
    }
    expected = set(truth(parcels))
    assert claimed - expected == set(), "invented"
    assert expected - claimed == set(), "missed"
    assert len(rows) == len(claimed)
    breaches = Counter(claim[1] for claim in expected if claim[2] == "breach")
    assert len(breaches) >= 12, breaches
    assert sum(breaches.values()) > 150
    assert telling.rejected == telling.counts["duplicate"]
