"""An account name or an application key may be named by reference, as a secret is: nobody ever means `env:X` literally."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from carriers.kuaidi100 import Kuaidi100
from monitor.config.secrets import is_reference
from monitor.config.settings import ConfigError, Settings, load
from monitor.erp.jushuitan import Jushuitan
from monitor.erp.wangdian import Wangdian

ROOT = Path(__file__).parents[1]

SOURCE = '[[order_sources]]\nname = "erp"\nkind = "wangdian"\nplatform = "douyin"\nsid = "env:SID"\n'
SOURCE += 'appkey = "file:appkey.txt"\nappsecret = "env:SECRET"\n'
ENV = {"SID": "shop-1", "SECRET": "s-71", "ADDRESS": "https://erp.example.com/openapi2/"}


def read(folder: Path, text: str, env: dict[str, str] = ENV) -> Settings:
    file = folder / "parcelwatch.toml"
    file.write_text(text, "utf-8")
    (folder / "appkey.txt").write_text("gw-1\n")
    return load(file, env)


def test_a_plain_field_of_an_order_source_is_read_from_where_it_points(tmp_path: Path) -> None:
    [account] = read(tmp_path, SOURCE + 'base_url = "env:ADDRESS"\n').order_sources
    assert isinstance(account.source, Wangdian)
    assert (account.source.sid, account.source.appkey) == ("shop-1", "gw-1")
    assert account.source.base_url == "https://erp.example.com/openapi2"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param('sid = "env:NOWHERE"', "环境变量 NOWHERE 没有设置", id="a variable that is not set"),
        pytest.param('sid = "file:none.txt"', "没有密钥文件", id="a file that is not there"),
        pytest.param('sid = "env：SID"', "英文冒号", id="a Chinese colon"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, SOURCE.replace('sid = "env:SID"', line))
    assert words in str(refused.value)
    assert "第 5 行" in str(refused.value)


def test_a_text_that_stands_in_the_file_is_taken_as_it_is_and_no_secret(tmp_path: Path) -> None:
    settings = read(tmp_path, SOURCE.replace("env:SID", "旗舰店 1"))
    [account] = settings.order_sources
    assert isinstance(account.source, Wangdian)
    assert account.source.sid == "旗舰店 1"
    assert settings.written.plain == ()


def test_every_reference_that_connecting_an_erp_shows_is_resolved(tmp_path: Path) -> None:
    text = (ROOT / "docs/how-to/connect-erp.md").read_text("utf-8")
    blocks = "".join(re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    named = dict.fromkeys(re.findall(r'"env:(\w+)"', blocks), "1234")
    accounts = read(tmp_path, blocks, named).order_sources
    assert {type(each.source) for each in accounts} == {Jushuitan, Wangdian}
    for each in accounts:
        told = [getattr(each.source, name) for name in each.source.__dataclass_fields__]  # type: ignore[attr-defined]
        assert not any(isinstance(value, str) and is_reference(value) for value in told)


def test_so_is_one_of_a_provider(tmp_path: Path) -> None:
    text = '[[providers]]\nname = "k"\nkind = "kuaidi100"\ncustomer = "env:SID"\nkey = "env:SECRET"\n'
    [account] = read(tmp_path, text + 'base_url = "env:ADDRESS"\n').providers
    assert isinstance(account.provider, Kuaidi100)
    assert account.provider.base_url == "https://erp.example.com/openapi2"
