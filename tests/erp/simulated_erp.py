"""An ERP behind real HTTP on loopback, in each of three dialects: it checks signatures, windows and tokens as the
real one is documented to, and can throttle, repeat pages, refuse, lie and talk nonsense.

    with Erp("wangdian", clock) as erp:
        erp.ship("D1", "O1", "75812345678901")
        account = erp.account()
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from domain.remote import Secret
from domain.time import SHANGHAI
from monitor.clock import Clock
from monitor.config.order_sources import SourceAccount
from monitor.erp.base import kinds
from monitor.pulling.documents import Terms

KINDS = ("jushuitan", "wangdian", "wangdian_y", "wangdian_flagship")
SECRET = "s3cr3t-of-the-app"
RECEIVER = {
    "receiver_name": "王小明收", "receiver_mobile": "13800001234", "receiver_address": "望京街道8号院",
    "buyer_nick": "小明同学买", "buyer_message": "放门卫老赵那里",
}  # fmt: skip
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Doc:
    """One outbound document inside the ERP."""

    number: str
    order: str
    waybills: list[str]
    modified_at: datetime
    ts: int
    status: str = "shipped"
    """shipped, gone, pending, or the dialect's own."""
    shop: str = "店铺01"
    company: str = "中通快递"
    carrier_type: int | None = 5
    platform_order: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    """Fields that are written over the row."""


