"""`lab` as it is typed: files, the store, what must be changed, what it leaves behind."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.time import to_micros
from domain.tracking import Milestone, TrackingEvent
from monitor.store.opening import open_store
from tests.cli.conftest import CONFIG, Shell
from tests.store.given import learn

ORDERS = """order_no,carrier,waybill_no,platform,shop,paid_at,shipped_at,amount
o1,中通,Z1,taobao_tmall,旗舰店,2026-10-01 10:00:00,2026-10-01 12:00:00,100
o2,圆通,Y2,taobao_tmall,旗舰店,2026-10-01 10:00:00,2026-10-01 12:00:00,100
"""
EVENTS = """carrier,waybill_no,occurred_at,description,milestone
中通,Z1,2026-10-01 20:00:00,快件已揽收,
中通,Z1,2026-10-06 20:00:00,,in_transit
圆通,Y2,2026-10-04 20:00:00,已揽收,
圆通,Y2,2026-10-05 09:00:00,已签收,
"""
POLICY = """
[[policies]]
name = "试试"
match = {shop = "旗舰店"}
rules.transit_stagnation = {limit = "48h"}
"""


@pytest.fixture
def files(shell: Shell) -> tuple[str, ...]:
    """The options that name the history."""
    return ("--orders", str(shell.file("o.csv", ORDERS)), "--events", str(shell.file("e.csv", EVENTS)))


def findings(path: Path) -> list[tuple[str, str, str, str]]:
    with path.open(encoding="utf-8", newline="") as source:
        rows = csv.DictReader(source)
        return [(row["waybill_no"], row["rule"], row["stage"], row["crossed_at"]) for row in rows]


def test_a_policy_over_files(shell: Shell, files: tuple[str, ...]) -> None:
    told = shell("lab", *files, "--policy", shell.file("p.toml", POLICY), "--out", "out")
    assert "2 个包裹，4 条轨迹" in told.stdout
    assert "中转停滞" in told.stdout
    assert "历史只有 5.4 天" in told.stderr
    found = findings(shell.folder / "out" / "findings.csv")
    assert ("Z1", "transit_stagnation", "breach", "2026-10-03T20:00:00+08:00") in found
    assert ("Y2", "late_shipment", "breach", "2026-10-03T10:00:00+08:00") in found
    assert {path.name for path in (shell.folder / "out").iterdir()} == {
        "findings.csv",
        "summary.json",
        "report.html",
    }


def test_the_columns_of_the_findings_do_not_change(shell: Shell, files: tuple[str, ...]) -> None:
    shell("lab", *files, "--policy", shell.file("p.toml", POLICY), "--out", "out")
    head = (shell.folder / "out" / "findings.csv").read_text("utf-8").partition("\n")[0]
    assert head == "carrier,waybill_no,order_no,rule,stage,started_at,crossed_at,ended_at,limit_hours,policy"


def test_two_policies_are_held_against_each_other(shell: Shell, files: tuple[str, ...]) -> None:
    policy, other = shell.file("p.toml", POLICY), shell.file("q.toml", POLICY.replace("48h", "200h"))
    told = json.loads(
        shell("lab", *files, "--policy", policy, "--against", other, "--out", "out", "--json").stdout
    )
    assert told == json.loads((shell.folder / "out" / "summary.json").read_text("utf-8"))
    assert told["difference"]["rules"]["transit_stagnation"]["breach"] == {
        "both": 0,
        "only_policy": 1,
        "only_against": 0,
    }
    only = {each[:3] for each in findings(shell.folder / "out" / "findings.csv")} - {
        each[:3] for each in findings(shell.folder / "out" / "findings.against.csv")
    }
    assert ("Z1", "transit_stagnation", "breach") in only
    shell("lab", *files, "--policy", policy, "--out", "out")
    assert not (shell.folder / "out" / "findings.against.csv").exists(), (
        "of an earlier comparison nothing stays"
    )


def test_now_is_what_is_said(shell: Shell, files: tuple[str, ...]) -> None:
    policy = shell.file("p.toml", POLICY)
    told = shell("lab", *files, "--policy", policy, "--out", "out", "--as-of", "2026-10-03 15:00")
    assert "没有采用 3 行：晚于“现在”（as-of）" in told.stderr
    assert (shell.folder / "out" / "rejected.csv").exists()
    found = findings(shell.folder / "out" / "findings.csv")
    assert max(at for *_, at in found) <= "2026-10-03T15:00"


def test_times_without_a_zone_are_of_the_zone_that_is_said(shell: Shell, files: tuple[str, ...]) -> None:
    shell(
        "lab", *files, "--policy", shell.file("p.toml", POLICY), "--out", "out", "--zone", "America/Sao_Paulo"
    )
    assert ("Z1", "transit_stagnation", "breach", "2026-10-03T20:00:00-03:00") in findings(
        shell.folder / "out" / "findings.csv"
    )


@pytest.mark.parametrize(
    "policy, words",
    [
        ('rules.transit_stagnaton = {limit = "48h"}', "transit_stagnation"),
        ('profile = "taobao"', "taobao_tmall"),
        ('rules.transit_stagnation = {limit = "0h"}', "transit_stagnation"),
        ('rules.transit_stagnation = {limit = "48h", warn = ["50h"]}', "warn"),
    ],
    ids=["a rule", "a profile", "a limit of nothing", "a warning after the limit"],
)
def test_a_bad_policy_is_told_with_its_line(
    shell: Shell, files: tuple[str, ...], policy: str, words: str
) -> None:
    told = shell(
        "lab",
        *files,
        "--policy",
        shell.file("p.toml", f'[[policies]]\nname = "x"\n{policy}\n'),
        "--out",
        "out",
        code=2,
    )
    assert "第 3 行" in told.stderr
    assert words in told.stderr


def test_a_shop_that_no_order_has_is_said_with_the_nearest(shell: Shell, files: tuple[str, ...]) -> None:
    policy = shell.file("p.toml", POLICY.replace('"旗舰店"', '"旗航店"'))
    told = shell("lab", *files, "--policy", policy, "--out", "out")
    assert "p.toml 第 4 行：没有一个订单的 shop 是“旗航店”，是不是 旗舰店？" in told.stderr


def test_bad_rows_are_told_all_at_once_and_handed_back(shell: Shell, files: tuple[str, ...]) -> None:
    shell.file("e.csv", EVENTS + "中通,Z9,2026-10-01 20:00:00,x,\n中通,Z1,2009-10-01 20:00:00,x,pickedup\n")
    told = shell("lab", *files, "--policy", shell.file("p.toml", POLICY), "--out", "out")
    assert "e.csv 第 6 行：订单文件里没有运单 Z9" in told.stderr
    assert "e.csv 第 7 行" in told.stderr
    assert "是不是 picked_up" in told.stderr
    with (shell.folder / "out" / "rejected.csv").open(encoding="utf-8-sig", newline="") as source:
        assert [row["行"] for row in csv.DictReader(source)] == ["6", "7"]
    summary = json.loads((shell.folder / "out" / "summary.json").read_text("utf-8"))
    assert summary["rejected"] == {"no_order": 1, "too_early": 1}


@pytest.mark.parametrize(
    "words, told",
    [
        ((), "--since"),
        (("--since", "30d", "--orders", "o.csv"), "只能用一样"),
        (("--orders", "o.csv", "--events", "e.csv"), "--policy"),
        (("--since", "a while"), "不是时长"),
        (("--orders", "o.csv", "--events", "e.csv", "--policy", "p.toml", "--zone", "Shanghai"), "没有时区"),
        (("--orders", "o.csv", "--events", "e.csv", "--policy", "p.toml", "--as-of", "soon"), "不是时间"),
        (("--orders", "o.csv", "--events", "none.csv", "--policy", "p.toml"), "none.csv"),
    ],
)  # fmt: skip
def test_what_must_be_said_otherwise(
    shell: Shell, files: tuple[str, ...], words: tuple[str, ...], told: str
) -> None:
    shell.file("p.toml", POLICY)
    assert told in shell("lab", *words, "--out", "out", code=2).stderr


def test_a_file_that_is_none_is_refused(shell: Shell, files: tuple[str, ...]) -> None:
    shell.file("e.csv", "什么,都,不是\n")
    told = shell("lab", *files, "--policy", shell.file("p.toml", POLICY), "--out", "out", code=2)
    assert "用不了“e.csv”：缺少必需的列" in told.stderr


def test_without_pandas_it_says_what_to_install(
    shell: Shell, files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.cli.lab.find_spec", lambda name: None)
    told = shell("lab", *files, "--policy", shell.file("p.toml", POLICY), "--out", "out", code=2)
    assert "pip install 'parcelwatch[lab]'" in told.stderr
    assert not (shell.folder / "out").exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_a_terminal(shell: Shell, files: tuple[str, ...], terminal: bool) -> None:
    """How far it has come stands on one line, and is gone at the end; in a pipe there is none of it."""
    policy = shell.file("p.toml", POLICY)
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "lab", *files, "--policy", policy, "--out", "out"],
        cwd=shell.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=theirs if terminal else subprocess.PIPE,
        check=True,
    )
    os.close(theirs)
    told = (os.read(ours, 1 << 16) if terminal else done.stderr).decode()
    os.close(ours)
    assert ("\r\x1b[K读订单" in told) == terminal
    assert ("\x1b" in told) == terminal
    assert "2 个包裹".encode() in done.stdout


def test_a_store_that_never_asked_a_carrier_proves_nothing(shell: Shell) -> None:
    shell("migrate")
    shell("import", shell.file("o.csv", ORDERS))
    told = shell("lab", "--since", "3650d", "--out", "out", code=2)
    assert "2 个包裹一个也没有查过轨迹" in told.stderr


def test_a_store_without_such_orders_says_so(shell: Shell) -> None:
    shell("migrate")
    told = shell("lab", "--since", "30d", "--out", "out", code=2)
    assert "这段时间没有订单" in told.stderr


@pytest.fixture
def history(shell: Shell) -> Shell:
    """Two orders of a shop in the store, and what its carriers answered until ten days later."""
    shell("migrate")
    shell("import", shell.file("o.csv", ORDERS))

    def day(number: int, hour: int = 12) -> datetime:
        return datetime(2026, 10, number, hour, tzinfo=UTC)

    with closing(open_store("sqlite:///store.db", shell.folder)) as store:
        known = dict(store.read_now(lambda conn: conn.exec_driver_sql(NUMBERS).all()))
        moved = (TrackingEvent(day(6), Milestone.IN_TRANSIT, "运输中"),)
        learn(store, known["Z1"], day(1), TrackingEvent(day(1), Milestone.PICKED_UP, "快件已揽收"))
        learn(store, known["Z1"], day(6), TrackingEvent(day(1), Milestone.PICKED_UP, "快件已揽收"), *moved)
        learn(store, known["Y2"], day(4), TrackingEvent(day(4), Milestone.PICKED_UP, "已揽收"))
        seen = to_micros(day(11))
        store.write_now(lambda conn: conn.exec_driver_sql(f"UPDATE parcels SET observed_at = {seen}"))
    return shell


NUMBERS = "SELECT waybill_no, id FROM parcels"
PAUSED = """
[[exemptions]]
name = "停运"
from = 2026-10-01T00:00:00+08:00
until = 2026-10-20T00:00:00+08:00
match = {carrier = "中通"}
"""


def sums(shell: Shell, *words: str) -> dict[str, Any]:
    """`summary.json` of a study of the store."""
    shell("lab", "--since", "40d", "--as-of", "2026-10-11 20:00", "--out", "out", *words)
    told: dict[str, Any] = json.loads((shell.folder / "out" / "summary.json").read_text("utf-8"))
    return told


def test_the_stores_own_history_under_the_policy_in_force(history: Shell) -> None:
    sums(history)
    found = findings(history.folder / "out" / "findings.csv")
    assert ("Z1", "transit_stagnation", "breach", "2026-10-03T20:00:00+08:00") in found
    assert ("Y2", "late_shipment", "breach", "2026-10-03T10:00:00+08:00") in found


def test_what_is_fined_is_judged_by_the_pauses_in_force_not_by_the_draft(history: Shell) -> None:
    """The draft has no pause, and warns all the same; the platform fines nothing while 中通 is let off."""
    draft = ("--policy", history.file("p.toml", POLICY))
    fined = sums(history, *draft)["fines"]
    history.config(CONFIG + PAUSED)
    paused = sums(history, *draft)
    assert ("Z1", "transit_stagnation", "breach", "2026-10-03T20:00:00+08:00") in findings(
        history.folder / "out" / "findings.csv"
    )
    assert paused["fines"] != fined
