"""What every command shares: the configuration, the store, tables, `--json`, errors in one line."""

from __future__ import annotations

import contextlib
import json
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import click

from carriers import names
from domain.findings import PARTY_ZH
from monitor import logs
from monitor.config.settings import Settings, default_path, load
from monitor.profiles import load_profiles
from monitor.store import opening
from monitor.store.database import Database

__all__ = [
    "PARTIES",
    "as_json",
    "carriers_zh",
    "config_option",
    "emit",
    "json_option",
    "open_store",
    "progress",
    "rules_zh",
    "say",
    "settings_from",
    "table",
    "yuan_range",
]

F = TypeVar("F", bound=Callable[..., Any])
PARTIES: Final = {party.value: zh for party, zh in PARTY_ZH.items()}
"""Who is to blame, in Chinese."""
_CELL: Final = 48
"""Characters of one cell of a table."""
_REDRAWN: Final = 0.1
"""Seconds between two looks of a progress line."""


def config_option(command: F) -> F:
    """`-c FILE`, as every command that needs the configuration takes it."""
    return click.option(
        "-c",
        "--config",
        "config",
        type=click.Path(dir_okay=False, path_type=Path),
        default=None,
        help="配置文件（默认：当前目录的 parcelwatch.toml，其次 /etc/parcelwatch/parcelwatch.toml）",
    )(command)


@contextlib.contextmanager
def progress(
    quiet: bool, stages: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Callable[[str, int, int], None]]:
    """A caller for "(stage, done, total)": the stage and how much of it, on a terminal; nothing elsewhere.

    `stages` are the stages' names as people read them. Without a total the rows are counted.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    shown = 0.0

    def watch(stage: str, done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _REDRAWN:
            shown = time.monotonic()
            much = f"{100 * done // total} %" if total else f"{done:,} 行"
            click.echo(f"\r\x1b[K{stages.get(stage, stage)} {much}", nl=False, err=True)

    try:
        yield watch
    finally:
        click.echo("\r\x1b[K", nl=False, err=True)


def json_option(command: F) -> F:
    """`--json`: a list of objects and nothing else on standard output."""
    return click.option("--json", "as_json_", is_flag=True, help="输出 JSON，供程序读取")(command)


def settings_from(config: Path | None, log_format: str | None = None) -> Settings:
    """The configuration, or `ConfigError` with everything wrong in it. No log line shows its secrets.

    `log_format` overrules the configuration's.
    """
    logs.configure(json=logs.wants_json(log_format or "auto"))
    settings = load(config if config is not None else default_path())
    json_ = logs.wants_json(log_format or settings.log.format)
    logs.configure(json=json_, level=settings.log.level, secrets=settings.secrets)
    return settings


@contextlib.contextmanager
def open_store(settings: Settings) -> Iterator[Database]:
    """The store of this configuration, closed afterwards."""
    with contextlib.closing(opening.open_store(settings.store, settings.path.parent)) as db:
        yield db


def as_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def emit(
    rows: Sequence[Mapping[str, Any]],
    headings: Mapping[str, str],
    *,
    json_: bool,
    empty: str,
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """A list as JSON, or as a table for people: Chinese headings, `words` for codes by column, short times."""
    if json_:
        as_json([dict(row) for row in rows])
    elif rows:
        table([{key: _human(key, row.get(key), words or {}) for key in headings} for row in rows], headings)
    else:
        click.echo(empty)


def _human(key: str, value: Any, words: Mapping[str, Mapping[str, str]]) -> Any:
    known = words.get(key, {})
    if isinstance(value, (list, tuple)):
        return [known.get(str(each), each) for each in value]
    if key.endswith("_at") and isinstance(value, str):
        return value[:19].replace("T", " ")
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return known.get(str(value), value)


def width(text: str) -> int:
    """Columns a text takes on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def table(rows: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> None:
    """Aligned columns; a long text is cut, for `--json` has it whole. Control characters are shown, not obeyed."""
    cells = [[_cell(row.get(key)) for key in headings] for row in rows]
    lines = [list(headings.values()), *cells]
    widths = [max(width(line[n]) for line in lines) for n in range(len(headings))]
    for line in lines:
        padded = (cell + " " * (widths[n] - width(cell)) for n, cell in enumerate(line))
        click.echo("  ".join(padded).rstrip())


def say(text: str) -> None:
    """Lines for a person; control characters from outside are shown, not obeyed."""
    click.echo("\n".join(map(_shown, text.split("\n"))))


def _shown(line: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in line)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    text = "、".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return _shown(text if len(text) <= _CELL else f"{text[: _CELL - 1]}…")


def yuan_range(row: Mapping[str, Any]) -> str:
    """`5–50`, one number where both ends are the same, nothing where nothing is known."""
    low, high = row["risk_low"], row["risk_high"]
    if high is None:
        return ""
    return f"{high:.10g}" if low == high else f"{low:.10g}–{high:.10g}"


def carriers_zh() -> dict[str, str]:
    """Our carrier keys in Chinese."""
    return {carrier.key: names.display(carrier.key) for carrier in names.CARRIERS}


def rules_zh(platform: str = "") -> dict[str, str]:
    """The rules in Chinese: as that platform's profile calls them, else as most profiles do."""
    profiles = load_profiles()
    called: dict[str, Counter[str]] = {}
    for profile in profiles.values():
        for rule in profile.rules.values():
            called.setdefault(rule.id, Counter())[rule.zh] += 1
    own = profiles[platform].rules.values() if platform in profiles else ()
    return {name: words.most_common(1)[0][0] for name, words in called.items()} | {r.id: r.zh for r in own}
