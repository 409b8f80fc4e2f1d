"""The reference misses nothing: commands, options, keys, rules, exit codes, metrics, problems and alerts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from monitor.cli import cli
from monitor.cli.errors import CHANGE
from monitor.config.schema import schema
from monitor.profiles import load_profiles
from tests.docs.blocks import fences
from tests.docs.reference import FOLDER, pages

DOCS = FOLDER.parent
ROOT = DOCS.parent
RUNBOOK = (DOCS / "runbook.md").read_text("utf-8")


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_what_the_program_tells_is_what_the_page_says(path: Path) -> None:
    assert path.read_text("utf-8") == pages()[path], "out of date: make reference"


def test_no_command_and_no_option_is_missing() -> None:
    text = (FOLDER / "commands.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (parcelwatch [^\n]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    for path, command in _commands(cli, "parcelwatch"):
        names = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
        assert {name for name in names if f"`{name}" not in sections[path]} == set(), path


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def test_no_key_of_the_configuration_is_missing() -> None:
    text = (FOLDER / "configuration.md").read_text("utf-8")
    wanted = set(_keys(schema()))
    assert {"deadman", "retention", "per_waybill_daily", "group_id", "very_remote"} <= wanted
    missing = {
        key for key in wanted if not re.search(rf"^(## {key}$|\| `(\w+\.)*{key}` )", text, re.MULTILINE)
    }
    assert missing == set()


def _keys(node: Any) -> Iterator[str]:
    """Every key a configuration may have, wherever it stands in the schema."""
    if isinstance(node, Mapping):
        if isinstance(node.get("properties"), Mapping):
            yield from node["properties"]
        for each in node.values():
            yield from _keys(each)
    elif isinstance(node, list):
        for each in node:
            yield from _keys(each)


def test_no_rule_is_missing() -> None:
    text = (FOLDER / "rules.md").read_text("utf-8")
    for profile in load_profiles().values():
        assert f"## {profile.id}\n" in text
        assert {rule for rule in profile.rules if f"| `{rule}` |" not in text} == set()


def test_the_runbook_has_a_section_for_every_alert_rule() -> None:
    rules = re.findall(
        r"^\s*- alert: (\w+)$", (DOCS / "grafana" / "alerts.yml").read_text("utf-8"), re.MULTILINE
    )
    assert len(rules) > 5
    assert [rule for rule in rules if f"### {rule}" not in RUNBOOK] == []
    assert [
        name for name in re.findall(r"^### (Parcelwatch\w+)", RUNBOOK, re.MULTILINE) if name not in rules
    ] == []


def test_the_runbook_has_a_section_for_every_problem() -> None:
    """The kinds are written in `monitor/vitals.py` and `monitor/web/machines.py`."""
    code = "".join((ROOT / "monitor" / name).read_text("utf-8") for name in ("vitals.py", "web/machines.py"))
    kinds = set(re.findall(r"Problem\(\s*\"(\w+)\"", code)) | set(
        re.findall(r"Complaint\(kind=\"(\w+)\"", code)
    )
    assert {"judge", "fetch", "deliver"} <= kinds
    assert [kind for kind in kinds if f"### {kind}\n" not in RUNBOOK] == []


def test_what_the_log_says_in_the_runbook_is_what_it_says() -> None:
    told = re.search(r"^\| event \|.*?(?=^## )", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert told is not None
    events = [
        each
        for row in told[0].splitlines()[2:]
        for each in re.findall(r"`([^`]+)`", row.split("|")[1] if "|" in row else "")
    ]
    code = "".join(path.read_text("utf-8") for path in (ROOT / "monitor").rglob("*.py"))
    assert len(events) > 10
    assert [event for event in events if f'"{event}"' not in code] == []


@pytest.mark.parametrize("page", ["runbook.md", "reference/exit-codes.md"])
def test_every_exit_code_is_told(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    assert [code for code in (0, 1, CHANGE) if f"\n| {code} |" not in text] == []


def test_no_configuration_that_is_shown_has_a_key_nobody_knows() -> None:
    known = set(_keys(schema())) | {"rules", *_ORDER_COLUMNS}
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for line, language, lines in fences(path.read_text("utf-8")):
            if language == "toml":
                shown = tomllib.loads("\n".join(lines))
                assert set(_written(shown)) - known == set(), f"{path.name}, line {line}"


_ORDER_COLUMNS = {"order_no", "waybill_no"}
"""Of a table of column names."""


def _written(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _written(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _written(inner)
