"""The console's place in the daemon: its socket, its site, and what is said when it cannot be had."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import structlog

from monitor.config.service import Web
from monitor.web.context import Context

__all__ = ["Console", "PortTaken", "bind", "console"]

log = structlog.get_logger()
OURS: Final = ("domain", "carriers", "rules", "notifiers", "monitor")


class PortTaken(Exception):
    """The console cannot listen where the configuration says; the text is for the operator, who acts."""


Serve: TypeAlias = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


@dataclass
class Console:
    """A site on a bound socket."""

    url: str
    serve: Serve
    """Until the event is set; the socket is closed then."""
    stopped: bool = False
    """It ended though nobody asked it to."""


def console(web: Web, context: Context) -> Console | None:
    """The console on its port, or None where it is switched off or not installed, which is said.

    Raises `PortTaken`.
    """
    if not web.enabled:
        return None
    try:
        from monitor.web.server import serve
        from monitor.web.site import make_site
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        log.warning(
            "no console: it is not installed", missing=error.name, todo="pip install 'parcelwatch[console]'"
        )
        return None
    sock = bind(web)

    async def served(until: asyncio.Event) -> None:
        with sock:  # whatever happens, nobody is left waiting in front of it
            await serve(make_site(context), sock, until)

    url = _url(sock)
    log.info("console", url=url)
    return Console(url, served)


def bind(web: Web) -> socket.socket:
    """The console's socket, listening. Raises `PortTaken`."""
    try:
        family, *_, address = socket.getaddrinfo(web.host, web.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise PortTaken(_why(web, error)) from None


def _why(web: Web, error: OSError) -> str:
    where = f"控制台不能在 {web.host}:{web.port} 上听"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where}：端口已被别的程序占用（ss -ltnp 'sport = :{web.port}' 可以看是谁）。"
            "请停掉它，或在配置的 [web] 里换一个 port（0 是任选空闲端口），或写 enabled = false 不要控制台。"
        )
    if error.errno == errno.EACCES:
        return f"{where}：1024 以下的端口要特权。请在配置的 [web] 里换一个 port，如 8000。"
    return f"{where}：{error.strerror or error}。请检查配置里 [web] 的 host，一般写 127.0.0.1。"


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
