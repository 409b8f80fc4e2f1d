"""A form with files, read as it comes: every file goes to the staging folder piece by piece, never into memory.

The parser is python-multipart's, which FastAPI's own forms use too; theirs would write the file twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from monitor.intake.staging import Staged, Staging
from monitor.intake.tables import MAX_BYTES

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = ["Uploaded", "received"]

_FIELD: Final = 4096
"""Bytes of a field that is no file."""
_FIELDS: Final = 20
_FILES: Final = 10
_HEADER: Final = 4096


@dataclass(slots=True)
class Uploaded:
    """What a form held."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Staged] = field(default_factory=list)


async def received(request: Request, staging: Staging, now: datetime) -> Uploaded:
    """The form of a request. Raises `HTTPException` for one that is none or holds too much: nothing of it stays."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise HTTPException(422)
    form = _Form(staging, now)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
        async for chunk in request.stream():
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
        form.finish()
    except MultipartParseError:
        form.throw_away()
        raise HTTPException(400) from None
    except BaseException:
        form.throw_away()
        raise
    return form.told


class _Form:
    """The parser's listener."""

    def __init__(self, staging: Staging, now: datetime) -> None:
        self.told = Uploaded()
        self._staging = staging
        self._now = now
        self._header = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._value = b""
        self._out: BinaryIO | None = None
        self._size = 0
        self._ended = False

    def callbacks(self) -> MultipartCallbacks:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._heard(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._heard(1, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._opened,
            "on_part_data": lambda data, start, end: self._data(data[start:end]),
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def finish(self) -> None:
        """The whole form has come, or it counts for nothing."""
        if not self._ended:
            raise HTTPException(400)

    def throw_away(self) -> None:
        """Leave nothing of it behind."""
        if self._out is not None:
            self._out.close()
        for each in self.told.files:
            with suppress(OSError):
                self._staging.drop(each.token)

    def _begin(self) -> None:
        self._headers, self._header = {}, [b"", b""]
        self._name, self._value = "", b""
        if len(self.told.fields) >= _FIELDS or len(self.told.files) >= _FILES:
            raise HTTPException(413)

    def _heard(self, which: int, data: bytes) -> None:
        self._header[which] += data
        if len(self._header[which]) > _HEADER:
            raise HTTPException(413)

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = [b"", b""]

    def _opened(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = _text(options, b"name")
        name = _text(options, b"filename")
        if b"filename" in options and name:
            staged, self._out = self._staging.begin(name, self._now)
            self.told.files.append(staged)
            self._size = 0

    def _data(self, data: bytes) -> None:
        if self._out is not None:
            self._size += len(data)
            if self._size > MAX_BYTES:
                raise HTTPException(413)
            self._out.write(data)
            return
        self._value += data
        if len(self._value) > _FIELD:
            raise HTTPException(413)

    def _close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None
            self._staging.keep(self.told.files[-1])
        elif self._name:
            self.told.fields[self._name] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True


def _text(options: Mapping[bytes, bytes], name: bytes) -> str:
    return options.get(name, b"").decode("utf-8", "replace")
