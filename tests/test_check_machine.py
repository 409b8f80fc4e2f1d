"""`parcelwatch check` beyond the configuration: who answers, what time it is, file modes, the port, what the store tells."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from domain.remote import Outcome
from domain.time import to_micros
from monitor.checking import machine
from monitor.checking.check import CheckLine, check
from monitor.checking.lately import alive, lately
from monitor.checking.reach import reach
from monitor.clock import wall
from monitor.config.settings import Settings, load
from monitor.store import outbox, providers, schema, upkeep
from monitor.store.database import Database, migrate
from monitor.store.outbox import MessageState
from monitor.store.providers import ProviderState
from tests.conftest import opened
from tests.simulated import alarm

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENV = {"KEY": "k-71-of-ours"}
ACCOUNT = '[[providers]]\nname = "k100"\nkind = "kuaidi100"\ncustomer = "env:KEY"\nkey = "env:KEY"\ncarriers = ["*"]\n'
ROBOT = '[[channels]]\nname = "ops"\nkind = "onebot"\nurl = "http://127.0.0.1:9"\ngroup_id = 1\n'


def settings(folder: Path, text: str = "") -> Settings:
    file = folder / "parcelwatch.toml"
    file.touch(0o600)
    file.write_text(text, "utf-8")
    return load(file, ENV)


def only(lines: list[CheckLine], words: str) -> CheckLine:
    [found] = [each for each in lines if words in each.what]
    return found


# ── who answers, and what time it is there ───────────────────────────────────────────────────────


@contextmanager
def service(date: Callable[[], datetime] | None, status: int = 404) -> Iterator[tuple[str, list[str]]]:
    """An HTTP service with a clock of its own; its address, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization')}")
            self.send_response_only(status)
            if date is not None:
                self.send_header("Date", format_datetime(date(), usegmt=True))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests read `asked`."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as there:
        return int(there.getsockname()[1])


def test_every_service_is_called_on_and_nothing_said(tmp_path: Path) -> None:
    """A 404 is an answer: what a front page says is nobody's business. No path, no key."""
    with service(wall) as (up, asked):
        down = free_port()
        robot = ROBOT.replace("127.0.0.1:9", f"127.0.0.1:{down}")
        check_ = f'[deadman]\nurl = "{up}/ping-of-ours"\n'
        found = reach(settings(tmp_path, f'{ACCOUNT}base_url = "{up}"\n{robot}{check_}'))

    assert (only(found, "k100").level, only(found, "deadman").level) == ("ok", "ok")
    gone = only(found, "ops")
    assert (gone.level, gone.line) == ("fail", 8)
    assert f"127.0.0.1:{down}" in gone.what
    assert gone.todo
    assert asked == ["HEAD / None"] * 2


@pytest.mark.parametrize(
    ("off", "level", "words"),
    [
        pytest.param(timedelta(0), "ok", "一致", id="in step"),
        pytest.param(timedelta(seconds=-10), "ok", "一致", id="ten seconds are nothing"),
        pytest.param(timedelta(minutes=-3), "warn", "快了", id="ours is ahead"),
        pytest.param(timedelta(days=2), "warn", "慢了 47 小时", id="ours is days behind"),
    ],
)
def test_our_clock_is_held_against_theirs(tmp_path: Path, off: timedelta, level: str, words: str) -> None:
    with service(lambda: wall() + off) as (up, _):
        found = reach(settings(tmp_path, f'{ACCOUNT}base_url = "{up}"\n'))
    line = only(found, "时钟")
    assert line.level == level
    assert words in line.what.replace("48 小时", "47 小时")


def test_one_wrong_clock_among_many_is_theirs(tmp_path: Path) -> None:
    with service(wall) as (right, _), service(lambda: wall() - timedelta(days=9)) as (wrong, _):
        text = f'{ACCOUNT}base_url = "{wrong}"\n{ROBOT.replace("http://127.0.0.1:9", right)}'
        assert only(reach(settings(tmp_path, text)), "时钟").level == "ok"


def test_where_nobody_answers_nothing_is_said_of_the_clock(tmp_path: Path) -> None:
    found = reach(settings(tmp_path, f'{ACCOUNT}base_url = "http://127.0.0.1:{free_port()}"\n'))
    assert [each.level for each in found] == ["fail"]


