"""`kill -9` in the middle of a migration and of a backup: the store opens, nothing acknowledged is lost, no half
file stands under its final name. Real processes, random instants; some dozen kills always, fifty in the slow run.
"""

from __future__ import annotations

import logging
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from monitor.store import archive, dump
from monitor.store.backends import parse_url
from monitor.store.backup import nobody
from monitor.store.database import Database, migrate, schema_state
from monitor.store.migration import made_at, upgrading
from tests.conftest import opened
from tests.e2e.processes import Nursery
from tests.store.given import column

log = logging.getLogger(__name__)
SOME, ALL = 12, 50
kills = pytest.mark.parametrize("kills", [SOME, pytest.param(ALL, marks=pytest.mark.slow)])


@dataclass
class Place:
    """A folder with a configuration, where commands are started and killed."""

    nursery: Nursery
    folder: Path
    url: str
    span: float = 1.0
    """Seconds within which a kill mostly comes before the end: follows the machine's mood."""

    def __post_init__(self) -> None:
        (self.folder / "parcelwatch.toml").write_text(f'store = "{self.url}"\n')

    def start(self, *words: str):
        out, err = self.folder / "out.txt", self.folder / "err.txt"
        return self.nursery.start("parcelwatch", words, self.folder, out, err)

    def run(self, *words: str) -> float:
        """To the end; how many seconds it took."""
        began = time.monotonic()
        process = self.start(*words)
        while process.code() is None:
            time.sleep(0.005)
        assert process.code() == 0, (self.folder / "err.txt").read_text()
        self.span = time.monotonic() - began
        return self.span

    def kill(self, when: float, *words: str) -> bool:
        """Start, and kill at that fraction of the time it takes; False when it was done before that."""
        process = self.start(*words)
        time.sleep(when * self.span)
        process.signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        self.span *= 1.03 if killed else 0.9
        return killed

    def whole(self, pattern: str) -> list[Path]:
        """The backups of that name, each read from end to end."""
        found = sorted(self.folder.glob(pattern))
        for path in found:
            with archive.reading(path) as file:
                file.verify(nobody)
        return found


@pytest.fixture
def place(nursery: Nursery, tmp_path: Path) -> Callable[[str], Place]:
    return lambda url: Place(nursery, tmp_path, url)


def sound(url: str, tmp_path: Path) -> None:
    """The store opens, is whole, and takes a write."""
    with opened(url, tmp_path) as store:
        if store.dialect == "sqlite":
            assert column(store, "PRAGMA integrity_check") == ["ok"]
            assert column(store, "PRAGMA foreign_key_check") == []
        store.write_now(
            lambda conn: conn.execute(text("INSERT INTO oddities (at, source) VALUES (1, 'after')"))
        )
        store.write_now(lambda conn: conn.execute(text("DELETE FROM oddities WHERE source = 'after'")))


# ── migrations ───────────────────────────────────────────────────────────────────────────────────

PARCELS = 1500
CLOCKS = '[{"rule":"late_pickup","policy":"p","deadline":9000000000,"started_at":1,"steps":[["breach",2,0]]}]'


def an_old_store(url: str) -> None:
    """A store of the first revision with something for every later step to do."""
    made_at(parse_url(url), "0001")
    with upgrading(parse_url(url)) as conn:
        numbers = range(1, PARCELS + 1)
        for statement in (
            "INSERT INTO orders (id, order_no, status, observed_at, created_at, updated_at)"
            " VALUES (:n, 'o' || :s, 'shipped', 1, 1, 1)",
            "INSERT INTO parcels (id, carrier, waybill_no, clocks, watch_from, created_at, updated_at)"
            " VALUES (:n, 'zhongtong', 'Z' || :s, :clocks, 1, 1, 1)",
            "INSERT INTO order_parcels (order_id, parcel_id, linked_at) VALUES (:n, :n, 1)",
            "INSERT INTO due (parcel_id, provider) VALUES (:n, 'k100')",
            "INSERT INTO tickets (id, number, parcel_id, state, filled, opened_at, updated_at)"
            " VALUES (:n, 'T-' || :s, :n, 'open', '{\"orders\": [{\"shop\": \"旗舰店\"}]}', 1, 1)",
            "INSERT INTO ticket_entries (ticket_id, at, kind) VALUES (:n, 1, 'opened')",
        ):
            rows = [{"n": n, "s": str(n), "clocks": CLOCKS} for n in numbers]
            conn.execute(text(statement), rows)
        if conn.dialect.name == "postgresql":
            dump.set_sequences(conn, dump.shapes(conn))


def contents(url: str) -> dict[str, int]:
    """How many rows every table of ours has, and how many were filled in."""
    with create_engine(parse_url(url), poolclass=NullPool).connect() as conn:
        rows = {table.name: dump.count(conn, table) for table in dump.shapes(conn)}
        if schema_state(url) == "current":
            for what in (
                "tickets WHERE shop = '旗舰店' AND carrier = 'zhongtong'",
                "due WHERE limit_at IS NOT NULL",
            ):
                rows[what] = int(conn.execute(text(f"SELECT count(*) FROM {what}")).scalar_one())
    return rows


