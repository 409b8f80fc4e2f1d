"""Accounts at tracking providers and robots in chats: an adapter with what the owner says of it.

An adapter's dataclass fields are its settings (`carriers/base.py`, `notifiers/base.py`), so a new
adapter is configurable without a line here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import carriers.base
import notifiers.base
from carriers.base import Ceilings, Provider
from carriers.push import Pusher
from domain.orders import UNNAMED
from domain.remote import Secret
from domain.time import format_duration
from monitor.config.adapters import built, settings_of
from monitor.config.lines import KeyPath
from monitor.config.shapes import (
    Reading,
    Setting,
    Shape,
    Table,
    leaf,
    listed,
    read_table,
    table,
    table_schema,
    tables_by,
)
from monitor.config.values import BOOLEAN, DURATION, LAG, PRICE, SECRET, TEXT, URL, choice, integer, number
from monitor.config.words import carrier, named
from notifiers.base import Notifier

__all__ = [
    "BUDGET",
    "CEILINGS",
    "Budget",
    "Channel",
    "ProviderAccount",
    "channel_kinds",
    "channels",
    "on_loopback",
    "provider_kinds",
    "providers",
    "secrets_of",
]


@dataclass(frozen=True, slots=True)
class Budget:
    """What the owner will spend at most, in yuan; None: no limit."""

    per_day: Decimal | None = None
    per_month: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """One `[[providers]]` table."""

    name: str
    kind: str
    provider: Provider
    carriers: frozenset[str]
    """Our carrier keys; `{"*"}` for all."""
    ceilings: Ceilings
    refresh_lag: timedelta
    price: Decimal | None = None
    """Yuan for one query, number or registration (`Provider.billing`), where the owner said so."""
    budget: Budget | None = None
    """None: as much as it takes."""
    push: bool = False
    """Its pushes are taken, and asked for where it has to be told what to push."""
    callback_url: str = ""
    """Where it pushes, if not to the console's public address."""
    callback_key: Secret | None = None
    """Stands in the address of its pushes: whoever does not know it is not listened to."""
    second: bool = False
    """Asked for second opinions only (`monitor/polling/second.py`), never first."""

    def serves(self, carrier: str) -> bool:
        """This account may be asked about parcels of `carrier` (our key); one that only pushes about none.

        Of a carrier that its service knows nothing of, `*` or not, it is not: the next account's turn.
        """
        return not self.second and self._answers(carrier)

    def seconds(self, carrier: str) -> bool:
        """This account may be asked for a second opinion on parcels of `carrier` (our key)."""
        return self.second and self._answers(carrier)

    def _answers(self, carrier: str) -> bool:
        if carrier == UNNAMED:  # whose the number is has to be known before anybody is paid for an answer
            return False
        named = carrier in self.carriers or "*" in self.carriers
        return named and self.provider.asks and carriers.base.serves(self.provider, carrier)

    def pushes(self, carrier: str) -> bool:
        """This account is to push news of parcels of `carrier` (our key)."""
        return self.push and (carrier in self.carriers or "*" in self.carriers)

    def callback(self, public_url: str) -> str:
        """The whole address for its pushes, with the key; empty where nobody said how we are reached."""
        url = self.callback_url or (public_url and f"{public_url.rstrip('/')}/callbacks/{quote(self.name)}")
        if not url or not self.callback_key:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode({'key': self.callback_key.reveal()})}"


@dataclass(frozen=True, slots=True)
class Channel:
    """One `[[channels]]` table."""

    name: str
    kind: str
    notifier: Notifier
    fallback: str = ""
    """The channel that is told instead while this one cannot speak."""


_NAME: Final = re.compile(r"[\w.-]{1,64}")


def _account_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("名字要用文字、数字、点、- 或 _，不超过 64 个字（它会出现在网址和日志里）")
    return value


