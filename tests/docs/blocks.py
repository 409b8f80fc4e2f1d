"""The command blocks of a Markdown document, as a reader would type them.

A block is fenced and called `console`. A line after `$ ` is a command; lines after `> `, and lines after one
that ends in a backslash, go on with it; all others are what it prints. What the page does not show stands
in HTML comments:

`<!-- starts from: configured -->`  the folder the document begins in (`stage.py`); before the first block
`<!-- by hand: COMMAND -->`         what the reader does with an editor, as a command
`<!-- exits 2 -->`                  the next block's commands end with this code
`<!-- runs until stopped -->`       the next block's command goes on until the document ends, then it gets SIGTERM
`<!-- after a while -->`            the next block's commands are repeated until they print what is shown
`<!-- not run: WHY -->`             the next block needs what no test has (root, an account): its words are checked
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

FENCE = re.compile(r"^(?P<indent>\s*)(?P<ticks>`{3,})(?P<language>[^\s`]*)\s*$")
_COMMENT = re.compile(r"^\s*<!--\s*(?P<word>.*?)\s*-->\s*$")
_KNOWN = re.compile(
    r"(?:exits (?P<exits>\d+)|(?P<stays>runs until stopped)|(?P<later>after a while)"
    r"|not run: (?P<idle>\S.*)|by hand: (?P<hand>\S.*)|starts from: (?P<start>\S+))"
)


class Unclear(ValueError):
    """A document that cannot be run as it is written; says where."""


@dataclass(frozen=True)
class Command:
    """One command, and how it is to be run."""

    line: int
    """Of the document, from 1."""
    text: str
    shown: tuple[str, ...] = ()
    """The lines the document says it prints."""
    exits: int = 0
    stays: bool = False
    later: bool = False
    idle: str = ""
    """Why it is not run, or nothing."""
    hand: bool = False
    """Not shown to the reader, who does it with an editor."""


@dataclass(frozen=True)
class Document:
    """What a document has its reader do, in order."""

    start: str
    commands: tuple[Command, ...]


def read(path: Path) -> Document:
    """A document from its file. Raises `Unclear`."""
    return parse(path.read_text("utf-8"))


def parse(text: str) -> Document:
    """A document from its text. Raises `Unclear`."""
    start, commands, how = "fresh", list[Command](), Command(0, "")
    for line, kind, lines in _pieces(text):
        if kind == "console":
            commands += _typed(line, lines, how)
            how = Command(0, "")
        elif kind == "comment":
            found = _KNOWN.fullmatch(lines[0])
            if found is None:
                continue
            if found["start"]:
                start = found["start"]
            elif found["hand"]:
                commands.append(Command(line, found["hand"], hand=True))
            else:
                how = _more(how, found)
        elif kind == "text" and how != Command(0, ""):
            raise Unclear(f"line {line}: a comment says how a block is run, but no `console` block follows")
    return Document(start, tuple(commands))


def fences(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Every fenced block: its first line, its language, its lines."""
    for line, kind, lines in _pieces(text):
        if kind not in ("text", "comment"):
            yield line, kind.removeprefix("fence:"), lines


def _more(how: Command, found: re.Match[str]) -> Command:
    return replace(
        how,
        exits=int(found["exits"] or how.exits),
        stays=how.stays or bool(found["stays"]),
        later=how.later or bool(found["later"]),
        idle=found["idle"] or how.idle,
    )


def _pieces(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Line, kind (`text`, `comment`, a fence's language) and lines; blank lines between blocks are left out."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opened, comment = FENCE.match(lines[at]), _COMMENT.match(lines[at])
        if opened:
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == opened["ticks"]), None)
            if end is None:
                raise Unclear(f"line {at + 1}: a block that does not end")
            inside = [each.removeprefix(opened["indent"]) for each in lines[at + 1 : end]]
            yield at + 1, opened["language"] or "fence:", inside
            at = end
        elif comment:
            yield at + 1, "comment", [comment["word"]]
        elif lines[at].strip():
            yield at + 1, "text", [lines[at]]
        at += 1


def _typed(first: int, lines: list[str], how: Command) -> Iterator[Command]:
    """The commands of one block."""
    now: Command | None = None
    for n, line in enumerate(lines, first + 1):
        if line.startswith("$ "):
            if now is not None:
                yield now
            now = replace(how, line=n, text=line[2:].strip(), shown=())
        elif now is None:
            raise Unclear(f"line {n}: a block begins with a command, after a dollar sign and a blank")
        elif not now.shown and (line.startswith("> ") or line == ">"):
            now = replace(now, text=f"{now.text}\n{line[2:]}")
        elif not now.shown and now.text.endswith("\\"):
            now = replace(now, text=f"{now.text}\n{line}")
        elif line.strip():
            now = replace(now, shown=(*now.shown, line.strip()))
    if now is None:
        raise Unclear(f"line {first}: an empty block")
    yield now


def misses(shown: tuple[str, ...], printed: str) -> str:
    """The first line of `shown` that was not printed, or nothing.

    Loosely: in this order, each as part of a line, blanks folded, and `…` stands for anything.
    """
    rest = [_folded(line) for line in printed.splitlines()]
    for line in shown:
        wanted = re.compile(".*?".join(map(re.escape, re.split(r"\s*…\s*", _folded(line)))))
        found = next((n for n, each in enumerate(rest) if wanted.search(each)), None)
        if found is None:
            return line
        rest = rest[found + 1 :]
    return ""


def _folded(line: str) -> str:
    return " ".join(line.split())
