"""Backups: one moment's truth under load, whole or not there, and back again, on either database."""

from __future__ import annotations

import gc
import json
import sqlite3
import stat
import threading
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text
from sqlalchemy.pool import NullPool

from domain.findings import Blame, Party, Risk
from monitor.store import archive, facets, meta, outbox, parcels
from monitor.store.backends import parse_url, sqlite_path
from monitor.store.backup import Backup, back_up, rotate, stamped
from monitor.store.claims import open_tail
from monitor.store.database import Database, StoreError, StoreNewer
from monitor.store.errors import StoreOutdated, StoreRefused
from monitor.store.facets import Group, group_of
from monitor.store.migration import made_at, upgrading
from monitor.store.restore import Restored, restore
from monitor.store.schema import METADATA
from tests.conftest import opened
from tests.store.given import (
    DAY,
    PICKED,
    T0,
    H,
    a_parcel,
    alert,
    column,
    incoming,
    learn,
    open_finding,
    open_ticket,
    take,
)

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
ODD = "制表\t反斜杠\\ 引号' 换行\n \\N \\t emoji🚚"


def key_of(tmp_path: Path) -> Path:
    """Where `opened` keeps the key."""
    return tmp_path / "test.key"


def fill(store: Database) -> None:
    """Something in most tables, with everything in it that a text form could trip over."""
    take(store, incoming("sf", "shunfeng/SF1", tail="5678", shop=ODD))
    parcel = a_parcel(store, "Z1")
    learn(store, parcel, T0, PICKED)
    stake = {"risk": Risk(500, 1230), "blame": Blame(Party.CARRIER, ODD)}
    finding = open_finding(store, parcel, **stake)
    open_finding(store, parcel, "lost", shadow=True)
    ticket = open_ticket(store, parcel, finding)
    store.write_now(lambda conn: outbox.put(conn, [alert("k1", ticket_id=ticket.id, finding_id=finding)]))
    group = Group(group_of(ODD), ODD, "terms")
    store.write_now(lambda conn: facets.keep(conn, [group], T0))
    store.write_now(lambda conn: parcels.save(conn, [parcels.Update(parcel, facets_id=group.id)], T0))
    for hours, version in enumerate(("v1", "v2", "v1")):
        at = T0 + hours * H
        store.write_now(lambda conn, v=version, at=at: meta.note_policy(conn, v, ODD, at))
    store.write_now(
        lambda conn: conn.execute(
            text("INSERT INTO oddities (at, source, reason, body) VALUES (1, :odd, '', '')"), {"odd": ODD}
        )
    )


