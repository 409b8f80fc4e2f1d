"""Calling on every service of a configuration, without saying anything: does it answer, and what time does it have?

A `HEAD` of the front page, no path (a robot's is its password), no key. Whatever is answered, it is there; its `Date`
is held against our clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from domain.remote import Conversation, RemoteError, Request, Secret
from monitor.checking.lint import CheckLine
from monitor.clock import Clock
from monitor.config.lines import KeyPath
from monitor.config.settings import Settings
from monitor.net import CallRecord, Net, Timeouts
from monitor.telling.wording import hours

__all__ = ["reach"]

_PATIENCE: Final = Timeouts(
    connect=timedelta(seconds=5), read=timedelta(seconds=5), total=timedelta(seconds=8)
)
_OFF: Final = timedelta(seconds=30)
"""A clock that is further off than this is set by nobody; a `Date` has whole seconds and travels for one or two."""


@dataclass(frozen=True, slots=True)
class _Peer:
    name: str
    url: str
    """Its front page."""
    path: KeyPath

    @property
    def place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def reach(settings: Settings) -> list[CheckLine]:
    """A line for each provider account, channel and outside check, and one for the clock. Nothing is sent or asked."""
    clock = Clock()

    def heard(call: CallRecord) -> None:
        if call.date:
            clock.witness(call.account, call.date)

    async def call() -> list[CheckLine]:
        net = Net(timeout=_PATIENCE, on_call=heard)
        try:
            calls = [_call(net, peer, settings.written.lines.of(peer.path)) for peer in _peers(settings)]
            return list(await asyncio.gather(*calls))
        finally:
            await net.close()

    lines = asyncio.run(call())
    return [*lines, *_clock(clock, any(each.level == "ok" for each in lines))]


async def _call(net: Net, peer: _Peer, line: int) -> CheckLine:
    try:
        await net.converse(_front_page(peer.url), account=peer.name, tries=1)
    except RemoteError as error:
        todo = "检查网络、DNS、防火墙和证书"
        why = str(error).removeprefix("连不上 ") or type(error).__name__
        return CheckLine("fail", f"{peer.name} 连不上 {peer.place}：{why}", todo, line)
    return CheckLine("ok", f"{peer.name} 连得上 {peer.place}")


def _front_page(url: str) -> Conversation[None]:
    yield Request("HEAD", url)


def _peers(settings: Settings) -> Iterator[_Peer]:
    for n, account in enumerate(settings.providers):
        if url := _front(account.provider):
            yield _Peer(account.name, url, ("providers", n))
    for n, source in enumerate(settings.order_sources):
        if url := _front(source.source):
            yield _Peer(source.name, url, ("order_sources", n))
    for n, channel in enumerate(settings.channels):
        if url := _front(channel.notifier):
            yield _Peer(channel.name, url, ("channels", n))
    if settings.deadman.url is not None and (url := _front(settings.deadman)):
        yield _Peer("deadman", url, ("deadman", "url"))


def _front(adapter: object) -> str:
    """Scheme, host and port of whichever field holds an address; nothing else of it."""
    for field in ("base_url", "url", "webhook"):
        value = getattr(adapter, field, "")
        parts = urlsplit(value.reveal().strip() if isinstance(value, Secret) else str(value))
        if parts.scheme in ("http", "https") and parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/"
    return ""


def _clock(clock: Clock, anybody: bool) -> Iterator[CheckLine]:
    """How our clock stands to the nearest of those that were heard."""
    if not anybody:
        return
    ahead = clock.offset
    if abs(ahead) <= _OFF:
        yield CheckLine("ok", f"本机时钟与各服务的时间一致（相差 {abs(ahead).total_seconds():.0f} 秒）")
        return
    yield CheckLine(
        "warn",
        f"本机时钟{'快' if ahead > timedelta(0) else '慢'}了 {hours(abs(ahead))}",
        "开启对时：timedatectl set-ntp true；不对准不会误报，但告警可能迟到",
    )
