"""Pages of a list: bounded, in a fixed order, walked by cursors that stay true while rows come and go.

A cursor is a place between two rows, not a page number: the keys of the row it lies behind, and which way
to read. So nothing is shown twice or left out when rows are added in front, and the thousandth page costs
what the first one does. Its text is opaque and says nothing that the page it came from did not show.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

__all__ = ["LONGEST_PAGE", "BadCursor", "Mark", "Page", "decode", "encode", "within"]

T = TypeVar("T")
LONGEST_PAGE: Final = 500
_LONGEST_TEXT: Final = 200
_LARGEST: Final = 1 << 63


class BadCursor(ValueError):
    """A cursor that is none of ours, or of another list or order; the text is for the person who sent it."""

    def __init__(self) -> None:
        super().__init__("翻页标记无效，请回到第一页。")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list. A list that is searched in steps may give a short page, even an empty one,
    with a `next`: then more is to be searched, and the walk goes on there."""

    rows: tuple[T, ...] = ()
    next: str | None = None
    """The cursor of what follows; None at the end."""
    previous: str | None = None
    """The cursor of what comes before; None at the start."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a list: behind the row of this key, or before it where it is read backwards."""

    key: tuple[int, ...]
    back: bool = False


def encode(order: str, mark: Mark) -> str:
    """A mark as text for a URL; `order` names the list and its order."""
    plain = json.dumps([order, int(mark.back), *mark.key], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode(order: str, text: str | None, length: int) -> Mark | None:
    """The inverse of `encode`; None for no cursor. Raises `BadCursor` unless it is one of this order."""
    if not text:
        return None
    if len(text) > _LONGEST_TEXT or not text.isascii():
        raise BadCursor
    try:
        found = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadCursor from error
    match found:
        case [str(name), 0 | 1 as back, *key] if name == order and len(key) == length:
            if all(type(each) is int and -_LARGEST <= each < _LARGEST for each in key):
                return Mark(tuple(key), bool(back))
    raise BadCursor


def within(limit: int) -> int:
    """A page size that is asked for, as far as one is given."""
    return max(1, min(limit, LONGEST_PAGE))
