"""Pushes and what they need: subscriptions; the health of each carrier behind an account, hour by hour; order sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _intake()
    _carriers()
    _subscriptions()
    _feeds()
    _budget()
    _pulls()
    _coverage()
    _opinions()


def downgrade() -> None:
    op.drop_table("opinions")
    op.drop_index("ix_parcels_carrier", "parcels")
    op.drop_index("ix_parcels_unanswered", "parcels")
    _index_where("ix_parcels_unanswered", "parcels", ["id"], _UNANSWERED)
    _no_pulls()
    op.drop_table("mappings")
    op.drop_column("imports", "refused")
    op.drop_column("imports", "origin")
    for table in ("lane_gaps", "slots", "billed"):
        op.drop_table(table)
    op.drop_column("spend", "micros")
    _poll_index(["provider", "next_poll_at"])
    op.drop_column("due", "stake")
    op.drop_column("due", "reason")
    op.drop_table("feed_hours")
    op.drop_table("feed_lines")
    op.drop_column("providers", "back_at")
    op.drop_table("subscriptions")
    op.drop_table("pushes")
    op.drop_table("recognitions")
    op.drop_column("parcels", "declared")


def _carriers() -> None:
    """The carrier that a shop named, where the number is another's; whose the others may be."""
    op.add_column("parcels", sa.Column("declared", sa.String(40), server_default="", nullable=False))
    op.create_table(
        "recognitions",
        sa.Column("parcel_id", KEY, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("asked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("guesses", sa.Text(), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_recognitions_parcel_id")),
        sa.PrimaryKeyConstraint("parcel_id", name=op.f("pk_recognitions")),
    )


def _subscriptions() -> None:
    op.create_table(
        "pushes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushes")),
    )
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
    live = sa.text("state <> 'closed'")
    op.create_index(
        "ix_subscriptions_live",
        "subscriptions",
        ["provider", "state", "next_at"],
        sqlite_where=live,
        postgresql_where=live,
    )


