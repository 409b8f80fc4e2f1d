"""What a command that was typed wrong says: in Chinese, with what to do, exit code 2."""

from __future__ import annotations

import re

import pytest

from monitor.cli import _COMMANDS
from monitor.cli.words import speak_chinese
from tests.cli.conftest import Shell

ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")
"""Three English words in a row: a sentence that nobody translated."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("xyzzy", "没有命令 'xyzzy'。\n", id="no such command"),
        pytest.param("tikets", "没有命令 'tikets'。是不是想写 'tickets'？", id="nor this, with the nearest"),
        pytest.param("tickets resolv", "是不是想写 'resolve'？", id="no such command of a group"),
        pytest.param("run --configg x", "是不是想写 '--config'？", id="no such option, with the nearest"),
        pytest.param("run --log-format xml", "可以写 'auto', 'json', 'text'", id="not one of a few"),
        pytest.param("run -c", "选项 '-c' 后面要跟一个值", id="an option without its value"),
        pytest.param("run --log-format=text extra", "多出来的参数：extra", id="one argument too many"),
        pytest.param("run -c .", "'.' 是目录，不是文件", id="a folder for a file"),
        pytest.param("check --json=1", "选项 '--json' 后面不跟值", id="a value for a switch"),
        pytest.param("import", "缺少参数 'FILE'", id="no file"),
        pytest.param("import none.csv", "没有这个文件：'none.csv'", id="no such file"),
        pytest.param("demo --port 99999", "99999 超出范围", id="out of range"),
        pytest.param("demo --port abc", "'abc' 不是数字", id="not a number"),
        pytest.param("completion", "缺少参数", id="no shell"),
    ],
)
def test_a_command_typed_wrong_is_told_so_in_chinese(shell: Shell, words: str, said: str) -> None:
    err = shell(*words.split(), code=2).stderr
    assert said in err
    assert not ENGLISH.search(err), err


@pytest.mark.parametrize("name", [None, *_COMMANDS])
def test_every_help_is_in_chinese(shell: Shell, name: str | None) -> None:
    told = shell(*([name] if name else []), "--help").stdout
    assert told.startswith("用法：")
    assert "显示这份说明" in told
    assert not ENGLISH.search(told.replace("parcelwatch completion bash", "")), told


def test_learning_chinese_twice_changes_nothing(shell: Shell) -> None:
    before = shell("run", "--help").stdout
    speak_chinese()
    assert shell("run", "--help").stdout == before
