"""`GET /api/v1/policies`: the rules in force, readably: profiles, the merchant's policies over them, exemptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from domain.time import Calendar, from_micros
from monitor.store import schema
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import Word, Zone, answer, zone_of
from monitor.web.context import Context
from rules.calendars import WorkingTime
from rules.declare import Profile as Declared
from rules.declare import Rule as DeclaredRule
from rules.exemptions import Deferral as Given
from rules.exemptions import Exemption
from rules.policy import Change, PolicySpec
from rules.values import Limit

__all__ = ["router"]

router = api_router("policies")


class PolicyQuery(BaseModel):
    """Which profiles to show."""

    model_config = ConfigDict(extra="forbid")
    profile: list[Word] = Field([], description="只看这几个平台的规则，如 taobao_tmall")


class Rule(BaseModel):
    """A rule of a profile."""

    id: str
    name: str
    kind: str = Field(description="clock 计时、staleness 停滞或 exception 异常扫描")
    severity: int
    limit_hours: dict[str, float] = Field(description="按目的地远近：normal、remote、very_remote、excluded")
    goods_hours: dict[str, float] = Field(description="这些商品类型或标签的订单另有时限")
    after_promise_hours: float = Field(description="有承诺发货时间的订单：承诺之后多少小时")
    calendar: str = Field(description="时限按什么日子算；空：自然时间")
    warn_hours: list[float] = Field(description="时限前多少小时预警")
    starts: str
    stops: list[str]
    when: list[str] = Field(description="只管这些商品类型、标签的订单；空：全部")
    since: date | None = Field(description="从这一天起付款的订单（北京时间）；空：不限")
    until: date | None = Field(description="到这一天为止付款的订单；空：不限")
    variants: list[Rule] = Field(description="别的时候付款的订单按这些判（看 since、until）")
    watch: bool
    notify: bool
    shadow: bool = Field(description="试运行：只记录，不通知任何人")
    penalty: list[str] = Field(description="违反了赔多少；几处资料说法不一时有几条")
    confidence: str
    source: list[str]
    note: str


class Profile(BaseModel):
    """A platform's rules, those it inherits among them."""

    id: str
    name: str
    verified_on: str
    inherits: list[str]
    rules: list[Rule]


class RuleChange(BaseModel):
    """What a policy says of a rule; null: as it was."""

    rule: str
    limit_hours: dict[str, float] | None
    warn_hours: list[float] | None
    watch: bool | None
    notify: bool | None
    shadow: bool | None = Field(description="true：试运行；false：转正")
    calendar: str | None = Field(description="时限按什么日子算；空文字：自然时间")


class Policy(BaseModel):
    """One `[[policies]]` table, or an override in it."""

    name: str
    profile: str = Field(description="空：按订单的平台")
    match: dict[str, list[str]] = Field(description="空：适用于所有包裹")
    shadow: bool = Field(description="整条试运行，写了 shadow = false 的规则除外")
    rules: list[RuleChange]
    overrides: list[Policy]


class Exempt(BaseModel):
    """Time that does not count."""

    name: str
    starts_at: datetime
    ends_at: datetime
    match: dict[str, list[str]]
    rules: list[str] = Field(description="空：所有规则")
    kind: str = Field(description="festival、carrier、campaign、force_majeure 或 own")
    by: str = Field(description="启用了哪个随附的窗口；空：自己写的")
    proof: str


class Grant(BaseModel):
    """What the orders paid in a window are given under one rule: of both the later counts."""

    rule: str
    deadline_at: datetime | None
    limit_hours: dict[str, float] | None


class Deferral(BaseModel):
    """More time for the orders paid in a window; never less."""

    name: str
    paid_from: datetime
    paid_until: datetime
    match: dict[str, list[str]]
    grants: list[Grant]
    opt_in: str = Field(description="写着这个标签的订单不享受")
    opted_in: list[str] = Field(description="这些店铺不享受")
    kind: str = Field(description="festival、carrier、campaign、force_majeure 或 own")
    by: str = Field(description="启用了哪个随附的窗口；空：自己写的")
    proof: str


class Policies(BaseModel):
    """What is in force."""

    version: str = Field(description="每个异常都记着判它的版本")
    since: datetime | None = Field(description="这个版本从何时起生效；空：还没有生效过")
    profiles: list[Profile]
    policies: list[Policy]
    exemptions: list[Exempt] = Field(description="这段时间不计时")
    deferrals: list[Deferral] = Field(description="这段时间付款的订单多给时间")


