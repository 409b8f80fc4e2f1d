"""The peers as a process of their own, driven through their control address."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from monitor.clock import wall
from monitor.demo.gates import sign as ding_sign
from monitor.demo.provider import sign
from monitor.demo.scripted import ScriptedSource

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
OPENER = build_opener(ProxyHandler({}))
Start = Callable[..., "Peers"]


class Peers:
    """A running process and its addresses."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "monitor.demo.peers", *options]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())

    def call(self, peer: str, path: str, body: object = None, form: dict[str, str] | None = None) -> Any:
        data = urlencode(form).encode() if form else json.dumps(body).encode() if body is not None else None
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        request = Request(self.ready[peer] + path, data, {"Content-Type": kind})
        with OPENER.open(request, timeout=10) as reply:
            return json.load(reply)

    def ask(self, num: str) -> Any:
        param = json.dumps({"com": "zhongtong", "num": num, "resultv2": "4"})
        fields = {"customer": "C", "param": param, "sign": sign(param, "K", "C")}
        return self.call("provider", "/poll/query.do", form=fields)

    def stop(self) -> int:
        self.process.communicate(timeout=10)
        return self.process.returncode


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Peers] = []

    def launch(*options: str) -> Peers:
        running.append(Peers("--customer", "C", "--key", "K", *options))
        return running[-1]

    yield launch
    for peers in running:
        peers.stop()


def test_a_scripted_parcel_is_asked_for_and_the_question_is_on_record(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "seen.jsonl"
    peers = start("--min-interval", "3600", "--log", str(log))
    rows = [
        {"at": -7200, "code": "1", "text": "【杭州市】 【杭州余杭】 已揽收"},
        {"at": -60, "visible_after": 3600, "code": "1002", "text": "还看不见"},
    ]
    peers.call(
        "control", "/control/parcels", {"carrier": "zhongtong", "waybill_no": "75810000000001", "rows": rows}
    )
    assert [row["context"] for row in peers.ask("75810000000001")["data"]] == [
        "【杭州市】 【杭州余杭】 已揽收"
    ]
    assert peers.ask("75810000000001")["returnCode"] == "504"
    assert peers.ask("75810000000002")["returnCode"] == "500"
    told = peers.call("control", "/control/asked")
    assert [(q["num"][-1], q["code"]) for q in told["asked"]] == [("1", "200"), ("1", "504"), ("2", "500")]
    assert [v["offence"] for v in told["violations"]] == ["too_frequent"]
    assert [json.loads(line)["kind"] for line in log.read_text("utf-8").splitlines()] == ["asked"] * 3


def test_messages_are_received_and_modes_switched(start: Start) -> None:
    peers = start("--sends", "2", "--wecom-key", "W", "--ding-secret", "S", "--ding-token", "T")
    text = {"msgtype": "text", "text": {"content": "物流告警 T-1"}}

    def wecom() -> int:
        return int(peers.call("groups", "/cgi-bin/webhook/send?key=W", text)["errcode"])

    assert peers.call("control", "/control/mode", {"groups": {"mode": "ok", "only": {"wecom": "muted"}}}) == {
        "provider": "ok",
        "groups": "ok",
    }
    assert wecom() == 45009
    peers.call("control", "/control/mode", {"groups": "ok", "provider": "busy"})
    assert peers.ask("75810000000001")["returnCode"] == "502"
    stamp = str(int(wall().timestamp() * 1000))
    query = urlencode({"access_token": "T", "timestamp": stamp, "sign": ding_sign(stamp, "S")})
    assert peers.call("groups", f"/robot/send?{query}", text)["errcode"] == 0
    assert [wecom(), wecom()] == [0, 45009]
    received = peers.call("control", "/control/received?platform=wecom")
    assert [(r["code"], r["taken"], r["title"]) for r in received] == [
        (45009, False, "物流告警 T-1"),
        (0, True, "物流告警 T-1"),
        (45009, False, "物流告警 T-1"),
    ]
    peers.call("control", "/control/reset", {})
    assert peers.call("control", "/control/received") == []
    assert peers.ask("75810000000001")["returnCode"] == "500"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/control/parcels", {"carrier": "zhongtong"}),
        ("/control/parcels", [7]),
        (
            "/control/parcels",
            {"carrier": "zhongtong", "waybill_no": "1", "rows": [{"at": "2026-11-22 04:00", "text": "x"}]},
        ),
        ("/control/mode", {"provider": "sleepy"}),
        ("/control/mode", {"nobody": "ok"}),
    ],
)
def test_mistakes_at_the_control_address_are_told(start: Start, path: str, body: object) -> None:
    with pytest.raises(HTTPError) as refused:
        start().call("control", path, body)
    assert refused.value.code == 400
    refused.value.close()


def test_it_ends_with_its_standard_input(start: Start) -> None:
    assert start().stop() == 0


def test_it_ends_on_sigterm(start: Start) -> None:
    peers = start()
    peers.process.send_signal(signal.SIGTERM)
    assert peers.process.wait(timeout=10) == 0


def test_it_listens_on_loopback_only(start: Start) -> None:
    ready = start().ready
    assert all(ready[peer].startswith("http://127.0.0.1:") for peer in ("provider", "groups", "control"))


# scripted parcels


def scripted(*rows: dict[str, Any], **more: Any) -> ScriptedSource:
    source = ScriptedSource()
    source.put({"carrier": "zhongtong", "waybill_no": "A", "rows": list(rows), **more}, NOW)
    return source


def seen(source: ScriptedSource, seconds: float) -> list[str] | None:
    rows = source.lookup("zhongtong", "A", NOW + timedelta(seconds=seconds))
    return [row.text for row in rows] if rows else None


def test_rows_are_visible_when_the_script_says_so() -> None:
    source = scripted(
        {"at": -10, "text": "一"},
        {"at": -5, "text": "二", "visible_after": 3},
        {"at": -1, "text": "三", "withdrawn_after": 2},
    )
    assert seen(source, 0) == ["三", "一"]
    assert seen(source, 2) == ["一"]
    assert seen(source, 3) == ["二", "一"]


def test_moments_may_be_absolute() -> None:
    source = scripted({"at": "2026-11-22T11:00:00+08:00", "text": "一"})
    rows = source.lookup("zhongtong", "A", NOW)
    assert rows is not None
    assert rows[0].at == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def test_a_parcel_may_be_rewritten_and_have_nothing() -> None:
    source = scripted({"at": -10, "text": "一"})
    source.put({"carrier": "zhongtong", "waybill_no": "A"}, NOW)
    assert seen(source, 0) is None


def test_a_scripted_phone_is_checked() -> None:
    source = scripted(phone_tail="0036")
    assert source.phone_tail("zhongtong", "A") == "0036"
    assert source.phone_tail("zhongtong", "B") is None
