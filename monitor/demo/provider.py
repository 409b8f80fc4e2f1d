"""快递100's real-time query over HTTP: `POST /poll/query.do`; and `POST /poll` where it pushes too (`pushing`).

Protocol, codes and limits: `facts/carriers-kuaidi100.md`. Failures come with HTTP 200 and a `returnCode`.
Every answer carries the provider's own time as `Date`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from aiohttp import web

from monitor.demo.answers import UNKNOWN_COMPANY, error, foreign, old_style, overdue, reply
from monitor.demo.faults import Clock, Fault, Switchboard, break_wire, spoil, tell_time
from monitor.demo.meter import Ceilings, Meter, Offence
from monitor.demo.pushing import Pushes
from monitor.demo.scans import Row

__all__ = ["COMPANIES", "PHONE_CHECKED", "Asked", "Ledger", "Source", "make_provider_app", "sign"]

_CODES: Final = """
shunfeng shunfengkuaiyun zhongtong zhongtongkuaiyun yuantong shentong yunda yundakuaiyun jtexpress jd
jingdongkuaiyun ems youzhengguonei youzhengbk youzhengdsbk debangkuaidi debangwuliu danniao huitongkuaidi
baishiwuliu zhaijisong kuayue suer annengwuliu lianbangkuaidi emsguoji youzhengguoji
"""
COMPANIES: Final = frozenset(_CODES.split())
"""The codes of `facts/carriers-codes.csv`."""
PHONE_CHECKED: Final = frozenset({"shunfeng", "shunfengkuaiyun", "zhongtongkuaiyun"})
_FORCED: Final[Mapping[Fault, str]] = {
    Fault.WRONG_SIGNATURE: "503",
    Fault.KEY_EXPIRED: "601",
    Fault.BUSY: "502",
    Fault.SERVER_ERROR: "501",
}


class Source(Protocol):
    """Who knows the parcels: the simulated world, or scripted ones."""

    def lookup(self, com: str, num: str, at: datetime) -> Sequence[Row] | None:
        """Rows visible at `at`, newest first; None when nothing is known."""

    def phone_tail(self, com: str, num: str) -> str | None:
        """The last four digits that open this number, where they are checked and known."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it came, and the code it was answered with ("" when the wire broke)."""

    at: datetime
    com: str
    num: str
    code: str
    fault: Fault = Fault.OK

    def plain(self) -> dict[str, str]:
        """For JSON."""
        who = {"at": self.at.isoformat(), "com": self.com, "num": self.num}
        return {**who, "code": self.code, "fault": self.fault.value}


@dataclass
class Ledger:
    """The newest hundred thousand questions, and the violations; listeners are called with each question."""

    meter: Meter
    asked: deque[Asked] = field(default_factory=lambda: deque(maxlen=100_000))
    listeners: list[Callable[[Asked], None]] = field(default_factory=list)

    def add(self, item: Asked) -> None:
        """Keep it and tell the listeners."""
        self.asked.append(item)
        for listener in self.listeners:
            listener(item)


def sign(param: str, key: str, customer: str) -> str:
    """Upper-case hex MD5 of param + key + customer."""
    return hashlib.md5(f"{param}{key}{customer}".encode()).hexdigest().upper()


def make_provider_app(
    source: Source,
    *,
    customer: str,
    key: str,
    clock: Clock,
    ceilings: Ceilings | None = None,
    ceilings_enforced: bool = True,
    board: Switchboard | None = None,
    ledger: Ledger | None = None,
    overdue_after: timedelta | None = timedelta(hours=72),
    pushes: Pushes | None = None,
) -> web.Application:
    """The provider as an application for `aiohttp.web`.

    `ledger` keeps the questions and counts violations; its meter, when given, is the one that counts.
    `board` switches faults while it runs, for all numbers or single ones. `overdue_after` is when a silent
    row gets the aggregator's "overdue" code; None: never. `pushes` takes subscriptions; somebody has to run it.
    """
    desk = _Desk(
        source=source,
        customer=customer,
        key=key,
        clock=clock,
        board=board or Switchboard(),
        ledger=ledger or Ledger(Meter(ceilings or Ceilings(), enforced=ceilings_enforced)),
        overdue_after=overdue_after,
        pushes=pushes,
    )
    app = web.Application()
    app.router.add_post("/poll/query.do", desk.query)
    if pushes is not None:
        app.router.add_post("/poll", desk.subscribe)
    tell_time(app, clock, desk.board)
    return app


@dataclass(frozen=True)
class _Question:
    form: Mapping[str, str]
    param: Mapping[str, Any] | None
    fault: Fault
    at: datetime

    @property
    def com(self) -> str:
        return str((self.param or {}).get("com", ""))

    @property
    def num(self) -> str:
        return str((self.param or {}).get("num", ""))

    def asked(self, code: str) -> Asked:
        return Asked(self.at, self.com, self.num, code, self.fault)