def everything(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, comparable between the databases."""
    with create_engine(parse_url(url), poolclass=NullPool).connect() as conn:
        return {
            name: sorted((tuple(map(plain, row)) for row in conn.execute(select(table))), key=repr)
            for name, table in METADATA.tables.items()
        }


def plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def made(url: str, tmp_path: Path, name: str = "b.backup", **how: object) -> Backup:
    return back_up(url, tmp_path / name, key=key_of(tmp_path), now=NOW, **how)  # type: ignore[arg-type]


def back(url: str, tmp_path: Path, source: str = "b.backup", **how: object) -> Restored:
    return restore(url, tmp_path / source, key=key_of(tmp_path), now=NOW, **how)  # type: ignore[arg-type]


@pytest.fixture
def filled(database_url: str, tmp_path: Path) -> str:
    with opened(database_url, tmp_path) as store:
        fill(store)
    return database_url


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Another store to restore into, of either kind, that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'other.db'}"
    return str(request.getfixturevalue("empty_postgresql_url"))


# ── there and back ───────────────────────────────────────────────────────────────────────────────


def test_what_is_backed_up_comes_back_into_either_database(filled, other_url, tmp_path):
    before = everything(filled)
    backup = made(filled, tmp_path)
    assert {table.name: table.rows for table in backup.manifest.tables} == {
        name: len(rows) for name, rows in before.items()
    }
    done = back(other_url, tmp_path)
    assert (done.done, done.kept, done.sealed) == (True, "", 0)
    assert everything(other_url) == before
    with opened(other_url, tmp_path) as store:
        fresh = a_parcel(store, "NEW")
        assert fresh > 2  # the numbers go on after those that came in
        open_ticket(store, fresh)
        if store.dialect == "sqlite":
            assert column(store, "PRAGMA journal_mode") == ["wal"]


def test_the_sealed_tails_open_again(filled, other_url, tmp_path):
    made(filled, tmp_path)
    key_of(tmp_path).unlink()
    back(other_url, tmp_path)
    with opened(other_url, tmp_path) as store:
        [order] = column(store, "SELECT id FROM orders WHERE phone_tail IS NOT NULL")
        [sealed] = column(store, "SELECT phone_tail FROM orders WHERE phone_tail IS NOT NULL")
        assert store.read_now(lambda conn: open_tail(conn, order, sealed)) == "5678"


def test_without_the_key_it_says_what_is_lost(filled, tmp_path, empty_sqlite_url):
    backup = made(filled, tmp_path, with_key=False)
    assert backup.manifest.key == "left_out"
    assert backup.key_path == key_of(tmp_path)
    with zipfile.ZipFile(backup.path) as file:
        assert archive.KEY not in file.namelist()
    key_of(tmp_path).unlink()
    assert back(f"sqlite:///{tmp_path}/other.db", tmp_path).sealed == 1


def test_a_key_that_is_there_is_kept_beside_the_one_that_comes(filled, tmp_path):
    made(filled, tmp_path)
    mine = key_of(tmp_path).read_text().split()
    newer = "ab" * 32
    key_of(tmp_path).write_text(f"{newer}\n")
    back(f"sqlite:///{tmp_path}/other.db", tmp_path)
    assert key_of(tmp_path).read_text().split() == [*mine, newer]
    assert stat.S_IMODE(key_of(tmp_path).stat().st_mode) == 0o600
    assert [path.read_text().split() for path in tmp_path.glob("test.key.before-restore-*")] == [[newer]]


def test_what_was_there_is_kept_under_another_name(filled, tmp_path):
    made(filled, tmp_path)
    with opened(filled, tmp_path) as store:
        a_parcel(store, "LATER")
    later = everything(filled)
    done = back(filled, tmp_path)
    assert len(everything(filled)["parcels"]) == 2
    if filled.startswith("sqlite"):
        assert everything(f"sqlite:///{done.kept}") == later
    else:
        with opened(filled, tmp_path) as store:
            assert len(column(store, f"SELECT id FROM {done.kept}.parcels")) == 3
            assert column(store, f"SELECT count(*) FROM {done.kept}.alembic_version") == [1]
            open_ticket(store, 1)  # the triggers are those of the new tables
            with pytest.raises(Exception, match="append-only"):
                store.write_now(lambda conn: conn.execute(text("DELETE FROM ticket_entries")))


def test_a_dry_run_changes_nothing(filled, tmp_path):
    made(filled, tmp_path)
    with opened(filled, tmp_path) as store:
        a_parcel(store, "LATER")
    before, files = everything(filled), {path.name for path in tmp_path.iterdir()}
    done = back(filled, tmp_path, dry_run=True)
    assert not done.done
    assert everything(filled) == before
    assert {path.name for path in tmp_path.iterdir()} == files


def test_an_older_backup_is_upgraded_on_the_way(empty_url, other_url, tmp_path):
    made_at(parse_url(empty_url), "0001")
    with upgrading(parse_url(empty_url)) as conn:
        conn.exec_driver_sql(
            "INSERT INTO parcels (id, carrier, waybill_no, watch_from, created_at, updated_at)"
            " VALUES (7, 'zhongtong', 'Z7', 1, 1, 1)"
        )
        conn.exec_driver_sql(
            "INSERT INTO tickets (number, parcel_id, state, opened_at, updated_at)"
            " VALUES ('T-1', 7, 'open', 1, 1)"
        )
    backup = made(empty_url, tmp_path)
    assert backup.manifest.revision == "0001"
    back(other_url, tmp_path)
    with opened(other_url, tmp_path) as store:
        assert column(store, "SELECT carrier FROM tickets") == ["zhongtong"]  # a later step filled it in


def test_only_the_owner_may_read_it(filled, tmp_path):
    assert stat.S_IMODE(made(filled, tmp_path).path.stat().st_mode) == 0o600


def test_nothing_to_back_up_is_said(empty_url, tmp_path):
    with pytest.raises(StoreOutdated, match="没有东西可以备份"):
        made(empty_url, tmp_path)
    assert not (tmp_path / "b.backup").exists()


# ── under load ───────────────────────────────────────────────────────────────────────────────────


def a_pair(conn: Connection) -> None:
    """One row more, and the count of rows with it."""
    conn.execute(text("INSERT INTO oddities (at, source, reason, body) VALUES (1, 'load', '', '')"))
    conn.execute(
        text(
            "INSERT INTO counters (name, n) VALUES ('load', 1) ON CONFLICT (name) DO UPDATE SET n = counters.n + 1"
        )
    )


def test_a_backup_under_load_is_one_moments_truth(database_url, tmp_path):
    """A counter and what it counts agree in every copy, and the writers never stand still."""
    with opened(database_url, tmp_path) as store:
        store.write_now(
            lambda conn: conn.exec_driver_sql(
                "INSERT INTO unknown_codes (provider, code, n, first_at, last_at, sample) VALUES "
                + ", ".join(f"('p', 'c{n}', 1, 1, 1, '{n * 7919:0300}')" for n in range(6000))
            )
        )
        stop, wrote = threading.Event(), []

        def write() -> None:
            while not stop.is_set():
                store.write_now(a_pair)
                wrote.append(1)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        try:
            during = []
            for n in range(3):
                before = len(wrote)
                made(database_url, tmp_path, f"{n}.backup")
                during.append(len(wrote) - before)
        finally:
            stop.set()
            writer.join()
    assert min(during) > 0
    counts = []
    for n in range(3):
        url = f"sqlite:///{tmp_path}/r{n}.db"
        back(url, tmp_path, f"{n}.backup")
        with opened(url, tmp_path) as copy:
            [counted] = column(copy, "SELECT n FROM counters WHERE name = 'load'") or [0]
            assert column(copy, "SELECT count(*) FROM oddities WHERE source = 'load'") == [counted]
        counts.append(counted)
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_the_writers_log_is_folded_in_again_afterwards(sqlite_url, tmp_path):
    """A backup's reader holds a checkpoint back only for as long as it reads."""
    with opened(sqlite_url, tmp_path) as store:
        store.write_now(a_pair)
        made(sqlite_url, tmp_path)
        store.write_now(a_pair)
    assert not Path(f"{sqlite_path(parse_url(sqlite_url))}-wal").exists()


# ── names and disks ──────────────────────────────────────────────────────────────────────────────


def test_an_existing_file_is_overwritten_only_when_told(filled, tmp_path):
    (tmp_path / "b.backup").write_text("mine")
    with pytest.raises(StoreRefused, match="已经存在"):
        made(filled, tmp_path)
    assert (tmp_path / "b.backup").read_text() == "mine"
    made(filled, tmp_path, force=True)
    back(f"sqlite:///{tmp_path}/other.db", tmp_path)


@pytest.mark.parametrize("force", [False, True])
def test_a_link_is_never_written_through(filled, tmp_path, force):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "b.backup").symlink_to(tmp_path / "precious")
    with pytest.raises(StoreRefused, match="符号链接"):
        made(filled, tmp_path, force=force)
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_folder_that_does_not_exist_is_named(filled, tmp_path):
    with pytest.raises(StoreRefused, match="没有目录"):
        made(filled, tmp_path, "nowhere/b.backup")


