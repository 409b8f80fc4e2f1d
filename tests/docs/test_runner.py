"""The runner itself: a document that is wrong fails, and for the right reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.docs.blocks import Document, Unclear, misses, parse
from tests.docs.session import Session, Wrong
from tests.docs.spoken import problems_of

_SERVICE = """
import signal, sys

def end(*_):
    open("ended", "w").close()
    sys.exit({code})

signal.signal(signal.SIGTERM, end)
print("listening", flush=True)
signal.pause()
"""


def block(*lines: str, comment: str = "") -> str:
    return "\n".join([comment, "", "```console", *lines, "```", ""])


@pytest.fixture
def perform(tmp_path: Path) -> Callable[..., Path]:
    """Play a text in an empty folder, without any of the product."""

    def run(text: str, patience: float = 20.0, files: Mapping[str, str] = MappingProxyType({})) -> Path:
        folder = tmp_path / "here"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        with Session(folder, tmp_path / "aside", env, patience) as session:
            session.play(parse(text))
        return folder

    return run


@pytest.mark.parametrize(
    "text, why",
    [
        pytest.param(block("$ false"), "ended with 1, the document says 0", id="a command that fails"),
        pytest.param(block("$ no-such-command"), "ended with 127", id="a command that does not exist"),
        pytest.param(block("$ true", comment="<!-- exits 2 -->"), "ended with 0, the document says 2", id="success"),
        pytest.param(block("$ echo one", "two"), "did not print 'two'", id="another output"),
        pytest.param(block("$ echo b; echo a", "a", "b"), "did not print 'b'", id="another order"),
        pytest.param(block("$ exit 3"), "ended the shell", id="the shell is left"),
        pytest.param(block("$ echo 'open"), "ended with", id="a quote that is not closed"),
        pytest.param(
            block("$ true", comment="<!-- runs until stopped -->"), "did not print", id="a service that ends at once"
        ),
        pytest.param(
            block("$ echo up | cat", comment="<!-- runs until stopped -->"), "one plain command", id="a pipe that stays"
        ),
    ],
)  # fmt: skip
def test_a_wrong_document_fails(perform: Callable[..., Path], text: str, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        perform(text)


def test_the_failure_names_the_line_and_shows_the_output(perform: Callable[..., Path]) -> None:
    with pytest.raises(Wrong) as failed:
        perform("# Title\n\ntext\n" + block("$ echo said; false"))
    assert str(failed.value).startswith("line 7: `echo said; false`")
    assert str(failed.value).endswith("said\n")


def test_a_command_that_hangs_is_given_up(perform: Callable[..., Path]) -> None:
    with pytest.raises(Wrong, match="did not end within 1 s"):
        perform(block("$ tail -f /dev/null"), patience=1.0)


@pytest.mark.parametrize("code", [0, 5])
def test_a_service_is_stopped_at_the_end_and_has_to_end_well(perform: Callable[..., Path], code: int) -> None:
    service = {"serve.py": _SERVICE.format(code=code)}
    text = block("$ python3 serve.py", "listening", comment="<!-- runs until stopped -->")
    text += block("$ test ! -e ended")
    if code:
        with pytest.raises(Wrong, match="ended with 5"):
            perform(text, files=service)
    else:
        assert (perform(text, files=service) / "ended").exists()


def test_blocks_share_one_shell(perform: Callable[..., Path]) -> None:
    folder = perform(
        block("$ mkdir inside && cd inside", "$ export NAME=world")
        + block("$ echo hello $NAME > said", "$ cat said", "hello world")
    )
    assert (folder / "inside" / "said").read_text() == "hello world\n"


def test_what_an_editor_does_is_done_though_not_shown(perform: Callable[..., Path]) -> None:
    folder = perform("<!-- by hand: echo port = 1 > file -->\n" + block("$ cat file", "port = 1"))
    assert (folder / "file").exists()


def test_lines_that_go_on_are_one_command(perform: Callable[..., Path]) -> None:
    folder = perform(
        block("$ printf '%s\\n' a \\", "    b > two", "$ cat > text <<END", "> first", ">", "> last", "> END")
    )
    assert (folder / "two").read_text() == "a\nb\n"
    assert (folder / "text").read_text() == "first\n\nlast\n"


def test_what_takes_a_while_is_waited_for(perform: Callable[..., Path]) -> None:
    perform(block("$ echo x >> lines; wc -l < lines", "3", comment="<!-- after a while -->"))


def test_what_is_not_run_is_not_run(perform: Callable[..., Path]) -> None:
    folder = perform(block("$ touch file", comment="<!-- not run: needs root -->") + block("$ touch other"))
    assert [each.name for each in folder.iterdir()] == ["other"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("```console\n$ true\n", id="a block without an end"),
        pytest.param("```console\n```\n", id="an empty block"),
        pytest.param("```console\noutput\n```\n", id="output of nothing"),
        pytest.param("<!-- exits 2 -->\n\ntext\n\n```console\n$ true\n```\n", id="a comment about nothing"),
    ],
)
def test_an_unclear_document_is_refused(text: str) -> None:
    with pytest.raises(Unclear):
        parse(text)


def test_other_fences_and_indented_ones_are_told_apart() -> None:
    text = "1. first\n\n   ```console\n   $ one\n     output\n   ```\n\n```toml\n$ = 1\n```\n````text\n```console\n$ no\n```\n````\n"
    assert [(each.text, each.shown) for each in parse(text).commands] == [("one", ("output",))]


@pytest.mark.parametrize(
    "shown, printed, missed",
    [
        ((), "anything", ""),
        (("a  b",), "x a b y", ""),
        (("id … done",), "id 17: done", ""),
        (("a.c",), "abc", "a.c"),
        (("a", "a"), "a", "a"),
    ],
)
def test_output_is_compared_loosely(shown: tuple[str, ...], printed: str, missed: str) -> None:
    assert misses(shown, printed) == missed


@pytest.mark.parametrize(
    "said, wrong",
    [
        ("parcelwatch tickets show T-1 --json", []),
        ("sudo /opt/parcelwatch/bin/parcelwatch check -c /etc/parcelwatch/parcelwatch.toml --reachable", []),
        ("parcelwatch sing", ["`parcelwatch sing`: there is no `sing`"]),
        ("parcelwatch check --fast | head -1", ["`parcelwatch check --fast`: there is no option `--fast`"]),
        ("parcelwatch tickets close T-1", ["`parcelwatch tickets close T-1`: there is no `close`"]),
        ("systemctl restart parcelwatch && journalctl -u parcelwatch -f", []),
    ],
)
def test_commands_that_do_not_exist_are_noticed(said: str, wrong: list[str]) -> None:
    assert list(problems_of(said)) == wrong


def test_a_documents_start_is_named() -> None:
    assert parse("<!-- starts from: running -->\n") == Document("running", ())
