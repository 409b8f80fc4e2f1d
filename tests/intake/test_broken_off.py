"""Files of the drop folder that break off midway, or cannot be opened for the machine's sake."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from monitor.intake import outside
from monitor.store.database import Database
from tests.intake.test_inbox import Drop, drop, settings

__all__ = ["drop", "settings"]

HEAD = "order_no,carrier,waybill_no,paid_at\n"


def test_what_stands_of_a_file_that_broke_off_is_told_and_its_rejected_rows_are_kept(
    drop: Drop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = outside._Child.rows

    def until_killed(child: Any, reader: Any) -> Iterator[Any]:
        for at, row in enumerate(whole(child, reader)):
            if at == 700:
                os.kill(child._process.pid, signal.SIGKILL)
                child._process.wait()
                raise child._gone()
            yield row

    monkeypatch.setattr(outside._Child, "rows", until_killed)
    rows = "".join(f"A-{n},圆通,YT26{n:011d},2026-09-09 09:00:00\n" for n in range(1, 1000))
    drop.put("big.csv", f"{HEAD}X-1,圆通,坏,2026-09-09 09:00:00\n{rows}")
    drop.settle()
    names = ["big.csv", "big.csv.rejected.csv", "big.csv.verdict.txt"]
    assert drop.tree() == [f"refused/{each}" for each in names]
    verdict = (drop.folder / "refused" / names[2]).read_text("utf-8")
    stands = database.read_now(lambda conn: conn.execute(text("SELECT count(*) FROM orders")).scalar_one())
    assert stands > 0
    assert f"前面 {stands} 行已经登记" in verdict
    assert "没有导入“" not in verdict
    told = database.read_now(lambda conn: conn.execute(text("SELECT refused FROM imports")).scalar_one())
    assert f"前面 {stands} 行已经登记" in told
    assert "X-1" in (drop.folder / "refused" / names[1]).read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("number", "left"), [(errno.EMFILE, True), (errno.ENFILE, True), (errno.EACCES, False)]
)
def test_only_what_the_owner_must_put_right_refuses_a_file(
    drop: Drop, monkeypatch: pytest.MonkeyPatch, number: int, left: bool
) -> None:
    real = os.open

    def fails(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith("a.csv"):
            raise OSError(number, os.strerror(number))
        return real(path, *rest, **more)

    drop.put("a.csv")
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fails)
        drop.settle()
    assert ("a.csv" in drop.tree(), "refused/a.csv" in drop.tree()) == (left, not left)


def test_the_verdict_says_which_time_was_used(drop: Drop) -> None:
    drop.put("订单_2026-09-01_00-00-00.csv")
    drop.put("订单.csv")
    drop.settle()
    said = {path.name: path.read_text("utf-8") for path in Path(drop.folder, "done").glob("*.verdict.txt")}
    assert "按文件名里的时间 2026-09-01 00:00" in said["订单_2026-09-01_00-00-00.csv.verdict.txt"]
    assert "按文件时间 " in said["订单.csv.verdict.txt"]
