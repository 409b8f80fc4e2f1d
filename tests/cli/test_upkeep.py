"""migrate, backup, restore, purge: what a person reads, exit codes, `--json`, and bad days."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.single import only_one
from monitor.store.backends import parse_url
from monitor.store.database import Database
from monitor.store.migration import made_at, upgrading
from monitor.store.schema import REVISION
from tests.cli.conftest import CONFIG, SECRETS, Shell
from tests.store.given import a_parcel, column, incoming, take

ROOT = Path(__file__).parents[2]


def store_of(shell: Shell) -> Database:
    return Database.open(f"sqlite:///{shell.folder}/store.db")


@pytest.fixture
def stored(shell: Shell) -> Shell:
    """A store with two orders, one of them with a phone tail."""
    shell("migrate")
    with closing(store_of(shell)) as store:
        a_parcel(store)
        take(store, incoming("sf", "shunfeng/SF1", tail="5678"))
    return shell


def old_store(shell: Shell, *, empty: bool = False) -> None:
    """A store as the first version left it."""
    url = parse_url(f"sqlite:///{shell.folder}/store.db")
    made_at(url, "0001")
    if not empty:
        with upgrading(url) as conn:
            conn.exec_driver_sql("INSERT INTO oddities (at, source) VALUES (1, 'old')")


# ── backup and restore ───────────────────────────────────────────────────────────────────────────


def test_backup_says_what_it_made_and_that_it_holds_the_key(stored):
    said = stored("backup", "b.backup").stdout
    assert "已备份到" in said
    assert "已检查" in said
    assert "里面有密钥文件" in said
    assert stat.S_IMODE((stored.folder / "b.backup").stat().st_mode) == 0o600


def test_backup_in_json(stored):
    [told] = stored.json("backup", "b.backup")
    assert told["file"] == str(stored.folder / "b.backup")
    assert told["bytes"] == (stored.folder / "b.backup").stat().st_size
    assert (told["database"], told["revision"], told["key"]) == ("sqlite", REVISION, "inside")
    assert told["tables"]["parcels"] == 2


def test_without_the_key_it_says_in_words_what_would_be_lost(stored):
    said = stored("backup", "b.backup", "--without-key").stdout
    assert "手机尾号是加密存的" in said
    assert str(stored.folder / "store.db.key") in said
    (stored.folder / "store.db").unlink()
    (stored.folder / "store.db.key").unlink()
    assert "1 个订单的手机尾号是加密的" in stored("restore", "b.backup").stdout


def test_restore_brings_it_back_and_says_where_the_other_is(stored):
    stored("backup", "b.backup")
    with closing(store_of(stored)) as store:
        a_parcel(store, "LATER")
    assert "没有做任何改动" in stored("restore", "b.backup", "--dry-run").stdout
    said = stored("restore", "b.backup").stdout
    assert "已恢复" in said
    [kept] = stored.folder.glob("store.db.before-restore-*")
    assert str(kept) in said
    with closing(store_of(stored)) as store:
        assert len(column(store, "SELECT id FROM parcels")) == 2
    with closing(sqlite3.connect(kept)) as other:
        assert other.execute("SELECT count(*) FROM parcels").fetchone() == (3,)


def test_restore_in_json(stored):
    stored("backup", "b.backup")
    [told] = stored.json("restore", "b.backup", "--dry-run")
    assert (told["restored"], told["tables"]["parcels"]) == (False, 2)
    [told] = stored.json("restore", "b.backup")
    assert (told["restored"], told["sealed_without_key"]) == (True, 0)


def beside(shell: Shell) -> set[str]:
    return {each.name for each in shell.folder.iterdir()}


def test_a_dry_run_where_there_is_no_store_leaves_nothing_behind(stored):
    stored("backup", "b.backup")
    stored.config(CONFIG.replace("store.db", "fresh.db"))
    before = beside(stored)
    assert "没有做任何改动" in stored("restore", "b.backup", "--dry-run").stdout
    assert beside(stored) == before
    said = stored("restore", "b.backup").stdout
    assert "已恢复" in said
    assert "原来的数据库" not in said
    assert not list(stored.folder.glob("*.before-restore-*"))


def test_a_dry_run_beside_a_store_leaves_nothing_behind_either(stored):
    stored("backup", "b.backup")
    before = beside(stored)
    stored("restore", "b.backup", "--dry-run")
    assert beside(stored) == before


@pytest.mark.parametrize(
    "pragmas", [(), ("PRAGMA journal_mode=WAL",)], ids=["no byte", "a page without a table"]
)
def test_an_empty_database_is_no_former_one(stored, pragmas):
    stored("backup", "b.backup")
    stored.config(CONFIG.replace("store.db", "fresh.db"))
    (stored.folder / "fresh.db").touch()
    with closing(sqlite3.connect(stored.folder / "fresh.db")) as conn:
        for each in pragmas:
            conn.execute(each)
    [told] = stored.json("restore", "b.backup")
    assert (told["restored"], told["kept"]) == (True, "")
    assert not list(stored.folder.glob("*.before-restore-*"))
    assert stat.S_IMODE((stored.folder / "fresh.db").stat().st_mode) == 0o600


def test_where_there_is_no_folder_for_the_store_restore_says_so(stored):
    stored("backup", "b.backup")
    stored.config(CONFIG.replace("store.db", "nowhere/fresh.db"))
    assert "没有目录" in stored("restore", "b.backup", "--dry-run", code=2).stderr
    assert "数据库所在目录是否存在" in stored("restore", "b.backup", code=1).stderr


def test_restore_on_a_fresh_machine(stored):
    stored("backup", "b.backup")
    for path in stored.folder.glob("store.db*"):
        path.unlink()
    stored("restore", "b.backup")
    with closing(store_of(stored)) as store:
        assert len(column(store, "SELECT id FROM parcels")) == 2


def test_a_scheduled_backup_goes_into_the_folder_and_is_told(stored):
    stored.config(CONFIG + '\n[backup]\nfolder = "backups"\nkeep = 1\n')
    stored("backup")
    [made] = (stored.folder / "backups").iterdir()
    assert made.name.startswith("parcelwatch-")
    with closing(store_of(stored)) as store:
        assert column(store, "SELECT outcome FROM upkeep WHERE name = 'backup'") == ["ok"]


def test_without_a_file_and_without_a_folder_it_asks_for_one(stored):
    assert "folder" in stored("backup", code=2).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["backup", "taken"], "已经存在"),
        (["backup", "link"], "符号链接"),
        (["backup", "link", "--force"], "符号链接"),
        (["backup", "nowhere/b"], "没有目录"),
        (["backup", "."], "不是普通文件"),
        (["restore", "nowhere"], "没有备份文件"),
        (["restore", "taken"], "不能用来恢复"),
        (["restore", "store.db"], "不能用来恢复"),
    ],
    ids=" ".join,
)
def test_what_the_user_must_change_is_said_with_code_2(stored, words, told):
    stored.file("taken", "mine")
    (stored.folder / "link").symlink_to(stored.folder / "taken")
    result = stored(*words, code=2)
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert (stored.folder / "taken").read_text() == "mine"


def test_a_running_daemon_is_not_restored_under(stored):
    stored("backup", "b.backup")
    with closing(store_of(stored)) as store, only_one(store):
        result = stored("restore", "b.backup", code=2)
    assert "parcelwatch run" in result.stderr
    assert not list(stored.folder.glob("*.before-restore-*"))


def test_a_manipulated_backup_is_refused(stored):
    stored("backup", "b.backup")
    with zipfile.ZipFile(stored.folder / "b.backup", "a") as file:
        file.writestr("../../../escaped", "x")
    assert "不该有的文件" in stored("restore", "b.backup", code=2).stderr
    assert not (stored.folder.parents[1] / "escaped").exists()


# ── disks ────────────────────────────────────────────────────────────────────────────────────────


def a_big_store(shell: Shell, megabytes: int) -> None:
    with closing(store_of(shell)) as store:
        store.write_now(
            lambda conn: conn.execute(
                text("INSERT INTO oddities (at, source, body) VALUES (1, 's', :body)"),
                [{"body": os.urandom(50_000).hex()} for _ in range(megabytes * 10)],
            )
        )


def unharmed(shell: Shell, parcels: int = 2) -> None:
    with closing(store_of(shell)) as store:
        assert column(store, "PRAGMA integrity_check") == ["ok"]
        assert len(column(store, "SELECT id FROM parcels")) == parcels
        a_parcel(store, "GOES-ON")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root may mount a small disk")
@pytest.mark.parametrize("size", ["6m", "1m"])
def test_a_disk_that_fills_up_leaves_everything_as_it_was(stored, size):
    """6 MB: the copy fits in the estimate only until the archive is written beside it; 1 MB: not begun."""
    disk = stored.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        stored("backup", disk / "old.backup")
        before = (disk / "old.backup").read_bytes()
        a_big_store(stored, 4)
        result = stored("backup", disk / "new.backup", code=1)
        assert "磁盘" in result.stderr
        assert "没有动" in result.stderr
        again = stored("backup", disk / "old.backup", "--force", code=1)
        assert "没有动" in again.stderr
        assert (disk / "old.backup").read_bytes() == before
        assert [path.name for path in disk.iterdir()] == ["old.backup"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    unharmed(stored)


def test_a_file_that_may_not_grow_is_told_like_a_full_disk(stored):
    """By the limit on a file's size, which needs no root."""
    a_big_store(stored, 4)
    before = {path.name for path in stored.folder.iterdir()}
    script = "import sys; from monitor.cli import main; sys.argv[1:] = ['backup', 'b.backup']; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=stored.folder,
        env=dict(os.environ, PYTHONPATH=str(ROOT), **SECRETS),
        capture_output=True,
        text=True,
        preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        ),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "没有动" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in stored.folder.iterdir()} - before <= {"store.db-wal", "store.db-shm"}
    unharmed(stored)


