"""`demo`: the whole product on a simulated world, no keys, no network, a page to open."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from monitor import logs
from monitor.app import stop_signals
from monitor.cli.errors import CHANGE
from monitor.demo.pace import FASTEST, SLOWEST, SPEED

__all__ = ["COMMANDS"]

_OURS: Final = ("domain", "carriers", "rules", "notifiers", "monitor")


@click.command("demo")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="页面的端口，0 为任意空闲端口",
)
@click.option(
    "--speed",
    default=SPEED,
    show_default=True,
    type=click.FloatRange(SLOWEST, FASTEST),
    help="模拟时间是真实时间的多少倍；576 是五分钟走完两天；页面上还可以改",
)
@click.pass_context
def demo(ctx: click.Context, port: int, speed: float) -> None:
    """在模拟的世界里看完整产品：不需要密钥和网络，打开一个页面即可。Ctrl-C 结束，不留下任何文件。"""
    logs.configure(json=False, level="error")
    try:
        from monitor.demo.show import PortTaken, show
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OURS:
            raise
        click.echo(f"演示要用控制台，缺少 {error.name}：pip install 'parcelwatch[console]'", err=True)
        ctx.exit(CHANGE)

    async def main() -> None:
        until = asyncio.Event()
        with stop_signals(until):
            await show(port, until=until, speed=speed, announce=_announce)

    try:
        asyncio.run(main())
    except PortTaken as taken:
        click.echo(str(taken), err=True)
        ctx.exit(CHANGE)
    click.echo("演示结束，临时文件已删除。")


def _announce(url: str) -> None:
    """Two lines: what is shown and where, what to try next."""
    click.echo(f"模拟的承运商、订单和三个群，真实的查询、判定、工单和消息；请打开 {url}（Ctrl-C 结束）")
    click.echo(
        f"试试：到 {url}/demo 按一下“分拨中心爆仓”，看三个群怎么说；不到两分钟数据源会中断，看它如何不冤枉任何包裹。"
        "接自己的账号：parcelwatch check",
    )


COMMANDS: Final = (demo,)
