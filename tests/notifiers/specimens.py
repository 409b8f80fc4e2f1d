"""One robot of each kind, and the messages of `samples/*.json`, for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.messages import Message, MessageKind, Receipt, Urgency
from domain.remote import RemoteError, Reply, Request, Secret, rehearse
from notifiers.base import Notifier
from notifiers.dingtalk import DingTalk
from notifiers.onebot import OneBot
from notifiers.wecom import WeCom

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MOBILE = "13800000001"

DINGTALK_TOKEN = "d1ngt0ken5ecretd1ngt0ken5ecret"
DINGTALK_KEY = "SECd1ngs1gnk3y"
WECOM_KEY = "693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa"
ONEBOT_TOKEN = "0neb0tt0ken"


@dataclass(frozen=True)
class Specimen:
    """A robot, the texts it must never show, its yes, and how to read what it said."""

    robot: Notifier
    secrets: tuple[str, ...]
    yes: bytes
    text: Callable[[Mapping[str, Any]], str]
    """Everything of a body that a person in the group may see, or that may ring."""
    size: Callable[[Request], int]
    limit: Callable[[Mapping[str, Any]], int]
    rung: Callable[[Mapping[str, Any]], set[str]]
    """Whom a body rings."""


def _dingtalk_text(body: Mapping[str, Any]) -> str:
    if body["msgtype"] == "text":
        return str(body["text"]["content"])
    return str(body["markdown"]["text"])


def _dingtalk_rung(body: Mapping[str, Any]) -> set[str]:
    everybody = {"all"} if body["at"]["isAtAll"] else set()
    return {*body["at"]["atMobiles"], *body["at"]["atUserIds"], *everybody}


def _wecom_text(body: Mapping[str, Any]) -> str:
    return str(body[body["msgtype"]]["content"])


def _wecom_rung(body: Mapping[str, Any]) -> set[str]:
    lists = [*body.get("text", {}).get("mentioned_list", [])]
    lists += body.get("text", {}).get("mentioned_mobile_list", [])
    inline = [part.split(">")[0] for part in _wecom_text(body).split("<@")[1:]]
    return {name.removeprefix("@") for name in [*lists, *inline]}


def _onebot_text(body: Mapping[str, Any]) -> str:
    return "".join(part["data"]["text"] for part in body["message"] if part["type"] == "text")


def _onebot_rung(body: Mapping[str, Any]) -> set[str]:
    return {part["data"]["qq"] for part in body["message"] if part["type"] == "at"}


def dingtalk(**settings: Any) -> DingTalk:
    url = f"https://oapi.dingtalk.com/robot/send?access_token={DINGTALK_TOKEN}"
    return DingTalk(Secret(url), **settings)


def wecom() -> WeCom:
    return WeCom(Secret(f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={WECOM_KEY}"))


def onebot() -> OneBot:
    return OneBot("http://127.0.0.1:3000", 100001, Secret(ONEBOT_TOKEN))


SPECIMENS: Mapping[str, Specimen] = {
    "dingtalk": Specimen(
        dingtalk(secret=Secret(DINGTALK_KEY)),
        (DINGTALK_TOKEN, DINGTALK_KEY),
        b'{"errcode":0,"errmsg":"ok"}',
        _dingtalk_text,
        lambda request: len(request.content),
        lambda body: 18_000,
        _dingtalk_rung,
    ),
    "wecom": Specimen(
        wecom(),
        (WECOM_KEY,),
        b'{"errcode":0,"errmsg":"ok"}',
        _wecom_text,
        lambda request: len(_wecom_text(json.loads(request.content)).encode()),
        lambda body: 2048 if body["msgtype"] == "text" else 4096,
        _wecom_rung,
    ),
    "onebot": Specimen(
        onebot(),
        (ONEBOT_TOKEN,),
        b'{"status":"ok","retcode":0,"data":{"message_id":-1234567}}',
        _onebot_text,
        lambda request: len(_onebot_text(json.loads(request.content))),
        lambda body: 1800,
        _onebot_rung,
    ),
}

ALERT = Message(
    MessageKind.ALERT,
    "[紧急] 中通 75812345678901 中转停滞 53 小时（限 48）· T-20261122-0031",
    facts=(
        ("店铺", "旗舰店"),
        ("订单", "240101-123456789012345"),
        ("最后轨迹", "11-20 08:10 离开【武汉转运中心】，电话 13800000009"),
        ("现在位置", "武汉 → 长沙"),
        ("还剩", "已超 5 小时"),
        ("建议", "致电武汉中心；30 分钟无回应转拦截"),
    ),
    link="https://watch.example.com/t/31?from=ops&v=1",
    reference="T-20261122-0031",
    mentions=("zhangsan",),
    urgency=Urgency.CRITICAL,
)
DIGEST = Message(
    MessageKind.DIGEST,
    "[汇总] 10:02–10:12 物流异常 52 件",
    rows=tuple(
        f"[重要] 中通 7581234567{n:04d} 中转停滞 {89 - n} 小时（限 48），停在武汉转运中心 · T-20261122-{n:04d}"
        for n in range(40)
    ),
    more=12,
    link="https://watch.example.com/t?v=9",
    reference="D-1122-10",
    urgency=Urgency.HIGH,
)
NOTHING = Message(MessageKind.TEST, "[测试] 通道正常")


def ringing(message: Message, *mentions: str) -> Message:
    return replace(message, mentions=mentions)


def requests_of(robot: Notifier, message: Message, *replies: bytes) -> list[Request]:
    """What leaves when the platform answers `replies`, the last of them for ever."""
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return Reply(200, replies[min(len(seen), len(replies)) - 1])

    rehearse(robot.send(message, NOW), answer)
    return seen


def body_of(robot: Notifier, message: Message) -> dict[str, Any]:
    """The body of the first request."""
    body: dict[str, Any] = json.loads(next(robot.send(message, NOW)).content)
    return body


def ended(robot: Notifier, reply: Reply, message: Message = NOTHING) -> Receipt | RemoteError:
    """How a send ends when the platform answers `reply`."""
    try:
        return rehearse(robot.send(message, NOW), lambda request: reply)
    except RemoteError as error:
        return error
