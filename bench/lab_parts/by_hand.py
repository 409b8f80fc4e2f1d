"""The clocks of taobao_tmall as a good pandas user would write them for this data: groupby, shift, compare.

Only what the made-up month needs: whole hours, no calendars, no exemptions, every order with its payment, one
order in a parcel. Gives parcel, rule, stage, start and crossing, without how the waits ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

__all__ = ["by_hand"]

REMOTE = ("甘肃", "新疆")


def hours(length: float) -> pd.Timedelta:
    return pd.Timedelta(hours=length)


def by_hand(orders: pd.DataFrame, events: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """Every stage crossed."""
    now = pd.Timestamp(as_of).tz_localize(None)
    orders = orders.set_index("parcel")
    moves = events[events["milestone"] != "label_created"].sort_values(["parcel", "occurred_at"])
    scans = moves.groupby("parcel", sort=False)["occurred_at"]
    first = moves.groupby(["parcel", "milestone"], observed=True)["occurred_at"].first().unstack()
    first = first.reindex(orders.index)
    first_scan = scans.first().reindex(orders.index)
    second_scan = moves[scans.cumcount() == 1].set_index("parcel")["occurred_at"].reindex(orders.index)
    turned = first["returning"]
    over = first[["delivered", "returning"]].min(axis=1)
    at_door = first[
        ["out_for_delivery", "delivery_failed", "ready_for_collection", "delivered", "returning"]
    ].min(axis=1)
    inland = orders["receiver_province"] != "香港"
    near = inland & ~orders["receiver_province"].isin(REMOTE)
    found: list[pd.DataFrame] = []

    def clock(
        rule: str,
        start: pd.Series,
        end: pd.Series,
        limit: pd.Series | float,
        warn: Sequence[float],
        parcel: pd.Series,
    ) -> pd.DataFrame:
        """The steps of one clock; gives its breaches."""
        until = end.fillna(now).clip(upper=now)
        length = limit if isinstance(limit, pd.Series) else hours(limit)
        breaches = pd.DataFrame()
        for ahead in (*warn, 0):
            at = start + (length - hours(ahead))
            crossed = (at < until) & (at > start) & start.notna()
            stage = "breach" if ahead == 0 else "warning"
            breaches = pd.DataFrame(
                {"parcel": parcel[crossed], "started_at": start[crossed], "crossed_at": at[crossed]}
            ).assign(rule=rule, stage=stage)
            found.append(breaches)
        return breaches

    index = orders.index.to_series()
    paid = orders["paid_at"].where(inland)
    promised = (orders["promised_ship_at"] - paid).where(orders["promised_ship_at"] > paid)
    picked_up = first_scan.where(inland)
    end_pickup = pd.concat([first_scan, over], axis=1).min(axis=1)
    clock("late_shipment", paid, end_pickup, promised.fillna(hours(48)), (12, 4), index)
    clock("pickup_kpi_24h", paid, end_pickup, 24, (6,), index)
    clock("out_of_stock", paid, end_pickup, 120, (24,), index)
    clock("paid_to_signed", paid, over, 59, (12,), index)
    clock("pickup_no_update", first_scan.where(near), second_scan.fillna(over), 48, (24, 8), index)
    clock("no_record", orders["shipped_at"].where(inland), end_pickup, 72, (24,), index)
    far = orders["receiver_province"].map({"甘肃": 336, "新疆": 408}).astype(float).fillna(240)
    clock("thorough_delay", picked_up, over, pd.to_timedelta(far, unit="h"), (72, 24), index)

    owner, at = moves["parcel"], moves["occurred_at"]
    following = scans.shift(-1)
    going = (at < owner.map(at_door).fillna(now)) & owner.map(near)
    silence = following.where(following.notna(), now)
    long = going & (silence - at > hours(24))
    stalled = clock("transit_stagnation", at[long], following[long], 48, (24, 8), owner[long])
    since = stalled.groupby("parcel")["crossed_at"].first().reindex(orders.index)
    clock("trajectory_to_out_of_stock", since, over, 120, (48, 24), index)
    back = owner.map(turned)
    homeward = (at >= back) & (owner.map(first["returned"]).fillna(now) > at) & owner.map(inland)
    clock("return_transit", at[homeward], following[homeward], 72, (24,), owner[homeward])

    for rule, start, stops, limit, warn in (
        (
            "dispatch_sign",
            "out_for_delivery",
            ("delivered", "ready_for_collection", "delivery_failed", "returning"),
            24,
            6,
        ),
        (
            "failed_no_retry",
            "delivery_failed",
            ("out_for_delivery", "delivered", "ready_for_collection", "returning"),
            48,
            24,
        ),
        ("locker_overdue", "ready_for_collection", ("delivered", "returning"), 72, 48),
    ):
        those = moves[moves["milestone"].isin([start, *stops])]
        ends = those.groupby("parcel", sort=False)["occurred_at"].shift(-1)
        starts = (those["milestone"] == start) & those["parcel"].map(inland)
        clock(rule, those["occurred_at"][starts], ends[starts], limit, (warn,), those["parcel"][starts])

    returned = turned.dropna()
    found.append(
        pd.DataFrame(
            {"parcel": returned.index, "started_at": returned.to_numpy(), "crossed_at": returned.to_numpy()}
        ).assign(rule="returned", stage="breach")
    )
    return pd.concat(found, ignore_index=True)
