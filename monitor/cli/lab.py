"""`lab`: what a policy would have said of the past, and what another would have said otherwise."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from domain.time import SHANGHAI, parse_duration
from monitor.checking.lint import odd_in_book
from monitor.cli.common import (
    as_json,
    carriers_zh,
    config_option,
    open_store,
    progress,
    rules_zh,
    say,
    settings_from,
)
from monitor.cli.errors import CHANGE
from monitor.clock import wall
from monitor.config.settings import Settings, load_book
from monitor.intake.tables import FileRefused
from monitor.intake.values import Unfit, moment

if TYPE_CHECKING:
    from monitor.lab.study import History
    from monitor.lab.telling import Telling
    from rules.policy import PolicyBook

__all__ = ["COMMANDS"]

_LONGEST: Final = timedelta(days=36_500)


class _File(click.Path):
    """A file with an end: a pipe or a device may never have one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Any = super().convert(value, param, ctx)
        if not Path(path).is_file():
            self.fail(f"{path} 不是普通文件（是管道或设备）；请先存成文件", param, ctx)
        return path


_FILE: Final = _File(exists=True, dir_okay=False, path_type=Path)


class _Zone(click.ParamType[ZoneInfo]):
    name = "时区"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, ZoneInfo):
            return value
        try:
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"没有时区 {value!r}；写法如 Asia/Shanghai、America/Sao_Paulo", param, ctx)


class _Length(click.ParamType[timedelta]):
    name = "时长"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, timedelta):
            return value
        try:
            length = parse_duration(value)
        except ValueError:
            self.fail(f"{value!r} 不是时长；写法如 30d、4h", param, ctx)
        if not length:
            self.fail("时长不能是零", param, ctx)
        if length > _LONGEST:
            self.fail(f"{value!r} 太长，最多 36500d", param, ctx)
        return length


@click.command("lab")
@click.option("--orders", type=_FILE, help="订单文件：本系统的列，或各后台的导出（CSV、.csv.gz、XLSX）")
@click.option("--events", type=_FILE, help="轨迹文件（CSV、.csv.gz）")
@click.option("--since", type=_Length(), metavar="时长", help="不用文件，看数据库里这么久以来的历史，如 30d")
@click.option("--policy", type=_FILE, help="要看的策略文件；看数据库时不写就是现行配置")
@click.option("--against", type=_FILE, help="另一份策略，和它比")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="目录", help="结果放进这个目录"
)
@click.option("--as-of", "as_of", metavar="时间", help="还在走的时效看到这时；不写就是数据里最晚的时间")
@click.option(
    "--zone",
    type=_Zone(),
    metavar="时区",
    help="没写时区的时间按哪里的算（默认 Asia/Shanghai，看数据库时按配置）",
)
@click.option("--agents", type=click.IntRange(1, 100_000), default=1, help="几个人处理：算每人每天多少提醒")
@click.option("--useful", type=_Length(), metavar="时长", default="4h", help="提醒离超时不到这么久就算太晚")
@click.option("--json", "as_json_", is_flag=True, help="标准输出只有 summary.json 的内容")
@config_option
@click.pass_context
def lab(
    ctx: click.Context,
    orders: Path | None,
    events: Path | None,
    since: timedelta | None,
    policy: Path | None,
    against: Path | None,
    out: Path,
    as_of: str | None,
    zone: ZoneInfo | None,
    agents: int,
    useful: timedelta,
    as_json_: bool,
    config: Path | None,
) -> None:
    """用历史试策略：这份策略会报多少、多准、早多少；和另一份比，差在哪里。

    历史是一份订单和一份轨迹文件，或数据库里的（--since 30d）。结果在 --out 的目录里：report.html 给人看，
    summary.json 和 findings.csv 给程序用（和另一份比时还有 findings.against.csv），没有采用的行在 rejected.csv。
    """
    _check(orders, events, since, policy)
    if find_spec("pandas") is None:
        click.echo("实验室需要 pandas，这里没有安装。请安装：pip install 'parcelwatch[lab]'", err=True)
        ctx.exit(CHANGE)
    from monitor.lab.drafts import Drafts
    from monitor.lab.session import Asked, study
    from monitor.lab.study import unheard
    from monitor.lab.telling import Telling

    settings = settings_from(config) if since is not None else None
    zone = zone or (settings.timezone if settings else SHANGHAI)
    until = _moment(as_of, zone)
    asked = Asked(_book(policy, settings, zone), _book(against, None, zone) if against else None, out, zone)
    asked = replace(asked, agents=agents, useful=useful, rules_zh=rules_zh(), carriers_zh=carriers_zh())
    asked = replace(asked, platforms=settings.book if settings else None)
    _folder(out)
    with _ended_in_order(), progress(as_json_) as watch:
        telling = Telling(watch)
        try:
            history = _history(orders, events, since, settings, until, zone, telling)
        except FileRefused as refused:
            with Drafts(out) as drafts:
                telling.write(drafts.path("rejected.csv"))
            _complain(telling, refused)
            ctx.exit(CHANGE)
        for file in filter(None, (policy, against)):
            telling.remarks += unheard(file, history)
        for _, book in filter(None, (asked.policy, asked.against)):
            for odd in odd_in_book(book, history.words["platform"]):
                telling.remark(odd)
        try:
            told = study(history, asked, telling)
        except OSError as error:
            why = error.strerror or error
            click.echo(f"结果写不进 {out}：{why}。原有的结果没有动；请腾出空间或换一个目录再来", err=True)
            ctx.exit(1)
    if as_json_:
        as_json(told.data)
    else:
        for line in telling.lines():
            click.echo(line, err=True)
        say(told.text)


