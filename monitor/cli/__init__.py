"""The command line: contracts of `design.md` §4. Each command is in a module of its own kind.

Exit codes: 0 done, 1 it failed, 2 the user must change something. A command's module is imported
when it is called: `--help` and completion answer at once.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import click

from monitor.cli.errors import Friendly
from monitor.cli.words import speak_chinese

__all__ = ["main"]

speak_chinese()

_COMMANDS: Final = {
    "demo": ("demo", "在模拟的世界里看完整产品：不要密钥，不连外网"),
    "run": ("service", "启动监控，直到被停止"),
    "check": ("service", "一次列出配置和环境的全部问题，带行号"),
    "import": ("orders", "导入订单文件（CSV 或 XLSX），逐行给出结论"),
    "recognise": ("look", "认一认单号是哪家的"),
    "explain": ("look", "解释一个运单：轨迹、每个时效、为什么"),
    "try": ("look", "打一次真实的电话：查一个运单，或发一条测试消息"),
    "tickets": ("tickets", "列出工单；认领、留言、解决、重开"),
    "findings": ("lists", "列出异常"),
    "outbox": ("lists", "列出待发、失败和死信的消息"),
    "coverage": ("coverage", "有没有漏单：没监控到的订单和原因，按原因、店铺、来源"),
    "sources": ("sources", "列出订单来源：读到哪里、通不通、放在一边几行"),
    "providers": ("feeds", "列出数据源账号：状态、查询、花费和上限、订阅"),
    "profiles": ("profiles", "列出平台的默认规则：时限、处罚、可信度和出处"),
    "calendar": ("calendar", "列出一年的放假、调休和豁免"),
    "lab": ("lab", "用历史试策略：会报多少、多准、早多少，和另一份比"),
    "policies": ("policies", "列出规则的各个版本，说出改了什么"),
    "migrate": ("upkeep", "建立或升级数据库，先备份"),
    "backup": ("upkeep", "备份数据库，服务运行中也可以"),
    "restore": ("upkeep", "用备份换下现在的数据库，原来的留着"),
    "purge": ("upkeep", "删除过了保留期的数据"),
    "completion": ("service", "打印命令补全脚本"),
}
"""Name: the module it is in, and what it does in one line."""


class Commands(Friendly):
    """Finds a command by name, and lists them all without importing one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"monitor.cli.{_COMMANDS[cmd_name][0]}")
        return next((each for each in module.COMMANDS if each.name == cmd_name), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, which looks for the nearest names only among commands that are imported."""
        name = args[0]
        if name in _COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = " 或 ".join(map(repr, get_close_matches(name, _COMMANDS)))
        told = f"没有命令 {name!r}。" + (f"是不是想写 {near}？" if near else "")
        raise click.UsageError(told, ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("命令"):
            formatter.write_dl([(name, told) for name, (_, told) in _COMMANDS.items()])


def _version(ctx: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        try:
            click.echo(f"parcelwatch {version('parcelwatch')}")
        except PackageNotFoundError:
            click.echo("parcelwatch（从源码运行，没有安装）")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="每条命令加 --help 看详细说明。命令补全：parcelwatch completion --help",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="打印版本"
)
def cli() -> None:
    """物流异常监控：在平台罚款之前发现揽收超时、虚假发货和物流停滞。"""


def main() -> None:
    """Run a command; what the user must change is said in one line, without a traceback."""
    sys.exit(cli.main(prog_name="parcelwatch", standalone_mode=True))
