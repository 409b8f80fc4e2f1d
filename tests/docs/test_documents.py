"""Every command a document shows is typed, in its order, in a fresh folder: what it says is what happens."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Document, Unclear, fences, parse, read
from tests.docs.spoken import problems_of
from tests.docs.stage import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_COMMANDS = [path for path in DOCUMENTS if read(path).commands]
NEWCOMERS = [path for path in DOCUMENTS if path.name in ("README.md", "tutorial.md")]
"""What somebody reads first: nothing in it may be left untried."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name)
def test_what_a_document_shows_is_what_happens(path: Path, play: Callable[[Document], Path]) -> None:
    play(read(path))


@pytest.mark.parametrize("path", NEWCOMERS, ids=name)
def test_nothing_a_newcomer_reads_is_left_untried(path: Path) -> None:
    assert [command.text for command in read(path).commands if command.idle] == []


def test_the_first_pages_have_commands() -> None:
    assert ROOT / "README.md" in WITH_COMMANDS
    assert len(WITH_COMMANDS) > 5


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_commands_stand_in_blocks_that_are_run(path: Path) -> None:
    """A block of another kind that looks like commands would be tried by nobody."""
    typed = re.compile(
        r"^\s*(\$|sudo|make|curl|parcelwatch|\.venv/bin/\S+|cp|export|systemctl)\s", re.MULTILINE
    )
    stray = [
        f"line {line} ({language or 'no language'})"
        for line, language, lines in fences(path.read_text("utf-8"))
        if language not in ("console", "text") and typed.search("\n".join(lines))
    ]
    assert stray == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_command_named_exists_with_its_options(path: Path) -> None:
    """Also in the middle of a sentence, and where a block needs what no test has."""
    text = path.read_text("utf-8")
    said = [*re.findall(r"`(parcelwatch [^`\n]+)`", text), *(each.text for each in read(path).commands)]
    assert [problem for each in said for problem in problems_of(each)] == []


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name)
def test_what_is_not_run_can_at_least_be_read_by_a_shell(path: Path) -> None:
    for command in (each for each in read(path).commands if each.idle):
        checked = subprocess.run(
            ["bash", "-n"], input=command.text, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, f"line {command.line}: {checked.stderr}"


def test_a_target_of_make_that_is_named_exists() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[0] for line in listed.splitlines() if line.strip()}
    named = {
        (name(path), target)
        for path in DOCUMENTS
        for target in re.findall(r"`make ([a-z-]+)", path.read_text("utf-8"))
    }
    assert named
    assert {each for each in named if each[1] not in targets} == set()


def test_comments_are_found_where_they_stand() -> None:
    """The directives of the documents are read, none is misspelt into silence."""
    near = re.compile(r"^\s*<!--\s*(exits?|runs?|by hand|not run|starts?|after)\b.*-->\s*$", re.MULTILINE)
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        for found in near.finditer(text):
            assert list(_directives(found[0])), f"{name(path)}: {found[0].strip()}"


def _directives(comment: str) -> Iterator[str]:
    try:
        parse(f"{comment}\n\ntext")
    except Unclear:
        yield "about a block"
    document = parse(f"{comment}\n")
    if document.commands or document.start != "fresh":
        yield "about the folder"


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name)
def test_files_of_ours_that_a_command_names_are_there(path: Path) -> None:
    """Of commands that are not run; the others show it themselves."""
    named = re.compile(r"(?<![\w/.-])((?:systemd|docs|config)/[\w./*-]+)")
    for command in (each for each in read(path).commands if each.idle):
        for file in named.findall(command.text):
            assert list(ROOT.glob(file)), f"line {command.line}: {file}"


def test_the_script_for_commands_by_hand_hands_everything_on(tmp_path: Path) -> None:
    (tmp_path / "systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "systemd-run").chmod(0o755)
    script = ROOT / "docs" / "examples" / "parcelwatch"
    ran = subprocess.run(
        [script, "tickets", "comment", "T-1", "今晚 发出"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    words = ran.stdout.splitlines()
    assert words[-5:] == ["/opt/parcelwatch/bin/parcelwatch", "tickets", "comment", "T-1", "今晚 发出"]
    unit = (ROOT / "systemd" / "parcelwatch.service").read_text("utf-8")
    for setting in ("DynamicUser=yes", "User=parcelwatch", "StateDirectory=parcelwatch", "UMask=0077"):
        assert setting in words, "as the service does"
        assert f"\n{setting}\n" in unit, "as the service does"
    assert "/opt/parcelwatch/bin/parcelwatch run" in unit
