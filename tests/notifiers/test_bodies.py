"""The bodies that leave, against samples written from the platforms' manuals (`facts/notifiers-*.md`)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from domain.messages import Receipt
from domain.remote import Rejected, Reply, Request, Secret, Throttled, rehearse
from notifiers.dingtalk import DingTalk, sign
from notifiers.onebot import OneBot
from notifiers.wecom import WeCom
from tests.notifiers.specimens import (
    ALERT,
    DIGEST,
    DINGTALK_TOKEN,
    MOBILE,
    NOTHING,
    NOW,
    SAMPLES,
    body_of,
    dingtalk,
    onebot,
    requests_of,
    ringing,
    wecom,
)

UNSAFE = b'{"errcode":430101,"errmsg":"unsafe link"}'
OK = b'{"errcode":0,"errmsg":"ok"}'


def sample(name: str) -> Any:
    """A body; texts are kept as lists of lines so that a person can read them."""
    joined = lambda thing: {  # noqa: E731
        key: "\n".join(value) if key in ("text", "content", "title") and isinstance(value, list) else value
        for key, value in thing.items()
    }
    return json.loads((SAMPLES / name).read_text("utf-8"), object_hook=joined)


@pytest.mark.parametrize(
    ("name", "robot", "message"),
    [
        ("dingtalk_alert", dingtalk(), ringing(ALERT, MOBILE, "zhangsan")),
        ("dingtalk_digest", dingtalk(), DIGEST),
        ("wecom_alert", wecom(), ALERT),
        ("wecom_alert_mobile", wecom(), ringing(ALERT, MOBILE, "all", "zhangsan")),
        ("wecom_digest", wecom(), DIGEST),
        ("onebot_alert", onebot(), ringing(ALERT, "12345678", "all", MOBILE)),
        ("onebot_digest", onebot(), DIGEST),
        ("onebot_repeat", onebot(), replace(ALERT, data={"attempt": "2"})),
    ],
)
def test_body(name: str, robot: Any, message: Any) -> None:
    assert body_of(robot, message) == sample(f"{name}.json")


# DingTalk


@pytest.mark.parametrize(
    ("at_ms", "secret", "base64", "query"),
    [
        (
            1700000000000,
            "SEC000000000000000000000",
            "1zJ/w34EOSVAYr7cu7Vo8LnebmK2/GrCgegtr8mQrqM=",
            "1zJ%2Fw34EOSVAYr7cu7Vo8LnebmK2%2FGrCgegtr8mQrqM%3D",
        ),
        (
            1577262236757,
            "this is secret",
            "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=",
            "hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D",
        ),
    ],
)
def test_dingtalk_signature_is_encoded_once(at_ms: int, secret: str, base64: str, query: str) -> None:
    assert sign(at_ms, secret) == base64
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    request = next(dingtalk(secret=Secret(f" {secret}\n")).send(NOTHING, now))
    assert request.query["timestamp"] == str(at_ms)
    assert f"sign={query}" in urlencode(request.query).split("&")
    sent = httpx.Request(request.method, request.url, params=dict(request.query))
    assert f"sign={query}" in sent.url.query.decode().split("&")


def test_dingtalk_without_a_secret_is_not_signed() -> None:
    assert next(dingtalk().send(NOTHING, NOW)).query == {"access_token": DINGTALK_TOKEN}


def test_dingtalk_drops_a_stale_pair_pasted_with_the_address() -> None:
    url = f"https://oapi.dingtalk.com/robot/send?access_token={DINGTALK_TOKEN}&timestamp=1577262236757&sign=hmP%3D \n"
    pasted = DingTalk(Secret(url))
    assert next(pasted.send(NOTHING, NOW)).query == {"access_token": DINGTALK_TOKEN}
    assert pasted.robot == dingtalk().robot


def test_dingtalk_signs_each_attempt_anew() -> None:
    robot = dingtalk(secret=Secret("k"))
    first, later = (next(robot.send(NOTHING, NOW + timedelta(seconds=n))) for n in (0, 1))
    assert first.query["sign"] != later.query["sign"]


def test_dingtalk_keyword_is_in_title_text_and_the_plain_retry() -> None:
    first, second = requests_of(dingtalk(keyword="物流告警"), ALERT, UNSAFE, OK)
    markdown = json.loads(first.content)["markdown"]
    assert markdown["title"].startswith("[紧急] 物流告警 中通")
    assert markdown["text"].startswith("#### [紧急] 物流告警 中通")
    assert json.loads(second.content)["text"]["content"].startswith("[紧急] 物流告警 中通")


def test_dingtalk_rings_only_who_is_both_in_the_text_and_in_at() -> None:
    body = body_of(dingtalk(), ringing(ALERT, "all", MOBILE, "zhangsan"))
    assert body["at"] == {"atMobiles": [MOBILE], "atUserIds": ["zhangsan"], "isAtAll": True}
    assert body["markdown"]["text"].split("\n\n")[-1] == f"@所有人 @{MOBILE} @zhangsan"
    assert "@" not in body["markdown"]["title"]


def test_dingtalk_never_relies_on_a_single_line_break() -> None:
    text = body_of(dingtalk(), DIGEST)["markdown"]["text"]
    assert "\n" not in text.replace("\n\n", "")


@pytest.mark.parametrize("code", [430101, 430102, 430103, 430104])
def test_dingtalk_says_an_unsafe_message_once_more_as_plain_text(code: int) -> None:
    unsafe = json.dumps({"errcode": code, "errmsg": "unsafe"}).encode()
    first, second = requests_of(dingtalk(), ringing(ALERT, MOBILE, "zhangsan"), unsafe, OK)
    assert ALERT.link.encode() in first.content
    assert json.loads(second.content) == sample("dingtalk_plain_retry.json")
    assert b"http" not in second.content


def test_dingtalk_gives_up_after_the_plain_text() -> None:
    seen: list[Request] = []

    def unsafe(request: Request) -> Reply:
        seen.append(request)
        return Reply(200, UNSAFE)

    with pytest.raises(Rejected, match="430101"):
        rehearse(dingtalk().send(ALERT, NOW), unsafe)
    assert len(seen) == 2


def test_dingtalk_muted_in_the_plain_text_is_muted() -> None:
    with pytest.raises(Throttled):
        requests_of(dingtalk(), ALERT, UNSAFE, b'{"status":1111}')


@pytest.mark.parametrize(
    "url",
    [
        "",
        "oapi.dingtalk.com/robot/send?access_token=abc123",
        "https://oapi.dingtalk.com/robot/send",
        "https://oapi.dingtalk.com/robot/send?access_token=",
        "ftp://x/?access_token=abc123",
    ],
)
def test_an_address_that_cannot_work_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="access_token=") as caught:
        DingTalk(Secret(url))
    assert "abc123" not in str(caught.value)


# WeCom


def test_wecom_key_travels_in_the_query_alone() -> None:
    request = next(wecom().send(NOTHING, NOW))
    assert request.url == "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
    assert list(request.query) == ["key"]


@pytest.mark.parametrize(
    ("mentions", "kind"),
    [
        ((), "markdown"),
        (("zhangsan",), "markdown"),
        ((MOBILE,), "text"),
        (("all",), "text"),
        (("zhangsan", MOBILE), "text"),
    ],
)
def test_wecom_uses_text_only_to_ring_mobiles_or_everybody(mentions: tuple[str, ...], kind: str) -> None:
    assert body_of(wecom(), ringing(ALERT, *mentions))["msgtype"] == kind


def test_wecom_first_dialect_has_no_lists() -> None:
    lines = body_of(wecom(), DIGEST)["markdown"]["content"].split("\n")
    assert not [line for line in lines if line.startswith(("- ", "* ", "+ "))]


def test_wecom_holds_twenty_of_the_longest_names() -> None:
    names = tuple(f"{n}" * 32 for n in range(10, 70))
    content = body_of(wecom(), ringing(replace(ALERT, title="题" * 300), *names))["markdown"]["content"]
    assert content.endswith(" ".join(f"<@{name}>" for name in names[:20]))
    assert len(content.encode()) <= 4096


def test_wecom_refuses_an_address_without_a_key() -> None:
    with pytest.raises(ValueError, match="key="):
        WeCom(Secret("https://qyapi.weixin.qq.com/cgi-bin/webhook/send"))


# OneBot


def test_onebot_asks_as_the_standard_says() -> None:
    request = next(onebot().send(NOTHING, NOW))
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:3000/send_group_msg")
    assert request.headers["Authorization"] == "Bearer 0neb0tt0ken"
    assert not request.query


def test_onebot_without_a_token_sends_none() -> None:
    assert "Authorization" not in next(OneBot("http://127.0.0.1:3000/", 1).send(NOTHING, NOW)).headers


def test_onebot_text_is_a_segment_and_never_a_string() -> None:
    hostile = replace(NOTHING, title="[测试] [CQ:at,qq=all] 单号 [A] & 1,2")
    (segment,) = body_of(onebot(), hostile)["message"]
    assert segment == {"type": "text", "data": {"text": "[测试] ［CQ:at,qq=all] 单号 [A] & 1,2"}}


@pytest.mark.parametrize(
    ("attempt", "linked"), [("", True), ("1", True), ("2", False), ("10", False), ("x", True)]
)
def test_onebot_repeats_without_the_link(attempt: str, linked: bool) -> None:
    body = body_of(onebot(), replace(ALERT, data={"attempt": attempt}))
    assert (ALERT.link in json.dumps(body)) is linked
    assert "T-20261122-0031" in json.dumps(body)


@pytest.mark.parametrize(
    ("mentions", "rung"),
    [
        ((MOBILE, "zhangsan"), []),
        (("12345678",), ["12345678"]),
        (("all", "12345678"), ["all", "12345678"]),
        (("0123456", "1234"), []),
    ],
)
def test_onebot_rings_qq_numbers_and_shows_no_mobile(mentions: tuple[str, ...], rung: list[str]) -> None:
    body = body_of(onebot(), ringing(ALERT, *mentions))
    assert [part["data"]["qq"] for part in body["message"] if part["type"] == "at"] == rung
    assert MOBILE not in json.dumps(body)


def test_onebot_paces_three_seconds_and_repeats_once() -> None:
    pace = onebot().pace
    assert (pace.gap, pace.repeats_after_unknown) == (timedelta(seconds=3), 1)


def test_onebot_groups_of_one_account_share_a_robot() -> None:
    here = [
        OneBot(url, group).robot for url, group in (("http://h:1", 1), ("http://h:1/", 2), ("http://h:2", 1))
    ]
    assert here[0] == here[1] != here[2]


@pytest.mark.parametrize(
    ("url", "group"),
    [("127.0.0.1:3000", 1), ("http://h/?access_token=t0p", 1), ("http://u:t0p@h", 1), ("http://h", 0)],
)
def test_onebot_settings_that_cannot_work(url: str, group: int) -> None:
    with pytest.raises(ValueError, match=r"url|group_id") as caught:
        OneBot(url, group)
    assert "t0p" not in str(caught.value)


def test_receipt_holds_the_answer() -> None:
    assert rehearse(wecom().send(NOTHING, NOW), lambda request: Reply(200, OK)) == Receipt("errcode 0 ok")
