"""The configuration of design §4: what it means, and what it says when it is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tomllib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import carriers.base
import notifiers.base
from domain.orders import Case, Order, Waybill
from domain.remote import Secret
from monitor.calendars import config_folder
from monitor.config.accounts import CEILINGS, PUSHING, channel_kinds, provider_kinds
from monitor.config.adapters import built, settings_of
from monitor.config.exemptions import exemption_table
from monitor.config.file import ConfigError
from monitor.config.schema import schema, schema_text
from monitor.config.service import BACKUP, DEADMAN, LOG, RETENTION, WEB
from monitor.config.settings import Settings, default_path, load, load_book
from monitor.config.shapes import Reading, Setting, read_table
from monitor.config.top import route_table, top
from monitor.config.values import TEXT
from monitor.config.words import Words
from monitor.profiles import load_profiles, vocabulary

ROOT = Path(__file__).parent.parent
ENV = {
    "K100_CUSTOMER": "customer-9f",
    "K100_KEY": "key-7c",
    "DING_URL": "https://oapi.dingtalk.com/robot/send?access_token=token-51",
    "DING_SECRET": "SEC-44",
    "WECOM_URL": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hook-31",
    "QQ_TOKEN": "qq-20",
    "DEADMAN_URL": "https://hc.example.com/ping-83",
}
CONTRACT = """\
#:schema ./schema.json
timezone = "Asia/Shanghai"
language = "zh-CN"
store    = "sqlite:///parcelwatch.db"

[web]
host = "127.0.0.1"
port = 8000
public_url = "https://watch.example.com"

[[providers]]
name = "k100"
kind = "kuaidi100"
base_url = "https://poll.kuaidi100.com"
customer = "env:K100_CUSTOMER"
key      = "env:K100_KEY"
carriers = ["zhongtong", "yuantong", "shunfeng"]
ceilings = {per_waybill_interval = "30m", per_waybill_daily = 40, per_second = 20, concurrency = 16}

[[channels]]
name = "ops"
kind = "dingtalk"
webhook = "env:DING_URL"
secret  = "env:DING_SECRET"

[[channels]]
name = "qq"
kind = "onebot"
url = "http://127.0.0.1:3000"
token = "env:QQ_TOKEN"
group_id = 123456

[[routes]]
match = {platform = "taobao_tmall", stage = "breach"}
channels = ["ops"]
mention = ["13800000000"]

[[policies]]
name = "flagship"
match = {shop = "旗舰店"}
profile = "taobao_tmall"
rules.transit_stagnation = {limit = "48h", warn = ["24h", "8h"], watch = true, notify = true}
rules.paid_to_signed = {limit = "52h"}
[[policies.overrides]]
match = {receiver_province = ["新疆", "西藏"]}
rules.transit_stagnation = {limit = "120h"}

