"""The coverage told by shop and by order source: whose orders are missing.

A watched parcel's shop stands in its group (`facets`), so a million of them are counted on an index and a few
thousand groups are read. A parcel of several orders counts for the shop of the earliest one, once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, func, literal_column, select

from domain.orders import OrderStatus
from monitor.store import pulls, schema
from monitor.store.bulk import chunks
from monitor.store.views import coverage
from monitor.store.views.coverage import MOST, Answers, Reason

__all__ = ["Shop", "SourceCoverage", "by_shop", "by_source"]

_parcels, _orders, _facets, _pulled = schema.parcels, schema.orders, schema.facets, schema.pulled
Key: TypeAlias = tuple[str, str, str]
"""merchant, platform, shop"""
_NOBODY: Final[Key] = ("", "", "")
_LOST: Final = ("unreadable", "not_kept")


@dataclass(slots=True)
class Shop:
    """How one shop's parcels stand (of `no_waybill` orders, of `not_kept` documents)."""

    merchant: str
    platform: str
    shop: str
    orders: int = 0
    """Known altogether, also those that are over."""
    counts: Counter[Reason] = field(default_factory=Counter)

    @property
    def todo(self) -> int:
        """What somebody has to do something about."""
        return coverage.Coverage(dict(self.counts)).todo


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """What one order source told of, and what of it is not watched."""

    source: str
    documents: int
    """Outbound documents it told of, as far as they are still kept."""
    orders: int
    """Orders that are its own."""
    lost: int
    """Documents that became no order."""
    strange: int
    """Documents with a carrier nobody knows."""
    bare: int
    """Its shipped orders without a waybill."""
    observed_at: datetime | None
    """Everything until then has been read."""
    pulled_at: datetime | None
    state: str


def by_shop(conn: Connection, served: Answers, pushed: Answers = coverage.nobody) -> list[Shop]:
    """Every shop there are orders of, by its name."""
    shops: dict[Key, Shop] = {}

    def at(key: Key) -> Shop:
        return shops.setdefault(key, Shop(*key))

    columns = (_orders.c.merchant, _orders.c.platform, _orders.c.shop)
    for row in conn.execute(select(*columns, func.count()).group_by(*columns)):
        at(row[:3]).orders = row[3]
    for key, reason, n in _parcels_of(conn, coverage.Silent.of(conn, served, pushed)):
        at(key).counts[reason] += n
    for row in conn.execute(_without_waybill(columns)):
        at(row[:3]).counts[Reason.NO_WAYBILL] += row[3]
    names = {key[2]: key for key in sorted(shops, reverse=True)}
    for shop, n in conn.execute(_lost(_pulled.c.shop)):
        at(names.get(shop, ("", "", shop))).counts[Reason.NOT_KEPT] += n
    return [shops[key] for key in sorted(shops)]


def by_source(conn: Connection) -> list[SourceCoverage]:
    """Every order source that was ever read, by its name."""
    told = _counted(conn, select(_pulled.c.source, func.count()).group_by(_pulled.c.source))
    own = select(_orders.c.source, func.count()).where(_orders.c.source != "").group_by(_orders.c.source)
    orders, bare = _counted(conn, own), _counted(conn, _without_waybill((_orders.c.source,)))
    wrong = pulls.problems(conn)
    return [
        SourceCoverage(
            each.source,
            told.get(each.source, 0),
            orders.get(each.source, 0),
            sum(wrong.get((each.source, problem), 0) for problem in _LOST),
            wrong.get((each.source, "unknown_carrier"), 0),
            bare.get(each.source, 0),
            each.observed_at,
            each.pulled_at,
            each.state,
        )
        for each in pulls.listing(conn)
    ]


def _counted(conn: Connection, query: Any) -> dict[str, int]:
    return {row[0]: row[1] for row in conn.execute(query)}


# ── parcels by their group ───────────────────────────────────────────────────────────────────────


