"""What is odd in a configuration that is valid: `parcelwatch check` says it, the daemon starts all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias

from carriers.names import display
from domain.time import format_duration
from monitor.accounts import ProviderAccount, on_loopback
from monitor.config_lines import KeyPath, spelled
from monitor.config_words import Words
from monitor.profiles import Vocabulary
from monitor.settings import Settings
from rules.declare import Rule
from rules.policy import Change, Match

__all__ = ["CheckLine", "Level", "lint", "readable_by_others"]

Level: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing `check` says: how bad, what, what to do about it, on which line of the configuration."""

    level: Level
    what: str
    todo: str = ""
    line: int = 0


Said: TypeAlias = Iterator[tuple[KeyPath, str, str]]
"""Where, what is odd, what to do."""


def lint(settings: Settings, known: Vocabulary, now: datetime | None = None) -> list[CheckLine]:
    """Everything odd, in the order of the file; with `now` exemptions are held against the calendar."""
    said = [
        *((each.path, each.what, each.todo) for each in settings.written.remarks),
        *_secrets(settings),
        *_providers(settings),
        *_channels(settings),
        *_web(settings),
        *_running(settings),
        *_policies(settings, Words(known)),
        *_platforms(settings, sorted(known.profiles)),
        *_exemptions(settings, now),
    ]
    lines = settings.written.lines
    found = [
        CheckLine("warn", f"`{spelled(path)}`：{what}" if path else what, todo, lines.of(path) if path else 0)
        for path, what, todo in said
    ]
    return sorted(found, key=lambda each: each.line)


def readable_by_others(file: Path) -> bool:
    """Any user of this machine may read the file; False when it cannot be looked at."""
    try:
        return bool(file.stat().st_mode & 0o004)
    except OSError:
        return False


def _secrets(settings: Settings) -> Said:
    written = settings.written
    for path in written.plain:
        yield path, "密钥以明文写在配置里", "改成 env:环境变量、file:文件 或 credential:systemd 凭据"
    if written.plain and readable_by_others(settings.path):
        yield (), "配置文件里有明文密钥，而本机任何用户都能读它", f"chmod o-r {settings.path}"
    for path, file in written.files:
        if readable_by_others(file):
            yield path, f"密钥文件 {file} 本机任何用户都能读", f"chmod o-r {file}"


def _providers(settings: Settings) -> Said:
    if not settings.providers:
        yield (), "没有轨迹服务商：不会查询任何快递", "写一个 [[providers]]"
    served: dict[str, str] = {}
    for n, account in enumerate(settings.providers):
        path: KeyPath = ("providers", n)
        if not account.carriers:
            yield (
                path,
                f"{account.name} 没有写查哪些快递公司，不会被用到",
                '写 carriers = ["zhongtong"] 或 ["*"]',
            )
        for key in sorted(account.carriers):
            before = served.get(key) or served.get("*")
            if before:
                name = "全部快递" if key == "*" else display(key)
                yield (
                    (*path, "carriers"),
                    f"{name} 已由 {before} 查询，轮不到 {account.name}",
                    "先写的优先；删掉一处",
                )
            served.setdefault(key, account.name)
        yield from _pace(path, account, settings.freshness)


def _pace(path: KeyPath, account: ProviderAccount, freshness: timedelta) -> Said:
    own = account.provider.refresh_lag
    if account.refresh_lag < own and not on_loopback(account.provider):
        what = f"比服务商自己的 {format_duration(own)} 短：可能把还没传来的轨迹当成没有"
        yield (*path, "refresh_lag"), what, "有书面依据才改短，否则删掉这一行"
    interval = account.ceilings.per_waybill_interval
    if freshness < interval:
        what = f"freshness {format_duration(freshness)} 比 {account.name} 允许的间隔 {format_duration(interval)} 短"
        yield ("freshness",), what, "实际按服务商允许的间隔查询"


def _channels(settings: Settings) -> Said:
    if not settings.channels:
        yield (), "没有消息渠道：发现异常只在控制台和命令行里看得到", "写一个 [[channels]]"
    elif not settings.routes:
        yield (), "没有路由：任何消息都发不出去", "写一个 [[routes]]，不带 match 就是全部"
        return
    used = {name for route in settings.routes for name in route.channels}
    used |= {channel.fallback for channel in settings.channels}
    for n, channel in enumerate(settings.channels):
        same = next((each.name for each in settings.channels[:n] if each.notifier == channel.notifier), "")
        if same:
            yield ("channels", n), f"{channel.name} 和 {same} 是同一个机器人，同一个群会听到两遍", "留一个"
        if channel.name not in used:
            yield (
                ("channels", n),
                f"没有路由用到 {channel.name}",
                "在 [[routes]] 的 channels 里写上它，或删掉它",
            )


