"""The drop folder: what is ripe is imported and moved; what is not, or leads elsewhere, is left alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from domain.time import to_micros
from monitor.app import App
from monitor.clock import Clock
from monitor.config.service import Intake
from monitor.config.settings import Settings, load
from monitor.intake import export, inbox
from monitor.intake.importing import Job, bring_in
from monitor.intake.inbox import SETTLED, Inbox
from monitor.intake.outside import How, Stopped
from monitor.intake.take import NONE_FITS, NONE_LEFT
from monitor.store import meta
from monitor.store.database import Database, StoreFull, migrate
from monitor.telling.routing import Route
from tests.intake.conftest import NOW, SHANGHAI
from tests.intake.workbook import locked_workbook

HEAD = "order_no,carrier,waybill_no,paid_at\n"
GOOD = HEAD + "A-1,圆通,YT2600000000001,2026-11-18 09:00:00\n"


class Hands(Clock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Drop:
    """A drop folder, the daemon's verb over it, and the hands of its clock."""

    folder: Path
    verb: Inbox
    clock: Hands = field(default_factory=Hands)

    def put(self, name: str, content: str | bytes = GOOD) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (self.clock.at.timestamp(),) * 2)
        return path

    def look(self, after: timedelta = SETTLED) -> None:
        self.clock.at += after
        self.verb.turn(self.folder)

    def settle(self) -> None:
        """Twice, so that what lies there is known and has been the same for long enough."""
        self.look()
        self.look()

    def tree(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir()
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "parcelwatch.toml"
    path.write_text('[intake]\nfolder = "inbox"\nplatform = "douyin"\nshop = "甲店"\n', "utf-8")
    return replace(load(path, {}), routes=(Route(("ops",), {}),))


@pytest.fixture
def drop(database: Database, settings: Settings) -> Drop:
    folder = settings.intake.folder
    assert folder is not None
    folder.mkdir()
    clock = Hands()
    return Drop(folder, Inbox(settings, database, clock), clock)


def orders(db: Database) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in db.read_now(
            lambda conn: conn.execute(text("SELECT order_no, platform, shop FROM orders")).all()
        )
    ]


def messages(db: Database) -> int:
    return db.read_now(lambda conn: conn.execute(text("SELECT count(*) FROM outbox")).scalar_one())


def test_the_configuration_says_where_it_is(settings: Settings, tmp_path: Path) -> None:
    assert settings.intake == Intake(tmp_path / "inbox", "douyin", "甲店")


def test_the_daemon_rings_it_only_where_there_is_a_folder(settings: Settings, database: Database) -> None:
    for told, rung in ((settings, True), (replace(settings, intake=Intake()), False)):
        app = App(told, database)
        app._register(asyncio.Event())
        assert ("inbox" in app.engine.verbs) is rung
        assert "staging" in app.engine.verbs


def test_the_verdict_says_how_many_rows_have_no_platform(
    drop: Drop, settings: Settings, database: Database
) -> None:
    bare = replace(settings, intake=replace(settings.intake, platform=""))
    drop.verb = Inbox(bare, database, drop.clock)
    drop.put("订单.csv")
    drop.settle()
    verdict = (drop.folder / "done" / "订单.csv.verdict.txt").read_text("utf-8")
    assert "1 行没有平台，按通用规则监控" in verdict
    assert "[intake]" in verdict


def test_a_file_that_rests_is_imported_and_moved_with_its_verdict(drop: Drop, database: Database) -> None:
    drop.put("订单.csv", GOOD + "A-2,没有这家,YT2,\n")
    drop.settle()
    assert orders(database) == [("A-1", "douyin", "甲店")]
    assert drop.tree() == ["done/订单.csv", "done/订单.csv.rejected.csv", "done/订单.csv.verdict.txt"]
    verdict = (drop.folder / "done" / "订单.csv.verdict.txt").read_text("utf-8")
    assert "新增 1、拒绝 1" in verdict
    assert "第 3 行 carrier：认不出快递公司" in verdict
    [told] = database.read_now(meta.recent_imports)
    assert (told.origin, told.refused, told.counts["accepted"]) == ("inbox", "", 1)


def test_a_file_that_grows_is_left_until_it_rests(drop: Drop, database: Database) -> None:
    path = drop.put("订单.csv", HEAD)
    for n in range(5):
        drop.look()
        with path.open("a", encoding="utf-8") as more:
            more.write(f"A-{n},圆通,YT26{n:011d},2026-11-18 09:00:00\n")
    assert orders(database) == []
    drop.settle()
    assert len(orders(database)) == 5


