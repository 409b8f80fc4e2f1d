"""The child that reads files of strangers: its limits, its end, and what its parent believes."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from domain.remote import Secret
from monitor.intake import outside
from monitor.intake.files import read_orders
from monitor.intake.frames import Garbled, Reader, file_frame, line_of, parsed, row_frames
from monitor.intake.outside import How, Limits, opened
from monitor.intake.tables import FileRefused
from monitor.intake.verdicts import RowKind, RowVerdict
from tests.intake.conftest import NOW, SHANGHAI
from tests.intake.workbook import package, sheet, workbook

HEAD = "order_no,carrier,waybill_no,paid_at,amount,tags\n"
MIXED = HEAD + (
    'A-1,圆通,YT2600000000001,2026-11-18 09:00:00,59.90,"大件,易碎"\n'
    "A-2,没有这家,YT2600000000002,昨天,-1,\n"
    "A-3,圆通,,2026-11-18 09:00:00,,\n"
    "合计,,,,,\n"
)


def written(folder: Path, content: str | bytes, name: str = "订单.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def outside_rows(path: Path, how: How = How(), **values: Limits) -> list[RowVerdict]:
    with opened(path, how, zone=SHANGHAI, now=NOW, **values) as file:
        return list(file.rows)


def without_raw(row: RowVerdict) -> RowVerdict:
    """The row as it comes over: its cells only where nothing else tells which row it is."""
    nameless = row.kind is RowKind.REJECTED or (row.kind is RowKind.IGNORED and row.order is None)
    return row if nameless else dataclasses.replace(row, raw=())


def test_a_file_reads_the_same_in_the_child(tmp_path: Path) -> None:
    """Every field of the file and of its rows; original cells come back only with rows that became no order."""
    path = written(tmp_path, MIXED)
    here = read_orders(path, zone=SHANGHAI, now=NOW)
    rows = [without_raw(row) for row in here.rows]
    with opened(path, How(), zone=SHANGHAI, now=NOW) as file:
        assert list(file.rows) == rows
        assert dataclasses.replace(file, rows=here.rows) == here
    assert [row.kind.value for row in rows] == ["shipment", "rejected", "awaiting", "ignored"]


def test_what_is_said_at_import_reaches_the_child(tmp_path: Path) -> None:
    path = written(tmp_path, "单,号\nA-1,YT2600000000001\n")
    mapping = {"order_no": "单", "waybill_no": "号"}
    [row] = outside_rows(path, How(mapping, "douyin", "甲店", "商家"))
    assert row.order is not None
    assert (row.order.platform, row.order.shop, row.order.merchant) == ("douyin", "甲店", "商家")


def test_the_name_people_call_it_by_is_the_one_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "x", name="f3a9")
    with (
        pytest.raises(FileRefused, match="ExportOrderList"),
        opened(path, How(), zone=SHANGHAI, now=NOW, name="ExportOrderList202611181920.csv"),
    ):
        pass
    path = written(tmp_path, MIXED, name="f3a9")
    with opened(path, How(), zone=SHANGHAI, now=NOW, name="ExportOrderList202611181920.csv") as file:
        assert (file.name, file.exported_at is not None) == ("ExportOrderList202611181920.csv", True)


def test_a_refusal_comes_over_with_the_columns_that_were_seen(tmp_path: Path) -> None:
    path = written(tmp_path, "甲,乙\n1,2\n")
    with pytest.raises(FileRefused) as refused:
        outside_rows(path)
    assert (refused.value.reason, refused.value.columns) == ("unrecognised", ("甲", "乙"))


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────


def test_more_memory_than_it_may_have_is_a_refusal(tmp_path: Path) -> None:
    rows = [[f"{n * 7919 + at:040x}" for at in range(60)] for n in range(3000)]
    wide = package({"Sheet1": sheet([["order_no", "carrier", "waybill_no"], *rows])})
    path = written(tmp_path, wide, "a.xlsx")
    with pytest.raises(FileRefused, match="内存超过 48 MB") as refused:
        outside_rows(path, limits=Limits(memory=48 << 20))
    assert refused.value.reason in ("memory", "crashed")


def test_more_time_than_it_may_take_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="超过 0 秒") as refused:
        outside_rows(written(tmp_path, MIXED), limits=Limits(seconds=0))
    assert refused.value.reason == "timeout"


def test_processor_time_is_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass"
    monkeypatch.setattr(outside, "PROGRAM", (sys.executable, "-c", busy))
    with pytest.raises(FileRefused) as refused:
        outside_rows(written(tmp_path, MIXED))
    assert refused.value.reason == "timeout"


def test_the_child_may_write_no_file_and_start_no_process(tmp_path: Path) -> None:
    probe = (
        "import resource as r\nfrom monitor.intake.child import _limit\n_limit(1 << 30, 120)\n"
        "print([r.getrlimit(each)[0] for each in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE, r.RLIMIT_NPROC)])"
    )
    told = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert json.loads(told.stdout) == [1 << 30, 120, 0, 0]


BOMBS = {
    "a zip bomb": (
        lambda: package({"Sheet1": sheet([["order_no"]])}, more={"xl/media/a.xml": bytes(11 << 20)}),
        "too_large_unpacked",
    ),
    "an archive in a workbook": (
        lambda: package({"S": sheet([["order_no"]])}, more={"xl/embeddings/a.xlsx": workbook([["a"]])}),
        "nested_archive",
    ),
    "one cell far out": (
        lambda: package(
            {"S": sheet([["order_no"]]).replace("</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')}
        ),
        "too_many_columns",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_would_blow_up_is_refused_in_the_child(tmp_path: Path, bomb: str) -> None:
    make, reason = BOMBS[bomb]
    with pytest.raises(FileRefused) as refused:
        outside_rows(written(tmp_path, make(), "a.xlsx"))
    assert refused.value.reason == reason


def test_a_csv_in_two_encodings_loses_only_the_lines_of_the_second(tmp_path: Path) -> None:
    """Two exports were put together: what does not decode is rejected row by row, its neighbours are not."""
    utf8 = "order_no,carrier,waybill_no,warehouse\n" + "".join(
        f"A-{n},圆通,YT260000000000{n},一号仓\n" for n in range(3)
    )
    mixed = (
        utf8.encode()
        + "B-1,圆通,YT2600000000009,二号仓\n".encode("gb18030")
        + "A-9,圆通,YT2600000000008,\n".encode()
    )
    rows = outside_rows(written(tmp_path, mixed))
    assert [row.kind.value for row in rows] == ["shipment"] * 3 + ["rejected", "shipment"]
    assert {each.reason for each in rows[3].problems} == {"bad_encoding"}
    assert [row.line for row in rows] == [2, 3, 4, 5, 6]


# ── its end ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        pytest.param("import os; os.abort()", "memory", id="aborts, as an allocation that fails in Rust does"),
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed", id="killed"),
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed", id="segfault"),
        pytest.param("pass", "crashed", id="says nothing"),
        pytest.param("print('{\"file\": 1}')", "crashed", id="says nonsense"),
        pytest.param("print('[]')", "crashed", id="says a list"),
        pytest.param("print('x' * 5_000_000)", "crashed", id="a line without an end"),
        pytest.param("print('[' * 100_000)", "crashed", id="nested without an end"),
        pytest.param("print('{\"refused\": [1, 2, 3]}')", "crashed", id="refuses without reason"),
    ],
)  # fmt: skip
def test_however_the_child_ends_it_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    quiet = f"import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{program}"
    monkeypatch.setattr(outside, "PROGRAM", (sys.executable, "-c", quiet))
    with pytest.raises(FileRefused) as refused:
        outside_rows(written(tmp_path, MIXED))
    assert refused.value.reason == reason
    assert "再导入" in str(refused.value), "and what to do is said"


@pytest.mark.parametrize(
    ("program", "said", "unsaid"),
    [
        pytest.param(
            "os.kill(os.getpid(), 9)", "被系统终止（多半是内存不够）", "1024 MB", id="by the system"
        ),
        pytest.param("os.abort()", "内存超过 1024 MB", "被系统终止", id="by its own limit"),
    ],
)
def test_a_limit_is_blamed_only_where_it_was_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str, unsaid: str
) -> None:
    quiet = f"import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); {program}"
    monkeypatch.setattr(outside, "PROGRAM", (sys.executable, "-c", quiet))
    with pytest.raises(FileRefused, match=re.escape(said)) as refused:
        outside_rows(written(tmp_path, MIXED))
    assert unsaid not in str(refused.value)


def test_rows_before_the_end_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that dies midway leaves what it had said."""
    here = read_orders(written(tmp_path, MIXED), zone=SHANGHAI, now=NOW)
    said = b"".join(map(line_of, [file_frame(here), *row_frames(here.rows)]))
    (tmp_path / "said").write_bytes(said)
    program = f"import sys; sys.stdout.buffer.write(open({str(tmp_path / 'said')!r}, 'rb').read())"
    monkeypatch.setattr(outside, "PROGRAM", (sys.executable, "-c", program))
    rows = []
    with (
        pytest.raises(FileRefused),
        opened(tmp_path / "订单.csv", How(), zone=SHANGHAI, now=NOW) as file,
    ):
        rows.extend(file.rows)
    assert len(rows) == 4


