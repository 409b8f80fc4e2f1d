"""`lab` where the world outside does not play along: pipes, folders that are none, full disks, signals."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli import cli
from tests.cli.conftest import Shell
from tests.cli.test_lab import EVENTS, ORDERS, POLICY

NAMES = {"findings.csv", "summary.json", "report.html"}


@pytest.fixture
def words(shell: Shell) -> tuple[str, ...]:
    """A sitting that goes well."""
    files = {"--orders": ("o.csv", ORDERS), "--events": ("e.csv", EVENTS), "--policy": ("p.toml", POLICY)}
    return tuple(each for key, file in files.items() for each in (key, str(shell.file(*file))))


@pytest.mark.parametrize("option", ["--orders", "--events", "--policy", "--against"])
def test_a_pipe_is_refused(shell: Shell, words: tuple[str, ...], option: str) -> None:
    os.mkfifo(shell.folder / "pipe")
    told = shell("lab", *words, option, str(shell.folder / "pipe"), "--out", "out", code=2)
    assert "不是普通文件" in told.stderr


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("file", "请写另一个目录"),
        ("file/under", "请写另一个目录"),
        ("dangling", "断链"),
        ("x" * 300, "建不了目录"),
        ("holds", "请移走它"),
    ],
)
def test_where_no_result_can_go(shell: Shell, words: tuple[str, ...], out: str, said: str) -> None:
    shell.file("file", "")
    (shell.folder / "dangling").symlink_to(shell.folder / "nowhere")
    (shell.folder / "holds" / "findings.csv").mkdir(parents=True)
    told = shell("lab", *words, "--out", str(shell.folder / out), code=2)
    assert said in told.stderr


@pytest.mark.parametrize("length", ["3650000d", "36501d", "9" * 40 + "d"])
@pytest.mark.parametrize("option", ["--since", "--useful"])
def test_no_length_is_beyond_the_calendar(shell: Shell, length: str, option: str) -> None:
    assert "时长" in shell("lab", option, length, "--out", "out", code=2).stderr.replace("太长", "时长")


def test_a_full_disk_leaves_the_earlier_results(
    shell: Shell, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shell.folder / "out"
    shell("lab", *words, "--out", str(out))
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(report: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("monitor.lab.session.page", full)
    shell.file("p.toml", POLICY.replace("48h", "47h"))
    told = shell("lab", *words, "--out", str(out), code=1)
    assert "原有的结果没有动" in told.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_drafts_of_a_killed_run_go_with_the_next(shell: Shell, words: tuple[str, ...]) -> None:
    out = shell.folder / "out"
    out.mkdir()
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    (out / f".findings.csv.{int(gone.stdout)}.part").write_text("half")
    (out / f".report.html.{os.getppid()}.part").write_text("another's")
    shell("lab", *words, "--out", str(out))
    assert {path.name for path in out.iterdir()} == {*NAMES, f".report.html.{os.getppid()}.part"}


STOPPED = """
import os, signal, sys
import monitor.lab.session
monitor.lab.session.page = lambda report: os.kill(os.getpid(), signal.{}) or signal.pause()
from monitor.cli import cli
cli(sys.argv[1:])
"""


@pytest.mark.parametrize(("name", "half"), [("SIGTERM", 0), ("SIGINT", 0), ("SIGKILL", 2)])
def test_who_is_stopped_shows_no_half_files(
    shell: Shell, words: tuple[str, ...], name: str, half: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED.format(name), "lab", *words, "--out", "out"],
        cwd=shell.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode in (1, 130, 128 + signal.SIGTERM, -signal.SIGKILL)
    assert b"Traceback" not in done.stderr
    left = [path.name for path in (shell.folder / "out").iterdir()]
    assert len([each for each in left if each.endswith(".part")]) == half
    assert not NAMES & {*left}


SLIPS = """
[[policies]]
name = "试试"
match = {platform = ["taobaoo", "天猫"], shop = "旗见店"}
rules.transit_stagnation = {limit = "48h"}
[[policies.overrides]]
match = {shop = "旗舰电"}
rules.transit_stagnation = {limit = "47h"}
[[exemptions]]
name = "停"
from = 2026-01-01T00:00:00
until = 2028-01-01T00:00:00
"""


def test_slips_in_a_policy_are_told_with_the_nearest_name(shell: Shell, words: tuple[str, ...]) -> None:
    shell.file("p.toml", SLIPS)
    told = shell("lab", *words, "--out", "out").stderr
    assert "没有平台 taobaoo，是不是 taobao_tmall？" in told
    assert "没有平台 天猫，是不是 taobao_tmall？" in told
    assert "第 4 行：没有一个订单的 shop 是“旗见店”，是不是 旗舰店？" in told
    assert "第 7 行：没有一个订单的 shop 是“旗舰电”，是不是 旗舰店？" in told
    assert "「停」停止计时超过一年" in told


def test_slips_in_the_configuration_in_force_are_told_alike(shell: Shell) -> None:
    config = shell.folder / "parcelwatch.toml"
    config.write_text(config.read_text("utf-8") + SLIPS, "utf-8")
    checked = shell.runner.invoke(cli, ["check"]).output
    assert "没有平台 taobaoo 的配置" in checked
    assert "「停」停止计时超过一年" in checked


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "2009-01-01T00:00:00"])
def test_no_exemption_is_beyond_our_times(shell: Shell, words: tuple[str, ...], at: str) -> None:
    shell.file("p.toml", SLIPS.replace("2026-01-01T00:00:00", at))
    assert "第 11 行" in (told := shell("lab", *words, "--out", "out", code=2).stderr)
    assert "年份要在 2010 到 2099 之间" in told
