"""`import` beside what `test_commands.py` shows: passwords, the console's column tables, files handed back."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.cli import orders
from monitor.clock import wall
from monitor.intake.layouts import fingerprint
from monitor.intake.take import NONE_FITS, NONE_LEFT
from monitor.store import mappings
from monitor.store.mappings import ColumnTable
from monitor.store.opening import open_store
from tests.cli.conftest import Shell
from tests.intake.workbook import locked_workbook

ROWS = [["order_no", "carrier", "waybill_no"], ["A-1", "圆通", "YT2600000000001"]]


@pytest.fixture
def locked(shell: Shell) -> Path:
    path = shell.folder / "快手.xlsx"
    path.write_bytes(locked_workbook(ROWS, "geheim-77"))
    return path


def test_a_locked_workbook_without_anybody_to_ask_is_refused(shell: Shell, locked: Path) -> None:
    assert "有密码" in shell("import", locked, code=2).stderr


def test_a_locked_workbook_with_its_password(shell: Shell, locked: Path) -> None:
    assert "密码不对" in shell("import", locked, "--password", "wrong-88", code=2).stderr
    result = shell("import", locked, "--password", "geheim-77")
    assert "新增（accepted）：1" in result.stdout
    kept = b"".join(path.read_bytes() for path in shell.folder.rglob("*") if path.is_file())
    assert b"geheim-77" not in kept
    assert "geheim-77" not in result.stdout + result.stderr


def test_on_a_terminal_the_password_is_asked_for(
    shell: Shell, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def prompt(words: str, **how: object) -> str:
        asked.append((words, how["hide_input"]))
        return "geheim-77"

    monkeypatch.setattr(orders.click, "prompt", prompt)
    monkeypatch.setattr(orders, "_asked", lambda: True)
    assert "新增（accepted）：1" in shell("import", locked).stdout
    assert asked == [("工作簿密码", True)]


def test_the_consoles_column_table_is_used_by_name_and_by_header(shell: Shell) -> None:
    file = shell.file("mine.csv", "单,谁送,号\nB1,圆通,YT8812345678901\n")
    assert "认不出表头" in shell("import", file, code=2).stderr
    settings = shell.folder / "parcelwatch.toml"
    with_mark = ColumnTable("群里的表", {"order_no": "单", "carrier": "谁送", "waybill_no": "号"}, _mark())
    db = open_store(f"sqlite:///{shell.folder / 'store.db'}", settings.parent)
    try:
        db.write_now(lambda conn: mappings.save(conn, with_mark, wall()))
    finally:
        db.close()
    assert "新增（accepted）：1" in shell("import", file, "--mapping", "群里的表").stdout
    result = shell("import", file)
    assert "保存的列对应表" in result.stderr
    assert "未变（unchanged）：1" in result.stdout
    assert "群里的表" in shell("import", file, "--mapping", "nosuch", code=2).stderr


def _mark() -> str:
    return fingerprint(["号", " 单", "谁送"])


def test_a_file_of_rejected_rows_goes_when_all_are_right(shell: Shell) -> None:
    head = "order_no,carrier,waybill_no\n"
    file = shell.file("orders.csv", f"{head}A1,没有这家,YT2600000000001\n")
    assert NONE_FITS in shell("import", file, code=2).stderr
    back = shell.folder / "orders.csv.rejected.csv"
    assert back.is_file()
    shell.file("orders.csv", f"{head}A1,圆通,YT2600000000001\n")
    shell("import", file)
    assert not back.exists()


def test_what_is_only_put_aside_is_told_and_is_no_failure(shell: Shell) -> None:
    """A nightly export of closed orders."""
    file = shell.file("orders.csv", "order_no,waybill_no,status\nA1,YT2600000000001,交易关闭\n")
    done = shell("import", file)
    assert NONE_LEFT in done.stderr
    assert "第 2 行 忽略：交易已关闭，不再监控" in done.stdout


def test_an_end_of_an_order_that_is_watched_is_something(shell: Shell) -> None:
    shell("import", shell.file("a.csv", "order_no,waybill_no\nA1,YT2600000000001\n"))
    closing = shell.file("b.csv", "order_no,waybill_no,status\nA1,YT2600000000001,交易关闭\n")
    assert NONE_LEFT not in shell("import", closing).stderr


@pytest.mark.parametrize(
    ("content", "how", "layout", "platform"),
    [
        ("order_no,waybill_no\nA1,YT2600000000001\n", [], "parcelwatch 表格（", "没有写"),
        ("order_no,waybill_no,platform\nA1,YT2600000000001,douyin\n", [], "parcelwatch 表格（", "按平台列"),
        (
            "订单编号,物流单号\nA1,YT2600000000001\n",
            ["--platform", "taobao_tmall"],
            "自制表格（",
            "taobao_tmall",
        ),
        ("单,号\nA1,YT2600000000001\n", ["--mapping", "m"], "自制表格，按列对应表（", "没有写"),
    ],
    ids=["own headings", "a platform column", "home-made, platform told", "mapped columns"],
)
def test_layout_and_platform_are_told_apart(
    shell: Shell, content: str, how: list[str], layout: str, platform: str
) -> None:
    """A platform said at import does not make a home-made sheet that platform's export."""
    folder = shell.folder / "mappings"
    folder.mkdir(exist_ok=True)
    (folder / "m.toml").write_text('order_no = "单"\nwaybill_no = "号"\n', "utf-8")
    told = shell("import", shell.file("orders.csv", content), *how).stderr
    assert f"识别为：{layout}" in told
    assert f"平台：{platform}\n" in told


def test_an_old_file_says_what_was_true_then(shell: Shell) -> None:
    """Imported after a newer one, it takes nothing back; a fresh file says nothing of its time."""
    head = "order_no,carrier,waybill_no\n"
    newer = shell.file("newer.csv", f"{head}A1,圆通,YT2600000000009\n")
    assert "按文件时间" not in shell("import", newer).stderr
    older = shell.file("older.csv", f"{head}A1,圆通,YT2600000000001\n")
    os.utime(older, ((wall() - timedelta(days=3)).timestamp(),) * 2)
    result = shell("import", older)
    assert "按文件时间" in result.stderr
    assert "旧于已有，未采用（older）：1" in result.stdout
