"""`parcelwatch check`: everything wrong by line, everything odd, and what the machine lacks."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.checking import machine
from monitor.checking.check import CheckLine, check
from monitor.checking.lint import lint
from monitor.config.settings import load
from monitor.profiles import load_profiles, vocabulary
from monitor.store.database import migrate

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ENV = {
    "CHECK": "http://127.0.0.1:9000/push/x",
    "KEY": "k-71",
    "HOOK": "https://oapi.dingtalk.com/robot/send?access_token=t-52",
    "HOOK2": "https://oapi.dingtalk.com/robot/send?access_token=t-53",
}
ACCOUNT = '[[providers]]\nname = "k100"\nkind = "kuaidi100"\ncustomer = "env:KEY"\nkey = "env:KEY"\ncarriers = ["*"]\n'
ROBOT = '[[channels]]\nname = "ops"\nkind = "dingtalk"\nwebhook = "env:HOOK"\n'
ROUTE = '[[routes]]\nchannels = ["ops"]\n'
WEB = 'web.port = 0\nweb.public_url = "https://watch.example.com"\n'
WHOLE = f"{WEB}{ACCOUNT}{ROBOT}{ROUTE}"
POLICY = '[[policies]]\nname = "a"\n'
EXEMPTION = "[[exemptions]]\nname = '台风'\nfrom = 2026-09-01T00:00:00Z\nuntil = 2026-09-03T00:00:00Z\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parcelwatch.toml"
    path.touch(0o640)
    return path


def odd(file: Path, text: str) -> list[tuple[int, str]]:
    """What `lint` says of a valid file: line and words."""
    file.write_text(text, "utf-8")
    found = lint(load(file, ENV), vocabulary(load_profiles()), NOW)
    assert {each.level for each in found} <= {"warn"}
    assert all(each.todo for each in found)
    return [(each.line, each.what) for each in found]


def test_a_whole_configuration_has_nothing_odd(file: Path) -> None:
    assert odd(file, WHOLE + POLICY + EXEMPTION + "proof = 'https://example.com'\n") == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("", 0, "没有轨迹服务商", id="nobody to ask"),
        pytest.param(ACCOUNT, 0, "没有消息渠道", id="nobody to tell"),
        pytest.param(WEB + ACCOUNT + ROBOT, 0, "没有路由", id="channels, but no route"),
        pytest.param(WHOLE.replace("https://w", "http://w"), 2, "https", id="a console in clear text"),
        pytest.param(f"web.enabled = false\n{WHOLE}", 1, "没有工单链接", id="links to a console that is off"),
        pytest.param(f"deadman.url = 'http://hc.example.com/x'\n{WHOLE}", 1, "https", id="a sign of life in clear text"),
        pytest.param(f"retention.personal = '400d'\n{WHOLE}", 1, "个人信息一起删除", id="personal fields outlive their parcel"),
        pytest.param(WHOLE.replace('carriers = ["*"]\n', ""), 3, "不会被用到", id="a provider without carriers"),
        pytest.param(
            WHOLE + ACCOUNT.replace('"k100"', '"two"').replace("*", "中通"), 20, "中通快递 已由 k100", id="never its turn"
        ),
        pytest.param(WHOLE.replace("*", "tiantian"), 8, "tiantian", id="a carrier nobody listed"),
        pytest.param(WHOLE.replace("env:KEY", "k-71", 1), 6, "明文", id="a secret written out"),
        pytest.param(f"store = 'postgresql://a:b@c/d'\n{WHOLE}", 1, "明文", id="a password in the store"),
        pytest.param(f"freshness = '10m'\n{WHOLE}", 1, "30m", id="fresher than the provider allows"),
        pytest.param(
            WHOLE + ROBOT.replace('"ops"', '"b"').replace("HOOK", "HOOK2"), 15, "没有路由用到 b", id="a channel unused"
        ),
        pytest.param(WHOLE + ROBOT.replace('"ops"', '"b"'), 15, "同一个机器人", id="one robot twice"),
        pytest.param(
            f"{WHOLE}{POLICY}match.shop = 'x'\n[[policies]]\nname = 'b'\nmatch.carrier = '圆通'\n",
            18, "一样具体", id="two matches as specific over different fields",
        ),
        pytest.param(
            f"{WHOLE}{POLICY}rules.first_hub.limit = {{normal = '48h', very_remote = '24h'}}\n",
            17, "比 remote 的 48h 还短", id="a shorter limit for a farther place",
        ),
        pytest.param(f"{WHOLE}{POLICY}shadow = true\n", 17, "都在试运行", id="a whole policy on trial"),
        pytest.param(f"windows = ['tmall_2022_spring']\n{WHOLE}", 1, "已经过去", id="a window that is over"),
        pytest.param(
            f"{WHOLE}[[exemptions]]\nname = '台风'\nkind = 'force_majeure'\nfrom = 2026-09-01T00:00:00+08:00\n"
            "until = 2026-09-02T00:00:00+08:00\n",
            15, "报备", id="force majeure without proof",
        ),
        pytest.param(
            f"{WHOLE}{POLICY}match.receiver_city = '杭洲'\n", 17, "没有城市 杭洲", id="a city nobody knows"
        ),
        pytest.param(
            f"{WHOLE}{POLICY}match.shop = ['x', 'y']\n[[policies]]\nname = 'b'\nmatch.shop = 'y'\n",
            18, "「a」", id="two equal matches with a shop in common",
        ),
        pytest.param(
            f"{WHOLE}{POLICY}profile = 'taobao_tmall'\nrules.transit_stagnation.limit = '8h'\n",
            18, "预警", id="a limit shorter than every warning of the profile",
        ),
        pytest.param(
            f"{WHOLE}{POLICY}rules.no_pickup.warn = '6h'\n[[policies.overrides]]\nmatch.tag = 'x'\nrules.no_pickup.limit = '5h'\n",
            20, "预警", id="an override shorter than the policy's warning",
        ),
        pytest.param(WHOLE + "match.platform = 'taobao_tmal'\n", 15, "taobao_tmal", id="a platform without a profile"),
        pytest.param(WHOLE + EXEMPTION, 15, "凭据", id="an exemption without proof"),
        pytest.param(
            WHOLE + EXEMPTION.replace("until = 2026", "until = 2027") + "proof = 'x'\n", 15, "60 天", id="a long one"
        ),
        pytest.param(
            WHOLE + EXEMPTION.replace("2026", "2062") + "proof = 'x'\n", 17, "一年以后", id="one of another century"
        ),
    ],
)  # fmt: skip
def test_what_is_odd_is_told_with_its_line(file: Path, text: str, line: int, words: str) -> None:
    assert [at for at, what in odd(file, text) if words in what] == [line]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            f"{POLICY}match.shop = 'x'\n[[policies]]\nname = 'b'\nmatch.shop = 'y'\n", id="other shops"
        ),
        pytest.param(f"{POLICY}match.shop = 'x'\n[[policies]]\nname = 'b'\n", id="the finer one wins"),
        pytest.param(
            f"{POLICY}match = {{shop = 'x', tag = '1'}}\n[[policies]]\nname = 'b'\nmatch = {{shop = 'x', tag = '2'}}\n",
            id="one field in common, the other not",
        ),
        pytest.param(f"{POLICY}rules.no_pickup = {{limit = '5h', warn = []}}\n", id="no warning on purpose"),
        pytest.param(f"{POLICY}rules.lost.notify = false\n", id="no limit touched"),
        pytest.param("[deadman]\nurl = 'env:CHECK'\n", id="a check on this machine needs no https"),
    ],
)
def test_what_is_fine_is_not_remarked_on(file: Path, text: str) -> None:
    assert odd(file, WHOLE + text) == []


def test_a_refresh_lag_shorter_than_the_providers_own_is_odd_except_in_a_rehearsal(file: Path) -> None:
    """L1: silence is proven only as far back as the provider may be behind the carrier."""
    file.write_text(WHOLE, "utf-8")
    settings = load(file, ENV)
    account = settings.providers[0]
    behind = replace(account.provider, refresh_lag=timedelta(hours=1))  # type: ignore[type-var]

    def said(provider: Any) -> bool:
        now = replace(settings, providers=(replace(account, provider=provider),))
        return any("refresh_lag" in each.what for each in lint(now, vocabulary(load_profiles())))

    assert said(behind)
    assert not said(account.provider)
    assert not said(replace(behind, base_url="http://127.0.0.1:9000"))  # type: ignore[type-var]


def test_a_file_with_secrets_is_for_its_owner_only(file: Path) -> None:
    key = file.parent / "key"
    key.write_text("k-71")
    text = WHOLE.replace("env:KEY", f"file:{key}", 1)

    for mode, told in ((0o604, True), (0o640, False), (0o600, False)):
        key.chmod(mode)
        assert any(str(key) in what for _, what in odd(file, text)) is told
    for mode, told in ((0o644, True), (0o640, False)):
        file.chmod(mode)
        assert any("任何用户" in what for _, what in odd(file, WHOLE.replace("env:KEY", "k", 1))) is told
    file.chmod(0o644)
    assert odd(file, WHOLE) == []


# ── check: the whole ──


def told(lines: list[CheckLine], words: str) -> CheckLine:
    [found] = [each for each in lines if words in each.what]
    return found


def test_every_mistake_is_a_failure_with_its_line(file: Path) -> None:
    file.write_text("langage = 'zh-CN'\n[web]\nport = -1\n", "utf-8")

    lines = check(file, env={}, now=NOW)

    assert [(each.line, each.what.partition("：")[0]) for each in lines if each.level == "fail"] == [
        (1, "`langage`"),
        (3, "`web.port`"),
    ]


def test_a_missing_file_is_a_failure_of_the_file(tmp_path: Path) -> None:
    assert told(check(tmp_path / "none.toml", env={}), "没有这个文件").level == "fail"


def test_a_sound_installation_has_no_failure_and_no_warning(file: Path) -> None:
    file.write_text(WHOLE, "utf-8")
    migrate(f"sqlite:///{file.parent}/parcelwatch.db")
    (file.parent / "parcelwatch.db").chmod(0o640)

    lines = check(file, env=ENV, now=NOW)

    assert [each for each in lines if each.level != "ok"] == []
    assert told(lines, "1 个服务商账号、1 个渠道、1 条路由、0 条策略")
    assert not any(value in str(lines) for value in ENV.values())


def test_the_store_is_asked_for_its_schema(file: Path) -> None:
    store = file.parent / "parcelwatch.db"
    file.write_text(f"store = 'sqlite:///{store}'\n", "utf-8")
    assert told(check(file, env=ENV), "还没有建立").what.endswith("自动建好")
    assert not store.exists()

    migrate(f"sqlite:///{store}")
    store.chmod(0o644)
    assert told(check(file, env=ENV), "数据库结构").level == "ok"
    assert told(check(file, env=ENV), "任何用户").line == 1

    store.write_bytes(b"not a database, but long enough to be taken for one" * 20)
    assert any(each.level == "fail" and each.line == 1 for each in check(file, env=ENV))
    file.write_text("store = 'sqlite:///nowhere/x.db'\n", "utf-8")
    assert told(check(file, env=ENV), "nowhere").level == "fail"


@pytest.mark.parametrize(("state", "level"), [("outdated", "fail"), ("newer", "fail"), ("current", "ok")])
def test_a_schema_that_is_not_ours_is_a_failure(
    file: Path, monkeypatch: pytest.MonkeyPatch, state: str, level: str
) -> None:
    (file.parent / "parcelwatch.db").touch(0o600)
    monkeypatch.setattr("monitor.store.database.schema_state", lambda url: state)

    [line] = machine.store(load(file, ENV))

    assert line.level == level


@pytest.mark.parametrize(
    ("free", "level"),
    [(50 << 20, "fail"), (500 << 20, "warn"), (5 << 30, "ok")],
    ids=["full", "tight", "roomy"],
)
def test_the_disk_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1 << 40, 0, free))

    line = machine.disk(tmp_path / "not yet" / "x.db", "备份")

    assert line.level == level
    assert line.what.startswith("备份的磁盘")


@pytest.mark.parametrize(
    ("version", "bug"),
    [
        ((3, 40, 1), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_the_wal_reset_bug_is_known_by_version(version: tuple[int, int, int], bug: bool) -> None:
    """`facts/libraries.md` §5: fixed in 3.51.3, back-ported to 3.50.7 and 3.44.6."""
    line = machine.sqlite_version(version)

    assert ("WAL-reset" in line.what) is bug
    assert (line.level, line.todo) == ("ok", ""), "nobody has to do anything"


def package(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    return folder


def test_each_of_our_packages_has_one_home_and_one_owner(tmp_path: Path) -> None:
    """Public packages called `rules` and `notifiers` exist (style.md, packaging)."""
    ours = tmp_path / "ours"
    for name in machine.OUR_PACKAGES:
        package(ours, name)
    other = package(tmp_path / "other", "rules")
    (tmp_path / "empty" / "notifiers").mkdir(parents=True)
    empty = str(tmp_path / "empty")

    def levels(search: list[Path | str], owners: dict[str, list[str]]) -> list[str]:
        return [each.level for each in machine.homes(ours, [str(each) for each in search], owners)]

    assert levels([empty, ours, ours], {"rules": ["parcelwatch", "parcelwatch"]}) == ["ok"]
    assert levels([other, ours], {}) == ["fail"]
    assert levels([ours, other], {}) == ["warn"]
    assert levels([ours], {"notifiers": ["notifiers", "parcelwatch"]}) == ["fail"]


def test_this_installation_is_not_shadowed() -> None:
    assert [each.level for each in machine.homes()] == ["ok"]
