"""The line tables beside the configuration: `lines/douyin.toml` or `lines/douyin.csv`, named after the profile."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from monitor.calendars import files_of, refuse
from monitor.config.file import ConfigError, Problem, read_toml
from rules.lines import Lines, parse_lines

__all__ = ["load_lines"]

_HEADINGS: Final = {"from": "from", "to": "to", "days": "days", "始发": "from", "到达": "to", "天数": "days"}
_LARGEST: Final = 20_000_000
"""Bytes; every pair of China's cities is a tenth of it."""


def load_lines(folder: Path | None) -> dict[str, Lines]:
    """The table of each profile, from the files in `folder`/lines. Raises ConfigError with every mistake."""
    found: dict[str, Lines] = {}
    if folder is None:
        return found
    wrong: list[ConfigError] = []
    for file in files_of(folder / "lines", ".toml", ".csv"):
        try:
            if file.stem in found:
                reason = f"{file.stem} 的线路表只能有一份，TOML 和 CSV 留一个"
                raise ConfigError([Problem(0, "", reason)], file)
            found[file.stem] = _toml(file) if file.suffix == ".toml" else _csv(file)
        except ConfigError as error:
            wrong.append(error)
    refuse(wrong)
    return found


def _toml(file: Path) -> Lines:
    document = read_toml(file)
    unknown = sorted(document.data.keys() - {"lines"})
    if unknown:
        raise ConfigError(
            [document.problem((key,), f"不认识的配置项 {key}；可用的有：lines") for key in unknown], file
        )
    lines, declined = parse_lines(document.data.get("lines", []))
    document.refuse(declined)
    assert lines is not None
    return lines


def _csv(file: Path) -> Lines:
    rows = list(_rows(file))
    lines, declined = parse_lines([row for _, row in rows])
    if declined:
        lined = [rows[n][0] if isinstance(n := each.path[1], int) else 0 for each in declined]
        problems = (
            Problem(line, str(each.path[-1]), each.reason) for line, each in zip(lined, declined, strict=True)
        )
        raise ConfigError(problems, file)
    assert lines is not None
    return lines


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with its line in the file; days as a number where they are one."""
    reader = csv.reader(io.StringIO(_text(file), newline=""))
    headings = [_HEADINGS.get(name.strip(), name.strip()) for name in next(reader, [])]
    if set(headings) != {"from", "to", "days"} or len(headings) != 3:
        raise ConfigError([Problem(1, "", "第一行要有三列：from,to,days，或 始发,到达,天数")], file)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(headings):
            reason = '要有三列；城市写成"省,市"时加引号'
            raise ConfigError([Problem(reader.line_num, "", reason)], file)
        row: dict[str, Any] = dict(zip(headings, (cell.strip() for cell in cells), strict=True))
        days = row["days"]
        yield reader.line_num, {**row, "days": int(days) if days.isascii() and days.isdecimal() else days}


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise ConfigError([Problem(0, "", "线路表太大")], file)
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(0, "", f"读不了：{error.strerror or error}")], file) from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigError([Problem(0, "", "不是 UTF-8，也不是 GB18030 编码")], file)
