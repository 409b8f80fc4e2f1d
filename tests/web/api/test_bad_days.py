"""The store full, locked or gone; faults of our own; addresses that are none: always a problem, never a trace."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from unittest import mock

import httpx
import pytest
from structlog.testing import capture_logs

from monitor.store.errors import StoreFull, StoreUnavailable
from tests.web.api.conftest import Api, problem
from tests.web.api.world import fill

WRITES = [
    ("POST", "/api/v1/orders", {"order_no": "1"}),
    ("PATCH", "/api/v1/tickets/T-1", {"state": "resolved", "version": 0}),
    ("POST", "/api/v1/tickets/T-1/entries", {"text": "x"}),
]
READS = ["/tickets", "/tickets/T-1", "/findings", "/providers", "/policies"]


def broken(api: Api, what: str, error: Exception) -> Any:
    """The store refuses to read or to write."""
    return mock.patch.object(api.store, what, side_effect=error)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize(
    ("error", "code"),
    [(StoreFull("磁盘空间已满"), "store_full"), (StoreUnavailable("数据库文件不可写"), "store_unavailable")],
)
def test_a_store_that_takes_nothing_says_so_and_when_to_come_back(
    api: Api, method: str, path: str, body: Any, error: Exception, code: str
) -> None:
    with broken(api, "write", error):
        reply = api(method, path, json=body)
    told = problem(reply, 503, code)
    assert told["detail"] == str(error), "the store's own words: what happened, what to do"
    assert int(reply.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", READS)
def test_a_store_that_cannot_be_read(api: Api, path: str) -> None:
    with broken(api, "read", StoreUnavailable("数据库文件被另一个程序占用")):
        problem(api("GET", f"/api/v1{path}"), 503, "store_unavailable")


def test_reads_go_on_while_the_store_takes_nothing(api: Api) -> None:
    fill(api.store)
    with broken(api, "write", StoreFull("磁盘空间已满")):
        assert len(api.get("/tickets")["items"]) == 5


@pytest.mark.parametrize("path", READS)
def test_a_fault_of_our_own_shows_no_trace(api: Api, path: str) -> None:
    with broken(api, "read", LookupError("secret-of-ours in a local variable")):
        reply = api("GET", f"/api/v1{path}")
    problem(reply, 500, "internal")
    assert "secret-of-ours" not in reply.text
    assert "Traceback" not in reply.text


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v2/tickets", "/api/", "/api/v1/tickets/", "/api/v1/tickets/x/y"]
)
def test_an_address_that_is_none(api: Api, path: str) -> None:
    problem(api("GET", path), 404, "not_found")
    problem(api("POST", path, json={}), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/tickets", "GET"),
        ("PUT", "/tickets/T-1", "GET, PATCH"),
        ("GET", "/orders", "POST"),
        ("POST", "/findings", "GET"),
        ("PATCH", "/policies", "GET"),
        ("OPTIONS", "/parcels/zhongtong/Z1", "GET"),
    ],
)
def test_a_method_an_address_does_not_have(api: Api, method: str, path: str, allowed: str) -> None:
    reply = api(method, f"/api/v1{path}")
    problem(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == allowed


def test_a_page_of_another_site_changes_nothing(api: Api) -> None:
    """A browser tells where a request comes from."""
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    problem(api("POST", "/api/v1/orders", json={"order_no": "1"}, headers=headers), 403)
    assert api.column("SELECT count(*) FROM orders") == [0]


# ── for machines ─────────────────────────────────────────────────────────────────────────────────


def test_alive_while_the_store_answers(api: Api) -> None:
    assert api("GET", "/healthz").json() == {"ok": True, "why": ""}


def test_not_alive_when_the_store_does_not(api: Api) -> None:
    with broken(api, "read", StoreUnavailable("打不开数据库文件")):
        reply = api("GET", "/healthz")
    assert reply.status_code == 503
    assert reply.json() == {"ok": False, "why": "打不开数据库文件"}


def test_a_store_that_hangs_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hanging(work: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("monitor.web.machines.PATIENCE", 0.01)
    with mock.patch.object(api.store, "read", side_effect=hanging):
        for path in ("/healthz", "/readyz"):
            reply = api("GET", path)
            assert reply.status_code == 503
            assert "没有回答" in reply.text


def test_an_idle_service_is_ready(api: Api) -> None:
    reply = api("GET", "/readyz")
    assert (reply.status_code, reply.json()) == (200, {"ready": True, "problems": [], "notes": []})


def test_messages_that_wait_make_it_red_with_what_to_do(api: Api) -> None:
    fill(api.store)
    assert api("GET", "/readyz").status_code == 200, "a fresh start gets its time"
    api.now[0] += timedelta(hours=1)
    api.context.vitals.judged(api.now[0])
    reply = api("GET", "/readyz")
    assert reply.status_code == 503
    [told] = reply.json()["problems"]
    assert told["kind"] == "deliver"
    assert "ops" in told["text"]
    assert "parcelwatch outbox" in told["text"]


def test_metrics_are_text_for_prometheus(api: Api) -> None:
    fill(api.store)
    reply = api("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert 'parcelwatch_tickets{state="open"} 5.0' in reply.text
    assert 'parcelwatch_outbox_messages{channel="ops",state="dead"} 1.0' in reply.text
    for secret in ("key-of-ours", "token-of-ours", "SECsecret", "Z1", "13812345678", "旗舰店"):
        assert secret not in reply.text


def test_metrics_are_given_while_the_store_is_silent(api: Api) -> None:
    with broken(api, "read", StoreUnavailable("x")):
        reply = api("GET", "/metrics")
    assert reply.status_code == 200
    assert 'parcelwatch_problems{kind="store"} 1.0' in reply.text


def test_none_of_them_tells_a_secret(api: Api) -> None:
    fill(api.store)

    async def all_(client: httpx.AsyncClient) -> list[str]:
        paths = ["/healthz", "/readyz", "/metrics", "/openapi.json", *(f"/api/v1{path}" for path in READS)]
        return [(await client.get(path)).text for path in paths]

    for text in api.run(all_):
        for secret in ("customer-of-ours", "key-of-ours", "token-of-ours", "SECsecret-of-ours"):
            assert secret not in text


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure_of_ours(api: Api) -> None:
    """Phones lose their network: nothing is kept, and the log is not filled with it."""
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"content-type", b"application/json"),
        (b"content-length", b"999"),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/orders",
        "raw_path": b"/api/v1/orders",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 9),
        "root_path": "",
    }
    told = iter([{"type": "http.request", "body": b"[{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(told)

    async def send(_: Any) -> None:
        return

    with capture_logs() as logged:
        asyncio.run(api.app(scope, receive, send))
    assert [each for each in logged if each["log_level"] == "error"] == []
