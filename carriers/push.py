"""News that come to us: what a pusher is, beside what it can be asked.

A provider that pushes has `receive`: the signature first, over the very bytes and in constant time, then the news
and the exact reply the pusher expects. One that has to be told what to push also has `subscribe`. Both are
optional: an adapter that lacks them is only asked. Where looking at the signature is much cheaper than reading
all of it there is `admit` too: a push is admitted, stored and answered first, and read after that.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from typing import Final, Protocol, runtime_checkable

from carriers.base import Question
from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Reply
from domain.tracking import Answer

__all__ = [
    "AGAIN",
    "Delivery",
    "Doorman",
    "End",
    "Ended",
    "Forged",
    "Push",
    "Pusher",
    "Receipt",
    "Subscribed",
    "Subscriber",
    "Terms",
    "form",
    "same",
]


class Forged(Exception):
    """The signature is missing or wrong: nothing of it was read. Says which account, never what was expected."""


@dataclass(frozen=True, slots=True)
class Push:
    """A call to `/callbacks/{account}` as it came."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)


class End(StrEnum):
    """Why a subscription is over."""

    DONE = "done"
    """The parcel has arrived: nothing more will come."""
    NO_RECORD = "no_record"
    """Given up: the carrier never knew the number."""
    SILENT = "silent"
    """Given up: nothing new for too long."""
    CORRECTED = "corrected"
    """The pusher found another carrier and goes on under it."""
    REFUSED = "refused"
    """Given up for another reason."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A subscription that the pusher ended."""

    waybill: Waybill
    why: End
    said: str = ""
    """In the pusher's words."""


_FIELDS: Final = 32
"""More fields than any pusher's form has."""
_NO_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

AGAIN: Final = Reply(503)
"""Whatever a pusher takes for "kept", this is not it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What to answer a true push."""

    kept: Reply
    """The pusher takes this for "kept"."""
    again: Reply = AGAIN
    """It could not be kept: push it again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a push says, and what to answer once it is kept."""

    answers: tuple[Answer, ...]
    """With `whole` False: a push that was held up, or played again, takes no newer scan back."""
    reply: Reply
    """The pusher takes this for "kept"; for anything else it pushes again."""
    ended: tuple[Ended, ...] = ()
    unreadable: tuple[str, ...] = ()
    """What of it nobody could read, while the rest is in `answers`."""


@runtime_checkable
class Pusher(Protocol):
    """An account that pushes."""

    @property
    def signed(self) -> bool:
        """Its pushes carry a signature. Where they do not, the address itself holds a secret (`callback_key`)."""

    def receive(self, push: Push, now: datetime) -> Delivery:
        """Read a push. Raises `Forged` before anything is parsed, `Unreadable` for a true one nobody can read."""


@runtime_checkable
class Doorman(Protocol):
    """A pusher whose pushes are known for true without reading them."""

    def admit(self, push: Push, now: datetime) -> Receipt:
        """Look at the signature and nothing else. Raises `Forged`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a subscription may cost; facts about the service."""

    per_number_monthly: int
    """A number may be subscribed so often in a month."""
    again_after: timedelta
    """The least time between the end of a subscription and the next one for the number."""
    batch: int = 1
    """How many waybills one `subscribe` may hold."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The pusher will push this one, or did already."""

    waybill: Waybill


@runtime_checkable
class Subscriber(Pusher, Protocol):
    """An account that pushes what it was told to."""

    @property
    def terms(self) -> Terms:
        """The service's own limits."""

    def subscribe(
        self, questions: Sequence[Question], callback: str, now: datetime
    ) -> Conversation[Sequence[Subscribed | Rejected]]:
        """Ask for pushes to the address `callback`, one outcome per question, in order. Raises a `RemoteError`."""


def same(ours: str, theirs: object) -> bool:
    """Two signatures compared in constant time; whatever is no text is not the same."""
    return isinstance(theirs, str) and compare_digest(ours.encode(), theirs.encode("utf-8", "surrogatepass"))


def form(push: Push) -> dict[str, str]:
    """The fields of a form, exactly as their sender wrote them: signatures are over these characters.

    Raises `Forged` for a body that is none: nobody has signed it. Anybody may send a megabyte of escapes, so they
    are taken out at the speed of C, twenty times that of `parse_qsl`, which says the same (`tests`).
    """
    parts = push.body.split(b"&", _FIELDS)
    if len(parts) > _FIELDS:
        raise Forged("more fields than a form has")
    try:
        fields = (part.partition(b"=") for part in parts if part)
        return {_unescaped(name): _unescaped(value) for name, _, value in fields}
    except UnicodeDecodeError:
        raise Forged("no form in UTF-8") from None


def _unescaped(raw: bytes) -> str:
    """A name or a value: `+` and `%XX` taken out. Quoted-printable is the same with another sign."""
    raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        if _NO_ESCAPE.search(raw):
            raise Forged("escapes that are none")
        raw = a2b_qp(raw.replace(b"=", b"=3D").replace(b"%", b"="))
    return raw.decode()
