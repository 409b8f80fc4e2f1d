"""The tables of the configuration file, from the top."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from domain.time import SHANGHAI
from monitor.config import accounts
from monitor.config.calendars import CALENDARS
from monitor.config.exemptions import exemption_table
from monitor.config.lines import KeyPath
from monitor.config.order_sources import order_sources
from monitor.config.places import WAREHOUSE, tiers_of
from monitor.config.service import BACKUP, DEADMAN, LOG, RETENTION, SECOND_OPINION, WEB, intake
from monitor.config.shapes import (
    Reading,
    Setting,
    Shape,
    Table,
    listed,
    read_table,
    table,
    table_schema,
    tables,
    tables_by,
)
from monitor.config.store_url import STORE
from monitor.config.values import DURATION, TEXT, TEXTS, choice
from monitor.config.words import ROUTABLE, Words
from monitor.telling.routing import Route
from monitor.windows import uses

__all__ = ["LANGUAGES", "route_table", "top"]

LANGUAGES: Final = ("zh-CN", "en")
_ELSEWHERE: Final[Mapping[str, str]] = dict.fromkeys(
    ("Asia/Beijing", "Beijing", "北京", "上海", "CST", "UTC+8", "GMT+8", "+08:00"), "Asia/Shanghai"
)


def _read_timezone(reading: Reading, path: KeyPath, value: Any) -> ZoneInfo | None:
    """An IANA zone. It is read first: moments without an offset are told in it."""
    name = TEXT.read(reading, path, value)
    if name is None:
        return None
    try:
        reading.zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reading.problems.at(path, f"不认识的时区 {name}{_zone_hint(name)}")
        return None
    return reading.zone


def _zone_hint(name: str) -> str:
    known = available_timezones()
    if not known:
        return "：系统没有时区数据，请安装 tzdata"
    near = [_ELSEWHERE[name]] if name in _ELSEWHERE else get_close_matches(name, known, n=1)
    return f"，是不是想写 {near[0]}？" if near else "；请写 IANA 名称，如 Asia/Shanghai"


def top(words: Words, channels: Collection[str] | None = None) -> Table:
    """The whole file; `channels` are the names a route may use, where they are known."""
    return {
        "timezone": Setting(
            Shape(_read_timezone, TEXT.schema), "没有时区的时间按它读；页面和消息也用它", SHANGHAI
        ),
        "language": Setting(
            choice(LANGUAGES, "语言"),
            "控制台页面的语言，读者自己没有选时；群消息、命令行和 API 的文字现在只有中文",
            LANGUAGES[0],
        ),
        "store": Setting(STORE, "数据库；相对路径从本文件所在目录算起", ""),
        "freshness": Setting(DURATION, "每个包裹最久隔多久查一次", timedelta(hours=12)),
        "web": Setting(table(WEB), "控制台", {}),
        "log": Setting(table(LOG), "日志", {}),
        "deadman": Setting(table(DEADMAN), "外部存活检查", {}),
        "backup": Setting(table(BACKUP), "备份", {}),
        "intake": Setting(table(intake(words.known.profiles)), "订单文件从哪里来", {}),
        "retention": Setting(table(RETENTION), "保留多久", {}),
        "providers": Setting(accounts.providers(), "轨迹服务商的账号", ()),
        "second_opinion": Setting(table(SECOND_OPINION), "什么时候再问一家核对（second = true 的账号）", {}),
        "order_sources": Setting(order_sources(), "订单来源：从 ERP 自动取已发货的订单", ()),
        "channels": Setting(accounts.channels(channels), "消息渠道", ()),
        "routes": Setting(_routes(words, channels), "哪些异常说给谁", ()),
        "policies": Setting(tables(words.policy()), "时限策略", ()),
        "exemptions": Setting(tables(exemption_table(words)), "豁免：不计时的时段，和平台的宽限窗口", ()),
        "windows": Setting(listed(uses()), "启用随程序带的哪些豁免和窗口，按名字；默认一个也不启用", ()),
        "warehouses": Setting(tables(WAREHOUSE), "仓库在哪里", ()),
        "tiers": Setting(tiers_of(words.known.profiles), "偏远地区：写了的一级以这里为准", {}),
        "calendars": Setting(CALENDARS, "自己的日历：策略里的 calendar 可以用它的名字", {}),
    }


def route_table(words: Words, channels: Collection[str] | None = None) -> Table:
    """`[[routes]]`."""
    channel = TEXT if channels is None else choice(sorted(channels), "渠道")
    return {
        "match": Setting(words.match(ROUTABLE), "哪些异常；不写则全部", {}),
        "channels": Setting(listed(channel), "说给哪些渠道"),
        "mention": Setting(TEXTS, "点名谁：手机号或用户名；all 是所有人", ()),
    }


def _routes(words: Words, channels: Collection[str] | None) -> Shape:
    settings = route_table(words, channels)

    def read(reading: Reading, path: KeyPath, value: Any) -> Route:
        got = read_table(reading, path, value, settings)
        if got["channels"] == ():
            reading.problems.at((*path, "channels"), "至少写一个渠道；不想通知请在规则里写 notify = false")
        return Route(got["channels"] or (), got["match"] or {}, got["mention"] or ())

    return tables_by(read, table_schema(settings))
