"""The door: every work whole or not at all, durable when it returns, and nobody pays for another's mistake."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from monitor.store.database import Database, StoreError, StoreFull, StoreOutdated, StoreUnavailable


def put(conn: Connection, name: str, n: int = 1) -> None:
    conn.execute(text("INSERT INTO counters (name, n) VALUES (:name, :n)"), {"name": name, "n": n})


def names(conn: Connection) -> set[str]:
    return set(conn.execute(text("SELECT name FROM counters")).scalars())


@contextmanager
def held_up(database: Database) -> Iterator[None]:
    """The writer is busy meanwhile, so what is submitted inside arrives as one group."""
    busy, free = threading.Event(), threading.Event()

    def wait(conn: Connection) -> None:
        busy.set()
        free.wait(20)

    thread = threading.Thread(target=database.write_now, args=(wait,))
    thread.start()
    busy.wait(20)
    try:
        yield
    finally:
        free.set()
        thread.join()


@pytest.fixture
def commits(database: Database) -> Iterator[list[str]]:
    """Grows by one with every transaction that is made durable."""
    seen: list[str] = []

    def note(conn: Connection) -> None:
        if conn.get_execution_options().get("writes"):
            seen.append("commit")

    event.listen(Engine, "commit", note)
    yield seen
    event.remove(Engine, "commit", note)


def together(database: Database, *works):
    """Submit these works as one group; what became of each: its result or its exception."""

    async def submit():
        waiting = [asyncio.ensure_future(database.write(work)) for work in works]
        await asyncio.sleep(0)  # each is in the queue now
        return waiting

    async def main():
        with held_up(database):
            waiting = await submit()
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(main())


def test_what_is_written_is_there(database):
    assert database.write_now(lambda conn: put(conn, "a") or 7) == 7
    assert database.read_now(names) == {"a"}


def test_works_that_arrive_together_share_one_commit(database, commits):
    together(database, *(lambda conn, n=n: put(conn, f"n{n}") for n in range(40)))
    assert len(database.read_now(names)) == 40
    assert len(commits) == 2  # the one that held the others up, and theirs


def test_a_work_that_fails_is_taken_back_alone(database, commits):
    def broken(conn: Connection) -> None:
        put(conn, "half done")
        raise ZeroDivisionError

    def twice(conn: Connection) -> None:
        put(conn, "again")
        put(conn, "again")

    first, second, third, last = together(
        database, lambda conn: put(conn, "first"), broken, twice, lambda conn: put(conn, "last")
    )
    assert first is None
    assert isinstance(second, ZeroDivisionError)
    assert isinstance(third, IntegrityError)
    assert last is None
    assert database.read_now(names) == {"first", "last"}
    assert len(commits) == 2


def test_when_the_commit_fails_every_caller_hears_it_and_nothing_is_kept(database):
    def tables(conn: Connection) -> None:
        conn.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
        reference = "INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED"
        conn.execute(text(f"CREATE TABLE child (parent_id {reference})"))

    database.write_now(tables)
    outcomes = together(
        database,
        lambda conn: put(conn, "innocent"),
        lambda conn: conn.execute(text("INSERT INTO child VALUES (1)")),
    )
    assert [type(outcome) for outcome in outcomes] == [IntegrityError, IntegrityError]
    assert database.read_now(names) == set()
    database.write_now(lambda conn: put(conn, "later"))
    assert database.read_now(names) == {"later"}


def test_a_work_that_breaks_the_transaction_costs_those_before_it_not_those_after_it(database):
    def break_off(conn: Connection) -> None:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("ROLLBACK")
            conn.exec_driver_sql("SELECT * FROM nowhere")
        conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    before, breaker, after = together(
        database, lambda conn: put(conn, "before"), break_off, lambda conn: put(conn, "after")
    )
    assert isinstance(before, (DBAPIError, StoreUnavailable))
    assert type(breaker) is type(before)
    assert after is None
    assert database.read_now(names) == {"after"}


def test_a_cancelled_wait_is_not_written(database):
    async def main():
        with held_up(database):
            task = asyncio.ensure_future(database.write(lambda conn: put(conn, "unwanted")))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    database.write_now(lambda conn: put(conn, "wanted"))
    assert database.read_now(names) == {"wanted"}


def test_the_event_loop_goes_on_while_the_writer_works(database):
    async def main():
        with held_up(database):
            write = asyncio.ensure_future(database.write(lambda conn: put(conn, "a")))
            seen = await database.read(names)  # answered although the writer is stuck
            done = write.done()
        await write
        return seen, done

    assert asyncio.run(main()) == (set(), False)


def test_a_read_shows_one_moment(database):
    def look_twice(conn: Connection) -> tuple[set[str], set[str]]:
        before = names(conn)
        database.write_now(lambda other: put(other, "meanwhile"))
        return before, names(conn)

    assert database.read_now(look_twice) == (set(), set())
    assert database.read_now(names) == {"meanwhile"}


def test_a_read_can_write_nothing(database):
    with pytest.raises((DBAPIError, StoreError)):
        database.read_now(lambda conn: put(conn, "sneaked in"))
    assert database.read_now(names) == set()


def test_a_work_that_writes_through_the_store_again_is_a_mistake_not_a_deadlock(database):
    with pytest.raises(RuntimeError, match="must not write through the store again"):
        database.write_now(lambda conn: database.write_now(lambda other: put(other, "a")))


def test_closing_finishes_what_was_taken_and_takes_no_more(database_url):
    store = Database.open(database_url)
    outcomes: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append(store.write_now(lambda c: put(c, f"n{n}"))))
        for n in range(5)
    ]
    with held_up(store):
        for thread in threads:
            thread.start()
    store.close()
    for thread in threads:
        thread.join()
    with pytest.raises(StoreUnavailable, match="已经关闭"):
        store.write_now(lambda conn: put(conn, "late"))
    again = Database.open(database_url)
    assert len(again.read_now(names)) == len([each for each in outcomes if each is None])
    again.close()


def test_a_store_without_tables_names_the_command(empty_url):
    with pytest.raises(StoreOutdated, match="parcelwatch migrate"):
        Database.open(empty_url)


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "parcelwatch.db", ""])
def test_an_address_nobody_understands_is_refused_with_an_example(url):
    with pytest.raises(StoreError, match=r"sqlite:///parcelwatch\.db"):
        Database.open(url)


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Database]:
    store = Database.open(sqlite_url)
    yield store
    store.close()


def pragmas(conn: Connection) -> dict[str, object]:
    asked = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "query_only")
    return {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked}


def test_sqlite_is_set_as_the_measurements_say(sqlite_store):
    """`facts/libraries.md` §5: FULL loses nothing; nobody checkpoints by himself."""
    common = {"journal_mode": "wal", "foreign_keys": 1, "wal_autocheckpoint": 0}
    assert sqlite_store.write_now(pragmas) == {**common, "synchronous": 2, "query_only": 0}
    assert sqlite_store.read_now(pragmas) == {**common, "synchronous": 2, "query_only": 1}


def test_the_log_is_folded_in_before_it_grows_large(sqlite_store):
    def bulky(conn: Connection) -> None:
        rows = [{"body": "x" * 4000} for _ in range(500)]
        conn.execute(text("INSERT INTO oddities (at, body) VALUES (0, :body)"), rows)

    log = Path(f"{sqlite_store.path}-wal")
    largest = 0
    for _ in range(40):  # 80 MB in all
        sqlite_store.write_now(bulky)
        largest = max(largest, log.stat().st_size)
    assert largest < 32_000_000
    assert Path(str(sqlite_store.path)).stat().st_size > 40_000_000


def test_closing_leaves_one_file(sqlite_url):
    store = Database.open(sqlite_url)
    store.write_now(lambda conn: put(conn, "a"))
    path = Path(str(store.path))
    store.close()
    assert {each.name for each in path.parent.glob(f"{path.name}*")} == {path.name, f"{path.name}.lock"}


def test_a_full_disk_stops_writes_keeps_reads_and_heals(sqlite_store):
    def fill(conn: Connection) -> None:
        conn.execute(text("INSERT INTO oddities (at, body) VALUES (0, :body)"), {"body": "x" * 3_000_000})

    sqlite_store.write_now(lambda conn: put(conn, "before"))
    sqlite_store.write_now(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count = 200"))
    with pytest.raises(StoreFull, match="磁盘空间已满"):
        sqlite_store.write_now(fill)
    assert sqlite_store.read_now(names) == {"before"}
    sqlite_store.write_now(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    sqlite_store.write_now(fill)
    assert sqlite_store.read_now(lambda conn: conn.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"


def test_no_value_is_in_the_text_of_an_error(sqlite_store):
    def wrong(conn: Connection) -> None:
        conn.execute(text("INSERT INTO counters (name, n) VALUES (:a, :b)"), {"a": "13812345678", "b": None})

    with pytest.raises(IntegrityError) as caught:
        sqlite_store.write_now(wrong)
    assert "13812345678" not in str(caught.value)


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────


def test_after_the_server_was_away_the_same_store_works_again(postgresql_url, postgresql_server):
    store = Database.open(postgresql_url)
    store.write_now(lambda conn: put(conn, "before"))
    store.read_now(names)
    name = sql.Identifier(postgresql_url.split("?")[0].rsplit("/", 1)[1])
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    throw_out = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")

    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(allow.format(name, sql.SQL("false")))
        admin.execute(throw_out.format(name.as_string().strip('"')))
        with pytest.raises(StoreUnavailable, match="PostgreSQL 暂时连不上"):
            store.write_now(lambda conn: put(conn, "lost"))
        with pytest.raises(StoreUnavailable):
            store.read_now(names)
        admin.execute(allow.format(name, sql.SQL("true")))
    store.write_now(lambda conn: put(conn, "after"))
    assert store.read_now(names) == {"before", "after"}
    store.close()


def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(StoreUnavailable, match="请确认数据库服务正在运行"):
        Database.open(f"postgresql://nobody@/nothing?host={tmp_path}")


def test_a_named_lock_is_one_process_s(postgresql_url):
    first, second = Database.open(postgresql_url), Database.open(postgresql_url)
    with (
        first.advisory_lock("daemon"),
        pytest.raises(StoreError, match="daemon"),
        second.advisory_lock("daemon"),
    ):
        pass
    with second.advisory_lock("daemon"):
        pass
    first.close()
    second.close()
