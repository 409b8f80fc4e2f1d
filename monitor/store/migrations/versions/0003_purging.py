"""A way to let go of what is over, and no other: histories stay append-only for everything else.

`purging` names what is being taken away. Its own triggers refuse a parcel with anything open about it
and a message that may still leave; it can only be emptied when that parcel or message is gone, and must
be empty at the commit. So a line of a history goes with all it belongs to, or stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INDEXES = (
    ("ix_orders_phone_tail", "orders", "id", "phone_tail IS NOT NULL"),
    ("ix_parcels_unforgotten", "parcels", "id", "state <> 'watched' AND forgotten_at IS NULL"),
    ("ix_outbox_folded_into", "outbox", "folded_into", "folded_into IS NOT NULL"),
)
LIVE = """
  EXISTS (SELECT 1 FROM tickets WHERE parcel_id = NEW.id AND state IN ('open', 'acknowledged'))
  OR EXISTS (SELECT 1 FROM findings WHERE parcel_id = NEW.id AND state = 'open')
  OR EXISTS (SELECT 1 FROM outbox JOIN tickets ON tickets.id = outbox.ticket_id
             WHERE tickets.parcel_id = NEW.id AND outbox.state IN ('waiting', 'sending'))
  OR EXISTS (SELECT 1 FROM outbox JOIN findings ON findings.id = outbox.finding_id
             WHERE findings.parcel_id = NEW.id AND outbox.state IN ('waiting', 'sending'))
"""
OVER = "EXISTS (SELECT 1 FROM parcels WHERE id = NEW.id AND state IN ('done', 'unwatched'))"
SAID = "EXISTS (SELECT 1 FROM outbox WHERE id = NEW.id AND state IN ('sent', 'folded', 'dropped', 'dead'))"
MAY_BEGIN = f"""
  (NEW.kind = 'personal' AND {OVER})
  OR (NEW.kind = 'message' AND {SAID})
  OR (NEW.kind = 'parcel' AND {OVER} AND NOT ({LIVE}))
"""
STILL_THERE = """
  (OLD.kind = 'parcel' AND EXISTS (SELECT 1 FROM parcels WHERE id = OLD.id))
  OR (OLD.kind = 'message' AND EXISTS (SELECT 1 FROM outbox WHERE id = OLD.id))
"""
LET_GO = {
    "ticket_entries": "EXISTS (SELECT 1 FROM purging JOIN tickets ON tickets.parcel_id = purging.id"
    " WHERE purging.kind = 'parcel' AND tickets.id = OLD.ticket_id)",
    "attempts": "EXISTS (SELECT 1 FROM purging WHERE kind = 'message' AND id = OLD.outbox_id)",
    "event_edits": "EXISTS (SELECT 1 FROM purging WHERE kind = 'parcel' AND id = OLD.parcel_id)",
}
FORGETS = (
    "NEW.id = OLD.id AND NEW.parcel_id = OLD.parcel_id AND NEW.occurred_at = OLD.occurred_at"
    " AND NEW.seq = OLD.seq AND NEW.replaced_at = OLD.replaced_at AND"
    " EXISTS (SELECT 1 FROM purging WHERE kind = 'personal' AND id = OLD.parcel_id)"
)


def upgrade() -> None:
    op.create_table(
        "purging",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("nowhere", KEY, server_default="-1", nullable=False),
        sa.CheckConstraint("nowhere = -1", name=op.f("ck_purging_nowhere")),
        sa.ForeignKeyConstraint(
            ["nowhere"],
            ["parcels.id"],
            name=op.f("fk_purging_nowhere"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_purging")),
    )
    op.add_column("parcels", sa.Column("forgotten_at", sa.BigInteger(), nullable=True))
    for name, table, column, where in INDEXES:
        condition = sa.text(where)
        op.create_index(name, table, [column], sqlite_where=condition, postgresql_where=condition)
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        for verb in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER purging_{verb} ON purging")
        op.execute("DROP FUNCTION parcelwatch_purging()")
        op.execute(
            "CREATE OR REPLACE FUNCTION parcelwatch_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME"
            " USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
    else:
        for verb in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER purging_{verb}")
        for table in LET_GO:
            op.execute(f"DROP TRIGGER {table}_no_delete")
            op.execute(_refusal(f"{table}_no_delete", "DELETE", table, "", f"{table} is append-only"))
        op.execute("DROP TRIGGER event_edits_no_update")
        op.execute(
            _refusal("event_edits_no_update", "UPDATE", "event_edits", "", "event_edits is append-only")
        )
    for name, table, *_ in INDEXES:
        op.drop_index(name, table)
    op.drop_column("parcels", "forgotten_at")
    op.drop_table("purging")


def _refusal(name: str, verb: str, table: str, unless: str, why: str) -> str:
    condition = f"WHEN NOT ({unless}) " if unless else ""
    return (
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {condition}BEGIN SELECT RAISE(ABORT, '{why}'); END"
    )


def _sqlite() -> None:
    op.execute(_refusal("purging_insert", "INSERT", "purging", MAY_BEGIN, "purging: something is still open"))
    op.execute(_refusal("purging_update", "UPDATE", "purging", "", "purging is not changed"))
    op.execute(
        _refusal("purging_delete", "DELETE", "purging", f"NOT ({STILL_THERE})", "purging: it is still there")
    )
    for table, let_go in LET_GO.items():
        op.execute(f"DROP TRIGGER {table}_no_delete")
        op.execute(_refusal(f"{table}_no_delete", "DELETE", table, let_go, f"{table} is append-only"))
    op.execute("DROP TRIGGER event_edits_no_update")
    op.execute(
        _refusal("event_edits_no_update", "UPDATE", "event_edits", FORGETS, "event_edits is append-only")
    )


def _postgresql() -> None:
    refusal = "RAISE EXCEPTION '% {}', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';"
    op.execute(
        "CREATE FUNCTION parcelwatch_purging() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'INSERT' THEN IF {MAY_BEGIN} THEN RETURN NEW; END IF;"
        f" {refusal.format('refused: something is still open')}"
        f" ELSIF TG_OP = 'DELETE' THEN IF NOT ({STILL_THERE}) THEN RETURN OLD; END IF;"
        f" {refusal.format('refused: it is still there')}"
        f" ELSE {refusal.format('is not changed')} END IF; END $$"
    )
    for verb in ("insert", "update", "delete"):
        op.execute(
            f"CREATE TRIGGER purging_{verb} BEFORE {verb.upper()} ON purging"
            " FOR EACH ROW EXECUTE FUNCTION parcelwatch_purging()"
        )
    doors = " ".join(
        f"IF TG_OP = 'DELETE' AND TG_TABLE_NAME = '{table}' THEN IF {let_go} THEN RETURN OLD; END IF; END IF;"
        for table, let_go in LET_GO.items()
    )
    door = f"IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'event_edits' THEN IF {FORGETS} THEN RETURN NEW; END IF; END IF;"
    op.execute(
        "CREATE OR REPLACE FUNCTION parcelwatch_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {doors} {door} {refusal.format('is append-only')} END $$"
    )