@router.get("/policies", summary="现行规则", response_model=Policies)
async def get_policies(request: Request, asked: Annotated[PolicyQuery, Query()]) -> Response:
    """The version in force: nothing is guessed, every number stands in a profile or in the configuration."""
    context: Context = request.app.state.context
    settings, zone = context.settings(), zone_of(request)
    since = await context.db.read(lambda conn: _since(conn, settings.book.version))
    wanted = [
        each
        for name, each in sorted(settings.book.profiles.items())
        if not asked.profile or name in asked.profile
    ]
    told = Policies(
        version=settings.book.version,
        since=since.astimezone(zone) if since else None,
        profiles=[_profile(each) for each in wanted],
        policies=[_policy(each) for each in settings.policies],
        exemptions=[_exempt(each, zone) for each in settings.book.exemptions],
        deferrals=[_deferral(each, zone) for each in settings.book.deferrals],
    )
    return answer(told)


def _since(conn: Connection, version: str) -> datetime | None:
    at = conn.execute(select(schema.policies.c.since).where(schema.policies.c.version == version)).scalar()
    return None if at is None else from_micros(at)


def _profile(of: Declared) -> Profile:
    return Profile(
        id=of.id,
        name=of.name,
        verified_on=of.verified_on,
        inherits=list(of.inherits),
        rules=[_rule(each) for _, each in sorted(of.rules.items())],
    )


def _rule(of: DeclaredRule) -> Rule:
    return Rule(
        id=of.id,
        name=of.zh,
        kind=of.kind.value,
        severity=of.severity,
        limit_hours=_hours(of.limit),
        goods_hours={word: each.total_seconds() / 3600 for word, each in sorted(of.goods.items())},
        after_promise_hours=of.promise_plus.total_seconds() / 3600,
        calendar=_calendar(of.calendar),
        warn_hours=_lengths(of.warn),
        starts=of.start,
        stops=list(of.stops),
        when=sorted(of.when),
        since=of.since,
        until=of.until,
        variants=[_rule(each) for each in of.variants],
        watch=of.watch,
        notify=of.notify,
        shadow=of.shadow,
        penalty=[each.zh for each in of.penalty],
        confidence=of.confidence,
        source=list(of.source),
        note=of.note,
    )


def _policy(of: PolicySpec) -> Policy:
    return Policy(
        name=of.name,
        profile=of.profile,
        match=_match(of.match),
        shadow=of.shadow,
        rules=[_change(rule, change) for rule, change in sorted(of.rules.items())],
        overrides=[_policy(each) for each in of.overrides],
    )


def _change(rule: str, of: Change) -> RuleChange:
    return RuleChange(
        rule=rule,
        limit_hours=None if of.limit is None else _hours(of.limit),
        warn_hours=None if of.warn is None else _lengths(of.warn),
        watch=of.watch,
        notify=of.notify,
        shadow=of.shadow,
        calendar=None if of.calendar is None else _calendar(of.calendar),
    )


def _exempt(of: Exemption, zone: Zone) -> Exempt:
    return Exempt(
        name=of.window.name,
        starts_at=of.window.starts_at.astimezone(zone),
        ends_at=of.window.ends_at.astimezone(zone),
        match=_match(of.match),
        rules=sorted(of.rules),
        kind=of.kind.value,
        by=of.by,
        proof=of.proof,
    )


def _deferral(of: Given, zone: Zone) -> Deferral:
    return Deferral(
        name=of.window.name,
        paid_from=of.window.starts_at.astimezone(zone),
        paid_until=of.window.ends_at.astimezone(zone),
        match=_match(of.match),
        grants=[
            Grant(
                rule=rule,
                deadline_at=each.deadline_at.astimezone(zone) if each.deadline_at else None,
                limit_hours=_hours(each.limit) if each.limit is not None else None,
            )
            for rule, each in sorted(of.grants.items())
        ],
        opt_in=of.opt_in,
        opted_in=sorted(of.opted_in),
        kind=of.kind.value,
        by=of.by,
        proof=of.proof,
    )


def _calendar(of: Calendar) -> str:
    return of.week.id if isinstance(of, WorkingTime) else ""


def _match(of: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    return {name: sorted(values) for name, values in of.items()}


def _hours(of: Limit) -> dict[str, float]:
    return {str(tier): length.total_seconds() / 3600 for tier, length in of.items()}


def _lengths(of: Sequence[timedelta]) -> list[float]:
    return [length.total_seconds() / 3600 for length in of]