def test_an_empty_file_is_waited_for(drop: Drop) -> None:
    drop.put("订单.csv", b"")
    drop.settle()
    assert drop.tree() == ["订单.csv"]
    drop.look(timedelta(minutes=1))
    assert "refused/订单.csv" in drop.tree()


@pytest.mark.parametrize(
    "name", ["~$订单.xlsx", ".订单.csv", "订单.csv.part", "订单.crdownload", "订单.TMP", "Thumbs.db"]
)
def test_names_of_what_is_being_written_are_left_alone(drop: Drop, name: str) -> None:
    drop.put(name)
    drop.settle()
    assert drop.tree() == [name]


def test_links_pipes_and_folders_are_left_alone(drop: Drop, database: Database, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD, "utf-8")
    (drop.folder / "link.csv").symlink_to(secret)
    (drop.folder / "folder.csv").mkdir()
    os.mkfifo(drop.folder / "pipe.csv")
    with capture_logs() as logs:
        drop.settle()
        drop.look()
    assert orders(database) == []
    assert secret.is_file()
    told = [entry["file"] for entry in logs if entry["log_level"] == "warning"]
    assert sorted(told) == ["link.csv", "pipe.csv"], "each is told once"


def test_a_link_put_in_its_place_leads_nowhere(
    drop: Drop, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the reading somebody swaps the file."""
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD, "utf-8")
    path = drop.put("订单.csv")
    ripe = drop.verb._ripe

    def swapped(*told: Any) -> Any:
        found = ripe(*told)
        if found:
            path.unlink()
            path.symlink_to(secret)
        return found

    monkeypatch.setattr(drop.verb, "_ripe", swapped)
    drop.settle()
    assert orders(database) == []


def test_a_file_nobody_recognises_is_refused_and_told_once(drop: Drop, database: Database) -> None:
    drop.put("名单.csv", "甲,乙\n1,2\n")
    with capture_logs() as logs:
        drop.settle()
        drop.look()
    assert drop.tree() == ["refused/名单.csv", "refused/名单.csv.verdict.txt"]
    assert "认不出表头" in (drop.folder / "refused" / "名单.csv.verdict.txt").read_text("utf-8")
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["file refused"]
    [told] = database.read_now(meta.recent_imports)
    assert (told.name, told.origin) == ("名单.csv", "inbox")
    assert "认不出表头" in told.refused
    assert messages(database) == 1


def test_a_list_without_a_header_is_told_without_its_cells(drop: Drop, database: Database) -> None:
    """The first row of such a file is a buyer: neither the log, nor the store, nor a group hears of it."""
    drop.put("名单.csv", "欧阳测试,浙江省杭州市某区示例路一号,13812345678\n")
    with capture_logs() as logs:
        drop.settle()
    [told] = database.read_now(meta.recent_imports)
    sent = database.read_now(lambda conn: repr(conn.execute(text("SELECT * FROM outbox")).all()))
    for secret in ("欧阳", "示例路", "13812345678", "138"):
        assert secret not in repr(logs)
        assert secret not in told.refused
        assert secret not in sent
    assert "像是数据，不像表头" in told.refused


def test_a_locked_workbook_is_refused_for_nobody_is_there_to_ask(drop: Drop) -> None:
    drop.put("快手.xlsx", locked_workbook([["order_no"]], "x1y2"))
    drop.settle()
    assert "refused/快手.xlsx" in drop.tree()


def test_a_name_that_is_taken_gets_a_number(drop: Drop, database: Database) -> None:
    for n in range(3):
        drop.put("订单.csv", HEAD + f"A-{n},圆通,YT26{n:011d},\n")
        drop.settle()
    assert len(orders(database)) == 3
    kept = [name for name in drop.tree() if not name.endswith(".txt")]
    assert kept == ["done/订单-2.csv", "done/订单-3.csv", "done/订单.csv"]


def test_names_as_long_as_names_may_be(drop: Drop) -> None:
    drop.put("长" * 83 + ".csv", "甲,乙\n1,2\n")
    drop.put("b" * 251 + ".csv", GOOD)
    drop.settle()
    assert len([name for name in drop.tree() if name.endswith(".verdict.txt")]) == 2
    assert len(drop.tree()) == 4


def test_a_name_that_is_no_text(drop: Drop) -> None:
    (Path(os.fsdecode(os.fsencode(drop.folder) + b"/\xff\xfe.csv"))).write_text(GOOD, "utf-8")
    drop.settle()
    assert len(drop.tree()) == 2


def test_a_file_of_which_nothing_fits_is_refused_with_its_rows(drop: Drop, database: Database) -> None:
    """Nobody is told that it was imported: the group, the console and the paper beside it say why, and what to do."""
    drop.put("订单.csv", WRONG)
    drop.settle()
    assert drop.tree() == [
        "refused/订单.csv",
        "refused/订单.csv.rejected.csv",
        "refused/订单.csv.verdict.txt",
    ]
    verdict = (drop.folder / "refused" / "订单.csv.verdict.txt").read_text("utf-8")
    assert NONE_FITS in verdict
    assert "第 2 行" in verdict
    [told] = database.read_now(meta.recent_imports)
    assert (told.origin, told.refused) == ("inbox", NONE_FITS)
    assert messages(database) == 1


def test_a_file_with_nothing_to_watch_bothers_nobody(drop: Drop, database: Database) -> None:
    """An hourly export of what was closed is no mistake of anybody's."""
    drop.put("订单.csv", HEAD.strip() + ",status\nA-1,圆通,YT2600000000001,,交易关闭\n")
    drop.settle()
    assert drop.tree() == ["done/订单.csv", "done/订单.csv.verdict.txt"]
    verdict = (drop.folder / "done" / "订单.csv.verdict.txt").read_text("utf-8")
    assert NONE_LEFT in verdict
    assert "第 2 行 忽略：交易已关闭，不再监控" in verdict
    assert messages(database) == 0


@pytest.mark.parametrize("own", [".", "backup", "parcelwatch.db.intake"])
def test_nothing_is_taken_from_the_services_own_folders(tmp_path: Path, database: Database, own: str) -> None:
    """Configuration and store would be read as orders, and moved away."""
    path = tmp_path / "parcelwatch.toml"
    path.write_text(f'[intake]\nfolder = "{own}"\n[backup]\nfolder = "backup"\n', "utf-8")
    settings = load(path, {})
    folder = settings.intake.folder
    assert folder is not None
    folder.mkdir(exist_ok=True)
    clock = Hands()
    there = Drop(folder, Inbox(settings, database, clock), clock)
    there.put("a.csv")
    with capture_logs() as logs:
        there.settle()
    assert [entry["event"] for entry in logs] == [
        "the drop folder holds files of the service itself, nothing is taken from it"
    ]
    assert (folder / "a.csv").is_file()
    assert orders(database) == []


# ── several at one folder ────────────────────────────────────────────────────────────────────────────


def test_a_file_is_taken_by_one_of_two_at_the_same_folder(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one looks while the first is at it, and after; it neither reads the file nor complains."""
    other = Inbox(drop.verb.settings, database, drop.clock)
    drop.put("订单.csv")
    drop.look()
    other.turn(drop.folder)
    original, ran = inbox.bring_in, []

    def meanwhile(db: Any, job: Job, **values: Any) -> Any:
        ran.append(job.path.name)
        if len(ran) == 1:
            other.turn(drop.folder)
        return original(db, job, **values)

    monkeypatch.setattr(inbox, "bring_in", meanwhile)
    with capture_logs() as logs:
        drop.look()
        other.turn(drop.folder)
    assert ran == ["订单.csv"]
    assert len(orders(database)) == 1
    assert drop.tree() == ["done/订单.csv", "done/订单.csv.verdict.txt"]
    assert [entry for entry in logs if entry["log_level"] in ("warning", "error")] == []
    assert len(database.read_now(meta.recent_imports)) == 1


TURN = """
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from monitor.clock import Clock
from monitor.config.settings import load
from monitor.intake.inbox import Inbox
from monitor.store.database import Database

@dataclass
class Hands(Clock):
    at: datetime
    def now(self):
        return self.at

settings, url = load(Path(sys.argv[1]), {}), sys.argv[2]
clock = Hands(datetime.fromisoformat(sys.argv[3]))
db = Database.open(url)
verb = Inbox(settings, db, clock)
verb.turn(settings.intake.folder)
clock.at += timedelta(minutes=1)
print("ready", flush=True)
sys.stdin.readline()
verb.turn(settings.intake.folder)
db.close()
"""


@pytest.mark.parametrize("stores", ["one store", "a store each"])
def test_two_processes_at_one_folder_take_each_file_once(
    drop: Drop, database: Database, database_url: str, tmp_path: Path, empty_sqlite_url: str, stores: str
) -> None:
    """Begun at the same moment over eight files: each file is in one store, once, and moved once."""
    for n in range(8):
        drop.put(f"{n}.csv", HEAD + "".join(f"A-{n}-{k},圆通,YT26{n:02d}{k:09d},\n" for k in range(40)))
    second = database_url
    if stores == "a store each":
        migrate(empty_sqlite_url)
        second = empty_sqlite_url
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TURN, str(tmp_path / "parcelwatch.toml"), url, NOW.isoformat()],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for url in (database_url, second)
    ]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [each.communicate()[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    assert [name for name in drop.tree() if name.endswith(".csv")] == [f"done/{n}.csv" for n in range(8)]
    taken = [each.name for each in database.read_now(meta.recent_imports)]
    kept = len(orders(database))
    if second != database_url:
        with closing(Database.open(second)) as other:
            taken += [each.name for each in other.read_now(meta.recent_imports)]
            kept += len(orders(other))
    assert sorted(taken) == [f"{n}.csv" for n in range(8)]
    assert kept == 320


# ── what was true when ───────────────────────────────────────────────────────────────────────────────


def waybills(db: Database) -> set[str]:
    """The numbers that are watched."""
    query = text("SELECT waybill_no FROM parcels WHERE state = 'watched'")
    return set(db.read_now(lambda conn: conn.execute(query)).scalars())


@pytest.mark.parametrize(
    ("days", "number", "said"),
    [(3, "YT2600000000009", True), (0, "YT2600000000001", False)],
    ids=["older", "newer"],
)
def test_a_file_says_what_was_true_when_it_was_written(
    drop: Drop, database: Database, days: int, number: str, said: bool
) -> None:
    """The service was away for days; meanwhile the shop changed the number, and said so elsewhere."""
    path = drop.put("sent.csv")
    os.utime(path, ((NOW - timedelta(days=days)).timestamp(),) * 2)
    newer = drop.folder.parent / "newer.csv"
    newer.write_text(GOOD.replace("0001,", "0009,"), "utf-8")
    how = How(platform="douyin", shop="甲店")
    told = Job(newer, how, written_at=NOW - timedelta(days=1))
    bring_in(database, told, zone=SHANGHAI, now=NOW - timedelta(days=1))
    drop.settle()
    assert waybills(database) == {number}
    verdict = (drop.folder / "done" / "sent.csv.verdict.txt").read_text("utf-8")
    assert ("按文件时间 2026-11-19 12:00（北京时间）" in verdict) is said


@pytest.mark.parametrize("stamp", [0, 315_532_800, 2**40], ids=["1970", "1980", "to come"])
def test_a_time_stamp_that_cannot_be_counts_as_now(drop: Drop, database: Database, stamp: int) -> None:
    os.utime(drop.put("sent.csv"), (stamp, stamp))
    drop.settle()
    query = text("SELECT max(observed_at) FROM orders")
    assert "按文件时间" not in (drop.folder / "done" / "sent.csv.verdict.txt").read_text("utf-8")
    assert database.read_now(lambda conn: conn.execute(query).scalar_one()) == to_micros(drop.clock.at)


# ── bad days ─────────────────────────────────────────────────────────────────────────────────────────


def test_killed_between_the_import_and_the_move_it_is_imported_once_more_in_vain(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop.put("订单.csv")
    with monkeypatch.context() as patched:
        patched.setattr(drop.verb, "_settle", lambda *told: None)
        drop.settle()
    assert path.is_file()
    assert len(orders(database)) == 1
    again = Inbox(drop.verb.settings, database, drop.clock)
    drop.verb = again
    drop.settle()
    assert not path.exists()
    assert len(orders(database)) == 1
    assert "未变 1" in (drop.folder / "done" / "订单.csv.verdict.txt").read_text("utf-8")


def test_a_store_that_takes_nothing_leaves_the_file(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop.put("订单.csv")

    def full(*told: Any, **values: Any) -> Any:
        raise StoreFull("磁盘满了")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "bring_in", full)
        with pytest.raises(StoreFull):
            drop.settle()
    assert path.is_file()
    drop.look()
    assert "done/订单.csv" in drop.tree()


def test_the_services_end_leaves_the_file(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*told: Any, **values: Any) -> Any:
        raise Stopped

    path = drop.put("订单.csv")
    monkeypatch.setattr(inbox, "bring_in", stopped)
    drop.settle()
    assert path.is_file()


def test_an_ending_service_begins_nothing(drop: Drop) -> None:
    drop.put("订单.csv")
    drop.verb.ending = lambda: True
    drop.settle()
    assert drop.tree() == ["订单.csv"]


def test_a_file_that_cannot_be_moved_is_told_once_and_not_read_for_ever(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop.put("订单.csv")

    def stuck(*told: Any) -> Any:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(Path, "rename", stuck)
        drop.settle()
        drop.settle()
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "a file cannot be moved, and is left"
    ]
    assert len(database.read_now(meta.recent_imports)) == 1


def test_a_file_nobody_may_read_is_refused(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop.put("订单.csv")
    opened: Callable[..., int] = os.open

    def barred(path: Any, *told: Any, **values: Any) -> int:
        if str(path).endswith("inbox/订单.csv"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *told, **values)

    monkeypatch.setattr(os, "open", barred)
    drop.settle()
    assert "refused/订单.csv" in drop.tree()
    assert "读取权限" in (drop.folder / "refused" / "订单.csv.verdict.txt").read_text("utf-8")


def test_a_file_that_changes_while_it_is_read_is_read_again(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop.put("订单.csv")
    original = inbox.bring_in

    def growing(*told: Any, **values: Any) -> Any:
        report = original(*told, **values)
        path.write_text(GOOD + "A-2,圆通,YT2600000000002,\n", "utf-8")
        return report

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "bring_in", growing)
        drop.settle()
    assert path.is_file()
    drop.settle()
    assert len(orders(database)) == 2
    assert "done/订单.csv" in drop.tree()


WRONG = HEAD + "A-9,没有这家,YT2600000000009,\n"


def test_one_files_trouble_starves_no_other(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older file's rejected rows find no room: told once, everywhere; it is done when there is room again."""

    def full(*told: Any, **values: Any) -> Any:
        raise OSError(28, "No space left on device")

    os.utime(drop.put("a.csv", WRONG), (NOW.timestamp() - 60,) * 2)
    drop.put("b.csv")
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(export.tempfile, "mkstemp", full)
        drop.settle()
        drop.look()
        drop.look(timedelta(minutes=10))
    assert drop.tree() == ["a.csv", "done/b.csv", "done/b.csv.verdict.txt"]
    assert len(orders(database)) == 1
    assert [entry["why"] for entry in logs if entry["log_level"] == "error"] == ["No space left on device"]
    [told] = [each for each in database.read_now(meta.recent_imports) if each.refused]
    assert (told.name, told.origin) == ("a.csv", "inbox")
    assert "还在投递目录里" in told.refused
    assert messages(database) == 1
    drop.look(timedelta(minutes=10))
    assert "refused/a.csv.rejected.csv" in drop.tree()
    assert "a.csv" not in drop.tree()


def test_a_mistake_of_ours_is_one_files_trouble_too(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = inbox.bring_in

    def broken(db: Any, job: Job, **values: Any) -> Any:
        if job.name == "a.csv":
            raise KeyError("欧阳测试 13812345678")
        return original(db, job, **values)

    monkeypatch.setattr(inbox, "bring_in", broken)
    drop.put("a.csv", WRONG)
    drop.put("b.csv")
    with capture_logs() as logs:
        drop.settle()
    assert "done/b.csv" in drop.tree()
    kept = repr([database.read_now(meta.recent_imports), logs])
    assert "KeyError" in kept
    assert "欧阳" not in kept, "an error may quote the file"


def test_papers_of_an_earlier_file_are_left_though_the_file_was_taken_away(drop: Drop) -> None:
    drop.put("a.csv", GOOD + WRONG.removeprefix(HEAD))
    drop.settle()
    earlier = (drop.folder / "done" / "a.csv.rejected.csv").read_bytes()
    (drop.folder / "done" / "a.csv").unlink()
    drop.put("a.csv")
    drop.settle()
    assert (drop.folder / "done" / "a.csv.rejected.csv").read_bytes() == earlier
    assert "done/a-2.csv" in drop.tree()


@pytest.mark.parametrize("paper", ["a.csv.rejected.csv", "a.csv.verdict.txt"])
def test_a_folder_in_the_place_of_a_paper_is_gone_round(drop: Drop, paper: str) -> None:
    (drop.folder / "done" / paper).mkdir(parents=True)
    drop.put("a.csv", GOOD + WRONG.removeprefix(HEAD))
    drop.settle()
    assert {"done/a-2.csv", "done/a-2.csv.rejected.csv", "done/a-2.csv.verdict.txt"} == set(drop.tree())
