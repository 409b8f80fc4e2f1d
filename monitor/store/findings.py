"""Findings: opened, grown, told, ended. One of a parcel and rule is open at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from domain.findings import Finding, FindingState, Stage
from domain.time import SHANGHAI, to_micros
from monitor.store import schema
from monitor.store.bulk import Prepared, insert_many, reserve_ids, update_many
from monitor.store.codec import clean, micros
from monitor.store.rows import finding_values, iso, yuan

__all__ = ["Ended", "NewFinding", "Worse", "end", "end_trials", "escalate", "listing", "open_", "told"]

_findings = schema.findings
_HOUR: Final = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A finding that begins to stand."""

    parcel_id: int
    finding: Finding
    found_at: datetime
    policy_version: str = ""
    silenced_by: str = ""
    ticket_id: int | None = None
    told_step: int = 0


@dataclass(frozen=True, slots=True)
class Worse:
    """An open finding as it stands now: also for a mere change of evidence, deadline or silencing."""

    id: int
    finding: Finding
    silenced_by: str = ""
    ticket_id: int | None = None
    """None: leave."""
    policy_version: str | None = None
    """That judged it now; None: leave."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a finding ended."""

    id: int
    state: FindingState
    at: datetime
    by: str = ""


def open_(conn: Connection, rows: Sequence[NewFinding]) -> list[int]:
    """Returns the new ids, in order. IntegrityError when one of that parcel and rule is open."""
    ids = reserve_ids(conn, _findings, len(rows))
    insert_many(
        conn,
        _findings,
        [
            {
                "id": id_,
                "parcel_id": row.parcel_id,
                **finding_values(row.finding),
                **_crossed(row.finding),
                "found_at": to_micros(row.found_at),
                "policy_version": row.policy_version,
                "silenced_by": row.silenced_by,
                "ticket_id": row.ticket_id,
                "told_step": row.told_step,
            }
            for id_, row in zip(ids, rows, strict=True)
        ],
    )
    return ids


def escalate(conn: Connection, rows: Sequence[Worse]) -> None:
    """Keep open findings as they stand now; when each stage was first crossed is kept."""
    _ESCALATE.run(
        conn,
        [
            tuple(
                {
                    **finding_values(row.finding),
                    **_crossed(row.finding),
                    "silenced_by": row.silenced_by,
                    "ticket_id": row.ticket_id,
                    "policy_version": row.policy_version,
                    "id": row.id,
                }[name]
                for name in _ESCALATED
            )
            for row in rows
        ],
    )


def end(conn: Connection, rows: Sequence[Ended]) -> None:
    """Close findings."""
    update_many(
        conn,
        _findings,
        ("id",),
        [
            {
                "id": row.id,
                "state": row.state.value,
                "ended_at": to_micros(row.at),
                "ended_by": clean(row.by),
            }
            for row in rows
        ],
    )


def end_trials(conn: Connection, parcel_id: int, at: datetime, by: str) -> None:
    """Close what rules on trial found of a parcel: nobody is told of it, so nobody else would."""
    ended = {"state": FindingState.EXPIRED.value, "ended_at": to_micros(at), "ended_by": clean(by)}
    own = _findings.c.parcel_id == parcel_id, _findings.c.state == FindingState.OPEN.value
    conn.execute(update(_findings).where(*own, _findings.c.shadow).values(**ended))


def told(conn: Connection, ids_steps: Iterable[tuple[int, int]]) -> None:
    """Somebody was told of these findings up to that step."""
    update_many(conn, _findings, ("id",), [{"id": id_, "told_step": step} for id_, step in ids_steps])


def listing(
    conn: Connection, *, all_: bool = False, limit: int = 1000, zone: tzinfo = SHANGHAI
) -> list[dict[str, Any]]:
    """The columns of `findings --json`, the newest first; one row per finding, at its present stage.

    Without `all_` only open ones. Times are ISO 8601 texts in `zone`, money is yuan: `yuan_at_risk` the most
    it may cost, `risk_low` and `risk_high` the range, null where no penalty is known.
    """
    query = _LISTING.order_by(_findings.c.found_at.desc(), _findings.c.id.desc()).limit(limit)
    if not all_:
        query = query.where(_findings.c.state == FindingState.OPEN.value)
    return [
        {
            "carrier": row.carrier,
            "waybill_no": row.waybill_no,
            "order_no": row.order_no or "",
            "rule": row.rule,
            "stage": row.stage,
            "started_at": iso(row.started_at, zone),
            "crossed_at": iso(row.crossed_at, zone),
            "ended_at": iso(row.ended_at, zone),
            "limit_hours": None if row.limit_us is None else row.limit_us / _HOUR,
            "policy": row.policy,
            "state": row.state,
            "found_at": iso(row.found_at, zone),
            "ticket": row.number or "",
            "policy_version": row.policy_version,
            "shadow": bool(row.shadow),
            "yuan_at_risk": yuan(row.risk_high),
            "risk_low": yuan(row.risk_low),
            "risk_high": yuan(row.risk_high),
            "blame": row.blame,
        }
        for row in conn.execute(query)
    ]


def order_no_of(parcel_id: Any) -> Any:
    """A column: the number of the order that speaks for a parcel, the earliest paid."""
    links, orders = schema.order_parcels, schema.orders
    return (
        select(orders.c.order_no)
        .join(links, links.c.order_id == orders.c.id)
        .where(links.c.parcel_id == parcel_id)
        .order_by(links.c.unlinked_at.is_(None).desc(), func.coalesce(orders.c.paid_at, 1 << 62), orders.c.id)
        .limit(1)
        .scalar_subquery()
    )


_LISTING: Final = (
    select(
        _findings,
        schema.parcels.c.carrier,
        schema.parcels.c.waybill_no,
        schema.tickets.c.number,
        order_no_of(_findings.c.parcel_id).label("order_no"),
    )
    .join(schema.parcels, schema.parcels.c.id == _findings.c.parcel_id)
    .outerjoin(schema.tickets, schema.tickets.c.id == _findings.c.ticket_id)
)
_ESCALATED: Final = (
    *("stage", "step", "severity", "notify", "started_at", "deadline", "limit_us", "crossed_at"),
    *("policy", "evidence", "shadow", "risk_low", "risk_high", "blame", "blame_why", "silenced_by"),
    *("ticket_id", "policy_version", "warned_at", "breached_at", "id"),
)
_AS_IT_IS: Final = _ESCALATED[: _ESCALATED.index("ticket_id")]


def _escalating(_dialect: str) -> Any:
    columns = _findings.c
    new = {name: bindparam(f"p_{name}", type_=columns[name].type) for name in _ESCALATED}
    plain = {name: new[name] for name in _AS_IT_IS}
    return (
        update(_findings)
        .where(columns.id == new["id"])
        .values(
            **plain,
            ticket_id=func.coalesce(new["ticket_id"], columns.ticket_id),
            policy_version=func.coalesce(new["policy_version"], columns.policy_version),
            warned_at=func.coalesce(columns.warned_at, new["warned_at"]),
            breached_at=func.coalesce(columns.breached_at, new["breached_at"]),
        )
    )


_ESCALATE: Final = Prepared(_escalating, *(f"p_{name}" for name in _ESCALATED))


def _crossed(finding: Finding) -> dict[str, int | None]:
    """When this stage was crossed, under the stage's own name."""
    warned = finding.stage is Stage.WARNING
    return {
        "warned_at": micros(finding.crossed_at) if warned else None,
        "breached_at": None if warned else micros(finding.crossed_at),
    }