def test_a_backup_that_is_stopped_leaves_nothing(filled, tmp_path):
    class Stop(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        raise Stop

    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(Stop):
        made(filled, tmp_path, watch=stop)
    assert {path.name for path in tmp_path.iterdir()} - before <= {"store.db-wal", "store.db-shm"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_once_and_not_again_when_the_file_is_let_go():
    """What the file holds back cannot be written at its end either: nothing is left that tries it later."""
    packer = archive.Packer(Path("/dev/full"))
    with pytest.raises(OSError, match="No space"):
        packer.add("store.db", [b"x"] * 100_000)
    packer.abandon()
    packer.abandon()
    del packer
    gc.collect()


def test_what_a_killed_backup_left_is_cleared_away_by_the_next(filled, tmp_path):
    left = tmp_path / ".parcelwatch-dead.part"
    left.mkdir()
    (left / "archive").write_text("half")
    made(filled, tmp_path)
    assert not left.exists()


def test_the_oldest_scheduled_backups_go_and_nothing_else(tmp_path):
    names = [stamped(tmp_path, NOW + n * DAY).name for n in range(5)]
    for name in [*names, "parcelwatch-mine.backup", "notes.txt"]:
        (tmp_path / name).touch()
    assert [path.name for path in rotate(tmp_path, 3)] == names[:2]
    assert {path.name for path in tmp_path.iterdir()} == {*names[2:], "parcelwatch-mine.backup", "notes.txt"}


# ── distrust ─────────────────────────────────────────────────────────────────────────────────────


def rewritten(path: Path, change) -> None:
    """The same ZIP with its members and manifest passed through `change(members, manifest)`."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
        file.writestr("manifest.json", json.dumps(manifest))


def signed(members: dict[str, bytes], manifest: dict[str, object]) -> None:
    """Lengths and hashes as they are now."""
    import hashlib

    manifest["parts"] = [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
    ]


def flip(members, manifest):
    name = next(name for name in members if name != archive.KEY)
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])


def lie(members, manifest):
    manifest["tables"][0]["rows"] += 1


def climb(members, manifest):
    members["../../escaped"] = b"x"
    signed(members, manifest)


def absolute(members, manifest):
    members["/etc/escaped"] = b"x"
    signed(members, manifest)


def later_format(members, manifest):
    manifest["format"] = 99


def no_manifest_field(members, manifest):
    del manifest["tables"]


def a_bomb(members, manifest):
    members["tables/orders.copy" if "store.db" in members else "store.db"] = bytes(200 << 20)
    signed(members, manifest)


def injected(members, manifest):
    manifest["tables"][0]["name"] = "orders; DROP TABLE parcels"


def not_a_key(members, manifest):
    members[archive.KEY] = b"not hexadecimal"
    signed(members, manifest)


@pytest.mark.parametrize(
    "change", [flip, lie, climb, absolute, later_format, no_manifest_field, a_bomb, injected, not_a_key]
)
def test_a_manipulated_file_is_refused_and_nothing_is_touched(filled, tmp_path, change):
    made(filled, tmp_path)
    rewritten(tmp_path / "b.backup", change)
    before, files = everything(filled), {path.name for path in tmp_path.rglob("*")}
    with pytest.raises(StoreRefused):
        back(filled, tmp_path)
    assert everything(filled) == before
    assert {path.name for path in tmp_path.rglob("*")} == files


def test_data_of_a_later_program_is_refused(filled, tmp_path):
    made(filled, tmp_path)
    rewritten(tmp_path / "b.backup", lambda members, manifest: manifest.update(revision="9999"))
    with pytest.raises(StoreNewer, match="升级程序"):
        back(filled, tmp_path)


def garbled(members, manifest):
    name = "tables/parcels.copy"
    if name in members:
        members[name] = members[name].replace(b"\t", b" ", 1)
    else:
        at = members["store.db"].rindex(b"zhongtong")
        page = at - at % 4096
        members["store.db"] = members["store.db"][:page] + b"\xff" * 8 + members["store.db"][page + 8 :]
    signed(members, manifest)


@pytest.mark.parametrize("dry_run", [True, False])
def test_content_that_is_wrong_under_a_right_hash_is_found(filled, tmp_path, dry_run):
    made(filled, tmp_path)
    rewritten(tmp_path / "b.backup", garbled)
    before = everything(filled)
    with pytest.raises(StoreError):
        back(filled, tmp_path, dry_run=dry_run)
    assert everything(filled) == before


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"SQLite format 3\x00" + bytes(500)])
def test_a_file_that_is_no_backup_is_said_to_be_none(filled, tmp_path, content):
    (tmp_path / "b.backup").write_bytes(content)
    with pytest.raises(StoreRefused, match="不能用来恢复"):
        back(filled, tmp_path)


def test_a_cut_file_is_refused(filled, tmp_path):
    path = made(filled, tmp_path).path
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(StoreRefused):
        back(filled, tmp_path)


def test_a_database_with_a_trigger_of_somebody_elses_is_refused(sqlite_url, tmp_path):
    """With all hashes right: what acts by itself is compared with what the steps make."""
    with closing(sqlite3.connect(sqlite_path(parse_url(sqlite_url)))) as conn:
        conn.execute("CREATE TRIGGER spy AFTER INSERT ON orders BEGIN DELETE FROM parcels; END")
        conn.commit()
    made(sqlite_url, tmp_path)
    with pytest.raises(StoreRefused, match="触发器"):
        back(f"sqlite:///{tmp_path}/other.db", tmp_path)


def test_a_damaged_store_is_not_backed_up_as_if_it_were_whole(sqlite_url, tmp_path):
    with opened(sqlite_url, tmp_path) as store:
        store.write_now(
            lambda conn: conn.exec_driver_sql(
                "INSERT INTO oddities (at, source, reason, body) VALUES "
                + ", ".join(f"(1, 's', '', '{n:0900}')" for n in range(500))
            )
        )
    path = sqlite_path(parse_url(sqlite_url))
    content = bytearray(path.read_bytes())
    at = content.rindex(f"{77:0900}".encode())
    page = at - at % 4096
    content[page : page + 12] = b"\xff" * 12
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"检查没有通过|malformed|损坏"):
        made(sqlite_url, tmp_path)
    assert not (tmp_path / "b.backup").exists()


def test_a_damaged_store_is_replaced_and_kept(sqlite_url, tmp_path):
    with opened(sqlite_url, tmp_path) as store:
        a_parcel(store)
    made(sqlite_url, tmp_path)
    sqlite_path(parse_url(sqlite_url)).write_bytes(b"garbage" * 1000)
    kept = back(sqlite_url, tmp_path).kept
    assert Path(kept).read_bytes() == b"garbage" * 1000
    with opened(sqlite_url, tmp_path) as store:
        assert column(store, "SELECT waybill_no FROM parcels") == ["Z1"]


def test_a_store_that_a_killed_restore_left_without_a_log_gets_one_again(sqlite_url, tmp_path):
    path = sqlite_path(parse_url(sqlite_url))
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    with opened(sqlite_url, tmp_path) as store:
        a_parcel(store)
        assert column(store, "PRAGMA journal_mode") == ["wal"]


def test_a_store_that_somebody_has_open_is_not_replaced(sqlite_url, tmp_path):
    with opened(sqlite_url, tmp_path) as store:
        a_parcel(store)
        made(sqlite_url, tmp_path)
        a_parcel(store, "LATER")
        with pytest.raises(StoreRefused, match="打开着"):
            back(sqlite_url, tmp_path)
        assert len(column(store, "SELECT id FROM parcels")) == 2
        a_parcel(store, "GOES-ON")


def test_two_restores_in_one_second_keep_both_old_stores(filled, tmp_path):
    made(filled, tmp_path)
    if filled.startswith("sqlite"):
        kept = [back(filled, tmp_path).kept for _ in range(3)]
        assert len({Path(path).read_bytes()[:16] for path in kept}) == 1
        assert len(set(kept)) == 3
    else:
        back(filled, tmp_path)
        with pytest.raises(StoreError, match="already exists"):
            back(filled, tmp_path)
        assert len(everything(filled)["parcels"]) == 2


def test_what_the_server_does_not_allow_is_said_in_a_line(postgresql_url, tmp_path):
    """A user who may not make a schema: nothing is moved."""
    with opened(postgresql_url, tmp_path) as store:
        fill(store)
    made(postgresql_url, tmp_path)
    before = everything(postgresql_url)
    url = make_url(postgresql_url)
    with create_engine(parse_url(postgresql_url), poolclass=NullPool).begin() as conn:
        conn.exec_driver_sql("DROP ROLE IF EXISTS nobody_here")
        conn.exec_driver_sql("CREATE ROLE nobody_here LOGIN PASSWORD 'x'")
        conn.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO nobody_here")
    weak = url.set(username="nobody_here", password="x").render_as_string(hide_password=False)
    try:
        with pytest.raises(StoreError, match="permission denied"):
            back(weak, tmp_path)
    finally:
        with create_engine(parse_url(postgresql_url), poolclass=NullPool).begin() as conn:
            conn.exec_driver_sql("DROP OWNED BY nobody_here")
            conn.exec_driver_sql("DROP ROLE nobody_here")
    assert everything(postgresql_url) == before
