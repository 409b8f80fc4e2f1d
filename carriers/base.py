"""What every provider adapter is, and how it is found.

Adding a provider is one file in this folder: a frozen dataclass whose fields are its settings,
marked `@provider("kind")`. Nothing else is edited; `kinds()` finds it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, TypeVar, runtime_checkable

from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Secret
from domain.tracking import Answer

__all__ = [
    "Billing",
    "Ceilings",
    "Guess",
    "Provider",
    "Question",
    "Recogniser",
    "billed_for",
    "kinds",
    "provider",
    "rhythm",
    "serves",
]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """How often a provider may be asked; facts about the service, overridable in the configuration."""

    per_waybill_interval: timedelta
    per_waybill_daily: int
    per_second: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Question:
    """One waybill to ask about."""

    waybill: Waybill
    phone_tail: Secret | None = None
    """Last four digits of sender or receiver, where the carrier checks them."""
    origin: str = ""
    destination: str = ""
    """Province and city, where they help the provider judge."""
    asked_before: datetime | None = None
    """When it was last asked about; None where nobody has answered yet, so that this may be the first time the
    account hears of the number."""


class Billing(StrEnum):
    """What costs money; a fact about the service."""

    QUERY = "query"
    """Every answer."""
    NUMBER = "number"
    """The first answer with scans about a number, then nothing for the provider's `billed_for`."""
    REGISTRATION = "registration"
    """Putting a number on its list; reading is free."""
    FREE = "free"


class Provider(Protocol):
    """A tracking provider's account. Its dataclass fields are its settings."""

    @property
    def kind(self) -> str:
        """The name in the configuration."""

    @property
    def ceilings(self) -> Ceilings:
        """The provider's own limits."""

    @property
    def batch(self) -> int:
        """How many waybills one `ask` may hold."""

    @property
    def refresh_lag(self) -> timedelta:
        """How far behind the carrier the provider's answer may be: silence is proven that much earlier."""

    @property
    def asks(self) -> bool:
        """It can be asked. False: it only pushes, so no question goes to it and it proves no silence (L1);
        its `ask` then gives a `Rejected` in each place, without a request."""

    @property
    def billing(self) -> Billing:
        """What the account's `price` is paid for."""

    @property
    def uncertain(self) -> tuple[str, ...]:
        """What nobody has confirmed of the service, as people read it: a guess that stays a guess."""

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[Sequence[Answer | Rejected]]:
        """Ask about up to `batch` waybills; one answer per question, in order.

        Raises a `RemoteError` when there is no answer: an error never passes for an empty history. What is
        one number's fault among several is said in its place, and costs the others nothing.
        """

    def needs_phone(self, carrier: str) -> bool:
        """The carrier answers only with the last digits of a phone."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A carrier that may have issued a number."""

    carrier: str
    """Our carrier key."""
    confidence: float
    """0 to 1; a provider's list without figures: the first 0.8, then falling."""
    source: str
    """`shape`, or the account that said so."""


@runtime_checkable
class Recogniser(Protocol):
    """An account that can be asked who issued a number."""

    @property
    def recognises(self) -> bool:
        """Its owner wants it asked: it may cost, or go a way that not everybody likes."""

    def recognise(self, waybill_no: str, now: datetime) -> Conversation[Sequence[Guess]]:
        """The likeliest first, possibly none. Raises a `RemoteError`."""


def serves(provider: Provider, carrier: str) -> bool:
    """It can be asked about this carrier (our key) at all; an adapter that does not say (`serves`) can."""
    said = getattr(provider, "serves", None)
    return True if said is None else bool(said(carrier))


def billed_for(provider: Provider) -> timedelta:
    """For how long a number that was charged for is free (`billed_for`); an adapter that does not say: for good."""
    said: timedelta = getattr(provider, "billed_for", _FOR_GOOD)
    return said


def rhythm(provider: Provider) -> timedelta:
    """How often the service reads the carrier itself (`rhythm`), so that asking sooner tells nothing new.

    Zero where it reads the carrier when it is asked, or nobody knows.
    """
    said: timedelta = getattr(provider, "rhythm", timedelta(0))
    return said


_FOR_GOOD: Final = timedelta(days=36_500)
_KINDS: Final[dict[str, type[Provider]]] = {}
P = TypeVar("P", bound=Provider)


def provider(kind: str) -> Callable[[type[P]], type[P]]:
    """Register an adapter class under the name used in the configuration; mypy checks the contract there."""

    def register(cls: type[P]) -> type[P]:
        if kind in _KINDS:
            raise ValueError(f"two providers are called {kind!r}")
        cls.kind = kind  # type: ignore[method-assign, assignment]
        _KINDS[kind] = cls
        return cls

    return register


def kinds() -> Mapping[str, type[Provider]]:
    """Every provider in this folder, by kind."""
    for module in pkgutil.iter_modules([*__import__("carriers").__path__]):
        importlib.import_module(f"carriers.{module.name}")
    return MappingProxyType(_KINDS)
