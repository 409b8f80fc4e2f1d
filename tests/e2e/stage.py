"""The end-to-end tests' tools: processes that are ended whatever happens, waiting for a condition, reading what was said.

Nothing here sleeps and hopes: `until` looks again and again until its condition holds, and when its time is up
it tells what was there instead.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import ProxyHandler, Request, build_opener

from monitor.clock import wall

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which what should happen has not happened: many times what it takes on an idle machine."""
KEY, CUSTOMER = "KEYdemo12345", "CUSTOMERDEMO0001"
T = TypeVar("T")
_OPENER = build_opener(ProxyHandler({}))


def until(
    what: str, probe: Callable[[], T], *, seconds: float = PATIENCE, seen: Callable[[], object] | None = None
) -> T:
    """The first truthy value of `probe`; fails with what was `seen` (or probed) last when time is up."""
    ends = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > ends:
            shown = seen() if seen is not None else value
            raise AssertionError(f"not within {seconds:.0f} s: {what}; seen so far:\n{_pretty(shown)}")
        time.sleep(0.02)


def wait_till(moment: datetime) -> None:
    """Let the time come for which a test is about: an outage lasts as long as it lasts."""
    until(f"it is {moment:%H:%M:%S}", lambda: wall() >= moment)


def _pretty(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(f"  {each}" for each in value) or "  nothing"
    return f"  {value}"


# ── processes ────────────────────────────────────────────────────────────────────────────────────


class Nursery:
    """The process all others are forked from (`nursery.py`)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            text=True,
        )

    def start(
        self, program: str, argv: Sequence[str], cwd: Path, out: Path, err: Path, **more: Any
    ) -> Forked:
        order = {
            "run": program,
            "argv": list(argv),
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
            **more,
        }
        return Forked(self, int(self._ask(order)["pid"]))

    def status(self, pid: int) -> int | None:
        code: int | None = self._ask({"status": pid})["code"]
        return code

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the nursery is gone"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """It kills what still runs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@dataclass
class Forked:
    """A process of the nursery's. Nobody takes its id before its code was asked for."""

    nursery: Nursery
    pid: int
    _code: int | None = None

    def code(self) -> int | None:
        """None while it runs."""
        if self._code is None:
            self._code = self.nursery.status(self.pid)
        return self._code

    def signal(self, number: signal.Signals) -> None:
        if self.code() is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code; negative: the signal that killed it."""
        until(f"process {self.pid} ends", lambda: self.code() is not None, seconds=seconds)
        assert self._code is not None
        return self._code


@dataclass
class Fresh:
    """A process with an interpreter of its own: what a user starts."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def code(self) -> int | None:
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        return self.process.wait(timeout=seconds)


Process = Forked | Fresh


# ── what the groups heard ────────────────────────────────────────────────────────────────────────

_ALERT = re.compile(
    r"\[(?:紧急|预警|提醒)\] (?P<carrier>\S+) (?P<waybill>\S+) (?P<rule>.+) "
    r"(?:(?P<breach>已) [\d]+ \S+?|还剩 [\d]+ \S+?|即将超时)（限 [\d]+ \S+?）"
)
_OVER = re.compile(r"\[(?P<tag>恢复|撤回)\] (?P<carrier>\S+) (?P<waybill>\S+) (?:已恢复|告警撤回)")
_TICKET = re.compile(r"T-\d{8}-\d{4,}")


@dataclass(frozen=True)
class Heard:
    """One request to a robot, and what the platform made of it."""

    at: datetime
    robot: str
    taken: bool
    """The group shows it: address, signature, size and rate were right."""
    code: int
    answer: str
    title: str
    """The first line, without the platform's heading marks."""
    lines: tuple[str, ...]
    mentions: tuple[str, ...]
    unrung: tuple[str, ...]
    fault: str
    size: int

    @property
    def stage(self) -> str:
        """`warning`, `breach`, `resolved`, `retracted`, `feed` or `digest`."""
        tag = self.title[: self.title.find("]") + 1]
        if tag in ("[恢复]", "[撤回]"):
            return "resolved" if tag == "[恢复]" else "retracted"
        if tag in ("[数据源]", "[汇总]"):
            return "feed" if tag == "[数据源]" else "digest"
        said = _ALERT.match(self.title)
        assert said is not None, f"a first line nobody can read: {self.title!r}"
        return "breach" if said["breach"] else "warning"

    @property
    def waybill(self) -> str:
        said = _ALERT.match(self.title) or _OVER.match(self.title)
        return said["waybill"] if said else ""

    @property
    def ticket(self) -> str:
        """The ticket's number, as the first line has it."""
        number = _TICKET.search(self.title)
        return number[0] if number else ""

    def __str__(self) -> str:
        verdict = "taken" if self.taken else f"{self.code} {self.answer}"
        return f"{self.at:%H:%M:%S.%f} {self.robot:5} {verdict:6} {self.fault:8} {self.title}"


def _heard(item: Mapping[str, Any]) -> Heard:
    lines = tuple(line.lstrip("# ") for line in item["lines"])
    return Heard(
        datetime.fromisoformat(item["at"]),
        item["robot"],
        item["taken"],
        item["code"],
        item["answer"],
        item["title"].lstrip("# "),
        lines,
        tuple(item["mentions"]),
        tuple(item["unrung"]),
        item["fault"],
        item["size"],
    )


# ── peers ────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Peers:
    """The fake tracking provider and the three groups, in a process of their own."""

    process: Process
    urls: Mapping[str, str]

    def _call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.urls["control"] + path, data, {"Content-Type": "application/json"})
        with _OPENER.open(request, timeout=30) as reply:
            return json.load(reply)

    def knows(self, *parcels: Parcel) -> None:
        """Parcels as the carriers know them from now on."""
        self._call("/control/parcels", [parcel.script() for parcel in parcels])

    def provider(self, mode: str, only: Mapping[str, str] | None = None) -> None:
        """What is wrong with the provider from now on, for all numbers or some."""
        self._call("/control/mode", {"provider": {"mode": mode, "only": dict(only or {})}})

    def groups(self, mode: str = "ok", *, delay: float = 1.0, code: int = -1, **only: str) -> None:
        """What is wrong with the groups from now on, with all or with single robots (`ding`, `wecom`, `qq`)."""
        setting = {"mode": mode, "only": only, "delay": delay, "code": code}
        self._call("/control/mode", {"groups": setting})

    def heard(self, robot: str = "") -> list[Heard]:
        """Every request to the robots, oldest first."""
        every = [_heard(item) for item in self._call("/control/received")]
        return [each for each in every if robot in ("", each.robot)]

    def shown(self, robot: str = "") -> list[Heard]:
        """What the groups show."""
        return [each for each in self.heard(robot) if each.taken]

    def asked(self, waybill_no: str = "") -> list[dict[str, str]]:
        """The questions to the provider, oldest first."""
        asked: list[dict[str, str]] = self._call("/control/asked")["asked"]
        return [each for each in asked if waybill_no in ("", each["num"])]

    def violations(self) -> list[dict[str, str]]:
        """Questions beyond a ceiling of the provider's."""
        found: list[dict[str, str]] = self._call("/control/asked")["violations"]
        return found