@dataclass
class Erp:
    """The service and what stands in it."""

    kind: str
    clock: Clock
    docs: dict[str, Doc] = field(default_factory=dict)
    faults: deque[str] = field(default_factory=deque)
    """What the next requests meet: one each; "ok" for an honest answer."""
    always: str = ""
    """What every request meets that no fault is set for."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    on_answer: Callable[[int], None] = lambda n: None
    """Called after each honest page, with how many there were: the shop goes on working."""
    access: str = "access-0"
    refresh: str = "refresh-0"
    expires_at: datetime | None = None
    renewals: int = 0
    _ts: int = 7_000_000_000
    _last: Any = None

    # ── the shop's work ──

    def ship(self, number: str, order: str, *waybills: str, at: datetime | None = None, **more: Any) -> Doc:
        """A document is booked, or changed; modified now, or `at`."""
        self._ts += 1
        doc = Doc(number, order, list(waybills), at or self.clock.now(), self._ts, **more)
        self.docs[number] = doc
        return doc

    def change(self, number: str, **values: Any) -> None:
        """A document is changed now."""
        self._ts += 1
        doc = self.docs[number]
        for name, value in values.items():
            setattr(doc, name, value)
        doc.modified_at, doc.ts = self.clock.now(), self._ts

    # ── as a configuration ──

    def account(
        self, *, secret: str = SECRET, terms: Terms = Terms(), since: timedelta = 6 * HOUR, **own: Any
    ) -> SourceAccount:
        """An account of ours there."""
        if self.kind == "jushuitan":
            own = {"app_key": "app", "app_secret": Secret(secret), "base_url": self.url, **own}
            own = {"access_token": Secret("access-0"), "refresh_token": Secret("refresh-0"), **own}
        elif self.kind == "wangdian_flagship":
            own = {
                "sid": "demo",
                "key": "k",
                "appsecret": Secret(f"{secret}:salty"),
                "base_url": f"{self.url}/openapi",
                **own,
            }
        else:
            edition = "y" if self.kind == "wangdian_y" else "classic"
            own = {
                "sid": "demo",
                "appkey": "k",
                "appsecret": Secret(secret),
                "edition": edition,
                "base_url": f"{self.url}/openapi2",
                **own,
            }
        kind = "wangdian" if self.kind == "wangdian_y" else self.kind
        source = kinds()[kind](**own)
        return SourceAccount("erp", kind, source, 5 * MINUTE, since, 1e6, terms)

    # ── answering ──

    def answer(self, path: str, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        fault = self.faults.popleft() if self.faults else self.always
        self.asked.append({"path": path, "query": query, "body": body.decode(), "fault": fault})
        match fault:
            case "" | "ok":
                pass
            case "throttled":
                return self._refusal("rate")
            case "ip" | "permission" | "strange":
                return self._refusal(fault)
            case "500":
                return 502, b"Bad Gateway"
            case "repeat":
                if self._last is not None:
                    return 200, self._last
            case "reset":
                raise ConnectionResetError
            case nonsense:
                return 200, nonsense.encode()
        told = json.dumps(self._honest(path, query, body), ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )
        if path.startswith("/openWeb"):
            return 200, told
        self._last = told
        self.on_answer(sum(each["fault"] in ("", "ok") for each in self.asked))
        return 200, told

    def _refusal(self, what: str) -> tuple[int, bytes]:
        zh = {
            "rate": "超过每分钟最大调用频率限制，请稍后重试",
            "ip": "IP不在白名单",
            "permission": "没有接口权限",
            "strange": "未知",
        }[what]
        if self.kind == "jushuitan":
            code = {"rate": 199, "ip": 110, "permission": 190, "strange": 777}[what]
            told: dict[str, Any] = {"code": code, "issuccess": False, "msg": zh, "data": None}
        elif self.kind == "wangdian_flagship":
            told = {"status": {"rate": 100, "ip": 6, "permission": 3, "strange": 99}[what], "message": zh}
        else:
            told = {
                "code": {"rate": 1090, "ip": 1020, "permission": 1030, "strange": 777}[what],
                "message": zh,
            }
        return 200, json.dumps(told, ensure_ascii=False).encode()

    def _honest(self, path: str, query: dict[str, str], body: bytes) -> dict[str, Any]:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        if self.kind == "jushuitan":
            return self._jushuitan(path, form)
        if self.kind == "wangdian_flagship":
            return self._flagship(query, body.decode())
        return self._wangdian(path, form)

    def _within(self, begin: str, end: str, longest: timedelta) -> list[Doc] | None:
        """The documents modified in a span, or None for a span that is too long."""
        first, last = (
            datetime.strptime(each, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI) for each in (begin, end)
        )
        if last - first > longest:
            return None
        return [
            each for each in self.docs.values() if first <= each.modified_at.replace(microsecond=0) <= last
        ]

    # 聚水潭

    def _jushuitan(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        signed = "".join(key + form[key] for key in sorted(form) if key != "sign")
        if form["sign"] != hashlib.md5((SECRET + signed).encode()).hexdigest():
            return {"code": 100, "issuccess": False, "msg": "无效签名", "data": None}
        if path.startswith("/openWeb"):
            return self._token(path, form)
        lapsed = self.expires_at is not None and self.clock.now() >= self.expires_at
        if form["access_token"] != self.access or lapsed:
            return {"code": 100, "issuccess": False, "msg": "access_token已过期", "data": None}
        biz = json.loads(form["biz"])
        found = self._within(biz["modified_begin"], biz["modified_end"], timedelta(days=7))
        if found is None or biz["page_index"] != 1 or biz["page_size"] > 50 or form["version"] != "2":
            return {"code": 100, "issuccess": False, "msg": "参数错误", "data": None}
        rows = sorted((each for each in found if each.ts > biz["start_ts"]), key=lambda each: each.ts)
        page = rows[: biz["page_size"]]
        data = {
            "page_index": 1,
            "has_next": len(rows) > len(page),
            "data_count": 0,
            "datas": [self._jst_row(each) for each in page],
        }
        return {"code": 0, "issuccess": True, "msg": None, "data": data}

    def _token(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        if path.endswith("refreshToken") and (
            form["refresh_token"] != self.refresh or form["scope"] != "all"
        ):
            return {"code": 100, "issuccess": False, "msg": "refresh_token无效", "data": None}
        if path.endswith("getInitToken") and len(form["code"]) != 6:
            return {"code": 100, "issuccess": False, "msg": "code", "data": None}
        self.renewals += 1
        self.access, self.refresh = f"access-{self.renewals}", f"refresh-{self.renewals}"
        self.expires_at = self.clock.now() + timedelta(days=30)
        data = {"access_token": self.access, "refresh_token": self.refresh, "expires_in": 30 * 86400}
        return {"code": 0, "issuccess": True, "msg": None, "data": data}

    def _jst_row(self, doc: Doc) -> dict[str, Any]:
        status = {"shipped": "Confirmed", "gone": "Cancelled", "pending": "WaitConfirm"}.get(
            doc.status, doc.status
        )
        return {
            "io_id": doc.number, "o_id": doc.order, "so_id": doc.platform_order or f"SO{doc.order}", "shop_id": 100001,
            "shop_name": doc.shop, "status": status, "io_date": _text(doc.modified_at), "modified": _text(doc.modified_at),
            "ts": doc.ts, "logistics_company": doc.company, "l_id": ",".join(doc.waybills), "items": [], **RECEIVER, **doc.raw,
        }  # fmt: skip

    # 旺店通

    def _wangdian(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        packed = ";".join(
            f"{len(k):02d}-{k}:{len(form[k]):04d}-{form[k]}" for k in sorted(form) if k != "sign"
        )
        if form["sign"] != hashlib.md5((packed + SECRET).encode()).hexdigest():
            return {"code": 1010, "message": "签名错误"}
        if abs(int(form["timestamp"]) - self.clock.now().timestamp()) > 300:
            return {"code": 1015, "message": "时间戳超出范围"}
        longest = timedelta(days=30) if self.kind == "wangdian_y" else HOUR
        found = self._within(form["start_time"], form["end_time"], longest)
        size, page = int(form["page_size"]), int(form["page_no"])
        if found is None or form["time_type"] != "1" or size > 100:
            return {"code": 2900, "message": "时间范围太长"}
        rows = sorted(found, key=lambda each: (each.modified_at, each.number))
        told = [self._wdt_row(each) for each in rows[page * size : (page + 1) * size]]
        return {
            "code": 0,
            "message": "",
            **({"total_count": len(rows)} if page == 0 else {}),
            "stockout_list": told,
        }

    def _wdt_row(self, doc: Doc) -> dict[str, Any]:
        status = {"shipped": 95, "gone": 5, "pending": 55}.get(doc.status, doc.status)
        first, *others = doc.waybills or [""]
        shipped = _text(doc.modified_at) if doc.status == "shipped" else "0000-00-00 00:00:00"
        children = [
            {"logistics_no": each, "related_logistics_no": first, "parent_child_flag": 1} for each in others
        ]
        return {
            "stockout_id": f"2{doc.ts}", "order_no": doc.number, "src_order_no": doc.order,
            "src_tids": doc.platform_order or f"PT{doc.order}", "status": status, "shop_no": doc.shop,
            "consign_time": shipped, "logistics_type": None if doc.carrier_type is None else str(doc.carrier_type),
            "logistics_type_name": doc.company, "logistics_no": first, "modified": _text(doc.modified_at),
            "warehouse_no": "WH1", "logistics_list": children, **RECEIVER, **doc.raw,
        }  # fmt: skip

    def _flagship(self, query: dict[str, str], body: str) -> dict[str, Any]:
        signed = {key: each for key, each in query.items() if key != "sign"} | {"body": body}
        text = "".join(key + signed[key] for key in sorted(signed))
        if (
            query["sign"] != hashlib.md5(f"{SECRET}{text}{SECRET}".encode()).hexdigest()
            or query["salt"] != "salty"
        ):
            return {"status": 2, "message": "签名错误"}
        if abs(int(query["timestamp"]) + 1325347200 - self.clock.now().timestamp()) > 120:
            return {"status": 7, "message": "时间戳超过允许误差"}
        [asked] = json.loads(body)
        found = self._within(asked["start_time"], asked["end_time"], HOUR)
        if found is None:
            return {"status": 100, "message": "时间跨度过大"}
        size, page = int(query["page_size"]), int(query["page_no"])
        rows = sorted(found, key=lambda each: (each.modified_at, each.number))
        if query["method"].endswith("searchLogistics"):
            more = [line for doc in rows if asked["status"] == "20" for line in self._lines(doc)]
            return {
                "status": 0,
                "data": {"total_count": len(more), "order_list": more[page * size : (page + 1) * size]},
            }
        rows = [
            each
            for each in rows
            if str(_flag(each)) in asked["status"].split(",") or each.status not in _FLAGS
        ]
        told = [self._flag_row(each) for each in rows[page * size : (page + 1) * size]]
        return {"status": 0, "data": {"total_count": len(rows), "order": told}}

    def _flag_row(self, doc: Doc) -> dict[str, Any]:
        millis = int(doc.modified_at.timestamp() * 1000)
        text = doc.ts % 2
        return {
            "stockout_id": doc.ts, "order_no": doc.number, "src_order_no": doc.order,
            "src_trade_no": doc.platform_order or f"PT{doc.order}", "warehouse_no": "WH1",
            "logistics_no": (doc.waybills or [""])[0], "logistics_type": doc.carrier_type, "logistics_name": doc.company,
            "status": _flag(doc), "shop_no": doc.shop, "modified": _text(doc.modified_at) if text else millis,
            **({"consign_time": _text(doc.modified_at) if text else millis} if doc.status == "shipped" else {}),
            **RECEIVER, **doc.raw,
        }  # fmt: skip

    def _lines(self, doc: Doc) -> list[dict[str, Any]]:
        return [
            {
                "rec_id": n,
                "stockout_no": doc.number,
                "logistics_no": each,
                "logistics_name": doc.company,
                "status": 20,
            }
            for n, each in enumerate(doc.waybills)
            if doc.status == "shipped"
        ]

    # ── the server ──

    def __enter__(self) -> Erp:
        erp = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                url = urlsplit(self.path)
                try:
                    status, told = erp.answer(url.path, dict(parse_qsl(url.query)), body)
                except ConnectionResetError:
                    self.close_connection = True
                    return
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


_FLAGS = {"shipped": 95, "gone": 5, "pending": 55}


def _flag(doc: Doc) -> Any:
    return _FLAGS.get(doc.status, doc.status)


def _text(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


T0 = datetime(2026, 11, 10, 2, tzinfo=UTC)
