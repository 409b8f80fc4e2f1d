"""The fake peers as a process of their own, in real time: `python -m monitor.demo.peers`.

Prints one line of JSON with the addresses once it answers, and ends on SIGTERM, SIGINT or when its standard
input closes, so that it never outlives the test that started it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

import click

from monitor.clock import wall
from monitor.demo.control import make_control_app
from monitor.demo.faults import Switchboard
from monitor.demo.groups import GroupLimits, Inbox, Robot, make_groups_app
from monitor.demo.meter import Ceilings, Meter
from monitor.demo.provider import Ledger, make_provider_app
from monitor.demo.scripted import ScriptedSource
from monitor.demo.serving import serving

__all__ = ["Setup", "main", "run"]


@dataclass(frozen=True, slots=True)
class Setup:
    """Ports, accounts and limits."""

    ports: tuple[int, int, int]
    """Provider, groups, control; 0 takes a free one."""
    customer: str
    key: str
    robots: tuple[Robot, ...]
    ceilings: Ceilings
    limits: GroupLimits
    log: Path | None


async def run(setup: Setup, ready: TextIO) -> None:
    """Serve until told to stop; the addresses go to `ready` as one line of JSON."""
    stop = asyncio.Event()
    _end_on_signals(stop)
    source, inbox = ScriptedSource(), Inbox()
    ledger = Ledger(Meter(setup.ceilings))
    boards = {"provider": Switchboard(), "groups": Switchboard()}
    provider = make_provider_app(
        source, customer=setup.customer, key=setup.key, clock=wall, board=boards["provider"], ledger=ledger
    )
    groups = make_groups_app(
        setup.robots, clock=wall, limits=setup.limits, board=boards["groups"], inbox=inbox
    )
    control = make_control_app(source, ledger, inbox, boards, wall)
    async with AsyncExitStack() as stack:
        if setup.log is not None:
            _write_down(stack.enter_context(setup.log.open("a", encoding="utf-8")), ledger, inbox)
        names = ("provider", "groups", "control")
        apps = zip(names, (provider, groups, control), setup.ports, strict=True)
        urls = {name: await stack.enter_async_context(serving(app, port)) for name, app, port in apps}
        ready.write(json.dumps({**urls, "pid": os.getpid()}) + "\n")
        ready.flush()
        await stop.wait()


def _write_down(log: TextIO, ledger: Ledger, inbox: Inbox) -> None:
    """A line of JSON for each question and message, at once, so that a killed process leaves them behind."""

    def line(kind: str, item: dict[str, Any]) -> None:
        log.write(json.dumps({"kind": kind, **item}, ensure_ascii=False) + "\n")
        log.flush()

    ledger.listeners.append(lambda item: line("asked", dict(item.plain())))
    inbox.listeners.append(lambda item: line("received", item.plain()))


def _end_on_signals(stop: asyncio.Event) -> None:
    """Stop on SIGTERM and SIGINT, and when nobody holds the other end of standard input any more."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    Thread(target=watch, daemon=True).start()


def _seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@click.command()
@click.option("--port-provider", default=0, show_default=True)
@click.option("--port-groups", default=0, show_default=True)
@click.option("--control-port", default=0, show_default=True)
@click.option(
    "--log", type=click.Path(dir_okay=False, path_type=Path), help="JSON lines of all that was seen"
)
@click.option("--customer", default="CUSTOMERDEMO0001", show_default=True)
@click.option("--key", default="KEYdemo12345", show_default=True)
@click.option(
    "--min-interval", default=1800.0, show_default=True, help="seconds between questions of one number"
)
@click.option("--daily", default=48, show_default=True, help="questions of one number in --day")
@click.option("--day", default=86400.0, show_default=True, help="seconds")
@click.option("--quota", type=int, help="questions before the key has run out")
@click.option("--sends", default=20, show_default=True, help="messages of one robot in --window")
@click.option("--window", default=60.0, show_default=True, help="seconds")
@click.option("--mute", default=600.0, show_default=True, help="seconds DingTalk closes a robot")
@click.option("--block", default=60.0, show_default=True, help="seconds WeCom closes a robot")
@click.option("--ding-token", default="ding-demo", show_default=True)
@click.option("--ding-secret", default="SECdemo", show_default=True)
@click.option("--wecom-key", default="wecom-demo", show_default=True)
@click.option("--onebot-token", default="onebot-demo", show_default=True)
@click.option("--group", "groups", multiple=True, help="QQ groups the account is in; none: all")
def main(log: Path | None, groups: tuple[str, ...], **given: Any) -> None:
    """Run the fake tracking provider and the fake chat groups until standard input closes."""
    day = _seconds(given["day"])
    setup = Setup(
        ports=(given["port_provider"], given["port_groups"], given["control_port"]),
        customer=given["customer"],
        key=given["key"],
        robots=(
            Robot("dingtalk", "ding", given["ding_token"], given["ding_secret"]),
            Robot("wecom", "wecom", given["wecom_key"]),
            Robot("onebot", "qq", given["onebot_token"], groups=frozenset(groups)),
        ),
        ceilings=Ceilings(_seconds(given["min_interval"]), given["daily"], day, day, given["quota"]),
        limits=GroupLimits(
            given["sends"], _seconds(given["window"]), _seconds(given["mute"]), _seconds(given["block"])
        ),
        log=log,
    )
    asyncio.run(run(setup, sys.stdout))


if __name__ == "__main__":
    main()
