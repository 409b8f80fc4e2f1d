"""The systemd units: valid, closed off, and in step with the program they start."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from monitor.cli import _COMMANDS

ROOT = Path(__file__).parents[1]
UNITS = sorted(unit for unit in (ROOT / "systemd").iterdir() if unit.suffix in {".service", ".timer"})
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/opt/parcelwatch/bin/parcelwatch"
analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def settings(unit: Path, section: str) -> dict[str, list[str]]:
    """The settings of a section; one that is written several times has several values."""
    found: dict[str, list[str]] = {}
    inside = ""
    for line in unit.read_text("utf-8").splitlines():
        if line.startswith("["):
            inside = line.strip("[]")
        elif inside == section and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def named(unit: Path) -> str:
    return unit.name


def test_there_is_a_unit_for_the_service_its_backups_and_its_checks() -> None:
    assert [unit.name for unit in UNITS] == [
        "parcelwatch-backup.service",
        "parcelwatch-backup.timer",
        "parcelwatch-check.service",
        "parcelwatch.service",
    ]


@analyze
def test_systemd_finds_nothing_wrong_with_any_unit(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text("utf-8").replace(PROGRAM, "/bin/true")  # it is not installed here
        (tmp_path / unit.name).write_text(text, "utf-8")
    for unit in UNITS:
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / unit.name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.strip()) == (0, ""), unit.name


@analyze
@pytest.mark.parametrize("unit", SERVICES, ids=named)
def test_a_service_is_closed_off(unit: Path) -> None:
    """Exposure of at most 1.5 of 10; systemd counts in tenths."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", SERVICES, ids=named)
def test_a_service_starts_a_command_that_there_is(unit: Path) -> None:
    [command] = settings(unit, "Service")["ExecStart"]
    program, name, *options = shlex.split(command)
    assert program == PROGRAM
    assert name in _COMMANDS
    assert options == ["-c", "/etc/parcelwatch/parcelwatch.toml"]


def test_every_service_sees_the_same_of_the_machine() -> None:
    """A backup or a check that may do more than the daemon, or less, would find other things."""
    own = {"Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec", "TimeoutStartSec", "TimeoutStopSec",
           "Restart", "RestartSec", "RestartPreventExitStatus", "KillSignal", "LimitNOFILE", "Nice", "IOSchedulingClass"}  # fmt: skip
    seen = [{k: v for k, v in settings(unit, "Service").items() if k not in own} for unit in SERVICES]
    assert seen[0]["DynamicUser"] == ["yes"]
    assert seen[0] == seen[1] == seen[2]


def test_the_service_is_watched_reloaded_and_never_given_up() -> None:
    service = settings(ROOT / "systemd/parcelwatch.service", "Service")
    assert service["Type"] == ["notify"]
    assert service["WatchdogSec"] == ["60"]
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert service["RestartPreventExitStatus"] == ["2"], "the user must change something"
    assert int(service["TimeoutStopSec"][0]) > 10, "promise 8: it ends by itself within ten seconds"
    unit = settings(ROOT / "systemd/parcelwatch.service", "Unit")
    assert unit["StartLimitIntervalSec"] == ["0"], (
        "a database that is away for an hour is no reason to stay down"
    )


def test_the_timer_asks_for_the_backup_and_makes_up_for_a_missed_night() -> None:
    timer = settings(ROOT / "systemd/parcelwatch-backup.timer", "Timer")
    assert timer["Persistent"] == ["yes"]
    assert "Unit" not in timer, "its service has its name"