# ── parcels ──────────────────────────────────────────────────────────────────────────────────────

PICKED = ("103", "【杭州市】 【杭州余杭】 已揽收")
LEFT_HUB = ("1002", "【杭州市】 离开【杭州转运中心】，发往【北京转运中心】")
DELIVERING = ("5", "【北京市】 【北京海淀】 派件中，快递员电话：95546")
SIGNED = ("301", "【北京市】 已签收，签收人：本人签收")
_CARRIERS = {"yuantong": "圆通", "zhongtong": "中通", "shentong": "申通", "yunda": "韵达"}


@dataclass
class Parcel:
    """One order with one parcel, and its carrier's story."""

    waybill_no: str
    carrier: str = "yuantong"
    """快递100's code, which is ours."""
    shop: str = "旗舰店"
    order_no: str = ""
    paid_at: datetime = field(default_factory=wall)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def scan(self, at: datetime, what: tuple[str, str], *, visible_after: float | None = None) -> Parcel:
        """The carrier scanned it; seen at once, or so many seconds after the next `Peers.knows`."""
        row: dict[str, Any] = {"at": at.isoformat(), "code": what[0], "text": what[1]}
        if visible_after is not None:
            row["visible_after"] = visible_after
        self.rows.append(row)
        return self

    def script(self) -> dict[str, Any]:
        return {"carrier": self.carrier, "waybill_no": self.waybill_no, "rows": self.rows}

    def order(self) -> dict[str, str]:
        """Its line of an order file."""
        return {
            "order_no": self.order_no or f"A{self.waybill_no[-4:]}",
            "carrier": _CARRIERS[self.carrier],
            "waybill_no": self.waybill_no,
            "platform": "taobao_tmall",
            "shop": self.shop,
            "paid_at": self.paid_at.isoformat(),
            "shipped_at": self.paid_at.isoformat(),
            "receiver_province": "北京",
        }


