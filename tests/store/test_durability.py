"""Power and processes: what was acknowledged is there, whoever was killed and whoever else wrote."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.store.database import Database
from tests.store.given import column

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, threading
from sqlalchemy import text
from monitor.store.database import Database

store = Database.open(sys.argv[1])
name, total = sys.argv[2], int(sys.argv[3])
say = threading.Lock()

def write(lane):
    for n in range(total):
        key = f"{name}-{lane}-{n}"
        store.write_now(lambda conn: conn.execute(text("INSERT INTO counters (name, n) VALUES (:k, 1)"), {"k": key}))
        with say:
            print(key, flush=True)

lanes = [threading.Thread(target=write, args=(lane,)) for lane in range(4)]
for lane in lanes: lane.start()
for lane in lanes: lane.join()
store.close()
"""


def writer(url: str, name: str, total: int) -> subprocess.Popen[str]:
    """A process that writes in four threads and prints what was acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, name, str(total)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sound(store: Database) -> None:
    if store.dialect == "sqlite":
        assert column(store, "PRAGMA integrity_check") == ["ok"]
        assert column(store, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("acknowledged", [1, 50, 700])
def test_a_killed_process_loses_nothing_it_was_told_is_kept(database_url, acknowledged):
    process = writer(database_url, "w", 1_000_000)
    assert process.stdout is not None
    assert process.stderr is not None
    told = [process.stdout.readline().strip() for _ in range(acknowledged)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read().split("\n")[:-1]  # whole lines only: the last may be cut
    assert process.wait() == -signal.SIGKILL
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()
    store = Database.open(database_url)
    kept = set(column(store, "SELECT name FROM counters"))
    assert set(told) <= kept
    assert len(kept) <= len(told) + 4  # at most one per thread was durable and not yet said
    sound(store)
    store.write_now(lambda conn: conn.execute(text("INSERT INTO counters (name, n) VALUES ('after', 1)")))
    store.close()


def test_two_processes_write_at_once(database_url):
    """The daemon and an import: every row of both arrives, and neither waits for ever."""
    both = [writer(database_url, name, 150) for name in ("daemon", "import")]
    said = [process.communicate(timeout=120) for process in both]
    assert [complaint for _, complaint in said] == ["", ""]
    store = Database.open(database_url)
    kept = set(column(store, "SELECT name FROM counters"))
    assert kept == {
        f"{name}-{lane}-{n}" for name in ("daemon", "import") for lane in range(4) for n in range(150)
    }
    sound(store)
    store.close()


def test_one_that_ends_while_another_writes_takes_no_log_away(sqlite_url):
    """Closing folds the log in only for the last one of all."""
    daemon = Database.open(sqlite_url)
    daemon.write_now(lambda conn: conn.execute(text("INSERT INTO counters (name, n) VALUES ('daemon', 1)")))
    said, complaint = writer(sqlite_url, "import", 5).communicate(timeout=60)
    assert (len(said.split()), complaint) == (20, "")
    daemon.write_now(lambda conn: conn.execute(text("INSERT INTO counters (name, n) VALUES ('again', 1)")))
    assert len(column(daemon, "SELECT name FROM counters")) == 22
    sound(daemon)
    daemon.close()


def test_a_process_that_is_killed_holding_the_lock_holds_up_nobody(sqlite_url):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, threading\n"
            "from monitor.store.database import Database\n"
            "store = Database.open(sys.argv[1])\n"
            "def work(conn):\n"
            "    print('inside', flush=True)\n"
            "    threading.Event().wait()\n"
            "store.write_now(work)\n",
            sqlite_url,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "inside\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    store = Database.open(sqlite_url)
    store.write_now(lambda conn: conn.execute(text("INSERT INTO counters (name, n) VALUES ('next', 1)")))
    assert column(store, "SELECT name FROM counters") == ["next"]
    store.close()