def test_check_calls_on_nobody_unless_it_is_asked_to(tmp_path: Path) -> None:
    with service(wall) as (up, asked):
        file = settings(tmp_path, f'web.port = 0\n{ACCOUNT}base_url = "{up}"\n').path
        check(file, env=ENV, now=NOW)
        assert asked == []
        check(file, env=ENV, now=NOW, reachable=True)
        assert len(asked) == 1


# ── files, port, time zone ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "mode", "odd"),
    [
        pytest.param("parcelwatch.toml", 0o600, False, id="a configuration of one's own"),
        pytest.param("parcelwatch.toml", 0o644, False, id="without secrets anybody may read it"),
        pytest.param("parcelwatch.toml", 0o664, True, id="nobody else may change it"),
        pytest.param("parcelwatch.db.key", 0o600, False, id="a key of one's own"),
        pytest.param("parcelwatch.db.key", 0o640, True, id="a key for the group"),
        pytest.param("copies", 0o700, False, id="copies of one's own"),
        pytest.param("copies", 0o755, True, id="copies for everybody"),
    ],
)
def test_modes_of_files(tmp_path: Path, name: str, mode: int, odd: bool) -> None:
    given = settings(tmp_path, '[backup]\nfolder = "copies"\n')
    (tmp_path / "copies").mkdir(0o700)
    (tmp_path / "parcelwatch.db.key").touch(0o600)
    (tmp_path / name).chmod(mode)
    found = list(machine.files(given))
    assert [(each.level, str(tmp_path / name) in each.what) for each in found] == [("warn", True)] * odd
    assert all("chmod" in each.todo for each in found)


def test_the_consoles_port_is_free_or_ours_or_somebody_elses(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        given = settings(tmp_path, f"[web]\nport = {other.getsockname()[1]}\n")
        [taken] = machine.console(given, False)
        [ours] = machine.console(given, True)
    [free] = machine.console(given, False)
    [off] = machine.console(settings(tmp_path, "[web]\nenabled = false\n"), False)
    assert (taken.level, ours.level, free.level, off.level) == ("fail", "ok", "ok", "ok")
    assert taken.line == 1
    assert "只对本机" in free.what


def test_a_console_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda name: None if name == "jinja2" else object())
    [line] = machine.console(settings(tmp_path), False)
    assert (line.level, "jinja2" in line.what) == ("warn", True)
    assert "parcelwatch[console]" in line.todo


def test_the_time_is_told_as_the_merchant_reads_it(tmp_path: Path) -> None:
    assert "Asia/Shanghai，现在是 2026-11-22 20:00" in machine.zone(settings(tmp_path), NOW).what


# ── what the store tells ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def told(database_url: str, tmp_path: Path) -> Callable[..., list[CheckLine]]:
    """What `lately` says after some works on the store."""

    def say(*works: Callable[[Connection], Any], text: str = "") -> list[CheckLine]:
        with opened(database_url, tmp_path) as store:
            for work in works:
                store.write_now(work)
        given = settings(tmp_path, f'store = "{database_url}"\n{text}{ACCOUNT}{ROBOT}')
        return lately(given, NOW)

    return say


Told = Callable[..., list[CheckLine]]


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def test_a_fresh_store_is_no_trouble(told: Told) -> None:
    found = told()
    assert {each.level for each in found} == {"ok"}
    assert "还没有" in only(found, "k100").what
    assert "还没有" in only(found, "ops").what


@pytest.mark.parametrize(
    ("since", "level"),
    [(timedelta(seconds=30), "ok"), (timedelta(hours=5), "warn")],
    ids=["runs", "does not"],
)
def test_whether_the_service_runs_is_told_by_its_sign_of_life(
    told: Told, tmp_path: Path, since: timedelta, level: str
) -> None:
    found = told(lambda conn: upkeep.note(conn, upkeep.ALIVE, NOW - since))
    assert only(found, "服务").level == level
    assert alive(load(tmp_path / "parcelwatch.toml", ENV), NOW) is (level == "ok")


