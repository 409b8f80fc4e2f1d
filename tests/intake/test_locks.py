"""Workbooks behind a password, by people who mean harm: each ends in its own words, and the child keeps its limits."""

from __future__ import annotations

import io
from pathlib import Path

import msoffcrypto
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from domain.remote import Secret
from monitor.intake.locks import decrypted
from monitor.intake.outside import How, Limits, opened
from monitor.intake.tables import FileRefused
from tests.intake.conftest import NOW, SHANGHAI
from tests.intake.workbook import letter, locked_workbook, old_workbook, package, sheet

ROWS = [["order_no", "carrier", "waybill_no"], ["A-1", "圆通", "YT2600000000001"]]
WORD = "x1y2"
LOCKED = locked_workbook(ROWS, WORD)
KEY = b'    <p:encryptedKey spinCount="100000"'


def refused(
    folder: Path, content: bytes, password: str | None = WORD, limits: Limits = Limits(seconds=20)
) -> tuple[str, str]:
    """The reason and the words of what the child makes of a file."""
    path = folder / "账.xlsx"
    path.write_bytes(content)
    how = How(password=Secret(password) if password else None)
    with (
        pytest.raises(FileRefused) as told,
        opened(path, how, zone=SHANGHAI, now=NOW, limits=limits) as file,
    ):
        list(file.rows)
    return told.value.reason, told.value.message


def spun(rounds: int) -> bytes:
    """The workbook, its password to be hashed so often; blanks before the tag make room for the digits."""
    assert KEY in LOCKED
    digits = str(rounds).encode()
    return LOCKED.replace(KEY, b'<p:encryptedKey spinCount="' + digits + b'"' + b" " * (10 - len(digits)))


def behind(members: dict[str, bytes]) -> bytes:
    """A package with these further members behind the password."""
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(package({"Sheet1": sheet(ROWS)}, more=members))).encrypt(WORD, out)
    return out.getvalue()


def test_the_right_password_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "账.xlsx"
    path.write_bytes(spun(100_000))
    with opened(path, How(password=Secret(WORD)), zone=SHANGHAI, now=NOW) as file:
        assert len(list(file.rows)) == 1


def test_a_wrong_password(tmp_path: Path) -> None:
    reason, words = refused(tmp_path, LOCKED, "wrong")
    assert reason == "wrong_password"
    assert "wrong" not in words


@pytest.mark.parametrize("left", [0.05, 0.3, 0.6, 0.9])
def test_one_cut_off(tmp_path: Path, left: float) -> None:
    reason, words = refused(tmp_path, LOCKED[: int(len(LOCKED) * left)])
    assert reason in ("damaged", "wrong_password", "encrypted", "not_a_table")
    assert "请" in words


@pytest.mark.parametrize("rounds", [1_000_001, 10_000_000, 999_999_999])
def test_a_password_that_takes_for_ever_is_not_even_tried(tmp_path: Path, rounds: int) -> None:
    """Two seconds of processor time would not do a million rounds: nothing was hashed."""
    reason, words = refused(tmp_path, spun(rounds), limits=Limits(seconds=2))
    assert reason == "bad_encryption"
    assert "去掉密码" in words


def test_a_bomb_behind_a_password(tmp_path: Path) -> None:
    reason, words = refused(tmp_path, behind({"xl/media/a.bin": bytes(12 << 20)}))
    assert reason == "too_large_unpacked"
    assert "400 MB" in words


@pytest.mark.parametrize("step", ["OfficeFile", "load_key", "decrypt"])
def test_memory_that_runs_out_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The child tells it as what it is."""

    def none_left(*told: object, **more: object) -> None:
        raise MemoryError

    where = msoffcrypto if step == "OfficeFile" else OOXMLFile
    monkeypatch.setattr(where, step, none_left)
    with pytest.raises(MemoryError):
        decrypted("账.xlsx", LOCKED, WORD)


@pytest.mark.parametrize("password", [None, WORD])
def test_an_old_workbooks_lock_is_not_opened_and_says_so(tmp_path: Path, password: str | None) -> None:
    reason, words = refused(tmp_path, old_workbook(ROWS, locked=True), password)
    assert reason == "old_encryption"
    assert "另存为 XLSX" in words


def test_a_container_that_is_no_workbook(tmp_path: Path) -> None:
    assert refused(tmp_path, letter())[0] == "not_a_table"
