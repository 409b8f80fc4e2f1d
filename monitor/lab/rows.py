"""Columns of text being read: words that come again are read once, rows with a fault are gathered and told."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

import pandas as pd

from carriers.names import CARRIERS, canonical, nearest, watched
from domain.masking import safe_text
from monitor.intake.values import text
from monitor.lab.tables import LINE
from monitor.lab.telling import Telling

__all__ = ["Faults", "bare", "carriers_of", "cell", "each_word"]

_LISTED: Final = frozenset(carrier.key for carrier in CARRIERS)


class Faults:
    """Which rows of a chunk cannot be taken, with every reason."""

    def __init__(self, raw: pd.DataFrame, file: str, telling: Telling) -> None:
        self._raw, self._file, self._telling = raw, file, telling
        self._by_row: dict[int, list[tuple[str, str]]] = {}

    def where(self, wrong: pd.Series[bool], fault: str, reason: str) -> None:
        for n in wrong.to_numpy(dtype=bool).nonzero()[0].tolist():
            self.at(n, fault, reason)

    def at(self, n: int, fault: str, reason: str) -> None:
        self._by_row.setdefault(n, []).append((fault, reason))

    def settle(self) -> pd.Series[bool]:
        """Tell of them; which rows stay."""
        good = pd.Series(True, index=self._raw.index)
        good.iloc[list(self._by_row)] = False
        for n, found in sorted(self._by_row.items()):
            reasons = "；".join(dict.fromkeys(reason for _, reason in found))
            line = int(self._raw[LINE].iloc[n])
            row = () if self._telling.full else self._raw.drop(columns=LINE).iloc[n]
            self._telling.reject(self._file, line, found[0][0], reasons, [str(each) for each in row])
        return good


def cell(raw: pd.DataFrame, name: str) -> pd.Series[str]:
    """A column, or blanks where the file has none."""
    return raw[name] if name in raw else pd.Series("", index=raw.index, dtype="str")


def bare(raw: pd.DataFrame, name: str) -> pd.Series[str]:
    """A column without blanks around its words; most files have none, so the different ones are looked at."""
    words = cell(raw, name)
    padded = {word: word.strip() for word in words.unique() if word != word.strip()}
    return words.replace(padded) if padded else words


def each_word(words: pd.Series[str], read: Callable[[str], str]) -> pd.Series[str]:
    """Every different word read once."""
    return words.map({word: read(word) for word in words.unique()}).astype("str")


def carriers_of(words: pd.Series[str], telling: Telling) -> tuple[pd.Series[str], dict[int, str]]:
    """Our keys, and by position why a name is none."""
    known = {word: _carrier(word, telling) for word in words.unique()}
    keys = words.map({word: key for word, (key, _) in known.items()}).astype("str")
    why = {word: reason for word, (_, reason) in known.items() if reason}
    return keys, {n: why[word] for n, word in enumerate(words) if word in why} if why else {}


def _carrier(word: str, telling: Telling) -> tuple[str, str]:
    name = text(word)
    if not name:
        return "", "有运单号，却没有写快递公司"
    if not watched(name):
        return "", f"“{safe_text(name, 24)}”没有包裹可看"
    key, near = canonical(name), "、".join(nearest(name))
    if key is not None:
        alike = [] if key in _LISTED else get_close_matches(key, _LISTED, n=1, cutoff=0.87)
        if not alike:
            if key not in _LISTED:
                telling.remark(f"快递公司 {safe_text(key, 40)} 不在名单里，当作快递100的编码")
            return key, ""
        near = alike[0]
    return "", f"认不出快递公司“{safe_text(name, 24)}”" + (f"；相近的有：{near}" if near else "")
