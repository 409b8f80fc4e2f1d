"""A world for the verbs: time that jumps, a carrier and chat groups that answer as told, a store that does its work at once.

    world = World(database, Robot("ops"))
    world.import_("Z1", paid=-30)                    # hours since T0
    world.carrier.says("Z1", (-20, PICKED))
    world.run(lambda: world.poll_for(hours=24))      # a day passes in milliseconds

Nothing here waits: the event loop jumps to its next timer. So that no time passes while a thread of the
store writes, its works are done inside the loop.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
from sqlalchemy import Connection, text, update

from carriers.base import Billing, Ceilings, Question
from domain.findings import Finding
from domain.messages import Message, MessageKind, Receipt, Urgency
from domain.orders import Case, Order, Waybill
from domain.remote import (
    Conversation,
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Throttled,
    Unavailable,
    Unreadable,
)
from domain.time import to_micros
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent
from monitor.clock import Clock
from monitor.config.accounts import Channel, ProviderAccount
from monitor.net import Net
from monitor.polling.poll import Poller
from monitor.store import outbox, parcels, polls, schema
from monitor.store.database import Database
from monitor.store.outbox import NewMessage
from monitor.store.parcels import Incoming, Loaded
from monitor.sweep import Judged, Look, Sweep
from monitor.telling.deliver import Deliverer
from monitor.telling.routing import Route
from notifiers.base import Pace
from rules.declare import parse_profile
from rules.policy import PolicyBook, PolicySpec
from rules.schedule import Pace as AskingPace

T = TypeVar("T")
T0 = datetime(2026, 11, 10, 2, tzinfo=UTC)
"""Ten in the morning in Shanghai."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(hours: float) -> datetime:
    """That many hours after T0."""
    return T0 + timedelta(hours=hours)


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


class _Jumping(selectors.DefaultSelector):
    """Does not wait for the next timer: goes there."""

    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nothing will ever happen: the test waits for a thread or for nobody")
        self.jump(timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is counted, not measured."""

    def __init__(self) -> None:
        self.seconds = 0.0
        selector = _Jumping()
        selector.jump = self._jump
        super().__init__(selector)

    def time(self) -> float:
        return self.seconds

    def _jump(self, seconds: float) -> None:
        self.seconds += seconds


class Hands(Clock):
    """A clock that stands where it was put, and goes on with the simulated loop while one runs."""

    def __init__(self, start: datetime = T0) -> None:
        self.start = start
        self.loop: SimulatedLoop | None = None
        super().__init__(lambda: self.start + timedelta(seconds=self._passed()), self._passed)

    def _passed(self) -> float:
        """Asked of in the store's writing thread too, so it looks for no running loop."""
        return 0.0 if self.loop is None else self.loop.seconds


class AtOnce:
    """A store whose works are done before the loop goes on."""

    def __init__(self, store: Database) -> None:
        self.store = store
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write(self, work: Callable[[Connection], T]) -> T:
        self.writes += 1
        return self.store.write_now(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return self.store.read_now(work)


def simulate(main: Callable[[], Awaitable[T]], clock: Hands) -> T:
    """Run a coroutine in simulated time, told by `clock`, which stands at its end afterwards."""

    async def whole() -> T:
        return await main()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        clock.loop = runner.get_loop()  # type: ignore[assignment]
        try:
            return runner.run(whole())
        finally:
            clock.start, clock.loop = clock.now(), None


# ── a carrier ────────────────────────────────────────────────────────────────────────────────────

LABEL, PICKED, HUB = Milestone.LABEL_CREATED, Milestone.PICKED_UP, Milestone.IN_TRANSIT
OUT, SIGNED = Milestone.OUT_FOR_DELIVERY, Milestone.DELIVERED
LOST = ExceptionKind.LOST

Scan = tuple[float, Milestone | ExceptionKind]


def scan(hour: float, what: Milestone | ExceptionKind) -> TrackingEvent:
    """One scan; trouble is a line of its own that moves nothing."""
    if isinstance(what, ExceptionKind):
        line = TrackingEvent(at(hour), HUB, f"{what.value} {hour:g}", "x", exceptions=frozenset({what}))
    else:
        line = TrackingEvent(at(hour), what, f"{what.value} {hour:g}", what.value)
    return line


def scans(*told: Scan) -> list[TrackingEvent]:
    return [scan(*each) for each in told]


ERRORS: Mapping[str, Callable[[], RemoteError]] = {
    "rejected": lambda: Rejected("单号不对"),
    "throttled": lambda: Throttled("太快", timedelta(minutes=90), closes=False),
    "closed": lambda: Throttled("账号歇一会", timedelta(minutes=20)),
    "denied": lambda: Denied("key 不对"),
    "unreadable": lambda: Unreadable("看不懂"),
    "unavailable": lambda: Unavailable("连不上"),
}


POLITE = Ceilings(timedelta(minutes=30), 48, per_second=20.0, concurrency=16)
"""快递100's own (`facts/carriers-kuaidi100.md`)."""


@dataclass(frozen=True)
class Adapter:
    """A provider in a test's own dialect: a JSON object of scans, or of an error's name."""

    kind: str = "test"
    asks: bool = True
    ceilings: Ceilings = POLITE
    batch: int = 1
    billing: Billing = Billing.QUERY
    refresh_lag: timedelta = timedelta(0)
    uncertain: tuple[str, ...] = ()

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer]]:
        answers = []
        for question in questions:
            reply = yield Request("GET", f"http://carrier.test/{question.waybill.waybill_no}")
            answers.append(self._read(question, reply))
        return answers

    def needs_phone(self, carrier: str) -> bool:
        return False

    def _read(self, question: Question, reply: Reply) -> Answer:
        if reply.status >= 500:
            raise Unavailable(f"HTTP {reply.status}")
        told = reply.json()
        if told.get("error"):
            raise ERRORS[told["error"]]()
        events = [
            scan(hour, ExceptionKind(what) if what in set(ExceptionKind) else Milestone(what))
            for hour, what in told["scans"]
        ]
        read_at = told.get("read_at")
        return Answer(
            question.waybill.carrier,
            question.waybill.waybill_no,
            tuple(events),
            read_at=None if read_at is None else at(read_at),
            unknown_codes=tuple(told.get("unknown", ())),
            corrected_carrier=told.get("corrected", ""),
        )


