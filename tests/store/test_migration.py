"""The tables: made by steps, the same as declared, never half, and never taken back by an older program."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from domain.orders import OrderStatus
from domain.tickets import TRANSITIONS
from monitor.profiles import load_profiles
from monitor.store import meta, migration, polls
from monitor.store.backends import parse_url
from monitor.store.database import Database, StoreError, StoreNewer, StoreOutdated, migrate, schema_state
from monitor.store.schema import METADATA, REVISION
from monitor.sweep import Sweep
from rules.policy import Change, PolicyBook, PolicySpec
from rules.schedule import Pace
from tests.conftest import opened
from tests.store.given import (
    PICKED,
    T0,
    H,
    a_parcel,
    column,
    incoming,
    learn,
    open_finding,
    open_ticket,
    take,
)

MINUTE = H / 60
ROOT = Path(__file__).parents[2]
STEPS = ["0001", "0002", "0003", "0004", "0005"]


def engine(url: str):
    return create_engine(parse_url(url), poolclass=NullPool)


def set_revision(url: str, revision: str) -> None:
    with engine(url).begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def shape(url: str) -> dict[str, object]:
    """Everything the database says of its tables."""
    with engine(url).connect() as conn:
        found = inspect(conn)
        return {
            name: {
                "columns": [
                    (each["name"], str(each["type"]), each["nullable"], each["default"])
                    for each in found.get_columns(name)
                ],
                "primary": found.get_pk_constraint(name),
                "unique": sorted(found.get_unique_constraints(name), key=str),
                "references": sorted(found.get_foreign_keys(name), key=str),
                "indexes": sorted((_index(each) for each in found.get_indexes(name)), key=str),
                "options": str(found.get_table_options(name)),
            }
            for name in found.get_table_names()
            if name != "alembic_version"
        }


def _index(found) -> dict[str, object]:
    """An index with its condition as text."""
    options = {name: str(value) for name, value in found.get("dialect_options", {}).items()}
    return {**found, "dialect_options": options}


def test_there_is_one_line_of_steps_and_the_program_knows_its_end():
    script = ScriptDirectory(str(migration._HERE))
    assert script.get_heads() == [REVISION] == STEPS[-1:]
    assert [step.revision for step in script.walk_revisions()][::-1] == STEPS


def test_a_database_that_does_not_exist_is_made(empty_url):
    assert schema_state(empty_url) == "absent"
    assert migrate(empty_url) == STEPS
    assert schema_state(empty_url) == "current"
    assert migrate(empty_url) == []
    Database.open(empty_url).close()


def test_the_steps_end_where_the_declaration_is(database_url, empty_url):
    """Migrating from nothing gives what creating the declared tables gives."""
    if empty_url.startswith("postgresql"):
        migration._create_database(parse_url(empty_url))
    with engine(empty_url).begin() as conn:
        METADATA.create_all(conn)
    assert shape(database_url) == shape(empty_url)


def test_nothing_is_left_for_another_step(database_url):
    with engine(database_url).connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), METADATA) == []


def test_the_steps_of_a_ticket_are_those_of_the_domain(database):
    rows = set(column(database, "SELECT was || '>' || state FROM ticket_transitions"))
    assert rows == {f"{was.value if was else ''}>{state.value}" for was, state in TRANSITIONS}


def run(url: str, direction: str, target: str) -> None:
    with migration.upgrading(parse_url(url)) as conn:
        getattr(command, direction)(migration._config(conn, []), target)


def test_up_down_and_up_again_with_data_in(database_url, tmp_path):
    store = Database.open(database_url)
    parcel_id = a_parcel(store)
    learn(store, parcel_id, T0, PICKED)
    open_ticket(store, parcel_id, open_finding(store, parcel_id))
    store.close()
    before = shape(database_url)
    run(database_url, "downgrade", "base")
    assert shape(database_url) == {}
    assert schema_state(database_url) == "absent"
    assert migrate(database_url) == STEPS
    assert shape(database_url) == before
    again = Database.open(database_url)
    open_ticket(again, a_parcel(again))
    again.close()


def test_a_later_programs_tables_are_refused_untouched(database_url):
    set_revision(database_url, "9999")
    before = shape(database_url)
    assert schema_state(database_url) == "newer"
    with pytest.raises(StoreNewer, match=r"请升级程序.*parcelwatch migrate"):
        migrate(database_url)
    with pytest.raises(StoreNewer):
        Database.open(database_url)
    assert shape(database_url) == before


def test_an_older_programs_tables_name_the_command(database_url):
    run(database_url, "downgrade", "0001")
    assert schema_state(database_url) == "outdated"
    with pytest.raises(StoreOutdated, match="parcelwatch migrate"):
        Database.open(database_url)
    assert migrate(database_url) == STEPS[1:]
    Database.open(database_url).close()


# ── 0004, with rows from before ──────────────────────────────────────────────────────────────────


def test_policies_that_applied_before_have_their_time(database_url, tmp_path):
    run(database_url, "downgrade", "0003")
    rows = "INSERT INTO policies (version, since, body) VALUES ('new', 2000, ''), ('old', 1000, '')"
    with engine(database_url).begin() as conn:
        conn.execute(text(rows))
    assert migrate(database_url) == ["0004", "0005"]
    with opened(database_url, tmp_path) as store:
        assert column(store, "SELECT version FROM policy_spans ORDER BY id") == ["old", "new"]
        assert store.read_now(meta.policy_in_force) == "new"


# ── 0002, with rows from before ──────────────────────────────────────────────────────────────────

FILLED_IN = (
    "SELECT id, bare FROM orders ORDER BY id",
    "SELECT parcel_id, limit_at, limit_rule FROM due ORDER BY parcel_id",
    "SELECT id, carrier, shop, platform, merchant, receiver_province FROM tickets ORDER BY id",
)


def a_busy_store(url: str, tmp_path: Path) -> None:
    """Orders in every state, judged: limits ahead, limits past, tickets, a changed number, no waybill."""
    hostile = "旗舰店\ud800\0" + "长" * 300
    with opened(url, tmp_path) as store:
        rows = [
            incoming(f"o{n}", f"Z{n}", paid_at=T0 - 3 * n * H, shipped_at=T0 - 3 * n * H)
            for n in range(1, 40)
        ]
        rows += [incoming(f"t{n}", f"T{n}", platform="taobao_tmall", shipped_at=None) for n in range(9)]
        take(store, *rows, incoming("没有单号"), incoming("closed", "C1", status=OrderStatus.CLOSED))
        take(
            store,
            incoming(
                "named",
                "N1",
                shop=hostile,
                paid_at=T0 - 90 * H,
                shipped_at=T0 - 89 * H,
                receiver_province="新疆",
            ),
        )
        take(store, incoming("o7", "Z7-new", known=T0 + H))  # the shop changed the number
        take(store, incoming("young", "Y1", paid_at=T0 + 2 * H, shipped_at=T0 + 3 * H, known=T0 + 3 * H))
        profiles = load_profiles()
        # Step 0002 knows the clocks, and not which of their rules tell somebody.
        told = {rule: Change(notify=True) for profile in profiles.values() for rule in profile.rules}
        book = PolicyBook(profiles, [PolicySpec("told", rules=told)])
        sweep = Sweep(book, (), lambda carrier: ("k100", Pace(30 * MINUTE)))
        store.write_now(lambda conn: sweep.tick(conn, T0 + 3 * H))
        store.write_now(
            lambda conn: conn.execute(text("UPDATE parcels SET observed_at = created_at + 86400"))
        )
        store.write_now(lambda conn: polls.touch(conn, list(range(1, 60)), T0 + 4 * H))
        store.write_now(lambda conn: sweep.tick(conn, T0 + 4 * H))


def contents(url: str) -> list[list[tuple[object, ...]]]:
    with engine(url).connect() as conn:
        return [[tuple(row) for row in conn.execute(text(query))] for query in FILLED_IN]


def test_rows_from_before_are_filled_in_as_the_program_would_have(database_url, tmp_path, monkeypatch):
    a_busy_store(database_url, tmp_path)
    before = contents(database_url)
    orders, limits, tickets = before
    assert sum(bare for _, bare in orders) == 1
    assert {rule for _, at, rule in limits if at} >= {"no_record", "pickup_kpi_24h"}
    assert any(at is None for _, at, _ in limits)
    assert {len(shop) for _, _, shop, *_ in tickets} >= {100}
    run(database_url, "downgrade", "0001")
    step = ScriptDirectory(str(migration._HERE)).get_revision("0002").module
    monkeypatch.setattr(step, "BATCH", 7)  # several batches, the last of them not full
    assert migrate(database_url) == STEPS[1:]
    assert contents(database_url) == before


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from monitor.store.database import migrate
seen = 0
@event.listens_for(Engine, "before_cursor_execute")
def die(conn, cursor, statement, *rest):
    global seen
    if statement.lstrip().startswith("CREATE"):
        seen += 1
        if seen == {nth}:
            os.kill(os.getpid(), signal.SIGKILL)
migrate(sys.argv[1])
"""