[[exemptions]]
name = "台风"
from = 2026-09-01T00:00:00+08:00
until = 2026-09-03T00:00:00+08:00
match = {receiver_province = ["广东"]}
proof = "https://example.com/typhoon"
"""
"""Design §4 "Configuration", word for word but for the address of the proof."""

ACCOUNT = (
    '[[providers]]\nname = "k100"\nkind = "kuaidi100"\ncustomer = "env:K100_CUSTOMER"\nkey = "env:K100_KEY"\n'
)
ROBOT = '[[channels]]\nname = "ops"\nkind = "dingtalk"\nwebhook = "env:DING_URL"\n'


def read(tmp_path: Path, text: str, env: dict[str, str] = ENV) -> Settings:
    file = tmp_path / "parcelwatch.toml"
    file.write_text(text, "utf-8")
    return load(file, env)


def refused(tmp_path: Path, text: str, env: dict[str, str] = ENV) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, env)
    return caught.value


# ── what it means ──


def test_the_contract_reads_as_it_says(tmp_path: Path) -> None:
    got = read(tmp_path, CONTRACT)

    assert (got.timezone.key, got.language) == ("Asia/Shanghai", "zh-CN")
    assert got.store == f"sqlite:///{tmp_path}/parcelwatch.db"
    assert (got.web.host, got.web.port, got.web.public_url) == (
        "127.0.0.1",
        8000,
        "https://watch.example.com",
    )
    [account] = got.providers
    assert account.carriers == {"zhongtong", "yuantong", "shunfeng"}
    assert account.ceilings == carriers.base.Ceilings(timedelta(minutes=30), 40, 20.0, 16)
    assert account.provider.kind == "kuaidi100"
    assert [(each.name, each.kind) for each in got.channels] == [("ops", "dingtalk"), ("qq", "onebot")]
    [route] = got.routes
    assert route.match == {"platform": {"taobao_tmall"}, "stage": {"breach"}}
    assert (route.channels, route.mention) == (("ops",), ("13800000000",))
    [exemption] = got.exemptions
    assert exemption.window.starts_at == datetime(2026, 8, 31, 16, tzinfo=UTC)
    assert (exemption.window.name, exemption.proof) == ("台风", "https://example.com/typhoon")


@pytest.mark.parametrize(
    ("shop", "province", "rule", "limit", "warn"),
    [
        pytest.param("旗舰店", "浙江省", "transit_stagnation", 48, [24, 8], id="the policy's limit"),
        pytest.param("旗舰店", "新疆维吾尔自治区", "transit_stagnation", 120, [24, 8], id="the override's"),
        pytest.param("旗舰店", "浙江省", "paid_to_signed", 52, [12], id="what it leaves out stays as it was"),
        pytest.param("别的店", "浙江省", "paid_to_signed", 59, [12], id="another shop: the profile's"),
    ],
)
def test_a_policy_changes_its_shops_limits(
    tmp_path: Path, shop: str, province: str, rule: str, limit: int, warn: list[int]
) -> None:
    book = read(tmp_path, CONTRACT).book
    order = Order("1", platform="taobao_tmall", shop=shop, receiver_province=province)

    line = book.policy_for(Case(Waybill("zhongtong", "1"), (order,))).line(rule)

    assert line is not None
    assert line.limit == timedelta(hours=limit)
    assert list(line.rule.warn) == [timedelta(hours=h) for h in warn]


def test_an_empty_file_is_a_configuration(tmp_path: Path) -> None:
    got = read(tmp_path, "")

    assert (got.timezone.key, got.language, got.freshness) == ("Asia/Shanghai", "zh-CN", timedelta(hours=12))
    assert (got.web.host, got.web.port) == ("127.0.0.1", 8000)
    assert got.store == f"sqlite:///{tmp_path}/parcelwatch.db"
    assert (got.providers, got.channels, got.routes, got.policies) == ((), (), (), ())


def test_how_the_service_is_run_reads_as_it_says(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        """
        web = {host = "::1", port = 0}
        deadman = {url = "env:DEADMAN_URL", every = "5m"}
        backup = {folder = "../copies", every = "6h", keep = 3}
        retention = {personal = "10d", parcels = "200d"}
        log = {format = "text", level = "debug"}
        """,
    )

    assert (got.web.enabled, got.web.host, got.web.port) == (True, "::1", 0)
    assert got.deadman.url is not None
    assert (got.deadman.url.reveal(), got.deadman.every) == (ENV["DEADMAN_URL"], timedelta(minutes=5))
    assert (got.backup.folder, got.backup.every, got.backup.keep) == (
        tmp_path.parent / "copies", timedelta(hours=6), 3,
    )  # fmt: skip
    assert (got.retention.personal, got.retention.parcels) == (timedelta(days=10), timedelta(days=200))
    assert (got.log.format, got.log.level) == ("text", "debug")


def test_without_a_word_on_it_the_service_is_watched_by_nobody_and_copied_nowhere(tmp_path: Path) -> None:
    got = read(tmp_path, "")

    assert (got.deadman.url, got.backup.folder) == (None, None)
    assert got.retention.personal == timedelta(days=30), "design §7"
    assert (got.log.format, got.log.level) == ("auto", "info")


def test_the_first_provider_that_matches_wins(tmp_path: Path) -> None:
    second = ACCOUNT.replace('"k100"', '"rest"')
    got = read(tmp_path, f'{ACCOUNT}carriers = ["中通", "SF"]\n{second}carriers = ["*"]\nprice = 0.05')

    asked = {
        key: account.name for key in ("zhongtong", "shunfeng", "jd") if (account := got.provider_for(key))
    }

    assert asked == {"zhongtong": "k100", "shunfeng": "k100", "jd": "rest"}
    assert [each.price for each in got.providers] == [None, Decimal("0.05")]
    assert read(tmp_path, f'{ACCOUNT}carriers = ["zhongtong"]').provider_for("jd") is None


def test_ceilings_left_out_are_the_providers_own(tmp_path: Path) -> None:
    """快递100: 30 minutes between two queries of one number, 48 a day (`features.md` B4)."""
    [account] = read(tmp_path, f'{ACCOUNT}ceilings = {{per_second = 2}}\nrefresh_lag = "10m"').providers

    assert account.ceilings.per_waybill_interval == timedelta(minutes=30)
    assert (account.ceilings.per_waybill_daily, account.ceilings.per_second) == (48, 2.0)
    assert account.refresh_lag == timedelta(minutes=10)


def test_a_rehearsal_on_this_machine_may_be_faster_than_the_provider_allows(tmp_path: Path) -> None:
    fast = f'{ACCOUNT}base_url = "%s"\nceilings = {{per_waybill_interval = "1s", per_waybill_daily = 9999}}'

    for address in ("http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"):
        [account] = read(tmp_path, fast % address).providers
        assert account.ceilings.per_waybill_interval == timedelta(seconds=1)
    said = refused(tmp_path, fast % "http://127.0.0.1.example.com")
    assert [each.path for each in said.problems] == [
        "providers[0].ceilings.per_waybill_daily",
        "providers[0].ceilings.per_waybill_interval",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"sqlite:///data/x.db"', "sqlite:///{folder}/data/x.db"),
        ('"sqlite:///../x.db"', "sqlite:///{parent}/x.db"),
        ('"sqlite:////var/lib/x.db"', "sqlite:////var/lib/x.db"),
        ('"postgresql://pw@db.example/pw"', "postgresql://pw@db.example/pw"),
        ('"env:DATABASE"', "postgresql://pw:hunter2@db.example/pw"),
    ],
)
def test_the_store_is_found_from_the_files_folder(tmp_path: Path, written: str, meant: str) -> None:
    env = {"DATABASE": "postgresql://pw:hunter2@db.example/pw"}

    got = read(tmp_path, f"store = {written}", env)

    assert got.store == meant.format(folder=tmp_path, parent=tmp_path.parent)
    assert "hunter2" not in repr(got)


def test_a_match_takes_one_text_or_several_in_any_spelling(tmp_path: Path) -> None:
    text = """
    [[policies]]
    name = "a"
    match = {carrier = "顺丰", receiver_province = ["广东省", "内蒙古自治区"], receiver_city = "深圳市"}
    """
    [policy] = read(tmp_path, text).policies

    assert policy.match == {
        "carrier": {"shunfeng"},
        "receiver_province": {"广东", "内蒙古"},
        "receiver_city": {"深圳"},
    }


def test_a_limit_may_depend_on_the_destination(tmp_path: Path) -> None:
    text = '[[policies]]\nname = "a"\nrules.no_pickup = {limit = {normal = "1d", very_remote = "2.5d"}, warn = []}'
    [policy] = read(tmp_path, text).policies

    change = policy.rules["no_pickup"]

    assert change.limit == {
        "normal": timedelta(days=1),
        "remote": timedelta(days=1),
        "very_remote": timedelta(hours=60),
    }
    assert change.warn == ()
    assert (change.watch, change.notify) == (None, None)


def test_a_moment_without_an_offset_is_read_in_the_configured_zone(tmp_path: Path) -> None:
    text = """
    exemptions = [{name = "停运", from = 2026-02-16T00:00:00, until = "2026-02-20 12:00", rules = "no_pickup"}]
    timezone = "Asia/Tokyo"
    """
    [each] = read(tmp_path, text).exemptions

    assert each.window.starts_at == datetime(2026, 2, 15, 15, tzinfo=UTC)
    assert each.window.ends_at == datetime(2026, 2, 20, 3, tzinfo=UTC)
    assert each.rules == {"no_pickup"}


# ── what it says when it is wrong ──


def test_every_mistake_of_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    """Lines end with what is wrong there; the expectation is read from the text itself."""
    text = """\