@dataclass
class Carrier:
    """What the carrier knows of each number, who asked when, and what is broken."""

    clock: Hands
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    down: bool = False
    everywhere: str = ""
    """An error every number is answered with."""

    def says(self, number: str, *told: Scan, **more: Any) -> None:
        self.known[number] = {"scans": [(hour, what.value) for hour, what in told], **more}

    def fails(self, number: str, error: str) -> None:
        self.known[number] = {"error": error}

    def answer(self, request: httpx.Request) -> httpx.Response:
        number = request.url.path[1:]
        self.asked.append((self.clock.now(), number))
        if self.down:
            raise httpx.ConnectError("no route")
        if self.everywhere:
            return httpx.Response(200, json={"error": self.everywhere})
        told = self.known.get(number, {"scans": []})
        return httpx.Response(200, content=json.dumps(told, sort_keys=True))

    def times(self, number: str) -> int:
        """How often it was asked about a number."""
        return sum(each == number for _, each in self.asked)


# ── chat groups ──────────────────────────────────────────────────────────────────────────────────


LIVELY = Pace(sends=18, window=MINUTE, reserved=2)


@dataclass(frozen=True)
class Robot:
    """A notifier in a test's own dialect: the group answers with a code."""

    name: str
    shares: str = ""
    """The robot it speaks through, where that is another channel's."""
    pace: Pace = LIVELY
    kind: str = "test"

    @property
    def robot(self) -> str:
        return f"robot of {self.shares or self.name}"

    def send(self, message: Message, now: datetime) -> Conversation[Receipt]:
        body = {
            "title": message.title,
            "rows": list(message.rows),
            "more": message.more,
            "kind": message.kind,
        }
        reply = yield Request.json(f"http://group.test/{self.name}", body)
        match reply.json()["code"]:
            case "ok":
                return Receipt("ok")
            case "busy":
                raise Unavailable("-1 系统繁忙")
            case "wait":
                raise Throttled("稍后", timedelta(seconds=5), closes=False)
            case "muted":
                raise Throttled("禁言 10 分钟", timedelta(minutes=10))
            case "minute":
                raise Throttled("45009", MINUTE, again=HOUR)
            case "denied":
                raise Denied("机器人已被移除")
            case "rejected":
                raise Rejected("含有不合适的文字")
            case code:
                raise Unreadable(f"code {code}")


@dataclass
class Group:
    """What a group heard, and what its platform answers: each told code once, then "ok"."""

    clock: Hands
    heard: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    answers: deque[str] = field(default_factory=deque)
    always: str = "ok"
    on_send: Callable[[str], None] | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        told = json.loads(request.content)
        if self.on_send is not None:
            self.on_send(told["title"])
        code = self.answers.popleft() if self.answers else self.always
        if code == "lost":
            raise httpx.ReadTimeout("no answer")
        if code == "lost, but heard":
            self.heard.append((self.clock.now(), told))
            raise httpx.ReadTimeout("no answer")
        if code == "ok":
            self.heard.append((self.clock.now(), told))
        return httpx.Response(200, json={"code": code})

    @property
    def titles(self) -> list[str]:
        return [told["title"] for _, told in self.heard]