def _parcels_of(conn: Connection, silent: coverage.Silent) -> list[tuple[Key, Reason, int]]:
    """Watched parcels by shop and how they stand, each once."""
    watched = coverage.watched_by(conn, _parcels.c.facets_id)
    unanswered = coverage.watched_by(conn, _parcels.c.facets_id, unanswered=True)
    told: list[tuple[int | None, Reason, int]] = []
    for (carrier, group), (kind, answered), n in coverage.remarked(conn, _parcels.c.facets_id):
        if carrier not in silent.all:
            told.append((group, kind, n))
            watched[carrier, group] -= n
            unanswered[carrier, group] = unanswered.get((carrier, group), 0) - (0 if answered else n)
    for (carrier, group), n in watched.items():
        waiting = 0 if carrier in silent.all else unanswered.get((carrier, group), 0)
        told += [(group, Reason.WAITING, waiting), (group, silent.reason(carrier), n - waiting)]
    shops = _shops(conn, {group for group, _, _ in told if group is not None})
    judged = [(shops.get(group, _NOBODY), reason, n) for group, reason, n in told if n and group is not None]
    return [*judged, *_unjudged(conn, silent)]


def _unjudged(conn: Connection, silent: coverage.Silent) -> list[tuple[Key, Reason, int]]:
    """Parcels that came in a moment ago: they are in no group yet, so their orders are asked."""
    links = schema.order_parcels
    first = (
        select(func.min(links.c.order_id))
        .where(links.c.parcel_id == _parcels.c.id, links.c.unlinked_at.is_(None))
        .scalar_subquery()
    )
    fresh = select(_parcels.c.carrier, _parcels.c.why, _parcels.c.answer_hash, first.label("order_id"))
    rows = fresh.where(coverage.WATCHED, _parcels.c.facets_id.is_(None)).limit(MOST).subquery()
    said = (rows.c.carrier, rows.c.why != "", rows.c.answer_hash == "", coverage.kind_of(rows.c.why))
    by = (_orders.c.merchant, _orders.c.platform, _orders.c.shop, *said)
    query = select(*by, func.count()).join(_orders, _orders.c.id == rows.c.order_id).group_by(*by)
    return [
        (tuple(row[:3]), _standing(silent, row[3], row[6] if row[4] else "", waits=bool(row[5])), row[7])
        for row in conn.execute(query)
    ]


def _standing(silent: coverage.Silent, carrier: str, kind: str, *, waits: bool) -> Reason:
    if carrier in silent.all:
        return silent.reason(carrier)
    if kind:
        return Reason(kind)
    return Reason.WAITING if waits else silent.reason(carrier)


def _shops(conn: Connection, groups: set[int]) -> Mapping[int, Key]:
    """Whose parcels the groups hold: their first order speaks."""
    found: dict[int, Key] = {}
    for some in chunks(sorted(groups)):
        query = select(_facets.c.id, _facets.c.said).where(_facets.c.id.in_(some))
        found |= {row.id: _shop(row.said) for row in conn.execute(query)}
    return found


def _shop(said: str) -> Key:
    orders = json.loads(said).get("orders") or [{}]
    first = orders[0]
    return first.get("merchant", ""), first.get("platform", ""), first.get("shop", "")


def _without_waybill(columns: Any) -> Any:
    """Orders that are shipped and have no number, by these columns."""
    shipped = (_orders.c.status == OrderStatus.SHIPPED.value) | (
        _orders.c.status.in_((OrderStatus.AWAITING.value, OrderStatus.REFUNDING.value))
        & _orders.c.shipped_at.is_not(None)
    )
    return select(*columns, func.count()).where(_orders.c.bare, shipped).group_by(*columns)


def _lost(column: Any) -> Any:
    """Documents that became no order, by a column."""
    query = select(column, func.count()).where(_pulled.c.problem != literal_column("''"))
    return query.where(_pulled.c.problem.in_(_LOST)).group_by(column).limit(MOST)
