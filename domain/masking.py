"""Making text from outside safe to keep and to show: phones hidden, invisible characters dropped.

A masked phone hides at least six digits. Service numbers (95xxx, 400) stay readable, because people are
meant to call them, and so does a waybill number: a longer run of digits is never touched.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["clean", "forget_phones", "mask_phones", "safe_text", "visible"]

_WIDE: Final = str.maketrans("０１２３４５６７８９－＊＋（）", "0123456789-*+()")
"""Same length, so that a place found in the narrow text is the same place in the original."""

_PHONE: Final = re.compile(
    r"(?<!\d)(?P<mobile>1\d{2}[ -]?\d{4}[ -]?\d{4})"
    r"(?P<extension>(?:-| ?转 ?)\d{3,4})?(?!\d)"  # a virtual number's tail says who the receiver is
    r"|(?<=\+86)(?P<abroad>1\d{10})(?!\d)"
    r"|(?<![\d*])(?P<starred>1[\d*]{10})(?![\d*])"  # by the carrier already
    r"|(?<![0-9A-Za-z*])\(?0(?:10|2\d|[3-9]\d{2})\)?[- ]?"
    r"(?P<local>\d{7,8}(?!\d)|[\d*]{7,8}(?![\d*]))"
)
_SHOWN: Final = (0, 1, 2, 9, 10)
"""The digits of a mobile number that stay: 138******01."""
_ENOUGH: Final = 6

_HINT: Final = re.compile(r"(?<![\d*])1[\d*]{2}[ -]?[\d*]{4}[ -]?[\d*]{4}(?![\d*])")
"""A mobile number, masked by us or by the carrier."""

_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # bidi, zero width
    "\ud800-\udfff"  # half of a pair, which no file and no database takes
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def mask_phones(text: str) -> str:
    """`text` with every phone number hidden but for a hint; everything else untouched.

    Mobile numbers keep three digits in front and two behind; landlines keep the area code. A number the
    carrier has starred already stays as it is, unless its stars hide fewer than six digits.
    """
    if not any(mark in text for mark in "01０１"):
        return text
    shown, last = [], 0
    for match in _PHONE.finditer(text.translate(_WIDE)):
        shown += [text[last : match.start()], _hidden(match, text)]
        last = match.end()
    return "".join([*shown, text[last:]])


def forget_phones(text: str) -> str:
    """`text` without even the hint that masking left of a mobile number; landlines keep their area code."""
    if "*" not in text:
        return text
    return _HINT.sub(lambda found: re.sub(r"\d", "*", found[0]) if "*" in found[0] else found[0], text)


def _hidden(match: re.Match[str], text: str) -> str:
    """One phone number with its digits starred; its separators stay where they are."""
    if match["local"] is not None:
        return text[match.start() : match.start("local")] + "*" * len(match["local"])
    number = match["mobile"] or match["abroad"] or match["starred"]
    if number.count("*") >= _ENOUGH:
        return text[match.start() : match.end()]
    marks, seen = [], 0
    for mark in number:
        digit = mark not in " -"
        marks.append("*" if digit and seen not in _SHOWN else mark)
        seen += digit
    return "".join(marks) + re.sub(r"\d", "*", match["extension"] or "")


def visible(text: str) -> str:
    """`text` without control, bidirectional, zero-width and broken characters; line breaks become blanks."""
    return _INVISIBLE.sub("", _BREAKS.sub(" ", text))


def clean(text: str, limit: int) -> str:
    """`visible` text of at most `limit` characters, cut between characters and visibly, with an ellipsis."""
    shown = visible(text).strip()
    if len(shown) <= limit:
        return shown
    cut = max(limit - 1, 0)
    while cut and unicodedata.combining(shown[cut]):
        cut -= 1
    return shown[:cut].rstrip() + "…"[:limit]


def safe_text(text: str, limit: int) -> str:
    """What an adapter keeps of a carrier's line: visible, phones masked, then cut. In this order: an
    invisible character must not split a phone, and a cut must not leave half of one."""
    return clean(mask_phones(visible(text)), limit)
