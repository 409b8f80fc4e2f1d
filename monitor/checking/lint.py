"""What is odd in a configuration that is valid: `parcelwatch check` says it, the daemon starts all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import combinations, pairwise
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

from carriers.base import Billing, serves
from carriers.names import display
from domain.masking import safe_text
from domain.time import format_duration
from monitor.checking.lint_intake import odd_intake
from monitor.checking.pushes import odd_pushes
from monitor.config.accounts import ProviderAccount, on_loopback
from monitor.config.lines import KeyPath, spelled
from monitor.config.settings import Settings
from monitor.config.words import FACET_ZH, Words
from monitor.intake.columns import platform_id
from monitor.profiles import Vocabulary
from rules.declare import Rule
from rules.exemptions import Deferral, Exemption, Ground
from rules.places import CITIES
from rules.policy import Change, Match, PolicyBook
from rules.regions import Tier

__all__ = [
    "CheckLine",
    "Level",
    "lint",
    "odd_in_book",
    "readable_by_others",
    "unknown_matches",
    "unknown_names",
]

Level: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing `check` says: how bad, what, what to do about it, on which line of the configuration."""

    level: Level
    what: str
    todo: str = ""
    line: int = 0


Place = TypeVar("Place")
Said: TypeAlias = Iterator[tuple[KeyPath, str, str]]
"""Where, what is odd, what to do."""