NAME: Final = leaf(_account_name, type="string", pattern=r"^[^\s/]{1,64}$")
CEILINGS: Final[Table] = {
    "per_waybill_interval": Setting(DURATION, "同一单号两次查询至少隔多久", None),
    "per_waybill_daily": Setting(integer(1), "同一单号 24 小时内最多查几次", None),
    "per_second": Setting(number(0), "每秒最多几次查询", None),
    "concurrency": Setting(integer(1), "同时进行的查询最多几个", None),
}
BUDGET: Final[Table] = {
    "per_day": Setting(PRICE, "一天（北京时间）最多花多少元", None),
    "per_month": Setting(PRICE, "一个月（北京时间）最多花多少元", None),
}
_SERVED: Final = listed(
    named(lambda reading, path, text: text if text == "*" else carrier(reading, path, text))
)
_COMMON: Final[Table] = {
    "name": Setting(NAME, "账号的名字，不能重复"),
    "carriers": Setting(_SERVED, '查哪些快递公司；["*"] 是全部；同一家以写在前面的账号为准', ()),
    "ceilings": Setting(table(CEILINGS), "查询上限；不写则用服务商自己的", None),
    "price": Setting(PRICE, "每次查询（按单号、按登记收费的服务商：每个单号）多少元，用来统计花费", None),
    "budget": Setting(table(BUDGET), "最多花多少元；不写则不限。要同时写 price", None),
    "refresh_lag": Setting(LAG, "服务商比快递公司最多晚多久；不写则用服务商自己的", None),
    "second": Setting(BOOLEAN, "true：只用来核对（[second_opinion]），从不先问它", False),
}


PUSHING: Final[Table] = {
    "push": Setting(BOOLEAN, "true：接收这个账号的推送（需要订阅的会自动订阅）", False),
    "callback_url": Setting(URL, "推送发到哪个网址；不写就是 public_url 加 /callbacks/账号名", ""),
    "callback_key": Setting(SECRET, "写进推送网址的密钥（?key=…）；没有签名的推送必须有", None),
}
"""Of kinds that push."""


def provider_kinds() -> dict[str, Table]:
    """The settings of a `[[providers]]` table, for each kind."""
    return {
        kind: settings_of(kind, cls, {**_COMMON, **PUSHING} if hasattr(cls, "receive") else _COMMON)
        for kind, cls in sorted(carriers.base.kinds().items())
    }


def channel_kinds(names: Collection[str] | None = None) -> dict[str, Table]:
    """The settings of a `[[channels]]` table, for each kind; `names` are the channels there are."""
    fallback = TEXT if names is None else choice(sorted(names), "渠道")
    common = {
        "name": Setting(NAME, "渠道的名字，不能重复"),
        "fallback": Setting(fallback, "它发不出去时改由哪个渠道说", ""),
    }
    return {kind: settings_of(kind, cls, common) for kind, cls in sorted(notifiers.base.kinds().items())}


def providers() -> Shape:
    """`[[providers]]`; reads as a list of accounts, None for one with mistakes."""
    kinds = provider_kinds()
    return tables_by(lambda reading, path, value: _provider(reading, path, value, kinds), _one_of(kinds))


def channels(names: Collection[str] | None = None) -> Shape:
    """`[[channels]]`; reads as a list of channels, None for one with mistakes."""
    kinds = channel_kinds(names)
    return tables_by(lambda reading, path, value: _channel(reading, path, value, kinds), _one_of(kinds))


def _one_of(kinds: Mapping[str, Table]) -> dict[str, Any]:
    return {
        "type": "object",
        "oneOf": [{"title": kind, **table_schema(each)} for kind, each in kinds.items()],
    }


