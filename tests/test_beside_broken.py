"""Tables beside the configuration that are broken: every file is told in one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.calendars import load_almanacs
from monitor.config.file import ConfigError
from monitor.config.line_tables import load_lines


@pytest.mark.parametrize("kind", ["calendars", "lines"])
def test_every_broken_file_is_told_at_once(tmp_path: Path, kind: str) -> None:
    (tmp_path / kind).mkdir()
    for name in ("aa", "bb", "cc"):
        (tmp_path / kind / f"{name}.toml").write_text("x = \n", "utf-8")
    with pytest.raises(ConfigError) as error:
        load_lines(tmp_path) if kind == "lines" else load_almanacs(beside=tmp_path)
    told = str(error.value)
    assert all(f"{name}.toml" in told for name in ("aa", "bb", "cc"))
    assert len(error.value.problems) == 3


@pytest.mark.parametrize("kind", ["calendars", "lines"])
def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, kind: str) -> None:
    (tmp_path / kind).write_text("x", "utf-8")
    with pytest.raises(ConfigError, match="要是一个目录"):
        load_lines(tmp_path) if kind == "lines" else load_almanacs(beside=tmp_path)
