"""What the configuration says of pushes: read, refused where anybody could push, odd where nobody can."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.checking.check import check
from monitor.checking.pushes import odd_pushes
from monitor.config.settings import ConfigError, load

ENV = {"KEY": "k-71", "SALT": "pepper", "CB": "open sesame"}
WEB = '[web]\npublic_url = "https://watch.example.com"\n'
K100 = '[[providers]]\nname = "k100"\nkind = "kuaidi100"\ncustomer = "env:KEY"\nkey = "env:KEY"\ncarriers = ["*"]\n'
SALT = 'push = true\nsalt = "env:SALT"\n'
SF = (
    '[[providers]]\nname = "sf"\nkind = "sf"\npartner_id = "P"\ncheck_word = "env:KEY"\ncarriers = ["顺丰"]\n'
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parcelwatch.toml"
    path.touch(0o640)
    return path


def odd(file: Path, text: str) -> list[str]:
    file.write_text(text, "utf-8")
    return [what for _, what, _ in odd_pushes(load(file, ENV))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(WEB + K100 + SALT, "", id="all is well"),
        pytest.param(WEB + K100, "", id="nobody pushes"),
        pytest.param(K100 + SALT, "不知道从外面怎么找到我们", id="no address"),
        pytest.param("[web]\nenabled = false\n" + K100 + SALT, "控制台没有开", id="no console"),
        pytest.param(WEB.replace("watch.example.com", "192.168.1.7") + K100 + SALT, "内网地址", id="inside"),
        pytest.param(WEB.replace("watch.example.com", "watch") + K100 + SALT, "内网地址", id="a bare name"),
        pytest.param(
            WEB + K100 + SALT + 'callback_url = "https://hooks.example.com/x"\n', "不以 /callbacks/k100 结尾", id="rewritten"
        ),
        pytest.param(
            K100 + SALT + 'callback_url = "https://hooks.example.com/a/callbacks/k100"\n', "", id="an address of its own"
        ),
        pytest.param(WEB + K100 + 'callback_key = "env:CB"\n', "却不接收推送", id="a key for nothing"),
        pytest.param(
            WEB.replace("watch.example.com", "127.0.0.1") + K100 + SALT + 'base_url = "http://127.0.0.1:9"\n', "", id="rehearsed"
        ),
    ],
)  # fmt: skip
def test_what_keeps_pushes_from_coming(file: Path, text: str, words: str) -> None:
    found = odd(file, text)
    assert (not found) if not words else any(words in each for each in found), found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(K100 + "push = true\n", id="快递100 without a salt"),
        pytest.param(SF + "push = true\n", id="顺丰 never signs"),
        pytest.param(
            SF.replace('"sf"', '"kdn"', 1).replace('kind = "sf"\npartner_id = "P"\ncheck_word', 'kind = "kdniao"\nbusiness_id = "1"\nunsigned_pushes = true\napp_key')
            + "push = true\n",
            id="an old account of 快递鸟",
        ),
    ],
)  # fmt: skip
def test_pushes_that_anybody_could_send_are_refused(file: Path, text: str) -> None:
    file.write_text(WEB + text, "utf-8")
    with pytest.raises(ConfigError) as told:
        load(file, ENV)
    assert "谁都可以冒充" in str(told.value.problems[0])
    file.write_text(WEB + text + 'callback_key = "env:CB"\n', "utf-8")
    assert load(file, ENV).providers[0].push


CAINIAO = '[[providers]]\nname = "cn"\nkind = "cainiao"\ncarriers = ["中通"]\ncallback_key = "env:CB"\n'


def test_an_account_that_only_pushes_has_to_be_pushed(file: Path) -> None:
    file.write_text(WEB + CAINIAO, "utf-8")
    with pytest.raises(ConfigError) as told:
        load(file, ENV)
    assert "只推送" in str(told.value.problems[0])


def test_who_only_pushes_is_never_the_one_to_ask(file: Path) -> None:
    file.write_text(WEB + CAINIAO + "push = true\n" + K100, "utf-8")
    settings = load(file, ENV)
    asked = settings.provider_for("zhongtong")
    assert asked is not None
    assert asked.name == "k100"
    assert settings.providers[0].pushes("zhongtong")


def test_a_carrier_that_is_only_pushed_is_odd(file: Path) -> None:
    def said(text: str) -> list[str]:
        file.write_text(WEB + CAINIAO + "push = true\n" + text, "utf-8")
        return [
            each.what for each in check(file, env=ENV) if "没法核实" in each.what or "轮不到" in each.what
        ]

    assert said(K100) == []
    assert odd(file, WEB + CAINIAO + "push = true\n" + K100) == [], "it is verified"
    (only,) = said(SF)
    assert only.endswith("cn 只推送，没有账号能查中通快递：时限到了没法核实，不会告警")


def test_the_key_of_the_address_is_a_secret(file: Path) -> None:
    file.write_text(WEB + SF + 'push = true\ncallback_key = "env:CB"\n', "utf-8")
    settings = load(file, ENV)
    assert "open sesame" in [secret.reveal() for secret in settings.secrets]
    assert "open sesame" not in repr(settings)
    told = check(file, env=ENV)
    assert [each.what for each in told if "推送网址" in each.what] == [
        "sf 的推送网址：https://watch.example.com/callbacks/sf?key=***"
    ]
    assert not [each for each in told if "open sesame" in f"{each.what}{each.todo}"]


def test_only_who_can_push_is_told_to(file: Path) -> None:
    text = K100.replace('kind = "kuaidi100"\ncustomer = "env:KEY"\nkey', 'kind = "nobody"\nkey')
    file.write_text(WEB + text + "push = true\n", "utf-8")
    with pytest.raises(ConfigError):
        load(file, ENV)
