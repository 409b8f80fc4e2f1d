"""What the store tells `check` of late: does the service run, who answered when, what waits, when was it copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection

from domain.masking import safe_text
from monitor.checking.lint import CheckLine
from monitor.config.settings import Settings
from monitor.config.store_url import sqlite_file
from monitor.store.database import StoreError, schema_state
from monitor.store.recent import Recent, glance, known_words, platforms, recent
from monitor.store.upkeep import ALIVE, BACKUP, BACKUP_GOOD
from monitor.telling.wording import hours, moment

__all__ = ["alive", "lately", "platforms_in_use", "words_in_use"]

T = TypeVar("T")
_ALIVE: Final = timedelta(minutes=3)
"""A running service says so every 20 seconds."""
_LONG: Final = timedelta(days=2)
"""Without a copy, where the configuration names no rhythm."""
_WHY: Final = 120
_NAMED: Final = ("merchant", "shop", "warehouse")


def alive(settings: Settings, now: datetime) -> bool:
    """A service works on this store at this moment, as far as the store tells."""
    found = _recent(settings)
    done = found.upkeep.get(ALIVE) if found is not None else None
    return done is not None and now - done.at < _ALIVE


def lately(settings: Settings, now: datetime) -> list[CheckLine]:
    """Nothing where there is no store yet, or one that cannot be read: that is said elsewhere."""
    found = _recent(settings)
    if found is None:
        return []
    return [
        _service(found, settings, now),
        *_accounts(found, settings, now),
        *_channels(found, settings, now),
        *_backup(found, settings, now),
    ]


def platforms_in_use(settings: Settings) -> list[str]:
    """The platforms of the newest orders; none where there is no store that can be read."""
    return _looked(settings, platforms) or []


def words_in_use(settings: Settings) -> dict[str, list[str]]:
    """The merchants, shops and warehouses of the newest orders; nothing where there is no store to be read."""
    found = _looked(settings, lambda conn: {word: known_words(conn, word) for word in _NAMED})
    return found or {}


def _recent(settings: Settings) -> Recent | None:
    return _looked(settings, recent)


def _looked(settings: Settings, work: Callable[[Connection], T]) -> T | None:
    file = sqlite_file(settings.store)
    if file is not None and not file.exists():
        return None
    try:
        return glance(settings.store, work) if schema_state(settings.store) == "current" else None
    except StoreError:
        return None


def _service(found: Recent, settings: Settings, now: datetime) -> CheckLine:
    done = found.upkeep.get(ALIVE)
    if done is None:
        return CheckLine(
            "ok", "服务还没有在这个数据库上运行过", "parcelwatch run，或 systemctl start parcelwatch"
        )
    ago = now - done.at
    if ago < _ALIVE:
        return CheckLine("ok", f"服务正在运行（{hours(ago)}前还有心跳）")
    when = moment(done.at, settings.timezone)
    return CheckLine(
        "warn",
        f"服务没有在运行：最后一次心跳是 {when}（{hours(ago)}前）",
        "systemctl status parcelwatch 看原因，再启动",
    )


def _accounts(found: Recent, settings: Settings, now: datetime) -> Iterator[CheckLine]:
    for n, account in enumerate(settings.providers):
        line = settings.written.lines.of(("providers", n))
        state = found.accounts.get(account.name)
        if state is None or (state.last_good_at is None and state.state == "up"):
            yield CheckLine("ok", f"{account.name} 还没有成功查询过", "", line)
            continue
        good = state.last_good_at
        last = (
            f"最近一次成功查询 {moment(good, settings.timezone)}（{hours(now - good)}前）"
            if good
            else "从没有成功查询过"
        )
        if state.state == "up":
            yield CheckLine("ok", f"{account.name} {last}", "", line)
            continue
        why = f"：{safe_text(state.last_error, _WHY)}" if state.last_error else ""
        todo = f"检查密钥、余额和网络；parcelwatch try carrier {account.name} 单号 可以打一次真实的查询"
        yield CheckLine("warn", f"{account.name} 不正常，{last}{why}", todo, line)


def _channels(found: Recent, settings: Settings, now: datetime) -> Iterator[CheckLine]:
    for n, channel in enumerate(settings.channels):
        line = settings.written.lines.of(("channels", n))
        at = found.told_at.get(channel.name)
        last = (
            f"最近一次送达 {moment(at, settings.timezone)}（{hours(now - at)}前）"
            if at
            else "还没有送达过消息"
        )
        waiting = sum(found.waiting.get((channel.name, state), 0) for state in ("waiting", "sending"))
        dead = found.waiting.get((channel.name, "dead"), 0)
        rest = f"，{waiting} 条在等" if waiting else ""
        if dead:
            todo = (
                "parcelwatch outbox 看平台的回答；修好机器人后发一条：parcelwatch try notifier "
                + channel.name
            )
            yield CheckLine("warn", f"{channel.name} 有 {dead} 条消息没有送出去，{last}{rest}", todo, line)
        else:
            yield CheckLine("ok", f"{channel.name} {last}{rest}", "", line)


def _backup(found: Recent, settings: Settings, now: datetime) -> Iterator[CheckLine]:
    folder, every = settings.backup.folder, settings.backup.every
    line = settings.written.lines.found.get(("backup",), 0)
    tried, good = found.upkeep.get(BACKUP), found.upkeep.get(BACKUP_GOOD)
    last = (
        f"最近一份好的备份是 {moment(good.at, settings.timezone)}（{hours(now - good.at)}前）" if good else ""
    )
    todo = "写 [backup] folder，或启用 parcelwatch-backup.timer；现在就做一份：parcelwatch backup"
    if tried is not None and tried.outcome != "ok":
        why = f"最近一次备份失败：{safe_text(tried.detail, _WHY)}"
        yield CheckLine(
            "warn", f"{why}；{last or '还没有一份好的备份'}", f"检查目录 {folder or ''} 和磁盘空间", line
        )
    elif good is None:
        if found.parcels:
            yield CheckLine("warn", "数据库从没有备份过", todo, line)
    elif now - good.at > (max(2 * every, timedelta(hours=1)) if folder is not None else _LONG):
        yield CheckLine("warn", f"{last}，太久了", todo, line)
    else:
        yield CheckLine("ok", last, "", line)
