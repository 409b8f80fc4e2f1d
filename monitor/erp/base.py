"""What every order source is, and how it is found.

Adding an ERP is one file in this folder: a frozen dataclass whose fields are its settings, marked
`@order_source("kind")`. Nothing else is edited; `kinds()` finds it. An adapter opens no connection: it writes
conversations (`domain.remote`), one page at a time, from a cursor that the puller keeps with what the page held.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, TypeVar, runtime_checkable

from domain.remote import Conversation, Denied, Secret

__all__ = [
    "Cursor",
    "Expired",
    "Grant",
    "OrderSource",
    "Outbound",
    "Page",
    "Parcel",
    "Poisoned",
    "Standing",
    "TokenHolder",
    "kinds",
    "order_source",
    "strays",
]

Cursor: TypeAlias = Mapping[str, Any]
"""How far a source was read, as JSON of the adapter's own making; `{"from": …}` to begin with."""


class Standing(StrEnum):
    """Where an outbound document stands."""

    SHIPPED = "shipped"
    PENDING = "pending"
    """Not shipped yet: nothing of it is kept."""
    GONE = "gone"
    """Cancelled or deleted: its waybills are nobody's any more."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A waybill of a document."""

    waybill_no: str
    carrier: str = ""
    """Our key; empty where nothing told whose number it is."""
    named: str = ""
    """The carrier as the ERP calls it."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One outbound document (出库单) as the source tells it now. No receiver's name, address or phone."""

    number: str
    """Names the document for ever within its source."""
    standing: Standing
    orders: tuple[str, ...]
    """The ERP's own order numbers inside."""
    platform_orders: tuple[str, ...] = ()
    shop_id: str = ""
    shop: str = ""
    parcels: tuple[Parcel, ...] = ()
    shipped_at: datetime | None = None
    """When the warehouse scanned it out: a claim of the shop, no scan of the carrier."""
    warehouse: str = ""
    version: int = 0
    """Of two tellings of one document the greater is the later one; 0 where the source does not say."""
    adds: bool = False
    """Only more waybills of a document that is told of elsewhere; the rest of the fields says nothing."""


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A row nobody can read: put aside, while the rest of its page is kept."""

    number: str
    """The document's, where that much could be read."""
    why: str
    body: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """What one page held and how to go on."""

    documents: tuple[Outbound, ...]
    cursor: Cursor
    more: bool
    """There is more to read at once; else the source has told all it has."""
    proven_until: datetime | None = None
    """Everything the shop did until then has been read, this page included. None: nothing new is proven."""
    poisoned: tuple[Poisoned, ...] = ()
    unknown: tuple[str, ...] = ()
    """States that are in no table (L7)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Access that the service gives for a time. Whoever holds it alone may renew it."""

    access: Secret
    refresh: Secret | None = None
    expires_at: datetime | None = None


class Expired(Denied):
    """The service does not take the token any more: renew it once, then ask again."""


class OrderSource(Protocol):
    """An ERP account. Its dataclass fields are its settings."""

    @property
    def kind(self) -> str:
        """The name in the configuration."""

    @property
    def longest(self) -> timedelta:
        """The longest time one question may span."""

    @property
    def overlap(self) -> timedelta:
        """How far each pull reads back behind the last one: what turns up late is found there."""

    @property
    def withheld(self) -> str:
        """Whose orders the service does not give out, as people read it."""

    @property
    def uncertain(self) -> tuple[str, ...]:
        """What nobody has confirmed of the service, as people read it."""

    @property
    def fields(self) -> frozenset[str]:
        """The fields of its answers that it reads: the only ones whose values are kept of what nobody can read."""

    def pull(self, cursor: Cursor, now: datetime, held: Grant | None) -> Conversation[Page]:
        """The next page from the cursor on. `held` is the access of a `TokenHolder`, else None.

        Raises a `RemoteError`: an error never passes for an empty page, nor a page that comes again for news.
        """


@runtime_checkable
class TokenHolder(Protocol):
    """An account whose access lapses."""

    def seed(self) -> Grant | None:
        """The access written in the configuration; None where there is none."""

    def stale(self, held: Grant | None, now: datetime) -> bool:
        """It is time to renew."""

    def renew(self, held: Grant | None, now: datetime) -> Conversation[Grant]:
        """New access. The old one may be void from that moment on: keep what this returns before using it."""


FAR: Final = 2
"""A version that is more than so many times another is of another count: begun anew, or nonsense."""


def strays(version: int, other: int) -> bool:
    """`version` is too far above `other` for one count to have come from there to here."""
    return version > other * FAR


_KINDS: Final[dict[str, type[OrderSource]]] = {}
S = TypeVar("S", bound=OrderSource)


def order_source(kind: str) -> Callable[[type[S]], type[S]]:
    """Register an adapter class under the name used in the configuration; mypy checks the contract there."""

    def register(cls: type[S]) -> type[S]:
        if kind in _KINDS:
            raise ValueError(f"two order sources are called {kind!r}")
        cls.kind = kind  # type: ignore[method-assign, assignment]
        _KINDS[kind] = cls
        return cls

    return register


def kinds() -> Mapping[str, type[OrderSource]]:
    """Every order source in this folder, by kind."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules([*importlib.import_module(package).__path__]):
        importlib.import_module(f"{package}.{module.name}")
    return MappingProxyType(_KINDS)