def _check(orders: Path | None, events: Path | None, since: timedelta | None, policy: Path | None) -> None:
    """Raises UsageError unless the options say one history and one policy."""
    if since is not None and (orders or events):
        raise click.UsageError("--since 看数据库，--orders 和 --events 看文件：只能用一样")
    if since is None and not (orders and events):
        raise click.UsageError("要写 --orders 和 --events 两个文件，或者 --since 30d 看数据库")
    if since is None and policy is None:
        raise click.UsageError("要写 --policy：用哪份策略来看")


def _folder(out: Path) -> None:
    """The folder for the results, made where there is none. Raises BadParameter."""
    from monitor.lab.drafts import taken

    try:
        out.mkdir(parents=True, exist_ok=True)
        other = taken(out)
    except (FileExistsError, NotADirectoryError):
        what = "是指向别处的断链" if out.is_symlink() else "或它的上级是一个文件"
        raise click.BadParameter(f"{out} {what}，不能放结果；请写另一个目录", param_hint="--out") from None
    except OSError as error:
        why = error.strerror or error
        raise click.BadParameter(f"建不了目录 {out}：{why}；请写另一个目录", param_hint="--out") from None
    if other is not None:
        raise click.BadParameter(
            f"{other} 不是文件，结果写不进去；请移走它，或写另一个目录", param_hint="--out"
        )


def _moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """What `--as-of` says. Raises BadParameter."""
    if text is None:
        return None
    try:
        found = moment(text, zone, latest=wall())
    except Unfit as unfit:
        raise click.BadParameter(str(unfit), param_hint="--as-of") from None
    return found.at if found else None


def _book(file: Path | None, settings: Settings | None, zone: ZoneInfo) -> tuple[str, PolicyBook]:
    """What the policy is called, and the rules. Raises ConfigError with every mistake of the file."""
    if file is not None:
        return file.name, load_book(file, zone)
    assert settings is not None
    return "现行配置", settings.book


def _history(
    orders: Path | None,
    events: Path | None,
    since: timedelta | None,
    settings: Settings | None,
    until: datetime | None,
    zone: ZoneInfo,
    telling: Telling,
) -> History:
    from monitor.lab.study import from_files, from_store

    now = wall()
    if settings is not None and since is not None:
        with open_store(settings) as db:
            as_of = until or now
            return from_store(db, since=as_of - since, as_of=as_of, lag=settings.freshness, telling=telling)
    assert orders is not None
    assert events is not None
    with tempfile.TemporaryDirectory(prefix="parcelwatch-lab-") as aside:
        return from_files(orders, events, zone=zone, as_of=until, now=now, aside=Path(aside), telling=telling)


def _complain(telling: Telling, refused: FileRefused) -> None:
    for line in telling.lines():
        click.echo(line, err=True)
    click.echo(str(refused).replace("没有导入", "用不了", 1), err=True)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Who is told to end (SIGTERM) leaves no draft and no unpacked file behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


COMMANDS: Final = (lab,)
