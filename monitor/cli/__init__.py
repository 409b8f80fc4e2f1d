"""The command line: contracts of `design.md` §4. Each command is in a module of its own kind.

Exit codes: 0 done, 1 it failed, 2 the user must change something.
"""

from __future__ import annotations

import sys

import click

from monitor.cli import demo, lists, look, orders, service, tickets
from monitor.cli.common import Friendly

__all__ = ["main"]


@click.group(
    cls=Friendly,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="每条命令加 --help 看详细说明。命令补全：parcelwatch completion --help",
)
@click.version_option(package_name="parcelwatch", message="parcelwatch %(version)s")
def cli() -> None:
    """物流异常监控：在平台罚款之前发现揽收超时、虚假发货和物流停滞。"""


for module in (demo, service, orders, look, lists, tickets):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run a command; what the user must change is said in one line, without a traceback."""
    sys.exit(cli.main(prog_name="parcelwatch", standalone_mode=True))
