"""What every adapter does with a reply before it reads it: HTTP first, and nothing of ours in an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from domain.masking import clean, safe_text
from domain.remote import Denied, RemoteError, Reply, Secret, Throttled, Unavailable, Unreadable

__all__ = ["decoded", "nested", "opened", "refused", "starring", "truth"]

_XML_SAYS: Final = re.compile(r"<(?:reason|errorMsg|message)>([^<]{1,200})</")
_OF_ACCOUNT: Final = re.compile(r"签名|验签|密钥|白名单|(?<![a-z])(?:sign|ip)(?![a-z])", re.IGNORECASE)
"""Short parts of texts that speak of the account; whatever may be one number's fault is not among them."""


def decoded(reply: Reply, who: str) -> Any:
    """The JSON of a reply with HTTP 200, whatever its type; `who` is the service as people read it.

    Raises `Throttled` for 429, `Unavailable` for 5xx, as `refused` for an error in XML, else `Unreadable`.
    """
    if reply.status == 429:
        raise Throttled(f"{who} 说请求太快（HTTP 429）", timedelta(minutes=1))
    if reply.status >= 500:
        raise Unavailable(f"{who} 服务器错误（HTTP {reply.status}）")
    if reply.status == 200 and reply.content.lstrip()[:1] == b"<":
        told = _XML_SAYS.search(reply.content[:5000].decode("utf-8", "replace"))
        if told:
            raise refused(who, "", told[1])
    body = reply.json()
    if reply.status != 200:
        raise Unreadable(f"{who} 的回答不在文档中（HTTP {reply.status}，{type(body).__name__}）")
    return body


def opened(reply: Reply, who: str) -> Mapping[str, Any]:
    """The JSON object of a reply; everything else raises as `decoded` does."""
    body = decoded(reply, who)
    if not isinstance(body, dict):
        raise Unreadable(f"{who} 的回答不在文档中（HTTP {reply.status}，{type(body).__name__}）")
    return body


def refused(who: str, code: str, said: object) -> RemoteError:
    """A refusal of a service whose codes are known in part: the account's where its words say so.

    Everything else is not in the manual and is kept to be read (`facts/carriers-cn-express.md`, at the head).
    """
    words = safe_text(str(said or ""), 120)
    if _OF_ACCOUNT.search(words):
        return Denied(f"{who}不认账号，请检查密钥和 IP 白名单（{clean(code, 20)}：{words}）")
    return Unreadable(f"{who}没有给轨迹，原因不在文档中（{clean(code, 20)}：{words}）")


def truth(value: object) -> bool | None:
    """A boolean, also as text (`"true"`); None for what is neither."""
    said = value.strip().lower() if isinstance(value, str) else value
    return True if said is True or said == "true" else False if said is False or said == "false" else None


def nested(said: object, what: str) -> Mapping[str, Any]:
    """An object that may stand there as its JSON text. Raises `Unreadable` for anything else."""
    body = Reply(200, said.encode("utf-8", "replace")).json() if isinstance(said, str) else said
    if not isinstance(body, dict):
        raise Unreadable(f"{what} 不是 JSON 对象")
    return body


@contextmanager
def starring(secrets: Iterable[Secret | None]) -> Iterator[None]:
    """Whatever the service says of us is starred before it becomes a message."""
    try:
        yield
    except RemoteError as error:
        for secret in secrets:
            if secret:
                error.args = tuple(_starred(str(arg), secret.reveal()) for arg in error.args)
        raise


def _starred(text: str, secret: str) -> str:
    """`text` without the secret, also where the text was cut in the middle of it."""
    text = text.replace(secret, "***")
    for end in range(len(secret) - 1, 3, -1):
        text = text.replace(f"{secret[:end]}…", "***…")
    return text
