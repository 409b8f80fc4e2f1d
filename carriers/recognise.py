"""Whose number is this? What its shape says, with how sure it is; a provider's own recognition says more.

Shapes are observations (`facts/carriers.md`, Waybill shapes: a hint, never a refusal). Letters and length that only one
carrier was seen to use nearly tell it; bare digits fit several, and none of them is more than a guess. The first letter of
a postal number is its service by the UPU's list for S10: E is EMS, while registered (R), parcel (C), express (L), insured
(V), recorded (A) and customs (U) items are the post's own. 17TRACK's samples have `RR…CN` as China Post's too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from carriers.base import Guess
from domain.numbers import SHAPES, looks_like, s10_is_valid, shape_hint

__all__ = ["LIKELY", "SURE", "guesses", "likeliest", "ranked", "sure"]

SURE: Final = 0.9
"""From here on a guess is taken without asking anybody."""
LIKELY: Final = 0.6
"""From here on a guess is taken where nobody named a carrier, and said to be one."""
_SHAPE: Final = "shape"
_TELLING: Final = 0.95
_SECOND: Final = 0.4
"""The freight arm under the same letters as the parcel arm."""
_LETTERS: Final = 0.8
"""Letters that were seen at one carrier, in a length that varies."""
_DIGITS: Final = 0.5
"""All carriers whose bare digits have this length share this."""
_POSTAL: Final = 0.4
"""The carrier that the service letter of a postal number means …"""
_POSTAL_HOME: Final = 0.6
"""… and of one made out in China."""
_POSTAL_ELSE: Final = 0.1
"""All others that use the form."""
_RANKED: Final = (0.8, 0.5, 0.3)
_ARMS: Final[Mapping[str, str]] = {"shunfengkuaiyun": "shunfeng", "jingdongkuaiyun": "jd"}
"""Freight arms whose numbers look like the parcel arm's, which ships far more."""
_COURIER, _POST = "E", frozenset("ACLRUV")
"""The first letter of a postal number; B, D, G, N, P and Z are each country's own and tell nothing."""


def guesses(waybill_no: str) -> tuple[Guess, ...]:
    """The carriers whose numbers look like this one, the likeliest first; none where no shape fits."""
    number = waybill_no.strip().upper()
    alike = [key for key in SHAPES if shape_hint(key, number)]
    found = [Guess(key, _confidence(key, number, alike), _SHAPE) for key in alike]
    return tuple(sorted(found, key=lambda guess: -guess.confidence))


def _confidence(key: str, number: str, alike: Sequence[str]) -> float:
    if key in looks_like(number):
        return _SECOND if key in _ARMS else _TELLING
    if s10_is_valid(number):
        home = number.endswith("CN")
        if key != _postal(number[0], home):
            return _POSTAL_ELSE
        return _POSTAL_HOME if home else _POSTAL
    if not number.isdecimal():
        return _SECOND if key in _ARMS else _LETTERS
    return _DIGITS / len(alike)


def _postal(service: str, home: bool) -> str:
    """Whose items of this service letter are; nothing where the letter does not say."""
    if service == _COURIER:
        return "ems" if home else "emsguoji"
    return "youzhengguoji" if service in _POST else ""


def sure(found: Iterable[Guess]) -> str:
    """The one carrier that is taken without asking; nothing where none is sure."""
    return next((guess.carrier for guess in found if guess.confidence >= SURE), "")


def likeliest(found: Sequence[Guess]) -> str:
    """The carrier that is taken where nobody named one; nothing where two are alike or none is likely."""
    return found[0].carrier if found and found[0].confidence >= LIKELY else ""


def ranked(keys: Sequence[str], source: str) -> tuple[Guess, ...]:
    """A provider's list without figures, best first, as guesses (`facts/carriers-kuaidi100.md`: guesses only)."""
    known = tuple(dict.fromkeys(filter(None, keys)))
    return tuple(Guess(key, _RANKED[min(n, len(_RANKED) - 1)], source) for n, key in enumerate(known))
