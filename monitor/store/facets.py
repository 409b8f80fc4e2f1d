"""Which parcels a policy's words touch: groups of parcels alike in everything that a policy may ask of them.

A parcel points to its group (`parcels.facets_id`) while it is watched. A group's number is made of what is said of
it, so that a judgement knows it without a look at the store and writes only when the parcel belongs to another one
now. When the policy changes, what it says of each group is compared with what it said last (`terms`), and only the
parcels of groups of which it says something else become due (`monitor/reschedule.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import Prepared, chunks, update_many
from monitor.store.codec import clean

__all__ = [
    "Group",
    "group_of",
    "judged_by",
    "keep",
    "make_due",
    "page",
    "touch",
    "touch_without",
    "unused",
]

_BITS: Final = 63
_FRESH: Final = timedelta(days=1)
"""How exactly `joined_at` is kept: a group that many parcels join is not written for each of them."""
_facets, _parcels, _due = schema.facets, schema.parcels, schema.due
_NAMES: Final = ("id", "said", "terms", "joined_at")
_WATCHED: Final = _parcels.c.state == literal_column("'watched'")


@dataclass(frozen=True, slots=True)
class Group:
    """Parcels alike."""

    id: int
    said: str
    """`rules.policy.PolicyBook.facets_key`."""
    terms: str
    """`rules.policy.Policy.terms` of the policy that spoke of them last."""


def group_of(said: str) -> int:
    """The group's number: 63 bits of a hash, by which no two of a million groups meet (5 in 100 million).

    Two that did would be one group: at worst a change that touches the one is not seen for the other.
    """
    digest = hashlib.sha256(said.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _BITS)


def _joining(dialect: str) -> Any:
    kind: Any = sqlite if dialect == "sqlite" else postgresql
    new = {name: bindparam(f"p_{name}", type_=_facets.c[name].type) for name in _NAMES}
    said = kind.insert(_facets).values(new)
    # Also where nothing is written this holds the row, so that no purge takes it away at the same moment.
    return said.on_conflict_do_update(
        index_elements=["id"],
        set_={"joined_at": said.excluded.joined_at},
        where=_facets.c.joined_at
        < said.excluded.joined_at - literal_column(str(_FRESH.days * 86_400_000_000)),
    )


_JOIN: Final = Prepared(_joining, *(f"p_{name}" for name in _NAMES))


def keep(conn: Connection, groups: Iterable[Group], now: datetime) -> None:
    """Make sure of the groups that parcels join now. What was said of one that is there stays as it was."""
    at = to_micros(now)
    rows = {group.id: (group.id, clean(group.said), group.terms, at) for group in groups}
    _JOIN.run(conn, [rows[id_] for id_ in sorted(rows)])


def page(conn: Connection, after: int | None = None, limit: int = 5000) -> list[Group]:
    """Groups by number, those beyond `after`."""
    query = select(_facets.c.id, _facets.c.said, _facets.c.terms).order_by(_facets.c.id).limit(limit)
    if after is not None:
        query = query.where(_facets.c.id > after)
    return [Group(*row) for row in conn.execute(query)]


def touch(
    conn: Connection, changed: Sequence[Group], now: datetime, *, after: int = 0, limit: int = 5000
) -> tuple[int, int]:
    """Make at most about `limit` watched parcels of these groups due for judging, the groups one after the other.

    Each group's new `terms` are kept with its last parcel, so that a change cut short goes on where it was. Returns
    how many groups are done, and the last parcel touched of the next one, from which (`after`) to go on.
    """
    ids: list[int] = []
    done = 0
    for group in changed:
        some = _of_group(conn, group.id, after, limit - len(ids))
        ids += some
        if len(ids) >= limit:
            after = some[-1]
            break
        done, after = done + 1, 0
    make_due(conn, ids, now)
    update_many(conn, _facets, ("id",), [{"id": each.id, "terms": each.terms} for each in changed[:done]])
    return done, after


def touch_without(conn: Connection, now: datetime, *, after: int = 0, limit: int = 5000) -> int:
    """Make watched parcels that have no group yet due; the last one touched, 0 when none was left."""
    query = select(_parcels.c.id).where(_parcels.c.facets_id.is_(None), _WATCHED, _parcels.c.id > after)
    ids = list(conn.execute(query.order_by(_parcels.c.id).limit(limit)).scalars())
    make_due(conn, ids, now)
    return ids[-1] if ids else 0


def judged_by(conn: Connection, versions: Sequence[str]) -> list[int]:
    """The watched parcels that one of these policies judged last. Reads every parcel."""
    query = select(_parcels.c.id).where(_WATCHED, _parcels.c.policy_version.in_(versions))
    return list(conn.execute(query.order_by(_parcels.c.id)).scalars())


def unused(before: datetime) -> ColumnElement[bool]:
    """A condition on `facets`: no watched parcel belongs to the group, and none has come to it since `before`."""
    used = exists().where(_parcels.c.facets_id == _facets.c.id, _WATCHED)
    return and_(_facets.c.joined_at < to_micros(before), ~used)


_OF_GROUP: Final = (
    select(_parcels.c.id)
    .where(_parcels.c.facets_id == bindparam("group"), _WATCHED, _parcels.c.id > bindparam("after"))
    .order_by(_parcels.c.id)
    .limit(bindparam("most"))
)


def _of_group(conn: Connection, group: int, after: int, limit: int) -> list[int]:
    found = conn.execute(_OF_GROUP, {"group": group, "after": after, "most": limit})
    return list(found.scalars())


def make_due(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """These parcels are judged at the next tick."""
    for some in chunks(ids):
        conn.execute(update(_due).where(_due.c.parcel_id.in_(some)).values(next_deadline_at=to_micros(now)))