def test_nobody_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving early ends the child, by its id; it is waited for."""
    path = written(tmp_path, HEAD + "".join(f"A-{n},圆通,YT26{n:011d},,,\n" for n in range(50_000)))
    ids: list[int] = []
    original = subprocess.Popen

    def noted(*args: object, **values: object) -> subprocess.Popen[bytes]:
        process = original(*args, **values)  # type: ignore[call-overload]
        ids.append(process.pid)
        return process  # type: ignore[no-any-return]

    monkeypatch.setattr(outside.subprocess, "Popen", noted)
    with opened(path, How(), zone=SHANGHAI, now=NOW) as file:
        assert next(file.rows).line == 2
    with pytest.raises(ProcessLookupError):
        os.kill(ids[0], 0)


# ── what the parent believes ─────────────────────────────────────────────────────────────────────────

ROW = [2, "shipment", None, [], "", [], [], [], None, "", 0, []]


@pytest.mark.parametrize(
    "row",
    [
        [],
        None,
        {"line": 1},
        ["2", *ROW[1:]],
        [-1, *ROW[1:]],
        [True, *ROW[1:]],
        [2, "eaten", *ROW[2:]],
        [*ROW[:2], ["A"], *ROW[3:]],
        [*ROW[:3], [["yuantong", 1, False]], *ROW[4:]],
        [*ROW[:4], "13812345678", *ROW[5:]],
        [*ROW[:8], 10**30, *ROW[9:]],
        [*ROW[:8], "2026", *ROW[9:]],
        [*ROW[:10], 7, []],
        [*ROW[:11], [1]],
    ],
    ids=repr,
)
def test_a_row_that_is_none_is_not_believed(row: object) -> None:
    reader = Reader("订单.csv")
    list(reader.rows({"header": ["order_no"]}))
    with pytest.raises(Garbled):
        list(reader.rows({"rows": [row]}))
    assert next(iter(reader.rows({"rows": [ROW]}))).line == 2


@pytest.mark.parametrize("amount", ["nan", "-1", "1e99", "x", 5])
def test_an_amount_that_is_none_is_not_believed(tmp_path: Path, amount: object) -> None:
    here = read_orders(written(tmp_path, MIXED), zone=SHANGHAI, now=NOW)
    header, rows = row_frames(here.rows)
    rows["rows"][0][2][-2] = amount
    reader = Reader("订单.csv")
    list(reader.rows(header))
    with pytest.raises(Garbled):
        list(reader.rows(parsed(line_of(rows))))


def test_a_password_is_asked_of_nobody_but_the_child(tmp_path: Path) -> None:
    how = How(password=Secret("x1y2"))
    assert "x1y2" not in repr(how)
    assert outside_rows(written(tmp_path, MIXED), how)


def test_rejected_cells_are_handed_back_within_a_bound(tmp_path: Path) -> None:
    """A row as large as the file is not carried about whole."""
    rows = [
        ["order_no", "carrier", "waybill_no"],
        ["A-1", "没有这家", "YT2600000000001", *["长" * 30_000] * 40],
    ]
    rows[0] += [f"列{n}" for n in range(40)]
    [row] = outside_rows(written(tmp_path, workbook(rows), "a.xlsx"))
    assert row.kind is RowKind.REJECTED
    assert sum(map(len, map(str, row.raw))) <= 8 * 32_767
    assert len(row.raw) == 43


# ── long sheets ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("numbered", [True, False], ids=["with row numbers", "without"])
def test_a_long_sheet_in_windows_reads_as_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbered: bool
) -> None:
    """Merged cells over a window's edge, blank rows, a first column without anything, numbers and texts."""
    rows: list[list[str | float | None]] = [["", "备注"], [None, "订单号", "快递公司", "快递单号", "金额"]]
    for n in range(900):
        rows.append(
            [None, f"D-{n}" if n % 3 == 0 else None, "圆通", f"YT26{n:011d}", n + 0.5] if n % 50 else []
        )
    body = sheet(rows, merged=[f"B{at}:B{at + 1}" for at in range(6, 900, 51)], extra="<autoFilter/>")
    if not numbered:
        body = re.sub(r'(<row|<c) r="\w+"', r"\1", body)
    path = written(tmp_path, package({"说明": sheet([["无"]]), "发货": body}), "a.xlsx")
    whole = [
        (row.line, row.kind, row.order, row.waybills)
        for row in read_orders(path, zone=SHANGHAI, now=NOW).rows
    ]
    monkeypatch.setattr("monitor.intake.long_sheets.LONG", 1000)
    monkeypatch.setattr("monitor.intake.long_sheets.WINDOW", 7000)
    monkeypatch.setattr("monitor.intake.long_sheets._CHUNK", 500)
    cut = [
        (row.line, row.kind, row.order, row.waybills)
        for row in read_orders(path, zone=SHANGHAI, now=NOW).rows
    ]
    assert cut == whole
    assert len(whole) > 800


def test_a_long_sheet_with_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.intake.long_sheets.LONG", 1000)
    body = sheet([["order_no", "carrier", "waybill_no"]]).replace(
        "</sheetData>", "<row></row>" * 500_021 + "</sheetData>"
    )
    with pytest.raises(FileRefused) as refused:
        read_orders(written(tmp_path, package({"S": body}), "a.xlsx"), zone=SHANGHAI, now=NOW)
    assert refused.value.reason == "too_many_rows"


def test_an_archive_that_is_no_workbook_in_the_child(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("订单.csv", MIXED)
    with pytest.raises(FileRefused, match="先解压"):
        outside_rows(tmp_path / "a.zip")
