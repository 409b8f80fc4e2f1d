"""`python -m monitor.intake.child`: a file of strangers is read here and nowhere else.

One line of JSON on standard input says what to read and within which limits; what is found goes out as the frames of
`frames.py`. The limits are put on before anything of the file is touched: address space, processor time, no files
written, no further processes. Nothing of the store, the configuration or its secrets is in this process.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["main"]


def main() -> None:
    """Read the one file, say the verdicts, end. Whatever happens is told in a last frame, if it can be."""
    ask = json.loads(sys.stdin.buffer.readline())
    _limit(int(ask["memory"]), int(ask["seconds"]))
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=1 << 16)
    with suppress(BrokenPipeError):  # nobody listens any more
        _say(out, ask)
        out.flush()
    os._exit(0)  # nothing is left to be tidied, and half a gigabyte need not be given back piece by piece


def _limit(memory: int, seconds: int) -> None:
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 0,
    }
    for which, most in limits.items():
        _, hard = resource.getrlimit(which)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (least, least if which != resource.RLIMIT_CPU else hard))


def _say(out: BinaryIO, ask: Mapping[str, Any]) -> None:
    from monitor.intake.frames import line_of

    try:
        for frame in _frames(ask):
            out.write(line_of(frame))
            if "file" in frame:
                out.flush()
    except BrokenPipeError:
        raise
    except MemoryError:
        gc.collect()
        out.write(line_of({"broke": "memory"}))
    except BaseException as error:  # noqa: BLE001 - calamine's panics are no Exceptions
        out.write(line_of({"broke": type(error).__name__}))


def _frames(ask: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from monitor.intake.files import read_orders
    from monitor.intake.frames import file_frame, row_frames
    from monitor.intake.tables import FileRefused

    try:
        file = read_orders(
            Path(ask["path"]),
            zone=ZoneInfo(ask["zone"]),
            now=datetime.fromisoformat(ask["now"]),
            mapping=ask["mapping"],
            platform=ask["platform"],
            shop=ask["shop"],
            merchant=ask["merchant"],
            password=ask["password"],
            name=ask["name"],
            saved=ask["saved"],
        )
        yield file_frame(file)
        yield from row_frames(file.rows)
    except FileRefused as refused:
        columns = [heading[:200] for heading in refused.columns[:300]]
        yield {"refused": [refused.reason, refused.message[:4000], columns]}
    else:
        yield {"end": True}


if __name__ == "__main__":
    main()