def test_a_folder_that_may_not_be_written_is_said(stored):
    """As another user, since root may write everywhere; where that cannot be tried, a folder of the kernel's."""
    result = stored("backup", "/proc/b.backup", code=2)
    assert "不能在 /proc 里写文件" in result.stderr


# ── migrate ──────────────────────────────────────────────────────────────────────────────────────


def test_migrate_backs_up_first_and_says_so(shell):
    old_store(shell)
    said = shell("migrate").stdout
    [kept] = shell.folder.glob("store.db.before-upgrade-0001-*.backup")
    assert f"升级前已备份到 {kept}" in said
    assert f"已执行：0002、0003、0004、{REVISION}" in said
    (shell.folder / "store.db").unlink()
    shell("restore", kept)
    with closing(store_of(shell)) as store:
        assert column(store, "SELECT source FROM oddities") == ["old"]


@pytest.mark.parametrize(("empty", "words"), [(True, []), (False, ["--no-backup"])])
def test_migrate_without_a_backup(shell, empty, words):
    old_store(shell, empty=empty)
    [told] = shell.json("migrate", *words)
    assert told == {"steps": ["0002", "0003", "0004", REVISION], "backup": ""}
    assert not list(shell.folder.glob("*.backup"))


def test_migrate_refuses_a_newer_store_and_touches_nothing(stored):
    with closing(sqlite3.connect(stored.folder / "store.db")) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
        conn.commit()
    assert "升级程序" in stored("migrate", code=2).stderr
    assert not list(stored.folder.glob("*.backup"))


