"""How the daemon is: what was last fetched, judged and delivered, and whether that is long ago.

Kept in memory, told by the verbs as they work, read by `/readyz`, the watchdog, the outside check and the console.
Nothing here is a problem because there is nothing to do: every complaint needs something that waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from carriers import names
from domain.masking import safe_text
from monitor.feeds.line import Line
from monitor.telling.wording import hours

__all__ = [
    "ACCOUNT_DOWN",
    "DELIVER_LATE",
    "FETCH_LATE",
    "JUDGE_LATE",
    "STALE",
    "VERB_FAILING",
    "Problem",
    "Standing",
    "Vitals",
]

FETCH_LATE: Final = timedelta(minutes=15)
"""Questions were due at an account for so long, and not one was answered."""
ACCOUNT_DOWN: Final = timedelta(minutes=5)
"""An account was down for so long: a single hiccup is no reason to wake anybody."""
DELIVER_LATE: Final = timedelta(minutes=10)
"""A message waits for so long, and its channel took none meanwhile."""
JUDGE_LATE: Final = timedelta(minutes=5)
"""Parcels are due for judging for so long, and no sweep moved on meanwhile."""
VERB_FAILING: Final = timedelta(minutes=1)
"""One of the daemon's own works fails at every ring for so long."""
STALE: Final = timedelta(hours=2)
"""What was asked for last so long ago says nothing of now."""
_REASON: Final = 160


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps the service from doing its work."""

    kind: str
    """`fetch`, `account`, `orders`, `deliver`, `judge`, `verb`; `carrier` of a note."""
    text: str
    """What is wrong, since when, and what to do; Chinese, for the operator."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What waited in the store when it was last looked at. None: nothing."""

    at: datetime
    judge_since: datetime | None = None
    """The oldest moment that has come and is not judged."""
    message_since: Mapping[str, datetime] = field(default_factory=dict)
    """By channel in the configuration: since when its oldest message could have been out."""
    carriers_down: Mapping[tuple[str, ...], Line] = field(default_factory=dict)
    """By account of the configuration and carrier: those that are down while their account may well be up."""


@dataclass(slots=True)
class _Account:
    """One provider account, as its poller sees it."""

    wanted_since: datetime | None = None
    """Since when something is due there with nothing answered."""
    wanted_at: datetime | None = None
    down_since: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Failing:
    since: datetime
    at: datetime
    why: str


