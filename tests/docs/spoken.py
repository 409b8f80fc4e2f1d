"""Whether a command somebody wrote down exists: its name, its subcommand, its options."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from monitor.cli import cli

_CALL = re.compile(r"(?<![\w./-])(?:\S*/)?parcelwatch(?=\s+(?:--)?[a-z])(?P<rest>[^\n;|&<>#`]*)")
_NAME = re.compile(r"[a-z][a-z-]*")


def problems_of(text: str) -> Iterator[str]:
    """What is wrong with each call of `parcelwatch` in a line, or in several."""
    for call in _CALL.finditer(text.replace("\\\n", " ")):
        yield from _problems(call["rest"].split(), call[0].strip())


def _problems(words: list[str], said: str) -> Iterator[str]:
    command: click.Command = cli
    known = _options(cli)
    for word in words:
        if isinstance(command, click.Group) and _NAME.fullmatch(word):
            found = command.get_command(click.Context(command), word)
            if found is None:
                yield f"`{said}`: there is no `{word}`"
                return
            command, known = found, known | _options(found)
        elif re.match(r"-{1,2}[a-zA-Z]", word) and word.partition("=")[0] not in known:
            yield f"`{said}`: there is no option `{word}`"


def _options(command: click.Command) -> set[str]:
    named = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return named | {"-h", "--help"}
