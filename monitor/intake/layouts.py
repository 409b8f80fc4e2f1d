"""A header read: which back office wrote it, and which column holds what.

A file is recognised by its headings, never by the position of its columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from monitor.intake.columns import FIELDS, GENERIC, OWN, SOURCES, Source
from monitor.intake.values import heading_key

__all__ = ["Layout", "familiar", "fingerprint", "is_waybill_heading", "layout", "recognise", "remapped"]


@dataclass(frozen=True, slots=True)
class Layout:
    """A header read as a source's: which columns (several under one heading) hold each field."""

    source: Source
    header: tuple[str, ...]
    columns: Mapping[str, tuple[int, ...]]

    def heading(self, field: str) -> str:
        """How the file itself calls the field; our name of it where the file has no such column."""
        places = self.columns.get(field)
        return self.header[places[0]] if places else FIELDS[field]

    @property
    def mapping(self) -> dict[str, str]:
        """Field → heading, as a user may correct and save it."""
        return {field: self.heading(field) for field in self.columns}


_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        name: heading_key(name)[0]
        for source in (*SOURCES, GENERIC)
        for names in (*source.fields.values(), source.marks)
        for name in names
    }
)
_FAMILIAR: Final = frozenset(_KEYS.values()) | {heading_key(name)[1] for name in _KEYS}

_WAYBILLS: Final = frozenset(
    _KEYS[name] for source in (*SOURCES, GENERIC) for name in source.fields["waybill_no"]
)


def familiar(cells: Sequence[str]) -> int:
    """How many cells of a row are headings we know: the header is the row with the most."""
    return sum(1 for cell in cells if len(cell) <= 80 and not _FAMILIAR.isdisjoint(heading_key(cell)))


def is_waybill_heading(heading: str) -> bool:
    """Whether any source keeps waybill numbers under this heading."""
    return not _WAYBILLS.isdisjoint(heading_key(heading))


def _index(header: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Heading → its columns; a bare heading without its suffix counts where no whole one has it."""
    whole: dict[str, tuple[int, ...]] = {}
    bare: dict[str, tuple[int, ...]] = {}
    for place, heading in enumerate(header):
        key, short = heading_key(heading)
        if key:
            whole[key] = (*whole.get(key, ()), place)
            bare.setdefault(short, (place,))
    return bare | whole


def layout(source: Source, header: Sequence[str]) -> Layout:
    """`header` read with one source's names, and for what it lacks the generic ones."""
    found = _index(header)
    columns: dict[str, tuple[int, ...]] = {}
    for table in (source, GENERIC) if source is not OWN else (source,):
        for field, names in table.fields.items():
            places = next((found[_KEYS[name]] for name in names if _KEYS[name] in found), None)
            if places and field not in columns and not any(places == taken for taken in columns.values()):
                columns[field] = places
    if "platform_order_no" in columns and "order_no" not in columns:
        columns["order_no"] = columns.pop("platform_order_no")
    return Layout(source, tuple(header), columns)


def fingerprint(header: Sequence[str]) -> str:
    """What headers of the same columns have in common, in whatever order: the SHA-256 of their normalised names."""
    keys = sorted({key for heading in header if (key := heading_key(heading)[0])})
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def remapped(known: Layout, mapping: Mapping[str, str]) -> Layout:
    """`known` with the user's field → heading put over it; headings the file lacks are left out.

    An empty heading means: this field is not read at all.
    """
    found = _index(known.header)
    unread = {field for field, heading in mapping.items() if not heading}
    if unread:
        kept = {field: places for field, places in known.columns.items() if field not in unread}
        known = Layout(known.source, known.header, kept)
    wanted = {field: found.get(heading_key(heading)[0]) for field, heading in mapping.items()}
    told = {field: places for field, places in wanted.items() if places}
    kept = {field: places for field, places in known.columns.items() if places not in told.values()}
    return Layout(known.source, known.header, kept | told)


def recognise(header: Sequence[str], platform: str = "") -> tuple[Source, float]:
    """Whose header this is, and how sure that is, 0 to 1; the generic source where nobody leads.

    The score is the share of a source's tell-tale and key columns that are there. It takes at least
    five of them, one of them a tell-tale, and a lead of a tenth (§2, fingerprint rule). `platform`, told
    at import, decides between back offices whose tell-tale columns were left out of the export.
    """
    found = _index(header)
    if any(name in found for name in ("order_no", "waybill_no")):
        return OWN, 1.0
    scores = sorted(((_score(source, found), source) for source in SOURCES[1:]), key=lambda pair: -pair[0])
    (best, source), (second, _) = scores[0], scores[1]
    if best and best - second >= 0.1:
        return source, best
    told = next((known for known in SOURCES if platform and known.platform == platform), GENERIC)
    return told, 0.0


def _score(source: Source, found: Mapping[str, object]) -> float:
    fields = sum(1 for names in source.fields.values() if any(_KEYS[name] in found for name in names))
    marks = sum(1 for mark in source.marks if _KEYS[mark] in found)
    if not marks or fields + marks < 5:
        return 0.0
    return (fields / len(source.fields) + marks / len(source.marks)) / 2
