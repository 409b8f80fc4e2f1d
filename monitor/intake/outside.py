"""A file from outside, read by a child process that may have little and take little time.

What the child says is checked (`frames.py`) and handed on as it comes, so that this process holds a few hundred rows
whatever the file. A child that dies, takes too much or says nonsense ends in `FileRefused`, which says what to do.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from domain.remote import Secret
from monitor.intake.files import OrderFile
from monitor.intake.frames import MOST, Garbled, Reader, line_of, parsed
from monitor.intake.tables import FileRefused
from monitor.intake.verdicts import RowVerdict

__all__ = ["LIMITS", "How", "Limits", "Stopped", "opened"]

S = TypeVar("S")
T = TypeVar("T")
_ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = (sys.executable, "-P", "-s", "-B", "-m", "monitor.intake.child")
"""`-P`: nothing is imported from the working directory."""
_CHUNK: Final = 1 << 16
_SLICE: Final = 0.25
"""Seconds between two looks at whether the service is ending."""
_KEPT: Final = ("PATH", "PYTHONTZPATH", "TZDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


class Stopped(Exception):
    """Somebody wants the reading to end; what was done is done, and doing it again does no harm."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost (`facts/import-formats.md` §5)."""

    seconds: int = 120
    """Of processor time, and of our waiting for the next rows."""
    memory: int = 1 << 30
    """Bytes of address space."""


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class How:
    """What people say of a file beside the file itself."""

    mapping: Mapping[str, str] | None = None
    """Field → heading; wins over what is recognised."""
    platform: str = ""
    shop: str = ""
    merchant: str = ""
    password: Secret | None = field(default=None, repr=False)
    saved: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Mappings by the fingerprint of the header they were saved for."""


@contextmanager
def opened(
    path: Path,
    how: How,
    *,
    zone: ZoneInfo,
    now: datetime,
    name: str = "",
    limits: Limits = LIMITS,
    ending: Callable[[], bool] = lambda: False,
    handle: int | None = None,
) -> Iterator[OrderFile]:
    """The file, as a child reads it; its rows can be read once, inside. `name`: what people call it.

    `handle`: the file, opened already by whoever looked at what it is; its path may lead elsewhere by now.

    Raises `FileRefused`, also while rows are read, and `Stopped` soon after `ending` has become true.
    """
    called = name or path.name
    ask = {
        "path": str(path.absolute()) if handle is None else f"/dev/fd/{handle}",
        "name": called,
        "zone": zone.key,
        "now": now.isoformat(),
        "mapping": dict(how.mapping) if how.mapping else None,
        "platform": how.platform,
        "shop": how.shop,
        "merchant": how.merchant,
        "password": how.password.reveal() if how.password else None,
        "saved": {mark: dict(fields) for mark, fields in how.saved.items()},
        "memory": limits.memory,
        "seconds": limits.seconds,
    }
    child = _Child(called, limits, ending, () if handle is None else (handle,))
    try:
        child.ask(line_of(ask))
        reader = Reader(called)
        file = child.told(reader.file, child.frame())
        yield replace(file, rows=child.rows(reader))
    finally:
        child.end()


class _Child:
    """The process, its pipe, and how long it may still be waited for."""

    def __init__(
        self, name: str, limits: Limits, ending: Callable[[], bool], handles: tuple[int, ...]
    ) -> None:
        self._name = name
        self._ending = ending
        self._limits = limits
        self._left = float(limits.seconds)
        self._held = bytearray()
        kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
            PROGRAM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            pass_fds=handles,
            env={**kept, "PYTHONPATH": str(_ROOT), "MALLOC_ARENA_MAX": "1", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )

    def ask(self, line: bytes) -> None:
        """Say what to read. A child that is gone already is found out when it does not answer."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(line)

    def frame(self) -> dict[str, Any]:
        """The next frame but `broke` and `refused`, which are raised, as is the child's unannounced end."""
        line = self._line()
        frame = self.told(parsed, line)
        if "refused" in frame:
            raise self.told(self._refused, frame["refused"])
        if "broke" in frame:
            raise self._broken("memory" if frame["broke"] == "memory" else "crashed")
        return frame

    def rows(self, reader: Reader) -> Iterator[RowVerdict]:
        """Every row, until the frame that says that these were all."""
        while "end" not in (frame := self.frame()):
            yield from self.told(lambda told: list(reader.rows(told)), frame)

    def told(self, read: Callable[[S], T], said: S) -> T:
        """What `read` makes of what the child said."""
        try:
            return read(said)
        except Garbled:
            raise self._broken("crashed") from None

    def end(self) -> None:
        """However it went, no process and no pipe is left."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        looked = 0
        while (end := self._held.find(b"\n", looked)) < 0:
            looked = len(self._held)
            if looked > MOST:
                raise self._broken("crashed")
            self._wait(pipe)
            chunk = os.read(pipe, _CHUNK)
            if not chunk:
                raise self._gone()
            self._held += chunk
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line

    def _wait(self, pipe: int) -> None:
        """Until there is something to read. Only this waiting counts, not what we do with the rows."""
        poller = select.poll()
        poller.register(pipe, select.POLLIN | select.POLLHUP)
        while self._left > 0:
            began = perf_counter()
            ready = poller.poll(min(self._left, _SLICE) * 1000)
            self._left -= perf_counter() - began
            if self._ending():
                raise Stopped
            if ready:
                return
        raise self._broken("timeout")

    def _gone(self) -> FileRefused:
        """How it ended without a word. Its own limits never kill it: memory that is refused aborts, time is SIGXCPU."""
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return self._broken("timeout")
        return self._broken({-signal.SIGABRT: "memory", -signal.SIGKILL: "killed"}.get(code, "crashed"))

    def _refused(self, said: Any) -> FileRefused:
        match said:
            case [str(reason), str(message), [*columns]] if all(isinstance(each, str) for each in columns):
                return FileRefused(self._name, reason, message, columns)
        raise Garbled("no refusal")

    def _broken(self, reason: str) -> FileRefused:
        words = {
            "timeout": f"读了超过 {self._limits.seconds} 秒还没有读完，已停止；请按日期拆成几个文件，"
            "或用表格软件打开后另存为 CSV 再导入",
            "memory": f"读它要用的内存超过 {self._limits.memory >> 20} MB，已停止；请按日期拆成几个文件，"
            "或用表格软件打开后另存为 CSV 再导入",
            "killed": "读它的进程被系统终止（多半是内存不够）；请关掉别的程序或给服务器加内存后再导入，"
            "或按日期拆成几个文件",
            "crashed": "内容异常，读取进程中途退出，其他功能不受影响；请用表格软件打开后另存为 XLSX 或 CSV 再导入",
        }
        return FileRefused(self._name, reason, words[reason])
