"""Tickets: the list, one ticket whole, and what a person may do to it."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any, Final

import click

from domain.tickets import TICKET_STATE_ZH, EntryKind, TicketState
from monitor.cli.common import (
    PARTIES,
    as_json,
    carriers_zh,
    config_option,
    emit,
    json_option,
    open_store,
    rules_zh,
    say,
    settings_from,
    yuan_range,
)
from monitor.clock import wall
from monitor.desk.pages import ticket_data, ticket_text
from monitor.store import tickets
from monitor.store.database import Database

__all__ = ["COMMANDS"]

_HEADINGS: Final = {
    "number": "工单",
    "state": "状态",
    "carrier": "承运商",
    "waybill_no": "运单号",
    "order_no": "订单号",
    "shop": "店铺",
    "opened_at": "开单",
    "resolved_at": "解决",
    "rules": "规则",
    "yuan": "可能赔付(元)",
    "blame": "责任",
}


@click.group("tickets", invoke_without_command=True)
@config_option
@json_option
@click.option("--all", "all_", is_flag=True, help="已解决和关闭的也列出")
@click.pass_context
def tickets_(ctx: click.Context, config: Path | None, as_json_: bool, all_: bool) -> None:
    """列出工单；子命令处理一张工单：show、ack、comment、resolve、reopen。"""
    ctx.obj = config
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_from(config)
    with open_store(settings) as db:
        rows = db.read_now(lambda conn: tickets.listing(conn, all_=all_, zone=settings.timezone))
    states = {state.value: told for state, told in TICKET_STATE_ZH.items()}
    words = {"carrier": carriers_zh(), "rules": rules_zh(), "state": states, "blame": PARTIES}
    if not as_json_:
        rows = [{**row, "yuan": yuan_range(row)} for row in rows]
    emit(rows, _HEADINGS, json_=as_json_, empty="没有待处理的工单。", words=words)


def _by_option(command: Any) -> Any:
    return click.option("--by", default=None, help="谁（默认：当前系统用户）")(command)


@tickets_.command("show")
@click.argument("number")
@config_option
@json_option
@click.pass_context
def show(ctx: click.Context, number: str, config: Path | None, as_json_: bool) -> None:
    """看一张工单：订单、轨迹、计时、记录和消息。"""
    settings = settings_from(config or ctx.obj)
    with open_store(settings) as db:
        found = db.read_now(lambda conn: tickets.detail(conn, number))
    if found is None:
        raise click.BadParameter(f"没有工单 {number}；用 parcelwatch tickets --all 查看编号")
    if as_json_:
        as_json([ticket_data(found, settings.timezone)])
    else:
        say(ticket_text(found, wall(), settings.timezone, rules_zh(found.parcel.case.order.platform)))


@tickets_.command("ack")
@click.argument("number")
@_by_option
@config_option
@click.pass_context
def ack(ctx: click.Context, number: str, by: str | None, config: Path | None) -> None:
    """认领：我在处理。"""
    _move(config or ctx.obj, number, TicketState.ACKNOWLEDGED, by, "")


@tickets_.command("resolve")
@click.argument("number")
@click.argument("text", required=False, default="")
@_by_option
@config_option
@click.pass_context
def resolve(ctx: click.Context, number: str, text: str, by: str | None, config: Path | None) -> None:
    """解决，可写明怎么解决的。"""
    _move(config or ctx.obj, number, TicketState.RESOLVED, by, text)


@tickets_.command("reopen")
@click.argument("number")
@click.argument("text", required=False, default="")
@_by_option
@config_option
@click.pass_context
def reopen(ctx: click.Context, number: str, text: str, by: str | None, config: Path | None) -> None:
    """重新打开。"""
    _move(config or ctx.obj, number, TicketState.OPEN, by, text)


@tickets_.command("comment")
@click.argument("number")
@click.argument("text")
@_by_option
@config_option
@click.pass_context
def comment(ctx: click.Context, number: str, text: str, by: str | None, config: Path | None) -> None:
    """在工单上留言；记录只增不改。"""
    if not text.strip():
        raise click.BadParameter("留言不能是空的")
    settings, who = settings_from(config or ctx.obj), by or _me()
    with open_store(settings) as db:
        ticket = _find(db, number)
        db.write_now(
            lambda conn: tickets.entry(conn, ticket.id, wall(), EntryKind.COMMENT, author=who, text=text)
        )
    click.echo(f"已在 {number} 留言。")


def _me() -> str:
    """Who is at the keyboard, as the machine knows him; a container may not know anybody."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _find(db: Database, number: str) -> tickets.Ticket:
    found = db.read_now(lambda conn: tickets.by_number(conn, number))
    if found is None:
        raise click.BadParameter(f"没有工单 {number}；用 parcelwatch tickets --all 查看编号")
    return found


def _move(config: Path | None, number: str, to: TicketState, by: str | None, text: str) -> None:
    settings = settings_from(config)
    with open_store(settings) as db:
        ticket = _find(db, number)
        try:
            moved = db.write_now(
                lambda conn: tickets.move(
                    conn,
                    ticket.id,
                    to=to,
                    version=ticket.version,
                    at=wall(),
                    by=by or _me(),
                    text=text,
                )
            )
        except tickets.NotAllowed as error:
            raise click.ClickException(str(error)) from None
    if not moved:
        raise click.ClickException(f"{number} 刚被别人改过，请看一眼再试")
    click.echo(f"{number}：{TICKET_STATE_ZH[to]}。")


COMMANDS: Final = (tickets_,)
