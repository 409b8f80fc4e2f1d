"""What `check` says of accounts that stand in each other's way, and of money for what costs none."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.checking.check import check
from monitor.checking.lint import CheckLine

K100 = """
[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "env:CUSTOMER"
key = "env:KEY"
carriers = ["*"]
"""
ZTO = """
[[providers]]
name = "zto"
kind = "zto"
app_key = "app"
app_secret = "env:KEY"
carriers = ["中通"]
"""
CAINIAO = """
[[providers]]
name = "cn"
kind = "cainiao"
push = true
callback_key = "env:KEY"
carriers = ["圆通"]
"""
ENV = {"CUSTOMER": "c", "KEY": "0123456789abcdef"}


def said(folder: Path, text: str) -> list[CheckLine]:
    file = folder / "parcelwatch.toml"
    file.write_text(text, "utf-8")
    return [each for each in check(file, env=ENV) if each.level == "warn"]


def test_an_account_that_nobody_asks_says_which_table_to_move_before_which(tmp_path: Path) -> None:
    [turned] = [each for each in said(tmp_path, K100 + ZTO) if "轮不到 zto" in each.what]
    assert turned.what.endswith("中通快递 已由 k100 查询，轮不到 zto")
    assert (
        turned.todo == "同一家快递只问写在前面的账号。要先问 zto：把第 9 行起的 [[providers]]（zto）整段移到"
        "第 2 行（k100）之前；不要它问：从它的 carriers 里去掉 中通快递"
    )
    assert not [each for each in said(tmp_path, ZTO + K100) if "轮不到" in each.what], "once it is done"


@pytest.mark.parametrize("account", [ZTO, CAINIAO], ids=["asked", "pushes only"])
def test_a_price_for_what_costs_nothing_is_said(tmp_path: Path, account: str) -> None:
    def prices(text: str) -> list[str]:
        return [each.what for each in said(tmp_path, text) if "不收费" in each.what]

    assert prices(account + K100) == []
    [what] = prices(f"{account}price = 0.05\n{K100}")
    assert what.startswith("`providers[0].price`")
    assert prices(f"{account}{K100}price = 0.05\n") == [], "that one is paid for"
