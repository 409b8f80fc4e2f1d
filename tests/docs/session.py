"""A shell that types a document's commands, one after the other, and says when one did not do what it should."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.blocks import Command, Document, misses

PATIENCE = 120.0
"""Seconds for a command, or for what it is to print: many times what it takes on an idle machine."""
_PAUSE = 0.25


class Wrong(AssertionError):
    """A command of the document does not do what the document says."""


@dataclass
class Session:
    """One bash in a folder. What a command exports, and where it goes, holds for the next one."""

    folder: Path
    aside: Path
    """Where scripts and outputs are kept, out of the document's sight."""
    env: Mapping[str, str]
    patience: float = PATIENCE
    _staying: list[tuple[Command, int, Path]] = field(default_factory=list)
    _count: int = 0

    def __enter__(self) -> Session:
        self.aside.mkdir(parents=True, exist_ok=True)
        self._ends, says = os.pipe()
        self._says = says
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=dict(self.env),
            pass_fds=(says,),
            start_new_session=True,
        )
        os.close(says)
        # Nobody types, and nobody hangs up: some programs end when their input does.
        os.mkfifo(self.aside / "silence")
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing outlives the document."""
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        assert self._bash.stdin is not None
        with suppress(BrokenPipeError):
            self._bash.stdin.close()
        os.close(self._ends)

    def play(self, document: Document) -> None:
        """All of its commands. Raises `Wrong` at the first that fails."""
        for command in document.commands:
            if not command.idle:
                self._do(command)
        for command, pid, out in reversed(self._staying):
            self._stop(command, pid, out)

    def _do(self, command: Command) -> None:
        if command.stays:
            self._stay(command)
            return
        ends = time.monotonic() + self.patience
        while True:
            code, printed = self._type(command)
            problem = _problem(command, code, printed)
            if not problem:
                return
            if not command.later or time.monotonic() > ends:
                raise Wrong(problem)
            time.sleep(_PAUSE)

    def _type(self, command: Command) -> tuple[int, str]:
        """Exit code and everything printed."""
        script, out = self._files(command.text)
        self._say(f". {script} </dev/null >{out} 2>&1; printf '%s\\n' $? >&{self._says}")
        code = self._answer(command, out)
        return code, out.read_text("utf-8", "replace")

    def _stay(self, command: Command) -> None:
        """Start it, and wait until it has printed what is shown, or anything."""
        if re.search(r"[;|&\n]", command.text):
            raise Wrong(f"line {command.line}: one plain command can run until it is stopped: {command.text}")
        script, out = self._files(command.text)
        self._say(
            f"bash -c \"$(<{script})\" <>{self.aside / 'silence'} >{out} 2>&1 & printf '%s\\n' $! >&{self._says}"
        )
        pid = self._answer(command, out)
        ends = time.monotonic() + self.patience
        while True:
            printed = out.read_text("utf-8", "replace")
            missed = misses(command.shown, printed)
            if "\n" in printed and not missed:
                break
            if time.monotonic() > ends or not _alive(pid):
                raise Wrong(_told(command, f"did not print {missed or 'anything'!r}", printed))
            time.sleep(_PAUSE)
        self._staying.append((command, pid, out))

    def _stop(self, command: Command, pid: int, out: Path) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        code, _ = self._type(Command(command.line, f"wait {pid}"))
        problem = _problem(
            Command(command.line, command.text, exits=command.exits), code, out.read_text("utf-8")
        )
        if problem:
            raise Wrong(problem)

    def _files(self, text: str) -> tuple[Path, Path]:
        self._count += 1
        script = self.aside / f"{self._count}.sh"
        script.write_text(text + "\n", "utf-8")
        out = self.aside / f"{self._count}.out"
        out.touch()
        return script, out

    def _say(self, line: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{line}\n".encode())
        self._bash.stdin.flush()

    def _answer(self, command: Command, out: Path) -> int:
        """The number the shell says next."""
        ready, _, _ = select.select([self._ends], [], [], self.patience)
        if not ready:
            raise Wrong(_told(command, f"did not end within {self.patience:.0f} s", out.read_text("utf-8")))
        said = os.read(self._ends, 64)
        if not said:
            raise Wrong(_told(command, "ended the shell", out.read_text("utf-8")))
        return int(said)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def _problem(command: Command, code: int, printed: str) -> str:
    if code != command.exits:
        return _told(command, f"ended with {code}, the document says {command.exits}", printed)
    missed = misses(command.shown, printed)
    return _told(command, f"did not print {missed!r}", printed) if missed else ""


def _told(command: Command, what: str, printed: str) -> str:
    return f"line {command.line}: `{command.text}` {what}. It printed:\n{printed[-4000:]}"
