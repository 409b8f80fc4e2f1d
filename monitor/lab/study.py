"""A history and a policy book to findings: what the commands and the tests call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

from domain.masking import safe_text
from domain.orders import OrderStatus
from domain.time import format_duration
from monitor.config.file import Document, read_toml
from monitor.intake.tables import FileRefused
from monitor.lab.events import read_events
from monitor.lab.history import read_history
from monitor.lab.orders import PAST, read_orders
from monitor.lab.parcels import Parcels, numbered
from monitor.lab.telling import Telling
from monitor.store.database import Database
from rules.lab import MOST_ROWS, Milestones, milestones, run
from rules.policy import FALLBACK, PolicyBook

__all__ = ["History", "from_files", "from_store", "judged", "too_short", "unheard"]

_NAMED: Final = 5
_MARGIN: Final = timedelta(days=7)
"""A history should be so much longer than the longest limit, or its breaches were mostly not seen."""
_NO_SCANS: Final = "凡是等快递动作的计时都没有意义，下面的超时和罚款不能当真"
_TEXTS: Final = (
    *("platform", "shop", "merchant", "carrier", "status", "receiver_province", "receiver_city"),
    *("warehouse", "goods_type", "tags"),
)
_MOMENTS: Final = ("started_at", "crossed_at", "ended_at")
_OVER: Final = ((OrderStatus.CLOSED, "已关闭", "关闭"), (OrderStatus.REFUNDED, "已退款", "退款"))
"""What a file says of an order without saying since when: before that somebody may have waited for it."""


@dataclass(frozen=True)
class History:
    """Orders and scans ready to be judged by any number of policies."""

    milestones: Milestones
    parcels: Parcels
    """By number; some may have no order that somebody waits for."""
    watched: int
    """How many parcels have."""
    events: int
    since: datetime
    """The first thing that happened."""
    as_of: datetime
    words: dict[str, frozenset[str]]
    """What policies can match by name, as the orders have it: shop, merchant, warehouse, goods_type, tag, platform."""
    proven: pd.Series[pd.Timestamp] | None = None
    """By parcel: up to when silence is known. None: a file holds everything up to `as_of`."""


def from_files(
    orders: Path,
    events: Path,
    *,
    zone: ZoneInfo,
    as_of: datetime | None,
    now: datetime,
    aside: Path,
    telling: Telling,
) -> History:
    """Raises `FileRefused` for a file that is not one, or of which no row can be taken.

    `as_of` is by default the latest moment in the data; nothing is taken that lies after `as_of`, or after `now`.
    """
    latest = as_of or now
    told, parcels = numbered(read_orders(orders, zone, latest, aside, telling))
    bought = _told_of(told, orders.name, telling)
    scans = read_events(events, parcels, zone, latest, aside, telling)
    if len(bought) < len(told):
        scans = scans[scans["parcel"].isin(bought["parcel"])].reset_index(drop=True)
    if bought.empty:
        raise FileRefused(orders.name, "no_rows", "没有一行订单可用")
    if scans.empty:
        telling.remarks.insert(0, f"{events.name} 没有一条轨迹可用：{_NO_SCANS}")
    return _history(bought, scans, parcels, telling, as_of)


def from_store(
    db: Database, *, since: datetime, as_of: datetime, lag: timedelta, telling: Telling
) -> History:
    """The store's own history. Raises `FileRefused` when there is none of that time."""
    kept = read_history(db, since, as_of, lag, telling)
    if kept.orders.empty:
        raise FileRefused("数据库", "no_rows", "这段时间没有订单")
    telling.remark("历史按一直看着、扫描一发生就知道来重放；补传的扫描从知道时算起")
    bought = _looked_at(kept.orders, telling)
    proven = bought.groupby("parcel")["observed_at"].max()
    scans = kept.events[kept.events["parcel"].isin(proven.index)].reset_index(drop=True)
    return _history(bought, scans, kept.parcels, telling, as_of, proven)


def _looked_at(orders: pd.DataFrame, telling: Telling) -> pd.DataFrame:
    """Without the parcels that no carrier was ever asked about: their silence means nothing (L1)."""
    unseen = orders["observed_at"].isna()
    if not unseen.any():
        return orders
    count = orders.loc[unseen, "parcel"].nunique()
    if unseen.all():
        why = f"{count:,} 个包裹一个也没有查过轨迹，没有轨迹不等于没有动：先让服务运行并查询，或用轨迹文件"
        raise FileRefused("数据库", "never_looked", why)
    telling.remark(f"有 {count:,} 个包裹从来没有查过轨迹，沉默没有证据，没有看")
    return orders[~unseen].reset_index(drop=True)


