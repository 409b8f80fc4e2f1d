"""What Prometheus reads of us: one registry of our own, with a list of measures that stays as it is.

`MEASURES` is that list; `docs/reference/metrics.md`, the board and the alert rules are held to it by a test.
No label has unbounded values: accounts and channels are those of the configuration, rules and states are ours.
Counters are told by the verbs, or counted from the store's append-only ledgers; gauges come from one cheap
reading of the store that is made when it is asked for, at most every few seconds.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from time import monotonic
from typing import Final, TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from monitor.feeds.feed import UNHEARD
from monitor.store.database import Database
from monitor.store.pulse import Marks, Pulse, count_watched, marks, pulse
from monitor.store.push_counts import STANDINGS, tallies
from monitor.vitals import Standing, Vitals

__all__ = ["MEASURES", "Measure", "Metrics"]

Family: TypeAlias = Counter | Gauge | Histogram
T = TypeVar("T", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Measure:
    """One family of series."""

    name: str
    """As Prometheus shows it; a counter ends in `_total`, a histogram has `_bucket`, `_sum` and `_count`."""
    kind: type[Family]
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


_REMOTE: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LOCAL: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

MEASURES: Final = tuple(
    Measure(f"parcelwatch_{name}", kind, labels, meaning, buckets)
    for name, kind, labels, meaning, buckets in (
        ("queries_total", Counter, ("account", "outcome"), "问过数据源多少个运单，各是什么结果", ()),
        ("requests_total", Counter, ("account", "outcome"), "向数据源和通知平台发出的每一次 HTTP 请求", ()),
        ("request_seconds", Histogram, ("account",), "一次 HTTP 请求用了多少秒", _REMOTE),
        ("scans_stored_total", Counter, ("account",), "存下的新扫描记录", ()),
        (
            "pulled_documents_total",
            Counter,
            ("account", "outcome"),
            "订单来源：读到的出库单（read）、放在一边的行（aside）、没取成的次数（failed）",
            (),
        ),
        (
            "callbacks_total",
            Counter,
            ("account", "outcome"),
            "推送：收下的（taken）、没能存下请对方重推的（put_off）、签名或地址不对的（forged）；"
            "其中的运单：存下的（kept）、没有监控的（unknown_parcel）、读不懂的（unreadable）",
            (),
        ),
        ("parcels_judged_total", Counter, (), "判定过多少个包裹（含无变化的）", ()),
        ("findings_opened_total", Counter, ("rule", "stage"), "新发现的异常，按规则和发现时的阶段", ()),
        ("ticket_entries_total", Counter, ("kind",), "工单记录：开单、认领、解决、重开、关闭、留言等", ()),
        ("messages_total", Counter, ("channel", "outcome"), "每次送出消息的结果", ()),
        ("store_works_total", Counter, ("outcome",), "交给存储的写入，成功或失败", ()),
        ("store_commit_seconds", Histogram, (), "一次事务从开始到落盘用了多少秒", _LOCAL),
        ("verb_runs_total", Counter, ("verb", "outcome"), "后台任务跑了几次，成功或失败", ()),
        ("verb_seconds", Histogram, ("verb",), "后台任务每次用了多少秒", _LOCAL),
        ("tickets", Gauge, ("state",), "还没解决的工单", ()),
        ("outbox_messages", Gauge, ("channel", "state"), "待发、发送中和死信的消息", ()),
        ("outbox_oldest_seconds", Gauge, ("channel",), "最早一条该发而未发的消息等了多少秒", ()),
        ("parcels_watched", Gauge, (), "正在监控的包裹", ()),
        ("poll_lag_seconds", Gauge, ("account",), "最早一个到点而未查的运单迟了多少秒", ()),
        ("sweep_lag_seconds", Gauge, (), "最早一个到点而未判定的包裹迟了多少秒", ()),
        (
            *("feed_state", Gauge, ("account", "state")),
            *("数据源账号的状态：up、degraded、down、unknown（尚无应答）之一为 1", ()),
        ),
        (
            *("carrier_feed_state", Gauge, ("account", "carrier", "state")),
            *("账号背后每家快递的状态：up、degraded、down、unknown（尚无应答）之一为 1", ()),
        ),
        (
            *("subscriptions", Gauge, ("account", "state")),
            *("接收推送的账号：各种状态的订阅有几个，不含已结束的包裹", ()),
        ),
        ("pushes_waiting", Gauge, (), "收下了还没有读的推送有几条", ()),
        ("pushes_oldest_seconds", Gauge, (), "最早一条还没有读的推送等了多少秒", ()),
        ("questions_today", Gauge, ("account",), "今天（上海时间）问了多少次", ()),
        ("spend_today_yuan", Gauge, ("account",), "今天（上海时间）花了多少元", ()),
        ("unknown_codes", Gauge, ("account",), "数据源说过而我们不认识的编码有几种", ()),
        ("last_fetch_timestamp_seconds", Gauge, ("account",), "最后一次成功查询的时刻（Unix 秒）", ()),
        ("last_delivery_timestamp_seconds", Gauge, ("channel",), "最后一条送达的消息的时刻（Unix 秒）", ()),
        ("last_sweep_timestamp_seconds", Gauge, (), "最后一次判定跑完的时刻（Unix 秒）", ()),
        ("problems", Gauge, ("kind",), "妨碍工作的问题有几个；全部为 0 即 /readyz 正常", ()),
        ("now_timestamp_seconds", Gauge, (), "程序自己的时钟；演示里走得快，用它减上面的时刻", ()),
        ("build_info", Gauge, ("version", "python", "store"), "恒为 1：版本、Python 和数据库种类", ()),
    )
)

_FRESH: Final = 5.0
"""Seconds for which a reading of the store is good enough."""
_COUNT_FRESH: Final = 60.0
"""The same for the counts of watched parcels and of subscriptions, which walk an index."""
_STATES: Final = ("up", "degraded", "down", UNHEARD)
_KINDS: Final = ("store", "verb", "judge", "account", "fetch", "orders", "deliver")


class Metrics:
    """One per process. The verbs tell it from any thread; `text` is what is scraped."""

    def __init__(self, steady: Callable[[], float] = monotonic) -> None:
        self.registry = CollectorRegistry()
        self._steady = steady
        self._families = {each.name: _family(each, self.registry) for each in MEASURES}
        ProcessCollector(registry=self.registry)
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._counted_at: float | None = None
        self._marks: Marks | None = None

    # ── told by the verbs ────────────────────────────────────────────────────────────────────────

    def count(self, name: str, *labels: str, n: float = 1) -> None:
        """Add to a counter."""
        family = self._of(name, Counter)
        (family.labels(*labels) if labels else family).inc(n)

    def took(self, name: str, seconds: float, *labels: str) -> None:
        """Note a duration."""
        family = self._of(name, Histogram)
        (family.labels(*labels) if labels else family).observe(seconds)

    def request(self, account: str, outcome: str, seconds: float) -> None:
        """One try of one HTTP request."""
        self.count("requests_total", account, outcome.lower())
        self.took("request_seconds", seconds, account)

    def committed(self, works: int, failed: int, seconds: float) -> None:
        """One transaction of the store's writer."""
        self.took("store_commit_seconds", seconds)
        for outcome, n in (("kept", works - failed), ("failed", failed)):
            if n:
                self.count("store_works_total", outcome, n=n)

    # ── read from the store ──────────────────────────────────────────────────────────────────────

    async def refresh(
        self,
        db: Database,
        now: datetime,
        vitals: Vitals,
        *,
        accounts: Collection[str],
        channels: Collection[str],
    ) -> None:
        """Read the store anew unless that was done just now, and tell the vitals what waits.

        Raises a `StoreError` when the store does not answer.
        """
        async with self._reading:
            steady = self._steady()
            if self._read_at is None or steady - self._read_at >= _FRESH:
                since = self._marks if self._marks is not None else await db.read(marks)
                told: Pulse = await db.read(lambda conn: pulse(conn, now, accounts, since))
                self._marks, self._read_at = told.marks, steady
                self._show(told, db.dialect)
                waiting = {name: at for name, at in told.message_since.items() if name in channels}
                down = {pair: line for pair, line in told.troubles.items() if pair[0] in accounts}
                vitals.standing = Standing(now, told.judge_since, waiting, down)
            if self._counted_at is None or steady - self._counted_at >= _COUNT_FRESH:
                self._gauge("parcels_watched").set(await db.read(count_watched))
                found = await db.read(tallies)
                self._set(
                    "subscriptions",
                    {
                        (name, each): getattr(tally, each)
                        for name, tally in found.items()
                        for each in STANDINGS
                    },
                )
                self._counted_at = steady
        self._show_vitals(vitals, now)

    def blind(self, now: datetime, vitals: Vitals) -> None:
        """The store does not answer: what it said last stands, and that it is silent is shown."""
        self._show_vitals(vitals, now)
        self._gauge("problems").labels("store").set(1)

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)

    def _show(self, told: Pulse, store: str) -> None:
        self._set("tickets", {(state,): told.tickets.get(state, 0) for state in ("open", "acknowledged")})
        self._set("outbox_messages", told.messages)
        self._set("outbox_oldest_seconds", _ages(told.at, told.message_since))
        self._set(
            "poll_lag_seconds",
            {(name,): 0.0 for name in told.feeds} | _ages(told.at, told.poll_since),
        )
        lag = (told.at - told.judge_since).total_seconds() if told.judge_since is not None else 0.0
        self._gauge("sweep_lag_seconds").set(lag)
        self._set(
            "feed_state",
            {(name, each): float(each == state) for name, state in told.feeds.items() for each in _STATES},
        )
        self._set(
            "carrier_feed_state",
            {
                (*pair, each): float(each == state)
                for pair, state in told.carriers.items()
                for each in _STATES
            },
        )
        nothing: dict[tuple[str, ...], float] = {(name,): 0.0 for name in told.feeds}
        self._set("questions_today", nothing | {(name,): n for name, n in told.asked_today.items()})
        spent: dict[tuple[str, ...], float] = {
            (name,): n / 1_000_000 for name, n in told.micros_today.items()
        }
        self._set("spend_today_yuan", nothing | spent)
        self._gauge("pushes_waiting").set(told.pushes.waiting)
        oldest = told.pushes.since
        waited = (told.at - oldest).total_seconds() if oldest is not None else 0.0
        self._gauge("pushes_oldest_seconds").set(max(waited, 0.0))
        self._set("unknown_codes", {(name,): n for name, n in told.unknown_codes.items()})
        self._set("last_fetch_timestamp_seconds", _stamps(told.last_good_at))
        self._set("build_info", {(_version(), platform.python_version(), store): 1.0})
        for name, added in (
            ("findings_opened_total", told.new_findings),
            ("messages_total", told.new_attempts),
            ("ticket_entries_total", {(kind,): n for kind, n in told.new_entries.items()}),
        ):
            for labels, n in added.items():
                self.count(name, *labels, n=n)

    def _show_vitals(self, vitals: Vitals, now: datetime) -> None:
        fetched = self._gauge("last_fetch_timestamp_seconds")
        for name, at in vitals.fetched_at.items():
            fetched.labels(name).set(at.timestamp())
        self._set("last_delivery_timestamp_seconds", _stamps(vitals.delivered_at))
        if vitals.judged_at is not None:
            self._gauge("last_sweep_timestamp_seconds").set(vitals.judged_at.timestamp())
        found = [each.kind for each in vitals.found(now)]
        self._set("problems", {(kind,): float(found.count(kind)) for kind in _KINDS})
        self._gauge("now_timestamp_seconds").set(now.timestamp())

    # ── the families ─────────────────────────────────────────────────────────────────────────────

    def _of(self, name: str, kind: type[T]) -> T:
        family = self._families[f"parcelwatch_{name}"]
        assert isinstance(family, kind), f"{name} is no {kind.__name__}"
        return family

    def _gauge(self, name: str) -> Gauge:
        return self._of(name, Gauge)

    def _set(self, name: str, values: Mapping[tuple[str, ...], float]) -> None:
        """These series and no others: what is gone from the store is gone from the page."""
        gauge = self._gauge(name)
        gauge.clear()
        for labels, value in values.items():
            gauge.labels(*labels).set(value)


def _family(each: Measure, registry: CollectorRegistry) -> Family:
    if each.kind is Histogram:
        return Histogram(each.name, each.meaning, each.labels, buckets=each.buckets, registry=registry)
    return each.kind(each.name, each.meaning, each.labels, registry=registry)


def _ages(now: datetime, since: Mapping[str, datetime]) -> dict[tuple[str, ...], float]:
    return {(name,): max((now - at).total_seconds(), 0.0) for name, at in since.items()}


def _stamps(moments: Mapping[str, datetime]) -> dict[tuple[str, ...], float]:
    return {(name,): at.timestamp() for name, at in moments.items()}


def _version() -> str:
    try:
        return metadata.version("parcelwatch")
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return "unknown"
