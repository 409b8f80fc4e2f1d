"""The dead man's switch: an outside check is called on while all is well, and raises the alarm when we fall silent.

A machine that is off, a network that is gone or a daemon that hangs cannot tell anybody. So somebody outside has to
miss us. Nothing is assumed of the service but that a GET of its address is a sign of life: no `/fail`, no `/start`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from domain.remote import Conversation, Rejected, RemoteError, Request, Secret
from monitor.net import Net

__all__ = ["ACCOUNT", "Pinger"]

log = structlog.get_logger()
ACCOUNT: Final = "deadman"
"""Its name among the accounts that the network is asked for."""


class Pinger:
    """Says that we live, for as long as nothing is wrong."""

    def __init__(self, url: Secret, net: Net, unwell: Callable[[], Sequence[str]]) -> None:
        """`unwell` tells what is wrong now; while it tells anything, nothing is said outside."""
        self._url = url
        self._net = net
        self._unwell = unwell
        self._held = False
        self._failing = ""

    async def tick(self) -> bool:
        """One sign of life; True when the check has it. A silence is logged when it begins and when it ends."""
        problems = self._unwell()
        if problems:
            if not self._held:
                log.warning("outside check is not called: something is wrong", problems=list(problems))
            self._held = True
            return False
        if self._held:
            log.info("outside check is called again")
        self._held = False
        try:
            await self._net.converse(_ping(self._url), account=ACCOUNT, lanes=1)
        except RemoteError as error:
            self._failed(f"{type(error).__name__}: {error}")
            return False
        if self._failing:
            log.info("outside check answers again")
        self._failing = ""
        return True

    def _failed(self, why: str) -> None:
        if not self._failing:
            log.warning("outside check does not answer", why=why)
        self._failing = why


def _ping(url: Secret) -> Conversation[None]:
    reply = yield Request("GET", url.reveal(), secrets=(url,))
    if not 200 <= reply.status < 300:
        raise Rejected(f"HTTP {reply.status}")