@dataclass(frozen=True)
class _Desk:
    source: Source
    customer: str
    key: str
    clock: Clock
    board: Switchboard
    ledger: Ledger
    overdue_after: timedelta | None
    pushes: Pushes | None = None

    async def subscribe(self, request: web.Request) -> web.Response:
        """A number to be pushed from now on; the key is inside, there is no signature."""
        param = _param((await _form(request)).get("param", "")) or {}
        fault = self.board.of(str(param.get("number", "")))
        broken = await break_wire(request, fault, self.board)
        if broken is not None:
            return broken
        code, words = self._subscribed(param, fault)
        body = {"result": code == "200", "returnCode": code, "message": words}
        content = spoil(fault, json.dumps(body, ensure_ascii=False).encode())
        return web.Response(body=content, content_type="application/json", charset="utf-8")

    def _subscribed(self, param: Mapping[str, Any], fault: Fault) -> tuple[str, str]:
        if fault in _FORCED:
            return ("601", "KEY已过期") if fault is Fault.KEY_EXPIRED else ("500", "服务器错误")
        if not hmac.compare_digest(str(param.get("key", "")).encode(), self.key.encode()):
            return "600", "您不是合法的订阅者"
        if param.get("company") not in COMPANIES:
            return "701", "拒绝订阅的快递公司"
        com, num = str(param["company"]), str(param.get("number", ""))
        opens = self._opens(com, num, (param.get("parameters") or {}).get("phone"))
        try:
            fresh = self.pushes is not None and self.pushes.subscribe(param, opens)
        except (KeyError, AttributeError):
            return "700", "不支持的订阅数据"
        return ("200", "提交成功") if fresh else ("501", "重复订阅")

    async def query(self, request: web.Request) -> web.Response:
        """One question, whatever may be wrong with it or with us."""
        form = await _form(request)
        param = _param(form.get("param", ""))
        fault = self.board.of(str((param or {}).get("num", "")))
        broken = await break_wire(request, fault, self.board)
        question = _Question(form, param, fault, self.clock())
        if broken is not None:
            self.ledger.add(question.asked(""))
            return broken
        body = self._refusal(question) or self._history(question)
        self.ledger.add(question.asked(str(body.get("returnCode") or body["status"])))
        content = spoil(fault, json.dumps(body, ensure_ascii=False).encode())
        return web.Response(body=content, content_type="application/json", charset="utf-8")

    def _refusal(self, question: _Question) -> dict[str, Any] | None:
        """Why this question gets no rows, in the order in which the service would notice."""
        if not {"customer", "sign", "param"} <= question.form.keys():
            return error("400")
        if not self._signed(question.form):
            return error("503")
        if question.fault in _FORCED:
            return error(_FORCED[question.fault])
        if question.param is None:
            return error("501")
        if question.com not in COMPANIES:
            return error("400", UNKNOWN_COMPANY)
        if not 6 <= len(question.num) <= 32:
            return error("400")
        offence = self.ledger.meter.ask(question.num, question.at)
        if offence is not None:
            return error("601" if offence is Offence.OVER_QUOTA else "504")
        return None if self._phone_opens(question) else error("408")

    def _signed(self, form: Mapping[str, str]) -> bool:
        expected = sign(form["param"], self.key, self.customer)
        right = hmac.compare_digest(form["sign"].encode(), expected.encode())
        return right and form["customer"] == self.customer

    def _phone_opens(self, question: _Question) -> bool:
        """The carrier asks for no phone, or its last four digits are those it knows."""
        return self._opens(question.com, question.num, (question.param or {}).get("phone"))

    def _opens(self, com: str, num: str, said: object) -> bool:
        if com not in PHONE_CHECKED:
            return True
        phone, tail = str(said or ""), self.source.phone_tail(com, num)
        return len(phone) >= 4 and (tail is None or phone[-4:] == tail)

    def _history(self, question: _Question) -> dict[str, Any]:
        """Rows as of now; as of the moment it was locked, for a locked number."""
        com, num, at = question.com, question.num, question.at
        if question.fault is Fault.OLD_STYLE:
            return old_style()
        if question.fault is Fault.CONTRADICTORY:
            return reply(com, num, foreign(at), question.param or {})
        rows = self.source.lookup(com, num, self.ledger.meter.locked_since(num, at) or at)
        if not rows:
            return error("500")
        return reply(com, num, overdue(rows, at, self.overdue_after), question.param or {})


async def _form(request: web.Request) -> dict[str, str]:
    """The fields; none when the body is not form-encoded."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    return {name: str(value) for name, value in (await request.post()).items()}


def _param(text: str) -> Mapping[str, Any] | None:
    """The question's JSON; None when it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
