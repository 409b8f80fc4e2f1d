"""What the console reads: the next limit of every parcel, tickets by shop and carrier, why nothing is asked.

Rows that are there are filled in as the program would have left them:

- the next limit comes from the clocks as they were last read, as of the moment they were read. Judging
  every parcel anew would give the same and keep a large installation busy for minutes after the start;
- a ticket's shop, platform, merchant and province from the order as it stood at opening;
- an order is bare when no parcel is linked to it now.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BATCH = 2000
FACETS = ("shop", "platform", "merchant", "receiver_province")
FACET_LENGTH = 100
INDEXES = (
    ("ix_orders_bare", "orders", ("status", "id", "shipped_at"), "bare", "bare = 1"),
    ("ix_parcels_unanswered", "parcels", ("id",), "state = 'watched' AND answer_hash = ''", ""),
    ("ix_parcels_noted", "parcels", ("id",), "state = 'watched' AND why <> ''", ""),
    ("ix_parcels_unwatched", "parcels", ("id",), "state = 'unwatched'", ""),
    ("ix_parcels_done", "parcels", ("done_at", "id"), "state = 'done'", ""),
    ("ix_due_limit", "due", ("limit_at", "parcel_id", "limit_rule"), "limit_at IS NOT NULL", ""),
    ("ix_due_nobody", "due", ("parcel_id",), "provider = ''", ""),
    ("ix_tickets_newest", "tickets", ("state", "opened_at", "id", "carrier", "shop", "platform"), "", ""),
    (
        "ix_tickets_urgent",
        "tickets",
        ("state", "severity", "opened_at", "id", "carrier", "shop", "platform"),
        "",
        "",
    ),
)
COLUMNS: tuple[tuple[str, str, sa.types.TypeEngine[Any], Any], ...] = (
    ("orders", "bare", sa.Boolean(), sa.text("false")),
    ("due", "limit_at", sa.BigInteger(), None),
    ("due", "limit_rule", sa.String(length=48), ""),
    ("tickets", "carrier", sa.String(length=40), ""),
    *(("tickets", name, sa.Text(), "") for name in FACETS),
)


def upgrade() -> None:
    for table, name, kind, default in COLUMNS:
        op.add_column(table, sa.Column(name, kind, server_default=default, nullable=(name == "limit_at")))
    _make_tables()
    conn = op.get_bind()
    _fill_orders(conn)
    _fill_tickets(conn)
    _fill_limits(conn)
    op.drop_index("ix_tickets_state_opened_at", "tickets")
    for name, table, columns, where, sqlite in INDEXES:  # after the rows: made at once, not entry by entry
        conditions: dict[str, Any] = {
            "postgresql_where": sa.text(where),
            "sqlite_where": sa.text(sqlite or where),
        }
        op.create_index(name, table, list(columns), **(conditions if where else {}))


def downgrade() -> None:
    for name, table, *_ in INDEXES:
        op.drop_index(name, table)
    op.create_index("ix_tickets_state_opened_at", "tickets", ["state", "opened_at"])
    op.drop_table("upkeep")
    op.drop_table("idempotency")
    for table, name, *_ in reversed(COLUMNS):
        op.drop_column(table, name)


def _make_tables() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
    op.create_table(
        "upkeep",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_upkeep")),
    )


def _fill_orders(conn: sa.Connection) -> None:
    conn.execute(
        sa.text(
            "UPDATE orders SET bare = true WHERE NOT EXISTS (SELECT 1 FROM order_parcels AS link"
            " WHERE link.order_id = orders.id AND link.unlinked_at IS NULL)"
        )
    )


def _fill_tickets(conn: sa.Connection) -> None:
    conn.execute(
        sa.text(
            "UPDATE tickets SET carrier = (SELECT carrier FROM parcels WHERE parcels.id = tickets.parcel_id)"
        )
    )
    sets = ", ".join(f"{name} = :{name}" for name in FACETS)
    rows = _batches(conn, "SELECT id, filled FROM tickets WHERE id > :after ORDER BY id LIMIT :n")
    _write(conn, f"UPDATE tickets SET {sets} WHERE id = :id", rows, _facets)  # noqa: S608


def _fill_limits(conn: sa.Connection) -> None:
    watched = (
        "SELECT id, clocks, updated_at FROM parcels"
        " WHERE id > :after AND state = 'watched' AND clocks <> '[]' ORDER BY id LIMIT :n"
    )
    update = "UPDATE due SET limit_at = :limit_at, limit_rule = :limit_rule WHERE parcel_id = :id"
    _write(conn, update, _batches(conn, watched), _limit)


def _batches(conn: sa.Connection, query: str) -> Iterator[list[Any]]:
    """The rows by id, a few thousand at a time."""
    after = 0
    while rows := list(conn.execute(sa.text(query), {"after": after, "n": BATCH})):
        yield rows
        after = rows[-1].id


def _write(
    conn: sa.Connection,
    statement: str,
    batches: Iterator[list[Any]],
    of_row: Callable[[Any], dict[str, Any] | None],
) -> None:
    for rows in batches:
        values = [value for row in rows if (value := of_row(row)) is not None]
        if values:
            conn.execute(sa.text(statement), values)


def _facets(row: Any) -> dict[str, Any]:
    """Of the first order, cut to what an index holds."""
    filled = json.loads(row.filled or "{}")
    orders = filled.get("orders") if isinstance(filled, dict) else None
    told = orders[0] if isinstance(orders, list) and orders and isinstance(orders[0], dict) else filled
    told = told if isinstance(told, dict) else {}
    return {"id": row.id} | {name: _kept(str(told.get(name) or "")) for name in FACETS}


def _kept(text: str) -> str:
    """Without what PostgreSQL refuses: NUL and half surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:FACET_LENGTH]


def _limit(row: Any) -> dict[str, Any] | None:
    """The nearest limit of a running clock that lay ahead when the clocks were read."""
    ahead = [
        (clock["deadline"], clock["rule"])
        for clock in json.loads(row.clocks)
        if clock.get("steps") and "started_at" in clock and "ended_at" not in clock
        if clock.get("deadline", 0) > row.updated_at
    ]
    if not ahead:
        return None
    at, rule = min(ahead, key=lambda each: each[0])
    return {"id": row.id, "limit_at": at, "limit_rule": rule[:48]}
