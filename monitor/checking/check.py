"""`parcelwatch check`: everything wrong or odd with the configuration and the machine, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from monitor.checking import machine
from monitor.checking.holidays import known_years
from monitor.checking.lately import alive, lately, platforms_in_use, words_in_use
from monitor.checking.lint import CheckLine, Level, lint, unknown_names
from monitor.checking.pushes import addresses
from monitor.checking.reach import reach
from monitor.config.file import ConfigError
from monitor.config.secrets import advice
from monitor.config.settings import Settings, load
from monitor.config.store_url import sqlite_file
from monitor.profiles import load_profiles, vocabulary

__all__ = ["CheckLine", "Level", "check", "lint"]


def check(
    path: Path,
    *,
    reachable: bool = False,
    env: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> list[CheckLine]:
    """The configuration first, by line, then the machine. With `reachable` every service is called on.

    A line that is `fail` stops the daemon from starting; `warn` does not.
    """
    try:
        settings = load(path, env)
    except ConfigError as error:
        return [*_mistakes(error, path), machine.sqlite_version(), *machine.homes()]
    return [*_configuration(settings, now), *_machine(settings, reachable, now)]


def _mistakes(error: ConfigError, path: Path) -> Iterator[CheckLine]:
    elsewhere = "" if error.file == path else f"{error.file}："
    said: set[str] = set()
    for each in error.problems:
        where = f"`{each.path}`：" if each.path else ""
        todo = advice(each.reason)
        shown = "同上" if todo in said else todo
        said |= {todo} - {""}
        yield CheckLine("fail", f"{elsewhere}{where}{each.reason}", shown, 0 if elsewhere else each.line)


def _configuration(settings: Settings, now: datetime | None) -> Iterator[CheckLine]:
    known = vocabulary(load_profiles())
    yield CheckLine(
        "ok",
        f"配置有效：{len(settings.providers)} 个服务商账号、{len(settings.channels)} 个渠道、"
        f"{len(settings.routes)} 条路由、{len(settings.policies)} 条策略、{len(settings.exemptions)} 条豁免",
    )
    yield CheckLine("ok", f"{len(known.profiles)} 个平台配置")
    for n, account in enumerate(settings.order_sources):
        what = (
            f"订单来源 {account.name}（{account.kind}）：{account.source.withheld}，那些店铺的订单要另行登记"
        )
        yield CheckLine("ok", what, line=settings.written.lines.of(("order_sources", n)))
    yield from lint(settings, known, now)
    for name, url in addresses(settings):
        yield CheckLine("ok", f"{name} 的推送网址：{url}")
    yield from unknown_names(settings, words_in_use(settings))
    if now is not None:
        yield from known_years(settings, now, platforms_in_use(settings))


def _machine(settings: Settings, reachable: bool, now: datetime | None) -> Iterator[CheckLine]:
    yield from machine.store(settings)
    file = sqlite_file(settings.store)
    if file is not None:
        yield machine.disk(file, "数据库")
        yield machine.sqlite_version()
    folder = settings.backup.folder
    if folder is not None and (file is None or folder != file.parent):
        yield machine.disk(folder / "backup", "备份")
    yield from machine.files(settings)
    yield from machine.homes()
    yield from machine.console(settings, now is not None and alive(settings, now))
    if now is not None:
        yield machine.zone(settings, now)
        yield from lately(settings, now)
    if reachable:
        yield from reach(settings)