def lint(settings: Settings, known: Vocabulary, now: datetime | None = None) -> list[CheckLine]:
    """Everything odd, in the order of the file; with `now` exemptions are held against the calendar."""
    said = [
        *((each.path, each.what, each.todo) for each in settings.written.remarks),
        *_secrets(settings),
        *_providers(settings),
        *_second_terms(settings),
        *odd_pushes(settings),
        *_order_sources(settings),
        *odd_intake(settings),
        *_channels(settings),
        *_web(settings),
        *_running(settings),
        *_policies(settings, Words(known)),
        *_platforms(settings, sorted(known.profiles)),
        *_cities(settings),
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
        if not account.provider.asks:
            yield from _unverified(path, account, settings)
            yield from _paid(path, account)
            continue
        if account.second:
            yield from _second(path, account, settings)
            yield from _pace(path, account, settings.freshness)
            yield from _paid(path, account)
            continue
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
                what = f"{name} 已由 {before} 查询，轮不到 {account.name}"
                yield (*path, "carriers"), what, _turned(settings, n, before, key)
            if key != "*" and not serves(account.provider, key):
                yield (
                    (*path, "carriers"),
                    f"{account.kind} 查不了{display(key)}，{account.name} 不会去问",
                    "从 carriers 里去掉，另配一个查得了的账号",
                )
                continue
            served.setdefault(key, account.name)
        yield from _pace(path, account, settings.freshness)
        yield from _paid(path, account)


def _turned(settings: Settings, n: int, before: str, key: str) -> str:
    """Which table to move in front of which, on which lines, or what to take out where."""
    lines, mine = settings.written.lines, settings.providers[n].name
    first = next(m for m, each in enumerate(settings.providers) if each.name == before)
    own, others = lines.of(("providers", n)), lines.of(("providers", first))
    written = "*" if key == "*" else display(key)
    return (
        f"同一家快递只问写在前面的账号。要先问 {mine}：把第 {own} 行起的 [[providers]]（{mine}）整段移到"
        f"第 {others} 行（{before}）之前；不要它问：从它的 carriers 里去掉 {written}"
    )


def _second(path: KeyPath, account: ProviderAccount, settings: Settings) -> Said:
    """An account for second opinions about carriers that nobody is asked about first, or another is asked about."""
    if not account.carriers:
        yield (
            path,
            f"{account.name} 没有写核对哪些快递公司，不会被用到",
            '写 carriers = ["zhongtong"] 或 ["*"]',
        )
    if "*" in account.carriers and not any(each.carriers and not each.second for each in settings.providers):
        yield (
            (*path, "second"),
            f"{account.name} 只用来核对，可是没有账号先去查",
            "去掉 second，或另写一个账号",
        )
    for key in sorted(account.carriers - {"*"}):
        if settings.provider_for(key) is None:
            todo = "去掉 second，或另写一个先查它的账号"
            yield (*path, "carriers"), f"{account.name} 只用来核对，可是没有账号先查{display(key)}", todo
        before = next((each for each in settings.providers if each.seconds(key)), account)
        if before is not account:
            what = f"{display(key)} 已由 {before.name} 核对，轮不到 {account.name}"
            yield (
                (*path, "carriers"),
                what,
                _turned(settings, settings.providers.index(account), before.name, key),
            )


def _second_terms(settings: Settings) -> Said:
    """A risk from which on somebody is asked again, and nobody to ask."""
    if settings.second_opinion.yuan and not any(each.second for each in settings.providers):
        todo = "给一个 [[providers]] 写 second = true，或删掉 yuan"
        yield ("second_opinion", "yuan"), "没有用来核对的账号，不会再问一家", todo


def _paid(path: KeyPath, account: ProviderAccount) -> Said:
    """A price or a budget of a service that costs nothing counts nothing and limits nothing."""
    if account.provider.billing is not Billing.FREE:
        return
    todo = "删掉这一行；收费的话请告诉我们"
    if account.price:
        yield (*path, "price"), f"{account.kind} 查询不收费，单价用不上，花费一直是 0", todo
    if account.budget is not None:
        yield (*path, "budget"), f"{account.kind} 查询不收费，预算用不上", todo


def _unverified(path: KeyPath, account: ProviderAccount, settings: Settings) -> Said:
    """Carriers of an account that only pushes, and no other can be asked: their silence is never proven (L1)."""
    for key in sorted(account.carriers):
        if settings.provider_for(key) is None:
            name = "全部快递" if key == "*" else display(key)
            yield (
                (*path, "carriers"),
                f"{account.name} 只推送，没有账号能查{name}：时限到了没法核实，不会告警",
                "再写一个能查询它的 [[providers]]",
            )


def _pace(path: KeyPath, account: ProviderAccount, freshness: timedelta) -> Said:
    own = account.provider.refresh_lag
    if account.refresh_lag < own and not on_loopback(account.provider):
        what = f"比服务商自己的 {format_duration(own)} 短：可能把还没传来的轨迹当成没有"
        yield (*path, "refresh_lag"), what, "有书面依据才改短，否则删掉这一行"
    interval = account.ceilings.per_waybill_interval
    if freshness < interval:
        what = f"freshness {format_duration(freshness)} 比 {account.name} 允许的间隔 {format_duration(interval)} 短"
        yield ("freshness",), what, "实际按服务商允许的间隔查询"


def _order_sources(settings: Settings) -> Said:
    for n, account in enumerate(settings.order_sources):
        path: KeyPath = ("order_sources", n)
        terms, shops = account.terms, account.terms.shops
        same = next((each.name for each in settings.order_sources[:n] if each.source == account.source), "")
        if same:
            yield path, f"{account.name} 和 {same} 是同一个账号，令牌会互相顶掉", "留一个"
        withheld = [key for key, shop in shops.items() if shop.platform in _WITHHELD]
        if terms.platform in _WITHHELD or withheld:
            what = f"{account.source.withheld}：{'、'.join(withheld) or account.name} 取不到是正常的"
            yield path, what, "这些店铺请用 parcelwatch import 或接口登记"
        if not terms.platform and (not shops or not all(shop.platform for shop in shops.values())):
            yield path, "没有写 platform：它的订单按通用规则判定", "写 platform，或在 shops 里给每家店写"


_WITHHELD: Final = ("taobao_tmall", "pinduoduo")
"""Whose orders both ERPs keep back (`facts/carriers-orders-erp.md`)."""


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
    for second, first in _rivals([spec.match for spec in specs]):
        what = f"和「{specs[first].name}」一样具体，又可能匹配同一个包裹，那时以先写的为准"
        yield ("policies", second), what, "让要优先的那条多写一项 match，或排在前面"
    for n, spec in enumerate(specs):
        at: KeyPath = ("policies", n)
        if spec.shadow:
            what = f"「{spec.name}」的包裹全部规则都在试运行：只记录，不开工单，不通知任何人"
            yield (*at, "shadow"), what, "试好了就删掉 shadow"
        yield from _backwards(spec.rules, at)
        over = words.candidates(spec.profile, spec.match.get("platform", ()))
        yield from _unwarned(spec.rules, {}, over, at)
        for m, override in enumerate(spec.overrides):
            yield from _unwarned(override.rules, spec.rules, over, (*at, "overrides", m))
            yield from _backwards(override.rules, (*at, "overrides", m))


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


def _rivals(matches: Sequence[Match]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) as specific over different fields that some parcel fits both: one for each two fields."""
    groups: dict[frozenset[str], list[int]] = {}
    for n, match in enumerate(matches):
        groups.setdefault(frozenset(match), []).append(n)
    for one, other in combinations(groups, 2):
        if len(one) == len(other):
            pairs = ((m, n) for m in groups[one] for n in groups[other])
            both = next(
                (p for p in pairs if all(matches[p[0]][k] & matches[p[1]][k] for k in one & other)), None
            )
            if both is not None:
                yield max(both), min(both)


def _backwards(rules: Mapping[str, Change], at: KeyPath) -> Said:
    """Limits that leave a farther place less time."""
    for name, change in rules.items():
        lengths = (
            [(tier, change.limit[tier]) for tier in _FARTHER if tier in change.limit] if change.limit else []
        )
        for (near, longer), (far, limit) in pairwise(lengths):
            if limit < longer:
                what = f"{far} 的 {format_duration(limit)} 比 {near} 的 {format_duration(longer)} 还短"
                yield (*at, "rules", name, "limit"), what, "越远的地方时限应当越长；是不是写反了？"


_FARTHER: Final = (Tier.NORMAL, Tier.REMOTE, Tier.VERY_REMOTE)


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


def _matches(settings: Settings) -> list[tuple[KeyPath, Match]]:
    """Every match of the file, with its table; the two kinds of exemptions stand in one list of it."""
    policies = [(("policies", n), each) for n, each in enumerate(settings.policies)]
    return [
        *((("routes", n), each.match) for n, each in enumerate(settings.routes)),
        *((at, each.match) for at, each in policies),
        *(
            ((*at, "overrides", m), each.match)
            for at, spec in policies
            for m, each in enumerate(spec.overrides)
        ),
        *((("exemptions", n), each.match) for n, each in _placed(settings)),
    ]


def _placed(settings: Settings) -> list[tuple[int, Exemption | Deferral]]:
    """The exemptions and windows of the file by their place in it."""
    every: list[Exemption | Deferral] = [*settings.exemptions, *settings.deferrals]
    return [(each.place, each) for each in every]


def _platforms(settings: Settings, platforms: Sequence[str]) -> Said:
    """Platforms without a profile: a word the orders really carry, or a slip."""
    for at, match in _matches(settings):
        for name in sorted(match.get("platform", frozenset()) - set(platforms)):
            near = _nearest_platform(name, platforms)
            todo = f"是不是想写 {near}？" if near else f"有配置的平台：{'、'.join(platforms)}"
            yield (*at, "match", "platform"), f"没有平台 {name} 的配置，它的订单按通用规则处理", todo


def _nearest_platform(name: str, platforms: Sequence[str]) -> str:
    """What the intake makes of the name (`taobao` in a file is taobao_tmall), else the nearest word."""
    own = platform_id(name)
    near = get_close_matches(name, platforms, n=1)
    return own if own in platforms else near[0] if near else ""


def _cities(settings: Settings) -> Said:
    """Cities in no list of ours: a county, or a slip."""
    for at, match in _matches(settings):
        for key in ("origin_city", "receiver_city"):
            for name in sorted(match.get(key, frozenset()) - CITIES):
                if any(name.startswith(city) for city in CITIES):
                    continue
                near = get_close_matches(name, CITIES, n=1, cutoff=0.5)
                todo = f"是不是想写 {near[0]}？" if near else "写地级市的名字，如 杭州"
                yield (*at, "match", key), f"名单里没有城市 {name}", todo


def _exemptions(settings: Settings, now: datetime | None) -> Said:
    for n, each in _placed(settings):
        at: KeyPath = ("exemptions", n)
        name, pauses = each.window.name, isinstance(each, Exemption)
        if not each.proof and each.kind is Ground.FORCE_MAJEURE:
            yield (
                at,
                f"「{name}」是不可抗力，没有凭据：平台要求报备和凭证，否则不认",
                "报备后写 proof = 报备编号或公告网址",
            )
        elif not each.proof:
            yield at, f"「{name}」没有凭据", "写 proof = 公告网址或文件，申诉时要用"
        if now is not None and each.window.starts_at > now + timedelta(days=366):
            yield (*at, "from" if pauses else "paid_from"), f"「{name}」一年以后才开始", "检查年份"
        if isinstance(each, Exemption) and _endless(each):
            yield at, f"「{name}」{_ENDLESS}", "检查年份，或写 match 说明对哪些包裹"
        if pauses and each.window.ends_at - each.window.starts_at > timedelta(days=60):
            yield at, f"「{name}」超过 60 天，期间不会有相关异常", "检查起止日期"
    for n, notice in enumerate(settings.windows):
        if now is not None and notice.over_at < now:
            what = f"{notice.name} 已经过去，只对那时的订单起作用"
            yield ("windows", n), what, "今年的请照它的样子写成 [[exemptions]]，日期按今年的公告"


_ENDLESS: Final = "停止计时超过一年，又没有写 match：全部包裹在这期间都不会有异常"


def _endless(pause: Exemption) -> bool:
    return not pause.match and pause.window.ends_at - pause.window.starts_at > timedelta(days=366)


def odd_in_book(book: PolicyBook, used: Collection[str]) -> list[str]:
    """What is odd in a policy file of the lab, whose orders name the platforms `used`: lines to show."""
    platforms = sorted({*book.profiles, *used})
    told = []
    for owner, match in book.matched:
        for name in sorted(match.get("platform", frozenset()) - set(platforms)):
            near = _nearest_platform(name, platforms)
            hint = f"，是不是 {near}？" if near else f"；认识的有：{'、'.join(platforms)}"
            told.append(f"「{owner}」的 match：没有平台 {safe_text(name, 40)}{hint}")
    return [*told, *(f"「{each.window.name}」{_ENDLESS}" for each in book.exemptions if _endless(each))]


# ── names that nothing known carries ─────────────────────────────────────────────────────────────


def unknown_names(settings: Settings, known: Mapping[str, Collection[str]]) -> list[CheckLine]:
    """What a match asks for and nothing known has: `known` is what there is of each facet, as `shop` or `warehouse`.

    A facet of which nothing is known is left out: nobody can say that a name is wrong. For `check` the store's
    newest orders say what is known, for the lab its files do.
    """
    lines = settings.written.lines
    found = []
    standing = {each.name for each in settings.warehouses}
    known = {**known, "warehouse": {*known.get("warehouse", ()), *standing} if known.get("warehouse") else ()}
    for path, key, name, near in unknown_matches(_matches(settings), known):
        todo = f"是不是想写 {near}？" if near else "检查写法；还没有订单的新名字可以不管"
        where = (*path, "match", key)
        what = f"`{spelled(where)}`：见过的订单里，没有一个的{FACET_ZH[key]}是 {name}"
        found.append(CheckLine("warn", what, todo, lines.of(where)))
    return sorted(found, key=lambda each: each.line)


def unknown_matches(
    placed: Iterable[tuple[Place, Match]], known: Mapping[str, Collection[str]]
) -> Iterator[tuple[Place, str, str, str]]:
    """Where, facet, name, and the nearest known name or nothing. Of a `PolicyBook`: `placed = book.matched`."""
    for path, match in placed:
        for key, values in match.items():
            there = known.get(key, ())
            for name in sorted(values - set(there)) if there else ():
                near = get_close_matches(name, there, n=1, cutoff=0.5)
                yield path, key, name, near[0] if near else ""
