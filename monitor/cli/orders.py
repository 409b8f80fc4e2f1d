"""`import`: orders from a file, a verdict per row, the rejected rows handed back as a file."""

from __future__ import annotations

import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from domain.remote import Secret
from domain.time import SHANGHAI
from monitor.cli.common import as_json, config_option, json_option, open_store, say, settings_from
from monitor.cli.errors import CHANGE
from monitor.clock import wall
from monitor.config.settings import Settings
from monitor.intake.columns import PLATFORM_IDS, platform_id
from monitor.intake.files import OrderFile
from monitor.intake.importing import Job, Report, bring_in, written_at
from monitor.intake.outside import How
from monitor.intake.tables import FileRefused
from monitor.intake.take import LONG_AGO, Tally
from monitor.store import mappings
from monitor.store.database import Database

__all__ = ["COMMANDS"]

_SHOWN: Final = 10
_OUTCOMES: Final = {
    "accepted": "新增",
    "updated": "更新",
    "unchanged": "未变",
    "older": "旧于已有，未采用",
    "ignored": "忽略（已关闭、合计行、无需物流）",
    "rejected": "拒绝",
}


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@click.option(
    "--mapping", metavar="NAME", help='列对应表：配置文件旁 mappings/NAME.toml，如 order_no = "订单编号"'
)
@click.option("--platform", default="", help="文件里没有平台列时用，如 taobao_tmall、pinduoduo")
@click.option("--shop", default="", help="文件里没有店铺列时用")
@click.option("--merchant", default="", help="文件里没有商家列时用")
@click.option(
    "--password",
    prompt="工作簿密码",
    prompt_required=False,
    hide_input=True,
    default=None,
    help="加密工作簿的密码；只写 --password 会在终端上询问，不留在命令历史里",
)
@click.option("--dry-run", is_flag=True, help="只看结果，不写入")
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path,
    config: Path | None,
    mapping: str | None,
    platform: str,
    shop: str,
    merchant: str,
    password: str | None,
    dry_run: bool,
    as_json_: bool,
) -> None:
    """导入订单（CSV 或 XLSX）：本系统的列，或千牛、拼多多、聚水潭、旺店通导出的文件。

    每行都有结论；被拒绝的行连同原因写入 FILE.rejected.csv，改好后可再次导入。重复导入不会重复登记。
    """
    if platform and platform_id(platform) not in PLATFORM_IDS:
        raise click.BadParameter(f"不认识的平台 {platform}；可用的有：{'、'.join(sorted(PLATFORM_IDS))}")
    settings = settings_from(config)
    rejected = file.with_name(file.name + ".rejected.csv")
    with open_store(settings) as db:
        how = How(
            _mapping(settings, db, mapping), platform, shop, merchant, Secret(password) if password else None
        )
        since = written_at(file.stat().st_mtime)
        job = Job(file, how, dry_run=dry_run, rejected=rejected, written_at=since)
        report = _imported(ctx, db, job, settings, quiet=as_json_)
    written = rejected if report.tally.counts["rejected"] else None
    said = {"--mapping": mapping or "", "--platform": platform, "--shop": shop, "--merchant": merchant}
    again = " ".join(f"{name} {shlex.quote(value)}" for name, value in said.items() if value)
    _report(report.tally, written, again, dry_run=dry_run, json_=as_json_)
    if nothing := report.tally.nothing:
        click.echo(nothing, err=True)
    if report.refused is not None:
        ctx.exit(CHANGE)


def _imported(ctx: click.Context, db: Database, job: Job, settings: Settings, *, quiet: bool) -> Report:
    """The import, with a greeting and a running count; asks for a password that is missing, once."""
    now, seen = wall(), Tally()

    def told(report: Report) -> None:
        nonlocal seen
        if report.tally.rows:
            show(report.tally)
        elif not quiet:
            _greet(report, now, settings)
        seen = report.tally

    try:
        with _progress(quiet) as show:
            return bring_in(db, job, zone=settings.timezone, now=now, told=told)
    except FileRefused as error:
        if error.reason == "encrypted" and job.how.password is None and _asked():
            word = Secret(click.prompt("工作簿密码", hide_input=True, err=True))
            return _imported(
                ctx, db, replace(job, how=replace(job.how, password=word)), settings, quiet=quiet
            )
        click.echo(str(error), err=True)
        if seen.rows and not job.dry_run:
            click.echo(f"此前的 {seen.rows} 行已处理，改好文件后整份再导入即可，不会重复登记。", err=True)
        ctx.exit(CHANGE)


