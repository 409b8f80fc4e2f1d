"""`recognise` as it is typed: what a number looks like, and what an account says of it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Shell


def test_by_shape(shell: Shell) -> None:
    assert [(each["carrier"], each["source"]) for each in shell.json("recognise", "SF1390001112223")] == [
        ("shunfeng", "shape"),
        ("shunfengkuaiyun", "shape"),
    ]
    told = shell("recognise", "YT8812345678901", "?").stdout
    assert "圆通速递" in told
    assert "?：看不出是哪家的" in told


@pytest.mark.parametrize(("name", "words"), [("nobody", "没有数据源账号"), ("k100", "没有启用")])
def test_who_cannot_be_asked(shell: Shell, name: str, words: str) -> None:
    assert words in shell("recognise", "75812345678901", "--ask", name, code=2).stderr
