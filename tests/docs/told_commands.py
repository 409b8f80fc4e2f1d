"""`docs/reference/commands.md`, told by the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from monitor.cli import cli
from tests.docs.told import MADE, cell

_HEAD_COMMANDS = f"""{MADE}

# 命令

需要配置的命令都可以在名字后面写 `-c 文件`；不写时取当前目录的 `parcelwatch.toml`，其次 `/etc/parcelwatch/parcelwatch.toml`。
列表命令都有 `--json`：标准输出上只有一个 JSON，没有别的。退出码见[退出码](exit-codes.md)。"""
_TAIL_COMMANDS = """## English

Every command with its options, generated from the program. Commands that need the configuration take `-c FILE`; without
it they read `parcelwatch.toml` in the working directory, then `/etc/parcelwatch/parcelwatch.toml`. Lists have `--json`.
Exit codes: 0 done, 1 it failed, 2 you must change something."""


def commands() -> str:
    """Every command with its arguments and options."""
    found = list(_commands(cli, ("parcelwatch",)))
    index = [f"| [`{' '.join(path)}`](#{_anchor(path)}) | {_short(each)} |" for path, each in found]
    intro = (_HEAD_COMMANDS, "| 命令 | 做什么 |\n|---|---|\n" + "\n".join(index))
    return "\n\n".join((*intro, *(_command(path, each) for path, each in found), _TAIL_COMMANDS)) + "\n"


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


def _anchor(path: tuple[str, ...]) -> str:
    return "-".join(path)


def _short(command: click.Command) -> str:
    return cell((command.help or "").strip().partition("\n")[0])


def _command(path: tuple[str, ...], command: click.Command) -> str:
    parts = [f"## {' '.join(path)}", f"```text\n{_usage(path, command)}\n```", _told(command)]
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if options:
        rows = "\n".join(f"| {_names(each)} | {cell(_meaning(each))} |" for each in options)
        parts.append(f"| 选项 | 意思 |\n|---|---|\n{rows}")
    return "\n\n".join(parts)


def _usage(path: tuple[str, ...], command: click.Command) -> str:
    arguments = [
        each.make_metavar(click.Context(command))
        for each in command.params
        if isinstance(each, click.Argument)
    ]
    more = ["[选项]"] if any(isinstance(each, click.Option) for each in command.params) else []
    group = ["[子命令]"] if isinstance(command, click.Group) else []
    return " ".join([*path, *more, *arguments, *group])


def _told(command: click.Command) -> str:
    """The help text; what is wrapped in the source is one paragraph here."""
    paragraphs = (command.help or "").strip().replace("\b\n", "").split("\n\n")
    return "\n\n".join(
        re.sub(r"(?<=[\u2e80-\uffef])\n\s*|\n\s*(?=[\u2e80-\uffef])", "", each) for each in paragraphs
    )


def _names(option: click.Option) -> str:
    names = "`, `".join((*option.opts, *option.secondary_opts))
    value = "" if option.is_flag or option.count else f" {_metavar(option)}"
    return cell(f"`{names}{value}`")


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    if option.metavar:
        return option.metavar
    known = {"integer": "数", "float": "数", "integer range": "数", "float range": "数", "text": "文字"}
    known |= {"file": "文件", "path": "路径", "directory": "目录"}
    return known.get(option.type.name, option.type.name.upper())


def _meaning(option: click.Option) -> str:
    more = []
    if option.required:
        more.append("必填")
    if isinstance(option.default, (int, float, str)) and not option.is_flag and option.default != "":
        more.append(f"默认 {option.default}")
    if option.multiple:
        more.append("可以写几次")
    return (option.help or "") + (f"（{'；'.join(more)}）" if more else "")
