"""WeCom 企业微信, group robot 群机器人 (`facts/notifiers-wecom.md` §1).

Says: `markdown` (the first dialect: colour and mentions, no lists); `text` when the route names a
      mobile number or everybody, which only that type can ring.
Hears: HTTP 200 for every refusal; `errcode` 0 alone is a yes.
Odd:  the key in the address is the whole credential; limits are UTF-8 bytes of the decoded text;
      refusals repeat our public address, which stays out of everything shown.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from notifiers.base import Pace, notifier
from notifiers.receipts import address, body, code_of, fingerprint, words
from notifiers.wording import MARKDOWN, PLAIN, whom, write

__all__ = ["WeCom"]

TEXT_LIMIT: Final = 2048
MARKDOWN_LIMIT: Final = 4096
_DIALECT: Final = replace(MARKDOWN, fact="> {}：{}")
_REFUSED: Final[Mapping[int, str]] = {
    40007: "素材不存在",
    40008: "不支持的消息类型",
    40009: "图片太大",
    40058: "参数不对（多半是超长）",
    41010: "缺少链接",
    41016: "缺少标题",
    44001: "素材为空",
    44004: "内容为空",
    45001: "素材太大",
    45002: "内容太长",
    45008: "图文超过八条",
    47001: "请求体不是 JSON",
    301019: "图片 md5 不一致",
}
"""Codes that mean this one message (§1.7)."""


@notifier("wecom")
@dataclass(frozen=True, slots=True)
class WeCom:
    """One robot of one group."""

    webhook: Secret

    kind: ClassVar[str]
    pace: ClassVar[Pace] = Pace(sends=18, window=timedelta(minutes=1), reserved=2)

    def __post_init__(self) -> None:
        self._address()

    @property
    def robot(self) -> str:
        """The robot is its key."""
        return fingerprint("wecom", self._address()[1]["key"])

    def send(self, message: Message, now: datetime) -> Conversation[Receipt]:
        """One message. `now` is not asked: nothing is signed here."""
        url, query = self._address()
        reply = yield Request.json(url, _content(message), query=query, secrets=self._secrets())
        return self._read(reply)

    def _read(self, reply: Reply) -> Receipt:
        answer = body(reply, self._secrets())
        said = words(answer.get("errmsg"), self._secrets())
        code = code_of(answer)
        if code == 0:
            return Receipt(f"errcode 0 {said}".strip())
        raise _refusal(code, said)

    def _address(self) -> tuple[str, dict[str, str]]:
        return address(self.webhook, "key")

    def _secrets(self) -> tuple[Secret, ...]:
        return (self.webhook, Secret(self._address()[1]["key"]))


def _content(message: Message) -> dict[str, object]:
    """The body: markdown, or text when only text can ring those who are named (§1.3)."""
    named = whom(message.mentions)
    if not (named.everybody or named.mobiles):
        tail = " ".join(f"<@{name}>" for name in named.ids)
        content = write(message, _DIALECT, MARKDOWN_LIMIT, tail=tail)
        return {"msgtype": "markdown", "markdown": {"content": content}}
    text: dict[str, object] = {"content": write(message, PLAIN, TEXT_LIMIT)}
    if named.ids or named.everybody:
        text["mentioned_list"] = [*named.ids, *(["@all"] if named.everybody else [])]
    if named.mobiles:
        text["mentioned_mobile_list"] = list(named.mobiles)
    return {"msgtype": "text", "text": text}


def _refusal(code: int, said: str) -> RemoteError:
    """What a code other than 0 means, as the error to raise (§1.7)."""
    if code == -1:
        return Unavailable(f"-1 系统繁忙：{said}")
    if code == 45009:
        # Again right after the minute: the limit of an hour (`facts/notifiers.md` §3).
        return Throttled(
            f"45009 发得太快，机器人歇一会：{said}", timedelta(minutes=1), again=timedelta(hours=1)
        )
    if code == 45033:
        return Throttled(f"45033 同时调用太多：{said}", timedelta(seconds=5), closes=False)
    if code == 93000:
        return Denied(f"93000 机器人已被移除或 key 不对：{said}")
    known = f" {_REFUSED[code]}" if code in _REFUSED else ""
    return Rejected(f"{code}{known}：{said}")
