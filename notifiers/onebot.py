"""QQ groups through OneBot v11 over HTTP: NapCat, LLBot (`facts/notifiers-qq.md` §2).

Says: `send_group_msg` with an array of segments, never a string: nothing in it can be read as a CQ code.
Hears: HTTP 200 with `status`; `ok` and `async` are a yes.
Odd:  a "failed" message is often in the group all the same, so a failure counts as unknown and is
      repeated once at most. A repeat (`message.data["attempt"]` above 1) carries no link, as links to
      rarely visited hosts are what the account's risk control stops first (§2.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final
from urllib.parse import urlsplit

from domain.messages import Message, Receipt
from domain.remote import Conversation, Reply, Request, Secret, Unanswered, Unreadable
from notifiers.base import Pace, notifier
from notifiers.receipts import body, code_of, fingerprint, words
from notifiers.wording import SEGMENTS, whom, write

__all__ = ["OneBot"]

NONE: Final = Secret("")
TEXT_LIMIT: Final = 1800
"""Characters; no limit is published, very long texts fail silently (§2.5)."""
_QQ: Final = re.compile(r"[1-9]\d{4,10}")


@notifier("onebot")
@dataclass(frozen=True, slots=True)
class OneBot:
    """One group of the account that is logged in at `url`."""

    url: str
    group_id: int
    token: Secret = NONE

    kind: ClassVar[str]
    pace: ClassVar[Pace] = Pace(
        sends=18,
        window=timedelta(minutes=1),
        reserved=2,
        gap=timedelta(seconds=3),
        repeats_after_unknown=1,
    )

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("url 应是 OneBot 的 HTTP 地址，如 http://127.0.0.1:3000")
        if parts.query or "@" in parts.netloc:
            raise ValueError("url 里不要带令牌：写在 token 里，它才不会出现在日志中")
        if self.group_id <= 0:
            raise ValueError("group_id 应是群号")

    @property
    def robot(self) -> str:
        """The robot is the account behind the address: its groups share one pace."""
        return fingerprint("onebot", self.url.rstrip("/"))

    def send(self, message: Message, now: datetime) -> Conversation[Receipt]:
        """One message. `now` is not asked: nothing is signed here."""
        token = self.token.reveal().strip()
        reply = yield Request.json(
            f"{self.url.rstrip('/')}/send_group_msg",
            {"group_id": self.group_id, "message": _segments(message)},
            headers={"Authorization": f"Bearer {token}"} if token else {},
            secrets=self._secrets(),
        )
        return self._read(reply)

    def _read(self, reply: Reply) -> Receipt:
        answer = body(reply, self._secrets())
        status = answer.get("status")
        if status == "failed":
            raise Unanswered(f"QQ 端说没发出去，但可能已在群里：{self._reason(answer)}")
        code = code_of(answer, "retcode")
        if status not in ("ok", "async") or code not in (0, 1):
            raise Unreadable(f"回执的 status 不认识：{words(status, self._secrets())} {code}")
        data = answer.get("data")
        message_id = data.get("message_id", "") if isinstance(data, Mapping) else ""
        return Receipt(f"{status} {code}", words(message_id))

    def _reason(self, answer: Mapping[str, object]) -> str:
        """Implementations put the reason in different fields (§2.4)."""
        why = next((answer[name] for name in ("message", "wording", "msg") if answer.get(name)), "")
        return f"{words(answer.get('retcode'))} {words(why, self._secrets())}".strip()

    def _secrets(self) -> tuple[Secret, ...]:
        return (self.token,) if self.token else ()


def _segments(message: Message) -> list[dict[str, object]]:
    """The text, then who is rung. Mobile numbers mean nothing to QQ and are left out."""
    named = whom(message.mentions)
    if _attempt(message) > 1:
        message = replace(message, link="")
    text = write(message, SEGMENTS, TEXT_LIMIT, size=len)
    called = [*(["all"] if named.everybody else []), *(name for name in named.ids if _QQ.fullmatch(name))]
    if called:
        text += "\n"
    return [_segment("text", text=text), *(_segment("at", qq=name) for name in called)]


def _segment(kind: str, **data: str) -> dict[str, object]:
    """One piece of a message; all values are strings (§2.2)."""
    return {"type": kind, "data": data}


def _attempt(message: Message) -> int:
    """Which try this is, as `deliver` says in `data`; the first when it does not."""
    attempt = message.data.get("attempt", "")
    return int(attempt) if attempt.isascii() and attempt.isdigit() else 1
