"""What `check` says of pushes: the address to give to the provider, and what keeps them from coming."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from carriers.push import Subscriber
from monitor.config.accounts import ProviderAccount, on_loopback
from monitor.config.lines import KeyPath
from monitor.config.settings import Settings

__all__ = ["addresses", "odd_pushes"]


def addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each account that pushes with the address for it; the key is not shown."""
    for account in settings.providers:
        url = account.callback(settings.web.public_url)
        if account.push and url:
            key = account.callback_key
            yield account.name, url.partition("key=")[0] + "key=***" if key else url


def odd_pushes(settings: Settings) -> Iterator[tuple[KeyPath, str, str]]:
    """Where, what is odd, what to do."""
    for n, account in enumerate(settings.providers):
        path: KeyPath = ("providers", n)
        if account.push:
            yield from _pushed(settings, account, path)
        elif account.callback_url or account.callback_key:
            name = "callback_url" if account.callback_url else "callback_key"
            yield (*path, name), f"{account.name} 写了推送网址，却不接收推送", "写 push = true，或删掉这一行"


def _pushed(
    settings: Settings, account: ProviderAccount, path: KeyPath
) -> Iterator[tuple[KeyPath, str, str]]:
    name, where = account.name, (*path, "push")
    if not settings.web.enabled:
        yield where, f"{name} 要接收推送，可是控制台没有开，没有地方接收", "把 [web] 的 enabled 改成 true"
    url = account.callback(settings.web.public_url)
    if not url and isinstance(account.provider, Subscriber):
        todo = "在 [web] 写 public_url，或给这个账号写 callback_url"
        yield where, f"{name} 要接收推送，可是不知道从外面怎么找到我们，不会订阅", todo
    if url and not on_loopback(account.provider) and _inside(url):
        yield (
            where,
            f"{name} 的推送网址 {urlsplit(url).hostname} 是内网地址，服务商到不了",
            "写公网能到的网址",
        )
    if account.callback_url and not urlsplit(account.callback_url).path.endswith(f"/callbacks/{quote(name)}"):
        todo = f"让反向代理把它转到 /callbacks/{name}，或改成以它结尾的网址"
        yield (*path, "callback_url"), f"{name} 的推送网址不以 /callbacks/{name} 结尾", todo


def _inside(url: str) -> bool:
    """An address that nobody reaches from outside."""
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host
