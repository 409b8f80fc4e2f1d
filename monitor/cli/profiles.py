"""`profiles`: the platforms' rules as they come with the program, readably and with their sources."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Final

import click

from monitor.cli.common import as_json, config_option, emit, json_option, say
from monitor.config.settings import default_path
from monitor.intake.columns import platform_id
from monitor.profiles import load_profiles
from monitor.rulebook import ADVICE, profile_rows, rule_lines, rule_rows
from rules.policy import PolicyBook

__all__ = ["COMMANDS"]

_HEADINGS: Final = {
    "id": "编号",
    "name": "平台",
    "rules": "规则",
    "verified_on": "核对",
    "worst_confidence": "最低可信度",
}


@click.command("profiles")
@click.argument("name", required=False)
@config_option
@json_option
def profiles(name: str | None, config: Path | None, as_json_: bool) -> None:
    """列出平台配置；写上 NAME 就逐条列出它的规则和出处。

    NAME 是平台的编号或名字，如 pinduoduo、拼多多。规则里的数字都是默认值，请以规则中心为准；自己的数字写在策略里。
    配置文件旁边的 calendars、lines 文件夹也算进来，配置文件本身不读。
    """
    known = PolicyBook(load_profiles(beside=(config or default_path()).absolute().parent)).profiles
    if name is None:
        emit(profile_rows(known.values()), _HEADINGS, json_=as_json_, empty="没有平台配置。")
        if not as_json_:
            say(f"\n{ADVICE}。可信度从高到低：OFF、OFFQ、SEC、UNC。某一个平台：parcelwatch profiles 编号")
        return
    found = platform_id(name)
    if found not in known:
        names = [*known, *(each.name for each in known.values())]
        near = get_close_matches(name, names, n=3, cutoff=0.4)
        hint = f"是不是想写 {' 或 '.join(near)}？" if near else f"可用的有：{'、'.join(sorted(known))}"
        raise click.BadParameter(f"没有叫 {name!r} 的平台配置。{hint}", param_hint="NAME")
    if as_json_:
        as_json(rule_rows(known[found]))
    else:
        for line in rule_lines(known[found]):
            say(line)


COMMANDS: Final = (profiles,)