def _asked() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def _mapping(settings: Settings, db: Database, name: str | None) -> Mapping[str, str] | None:
    """A saved column mapping, our field = the file's heading: the console's, else `mappings/NAME.toml`."""
    if name is None:
        return None
    kept = db.read_now(lambda conn: mappings.find(conn, name))
    if kept is not None:
        return kept.fields
    folder = Path(settings.path).parent / "mappings"
    path = folder / f"{name}.toml"
    if not path.is_file():
        saved = db.read_now(mappings.all_of)
        known = sorted({*(each.stem for each in folder.glob("*.toml")), *(each.name for each in saved)})
        have = f"；已有：{'、'.join(known)}" if known else f"；请建立 {path}"
        raise click.BadParameter(f"没有列对应表 {name}{have}")
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise click.BadParameter(f"{path} 不是有效的 TOML：{error}") from None
    return {str(field): str(heading) for field, heading in table.items()}


def _greet(report: Report, now: datetime, settings: Settings) -> None:
    file, seen = report.file, report.seen
    columns = "，按列对应表" if file.mapped and not file.remembered else ""
    click.echo(f"识别为：{file.source_name}{columns}（{file.encoding}）", err=True)
    click.echo(f"平台：{_platform(file)}", err=True)
    if file.remembered:
        click.echo("提示：按上次为这种表头保存的列对应表读取。", err=True)
    for note in file.notes:
        click.echo(f"提示：{note.text}", err=True)
    if since := report.aged(now):
        at = since.astimezone(settings.timezone)
        click.echo(f"提示：按文件时间 {at:%Y-%m-%d %H:%M} 计，此后已有更新的订单不会被改回。", err=True)
    if seen is not None:
        click.echo(
            f"提示：同一文件已于 {seen.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}（北京时间）导入过（{seen.name}），重复导入无妨。",
            err=True,
        )


def _platform(file: OrderFile) -> str:
    """Which platform the rows belong to, and who says so."""
    if file.by_row:
        return "按平台列" + (f"，空着的行按 {file.platform}" if file.platform else "")
    return file.platform or "没有写"


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """A running count on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda tally: None
        return
    yield lambda tally: click.echo(f"\r已处理 {tally.rows} 行…", nl=False, err=True)
    click.echo("", err=True)


def _report(tally: Tally, rejected: Path | None, again: str, *, dry_run: bool, json_: bool) -> None:
    counts = {name: tally.counts.get(name, 0) for name in _OUTCOMES}
    if json_:
        problems = [
            {"line": row.line, "reasons": [problem.text for problem in row.problems]}
            for row in tally.rejected
        ]
        as_json([{**counts, "awaiting": tally.awaiting, "rows": tally.rows, "problems": problems}])
        return
    if dry_run:
        click.echo("（试运行，没有写入）")
    for name, label in _OUTCOMES.items():
        if counts[name] or name in ("accepted", "rejected"):
            click.echo(f"{label}（{name}）：{counts[name]}")
    if tally.awaiting:
        click.echo(f"其中待发货、尚无运单：{tally.awaiting}")
    if tally.homeless:
        click.echo(
            f"提醒：{tally.homeless} 行没有平台，按通用规则监控；可以加 platform 列，或用 --platform taobao_tmall"
        )
    if tally.long_paid:
        click.echo(
            f"提醒：新增的订单里有 {tally.long_paid} 个是 {LONG_AGO.days} 天以前付款的，导入后可能马上报警；"
            "已经完结的，请先在文件里写明状态或去掉"
        )
    for line, why in tally.aside[:_SHOWN] if tally.nothing else ():
        click.echo(f"  第 {line} 行 忽略：{why}")
    for row in tally.rejected[:_SHOWN]:
        for problem in row.problems:
            click.echo(f"  第 {row.line} 行 {problem.column}：{problem.text}")
    if counts["rejected"] > _SHOWN:
        click.echo(f"  …… 另有 {counts['rejected'] - _SHOWN} 行")
    if rejected is not None:
        options = f"（同样要写 {again}）" if again else ""
        say(f"被拒绝的行在 {rejected}，改好后可再次导入{options}。")
    for line, text in tally.warnings[:_SHOWN]:
        click.echo(f"  提醒：第 {line} 行 {text}")


COMMANDS: Final = (import_,)
