"""Rows of the tables as the shared words, and the other way round."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from sqlalchemy import Row

from domain.findings import Blame, Finding, Party, Risk, Stage
from domain.orders import Order, OrderStatus
from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.codec import clean, dump, length, micros, moment, read_mapping

__all__ = [
    "FINDING_COLUMNS",
    "ORDER_COLUMNS",
    "ORDER_MOMENTS",
    "finding_values",
    "iso",
    "order_values",
    "read_blame",
    "read_finding",
    "read_order",
    "read_risk",
    "stake_values",
    "yuan",
]

_ORDER_TEXTS: Final = (
    "merchant",
    "platform",
    "shop",
    "order_no",
    "receiver_province",
    "receiver_city",
    "warehouse",
    "goods_type",
)
ORDER_MOMENTS: Final = (
    *("ordered_at", "paid_at", "confirmed_at", "shipped_at"),
    *("promised_ship_at", "promised_delivery_at"),
)
ORDER_COLUMNS: Final = tuple(
    schema.orders.c[name] for name in (*_ORDER_TEXTS, *ORDER_MOMENTS, "status", "amount_cents", "tags")
)
FINDING_COLUMNS: Final = tuple(
    schema.findings.c[name]
    for name in (
        "rule",
        "stage",
        "step",
        "severity",
        "notify",
        "started_at",
        "deadline",
        "limit_us",
        "crossed_at",
        "policy",
        "evidence",
        "shadow",
        "risk_low",
        "risk_high",
        "blame",
        "blame_why",
    )
)


def order_values(order: Order) -> dict[str, Any]:
    """The columns an order fills."""
    values: dict[str, Any] = {name: clean(getattr(order, name)) for name in _ORDER_TEXTS}
    values |= {name: micros(getattr(order, name)) for name in ORDER_MOMENTS}
    values["status"] = order.status.value
    values["amount_cents"] = None if order.amount is None else _cents(order.amount)
    values["tags"] = " ".join(sorted(clean(tag) for tag in order.tags))
    return values


def read_order(row: Row[Any]) -> Order:
    """An order from a row with `ORDER_COLUMNS`."""
    found = row._mapping
    cents = found["amount_cents"]
    same: dict[str, Any] = {name: found[name] for name in _ORDER_TEXTS}
    same |= {name: moment(found[name]) for name in ORDER_MOMENTS}
    return Order(
        status=OrderStatus(found["status"]),
        amount=None if cents is None else Decimal(cents).scaleb(-2),
        tags=frozenset(found["tags"].split()),
        **same,
    )


def finding_values(finding: Finding) -> dict[str, Any]:
    """The columns of `FINDING_COLUMNS`."""
    return {
        "rule": finding.rule,
        "stage": finding.stage.value,
        "step": finding.step,
        "severity": finding.severity,
        "notify": finding.notify,
        "started_at": to_micros(finding.started_at),
        "deadline": micros(finding.deadline),
        "limit_us": length(finding.limit),
        "crossed_at": to_micros(finding.crossed_at),
        "policy": clean(finding.policy),
        "evidence": dump(dict(finding.evidence)),
        "shadow": finding.shadow,
        **stake_values(finding.risk, finding.blame),
    }


def stake_values(risk: Risk | None, blame: Blame | None) -> dict[str, Any]:
    """What is at risk, in fen, and whose doing it is, as findings and tickets keep it."""
    return {
        "risk_low": risk.low if risk is not None else None,
        "risk_high": risk.high if risk is not None else None,
        "blame": blame.party.value if blame is not None else "",
        "blame_why": clean(blame.because) if blame is not None else "",
    }


def read_risk(row: Row[Any]) -> Risk | None:
    """From a row with `risk_low` and `risk_high`."""
    found = row._mapping
    low, high = found["risk_low"], found["risk_high"]
    return None if low is None or high is None else Risk(low, high)


def read_blame(row: Row[Any]) -> Blame | None:
    """From a row with `blame` and `blame_why`; a party of a later version is nobody we know."""
    found = row._mapping
    party = found["blame"]
    if not party:
        return None
    return Blame(Party(party) if party in set(Party) else Party.UNKNOWN, found["blame_why"])


def yuan(fen: int | None) -> float | None:
    """Fen as people and programs read them."""
    return None if fen is None else fen / 100


def read_finding(row: Row[Any]) -> Finding:
    """A finding from a row with `FINDING_COLUMNS`."""
    found = row._mapping
    limit = found["limit_us"]
    return Finding(
        rule=found["rule"],
        stage=Stage(found["stage"]),
        started_at=from_micros(found["started_at"]),
        crossed_at=from_micros(found["crossed_at"]),
        policy=found["policy"],
        deadline=moment(found["deadline"]),
        limit=None if limit is None else timedelta(microseconds=limit),
        step=found["step"],
        severity=found["severity"],
        notify=bool(found["notify"]),
        evidence=read_mapping(found["evidence"]),
        shadow=bool(found["shadow"]),
        risk=read_risk(row),
        blame=read_blame(row),
    )


def iso(stored: int | None, zone: tzinfo) -> str | None:
    """A stored moment as people and programs read it: ISO 8601 with offset."""
    return None if stored is None else from_micros(stored).astimezone(zone).isoformat()


def _cents(yuan: Decimal) -> int:
    return int(yuan.scaleb(2).to_integral_value(ROUND_HALF_EVEN))
