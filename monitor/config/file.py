"""A TOML file as data with line numbers, and the one error that lists everything wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from monitor.config.lines import KeyPath, Lines, find_lines, spelled
from rules.declare import Declined

__all__ = ["ConfigError", "Document", "Problem", "read_toml"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: where, what is wrong, what to write instead. Line 0 is the file as a whole."""

    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        where = f"第 {self.line} 行" if self.line else "文件"
        key = f" `{self.path}`" if self.path else ""
        return f"{where}{key}：{self.reason}"


class ConfigError(Exception):
    """The operator acts, before the start: everything that is wrong with a file, by line."""

    def __init__(self, problems: Iterable[Problem], file: Path) -> None:
        self.problems: Final = sorted(problems)
        self.file: Final = file
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        return f"{self.file} 有 {len(self.problems)} 处要改：\n{lines}"


@dataclass(frozen=True, slots=True)
class Document:
    """A file that is TOML."""

    file: Path
    data: Mapping[str, Any]
    lines: Lines

    def problem(self, path: KeyPath, reason: str) -> Problem:
        """A mistake at `path`, with its line."""
        return Problem(self.lines.of(path), spelled(path), reason)

    def refuse(self, declined: Sequence[Declined]) -> None:
        """Raises ConfigError when there is any mistake."""
        if declined:
            raise ConfigError({self.problem(each.path, each.reason) for each in declined}, self.file)


def read_toml(file: Path) -> Document:
    """The file's tables and their lines. Raises ConfigError: missing, unreadable, not UTF-8, not TOML."""
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        reason = "没有这个文件。可以从 config/parcelwatch.example.toml 复制一份再改，或用 -c 指明位置"
        raise ConfigError([Problem(0, "", reason)], file) from None
    except PermissionError:
        raise ConfigError([Problem(0, "", "没有读取权限。请检查文件的属主和权限")], file) from None
    except OSError as error:
        raise ConfigError([Problem(0, "", f"读不了：{error.strerror or error}")], file) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(line, "", "不是 UTF-8 编码。请用编辑器另存为 UTF-8")], file) from None
    try:
        return Document(file, tomllib.loads(text), find_lines(text))
    except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits
        raise ConfigError([_syntax(str(error), text)], file) from None
    except RecursionError:
        raise ConfigError([Problem(0, "", "方括号或花括号嵌套得太深")], file) from None


_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_MEANING: Final[Sequence[tuple[str, str]]] = (
    ("Cannot overwrite a value", "这个配置项在同一张表里写了两遍，留一个"),
    ("Duplicate inline table key", "花括号里同一个配置项写了两遍，留一个"),
    ("Cannot declare", "这张表写了两遍：合成一张；要写多条就用两对方括号，如 [[channels]]"),
    ("Cannot mutate immutable", "花括号或方括号里写完的内容不能在别处再添，请合到一处"),
    ("Cannot redefine namespace", "这张表已在别处写过，请合到一处"),
    ("Expected '=' after a key", "配置项后面要有等号：名字 = 值"),
    ("Expected newline or end of document", "一行只能写一个配置项；文字要放在引号里"),
    ("Unclosed array", "方括号没有配对，或两项之间少了逗号"),
    ("Unclosed inline table", "花括号没有配对，或两项之间少了逗号；花括号要写在一行里"),
    ("Expected ']", "表头的方括号没有配对"),
    ("Unterminated string", "引号没有配对"),
    ("Expected \"'", "引号没有配对"),
    ("Illegal character '\\n'", "引号没有配对（一行之内要关上）"),
    ("Unescaped '\\'", "反斜杠要写成 \\\\，或改用单引号"),
    ("Invalid date or datetime", "日期时间写得不对，应如 2026-09-01T00:00:00+08:00"),
    (
        "Invalid initial character for a key part",
        "配置项的名字写得不对：用英文字母、数字、_ 和 -，别的要加引号；花括号要写在一行里",
    ),
    ("Invalid statement", "看不懂这一行：应是 名字 = 值，或 [表头]"),
    ("Invalid value", "等号后面的值写得不对：文字要加英文引号，是否写成 true 或 false"),
)
_FULL_WIDTH: Final = re.compile("[“”‘’＝［］｛｝【】，＂＇．]")


def _syntax(message: str, text: str) -> Problem:
    """What `tomllib` says, in Chinese, with the line it stopped at."""
    place = _PLACE.search(message)
    said = message[: place.start()] if place else message
    rows = text.split("\n")
    line = int(place[1]) if place and place[1] else _last_whole(rows) + 1
    meaning = next((zh for start, zh in _MEANING if said.startswith(start)), f"不是合法的 TOML：{said}")
    odd = _FULL_WIDTH.search(rows[line - 1].partition("#")[0]) if line <= len(rows) else None
    hint = f"。这一行有全角符号 {odd[0]}，请改成半角" if odd else ""
    return Problem(line, "", meaning + hint)


def _last_whole(rows: Sequence[str]) -> int:
    """How many lines can be read before the statement that never ends."""
    for count in range(len(rows) - 1, 0, -1):
        try:
            tomllib.loads("\n".join(rows[:count]))
        except ValueError:
            continue
        return count
    return 0
