"""click's own words in Chinese: its usage errors and headings are read by the same people as ours.

click looks every text up through two functions of each of its modules (`_`, `ngettext`). They are given a table
in place of a compiled catalogue; a text that is not in it, of a later click, stays as click wrote it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

__all__ = ["speak_chinese"]

_MODULES: Final = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types")
_WORDS: Final = {
    "Usage:": "用法：",
    "Options": "选项",
    "Commands": "命令",
    "Show this message and exit.": "显示这份说明",
    "Aborted!": "已取消。",
    "Error: {message}": "错误：{message}",
    "Try '{command} {option}' for help.": "加 {option} 看说明：{command} {option}",
    "Invalid value: {message}": "值不对：{message}",
    "Invalid value for {param_hint}: {message}": "{param_hint} 的值不对：{message}",
    "Missing argument": "缺少参数",
    "Missing option": "缺少选项",
    "Missing parameter": "缺少参数",
    "Missing command.": "缺少命令。",
    "No such option {name!r}.": "没有选项 {name!r}。",
    "No such command {name!r}.": "没有命令 {name!r}。",
    "Did you mean {possibility}?": "是不是想写 {possibility}？",
    "(Did you mean one of: {possibilities}?)": "是不是想写其中之一：{possibilities}？",
    "Option {name!r} does not take a value.": "选项 {name!r} 后面不跟值。",
    "Option {name!r} requires an argument.": "选项 {name!r} 后面要跟一个值。",
    "Option {name!r} requires {nargs} arguments.": "选项 {name!r} 后面要跟 {nargs} 个值。",
    "Got unexpected extra argument ({args})": "多出来的参数：{args}",
    "Got unexpected extra arguments ({args})": "多出来的参数：{args}",
    "Choose from:\n\t{choices}": "可以写：\n\t{choices}",
    "{value!r} is not {choice}.": "{value!r} 不行，只能写 {choice}。",
    "{value!r} is not one of {choices}.": "{value!r} 不行，可以写 {choices}。",
    "{value!r} is not a valid {number_type}.": "{value!r} 不是数字。",
    "{value} is not in the range {range}.": "{value} 超出范围 {range}。",
    "{name} {filename!r} does not exist.": "没有这个{name}：{filename!r}。",
    "{name} {filename!r} is a file.": "{filename!r} 是文件，不是目录。",
    "{name} {filename!r} is a directory.": "{filename!r} 是目录，不是文件。",
    "{name} {filename!r} is not readable.": "{name} {filename!r} 没有读取权限。",
    "{name} {filename!r} is not writable.": "{name} {filename!r} 没有写入权限。",
    "{value!r} does not match the format {format}.": "{value!r} 的写法不对，应如 {format}。",
    "{value!r} does not match the formats {formats}.": "{value!r} 的写法不对，应如 {formats}。",
    "Could not open file {filename!r}: {message}": "打不开文件 {filename!r}：{message}",
    "Do you want to continue?": "要继续吗？",
    "file": "文件",
    "File": "文件",
    "directory": "目录",
    "Directory": "目录",
    "path": "路径",
    "Path": "路径",
    "default: {default}": "默认 {default}",
    "required": "必填",
}


def speak_chinese() -> None:
    """From now on click says everything it can in Chinese. Doing it twice changes nothing."""
    for name in _MODULES:
        module = import_module(f"click.{name}")
        for function, meaning in (("_", _one), ("ngettext", _one_or_many)):
            if hasattr(module, function):
                setattr(module, function, meaning)


def _one(text: str) -> str:
    return _WORDS.get(text, text)


def _one_or_many(one: str, many: str, n: int) -> str:
    return _one(one if n == 1 else many)
