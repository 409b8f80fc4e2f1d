"""What the configuration says of second opinions: read, refused where it cannot be, odd where it comes to nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from monitor.app import build_sweep
from monitor.checking.lint import lint
from monitor.config.settings import ConfigError, Settings, load
from monitor.profiles import load_profiles, vocabulary

ENV = {"KEY": "k-71", "SALT": "pepper"}
K100 = '[[providers]]\nname = "k100"\nkind = "kuaidi100"\ncustomer = "env:KEY"\nkey = "env:KEY"\n'
KDN = '[[providers]]\nname = "kdn"\nkind = "kdniao"\nbusiness_id = "1"\napp_key = "env:KEY"\n'
ZTO, YTO, ALL = 'carriers = ["中通"]\n', 'carriers = ["圆通"]\n', 'carriers = ["*"]\n'
SECOND = "second = true\n"


def read(folder: Path, text: str) -> Settings:
    file = folder / "parcelwatch.toml"
    file.write_text(text, "utf-8")
    return load(file, ENV)


def test_a_second_account_is_never_asked_first(tmp_path: Path) -> None:
    settings = read(tmp_path, KDN + ALL + SECOND + K100 + ZTO + "[second_opinion]\nyuan = 50\nwait = '5m'\n")
    assert settings.home_of("zhongtong") == "k100"
    assert settings.home_of("yuantong") == "", "which nobody is asked about first"
    doubts = build_sweep(settings).doubts
    assert (doubts.about("zhongtong"), doubts.names) == ("kdn", {"kdn"})
    assert doubts.terms.yuan == Decimal(50)
    assert doubts.terms.wait == timedelta(minutes=5)


def test_it_takes_no_pushes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, K100 + ZTO + SECOND + 'push = true\nsalt = "env:SALT"\n')
    assert "只查询，不接收推送" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(K100 + ZTO + KDN + ZTO + SECOND, "", id="all is well"),
        pytest.param(K100 + ALL + KDN + ALL + SECOND, "", id="everything twice"),
        pytest.param(K100 + ZTO + KDN + YTO + SECOND, "没有账号先查圆通", id="nobody asked first"),
        pytest.param(KDN + ALL + SECOND, "没有账号先去查", id="nobody at all"),
        pytest.param(K100 + ZTO + KDN + SECOND, "没有写核对哪些快递公司", id="no carriers"),
        pytest.param(
            K100 + ZTO + KDN + ZTO + SECOND + KDN.replace('"kdn"', '"kdn2"') + ZTO + SECOND,
            "已由 kdn 核对，轮不到 kdn2",
            id="two of them",
        ),
        pytest.param(K100 + ZTO + "[second_opinion]\nyuan = 50\n", "没有用来核对的账号", id="nobody to ask"),
    ],
)
def test_what_comes_to_nothing_is_said(tmp_path: Path, text: str, words: str) -> None:
    found = lint(read(tmp_path, text), vocabulary(load_profiles()))
    odd = [each.what for each in found if "核对" in each.what]
    assert any(words in each for each in odd) if words else odd == []
