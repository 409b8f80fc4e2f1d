"""What every adapter does with a reply before it reads it: HTTP first, and nothing of ours in an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from domain.remote import RemoteError, Reply, Secret, Throttled, Unavailable, Unreadable

__all__ = ["opened", "starring"]


def opened(reply: Reply, who: str) -> Mapping[str, Any]:
    """The JSON object of a reply with HTTP 200; `who` is the service as people read it.

    Raises `Throttled` for 429, `Unavailable` for 5xx, `Unreadable` for everything else.
    """
    if reply.status == 429:
        raise Throttled(f"{who} 说请求太快（HTTP 429）", timedelta(minutes=1))
    if reply.status >= 500:
        raise Unavailable(f"{who} 服务器错误（HTTP {reply.status}）")
    body = reply.json()
    if reply.status != 200 or not isinstance(body, dict):
        raise Unreadable(f"{who} 的回答不在文档中（HTTP {reply.status}，{type(body).__name__}）")
    return body


@contextmanager
def starring(secrets: Iterable[Secret | None]) -> Iterator[None]:
    """Whatever the service says of us is starred before it becomes a message."""
    try:
        yield
    except RemoteError as error:
        for secret in secrets:
            if secret:
                error.args = tuple(str(arg).replace(secret.reveal(), "***") for arg in error.args)
        raise