timezone = "Asia/Shangha"                       #! timezone
[web]
prot = 8000                                     #! web.prot
[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "env:NOT_SET"                        #! providers[0].customer
key = "env:K100_KEY"
carriers = [
    "zhongtong",
    "shunfen",                                  #! providers[0].carriers[1]
]
ceilings = {per_second = 20, per_waybill_intervall = "1h"}  #! providers[0].ceilings.per_waybill_intervall
[[channels]]
name = "ops"
kind = "dingtalk"
webhook = "env:DING_URL"
[[channels]]                                    #! channels[1].group_id
name = "ops"                                    #! channels[1].name
kind = "onebot"
url = "http://127.0.0.1:3000"
[[routes]]
channels = ["opps"]                             #! routes[0].channels[0]
mention = [13800000000]                         #! routes[0].mention[0]
[[policies]]
name = "flagship"
profile = "taobao_tmall"
rules.transit_stagnation = {limit = "48h", warn = ["72h"]}  #! policies[0].rules.transit_stagnation.warn
rules.transit_stagnations = {limit = "48h"}     #! policies[0].rules.transit_stagnations
[[policies.overrides]]
match = {receiver_province = ["新疆", "西臧"]}   #! policies[0].overrides[0].match.receiver_province[1]
[policies.overrides.rules.paid_to_signed]
limit = "52 hours"                              #! policies[0].overrides[0].rules.paid_to_signed.limit
[[exemptions]]
name = "台风"
from = 2026-09-03T00:00:00+08:00
until = 2026-09-01T00:00:00+08:00               #! exemptions[0].until
"""
    expected = {
        (number, line.split("#! ")[1].strip())
        for number, line in enumerate(text.splitlines(), 1)
        if "#!" in line
    }

    said = refused(tmp_path, text)

    assert {(each.line, each.path) for each in said.problems} == expected
    assert len(said.problems) == len(expected) == 14
    for number, path in expected:
        assert f"第 {number} 行 `{path}`：" in str(said)


@pytest.mark.parametrize(
    ("text", "line", "path", "words"),
    [
        pytest.param("provider = 1", 1, "provider", "providers", id="an unknown key names the nearest"),
        pytest.param("[providers]\n", 1, "providers", "[[providers]]", id="one pair of brackets for two"),
        pytest.param("[[web]]\n", 1, "web", "[web]", id="two pairs of brackets for one"),
        pytest.param("web = 8000", 1, "web", "一张表", id="a number for a table"),
        pytest.param("channels = ['ops']", 1, "channels[0]", "一张表", id="a text for a table"),
        pytest.param("[web]\nport = '8000'", 2, "web.port", "不加引号", id="a text for a number"),
        pytest.param("[web]\nport = true", 2, "web.port", "整数", id="a switch for a number"),
        pytest.param("[web]\nport = 70000", 2, "web.port", "0 到 65535", id="no such port"),
        pytest.param("[web]\nhost = '0.0.0.0'", 2, "web.host", "ssh -L", id="open to the network before anybody can sign in"),
        pytest.param("[web]\nhost = '10.0.0.5'", 2, "web.host", "public_url", id="open to a private network"),
        pytest.param("[web]\nhost = 'watch.cn'", 2, "web.host", "127.0.0.1", id="a name that may be any address"),
        pytest.param("[web]\nenabled = 'no'", 2, "web.enabled", "false", id="a text for a switch"),
        pytest.param("[deadman]\nurl = 'env:DING_SECRET'", 2, "deadman.url", "网址", id="no address to ping"),
        pytest.param("[deadman]\nevery = '0s'", 2, "deadman.every", "大于零", id="pinging all the time"),
        pytest.param("[backup]\nkeep = 0", 2, "backup.keep", "不小于 1", id="keeping no backup at all"),
        pytest.param("[backup]\nfolder = ''", 2, "backup.folder", "空", id="a folder without a name"),
        pytest.param("[retention]\nparcel = '1d'", 2, "retention.parcel", "parcels", id="nothing of that name is kept"),
        pytest.param("[log]\nformat = 'xml'", 2, "log.format", "json", id="a log nobody reads"),
        pytest.param("[log]\nlevel = 'warn'", 2, "log.level", "warning", id="another name for a level"),
        pytest.param("[web]\nhost = 'http://0.0.0.0'", 2, "web.host", "127.0.0.1", id="an address for a host"),
        pytest.param("[web]\npublic_url = 'watch.cn'", 2, "web.public_url", "https://", id="no whole address"),
        pytest.param("[web]\npublic_url = 'https://a:x'", 2, "web.public_url", "网址", id="no port in it"),
        pytest.param("timezone = 'Asia/Beijing'", 1, "timezone", "Asia/Shanghai", id="no such zone"),
        pytest.param("timezone = '../zone'", 1, "timezone", "时区", id="a path for a zone"),
        pytest.param("language = 'zh'", 1, "language", "zh-CN", id="no such language"),
        pytest.param("freshness = '12'", 1, "freshness", "48h", id="a duration without a unit"),
        pytest.param("freshness = 12", 1, "freshness", "48h", id="a number for a duration"),
        pytest.param("store = 'mysql://a/b'", 1, "store", "postgresql://", id="a database we do not speak"),
        pytest.param("store = 'postgres://a/b'", 1, "store", "postgresql://", id="the other spelling"),
        pytest.param("store = 'postgresql://a'", 1, "store", "库名", id="a server without a database"),
        pytest.param("store = 'sqlite://x.db'", 1, "store", "三个斜杠", id="two slashes"),
        pytest.param("store = 'sqlite:///:memory:'", 1, "store", "内存", id="a store that keeps nothing"),
        pytest.param("store = 'env:NOT_SET'", 1, "store", "NOT_SET", id="a store in a missing variable"),
        pytest.param("[[providers]]\nname = 'a'", 1, "providers[0].kind", "缺少 kind", id="no kind"),
        pytest.param(
            "[[providers]]\nkind = 'kuaidi10'", 2, "providers[0].kind", "kuaidi100", id="no such provider"
        ),
        pytest.param(
            f"{ROBOT}[[channels]]\nkind = 'dingding'", 6, "channels[1].kind", "dingtalk", id="no such channel"
        ),
        pytest.param(
            ACCOUNT.replace("k100", "a/b", 1), 2, "providers[0].name", "网址", id="a name that is no path segment"
        ),
        pytest.param(
            f"{ACCOUNT}carriers = ['火箭快递']", 6, "providers[0].carriers[0]", "火箭快递", id="no such carrier"
        ),
        pytest.param(
            f"{ACCOUNT}carriers = ['zhongtng']", 6, "providers[0].carriers[0]", "zhongtong", id="a carrier misspelt"
        ),
        pytest.param(f"{ACCOUNT}price = -1", 6, "providers[0].price", "小于零", id="a price below zero"),
        pytest.param(f"{ACCOUNT}price = nan", 6, "providers[0].price", "元", id="a price that is no number"),
        pytest.param(
            f"{ACCOUNT}ceilings = {{per_waybill_interval = '29m'}}",
            6, "providers[0].ceilings.per_waybill_interval", "30m", id="faster than the provider allows",
        ),
        pytest.param(
            f"{ACCOUNT}ceilings = {{per_waybill_daily = 49}}",
            6, "providers[0].ceilings.per_waybill_daily", "48", id="more a day than the provider allows",
        ),
        pytest.param(
            f"{ACCOUNT}ceilings = {{per_second = 0}}",
            6, "providers[0].ceilings.per_second", "大于 0", id="never ask",
        ),
        pytest.param(f"{ROBOT}fallback = 'opps'", 5, "channels[0].fallback", "ops", id="no such fallback"),
        pytest.param(f"{ROBOT}fallback = 'ops'", 5, "channels[0].fallback", "绕回", id="its own fallback"),
        pytest.param(
            ROBOT.replace("env:DING_URL", "https://oapi.dingtalk.com/robot/send"),
            4, "channels[0].webhook", "access_token", id="an adapter's own refusal has its key's line",
        ),
        pytest.param(f"{ROBOT}[[routes]]", 5, "routes[0].channels", "缺少", id="a route to nowhere"),
        pytest.param(f"{ROBOT}[[routes]]\nchannels = []", 6, "routes[0].channels", "渠道", id="to no channel"),
        pytest.param("[[routes]]\nchannels = ['ops']", 2, "routes[0].channels[0]", "ops", id="there are no channels"),
        pytest.param(
            f"{ROBOT}[[routes]]\nchannels='ops'\nmatch.stages = 'breach'",
            7, "routes[0].match.stages", "stage", id="nothing of that name to match",
        ),
        pytest.param(
            f"{ROBOT}[[routes]]\nchannels='ops'\nmatch.stage = 'late'",
            7, "routes[0].match.stage", "breach", id="no such stage",
        ),
        pytest.param(
            f"{ROBOT}[[routes]]\nchannels='ops'\nmatch.rule = 'late_pickup'",
            7, "routes[0].match.rule", "late_pickup", id="no such rule to match",
        ),
        pytest.param("[[policies]]\nmatch.shop = []\nname = 'a'", 2, "policies[0].match.shop", "空列表", id="matches nothing"),
        pytest.param("[[policies]]\nname = 'a'\nprofile = 'taobao'", 3, "policies[0].profile", "taobao_tmall", id="no such profile"),
        pytest.param("[[policies]]\nname = 'a'\n[[policies]]\nname = 'a'", 4, "policies[1].name", "第 2 行", id="a name used twice"),
        pytest.param(
            "[[policies]]\nname='a'\nprofile='pinduoduo'\nrules.transit_stagnation.limit='48h'",
            4, "policies[0].rules.transit_stagnation", "没有规则", id="拼多多 has it under another name",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nmatch.platform='pinduoduo'\nrules.transit_stagnation.limit='48h'",
            4, "policies[0].rules.transit_stagnation", "没有规则", id="the profile is told by the platform matched",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nrules.no_pickup.limit='0h'",
            3, "policies[0].rules.no_pickup.limit", "大于零", id="no time at all",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nrules.no_pickup.limit='4800h'\nrules.lost.notify=true\nrules.no_pickup.warn='9000h'",
            5, "policies[0].rules.no_pickup.warn", "4800h", id="a warning before the start",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nrules.no_pickup.limit='5000d'",
            3, "policies[0].rules.no_pickup.limit", "一年", id="longer than any promise",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nprofile='taobao_tmall'\nrules.transit_stagnation.warn='48h'",
            4, "policies[0].rules.transit_stagnation.warn", "48h", id="a warning on the profile's limit",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nrules.no_pickup={limit='9h'}\n[[policies.overrides]]\nmatch.tag='x'\nrules.no_pickup={warn='10h'}",
            6, "policies[0].overrides[0].rules.no_pickup.warn", "9h", id="a warning before the policy's own limit",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nrules.no_pickup={limit={remote='9h'}}",
            3, "policies[0].rules.no_pickup.limit", "normal", id="tiers without the usual one",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nrules.lost={limit='9h'}",
            3, "policies[0].rules.lost.limit", "没有时限", id="a limit for what is true at once",
        ),
        pytest.param(
            "[[policies]]\nname='a'\nrules.no_pickup='9h'", 3, "policies[0].rules.no_pickup", "一张表", id="a bare limit"
        ),
        pytest.param(
            "[[policies]]\nname='a'\n[[policies.overrides]]\nrules.no_pickup={limit='9h'}",
            3, "policies[0].overrides[0].match", "缺少 match", id="an override of everything",
        ),
        pytest.param(
            "[[exemptions]]\nname='a'\nfrom=2026-09-01\nuntil=2026-09-02T00:00:00Z",
            3, "exemptions[0].from", "时刻", id="a day is not a moment",
        ),
        pytest.param(
            "[[exemptions]]\nname='a'\nfrom=2026-09-01T00:00:00Z\nuntil=2026-09-02T00:00:00Z\nrules='no_pikup'",
            5, "exemptions[0].rules", "no_pickup", id="an exemption from no such rule",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_is_and_what_to_do(
    tmp_path: Path, text: str, line: int, path: str, words: str
) -> None:
    said = refused(tmp_path, text)

    assert [(each.line, each.path) for each in said.problems if words in each.reason] == [(line, path)], str(
        said
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("a = 1\nweb = {\n", 2, "花括号", id="an open brace"),
        pytest.param("a = 1\nname = “ops”\n", 2, "全角", id="quotes of a Chinese keyboard"),
        pytest.param("timezone = 'x'\n\ntimezone = 'y'\n", 3, "两遍", id="a key twice"),
        pytest.param("[web]\nport = 1\n[web]\n", 3, "两遍", id="a table twice"),
        pytest.param("[web]\nport 8000\n", 2, "等号", id="no equals sign"),
        pytest.param("[web]\nhost = 'a\nport = 1\n", 2, "引号", id="an open quote"),
        pytest.param("[web\nport = 1\n", 1, "方括号", id="an open header"),
        pytest.param("a = [1,\n 2\n b = 3", 3, "方括号", id="an open list"),
        pytest.param("a = yes\n", 1, "true", id="a bare word"),
        pytest.param("a = " + "[" * 5000, 0, "太深", id="too deep"),
        pytest.param("a = " + "9" * 5000, 1, "TOML", id="a number of thousands of digits"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    [problem] = refused(tmp_path, text).problems

    assert problem.line == line
    assert words in problem.reason


def test_a_file_of_another_encoding_or_none_is_told_plainly(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes('timezone = "Asia/Shanghai"\n# 中文\n'.encode("gb18030"))
    with pytest.raises(ConfigError, match="第 2 行：不是 UTF-8"):
        load(file, {})
    file.write_bytes('\ufefftimezone = "Asia/Tokyo"\r\n'.encode())
    assert load(file, {}).timezone.key == "Asia/Tokyo"
    with pytest.raises(ConfigError, match="没有这个文件"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match="读不了"):
        load(tmp_path, {})


def test_no_message_and_no_repr_shows_a_secret(tmp_path: Path) -> None:
    secret = "https://oapi.dingtalk.com/robot/send?nothing=hunter2"
    plain = ROBOT.replace("env:DING_URL", secret)
    assert "hunter2" not in str(refused(tmp_path, plain))
    assert "hunter2" not in str(refused(tmp_path, ROBOT, {"DING_URL": secret}))
    assert "hunter2" not in str(refused(tmp_path, "store = 'postgresql://pw:hunter2@[/x'"))
    assert "hunter2" not in str(refused(tmp_path, ROBOT + "secret = ['hunter2']"))
    assert "hunter2" not in str(refused(tmp_path, "[deadman]\nurl = 'hc.example.com/hunter2'"))

    shown = repr(read(tmp_path, CONTRACT + "[deadman]\nurl = 'env:DEADMAN_URL'\n"))

    assert not [value for value in ENV.values() if value in shown]


JUNK = st.sampled_from([
    "1", "-7", "0.5", "inf", "nan", "true", "'x'", "''", "'1h'", "'env:'", "'file:/'", "'credential:x'", "[]", "[[]]",
    "{}", "['x', 1]", "[{}]", "{x = 1}", "{normal = 1}", "07:32:00", "2026-01-01", "2026-01-01T00:00:00Z",
    "'" + "9" * 400 + "h'", "9223372036854775807", '"\\u0000"',
])  # fmt: skip


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_any_value_anywhere_is_taken_or_told_never_a_crash(tmp_path: Path, data: st.DataObject) -> None:
    rows = CONTRACT.splitlines()
    number = data.draw(st.sampled_from([n for n, row in enumerate(rows) if re.match(r"[\w.]+ *=", row)]))
    rows[number] = f"{rows[number].partition('=')[0]}= {data.draw(JUNK)}"
    file = tmp_path / "parcelwatch.toml"
    file.write_text("\n".join(rows), "utf-8")

    with contextlib.suppress(ConfigError):
        assert load(file, ENV).book


# ── adapters: fields are settings ──


@dataclasses.dataclass(frozen=True, slots=True)
class Everything:
    """An adapter with a field of every type that can be written."""

    key: Secret
    text: str
    whole: int
    switch: bool
    half: float
    wait: timedelta
    fee: Decimal
    words: tuple[str, ...]
    keys: tuple[Secret, ...] = ()
    maybe: str | None = None
    limit: int = 5

    def __post_init__(self) -> None:
        if self.limit > 9:
            raise ValueError("limit 不能大于 9")
        if self.whole < 0:
            raise ValueError(f"{self.key.reveal()} 不配 whole")


GIVEN = {
    "name": "a", "kind": "everything", "key": "env:K", "text": "t", "whole": 3, "switch": True, "half": 1,
    "wait": "90s", "fee": 0.1, "words": ["a", "b"], "keys": ["env:K"], "maybe": "m",
}  # fmt: skip


def made(values: dict[str, Any]) -> tuple[Any, list[tuple[tuple[str | int, ...], str]]]:
    reading = Reading(env={"K": "hunter2"})
    table = settings_of("everything", Everything, {"name": Setting(TEXT)})
    got = read_table(reading, (), values, table)
    own = {field.name: got[field.name] for field in dataclasses.fields(Everything)}
    adapter = None if reading.problems else built(reading, (), Everything, own)
    return adapter, [(each.path, each.reason) for each in reading.problems]


def test_an_adapters_fields_are_its_settings() -> None:
    adapter, said = made(GIVEN)

    assert said == []
    assert adapter == Everything(
        Secret("hunter2"), "t", 3, True, 1.0, timedelta(seconds=90), Decimal("0.1"), ("a", "b"),
        (Secret("hunter2"),), "m", 5,
    )  # fmt: skip


def test_a_field_without_a_default_is_required() -> None:
    _, said = made({"name": "a", "kind": "everything"})

    missing = {path[0] for path, _ in said}
    assert missing == {"key", "text", "whole", "switch", "half", "wait", "fee", "words"}


def test_an_adapters_refusal_is_told_at_the_field_it_names_without_the_secret() -> None:
    assert made({**GIVEN, "limit": 10}) == (None, [(("limit",), "limit 不能大于 9")])
    assert made({**GIVEN, "whole": -1}) == (None, [((), "*** 不配 whole")])


def test_every_registered_adapter_can_be_configured() -> None:
    """A field of a type that nobody can write in TOML is an error of the adapter's author."""
    for kinds, tables in (
        (carriers.base.kinds(), provider_kinds()),
        (notifiers.base.kinds(), channel_kinds()),
    ):
        assert kinds.keys() == tables.keys()
        for kind, cls in kinds.items():
            own = {field.name for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
            assert own <= tables[kind].keys()


# ── files beside it ──


def test_the_lab_reads_policies_from_a_file_of_their_own_without_any_secret(tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text("[[policies]]\nname = 'a'\nrules.transit_stagnation = {limit = '30h', warn = []}")
    order = Order("1", platform="taobao_tmall")
    line = load_book(draft).policy_for(Case(Waybill("jd", "1"), (order,))).line("transit_stagnation")
    assert line is not None
    assert line.limit == timedelta(hours=30)

    draft.write_text(CONTRACT)
    assert load_book(draft).version == load(draft, ENV).book.version

    draft.write_text("polices = 1\n[[policies]]\nname = 'a'\nrules.nothing = {}")
    with pytest.raises(ConfigError) as caught:
        load_book(draft)
    assert [(each.line, each.path) for each in caught.value.problems] == [
        (1, "polices"),
        (4, "policies[0].rules.nothing"),
    ]


def test_the_configuration_here_comes_before_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    system = Path("/etc/parcelwatch/parcelwatch.toml")
    monkeypatch.setattr(Path, "is_file", lambda self: self == system)
    assert default_path() == system
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    assert default_path() == Path("parcelwatch.toml")
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert default_path() == Path("parcelwatch.toml")


def profile(name: str, more: str = "") -> str:
    return f'id = "{name}"\nname = "{name}"\n{more}\n[rules.r_{name}]\nkind = "exception"\non = "lost"\n'


def after(other: str, name: str = "late") -> str:
    """A clock that another rule's breach starts."""
    return f'[rules.{name}]\nkind = "clock"\nstart = "breach:{other}"\nstop = "delivered"\nlimit = "5d"\n'


def test_a_profile_has_its_own_rules_and_the_inherited_ones(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(profile("generic_cn"))
    (tmp_path / "b.toml").write_text(profile("b", 'inherits = ["generic_cn"]'))

    known = vocabulary(load_profiles(tmp_path))

    assert {name: set(rules) for name, rules in known.profiles.items()} == {
        "generic_cn": {"r_generic_cn"},
        "b": {"r_generic_cn", "r_b"},
    }
    assert known.rules.keys() == {"r_generic_cn", "r_b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(profile("b", 'inherits = ["generic_c"]'), "generic_cn", id="no such parent"),
        pytest.param(profile("b", 'inherits = ["b"]'), "自己", id="its own parent"),
        pytest.param(profile("generic_cn"), "已经有", id="a name used twice"),
        pytest.param(profile("b", "[rules]\nx = 1"), "一张表", id="a rule that is no table"),
        pytest.param(
            profile("b", after("r_c")), "没有规则 r_c，是不是想写 r_b", id="started by a rule it has not"
        ),
        pytest.param(
            profile("b", 'inherits = ["generic_cn"]\n' + after("r_generic_cn")),
            "没有时限",
            id="started by no clock",
        ),
        pytest.param(profile("b", after("late")), "绕成了圈：late → late", id="started by itself"),
        pytest.param(
            profile("b", after("other") + after("late", "other")),
            "绕成了圈：late → other → late",
            id="started in a circle",
        ),
        pytest.param(
            profile("b") + "severty = 1", "第 7 行 `rules.r_b.severty`", id="an unknown key, by line"
        ),
        pytest.param(
            profile("b") + "penalty = [\n  { flat = 3 },\n  { pc = 5, points = 1 },\n]",
            "`rules.r_b.penalty[1].pc`：不认识的配置项 pc，是不是想写 pct",
            id="an unknown key of a penalty",
        ),
        pytest.param(
            profile("b") + '[together]\nadds = ["r_a", "r_b"]',
            "没有规则 r_a，是不是想写 r_b",
            id="adding up what it has not",
        ),
    ],
)
def test_a_mistake_in_a_profile_names_its_file(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.toml").write_text(profile("generic_cn"))
    (tmp_path / "b.toml").write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_profiles(tmp_path)

    assert words in str(caught.value)
    assert caught.value.file == tmp_path / "b.toml"


# ── what comes with the program ──

EXAMPLES = sorted((ROOT / "config").glob("*.example.toml"))


def in_use(text: str) -> str:
    """An example with everything in it switched on: `#key = …` is a setting, `# words` are words."""
    return re.sub(r"(?m)^#(?=[\w\[])", "", text)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_valid_as_it_is_and_with_everything_switched_on(file: Path, tmp_path: Path) -> None:
    text = file.read_text("utf-8")
    env = {name: f"https://invented.example/{name}" for name in re.findall(r'"env:(\w+)"', text)} | ENV
    env |= {"EMS_SIGN_KEY": "aW52ZW50ZWQga2V5IGhlcg=="}  # the one secret that may not be any text
    assert load(file, env).providers

    full = read(tmp_path, in_use(text), env)

    assert not full.written.plain


def written_in(rows: list[dict[str, Any]]) -> set[str]:
    """Every key of these tables, and those of the tables in them as `outer.inner`."""
    inner = {
        f"{key}.{each}"
        for row in rows
        for key, value in row.items()
        if isinstance(value, dict)
        for each in value
    }
    return {key for row in rows for key in row} | inner


def test_the_example_misses_no_setting() -> None:
    data = tomllib.loads(in_use((ROOT / "config/parcelwatch.example.toml").read_text("utf-8")))
    known = Words(vocabulary(load_profiles()))
    overrides = [each for policy in data["policies"] for each in policy.get("overrides", [])]
    changes = [each for policy in [*data["policies"], *overrides] for each in policy["rules"].values()]

    assert top(known).keys() == data.keys()
    for name, table in (
        ("web", WEB),
        ("log", LOG),
        ("deadman", DEADMAN),
        ("backup", BACKUP),
        ("retention", RETENTION),
    ):
        assert table.keys() == data[name].keys(), name
    assert route_table(known).keys() == written_in(data["routes"]) - {"match.platform", "match.stage"}
    assert known.policy().keys() <= written_in(data["policies"])
    assert known.override().keys() <= written_in(overrides)
    assert known.change().keys() == written_in(changes)
    assert exemption_table(known).keys() <= written_in(data["exemptions"])
    assert {f"ceilings.{key}" for key in CEILINGS} <= written_in(data["providers"])
    for section, kinds in (("providers", provider_kinds()), ("channels", channel_kinds())):
        common = set.intersection(*(set(table) for table in kinds.values()))
        if section == "providers":
            common |= PUSHING.keys() | {"base_url"}  # shown once; one that only pushes has no address
        assert common <= written_in(data[section])
        for kind, table in kinds.items():
            rows = [each for each in data[section] if each["kind"] == kind]
            assert set(table) - common <= written_in(rows), f"{kind} in the example"


def test_the_schema_for_editors_is_up_to_date() -> None:
    written = (ROOT / "config/schema.json").read_text("utf-8")

    assert written == schema_text(), "run: python -m monitor.config.schema"


def test_the_schema_offers_kinds_rules_and_profiles_and_refuses_other_keys() -> None:
    made = schema()
    kinds = {each["title"]: each for each in made["properties"]["channels"]["items"]["oneOf"]}
    assert made["additionalProperties"] is False
    assert set(kinds) == set(notifiers.base.kinds())
    assert set(kinds["onebot"]["required"]) == {"name", "kind", "url", "group_id"}
    assert kinds["onebot"]["additionalProperties"] is False
    assert "transit_stagnation" in made["definitions"]["rules"]["properties"]
    assert "taobao_tmall" in made["properties"]["policies"]["items"]["properties"]["profile"]["enum"]
    assert "stage" in made["definitions"]["route_match"]["properties"]
    assert "stage" not in made["definitions"]["match"]["properties"]


def test_the_config_folder_holds_no_python_and_is_found() -> None:
    assert config_folder() == ROOT / "config"
    assert [*config_folder().rglob("*.py")] == []
    assert "generic_cn" in load_profiles()


def test_a_wheel_brings_the_folder_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    inside = tmp_path / wheel["sources"]["config"]
    monkeypatch.setattr("monitor.calendars.__file__", str(tmp_path / "monitor" / "calendars.py"))
    assert config_folder() == tmp_path / "config"

    inside.mkdir(parents=True)

    assert config_folder() == inside
