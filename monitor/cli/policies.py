"""`policies`: the versions that judged, what one of them says, what two of them say differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from monitor.cli.common import (
    as_json,
    config_option,
    emit,
    json_option,
    open_store,
    rules_zh,
    say,
    settings_from,
)
from monitor.config.settings import Settings
from monitor.store import meta
from monitor.store.database import Database
from monitor.versions import Section, compared, readable
from rules.described import differences, read_body

__all__ = ["COMMANDS"]

_FILE: Final = "file"
"""Stands for what the configuration file says now, in force or not."""
_HEADINGS: Final = {"version": "版本", "since_at": "从", "until_at": "到", "state": "状态"}
_STATES: Final = {"in_force": "正在用", "over": "用过", "not_yet": "配置文件里，还没有生效"}


@click.command("policies")
@click.argument("version", required=False)
@click.option("--diff", nargs=2, metavar="A B", help="说出 B 比 A 改了什么；file 表示现在的配置文件")
@config_option
@json_option
def policies(version: str | None, diff: tuple[str, str] | None, config: Path | None, as_json_: bool) -> None:
    """列出规则的各个版本：每个版本何时开始用、何时换掉；写上版本号就打印它的内容。

    每条异常都记着是哪个版本判的（findings --json 的 policy_version）。版本号可以只写开头几位。

    改回旧版本：规则只认配置文件。parcelwatch policies --diff file 旧版本号
    会逐条说出要写回什么；写好后重载服务即可。
    """
    if version is not None and diff is not None:
        raise click.UsageError("VERSION 和 --diff 只能用一个")
    settings = settings_from(config)
    with open_store(settings) as db:
        spans = _spans(db, settings)
        if diff is not None:
            _print_diff(*((each, _book(db, settings, spans, each)) for each in diff), json_=as_json_)
        elif version is not None:
            _print_one(db, settings, spans, version, json_=as_json_)
        else:
            emit(
                spans,
                _HEADINGS,
                json_=as_json_,
                empty="还没有用过任何规则：服务没有启动过。",
                words={"state": _STATES},
            )


def _spans(db: Database, settings: Settings) -> list[dict[str, Any]]:
    """Every time a version applied, the latest first; before them the file's, when it does not apply yet."""
    found = [
        {
            "version": span.version,
            "since_at": _shown(settings, span.since),
            "until_at": _shown(settings, span.until),
            "state": "in_force" if span.until is None else "over",
        }
        for span in db.read_now(meta.policy_spans)
    ]
    mine = settings.book.version
    if not found or found[0]["version"] != mine:
        found.insert(0, {"version": mine, "since_at": None, "until_at": None, "state": "not_yet"})
    return found


def _shown(settings: Settings, at: Any) -> str | None:
    return None if at is None else at.astimezone(settings.timezone).isoformat()


def _version(settings: Settings, spans: Sequence[Mapping[str, Any]], asked: str) -> str:
    """The one version that begins like this. Raises `click.UsageError` for none and for several."""
    if asked == _FILE:
        return settings.book.version
    known = dict.fromkeys(each["version"] for each in spans)
    found = [each for each in known if asked and each.startswith(asked)]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise click.UsageError(f"有 {len(found)} 个版本以 {asked} 开头：{'、'.join(found)}。请写全。")
    raise click.UsageError(f"没有版本 {asked}。用过的版本：parcelwatch policies")


def _body(db: Database, settings: Settings, version: str) -> str:
    if version == settings.book.version:
        return settings.book.describe()
    return db.read_now(lambda conn: meta.policy_body(conn, version)) or ""


def _book(db: Database, settings: Settings, spans: Sequence[Mapping[str, Any]], asked: str) -> dict[str, Any]:
    """What a version says. Raises `click.UsageError` for one kept by an earlier program, as nothing but a text."""
    version = _version(settings, spans, asked)
    book = read_body(_body(db, settings, version))
    if book is None:
        raise click.UsageError(
            f"版本 {version} 是旧程序记下的，只能整段查看（parcelwatch policies {version}），不能逐条比较。"
        )
    return book


def _print_one(
    db: Database, settings: Settings, spans: Sequence[Mapping[str, Any]], asked: str, *, json_: bool
) -> None:
    version = _version(settings, spans, asked)
    text = _body(db, settings, version)
    book = read_body(text)
    used = [each for each in spans if each["version"] == version]
    if json_:
        as_json([{**each, "says": book if book is not None else text} for each in used])
        return
    for each in used:
        say(
            f"{version}  {_STATES[each['state']]}{_when(each['since_at'], ' 起')}{_when(each['until_at'], ' 止')}"
        )
    if book is None:
        say(text)
    else:
        _print(readable(book, rules_zh()))


def _when(at: str | None, word: str) -> str:
    return f"，{at[:19].replace('T', ' ')}{word}" if at else ""


def _print_diff(was: tuple[str, dict[str, Any]], now: tuple[str, dict[str, Any]], *, json_: bool) -> None:
    if json_:
        as_json([asdict(each) for each in differences(was[1], now[1])])
        return
    sections = compared(was[1], now[1], rules_zh())
    if not sections:
        say(f"{was[0]} 和 {now[0]} 说的一样。")
        return
    count = sum(len(each.lines) for each in sections)
    say(f"从 {was[0]} 到 {now[0]}：{count} 处不同（左边 → 右边；= 是右边新写的）")
    _print(sections)


def _print(sections: Sequence[Section]) -> None:
    for section in sections:
        say(section.title)
        for line in section.lines:
            say(f"  {line}")


COMMANDS: Final = (policies,)
