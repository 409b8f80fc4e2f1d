"""Every key of a TOML text has the line it was written on, however it was written."""

from __future__ import annotations

import itertools
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.lines import KeyPath, find_lines, spelled


def every_path(value: Any, at: KeyPath = ()) -> set[KeyPath]:
    """All keys and positions in parsed TOML."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path for key, each in rows for path in ({(*at, key)} | every_path(each, (*at, key)))}


def line_of(text: str, *path: str | int) -> int:
    return find_lines(text).of(path)


CONTRACT = """\
timezone = "Asia/Shanghai"

[web] # the console
port = 8000

[[providers]]
name = "k100"
carriers = ["zhongtong", "yuantong",
            "shunfeng"]
ceilings = {per_waybill_interval = "30m", per_second = 20}

[[policies]]
name = "flagship"
rules.transit_stagnation = {limit = "48h", warn = ["24h", "8h"]}
rules.paid_to_signed.limit = "52h"
[[policies.overrides]]
match = {receiver_province = ["新疆", "西藏"]}
rules.transit_stagnation = {limit = "120h"}
[policies.overrides.rules.paid_to_signed]
limit = "90h"

[[policies]]
name = "others"
  [[policies.overrides]]
  rules.x.limit = "1h"
  [[policies.overrides]]
  rules.y.limit = "2h"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param(("timezone",), 1, id="a key at the top"),
        pytest.param(("web",), 3, id="a table is where its header is"),
        pytest.param(("web", "port"), 4, id="a key in a table"),
        pytest.param(("providers", 0), 6, id="a table of an array"),
        pytest.param(("providers", 0, "carriers", 2), 9, id="an item on a later line of its array"),
        pytest.param(("providers", 0, "ceilings", "per_second"), 10, id="a key of an inline table"),
        pytest.param(
            ("policies", 0, "rules", "transit_stagnation", "warn", 1), 14, id="dotted, inline, list"
        ),
        pytest.param(("policies", 0, "rules", "paid_to_signed", "limit"), 15, id="dotted to the end"),
        pytest.param(("policies", 0, "overrides", 0), 16, id="an array inside the last table of an array"),
        pytest.param(
            ("policies", 0, "overrides", 0, "rules", "transit_stagnation", "limit"), 18, id="override"
        ),
        pytest.param(("policies", 0, "overrides", 0, "rules", "paid_to_signed", "limit"), 20, id="sub-table"),
        pytest.param(("policies", 1, "name"), 23, id="the second table of an array"),
        pytest.param(
            ("policies", 1, "overrides", 1, "rules", "y", "limit"), 27, id="its own second override"
        ),
        pytest.param(("policies", 1, "overrides", 1, "match"), 26, id="a missing key: the table around it"),
        pytest.param(("nowhere", 3), 1, id="nothing of it is there: the top"),
    ],
)
def test_a_key_has_its_line(path: KeyPath, line: int) -> None:
    assert line_of(CONTRACT, *path) == line


def test_every_path_of_the_contract_is_found() -> None:
    assert set(find_lines(CONTRACT).found) == every_path(tomllib.loads(CONTRACT))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a = """\nb = 1\n[c]\n"""\nz = 1\n', id="keys inside a multi-line text"),
        pytest.param("a = '''\n''b = 1\n[c]'''''\nz = 1\n", id="quotes beside the closing ones"),
        pytest.param('a = """x\\"""" # ]\nz = 1\n', id="an escaped quote at the end"),
        pytest.param('a = """x""""\nb = """""x"""""\nz = 1\n', id="double quotes beside the closing ones"),
        pytest.param('a = [ # [\n "]", # ]\n [1,\n 2],]\nz = 1\n', id="brackets in comments and texts"),
        pytest.param('a = {b = "}", c = {d = [{e = 1}]}}\nz = 1\n', id="nested inline tables"),
        pytest.param(
            '"a.b" . c . \'d e\' = 1\n[ "x y" . z ]\nz = 1\n', id="quoted keys and blanks around dots"
        ),
        pytest.param(
            "a = 1979-05-27 07:32:00 # t\r\nb = -1.5e3\r\n[[ c ]]\r\nz=1", id="CRLF, no end of line"
        ),
        pytest.param("[a.b]\nx = 1\n[a]\ny = 2\n[[a.c.d]]\nz = 1\n", id="parents written later"),
        pytest.param('"\\u4e2d" = "\\\\"\n"" = 1\nz = 1\n', id="escapes in keys, the empty key"),
        pytest.param("", id="nothing"),
        pytest.param("# only words", id="only a comment"),
    ],
)
def test_what_tomllib_accepts_is_read_to_its_end(text: str) -> None:
    lines = find_lines(text).found

    assert set(lines) == every_path(tomllib.loads(text))
    if "z" in tomllib.loads(text):
        assert lines["z",] == text.count("\n")