def test_migrate_waits_for_no_daemon_it_refuses(shell):
    old_store(shell)
    with (shell.folder / "store.db.daemon").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "升级" in shell("migrate", code=2).stderr
    shell("migrate")


def test_migrate_does_nothing_when_the_backup_cannot_be_made(shell, monkeypatch):
    old_store(shell)
    free = shutil.disk_usage(shell.folder)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    assert "没有开始备份" in shell("migrate", code=1).stderr
    with closing(sqlite3.connect(shell.folder / "store.db")) as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


# ── purge ────────────────────────────────────────────────────────────────────────────────────────


def test_purge_counts_first_and_then_does_it(stored):
    with closing(store_of(stored)) as store:
        store.write_now(lambda conn: conn.execute(text("INSERT INTO oddities (at, source) VALUES (1, 's')")))
    dry = stored("purge", "--dry-run").stdout
    assert "看不懂的回答：1" in dry
    assert "没有删除" in dry
    assert {row["kind"]: row["rows"] for row in stored.json("purge", "--dry-run")}["oddities"] == 1
    assert "看不懂的回答：1" in stored("purge").stdout
    assert stored("purge").stdout == "没有到期的数据。\n"
    with closing(store_of(stored)) as store:
        assert len(column(store, "SELECT id FROM parcels")) == 2


def test_keys_are_never_shown(stored):
    key = (stored.folder / "store.db.key").read_text().strip()
    for words in (["backup", "b.backup"], ["restore", "b.backup"], ["backup", "c.backup", "--json"]):
        result = stored(*words)
        assert key not in result.stdout + result.stderr
