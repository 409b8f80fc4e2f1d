"""`explain` and `try`: why a parcel is judged so, and one real call to the outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from sqlalchemy import Connection

from carriers import names
from carriers.base import Guess, Question, Recogniser
from carriers.recognise import guesses
from domain.journey import condense
from domain.messages import Message, MessageKind
from domain.orders import UNNAMED, Waybill
from domain.remote import Conversation, RemoteError, Reply, Secret
from domain.tracking import MILESTONE_ZH, Answer
from monitor.cli.common import (
    as_json,
    config_option,
    json_option,
    open_store,
    rules_zh,
    say,
    settings_from,
    table,
)
from monitor.clock import wall
from monitor.config.accounts import ProviderAccount
from monitor.config.order_sources import SourceAccount
from monitor.config.settings import Settings
from monitor.config.store_url import sqlite_file
from monitor.desk.explain import as_data, as_text, asked_zh
from monitor.erp import windows
from monitor.erp.base import Grant, Parcel, TokenHolder
from monitor.net import Net, sketch
from monitor.polling.by_hand import asked_by_hand
from monitor.polling.second_wording import plain, spoken
from monitor.pulling.pull import held_grant, kept_grant
from monitor.single import only_one
from monitor.store import events, opinions, parcels, pulls
from monitor.store.database import Database, StoreError
from rules.judge import judge

__all__ = ["COMMANDS"]

T = TypeVar("T")
_GUESSED: Final = {"waybill_no": "单号", "carrier_name": "可能是", "confidence": "把握", "source": "依据"}


@click.command("explain")
@click.argument("carrier")
@click.argument("waybill_no")
@config_option
@json_option
def explain(carrier: str, waybill_no: str, config: Path | None, as_json_: bool) -> None:
    """解释一个运单：轨迹、每个时效从何时起到何时止、在等什么、依据哪条规则。"""
    settings = settings_from(config)
    key = known_carrier(carrier)
    with open_store(settings) as db:
        told = db.read_now(lambda conn: _explained(conn, settings, key, waybill_no, as_json_))
    if told is None:
        raise click.BadParameter(
            f"没有在监控 {names.display(key)} {waybill_no}；先用 parcelwatch import 导入订单"
        )
    if isinstance(told, str):
        say(told)
    else:
        as_json(told)


def _explained(
    conn: Connection, settings: Settings, carrier: str, waybill_no: str, json_: bool
) -> dict[str, Any] | str | None:
    ids = parcels.find(conn, waybill_no, carrier)
    if not ids:
        return None
    now = wall()
    row = parcels.load(conn, ids[:1])[0]
    history = sorted(events.known(conn, ids[:1]).get(ids[0], []), key=lambda e: (e.event.occurred_at, e.seq))
    policy = settings.book.policy_for(row.case)
    verdict = judge(row.case, policy, now)
    note = asked_zh(carrier, row.case)
    extra: dict[str, Any] = {"state": row.state, "why": row.why, "provider": row.provider}
    others = opinions.of(conn, ids[:1]).get(ids[0], [])
    if json_:
        extra |= {"note": note} if note else {}
        extra["second_opinions"] = [plain(each, settings.timezone) for each in others]
        return as_data(row.case, history, verdict, now, settings.timezone, extra, policy)
    rules = rules_zh(row.case.order.platform)
    told = as_text(row.case, history, verdict, now, settings.timezone, extra, rules, policy)
    return "\n".join([*filter(None, [note]), told, *spoken(others, settings.timezone)])


@click.command("recognise")
@click.argument("waybill_nos", nargs=-1, required=True, metavar="WAYBILL...")
@click.option(
    "--ask", "ask", default="", metavar="NAME", help="也问这个数据源账号（快递100、快递鸟有单号识别）"
)
@click.option("--force", is_flag=True, help="单号的间隔或每天的上限还不许问，也问（可能被锁）")
@config_option
@json_option
def recognise(
    waybill_nos: tuple[str, ...], ask: str, force: bool, config: Path | None, as_json_: bool
) -> None:
    """认一认单号是哪家的：按格式，也可以问数据源（守在监控的单号的上限，照样记账）；把握从大到小。"""
    found: list[dict[str, Any]] = []
    settings = settings_from(config) if ask else None
    for number in waybill_nos:
        told = [*_told(settings, ask, number, quiet=as_json_, force=force), *guesses(number)]
        found += [
            {
                "waybill_no": number,
                "carrier": each.carrier,
                "carrier_name": names.display(each.carrier),
                "confidence": round(each.confidence, 2),
                "source": each.source,
            }
            for each in told
        ]
        if not told and not as_json_:
            say(f"{number}：看不出是哪家的")
    if as_json_:
        as_json(found)
    elif found:
        table(found, _GUESSED)


def _told(settings: Settings | None, name: str, number: str, *, quiet: bool, force: bool) -> Sequence[Guess]:
    """What an account says of a number. Raises a usage error for one that recognises none."""
    if settings is None:
        return ()
    account = _account(settings, name)
    provider = account.provider
    if not isinstance(provider, Recogniser) or not provider.recognises:
        raise click.BadParameter(
            f"{name} 不会识别单号，或没有启用（快递100 要写 autonumber_url）", param_hint="--ask"
        )
    _book(settings, account, Waybill(UNNAMED, number), force=force)
    return _call(provider.recognise(number, wall()), name, settings, quiet=quiet)


def _account(settings: Settings, name: str) -> ProviderAccount:
    account = next((each for each in settings.providers if each.name == name), None)
    if account is None:
        have = "、".join(each.name for each in settings.providers)
        raise click.BadParameter(f"没有数据源账号 {name}；配置里有：{have}")
    return account


@click.group("try")
def try_() -> None:
    """打一次真实的电话：显示发出了什么（密钥打星号）、看懂了什么。"""


def _watched(conversation: Conversation[T]) -> Conversation[T]:
    """The same conversation, shown on the terminal as it goes."""
    request = next(conversation)
    while True:
        click.echo("→ " + sketch(request))
        reply: Reply = yield request
        click.echo(f"← HTTP {reply.status}，{len(reply.content)} 字节")
        try:
            request = conversation.send(reply)
        except StopIteration as end:
            understood: T = end.value
            return understood


def _call(conversation: Conversation[T], account: str, settings: Settings, *, quiet: bool = False) -> T:
    shown = conversation if quiet else _watched(conversation)

    async def main() -> T:
        net = Net(secrets=settings.secrets)
        try:
            return await net.converse(shown, account=account, lanes=1, tries=1)
        finally:
            await net.close()

    try:
        return asyncio.run(main())
    except RemoteError as error:
        raise _failed(error) from None


def _failed(error: RemoteError) -> click.ClickException:
    return click.ClickException(f"{type(error).__name__}（{error.outcome.value}）：{error}")


@try_.command("carrier")
@click.argument("name")
@click.argument("waybill_no")
@click.option("--carrier", default="", help="快递公司；账号只配了一家时可以不写")
@click.option("--phone", default="", help="收/寄件人手机号后四位（顺丰等需要）")
@click.option("--force", is_flag=True, help="单号的间隔或每天的上限还不许查，也查（可能被锁）")
@config_option
def try_carrier(
    name: str, waybill_no: str, carrier: str, phone: str, force: bool, config: Path | None
) -> None:
    """用数据源账号 NAME 查一个运单；在监控的单号守它的上限，这次查询照样记账。"""
    settings = settings_from(config)
    account = _account(settings, name)
    code = known_carrier(carrier) if carrier else _only(account.carriers)
    question = Question(Waybill(code, waybill_no), Secret(phone) if phone else None)
    _book(settings, account, question.waybill, force=force)
    answers = _call(account.provider.ask([question], wall()), name, settings)
    if isinstance(answers[0], RemoteError):
        raise _failed(answers[0])
    _show(answers[0], settings)
    click.echo("这是试查，不是监控的查询：providers 里的状态和“最后成功”不因它改变。")


def _book(settings: Settings, account: ProviderAccount, waybill: Waybill, *, force: bool) -> None:
    """Write the query down before it leaves, where there is a store. Raises a usage error where a watched number
    may not be asked about yet; `force` asks, and counts, all the same."""
    file = sqlite_file(settings.store)
    if file is not None and not file.exists():
        return
    with open_store(settings) as db:
        until = db.write_now(
            partial(asked_by_hand, account=account, waybill=waybill, now=wall(), force=force)
        )
    if until is not None:
        raise click.ClickException(
            f"{waybill.waybill_no} 的查询间隔或每天上限还没到，"
            f"{until.astimezone(settings.timezone):%m-%d %H:%M:%S} 以后再查；一定要查就加 --force（可能被锁）"
        )


def known_carrier(name: str) -> str:
    """Our key of a carrier as people write it, or a usage error that names the nearest ones."""
    key = names.canonical(name)
    if key is None:
        near = "、".join(names.nearest(name))
        raise click.BadParameter(f"不认识的快递公司 {name}" + (f"，是不是 {near}？" if near else ""))
    return key


def _only(carriers: frozenset[str]) -> str:
    """The one carrier of an account; among several nobody guesses, since a question costs money."""
    if len(carriers) != 1 or "*" in carriers:
        raise click.BadParameter("请用 --carrier 指明快递公司，如 --carrier 中通")
    return next(iter(carriers))


def _show(answer: Answer, settings: Settings) -> None:
    if not answer.events:
        click.echo(f"看懂了：没有记录。{answer.remark}")
    for event in sorted(answer.events, key=lambda each: each.occurred_at):
        at = event.occurred_at.astimezone(settings.timezone)
        say(f"  {at:%m-%d %H:%M:%S} [{MILESTONE_ZH[event.milestone]}] {event.text}")
    if answer.events:
        click.echo(
            f"看懂了：{len(answer.events)} 条，现在是「{MILESTONE_ZH[condense(answer.events).milestone]}」"
        )
    for code in answer.unknown_codes:
        click.echo(f"  未识别：{code}")


@try_.command("notifier")
@click.argument("name")
@config_option
def try_notifier(name: str, config: Path | None) -> None:
    """往渠道 NAME 发一条测试消息。"""
    settings = settings_from(config)
    channel = next((each for each in settings.channels if each.name == name), None)
    if channel is None:
        have = "、".join(each.name for each in settings.channels)
        raise click.BadParameter(f"没有渠道 {name}；配置里有：{have}")
    now = wall()
    message = Message(
        kind=MessageKind.TEST,
        title="[测试] 物流异常监控已接通本群",
        facts=(("说明", "这是一条测试消息，无需处理"),),
        reference=f"TEST-{now:%H%M%S}",
        at=now,
    )
    receipt = _call(channel.notifier.send(message, now), name, settings)
    click.echo(f"平台确认收到：{receipt.answer}")


@try_.command("source")
@click.argument("name")
@config_option
def try_source(name: str, config: Path | None) -> None:
    """从订单来源 NAME 取最近一小时的第一页，只看不登记。"""
    settings = settings_from(config)
    account = next((each for each in settings.order_sources if each.name == name), None)
    if account is None:
        have = "、".join(each.name for each in settings.order_sources)
        raise click.BadParameter(f"没有订单来源 {name}；配置里有：{have or '（一个也没有）'}")
    now = wall()
    with open_store(settings) as db:
        held = _access(db, account, settings)
    cursor = windows.fresh(now - timedelta(hours=1))
    page = _call(account.source.pull(cursor, now, held), name, settings)
    for each in page.documents[:_SHOWN]:
        numbers = "、".join(_parcel(parcel, account) for parcel in each.parcels)
        say(
            f"  {each.number} [{each.standing}] {each.shop or each.shop_id} {'、'.join(each.orders)} {numbers}"
        )
    for aside in page.poisoned[:_SHOWN]:
        say(f"  放在一边：{aside.number} {aside.why}")
    more = "，后面还有" if page.more else ""
    click.echo(f"看懂了：{len(page.documents)} 张出库单，{len(page.poisoned)} 行读不懂{more}")
    say(f"注意：{account.source.withheld}，那些店铺取不到是正常的")


_SHOWN: Final = 10


def _parcel(parcel: Parcel, account: SourceAccount) -> str:
    """A parcel by its carrier's name, as an order of it would have it; and what the source says that told nobody."""
    key = account.terms.carrier_of(parcel)
    named = f"（来源写的是“{parcel.named}”）" if parcel.named and not key else ""
    return f"{names.display(key or UNNAMED)} {parcel.waybill_no}{named}"


def _access(db: Database, account: SourceAccount, settings: Settings) -> Grant | None:
    """The token of the running service; where none runs a missing or lapsed one is got here, and kept for it.

    Only one process may renew a token: whoever does voids the other's.
    """
    source = account.source
    held = held_grant(account, db.read_now(lambda conn: pulls.grant(conn, account.name)))
    if not isinstance(source, TokenHolder) or not source.stale(held, wall()):
        return held
    try:
        with only_one(db):
            fresh = _call(source.renew(held, wall()), account.name, settings)
            record = kept_grant(account, fresh)
            db.write_now(lambda conn: pulls.keep_grant(conn, account.name, record))
            return fresh
    except StoreError:
        click.echo("提示：令牌由正在运行的 parcelwatch run 保管和更换，这里不换", err=True)
        return held


COMMANDS: Final = (explain, recognise, try_)
