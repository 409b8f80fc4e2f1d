"""The service at night, with real processes: ready, fed, reloaded, refused, missed from outside, stopped."""

from __future__ import annotations

import signal
import socket
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.ears import Manager, outside_check, service_manager
from tests.e2e.processes import Process
from tests.e2e.stage import Installation, Stage
from tests.e2e.waiting import until

CONFIG = """
{top}
[web]
port = 0
[[policies]]
name = "p"
rules.transit_stagnation = {{limit = "{limit}", warn = []}}
"""


def configure(home: Installation, *, top: str = "", limit: str = "48h") -> None:
    home.configure(CONFIG.format(top=top, limit=limit))


@contextmanager
def watched(stage: Stage, usec: int = 60_000_000) -> Iterator[tuple[Manager, Process]]:
    """A daemon under a service manager's eyes, once it said that it is ready."""
    with service_manager(stage.folder) as manager:
        env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(usec)}
        process = stage.parcelwatch.start(env=env)
        manager.next("READY")
        yield manager, process
        stage.parcelwatch.end()


def console_of(home: Installation) -> str:
    return str(home.logged("console")[-1]["url"])


def get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return int(answer.status)


def reload(manager: Manager, process: Process) -> tuple[dict[str, str], dict[str, str]]:
    """Ask for a reload, as systemd does; what began it and what ended it."""
    heard = len(manager.said)
    process.signal(signal.SIGHUP)
    at, began = manager.next("RELOADING", heard)
    _, ended = manager.next("READY", at)
    return began, ended


# ── ready, fed, stopped ──────────────────────────────────────────────────────────────────────────


def test_ready_is_said_when_the_verbs_ring_and_the_console_answers(stage: Stage) -> None:
    configure(stage.parcelwatch)
    with watched(stage) as (manager, process):
        _, ready = manager.next("READY")
        url = console_of(stage.parcelwatch)
        assert url in ready["STATUS"], "systemctl status says where it is"
        assert get(f"{url}/healthz") == 200
        assert get(f"{url}/readyz") == 200
        heard = len(manager.said)
        assert stage.parcelwatch.stop(process) < 10
        manager.next("STOPPING", heard)