SCALARS = (
    "1",
    "true",
    '"te#xt = ]}"',
    "'li]t'",
    '"e\\"\\\\"',
    '"""\n[x]\ny = 1"""',
    "'''\n''a''''",
    "1.5",
    "07:32:00",
)


class Page:
    """Writes TOML and remembers where each key went."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[KeyPath, int] = {}
        self.numbers = itertools.count()

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def key(self) -> str:
        """A name used nowhere else, with what needs quotes now and then."""
        return f"k{next(self.numbers)}{self.pick('', '', ' .[', '#=', '键')}"

    def mark(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def quoted(self, key: str) -> str:
        return key if key.isascii() and key.isalnum() else self.pick(f'"{key}"', f"'{key}'")

    def pair(self, table: KeyPath, depth: int) -> None:
        names = [self.key() for _ in range(self.pick(1, 1, 2, 3))]
        for n in range(len(names)):
            self.mark((*table, *names[: n + 1]))
        self.text += self.pick(".", " . ").join(map(self.quoted, names)) + self.pick("=", " = ")
        self.value((*table, *names), depth)

    def value(self, path: KeyPath, depth: int) -> None:
        kind = self.pick("scalar", "scalar", "array", "inline") if depth else "scalar"
        if kind == "scalar":
            self.text += self.pick(*SCALARS)
        elif kind == "array":
            self.text += "["
            for n in range(self.pick(0, 1, 3)):
                self.text += self.pick("", " ", "\n", " # ]\n  ")
                self.mark((*path, n))
                self.value((*path, n), depth - 1)
                self.text += self.pick(",", "\n,", " ,")
            self.text += "]"
        else:
            self.text += "{"
            for n in range(self.pick(0, 1, 2)):
                self.text += ", " if n else " "
                self.pair(path, depth - 1)
            self.text += " }"

    def pairs(self, table: KeyPath) -> None:
        for _ in range(self.pick(0, 1, 2)):
            self.text += self.pick("", "\n", "# [a]\n")
            self.pair(table, 2)
            self.text += self.pick("\n", " # b = 1\n")

    def sections(self, table: KeyPath, header: str, depth: int) -> None:
        for _ in range(self.pick(0, 1, 2) if depth else 0):
            name = self.key()
            full = f"{header}{self.quoted(name)}"
            for n in range(self.pick(1, 2)) if self.pick(True, False) else (None,):
                self.mark((*table, name))
                path = (*table, name) if n is None else (*table, name, n)
                self.mark(path)
                self.text += f"[{full}]\n" if n is None else f"[[{full}]]\n"
                self.pairs(path)
                self.sections(path, f"{full}.", depth - 1)


@st.composite
def pages(draw: st.DrawFn) -> Page:
    page = Page(draw)
    page.pairs(())
    page.sections((), "", 3)
    return page


@given(pages())
def test_whatever_is_written_where_is_found_there(page: Page) -> None:
    assert every_path(tomllib.loads(page.text)) == set(page.lines)
    assert find_lines(page.text).found == page.lines


def test_a_path_reads_as_people_write_it() -> None:
    assert spelled(("providers", 0, "carriers", 2)) == "providers[0].carriers[2]"
    assert spelled(("match", "x y")) == 'match."x y"'
    assert spelled(()) == ""