def _told_of(orders: pd.DataFrame, file: str, telling: Telling) -> pd.DataFrame:
    """Without what nobody waits for; what follows from the gaps is said."""
    unpaid = orders["status"] == "unpaid"
    if unpaid.any():
        telling.remark(f"{file} 有 {int(unpaid.sum()):,} 行还没付款，没有看")
    over = pd.Series(False, index=orders.index)
    for status, words, done in _OVER:
        those = orders["status"] == status
        over |= those
        if those.any():
            telling.remark(f"{file} 有 {int(those.sum()):,} 行{words}，不知道何时{done}，没有看")
    orders = orders[~unpaid & ~over].reset_index(drop=True)
    homeless = int((orders["platform"] == "").sum())
    if homeless:
        telling.remark(f"{file} 有 {homeless:,} 行没有平台，按通用规则看，除非策略写了 profile")
    broke = int(orders["paid_at"].isna().sum())
    if broke:
        telling.remark(f"{file} 有 {broke:,} 行没有付款时间：从付款起算的规则对它们不起作用")
    finished = orders["finished_at"].where(orders["status"] == OrderStatus.FINISHED)
    return orders.assign(status_at=finished)


def _history(
    orders: pd.DataFrame,
    events: pd.DataFrame,
    parcels: Parcels,
    telling: Telling,
    as_of: datetime | None,
    proven: pd.Series[pd.Timestamp] | None = None,
) -> History:
    happened = [orders[name] for name in PAST if name in orders]
    happened += [events[name] for name in ("occurred_at", "learned_at") if name in events]
    moments = pd.concat([each.dropna().agg(["min", "max"]) for each in happened if each.notna().any()])
    first, last = moments.min().to_pydatetime(), moments.max().to_pydatetime()
    words = {
        name: frozenset(orders[name].unique()) - {""}
        for name in ("shop", "merchant", "warehouse", "goods_type", "platform")
    }
    words["tag"] = frozenset(tag for tags in orders["tags"].unique() for tag in tags.split(",")) - {""}
    orders = orders.astype(dict.fromkeys(_TEXTS, "category"))
    found = milestones(orders, events.drop(columns=["line"], errors="ignore"))
    if len(found.too_long):
        numbers = parcels.frame["waybill_no"].iloc[found.too_long[:_NAMED]]
        named = "、".join(safe_text(each, 64) for each in numbers) + (
            "……" if len(found.too_long) > _NAMED else ""
        )
        telling.remark(f"{len(found.too_long)} 个包裹的订单和轨迹多于 {MOST_ROWS} 行，没有看：{named}")
    return History(
        found, parcels, orders["parcel"].nunique(), len(events), first, as_of or last, words, proven
    )


def judged(history: History, book: PolicyBook) -> pd.DataFrame:
    """Every stage crossed under this book: the engine's columns, moments as UTC, and the parcel's names."""
    found = run(history.milestones, book, history.as_of)
    for name in _MOMENTS:
        found[name] = found[name].dt.tz_localize("UTC")
    if history.proven is not None:
        until = found["parcel"].map(history.proven)
        unproven = found["ended_at"].isna() & ~(found["crossed_at"] < until)
        found = found[~unproven].reset_index(drop=True)
    names = history.parcels.frame.iloc[found["parcel"]].reset_index(drop=True)
    return pd.concat([names, found], axis=1)


def too_short(history: History, book: PolicyBook) -> str:
    """An honest word where the history is shorter than the longest limit and a week; else nothing."""
    longest: dict[str, timedelta] = {}
    for platform in history.words["platform"] or {FALLBACK}:
        profile = book.profiles.get(platform) or book.profiles[FALLBACK]
        for rule in profile.rules.values():
            if rule.limit:
                longest[rule.zh] = max(longest.get(rule.zh, timedelta(0)), min(rule.limit.values()))
    span = history.as_of - history.since
    short = [zh for zh, limit in longest.items() if limit + _MARGIN > span]
    if not short:
        return ""
    most = format_duration(max(longest.values()))
    return (
        f"历史只有 {span / timedelta(days=1):.1f} 天，不到最长的时限 {most} 加 7 天；"
        f"下面这些规则的超时大多还没发生，数字只会偏少：{'、'.join(short)}"
    )


def unheard(file: Path, history: History) -> list[str]:
    """Names that a policy file matches on and no order has, with the line and the nearest that one has."""
    document = read_toml(file)
    told = []
    for path, match in _matches(document):
        for key, values in match.items():
            known = history.words.get(key)
            if known is None or key == "platform":
                continue
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, str) and value not in known:
                    near = get_close_matches(value, known, n=1, cutoff=0.5)
                    hint = f"，是不是 {safe_text(near[0], 40)}？" if near else ""
                    line = document.lines.of((*path, "match", key))
                    told.append(
                        f"{file.name} 第 {line} 行：没有一个订单的 {key} 是“{safe_text(value, 40)}”{hint}"
                    )
    return told


def _matches(document: Document) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every `match` table of the policies, their overrides and the exemptions, with the path of its owner."""
    found: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    for key in ("policies", "exemptions"):
        for n, row in enumerate(document.data.get(key, ())):
            found.append(((key, n), row.get("match", {})))
            found += [
                ((key, n, "overrides", i), each.get("match", {}))
                for i, each in enumerate(row.get("overrides", ()))
            ]
    return found