def test_the_watchdog_is_fed_only_while_the_store_answers(stage: Stage) -> None:
    """One that hangs is restarted; one that works is not."""
    configure(stage.parcelwatch)
    with watched(stage, usec=1_500_000) as (manager, _):
        at, _ = manager.next("WATCHDOG")
        at, _ = manager.next("WATCHDOG", at + 1)
        with closing(sqlite3.connect(stage.parcelwatch.file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            trouble = until(
                "trouble is logged", lambda: stage.parcelwatch.logged("the store does not answer")
            )
            fed = manager.count("WATCHDOG")
            _, told = manager.next("STATUS", len(manager.said))
            assert "数据库" in told["STATUS"], "systemctl status says what is wrong"
            assert manager.count("WATCHDOG") == fed
            assert len(trouble) == 1
            other.execute("ROLLBACK")
        manager.next("WATCHDOG", len(manager.said))
        until("its end is logged", lambda: stage.parcelwatch.logged("the store answers again"))


# ── the configuration again ──────────────────────────────────────────────────────────────────────


def test_a_reload_puts_the_new_configuration_in_force_without_an_end_of_the_process(stage: Stage) -> None:
    home = stage.parcelwatch
    configure(home)
    with watched(stage) as (manager, process):
        url, [first] = console_of(home), home.logged("ready")

        configure(home, limit="30h")
        began, ended = reload(manager, process)

        assert began["MONOTONIC_USEC"].isdecimal()
        assert "正常" in ended["STATUS"]
        assert process.code() is None
        last = home.logged("ready")[-1]
        assert last["policy"] != first["policy"]
        assert home.query("SELECT count(*) FROM policies") == [(2,)]
        assert get(f"{url}/healthz") == 200, "the console never went away"
        assert home.stop(process) < 10


def test_a_broken_file_is_told_with_every_mistake_and_changes_nothing(stage: Stage) -> None:
    home = stage.parcelwatch
    configure(home)
    with watched(stage) as (manager, process):
        home.configure('timezone = "Asia/Shangha"\n[web]\nprot = 1\n')
        _, ended = reload(manager, process)

        assert "2 处错误" in ended["STATUS"]
        assert [each["line"] for each in home.logged("configuration is wrong")] == [1, 3]
        assert len(home.logged("ready")) == 1, "what runs was not touched"
        home.configure("not toml at all =")
        _, ended = reload(manager, process)
        assert "1 处错误" in ended["STATUS"]

        configure(home, limit="30h")
        _, ended = reload(manager, process)
        assert "错误" not in ended["STATUS"]
        assert len(home.logged("ready")) == 2
        assert home.stop(process) < 10


def test_what_needs_a_restart_is_said_and_the_rest_taken(stage: Stage) -> None:
    home = stage.parcelwatch
    configure(home)
    with watched(stage) as (manager, process):
        configure(home, top='store = "sqlite:///other.db"', limit="30h")
        _, ended = reload(manager, process)
        assert "store 要重启后才生效" in ended["STATUS"]
        assert not (home.folder / "other.db").exists()
        assert home.query("SELECT count(*) FROM policies") == [(2,)]


def test_a_storm_of_hangups_is_survived(stage: Stage) -> None:
    configure(stage.parcelwatch)
    with watched(stage) as (manager, process):
        for _ in range(20):
            process.signal(signal.SIGHUP)
        at, _ = manager.next("RELOADING")
        manager.next("READY", at)
        assert process.code() is None
        assert stage.parcelwatch.stop(process) < 10


# ── refused ──────────────────────────────────────────────────────────────────────────────────────


def test_a_port_that_is_taken_is_for_the_user_to_change(stage: Stage) -> None:
    home = stage.parcelwatch
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        home.configure(f"[web]\nport = {port}\n")
        done = home.command("run")
    assert done.code == 2
    assert str(port) in done.err
    assert "enabled = false" in done.err
    assert "Traceback" not in done.err


def test_a_second_daemon_is_told_who_works_on_this_store(stage: Stage) -> None:
    """Exit code 1: the same command works as soon as the first is gone, so a service manager may try again."""
    home = stage.parcelwatch
    configure(home)
    process = home.start()
    done = home.command("run")
    assert done.code == 1
    assert f"进程 {process.pid}" in done.err
    assert home.stop(process) < 10


def test_without_the_packages_of_the_console_the_watch_runs_and_says_so(stage: Stage) -> None:
    home = stage.parcelwatch
    lacking = stage.folder / "lacking"
    lacking.mkdir()
    (lacking / "sitecustomize.py").write_text(
        "import sys\n"
        "class Lacking:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('fastapi', 'uvicorn', 'jinja2', 'babel'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Lacking())\n"
    )
    configure(home)
    root = Path(__file__).parents[2]
    process = home.start(fresh=True, env={"PYTHONPATH": f"{lacking}:{root}"})
    [said] = home.logged("no console: it is not installed")
    assert "parcelwatch[console]" in said["todo"]
    assert home.stop(process) < 10


# ── missed from outside ──────────────────────────────────────────────────────────────────────────


def test_the_outside_check_is_called_while_all_is_well_and_not_while_the_store_is_away(stage: Stage) -> None:
    home = stage.parcelwatch
    with outside_check() as check:
        configure(home, top=f'deadman = {{url = "{check.url}", every = "0.1s"}}')
        with watched(stage, usec=1_500_000):
            until("it is called again and again", lambda: len(check.called) > 3)
            assert set(check.called) == {"/ping-of-ours"}
            with closing(sqlite3.connect(home.file, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                until(
                    "the silence is logged",
                    lambda: home.logged("outside check is not called: something is wrong"),
                )
                heard = len(check.called)
                until("the store is still away", lambda: home.logged("the store does not answer"))
                assert len(check.called) == heard
                other.execute("ROLLBACK")
            until("it is called again", lambda: len(check.called) > heard)
        assert "ping-of-ours" not in home.log, "its address is a secret"


# ── the log ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("top", "options", "json_"),
    [
        pytest.param("", (), True, id="not a terminal: for machines"),
        pytest.param('log = {format = "text"}', (), False, id="the configuration says: for people"),
        pytest.param(
            'log = {format = "text"}', ("--log-format", "json"), True, id="the command has the last word"
        ),
    ],
)
def test_the_log_is_for_whoever_reads_it(
    stage: Stage, top: str, options: tuple[str, ...], json_: bool
) -> None:
    home = stage.parcelwatch
    home.configure(f"{top}\n[web]\nenabled = false\n")
    log = home.folder / "out"
    process = home.nursery.start("parcelwatch", ["run", *options], home.folder, log, log)
    home.daemons.append(process)
    until("it is ready", lambda: "ready" in log.read_text("utf-8") if log.exists() else False)
    lines = [line for line in log.read_text("utf-8").splitlines() if "ready" in line]
    assert lines[0].startswith("{") is json_
    assert home.stop(process) < 10
