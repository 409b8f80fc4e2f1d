"""Pushes and what they need: subscriptions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _subscriptions()


def downgrade() -> None:
    op.drop_table("subscriptions")


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("parcel_id", KEY, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("opens", sa.Text(), server_default="[]", nullable=False),
        sa.Column("pushed_at", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_subscriptions_parcel_id")),
        sa.PrimaryKeyConstraint("parcel_id", "provider", name=op.f("pk_subscriptions")),
    )
    due = sa.text("next_at IS NOT NULL")
    op.create_index(
        "ix_subscriptions_due",
        "subscriptions",
        ["provider", "next_at"],
        sqlite_where=due,
        postgresql_where=due,
    )
