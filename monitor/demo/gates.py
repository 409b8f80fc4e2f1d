"""Who is let in: tokens, signatures, rates; and how each platform words its answer.

Without HTTP: a `Knock` is what arrived, a `Reading` what the platform makes of it. Codes and limits:
`facts/notifiers-dingtalk.md` §1, `facts/notifiers-wecom.md` §1, `facts/notifiers-qq.md` §2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from monitor.demo.dialects import Reading, read_dingtalk, read_onebot, read_wecom
from monitor.demo.inbox import GroupLimits, Pace, Robot, find_robot

__all__ = ["DingTalkGate", "Gate", "Knock", "OneBotGate", "WeComGate", "sign"]


@dataclass(frozen=True, slots=True)
class Knock:
    """A request as the platform sees it."""

    at: datetime
    method: str
    query: Mapping[str, str]
    authorization: str
    content_type: str
    body: bytes


class Gate(Protocol):
    """One platform's door."""

    @property
    def platform(self) -> str:
        """Its name in the configuration."""

    @property
    def muted(self) -> tuple[int, str]:
        """What it says to a robot that may not speak."""

    def robot(self, knock: Knock) -> Robot | None:
        """Whom the token belongs to."""

    def judge(self, knock: Knock, robot: Robot | None) -> Reading:
        """Yes or no, and what was said either way. Counts the call."""

    def answer(self, reading: Reading) -> dict[str, Any]:
        """The body of the answer."""


def sign(at_ms: str, secret: str) -> str:
    """DingTalk's signature in Base64: HMAC-SHA256 with the secret over timestamp, line break, secret."""
    mac = hmac.new(secret.encode(), f"{at_ms}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


@dataclass
class _Paced:
    """A platform that counts each robot's calls."""

    robots: Sequence[Robot]
    limits: GroupLimits
    paces: dict[str, Pace] = field(default_factory=dict)

    def admits(self, robot: Robot, at: datetime, rest: timedelta) -> bool:
        return self.paces.setdefault(robot.name, Pace(self.limits, rest)).admits(at)


class DingTalkGate(_Paced):
    """A custom group robot; every refusal has HTTP 200."""

    platform: ClassVar[str] = "dingtalk"
    muted: ClassVar[tuple[int, str]] = (130101, "send too fast, exceed 20 times per minute")

    def robot(self, knock: Knock) -> Robot | None:
        """By `access_token`."""
        return find_robot(self.robots, self.platform, knock.query.get("access_token", ""))

    def judge(self, knock: Knock, robot: Robot | None) -> Reading:
        """The address, the rate, the security settings, then the body."""
        reading = read_dingtalk(knock.body)
        refused = self._refusal(knock, robot)
        if refused is None and reading.code == 0 and robot is not None:
            refused = _unwelcome(robot, reading)
        return replace(reading, code=refused[0], answer=refused[1]) if refused else reading

    def _refusal(self, knock: Knock, robot: Robot | None) -> tuple[int, str] | None:
        if knock.method != "POST":
            return 43002, "需要POST请求"
        if "access_token" not in knock.query:
            return 40035, "缺少参数 access_token"
        if robot is None:
            return 300005, "token is not exist"
        if knock.content_type != "application/json":
            return 43004, "无效的HTTP HEADER Content-Type"
        if not self.admits(robot, knock.at, self.limits.dingtalk_mute):
            return self.muted
        return self._unsigned(knock, robot.secret) if robot.secret else None

    def _unsigned(self, knock: Knock, secret: str) -> tuple[int, str] | None:
        stamp = knock.query.get("timestamp", "")
        seconds = int(stamp) / 1000 if stamp.isdecimal() else 0.0
        if abs(knock.at.timestamp() - seconds) > self.limits.sign_tolerance.total_seconds():
            return 310000, "invalid timestamp"
        right = hmac.compare_digest(knock.query.get("sign", "").encode(), sign(stamp, secret).encode())
        return None if right else (310000, "sign not match")

    def answer(self, reading: Reading) -> dict[str, Any]:
        """A throttled answer carries more, as published (§1.6)."""
        body: dict[str, Any] = {"errcode": reading.code, "errmsg": reading.answer}
        if reading.code == self.muted[0]:
            body |= {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "0"}
        return body


def _unwelcome(robot: Robot, reading: Reading) -> tuple[int, str] | None:
    """The keyword that has to occur in what people see, and links that must not."""
    text = "\n".join((reading.title, *reading.lines))
    if robot.keywords and not any(word in text for word in robot.keywords):
        return 310000, "keywords not in content"
    if any(word in text for word in robot.distrusts):
        return 430101, "unsafe link"
    return None


class WeComGate(_Paced):
    """A group robot whose key is all the proof there is."""

    platform: ClassVar[str] = "wecom"
    muted: ClassVar[tuple[int, str]] = (45009, "api freq out of limit")

    def robot(self, knock: Knock) -> Robot | None:
        """By `key`."""
        return find_robot(self.robots, self.platform, knock.query.get("key", ""))

    def judge(self, knock: Knock, robot: Robot | None) -> Reading:
        """The key, the rate, then the body."""
        reading = read_wecom(knock.body)
        if robot is None:
            return replace(reading, code=93000, answer="invalid webhook url")
        if not self.admits(robot, knock.at, self.limits.wecom_block):
            return replace(reading, code=self.muted[0], answer=self.muted[1])
        return reading

    def answer(self, reading: Reading) -> dict[str, Any]:
        """A failure carries a hint, our address and a link (§1.7)."""
        words = reading.answer
        if reading.code:
            more = f"https://open.work.weixin.qq.com/devtool/query?e={reading.code}"
            words = f"{words}, hint: [0], from ip: 127.0.0.1, more info at {more}"
        return {"errcode": reading.code, "errmsg": words}


@dataclass
class OneBotGate:
    """A QQ account behind a OneBot v11 implementation; it has no rate of its own."""

    robots: Sequence[Robot]
    sent: int = 0
    platform: ClassVar[str] = "onebot"
    muted: ClassVar[tuple[int, str]] = (120, "EventChecker Failed: result 120")

    def robot(self, knock: Knock) -> Robot | None:
        """By the bearer token."""
        word, _, token = knock.authorization.partition(" ")
        return find_robot(self.robots, self.platform, token) if word == "Bearer" and token else None

    def judge(self, knock: Knock, robot: Robot | None) -> Reading:
        """401 without a token, 403 with a wrong one, 406 for other than JSON, then the parameters."""
        if robot is None:
            status = 403 if knock.authorization.startswith("Bearer ") else 401
            return Reading(1000 + status, "token verify failed!", status=status)
        if knock.content_type != "application/json":
            return Reading(1406, "content type not acceptable", status=406)
        return read_onebot(knock.body, robot.groups)

    def answer(self, reading: Reading) -> dict[str, Any]:
        """`status` and `retcode`, with the reason under the names implementations use."""
        if reading.status != 200:
            return {"message": reading.answer}
        if reading.code:
            words = {"message": reading.answer, "wording": reading.answer}
            return {"status": "failed", "retcode": reading.code, "data": None, **words}
        self.sent += 1
        return {"status": "ok", "retcode": 0, "data": {"message_id": self.sent}}