@pytest.mark.parametrize(
    ("state", "level", "words"),
    [
        pytest.param(ProviderState("k100", last_good_at=ago(1)), "ok", "11-22 19:00", id="well"),
        pytest.param(
            ProviderState("k100", "down", ago(3), ago(5), ago(1), "余额不足\x1b[2J"),
            "warn",
            "5 小时前）：余额不足",
            id="down",
        ),
        pytest.param(ProviderState("k100", "down", ago(3)), "warn", "从没有", id="never well"),
    ],
)
def test_the_last_success_of_each_provider(told: Told, state: ProviderState, level: str, words: str) -> None:
    line = only(told(lambda conn: providers.save(conn, state)), "k100")
    assert line.level == level
    assert words in line.what
    assert "\x1b" not in line.what
    assert line.line > 0


def sent(state: MessageState, outcome: Outcome, at: datetime, key: str) -> Callable[[Connection], None]:
    def work(conn: Connection) -> None:
        outbox.put(conn, [alarm(key, written=at)])
        row = conn.exec_driver_sql("SELECT max(id) FROM outbox").scalar_one()
        outbox.begin(conn, [row], at)
        outbox.finish(conn, row, outcome, "ok", at, state=state)

    return work


def test_the_last_success_of_each_channel_and_what_never_left(told: Told) -> None:
    first = sent(MessageState.SENT, Outcome.TAKEN, ago(7), "a")
    line = only(told(first), "ops")
    assert (line.level, "7 小时前" in line.what) == ("ok", True)
    dead = only(told(sent(MessageState.DEAD, Outcome.REFUSED, ago(1), "b")), "ops")
    assert dead.level == "warn"
    assert "1 条消息没有送出去" in dead.what
    assert "7 小时前" in dead.what, "the last that was taken, not the last that was tried"
    assert "outbox" in dead.todo


def parcel(conn: Connection) -> None:
    now = to_micros(NOW)
    row = {
        "carrier": "zhongtong",
        "waybill_no": "75000000000001",
        "watch_from": now,
        "created_at": now,
        "updated_at": now,
    }
    conn.execute(insert(schema.parcels).values(row))


def copied(hours: float) -> Callable[[Connection], None]:
    def work(conn: Connection) -> None:
        for name in (upkeep.BACKUP, upkeep.BACKUP_GOOD):
            upkeep.note(conn, name, ago(hours), "ok", "store.pwbackup")

    return work


def not_copied(conn: Connection) -> None:
    upkeep.note(conn, upkeep.BACKUP, ago(1), "failed", "磁盘已满")


@pytest.mark.parametrize(
    ("works", "text", "level", "words"),
    [
        pytest.param([parcel], "", "warn", "从没有备份过", id="something to lose and no copy"),
        pytest.param([copied(30)], "", "ok", "30 小时前", id="last night's"),
        pytest.param([copied(50)], "", "warn", "太久了", id="the nights before were missed"),
        pytest.param(
            [copied(30)],
            '[backup]\nfolder = "c"\nevery = "6h"\n',
            "warn",
            "太久了",
            id="less often than asked",
        ),
        pytest.param(
            [copied(30)], '[backup]\nfolder = "c"\nevery = "7d"\n', "ok", "30 小时前", id="as often as asked"
        ),
        pytest.param([not_copied], "", "warn", "磁盘已满；还没有一份好的", id="the only one failed"),
        pytest.param(
            [copied(30), not_copied], "", "warn", "磁盘已满；最近一份好的备份是", id="the last one failed"
        ),
    ],
)
def test_the_last_backup(
    told: Told, works: list[Callable[[Connection], None]], text: str, level: str, words: str
) -> None:
    line = only(told(*works, text=text), "备份")
    assert (line.level, words in line.what) == (level, True)


def test_a_store_that_is_away_says_nothing_here(tmp_path: Path) -> None:
    assert lately(settings(tmp_path), NOW) == [], "there is none yet"
    (tmp_path / "parcelwatch.db").write_bytes(b"not a database, but long enough to be taken for one" * 20)
    assert lately(settings(tmp_path), NOW) == [], "that it cannot be read is said by another line"


def test_a_look_at_the_store_changes_nothing_in_it(tmp_path: Path) -> None:
    given = settings(tmp_path)
    migrate(given.store)
    with closing(Database.open(given.store)) as store:
        store.write_now(parcel)
        before = sorted(path.name for path in tmp_path.iterdir())
        lately(given, NOW)
        assert sorted(path.name for path in tmp_path.iterdir()) == before, "nothing is made beside it either"