def _feeds() -> None:
    op.add_column("providers", sa.Column("back_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "feed_lines",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("carrier", sa.String(40), nullable=False),
        sa.Column("state", sa.String(12), server_default="up", nullable=False),
        sa.Column("cause", sa.String(12), server_default="", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("last_good_at", sa.BigInteger(), nullable=True),
        sa.Column("last_bad_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("back_at", sa.BigInteger(), nullable=True),
        sa.Column("numbers", sa.Text(), server_default="{}", nullable=False),
        sa.Column("news_at", sa.BigInteger(), nullable=True),
        sa.Column("judged_at", sa.BigInteger(), nullable=True),
        sa.Column("probe_at", sa.BigInteger(), nullable=True),
        sa.Column("poor_since", sa.BigInteger(), nullable=True),
        sa.Column("poor_told", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("provider", "carrier", name=op.f("pk_feed_lines")),
    )
    counted = (
        *(
            "answered",
            "same",
            "empty",
            "emptied",
            "refused",
            "unreadable",
            "failed",
            "pushed",
            "looks",
            "news",
        ),
        *("watched_s", "scans", "unknown"),
        *(f"most_{n}" for n in range(9)),
        *(f"least_{n}" for n in range(9)),
    )
    op.create_table(
        "feed_hours",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("carrier", sa.String(40), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        *(sa.Column(name, _size(name), server_default="0", nullable=False) for name in counted),
        sa.PrimaryKeyConstraint("provider", "carrier", "hour", name=op.f("pk_feed_hours")),
    )
    op.create_index("ix_feed_hours_hour", "feed_hours", ["hour"])


def _size(name: str) -> sa.types.TypeEngine[int]:
    return sa.BigInteger() if name == "watched_s" else sa.Integer()


def _budget() -> None:
    """What a question is for, what it cost, and how many may be under way."""
    for name in ("reason", "stake"):
        op.add_column("due", sa.Column(name, sa.Integer(), server_default="3", nullable=False))
    _poll_index(["provider", "next_poll_at", "reason"])
    op.add_column("spend", sa.Column("micros", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE spend SET micros = cents * 10000")
    op.create_table(
        "billed",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("parcel_id", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_billed_parcel_id")),
        sa.PrimaryKeyConstraint("parcel_id", "provider", name=op.f("pk_billed")),
    )
    op.create_table(
        "slots",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "holder", name=op.f("pk_slots")),
    )
    op.create_table(
        "lane_gaps",
        sa.Column("carrier", sa.String(40), nullable=False),
        sa.Column("leg", sa.String(24), nullable=False),
        sa.Column("usual", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("carrier", "leg", name=op.f("pk_lane_gaps")),
    )


def _poll_index(columns: list[str]) -> None:
    waits = sa.text("next_poll_at IS NOT NULL")
    op.drop_index("ix_due_poll", "due")
    op.create_index("ix_due_poll", "due", columns, sqlite_where=waits, postgresql_where=waits)


def _intake() -> None:
    """Where a file came from and why it was refused; how the columns of a shop's files are read."""
    op.add_column("imports", sa.Column("origin", sa.String(12), server_default="", nullable=False))
    op.add_column("imports", sa.Column("refused", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "mappings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("shop", sa.Text(), server_default="", nullable=False),
        sa.Column("fingerprint", sa.String(64), server_default="", nullable=False),
        sa.Column("fields", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mappings")),
        sa.UniqueConstraint("name", name=op.f("uq_mappings_name")),
    )


def _pulls() -> None:
    """Order sources: how far each was read, what it said of each document, whose orders are its own."""
    op.create_table(
        "pulls",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("cursor", sa.Text(), server_default="{}", nullable=False),
        sa.Column("observed_at", sa.BigInteger(), nullable=True),
        sa.Column("pulled_at", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(12), server_default="up", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("last_good_at", sa.BigInteger(), nullable=True),
        sa.Column("last_bad_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("resume_at", sa.BigInteger(), nullable=True),
        sa.Column("back_at", sa.BigInteger(), nullable=True),
        sa.Column("pages", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("documents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("poisoned", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_pulls")),
    )
    op.create_table(
        "pulled",
        sa.Column("id", KEY, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("order_no", sa.String(64), server_default="", nullable=False),
        sa.Column("shop", sa.Text(), server_default="", nullable=False),
        sa.Column("standing", sa.String(12), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("said", sa.Text(), server_default="{}", nullable=False),
        sa.Column("problem", sa.String(24), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pulled")),
        sa.UniqueConstraint("source", "number", name=op.f("uq_pulled_source_number")),
    )
    op.create_index("ix_pulled_source_order_no", "pulled", ["source", "order_no"])
    op.create_index("ix_pulled_seen_at", "pulled", ["seen_at"])
    _index_where("ix_pulled_problem", "pulled", ["source", "problem", "id"], "problem <> ''")
    op.add_column("orders", sa.Column("source", sa.String(64), server_default="", nullable=False))
    op.add_column("due", sa.Column("shop_at", sa.BigInteger(), nullable=True))
    _index_where("ix_due_shop", "due", ["shop_at", "parcel_id"], "shop_at IS NOT NULL")


def _no_pulls() -> None:
    op.drop_index("ix_due_shop", "due")
    op.drop_column("due", "shop_at")
    op.drop_column("orders", "source")
    op.drop_table("pulled")
    op.drop_table("pulls")


def _index_where(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


_UNANSWERED = "state = 'watched' AND answer_hash = ''"


def _coverage() -> None:
    """What the coverage counts is told by its indexes alone: a parcel's row is wide."""
    op.drop_index("ix_parcels_unanswered", "parcels")
    _index_where("ix_parcels_unanswered", "parcels", ["id", "carrier", "facets_id"], _UNANSWERED)
    _index_where("ix_parcels_carrier", "parcels", ["carrier", "facets_id"], "state = 'watched'")


def _opinions() -> None:
    """What a second account says of a parcel."""
    op.create_table(
        "opinions",
        sa.Column("parcel_id", KEY, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("reason", sa.Integer(), server_default="0", nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=True)
            for name in ("due_at", "wait_until", "asked_at", "quota_at", "heard_at")
        ),
        sa.Column("milestone", sa.String(32), server_default="", nullable=False),
        sa.Column("last_event_at", sa.BigInteger(), nullable=True),
        sa.Column("against", sa.String(32), server_default="", nullable=False),
        sa.Column("against_at", sa.BigInteger(), nullable=True),
        sa.Column("says", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_opinions_parcel_id")),
        sa.PrimaryKeyConstraint("parcel_id", "provider", name=op.f("pk_opinions")),
    )
    _index_where("ix_opinions_due", "opinions", ["provider", "due_at"], "due_at IS NOT NULL")