# ── the rules of this world ──────────────────────────────────────────────────────────────────────

PROFILE: Mapping[str, Any] = {
    "id": "generic_cn",
    "name": "测试",
    "rules": {
        "late_pickup": {
            **{"zh": "揽收超时", "kind": "clock", "severity": 64, "start": "paid", "stop": "picked_up"},
            **{"limit": "24h", "warn": ["6h", "2h"]},
        },
        "late_shipment": {
            **{"zh": "延迟发货", "kind": "clock", "severity": 63, "start": "paid", "stop": "shipped"},
            **{"limit": "48h", "warn": ["12h"]},
        },
        "transit_stagnation": {
            **{"zh": "中转停滞", "kind": "staleness", "severity": 70, "from": "picked_up"},
            **{"until": "out_for_delivery", "limit": "48h", "warn": ["24h", "8h"]},
        },
        "slow": {
            **{"zh": "支付到签收过长", "kind": "clock", "severity": 15, "start": "paid", "stop": "delivered"},
            **{"limit": "60h", "warn": ["12h"], "soft": True},
        },
        "lost": {"zh": "快件丢失", "kind": "exception", "severity": 100, "on": "lost"},
    },
}
"""Few rules, each of a kind: two clocks from the order, one of which is the shop's, a staleness, a soft
clock that everything else talks over, and trouble the carrier reports."""


def book(*policies: PolicySpec) -> PolicyBook:
    """The world's rules, with a merchant's policies over them."""
    profile, problems = parse_profile(PROFILE)
    assert profile is not None, problems
    return PolicyBook({"generic_cn": profile}, policies)


def order(number: str, *, paid: float | None = -2, shipped: float | None = -1, **more: Any) -> Order:
    """An order; moments in hours."""
    return Order(
        f"O-{number}",
        paid_at=None if paid is None else at(paid),
        shipped_at=None if shipped is None else at(shipped),
        **{"shop": "旗舰店", **more},
    )


# ── the whole ────────────────────────────────────────────────────────────────────────────────────

TO_OPS = Route(("ops",), {})