@dataclass(slots=True)
class Vitals:
    """One per process. Moments are UTC by the daemon's clock; None: not since the start."""

    started_at: datetime
    fetched_at: dict[str, datetime] = field(default_factory=dict)
    """By provider account: the last good answer."""
    delivered_at: dict[str, datetime] = field(default_factory=dict)
    """By channel: the last message a platform took."""
    judged_at: datetime | None = None
    """The last sweep that ran to its end, with or without work."""
    speed: float = 1.0
    """How much faster than ours the daemon's clock runs: a demo's patience is as long on the wall."""
    standing: Standing | None = None
    store_trouble: str = ""
    """Why the store takes nothing, as the watchdog's last try found; empty when it does."""
    _accounts: dict[str, _Account] = field(default_factory=dict)
    _failing: dict[str, _Failing] = field(default_factory=dict)
    _sources: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """Order sources that are down."""

    # ── told by the verbs ────────────────────────────────────────────────────────────────────────

    def wants(self, account: str, now: datetime) -> None:
        """Something is due at this account."""
        known = self._account(account)
        if known.wanted_since is None or known.wanted_at is None or now - known.wanted_at > self._long(STALE):
            known.wanted_since = now
        known.wanted_at = now

    def fetched(self, account: str, now: datetime) -> None:
        """The account gave a good answer."""
        self.fetched_at[account] = now
        self.answered(account)

    def answered(self, account: str) -> None:
        """The account refused one number for that number's own sake: it works, though nothing was learned."""
        self._account(account).wanted_since = None

    def feed(self, account: str, down_since: datetime | None, why: str = "") -> None:
        """Whether the account is down, and since when (`monitor/feeds/feed.py`)."""
        known = self._account(account)
        known.down_since, known.why = down_since, why

    def order_source(self, source: str, down_since: datetime | None, why: str = "") -> None:
        """Whether an order source is down, and since when."""
        self._sources.pop(source, None)
        if down_since is not None:
            self._sources[source] = (down_since, why)

    def delivered(self, channel: str, now: datetime) -> None:
        """A platform took a message."""
        self.delivered_at[channel] = now

    def judged(self, now: datetime) -> None:
        """A sweep ran to its end, or moved on by a batch."""
        self.judged_at = now

    def verb(self, name: str, now: datetime, why: str | None) -> None:
        """A verb ran: `why` it failed, or None."""
        if why is None:
            self._failing.pop(name, None)
            return
        before = self._failing.get(name)
        since = now if before is None or now - before.at > self._long(STALE) else before.since
        self._failing[name] = _Failing(since, now, why)

    def keep(self, *, accounts: frozenset[str], verbs: frozenset[str]) -> None:
        """After a reload: what is not there any more is no problem any more."""
        self._accounts = {name: each for name, each in self._accounts.items() if name in accounts}
        self._failing = {name: each for name, each in self._failing.items() if name in verbs}
        self._sources = {name: each for name, each in self._sources.items() if f"pull {name}" in verbs}

    # ── asked by those who watch ─────────────────────────────────────────────────────────────────

    def problems(self, now: datetime) -> tuple[str, ...]:
        """Sentences that say what is wrong and what to do; empty when all is well."""
        return tuple(each.text for each in self.found(now))

    def found(self, now: datetime) -> tuple[Problem, ...]:
        """The same with what kind of problem each is, the gravest first."""
        store = (Problem("store", self.store_trouble),) if self.store_trouble else ()
        return (
            *store,
            *self._verbs(now),
            *self._judging(now),
            *self._feeds(now),
            *self._orders(now),
            *self._delivery(now),
        )

    def notes(self, now: datetime) -> tuple[Problem, ...]:
        """What keeps only a part of the service from its work: a single carrier behind an account. Nothing is red."""
        down = self.standing.carriers_down if self.standing is not None else {}
        return tuple(
            Problem("carrier", _carrier_down(account, carrier, line, now))
            for (account, carrier), line in sorted(down.items(), key=lambda item: item[0])
        )

    def _verbs(self, now: datetime) -> Iterator[Problem]:
        for name, each in sorted(self._failing.items()):
            if each.at - each.since < self._long(VERB_FAILING) or now - each.at > self._long(STALE):
                continue
            yield Problem(
                "verb",
                f"后台任务“{name}”已连续失败 {hours(now - each.since)}：{safe_text(each.why, _REASON)}。"
                "请按原因处理（磁盘、数据库、配置），详情见日志；恢复后会自动继续。",
            )

    def _judging(self, now: datetime) -> Iterator[Problem]:
        waits = self.standing.judge_since if self.standing is not None else None
        if waits is None:
            return
        still = now - max(waits, self.judged_at or self.started_at)
        if still > self._long(JUDGE_LATE):
            yield Problem(
                "judge",
                f"已有 {hours(still)} 没有判定任何包裹，而有包裹到了判定时刻。"
                "超时告警会因此迟到。请查看日志里的 sweep；若进程卡住，请重启服务，数据不会丢。",
            )

    def _feeds(self, now: datetime) -> Iterator[Problem]:
        for name, each in sorted(self._accounts.items()):
            recent = each.wanted_at is not None and now - each.wanted_at <= self._long(STALE)
            if not recent:
                continue
            if each.down_since is not None:
                if now - each.down_since >= self._long(ACCOUNT_DOWN):
                    yield Problem("account", _down(name, now - each.down_since, each.why))
            elif each.wanted_since is not None and now - each.wanted_since >= self._long(FETCH_LATE):
                yield Problem("fetch", _unfetched(name, now - each.wanted_since))

    def _orders(self, now: datetime) -> Iterator[Problem]:
        for name, (since, why) in sorted(self._sources.items()):
            if now - since >= self._long(ACCOUNT_DOWN):
                reason = f"，原因：{safe_text(why, _REASON)}" if why else ""
                yield Problem(
                    "orders",
                    f"订单来源“{name}”已中断 {hours(now - since)}{reason}。期间发货的包裹还没有进入监控。"
                    "请检查密钥、令牌、白名单和网络（parcelwatch try source 可以打一次真实的电话），"
                    "恢复后从中断处接着取。",
                )

    def _delivery(self, now: datetime) -> Iterator[Problem]:
        waiting = self.standing.message_since if self.standing is not None else {}
        for channel, since in sorted(waiting.items()):
            still = now - max(since, self.delivered_at.get(channel, self.started_at), self.started_at)
            if still > self._long(DELIVER_LATE):
                yield Problem(
                    "deliver",
                    f"渠道“{channel}”已有 {hours(still)} 没有送出任何消息，而有消息在等。"
                    "请用 parcelwatch outbox 看平台的回答，检查机器人是否停用、密钥和网络；"
                    "消息保留 72 小时，修好后自动补发。",
                )

    def _account(self, name: str) -> _Account:
        return self._accounts.setdefault(name, _Account())

    def _long(self, length: timedelta) -> timedelta:
        return length * self.speed


def _down(account: str, length: timedelta, why: str) -> str:
    reason = f"，原因：{safe_text(why, _REASON)}" if why else ""
    return (
        f"数据源账号“{account}”已中断 {hours(length)}{reason}。期间不会误报，但告警会迟到。"
        "请检查密钥、余额和到它的网络（parcelwatch try carrier 可以打一次真实的查询），恢复后自动补查。"
    )


def _carrier_down(account: str, carrier: str, line: Line, now: datetime) -> str:
    since = f" {hours(now - line.feed.since)}" if line.feed.since is not None else ""
    reason = f"，原因：{safe_text(line.feed.last_error, _REASON)}" if line.feed.last_error else ""
    return (
        f"数据源账号“{account}”的{names.display(carrier)}已中断{since}{reason}。它的包裹暂停判定，不会误报，别家照常。"
        "抽一个单号到快递官网对照；恢复后自动补查。"
    )


def _unfetched(account: str, length: timedelta) -> str:
    return (
        f"数据源账号“{account}”已有 {hours(length)} 没有一次成功的查询，而有运单在等。"
        "请看 parcelwatch providers 和日志：可能被限流、锁定，或网络不通。"
    )
