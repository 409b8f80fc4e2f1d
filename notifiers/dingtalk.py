"""DingTalk 钉钉, custom group robot 自定义机器人 (`facts/notifiers-dingtalk.md` §1).

Says: markdown; the first line is also the `title`, which is what a lock screen shows.
Hears: HTTP 200 for nearly every refusal; `errcode` 0 alone is a yes, and some refusals have no `errcode` at all.
Odd:  a single line break is swallowed; a mention rings only when the text holds it as well as `at`;
      21 messages in a minute mute the robot for ten minutes; a link it distrusts loses the whole
      message, so that one is said again as plain text without links.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from domain.messages import Message, Receipt
from domain.remote import (
    Conversation,
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Throttled,
    Unavailable,
)
from domain.time import to_micros
from notifiers.base import Pace, notifier
from notifiers.receipts import address, body, code_of, fingerprint, words
from notifiers.wording import MARKDOWN, PLAIN, Dialect, Whom, title_line, whom, write

__all__ = ["DingTalk", "sign"]

NONE: Final = Secret("")
BODY_LIMIT: Final = 18_000
"""Bytes of the body; the platform refuses above 20,000 and does not say how it counts (§1.5)."""
MUTED: Final = timedelta(minutes=10)
_DIALECT: Final = replace(MARKDOWN, title="#### {}", row="- {}", between="\n\n")
_TOO_FAST: Final = (130101, 410100)
_ROBOT: Final[Mapping[int, str]] = {
    310000: "关键词、加签或 IP 白名单没有通过",
    300005: "令牌不存在",
    300001: "令牌不存在",
    400101: "令牌不存在",
    88: "令牌为空或不存在",
    400102: "机器人已停用",
    400106: "机器人已被移除",
    400013: "群已解散",
    400105: "机器人不支持这种消息",
    40035: "缺少参数（多半是 access_token）",
    43002: "请求方式不对（地址可能被转向）",
    43004: "内容类型不对",
    90030: "机器人调用额度已用完",
}
"""Codes that mean every further message fares the same (§1.6; `facts/notifiers.md` §3)."""
_UNSAFE: Final[Mapping[int, str]] = {
    430101: "含有不安全的链接",
    430102: "含有不合适的文字",
    430103: "含有不合适的图片",
    430104: "含有不合适的内容",
}
_TOO_LONG: Final = frozenset({460101, 101002})


class _Unsafe(Rejected):
    """The platform dislikes something in this message; without its link it may pass."""


def sign(at_ms: int, secret: str) -> str:
    """The signature of §1.1 in Base64, not yet URL-encoded: the HTTP client does that, once."""
    mac = hmac.new(secret.encode(), f"{at_ms}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


@notifier("dingtalk")
@dataclass(frozen=True, slots=True)
class DingTalk:
    """One robot of one group. `keyword` is one of those set on the robot, if any is."""

    webhook: Secret
    secret: Secret = NONE
    keyword: str = ""

    kind: ClassVar[str]
    pace: ClassVar[Pace] = Pace(sends=18, window=timedelta(minutes=1), reserved=2)

    def __post_init__(self) -> None:
        self._address()

    @property
    def robot(self) -> str:
        """The robot is its token."""
        return fingerprint("dingtalk", self._address()[1]["access_token"])

    def send(self, message: Message, now: datetime) -> Conversation[Receipt]:
        """Markdown, and once more as plain text without links when the platform finds it unsafe."""
        reply = yield self._markdown(message, now)
        try:
            return self._read(reply)
        except _Unsafe:
            reply = yield self._text(replace(message, link=""), now)
        return self._read(reply)

    def _markdown(self, message: Message, now: datetime) -> Request:
        title = title_line(message, PLAIN.escape, self.keyword)
        return self._fitted(
            message,
            now,
            _DIALECT,
            lambda text: {"msgtype": "markdown", "markdown": {"title": title, "text": text}},
        )

    def _text(self, message: Message, now: datetime) -> Request:
        return self._fitted(message, now, PLAIN, lambda text: {"msgtype": "text", "text": {"content": text}})

    def _fitted(
        self,
        message: Message,
        now: datetime,
        dialect: Dialect,
        envelope: Callable[[str], Mapping[str, object]],
    ) -> Request:
        """The message in `envelope`, cut so that the whole body stays within its limit."""
        named = whom(message.mentions)
        url, query = self._address()
        secrets = self._secrets()

        def request(text: str) -> Request:
            return Request.json(url, {**envelope(text), "at": _at(named)}, secrets=secrets)

        text = write(
            message,
            dialect,
            BODY_LIMIT,
            keyword=self.keyword,
            tail=_called(named),
            size=lambda text: len(request(text).content),
        )
        return replace(request(text), query=query | self._proof(now))

    def _read(self, reply: Reply) -> Receipt:
        answer = body(reply, self._secrets())
        said = words(answer.get("errmsg"), self._secrets())
        if _muted(answer, said):
            raise Throttled(f"发得太快，机器人被禁言 10 分钟：{said}", MUTED)
        code = code_of(answer)
        if code == 0:
            return Receipt(f"errcode 0 {said}".strip())
        raise _refusal(code, said)

    def _address(self) -> tuple[str, dict[str, str]]:
        """Without a pasted `timestamp` and `sign`, which would be stale for ever."""
        return address(self.webhook, "access_token", drop=("timestamp", "sign"))

    def _proof(self, now: datetime) -> dict[str, str]:
        """A fresh pair for this attempt; nothing for a robot without 加签."""
        key = self.secret.reveal().strip()
        at_ms = to_micros(now) // 1000
        return {"timestamp": str(at_ms), "sign": sign(at_ms, key)} if key else {}

    def _secrets(self) -> tuple[Secret, ...]:
        token = Secret(self._address()[1]["access_token"])
        return tuple(secret for secret in (self.webhook, token, self.secret) if secret)


def _at(named: Whom) -> dict[str, object]:
    return {
        "atMobiles": list(named.mobiles),
        "atUserIds": list(named.ids),
        "isAtAll": named.everybody,
    }


def _called(named: Whom) -> str:
    """The mentions as the text has to repeat them (§1.4)."""
    names = [*(["所有人"] if named.everybody else []), *named.mobiles, *named.ids]
    return " ".join(f"@{name}" for name in names)


def _muted(answer: Mapping[str, object], said: str) -> bool:
    """Every shape of "too fast" that was seen, some of them without `errcode` (§1.6)."""
    return (
        answer.get("errcode") in _TOO_FAST
        or answer.get("status") == 1111
        or answer.get("punish") == "deny"
        or "send too fast" in said.lower()
        or "限流" in said
    )


def _refusal(code: int, said: str) -> RemoteError:
    """What a code other than 0 means, as the error to raise."""
    if code == -1:
        return Unavailable(f"-1 系统繁忙：{said}")
    if code in _ROBOT:
        return Denied(f"{code} {_ROBOT[code]}：{said}")
    if code in _UNSAFE:
        return _Unsafe(f"{code} {_UNSAFE[code]}：{said}")
    if code in _TOO_LONG:
        return Rejected(f"{code} 消息太长：{said}")
    return Rejected(f"{code}：{said}")