def _provider(
    reading: Reading, path: KeyPath, value: Mapping[str, Any], kinds: Mapping[str, Table]
) -> ProviderAccount | None:
    """One account, or None with its mistakes noted."""
    made = _made(reading, path, value, kinds, carriers.base.kinds())
    if made is None:
        return None
    adapter, got = made
    said = {key: each for key, each in (got["ceilings"] or {}).items() if each is not None}
    ceilings = dataclasses.replace(adapter.ceilings, **said)
    if not on_loopback(adapter):
        _within(reading, (*path, "ceilings"), ceilings, adapter.ceilings)
    lag = got["refresh_lag"]
    if got.get("push") and isinstance(adapter, Pusher) and not (adapter.signed or got["callback_key"]):
        reading.problems.at((*path, "push"), _unproven(kinds[got["kind"]]))
    if not adapter.asks and not got.get("push"):
        reading.problems.at((*path, "push"), "这种账号只推送，不能查询：请写 push = true")
    if got["second"] and (got.get("push") or not adapter.asks):
        reading.problems.at((*path, "second"), "用来核对的账号只查询，不接收推送：请去掉 push 或 second")
    return ProviderAccount(
        name=got["name"],
        kind=got["kind"],
        provider=adapter,
        carriers=frozenset(got["carriers"]),
        ceilings=ceilings,
        refresh_lag=adapter.refresh_lag if lag is None else lag,
        price=got["price"],
        budget=None if got["budget"] is None else Budget(**got["budget"]),
        second=got["second"],
        **{name: got[name] for name in PUSHING if name in got},
    )


def _channel(
    reading: Reading, path: KeyPath, value: Mapping[str, Any], kinds: Mapping[str, Table]
) -> Channel | None:
    """One channel, or None with its mistakes noted."""
    made = _made(reading, path, value, kinds, notifiers.base.kinds())
    return None if made is None else Channel(made[1]["name"], made[1]["kind"], made[0], made[1]["fallback"])


def secrets_of(adapter: object) -> tuple[Secret, ...]:
    """The settings of an adapter that are nobody's business."""
    values = (getattr(adapter, name) for name in getattr(adapter, "__dataclass_fields__", ()))
    return tuple(value for value in values if isinstance(value, Secret) and value)


def on_loopback(adapter: object, field: str = "base_url") -> bool:
    """It talks to this machine: a rehearsal, so the service's own limits do not hold."""
    value = getattr(adapter, field, "")
    host = urlsplit(value.reveal() if isinstance(value, Secret) else str(value)).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _unproven(kind: Table) -> str:
    """Why its pushes cannot be told from anybody's."""
    salt = "请设 salt（快递100 用它签名），或" if "salt" in kind else "请"
    return f"这个账号的推送没有签名，谁都可以冒充：{salt}设 callback_key，让推送网址里带上密钥"


def _within(reading: Reading, path: KeyPath, said: Ceilings, own: Ceilings) -> None:
    """Note a limit per waybill that the provider does not allow: it would lock the number."""
    if said.per_waybill_interval < own.per_waybill_interval:
        least = format_duration(own.per_waybill_interval)
        reason = f"服务商要求同一单号至少隔 {least}，再短会被锁单；请写 {least} 或更长"
        reading.problems.at((*path, "per_waybill_interval"), reason)
    if said.per_waybill_daily > own.per_waybill_daily:
        reason = f"服务商同一单号一天最多 {own.per_waybill_daily} 次，再多会被锁单；请写 {own.per_waybill_daily} 或更少"
        reading.problems.at((*path, "per_waybill_daily"), reason)


def _made(
    reading: Reading,
    path: KeyPath,
    value: Mapping[str, Any],
    kinds: Mapping[str, Table],
    classes: Mapping[str, type[Any]],
) -> tuple[Any, dict[str, Any]] | None:
    """An adapter and its table's settings, or None with the mistakes noted."""
    before = len(reading.problems)
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        known = {"kind": Setting(choice(list(kinds), "类型"), "类型")}
        # Of an unknown kind nothing else can be judged.
        read_table(reading, path, {key: each for key, each in value.items() if key == "kind"}, known)
        return None
    cls, got = classes[kind], read_table(reading, path, value, kinds[kind])
    own = {field.name for field in dataclasses.fields(cls) if field.init and field.name not in _COMMON}
    if any(got[name] is None and kinds[kind][name].default is not None for name in own):
        return None
    adapter = built(reading, path, cls, {name: got[name] for name in own})
    return None if adapter is None or len(reading.problems) > before else (adapter, got)
