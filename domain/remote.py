"""Talking to the outside: what an adapter says, hears, and concludes.

An adapter never opens a connection. It writes a *conversation*: a generator that yields `Request`s,
is sent `Reply`s, and returns what it understood. One driver (`monitor/net.py`) does the talking.

What can go wrong is one class per "who acts next", and each carries one of four outcomes
(`facts/notifiers.md` §3): taken, refused for good, refused for now, unknown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlencode

from domain.masking import safe_text

__all__ = [
    "Conversation",
    "Denied",
    "Outcome",
    "Rejected",
    "RemoteError",
    "Reply",
    "Request",
    "Secret",
    "Throttled",
    "Unanswered",
    "Unavailable",
    "Unreadable",
    "rehearse",
]


_HEAD: Final = 4000
_SHOWN: Final = 60
"""Of an answer nobody can read: bytes looked at for phones, and characters said."""


class Secret:
    """A text that shows itself only when asked: not in repr, str, logs, pickles or comparisons."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """The secret itself. Call it where the request is written, nowhere else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, complete to the byte: what is signed and counted is what leaves."""

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    secrets: tuple[Secret, ...] = ()
    """Texts the driver stars out wherever it shows this request."""
    repeatable: bool = True
    """Asking twice does no harm. A send is not repeatable: its loss is `Unanswered`, never retried."""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.split('?')[0].split('//')[-1].split('/')[0]} …)"

    @classmethod
    def form(cls, url: str, fields: Mapping[str, str], secrets: tuple[Secret, ...] = ()) -> Request:
        """A repeatable form POST (UTF-8, as every Chinese carrier interface wants it)."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return cls("POST", url, {}, headers, urlencode(fields).encode(), secrets)

    @classmethod
    def json(
        cls,
        url: str,
        body: object,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[Secret, ...] = (),
        repeatable: bool = False,
    ) -> Request:
        """A JSON POST serialised once, unescaped and without blanks: its bytes are its size."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        head = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        return cls("POST", url, query or {}, head, content, secrets, repeatable)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever the status: the adapter decides what it means."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; a whole number too long for Python is infinite. Raises `Unreadable` for anything else
        (HTML, empty, cut off)."""
        try:
            return _parsed(self.content)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"HTTP {self.status}, not JSON: {_head(self.content)}") from error


def _head(content: bytes) -> str:
    """How a body begins, for a person: phones masked before the cut, so that none is left by half. It ends with the
    text, so that whoever knows the secrets finds the beginning of one before the cut (`monitor/redaction.py`)."""
    return safe_text(content[:_HEAD].decode("utf-8", "replace"), _SHOWN)


def _parsed(content: bytes) -> Any:
    """One number with more digits than Python converts costs itself only, not all that stands around it."""
    try:
        return json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return json.loads(content, parse_int=_whole)


def _whole(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


class Outcome(StrEnum):
    """How a send ended."""

    TAKEN = "taken"
    REFUSED = "refused_for_good"
    LATER = "refused_for_now"
    UNKNOWN = "unknown"


class RemoteError(Exception):
    """Something a remote service did; `outcome` says what it means for a send."""

    outcome: Outcome = Outcome.UNKNOWN
    reply: Reply | None = None
    """The last answer before it, which the driver puts here: what was unreadable is the next sample."""


class Unavailable(RemoteError):
    """Nobody acts: nothing was taken (no connection, busy, 5xx); the same call is tried again.

    `unsent`: the request never left. `left`: it did, and no whole answer came.
    """

    outcome = Outcome.LATER

    def __init__(self, *words: object, unsent: bool = False, left: bool = False) -> None:
        super().__init__(*words)
        self.unsent = unsent
        self.left = left

    @property
    def lost(self) -> bool:
        """A service that counts may have counted it: no answer came, or a gateway's instead of its own JSON."""
        if self.left or self.reply is None:
            return self.left
        try:
            return not isinstance(self.reply.json(), dict)
        except RemoteError:
            return True


class Throttled(RemoteError):
    """Nobody acts: tried again, not before `wait`. With `closes`, the whole robot or account rests.

    `again` is how long it rests when this comes again right after that: it was a longer limit.
    """

    outcome = Outcome.LATER

    def __init__(
        self, message: str, wait: timedelta, *, closes: bool = True, again: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.closes = closes
        self.again = again or wait


class Denied(RemoteError):
    """The account's owner acts, told once; that account pauses, the others go on."""

    outcome = Outcome.REFUSED


class Rejected(RemoteError):
    """Whoever reads the dead letters acts; this one request is not tried again."""

    outcome = Outcome.REFUSED


class Unreadable(RemoteError):
    """A developer acts: the reply is not in the manual. It is kept; it is the next sample."""


class Unanswered(RemoteError):
    """The request left and no answer came (time-out, reset): it may have been taken."""


T = TypeVar("T")
Conversation: TypeAlias = Generator[Request, Reply, T]
"""Yields requests, is sent replies, returns what was understood; raises a `RemoteError`."""


def rehearse(conversation: Conversation[T], answer: Callable[[Request], Reply]) -> T:
    """Run a conversation against `answer`, without a network: for tests and for showing a request."""
    try:
        request = next(conversation)
        while True:
            request = conversation.send(answer(request))
    except StopIteration as end:
        understood: T = end.value
        return understood