def _web(settings: Settings) -> Said:
    web = settings.web
    if web.public_url.startswith("http://") and not on_loopback(web, "public_url"):
        yield ("web", "public_url"), "不是 https：登录和工单会明文经过网络", "在前面放一个带证书的反向代理"


def _running(settings: Settings) -> Said:
    """What was said of the service itself and does not fit together."""
    if settings.web.public_url and not settings.web.enabled:
        yield ("web", "enabled"), "控制台已关闭，public_url 用不上，消息里没有工单链接", "删掉其中一行"
    url = settings.deadman.url
    if url is not None and url.reveal().startswith("http://") and not on_loopback(settings.deadman, "url"):
        yield ("deadman", "url"), "不是 https：这个地址就是密钥，会明文经过网络", "换成 https 的地址"
    kept = settings.retention
    if kept.personal > kept.parcels:
        what = f"比 parcels 的 {format_duration(kept.parcels)} 长：包裹删除时个人信息一起删除"
        yield ("retention", "personal"), what, "改短 personal，或改长 parcels"


def _policies(settings: Settings, words: Words) -> Said:
    specs = settings.policies
    for second, first in _overlaps([spec.match for spec in specs]):
        what = f"与「{specs[first].name}」匹配同样的包裹，以先写的为准"
        yield ("policies", second), what, "把 match 写得更细，或合并成一条"
    for n, spec in enumerate(specs):
        at: KeyPath = ("policies", n)
        over = words.candidates(spec.profile, spec.match.get("platform", ()))
        yield from _unwarned(spec.rules, {}, over, at)
        for m, override in enumerate(spec.overrides):
            yield from _unwarned(override.rules, spec.rules, over, (*at, "overrides", m))


def _overlaps(matches: Sequence[Match]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) with the same fields and a value of each in common: some parcel fits both.

    Thousands of policies, one a shop, are compared only where their first field has a value in common.
    """
    alike: dict[tuple[frozenset[str], str], list[int]] = {}
    for n, match in enumerate(matches):
        fields = frozenset(match)
        marks = sorted(match[min(fields)]) if fields else [""]
        rivals = {earlier for mark in marks for earlier in alike.get((fields, mark), ())}
        for earlier in sorted(rivals):
            if all(match[key] & matches[earlier][key] for key in fields):
                yield n, earlier
        for mark in marks:
            alike.setdefault((fields, mark), []).append(n)


def _unwarned(
    rules: Mapping[str, Change], before: Mapping[str, Change], over: Sequence[Mapping[str, Rule]], at: KeyPath
) -> Said:
    """Shorter limits that leave no room for any of the warnings they inherit."""
    for name, change in rules.items():
        if change.limit is None or change.warn is not None:
            continue
        outer = before[name].warn if name in before else None
        warns = [outer] if outer is not None else [each[name].warn for each in over if name in each]
        limit = min(change.limit.values())
        if all(warn and min(warn) >= limit for warn in warns):
            what = f"时限改短到 {format_duration(limit)} 后，原有的预警都来不及，不会再预警"
            yield (*at, "rules", name), what, "补一个比时限短的 warn"


def _platforms(settings: Settings, platforms: Sequence[str]) -> Said:
    """Platforms without a profile: a word the orders really carry, or a slip."""
    every: list[tuple[KeyPath, Match]] = [
        *((("routes", n), each.match) for n, each in enumerate(settings.routes)),
        *((("policies", n), each.match) for n, each in enumerate(settings.policies)),
        *((("exemptions", n), each.match) for n, each in enumerate(settings.exemptions)),
    ]
    for at, match in every:
        for name in sorted(match.get("platform", frozenset()) - set(platforms)):
            near = get_close_matches(name, platforms, n=1)
            todo = f"是不是想写 {near[0]}？" if near else f"有配置的平台：{'、'.join(platforms)}"
            yield (*at, "match", "platform"), f"没有平台 {name} 的配置，它的订单按通用规则处理", todo


def _exemptions(settings: Settings, now: datetime | None) -> Said:
    for n, each in enumerate(settings.exemptions):
        at: KeyPath = ("exemptions", n)
        if not each.proof:
            yield at, f"「{each.window.name}」没有凭据", "写 proof = 公告网址或文件，申诉时要用"
        if now is not None and each.window.starts_at > now + timedelta(days=366):
            yield (*at, "from"), f"「{each.window.name}」一年以后才开始", "检查年份"
        if each.window.ends_at - each.window.starts_at > timedelta(days=60):
            yield at, f"「{each.window.name}」超过 60 天，期间不会有相关异常", "检查起止日期"
