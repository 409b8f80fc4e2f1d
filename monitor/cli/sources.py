"""`sources`: the order sources, how far each was read, and whether it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from monitor.cli.common import config_option, emit, json_option, open_store, say, settings_from
from monitor.config.order_sources import SourceAccount
from monitor.config.settings import Settings
from monitor.store import pulls
from monitor.store.pulls import PullState

__all__ = ["COMMANDS"]

_STATES: Final = {"up": "正常", "degraded": "不稳", "down": "中断", "unknown": "还没有拉取过"}


@click.command("sources")
@config_option
@json_option
def sources(config: Path | None, as_json_: bool) -> None:
    """列出订单来源：是否正常、读到什么时刻、读了多少张出库单、放在一边几行；服务商的哪些事没有确认。"""
    settings = settings_from(config)
    with open_store(settings) as db:
        known = {each.source: each for each in db.read_now(pulls.listing)}
    rows = [
        _row(account, known.get(account.name, PullState(account.name)), settings)
        for account in settings.order_sources
    ]
    headings = {
        "name": "来源", "kind": "类型", "state": "状态", "last_error": "原因", "observed_at": "读到",
        "pulled_at": "最后取完", "documents": "出库单", "poisoned": "放在一边",
    }  # fmt: skip
    emit(
        rows,
        headings,
        json_=as_json_,
        empty="配置里没有订单来源（[[order_sources]]）。",
        words={"state": _STATES},
    )
    for account in () if as_json_ else settings.order_sources:
        say(f"  {account.name}：{account.source.withheld}，这些店铺请用文件或接口登记")
        for told in account.source.uncertain:
            say(f"  {account.name} 没有确认：{told}")


def _row(account: SourceAccount, state: PullState, settings: Settings) -> dict[str, Any]:
    moments = ("observed_at", "pulled_at", "last_good_at", "since")
    return {
        "name": account.name,
        "kind": account.kind,
        "state": _standing(state),
        "last_error": state.last_error,
        "documents": state.documents,
        "poisoned": state.poisoned,
        "pages": state.pages,
        **{
            name: at.astimezone(settings.timezone).isoformat(timespec="seconds") if at is not None else None
            for name in moments
            for at in [getattr(state, name)]
        },
    }


def _standing(state: PullState) -> str:
    """`up`, `degraded` or `down`; `unknown` while it was never pulled, which `up` would be a boast of."""
    pulled = state.last_good_at or state.pulled_at or state.cursor
    return state.state if pulled or state.state != "up" else "unknown"


COMMANDS: Final = (sources,)