class Copies:
    """Old stores that are the same, made fast."""

    def __init__(self, url: str, tmp_path: Path) -> None:
        self.url = url
        self._pattern = tmp_path / "pattern.db"
        an_old_store(url)
        self.rows = contents(url)
        if url.startswith("sqlite"):
            with (
                closing(sqlite3.connect(parse_url(url).database)) as old,
                closing(sqlite3.connect(self._pattern)) as to,
            ):
                old.backup(to)

    def again(self) -> None:
        """An old store at the same address."""
        path = Path(str(parse_url(self.url).database))
        if self.url.startswith("sqlite"):
            for end in ("", "-wal", "-shm"):
                Path(f"{path}{end}").unlink(missing_ok=True)
            with closing(sqlite3.connect(self._pattern)) as old, closing(sqlite3.connect(path)) as to:
                old.backup(to)
            return
        with create_engine(
            parse_url(self.url), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        ).connect() as conn:
            conn.exec_driver_sql("DROP SCHEMA public CASCADE")
            conn.exec_driver_sql("CREATE SCHEMA public")
        an_old_store(self.url)


@kills
def test_killed_in_a_migration_the_store_is_old_or_new(place, empty_url, tmp_path, kills):
    copies = Copies(empty_url, tmp_path)
    here = place(empty_url)
    took = here.run("migrate")
    full = contents(empty_url)
    assert full["tickets WHERE shop = '旗舰店' AND carrier = 'zhongtong'"] == PARCELS
    assert full["due WHERE limit_at IS NOT NULL"] == PARCELS
    dice, killed, old, new = random.Random(7), 0, 0, 0
    copies.again()
    while killed < kills and old + new < kills * 3:
        killed += here.kill(dice.uniform(0, 1.05), "migrate")
        if schema_state(empty_url) == "outdated":
            old += 1
            assert contents(empty_url) == copies.rows
        else:
            new += 1
            assert schema_state(empty_url) == "current"
            assert contents(empty_url) == full
            sound(empty_url, tmp_path)
            copies.again()
        for path in here.whole("*.before-upgrade-*.backup"):
            path.unlink()
    assert killed >= kills, (killed, old, new)
    log.info("%d kills in migrations of %.2f s: %d times old, %d times new", killed, took, old, new)
    here.run("migrate")
    assert contents(empty_url) == full
    sound(empty_url, tmp_path)


# ── backups ──────────────────────────────────────────────────────────────────────────────────────


@kills
def test_killed_in_a_backup_neither_the_store_nor_the_file_is_harmed(place, database_url, tmp_path, kills):
    """A writer goes on all the time; every file that has the name is whole, and newer than the one before."""
    here = place(database_url)
    target = tmp_path / "b.backup"
    told: list[int] = []
    stop = threading.Event()
    with opened(database_url, tmp_path) as store:
        store.write_now(
            lambda conn: conn.execute(
                text(
                    "INSERT INTO unknown_codes (provider, code, n, first_at, last_at, sample) VALUES ('p', :c, 1, 1, 1, :s)"
                ),
                [{"c": f"c{n}", "s": f"{n * 7919:0500}"} for n in range(20_000)],
            )
        )

        def write() -> None:
            n = 0
            while not stop.is_set():
                n += 1
                one(store, n)
                told.append(n)
                time.sleep(0.002)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        try:
            took = here.run("backup", str(target), "--force")
            dice, killed, tries, last = random.Random(11), 0, 0, 0.0
            while killed < kills and tries < kills * 3:
                tries += 1
                killed += here.kill(dice.uniform(0, 1.05), "backup", str(target), "--force")
                assert here.whole("*.backup") == [target]
                with archive.reading(target) as file:
                    made = file.manifest.created_at.timestamp()
                assert made >= last
                last = made
        finally:
            stop.set()
            writer.join()
        assert killed >= kills, (killed, tries)
        assert set(told) <= set(column(store, "SELECT at FROM oddities"))
    log.info("%d kills in backups of %.2f s, %d tries, %d writes kept", killed, took, tries, len(told))
    sound(database_url, tmp_path)
    here.run("backup", str(target), "--force")
    assert not list(tmp_path.glob(".parcelwatch-*.part"))  # the next one cleared away what the dead left


def one(store: Database, n: int) -> None:
    store.write_now(
        lambda conn: conn.execute(text("INSERT INTO oddities (at, source) VALUES (:n, 'load')"), {"n": n})
    )


# ── restores ─────────────────────────────────────────────────────────────────────────────────────


def test_killed_in_a_restore_the_store_is_the_old_or_the_new_one(place, database_url, tmp_path):
    here = place(database_url)
    target = tmp_path / "b.backup"
    with opened(database_url, tmp_path) as store:
        one(store, 1)
    here.run("backup", str(target))
    with opened(database_url, tmp_path) as store:
        one(store, 2)
    dice, seen = random.Random(13), set()
    for n in range(SOME):
        if n == 0:
            here.run("restore", str(target))
        else:
            here.kill(dice.uniform(0.3, 1.05), "restore", str(target))
        with opened(database_url, tmp_path) as store:
            rows = tuple(sorted(column(store, "SELECT at FROM oddities")))
            assert rows in {(1,), (1, 2)}
            seen.add(rows)
            if rows == (1,):
                one(store, 2)
        sound(database_url, tmp_path)
    assert (1,) in seen
    assert schema_state(database_url) == "current"
    assert migrate(database_url) == []
