"""The daemon and its store: run, check, completion."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from monitor import service
from monitor.checking.check import check as run_checks
from monitor.cli.common import as_json, config_option, json_option, settings_from
from monitor.cli.errors import CHANGE
from monitor.clock import wall
from monitor.config.service import FORMATS
from monitor.config.settings import default_path

__all__ = ["COMMANDS"]


@click.command("run")
@config_option
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default=None,
    help="日志格式；不写则按配置（默认：终端上给人看，否则 JSON）",
)
def run(config: Path | None, log_format: str | None) -> None:
    """启动监控：查询、判定、开工单、发消息、控制台，直到被停止。

    SIGTERM 或 Ctrl-C 停止，十秒内做完手上的工作；SIGHUP 重新加载配置，新配置有错就仍用原来的。
    """
    settings = settings_from(config, log_format)
    service.run(settings, log_format)


@click.command("check")
@config_option
@json_option
@click.option(
    "--reachable",
    is_flag=True,
    help="再逐个连一下服务商、渠道和存活检查，并核对时钟（不查询，不发送任何内容）",
)
@click.pass_context
def check(ctx: click.Context, config: Path | None, as_json_: bool, reachable: bool) -> None:
    """一次列出配置和环境的全部问题，带行号；有问题时退出码为 2。"""
    lines = run_checks(config if config is not None else default_path(), reachable=reachable, now=wall())
    if as_json_:
        as_json(
            [{"level": each.level, "line": each.line, "what": each.what, "todo": each.todo} for each in lines]
        )
    else:
        marks = {"ok": "✓", "warn": "!", "fail": "✗"}
        for each in lines:
            where = f"第 {each.line} 行 " if each.line else ""
            todo = f"\n    → {each.todo}" if each.todo else ""
            click.echo(f"{marks[each.level]} {where}{each.what}{todo}")
    ctx.exit(CHANGE if any(each.level == "fail" for each in lines) else 0)


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """打印命令补全脚本，例如：parcelwatch completion bash >> ~/.bashrc"""
    from click.shell_completion import get_completion_class

    from monitor.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "parcelwatch", "_PARCELWATCH_COMPLETE").source())


COMMANDS: Final = (run, check, completion)
