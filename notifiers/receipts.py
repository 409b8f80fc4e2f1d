"""Reading a receipt: what the HTTP status alone says, and a platform's words without our secrets.

`facts/notifiers.md` §3: a yes is HTTP 200 *and* a readable body *and* the platform's own code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from domain.masking import safe_text
from domain.remote import Denied, Rejected, Reply, Secret, Throttled, Unanswered, Unavailable, Unreadable

__all__ = ["address", "body", "code_of", "fingerprint", "words"]

MINUTE: Final = timedelta(minutes=1)
_BEHIND_A_PROXY: Final = frozenset({502, 504})
_THIS_REQUEST: Final = frozenset({400, 413, 414, 415, 422, 431})
_OUR_ADDRESS: Final = re.compile(r",?\s*from ip:\s*[^,\s]+", re.IGNORECASE)
_MORE_INFO: Final = re.compile(r",?\s*(?:more info at\s+)?https?://[^\s;,；，]+", re.IGNORECASE)


def body(reply: Reply, secrets: Iterable[Secret] = ()) -> Mapping[str, object]:
    """The JSON object of an HTTP 200; anything else raises the `RemoteError` that its status means."""
    _status(reply)
    try:
        answer = reply.json()
    except Unreadable:
        head = words(reply.content[:200].decode("utf-8", "replace"), secrets)
        raise Unreadable(f"HTTP 200，但不是 JSON（可能是代理或登录页）：{head[:60]}") from None
    if not isinstance(answer, dict):
        raise Unreadable("HTTP 200，但回执不是一个对象")
    return answer


def code_of(answer: Mapping[str, object], name: str = "errcode") -> int:
    """The platform's code. Raises `Unreadable` when there is none: only a real number counts."""
    code = answer.get(name)
    if type(code) is not int:
        raise Unreadable(f"回执里没有 {name}")
    return code


def words(text: object, secrets: Iterable[Secret] = ()) -> str:
    """A platform's explanation fit to be shown: one line, no addresses (ours included), no secrets, no phones."""
    shown = str(text or "")
    for secret in secrets:
        shown = shown.replace(secret.reveal(), "***") if secret else shown
    shown = _MORE_INFO.sub("", _OUR_ADDRESS.sub("", shown))
    return safe_text(shown, 160)


def fingerprint(kind: str, credential: str) -> str:
    """A robot's name that is the same everywhere and tells nothing of its credential."""
    return f"{kind}-{hashlib.sha256(credential.encode()).hexdigest()[:10]}"


def address(webhook: Secret, needs: str, *, drop: Iterable[str] = ()) -> tuple[str, dict[str, str]]:
    """A pasted webhook as the address and its decoded query, without the parameters in `drop`.

    Raises ValueError, without repeating the address, when it is none or lacks the parameter `needs`.
    """
    parts = urlsplit(webhook.reveal().strip())
    query = {name: value.strip() for name, value in parse_qsl(parts.query) if name not in set(drop)}
    if parts.scheme not in ("http", "https") or not parts.netloc or not query.get(needs):
        raise ValueError(f"webhook 不是机器人的完整地址：应以 https:// 开头并带有 {needs}= 参数")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), query


def _status(reply: Reply) -> None:
    """Raise for every status but 200 (§3: 429 and 5xx now, a proxy's 502 and 504 unknown)."""
    status = reply.status
    if status == 200:
        return
    if status in _BEHIND_A_PROXY:
        raise Unanswered(f"HTTP {status}：代理没有等到回执，消息可能已经送达")
    if status == 429:
        raise Throttled("HTTP 429：发得太快", _retry_after(reply))
    if status == 408 or status >= 500 or 300 <= status < 400:
        raise Unavailable(f"HTTP {status}：对方暂时不接收")
    if status in _THIS_REQUEST:
        raise Rejected(f"HTTP {status}：对方不接受这条请求")
    if 400 <= status < 500:
        raise Denied(f"HTTP {status}：地址、令牌或权限不对")
    raise Unreadable(f"HTTP {status}：不是约定的回执")


def _retry_after(reply: Reply) -> timedelta:
    """The `Retry-After` in seconds, at most an hour; a minute when it says nothing usable."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    seconds = headers.get("retry-after", "").strip()
    if seconds.isascii() and seconds.isdigit():
        return timedelta(seconds=min(max(int(seconds[:9]), 1), 3600))
    return MINUTE
