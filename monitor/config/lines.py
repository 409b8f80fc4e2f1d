"""Where in a TOML text each key stands, so that a mistake can be named with its line.

`tomllib` gives values without positions. This reads a text that `tomllib` has already accepted, only
for its structure (TOML 1.0.0: keys, tables, arrays of tables, inline tables), and checks nothing.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["KeyPath", "Lines", "find_lines", "spelled"]

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and positions from the top: `("providers", 0, "carriers", 2)`."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*+")
_KEY: Final = re.compile(r'[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|\'[^\'\n]*+\'')
_TEXT: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE: Final = re.compile(r"[^,\]}\n#]++")
_PLAIN_KEY: Final = re.compile(r"[\w-]+")


class Lines:
    """The line of every key, table and array item of one text."""

    def __init__(self, found: Mapping[KeyPath, int]) -> None:
        self.found: Final = found

    def of(self, path: KeyPath) -> int:
        """The line of `path`, or of the nearest table around it that was written; 1 for the top."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.found:
                return self.found[path[:end]]
        return 1


def spelled(path: KeyPath) -> str:
    """A path as people write it: `providers[0].carriers`; a key that needs quotes has them."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _PLAIN_KEY.fullmatch(part) else f'"{part}"'
            text += f".{key}" if text else key
    return text


def find_lines(text: str) -> Lines:
    """The lines of a text that `tomllib` accepts, counted from 1."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.run()
    return Lines(scanner.found)


class _Scanner:
    """Walks the text once, from the left."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._sizes: dict[KeyPath, int] = {}
        """How many tables each array of tables has so far."""
        self.found: dict[KeyPath, int] = {}

    def run(self) -> None:
        table: KeyPath = ()
        before = -1
        self._read(_BLANK)
        while self._at < len(self._text) and self._at != before:
            before = self._at
            if self._take("[["):
                table = self._header(array=True)
            elif self._take("["):
                table = self._header(array=False)
            else:
                self._pair(table)
            self._read(_BLANK)

    def _header(self, *, array: bool) -> KeyPath:
        line = self._line()
        keys = self._keys()
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._last((*path, key), line)
        path = (*path, keys[-1])
        if array:
            self.found.setdefault(path, line)
            self._sizes[path] = self._sizes.get(path, 0) + 1
            path = (*path, self._sizes[path] - 1)
        self.found[path] = line
        self._read(_BLANK)
        self._take("]]" if array else "]")
        return path

    def _last(self, path: KeyPath, line: int) -> KeyPath:
        """`path`, or its newest table where it is an array of tables."""
        self.found.setdefault(path, line)
        return (*path, self._sizes[path] - 1) if path in self._sizes else path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.found.setdefault(path, line)
        self._read(_BLANK)
        self._take("=")
        self._read(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._take("["):
            self._items(path)
        elif self._take("{"):
            self._read(_BLANK)
            while not self._take("}") and self._at < len(self._text):
                self._pair(path)
                self._read(_BLANK)
                self._take(",")
                self._read(_BLANK)
        elif not self._read(_TEXT):
            self._read(_BARE)

    def _items(self, path: KeyPath) -> None:
        count = 0
        self._read(_BLANK)
        while not self._take("]") and self._at < len(self._text):
            self.found[*path, count] = self._line()
            self._value((*path, count))
            count += 1
            self._read(_BLANK)
            self._take(",")
            self._read(_BLANK)

    def _keys(self) -> list[str]:
        """One key, or several with dots between."""
        keys = []
        while True:
            self._read(_BLANK)
            keys.append(_unquoted(self._read(_KEY)))
            self._read(_BLANK)
            if not self._take("."):
                return keys

    def _read(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _take(self, mark: str) -> bool:
        found = self._text.startswith(mark, self._at)
        self._at += len(mark) if found else 0
        return found

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1


def _unquoted(key: str) -> str:
    """A key without its quotes and escapes."""
    if key[:1] not in ("'", '"'):
        return key
    value: str = tomllib.loads(f"k = {key}")["k"]
    return value
