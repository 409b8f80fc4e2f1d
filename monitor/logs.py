"""How the log looks: one line a fact, to standard error, ours and the libraries' alike, redacted last of all.

JSON for machines, coloured words for a terminal. `httpx` writes every URL at level INFO, and a robot's URL
is its whole credential: its loggers stay silent below WARNING, and the redaction stands behind them.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog

from domain.remote import Secret
from monitor.redaction import Redacting

__all__ = ["LEVELS", "configure", "wants_json"]

LEVELS: Final = ("debug", "info", "warning", "error")
QUIET: Final = ("httpx", "httpcore", "asyncio", "apscheduler", "alembic")
"""Libraries heard from WARNING on, whatever our own level."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BLOCKS: Final = ("exception", "stack")
"""The fields that are printed as blocks of several lines."""


def wants_json(format_: str) -> bool:
    """Whether a log of this format (`auto`, `json`, `text`) is JSON: `auto` is, but on a terminal."""
    return format_ == "json" or (format_ == "auto" and not sys.stderr.isatty())


def configure(
    *,
    json: bool,
    level: str = "info",
    secrets: Iterable[Secret] = (),
    stream: TextIO | None = None,
) -> None:
    """Set up all logging of the process; called by a command, and again by a reload.

    `secrets` are the configuration's own, starred wherever they turn up. Raises ValueError for an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown log level {level!r}; one of {', '.join(LEVELS)}")
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=_our_logger,
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                Redacting(secrets),
                *_rendering(json, out),
            ],
        )
    )
    _put_in_place(handler, number)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _put_in_place(handler: logging.Handler, level: int) -> None:
    """The new handler before the old ones go: between them a line would come out as it is, secrets and all."""
    root = logging.getLogger()
    before = root.handlers[:]
    root.addHandler(handler)
    root.setLevel(level)
    for each in before:
        root.removeHandler(each)
        each.close()


def _our_logger(*_: object) -> logging.Logger:
    return logging.getLogger("parcelwatch")


def _rendering(json: bool, out: TextIO) -> list[structlog.typing.Processor]:
    if json:
        return [structlog.processors.JSONRenderer(ensure_ascii=False)]
    plain = structlog.dev.plain_traceback
    return [_one_line, structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)]


def _one_line(logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """No text from outside may begin a line of its own, or move the cursor, in an operator's terminal."""
    return {
        name: _CONTROL.sub(_spelled, value) if isinstance(value, str) and name not in _BLOCKS else value
        for name, value in event.items()
    }


def _spelled(control: re.Match[str]) -> str:
    return control[0].encode("unicode_escape").decode()