@dataclass
class World:
    """A store, a carrier, groups, and the verbs between them."""

    store: Database
    channels: Sequence[Channel | Robot] = ()
    routes: Sequence[Route] = (TO_OPS,)
    book: PolicyBook = field(default_factory=book)
    adapter: Adapter = Adapter()
    ceilings: Ceilings | None = None
    lag: timedelta = timedelta(0)
    freshness: timedelta = timedelta(hours=12)
    carriers: frozenset[str] = frozenset({"zhongtong"})

    def __post_init__(self) -> None:
        self.clock = Hands()
        self.db = AtOnce(self.store)
        self.carrier = Carrier(self.clock)
        self.channels = [
            Channel(each.name, "test", each) if isinstance(each, Robot) else each for each in self.channels
        ]
        self.groups = {each.name: Group(self.clock) for each in self.channels}
        self.account = ProviderAccount(
            "k100", "test", self.adapter, self.carriers, self.ceilings or self.adapter.ceilings, self.lag
        )
        self.sweep = self.judge(self.book)
        self.restart()

    def restart(self) -> None:
        """The process ends, whatever it was doing, and another one begins."""
        self.net = Net(transport=httpx.MockTransport(self.answer))
        self.poller = self._poller()
        self.deliverer = Deliverer(
            [each for each in self.channels if isinstance(each, Channel)],
            self.routes,
            self.db,  # type: ignore[arg-type]
            self.net,
            self.clock,
        )

    def _poller(self) -> Poller:
        return Poller(self.account, self.db, self.net, self.sweep, self.clock, self.routes)  # type: ignore[arg-type]

    def judge(self, by: PolicyBook) -> Sweep:
        """The judge, by these rules; the poller keeps its own until `restart`."""
        pace = AskingPace(self.account.ceilings.per_waybill_interval, self.lag, self.freshness)
        self.sweep = Sweep(
            by, tuple(self.routes), lambda carrier: ("k100", pace) if self.account.serves(carrier) else None
        )
        return self.sweep

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "carrier.test":
            return self.carrier.answer(request)
        return self.groups[request.url.path[1:]].answer(request)

    # ── time ──

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def set(self, hours: float) -> None:
        """It is that many hours after T0."""
        self.clock.start = at(hours)

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        return simulate(main, self.clock)

    def poll(self) -> Judged:
        """One tick of the poller."""
        return self.run(self.poller.tick)

    def deliver(self) -> int:
        """One tick of the deliverer."""
        return self.run(self.deliverer.tick)

    async def repeat(self, verb: Callable[[], Awaitable[Any]], *, seconds: float, every: float = 1.0) -> None:
        """Ring a verb for so long."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while loop.time() < ends:
            await verb()
            await asyncio.sleep(every)

    async def live(self) -> None:
        """One ring of everything."""
        await self.db.write(lambda conn: self.sweep.tick(conn, self.now))
        await self.poller.tick()
        await self.deliverer.tick()

    # ── orders and parcels ──

    def import_(
        self, number: str, *, carrier: str = "zhongtong", known: float | None = None, **order_: Any
    ) -> int:
        """An order with one parcel comes in, and the parcel is judged; its id."""
        known_at = self.now if known is None else at(known)
        rows = [Incoming(order(number, **order_), (Waybill(carrier, number),), "", known_at)]

        def take(conn: Connection) -> int:
            [taken] = parcels.intake(conn, rows, self.now)
            polls.touch(conn, taken.parcel_ids, self.now)
            self.sweep.settle(conn, self.sweep.looks(conn, taken.parcel_ids), self.now)
            return taken.parcel_ids[0]

        return self.store.write_now(take)

    def import_many(self, n: int, **order_: Any) -> list[int]:
        """n orders, each with a parcel of its own; not judged yet."""
        rows = [
            Incoming(order(f"Z{i:05d}", **order_), (Waybill("zhongtong", f"Z{i:05d}"),), "", self.now)
            for i in range(n)
        ]
        taken = self.store.write_now(lambda conn: parcels.intake(conn, rows, self.now))
        return [each.parcel_ids[0] for each in taken]

    def tick(self) -> Judged:
        """The due sweep."""
        return self.store.write_now(lambda conn: self.sweep.tick(conn, self.now))

    def settle(self, parcel_id: int, **look: Any) -> Judged:
        """Judge one parcel; `look` is what was learned of it."""

        def work(conn: Connection) -> Judged:
            [look_] = self.sweep.looks(conn, [parcel_id])
            case: Case = replace(look_.case, **look)
            return self.sweep.settle(conn, [Look(look_.loaded, case)], self.now)

        return self.store.write_now(work)

    def due_now(self, *parcel_ids: int) -> None:
        """Everything, or these parcels, wait for a question; the ceilings hold all the same."""
        query = update(schema.due).values(next_poll_at=to_micros(self.now))
        if parcel_ids:
            query = query.where(schema.due.c.parcel_id.in_(parcel_ids))
        self.store.write_now(lambda conn: conn.execute(query))

    def loaded(self, parcel_id: int) -> Loaded:
        [found] = self.store.read_now(lambda conn: parcels.load(conn, [parcel_id]))
        return found

    def open_findings(self, parcel_id: int) -> dict[str, Finding]:
        return {each.finding.rule: each.finding for each in self.loaded(parcel_id).open}

    # ── what stands in the store ──

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """A plain query."""
        found = self.store.read_now(lambda conn: conn.execute(text(query), values).fetchall())
        return [tuple(row) for row in found]

    def column(self, query: str, **values: Any) -> list[Any]:
        return [row[0] for row in self.rows(query, **values)]

    def counts(self) -> dict[str, int]:
        """How many rows each table that says something has."""
        tables = ("events", "findings", "tickets", "ticket_entries", "outbox", "oddities")
        return {table: self.column(f"SELECT count(*) FROM {table}")[0] for table in tables}

    def states(self) -> Counter[str]:
        """How many messages stand where."""
        return Counter(self.column("SELECT state FROM outbox"))

    # ── messages ──

    def put(self, *rows: NewMessage) -> None:
        self.store.write_now(lambda conn: outbox.put(conn, rows))

    def say(
        self, n: int = 1, channel: str = "ops", urgency: Urgency = Urgency.HIGH, key: str = "m", **row: Any
    ) -> None:
        """n alarms for a channel, written now."""
        self.put(*(alarm(f"{key}{i}", channel, urgency, self.now, **row) for i in range(n)))


def alarm(
    key: str, channel: str = "ops", urgency: Urgency = Urgency.HIGH, written: datetime = T0, **row: Any
) -> NewMessage:
    """An alarm with its key as the title."""
    kind = row.pop("kind", MessageKind.ALERT)
    return NewMessage(key, channel, Message(kind, key, reference=key, urgency=urgency), written, **row)
