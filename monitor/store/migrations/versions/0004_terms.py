"""Money at risk, blame, rules on trial, two more times of an order, and which parcels a policy's words touch.

`policy_spans` remembers every time a policy came into force; before it, coming back to one overwrote the first time.

`facets` has a row for each combination of what policies can match; a parcel points to its own. So a changed
policy is compared with a few thousand rows, and only the parcels of those whose terms changed are judged anew.
Parcels get their row when they are next judged.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WATCHED = sa.text("state = 'watched'")
JUDGED = ("findings", "tickets")
BY_RISK = ["state", "risk_high", "opened_at", "id", "carrier", "shop", "platform"]


def upgrade() -> None:
    op.create_table(
        "facets",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), server_default="", nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facets")),
    )
    op.create_table(
        "policy_spans",
        sa.Column("id", KEY, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["policies.version"], name=op.f("fk_policy_spans_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_spans")),
    )
    op.execute("INSERT INTO policy_spans (version, since) SELECT version, since FROM policies ORDER BY since")
    for name in ("ordered_at", "promised_delivery_at"):
        op.add_column("orders", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("parcels", sa.Column("facets_id", KEY, nullable=True))
    op.create_index(
        "ix_parcels_facets", "parcels", ["facets_id", "id"], sqlite_where=WATCHED, postgresql_where=WATCHED
    )
    op.add_column(
        "findings", sa.Column("shadow", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    for table in JUDGED:
        op.add_column(table, sa.Column("risk_low", sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column("risk_high", sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column("blame", sa.String(12), server_default="", nullable=False))
        op.add_column(table, sa.Column("blame_why", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_findings_shadow",
        "findings",
        ["state", "found_at", "id", "rule"],
        sqlite_where=sa.text("shadow = 1"),
        postgresql_where=sa.text("shadow"),
    )
    op.create_index("ix_tickets_risk", "tickets", BY_RISK)


def downgrade() -> None:
    op.drop_index("ix_tickets_risk", "tickets")
    op.drop_index("ix_findings_shadow", "findings")
    for table in JUDGED:
        for name in ("risk_low", "risk_high", "blame", "blame_why"):
            op.drop_column(table, name)
    op.drop_column("findings", "shadow")
    op.drop_index("ix_parcels_facets", "parcels")
    op.drop_column("parcels", "facets_id")
    for name in ("ordered_at", "promised_delivery_at"):
        op.drop_column("orders", name)
    op.drop_table("policy_spans")
    op.drop_table("facets")
