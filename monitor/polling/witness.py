"""Whether "nothing known" may be believed: beside scans that the same carrier answered with right before and after (L1).

A provider that has lost its data says that it knows nothing, in the same words as for a parcel nobody has picked up.
What tells the two apart is its next answer about a number that has scans: has it lost those too, or not? Until
then a look that would accuse is kept as a doubt; it counts when that answer has come, or when the parcel itself was
asked about again. Kept in memory: a process that ends asks again. No I/O.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

__all__ = ["Unsure", "Witness"]

_HOUR: Final = timedelta(hours=1)
_WINDOW: Final = timedelta(minutes=15)
"""What was answered so much earlier says nothing of a question."""
_AFTER: Final = timedelta(minutes=2)
"""What is asked so much later neither: an outage may have come to its end. Or a twelfth of the least interval."""
_TWELFTH: Final = 12
_MOST: Final = 2_000
"""Answers that are remembered of a carrier; at 100 a second those of the last 20 seconds."""
_WAITING: Final = 10_000
_FEW: Final = 100
"""One number in so many may have lost its scans by itself: providers forget what is old."""
_MANY: Final = 20
"""One in so many is an outage of some of them."""


@dataclass(frozen=True, slots=True)
class Unsure:
    """A look without scans that would accuse, and that nobody vouches for yet."""

    parcel_id: int
    carrier: str
    asked_at: datetime
    seen_at: datetime
    """Silence is proven up to here when somebody does."""


@dataclass(slots=True)
class Witness:
    """What one account answered of late about numbers that had scans, carrier by carrier."""

    interval: timedelta = timedelta(0)
    """The least time between two questions about one number."""
    _said: dict[str, list[tuple[datetime, bool]]] = field(default_factory=lambda: defaultdict(list))
    """By the moment of the question: were the scans there? A lost one stands before a kept one of that moment."""
    _unsure: dict[int, Unsure] = field(default_factory=dict)

    def heard(self, carrier: str, asked_at: datetime, bears: bool) -> None:
        """A number that had scans was answered for: with scans, or (`bears` false) without them."""
        said = self._said[carrier]
        insort(said, (asked_at, bears))
        if len(said) > _MOST:
            del said[0]

    def vouches(self, carrier: str, asked_at: datetime, now: datetime) -> bool | None:
        """Whether a look without scans, asked for at `asked_at`, is believed; None: nobody can tell.

        It is when the numbers with scans that were asked about right before and right after it still had them, and
        hardly any lately had lost them. Numbers of one request count as asked at one moment. What was asked later
        than now was asked by a clock that ran ahead, and says nothing.
        """
        said, after = self._said[carrier], self._first_after(carrier, asked_at, now)
        if after is None:
            return None
        first, bears = said[after]
        lately = said[bisect_left(said, (first - _WINDOW, False)) : after + 1]
        lost = sum(not kept for _, kept in lately)
        if not bears or not lately[max(len(lately) - 2, 0)][1] or lost * _MANY > len(lately):
            return False
        return True if lost * _FEW <= len(lately) else None

    def _first_after(self, carrier: str, asked_at: datetime, now: datetime) -> int | None:
        """Where the first answer to a question since stands; None while there is none that is near enough."""
        said = self._said[carrier]
        after = bisect_left(said, (asked_at, False))
        near = min(now, asked_at + max(_AFTER, self.interval / _TWELFTH))
        return after if after < len(said) and said[after][0] <= near else None

    def losing(self, carrier: str, now: datetime) -> bool:
        """More than one in twenty of the carrier's numbers with scans could not be told of in the last hour."""
        said = self._said[carrier]
        lately = said[bisect_left(said, (now - _HOUR, False)) :]
        return sum(not kept for _, kept in lately) * _MANY > len(lately)

    def wait(self, unsure: Unsure) -> None:
        """Until somebody vouches for it, or it is asked about again."""
        self._unsure[unsure.parcel_id] = unsure
        if len(self._unsure) > _WAITING:
            del self._unsure[next(iter(self._unsure))]

    def forget(self, parcel_id: int) -> None:
        """It has a newer answer."""
        self._unsure.pop(parcel_id, None)

    def released(self, now: datetime) -> list[Unsure]:
        """Those that somebody vouches for by now. Those that are decided otherwise, or too old, are forgotten."""
        return list(self._released(now))

    def _released(self, now: datetime) -> Iterator[Unsure]:
        for each in list(self._unsure.values()):
            vouched = self.vouches(each.carrier, each.asked_at, now)
            decided = self._first_after(each.carrier, each.asked_at, now) is not None
            if decided or now - each.asked_at > max(_WINDOW, self.interval):
                del self._unsure[each.parcel_id]
            if vouched:
                yield each