@pytest.mark.parametrize("nth", [2, 25, 40])
def test_killed_half_way_it_is_simply_run_again(empty_url, nth):
    """`kill -9` at the second, a middle and nearly the last of the statements that create something."""
    died = subprocess.run(
        [sys.executable, "-c", KILLED.format(nth=nth), empty_url], cwd=ROOT, capture_output=True, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert schema_state(empty_url) == "absent"
    assert migrate(empty_url) == STEPS
    Database.open(empty_url).close()


def test_two_migrations_at_once_make_the_tables_once(empty_url):
    script = "import sys; from monitor.store.database import migrate; print(len(migrate(sys.argv[1])))"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, empty_url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    said = [each.communicate() for each in both]
    assert sorted(out for out, _ in said) == [b"0\n", f"{len(STEPS)}\n".encode()], said


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("订单编号,物流单号\n" * 100)
    with pytest.raises(StoreError, match="不是 SQLite 数据库"):
        migrate(f"sqlite:///{path}")
    assert path.read_text().startswith("订单编号")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        migrate(f"sqlite:///{tmp_path}/nowhere/store.db")


def test_the_database_file_is_its_owners_only(empty_sqlite_url, tmp_path):
    migrate(empty_sqlite_url)
    assert (tmp_path / "store.db").stat().st_mode & 0o077 == 0


def test_a_store_made_by_steps_works(database):
    assert database.read_now(lambda conn: isinstance(conn, Connection))
    assert a_parcel(database) == 1
