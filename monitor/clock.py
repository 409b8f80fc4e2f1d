"""The one place that reads the wall clock, and does not believe it blindly.

A machine's clock can jump: a wrong battery, a virtual machine resumed, a hand on `date`. A clock two
days ahead would prove two days of silence that nobody observed. Every answer from outside carries a
`Date`, so the clock is held against the last one: while they differ, the time told is the one they last
agreed on, or else the witness's, carried on by the monotonic clock (promise 5: no alarm from a jump of the clock).

Nor is a witness believed blindly. One that stands alone may hold our clock back, which only delays an
alarm; it may move it on only when the clock was seen to jump.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Final

__all__ = ["Clock", "wall"]

TOLERANCE: Final = timedelta(minutes=5)
WORD_LASTS: Final = 600.0
"""Seconds. A witness years behind lets nothing come due, so that nobody is asked and it is never heard
again. After this long our own clock, if it was not seen to jump, is believed until the next answer; what
that answer proves is still dated by what it says itself."""


def wall() -> datetime:
    """The machine's own time, in UTC."""
    return datetime.now(UTC)  # noqa: TID251


class Clock:
    """Tells the time. `offset` is how far the machine's clock was from the last witness."""

    def __init__(
        self,
        read: Callable[[], datetime] = wall,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._steady = steady
        self._lock = Lock()
        self._heard: dict[str, tuple[datetime, float]] = {}
        self._agreed = read(), steady()

    def now(self) -> datetime:
        """The machine's time, or the witnesses' where they say it is wrong."""
        told = self._read()
        believed = self._believed()
        if believed is None:
            return told
        if abs(told - believed) <= TOLERANCE:
            self._agreed = told, self._steady()
            return told
        carried = self._carried()
        jumped = abs(told - carried) > TOLERANCE
        if not jumped and ((believed > told and len(self._heard) == 1) or self._silent()):
            return told
        # A `Date` has whole seconds only; a jump moves our own time by less.
        return carried if abs(carried - believed) <= TOLERANCE else believed

    def _silent(self) -> bool:
        """Nobody was heard for a while."""
        with self._lock:
            latest = max((then for _, then in self._heard.values()), default=0.0)
        return self._steady() - latest > WORD_LASTS

    def _carried(self) -> datetime:
        """What the machine told when witnesses last agreed with it, or at the start, and the time since."""
        told, then = self._agreed
        return told + timedelta(seconds=self._steady() - then)

    def witness(self, name: str, date: str) -> None:
        """Hear a `Date` header of an answer from `name`; nonsense is ignored."""
        try:
            heard = parsedate_to_datetime(date)
        except (TypeError, ValueError):
            return
        if heard.tzinfo is not None:
            with self._lock:
                self._heard[name] = (heard.astimezone(UTC), self._steady())

    @property
    def offset(self) -> timedelta:
        """How far ahead of the witnesses the machine's clock is; zero when nobody was heard."""
        believed = self._believed()
        return self._read() - believed if believed is not None else timedelta(0)

    @property
    def confirmed(self) -> bool:
        """Somebody outside was heard since the start, and the machine's clock agrees: what cannot be undone may be dated by it."""
        believed = self._believed()
        return believed is not None and abs(self._read() - believed) <= TOLERANCE

    def _believed(self) -> datetime | None:
        """The witness nearest to our own clock: one lying peer cannot move us, all of them can."""
        with self._lock:
            heard = list(self._heard.values())
        if not heard:
            return None
        told, now = self._read(), self._steady()
        carried = [at + timedelta(seconds=now - then) for at, then in heard]
        return min(carried, key=lambda at: abs(at - told))
