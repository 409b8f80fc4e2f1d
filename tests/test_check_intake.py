"""`check` on the drop folder: what would keep files from being taken is said before anybody waits for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.checking.lint_intake import odd_intake
from monitor.config.settings import load


def odd(folder: Path, text: str) -> list[str]:
    """What is said of a configuration with this in it."""
    path = folder / "parcelwatch.toml"
    path.write_text(text, "utf-8")
    return [what for _, what, _ in odd_intake(load(path, {}))]


def test_a_folder_that_can_be_used_is_not_worth_a_word(tmp_path: Path) -> None:
    (tmp_path / "inbox" / "done").mkdir(parents=True)
    assert odd(tmp_path, '[intake]\nfolder = "inbox"\n') == []
    assert odd(tmp_path, "") == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert ["还不存在，服务启动时才建" in each for each in odd(tmp_path, '[intake]\nfolder = "inbox"\n')] == [
        True
    ]
    (tmp_path / "file").write_text("x")
    assert ["也建不了" in each for each in odd(tmp_path, '[intake]\nfolder = "file/inbox"\n')] == [True]


@pytest.mark.parametrize("part", ["inbox", "inbox/done", "inbox/refused"])
def test_a_file_in_its_place(tmp_path: Path, part: str) -> None:
    (tmp_path / part).parent.mkdir(exist_ok=True)
    (tmp_path / part).write_text("x")
    assert f"{tmp_path / part} 不是目录" in odd(tmp_path, '[intake]\nfolder = "inbox"\n')


@pytest.mark.parametrize("part", ["inbox", "inbox/done", "inbox/refused"])
def test_one_that_may_not_be_used(tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked of the system, which tells the superuser that it may do anything."""
    (tmp_path / part).mkdir(parents=True)
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / part and may(path, mode))
    assert ["不能读写" in each for each in odd(tmp_path, '[intake]\nfolder = "inbox"\n')] == [True]


@pytest.mark.parametrize("folder", [".", "data", "backups", "data/store.db.intake", "link"])
def test_one_in_which_the_service_keeps_its_own(tmp_path: Path, folder: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    text = f'store = "sqlite:///data/store.db"\n[intake]\nfolder = "{folder}"\n[backup]\nfolder = "backups"\n'
    assert ["本系统自己的文件" in each for each in odd(tmp_path, text)] == [True]


@pytest.mark.parametrize(
    ("folder", "backup", "said"),
    [
        ("backups/inbox", "backups", "在备份目录"),
        ("inbox", "inbox/done/backups", "备份目录"),
        ("parcelwatch.db.intake/inbox", "backups", "在待确认的上传"),
    ],
)
def test_one_inside_another(tmp_path: Path, folder: str, backup: str, said: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    text = f'[intake]\nfolder = "{folder}"\n[backup]\nfolder = "{backup}"\n'
    assert [said in each for each in odd(tmp_path, text)] == [True]


def test_words_for_a_folder_that_is_not_set(tmp_path: Path) -> None:
    assert ["没有写 folder" in each for each in odd(tmp_path, '[intake]\nshop = "甲店"\n')] == [True]