def save_orders(path: Path, parcels: Iterable[Parcel], **override: str) -> Path:
    """An order file in our own columns."""
    lines = [parcel.order() | override for parcel in parcels]
    text = [",".join(lines[0])] + [",".join(line.values()) for line in lines]
    path.write_text("\n".join(text) + "\n", "utf-8")
    return path


# ── the product ──────────────────────────────────────────────────────────────────────────────────

RULES = {"late_shipment": ("7s", "5s"), "pickup_no_update": ("7s", "5s"), "transit_stagnation": ("9s", "6s")}
"""Limit, and how long before it the warning comes."""
SECOND = ("--ding-token", "ding-two", "--wecom-key", "wecom-two")
"""Options of further peers: a robot is known by its token."""
EVERYBODY: tuple[Mapping[str, Any], ...] = ({"channels": ["ops", "wx", "qq"]},)


def configuration(
    peers: Peers,
    store: str,
    *,
    rules: Mapping[str, tuple[str, ...]] | None = None,
    routes: Sequence[Mapping[str, Any]] = EVERYBODY,
    key: str = KEY,
    ceilings: Mapping[str, Any] | None = None,
    channels: str = "",
) -> str:
    """A configuration with limits in seconds, pointed at the peers."""
    groups = peers.urls["groups"]
    limits = "".join(
        f'rules.{name} = {{limit = "{limit}", warn = {json.dumps(warn)}}}\n'
        for name, (limit, *warn) in (RULES if rules is None else rules).items()
    )
    ceiling = {"per_waybill_interval": "1s", "per_waybill_daily": 48, "per_second": 50, "concurrency": 8}
    bounds = ", ".join(
        f"{name} = {json.dumps(value)}" for name, value in {**ceiling, **(ceilings or {})}.items()
    )
    return f"""
store = "{store}"

[[providers]]
name = "k100"
kind = "kuaidi100"
base_url = "{peers.urls["provider"]}"
customer = "{CUSTOMER}"
key = "{key}"
carriers = ["*"]
ceilings = {{{bounds}}}

[[channels]]
name = "ops"
kind = "dingtalk"
webhook = "{groups}/robot/send?access_token=ding-demo"
secret = "SECdemo"

[[channels]]
name = "wx"
kind = "wecom"
webhook = "{groups}/cgi-bin/webhook/send?key=wecom-demo"

[[channels]]
name = "qq"
kind = "onebot"
url = "{groups}"
token = "onebot-demo"
group_id = 123456
{channels}
{"".join(_route(route) for route in routes)}
[[policies]]
name = "p"
profile = "taobao_tmall"
{limits}"""


def second_channels(peers: Peers) -> str:
    """A second robot of each kind, in the groups of peers started with `SECOND`."""
    groups = peers.urls["groups"]
    return f"""
[[channels]]
name = "ops2"
kind = "dingtalk"
webhook = "{groups}/robot/send?access_token=ding-two"
secret = "SECdemo"

[[channels]]
name = "wx2"
kind = "wecom"
webhook = "{groups}/cgi-bin/webhook/send?key=wecom-two"

[[channels]]
name = "qq2"
kind = "onebot"
url = "{groups}"
token = "onebot-demo"
group_id = 654321
"""


