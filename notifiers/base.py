"""What every notifier is, and how it is found.

Adding a chat platform is one file in this folder: a frozen dataclass whose fields are its settings,
marked `@notifier("kind")`. Waiting, repeats, digests and "said it already" belong to `deliver`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from domain.messages import Message, Receipt
from domain.remote import Conversation

__all__ = ["Notifier", "Pace", "kinds", "notifier"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a robot may speak: facts about the platform, a little under its own limit."""

    sends: int
    """At most this many in any `window`."""
    window: timedelta
    reserved: int = 0
    """How many of them are kept for critical messages."""
    gap: timedelta = timedelta(0)
    """The least time between two sends."""
    repeats_after_unknown: int = 3
    """How often a message whose receipt was lost may be said again."""


class Notifier(Protocol):
    """One robot in one group. Its dataclass fields are its settings."""

    @property
    def kind(self) -> str:
        """The name in the configuration."""

    @property
    def pace(self) -> Pace:
        """The platform's limits."""

    @property
    def robot(self) -> str:
        """Which robot this is, without giving its secret away: channels of one robot share a pacer."""

    def send(self, message: Message, now: datetime) -> Conversation[Receipt]:
        """Say it once. Returns when the platform said yes; HTTP 200 alone does not.

        Raises a `RemoteError` whose `outcome` tells refused for good, for now, and unknown apart.
        """


_KINDS: Final[dict[str, type[Notifier]]] = {}
N = TypeVar("N", bound=type)


def notifier(kind: str) -> Callable[[N], N]:
    """Register a notifier class under the name used in the configuration."""

    def register(cls: N) -> N:
        if kind in _KINDS:
            raise ValueError(f"two notifiers are called {kind!r}")
        cls.kind = kind  # type: ignore[attr-defined]
        _KINDS[kind] = cls
        return cls

    return register


def kinds() -> Mapping[str, type[Notifier]]:
    """Every notifier in this folder, by kind."""
    for module in pkgutil.iter_modules([*__import__("notifiers").__path__]):
        importlib.import_module(f"notifiers.{module.name}")
    return MappingProxyType(_KINDS)