def _route(route: Mapping[str, Any]) -> str:
    match = ", ".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in route.get("match", {}).items()
    )
    lines = [f"match = {{{match}}}"] if match else []
    lines += [f"{name} = {json.dumps(route[name])}" for name in ("channels", "mention") if name in route]
    return "[[routes]]\n" + "\n".join(lines) + "\n\n"


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its `--json`."""
        assert self.code == 0, self
        return json.loads(self.out)


@dataclass
class Installation:
    """`parcelwatch` in a folder of its own, with the processes started there."""

    folder: Path
    nursery: Nursery
    daemons: list[Process] = field(default_factory=list)
    _commands: int = 0

    @property
    def file(self) -> Path:
        """The SQLite store's."""
        return self.folder / "parcelwatch.db"

    @property
    def store(self) -> str:
        """The SQLite store's address."""
        return f"sqlite:///{self.file}"

    def configure(self, text: str) -> None:
        path = self.folder / "parcelwatch.toml"
        path.touch(0o600)
        path.write_text(text, "utf-8")

    @property
    def log(self) -> str:
        """What the daemons wrote, one line of JSON each."""
        path = self.folder / "daemon.log"
        return path.read_text("utf-8") if path.exists() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        lines = (line for line in self.log.splitlines() if line.startswith("{"))
        return [entry for line in lines if (entry := json.loads(line)).get("event") == event]

    def command(self, *argv: str) -> Done:
        """Run a command to its end."""
        self._commands += 1
        out, err = (self.folder / f"command-{self._commands}.{name}" for name in ("out", "err"))
        process = self.nursery.start("parcelwatch", argv, self.folder, out, err)
        return Done(process.wait(), out.read_text("utf-8"), err.read_text("utf-8"))

    def waiting(self) -> list[tuple[str, str, int]]:
        """Channel, state and attempts of every message that is not out yet; looked up without a process."""
        if not self.file.exists():  # PostgreSQL
            rows = self.listing("outbox")
            return [(row["channel"], row["state"], row["attempts"]) for row in rows if row["state"] != "dead"]
        with closing(sqlite3.connect(f"{self.file.as_uri()}?mode=ro", uri=True)) as store:
            query = "SELECT channel, state, attempts FROM outbox WHERE state IN ('waiting', 'sending')"
            return store.execute(query).fetchall()

    def listing(self, name: str, *more: str) -> list[dict[str, Any]]:
        """`parcelwatch NAME … --json`."""
        rows: list[dict[str, Any]] = self.command(name, *more, "--json").json
        return rows

    def start(self, *, fresh: bool = False, clock: Path | None = None) -> Process:
        """The daemon, once it is ready. `fresh` gives it an interpreter of its own."""
        ready = len(self.logged("ready"))
        process = self.launch(fresh=fresh, clock=clock)
        until(
            "the daemon is ready",
            lambda: len(self.logged("ready")) > ready or process.code() is not None,
            seen=lambda: self.log[-2000:],
        )
        assert process.code() is None, self.log[-2000:]
        return process

    def launch(self, *, fresh: bool = False, clock: Path | None = None) -> Process:
        """The daemon, at once."""
        log = self.folder / "daemon.log"
        process: Process
        if fresh:
            with log.open("ab") as end:
                command = [sys.executable, "-m", "monitor", "run"]
                environment = dict(os.environ, PYTHONPATH=str(ROOT))
                process = Fresh(
                    subprocess.Popen(command, cwd=self.folder, env=environment, stdout=end, stderr=end)
                )
        else:
            more = {} if clock is None else {"clock": str(clock)}
            process = self.nursery.start("parcelwatch", ["run"], self.folder, log, log, **more)
        self.daemons.append(process)
        return process

    def stop(self, process: Process) -> float:
        """Ask it to end, as systemd does; the seconds it took."""
        begun = time.monotonic()
        process.signal(signal.SIGTERM)
        assert process.wait() == 0, self.log[-2000:]
        return time.monotonic() - begun

    def kill(self, process: Process) -> datetime:
        """`kill -9`; when it was dead."""
        process.signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        return wall()

    def end(self) -> None:
        """Whatever a test left running."""
        for process in self.daemons:
            with suppress(ProcessLookupError):
                process.signal(signal.SIGKILL)
            process.wait()

    def import_(self, parcels: Iterable[Parcel], name: str = "orders.csv", **override: str) -> dict[str, Any]:
        """`parcelwatch import` of these parcels' orders: its own counts."""
        path = save_orders(self.folder / name, parcels, **override)
        counts: dict[str, Any] = self.command("import", path.name, "--json").json[0]
        return counts


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
