"""The sheets of one file together: their rows in order, joined where an order is spread over sheets.

千牛 writes orders, items and shipments on three sheets, ERPs cut long lists into several (quirk 14);
1688 leaves the cells of an order's further rows blank (quirk 10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.intake.books import words
from monitor.intake.layouts import Layout
from monitor.intake.rows import RowVerdict, Terms, judge
from monitor.intake.shapes import Row, extract
from monitor.intake.tables import Record, Table
from monitor.intake.values import Cell, clean, text

__all__ = ["HeadedSheet", "headings", "verdicts"]


def headings(cells: Sequence[str]) -> list[str]:
    """The headings of a row, without the empty ones at the end."""
    names = [clean(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


@dataclass(frozen=True, slots=True)
class HeadedSheet:
    """A table whose header was found."""

    table: Table
    header: Record
    layout: Layout

    def rows(self) -> Iterator[Row]:
        """The rows under the header that hold anything; blank ones come as rows without fields."""
        for record in self.table.records(self.header):
            if record.number > self.header.number and not self._says_header(record):
                line = record.number - self.header.number + 1
                yield extract(self.layout, record, line, self.table.name)

    def _says_header(self, record: Record) -> bool:
        """The header once more, as in files that were put together from several."""
        first = record.cells[0] if record.cells else ""
        same = isinstance(first, str) and clean(first) == self.header.cells[0]
        return same and headings(words(record.cells)) == self.header.cells


def verdicts(sheets: Sequence[HeadedSheet], terms: Terms) -> Iterator[RowVerdict]:
    """Every row's verdicts. Order sheets without waybills are joined to the sheets with them (quirk 14)."""
    parcels = [sheet for sheet in sheets if "waybill_no" in sheet.layout.columns]
    orders = [sheet for sheet in sheets if sheet not in parcels]
    known = _by_order(orders) if parcels else {}
    shipped: set[str] = set()
    for sheet in parcels:
        for row in _rows(sheet):
            name = _order_name(row)
            if name in known:
                shipped.add(name)
                row = replace(row, fields={**known[name][1].fields, **row.fields})
            yield from judge(terms, sheet.layout, row)
    for name, (sheet, row) in known.items():
        if name not in shipped:
            yield from judge(terms, sheet.layout, row)
    for sheet in () if parcels else orders:
        for row in _rows(sheet):
            yield from judge(terms, sheet.layout, row)


def _by_order(sheets: Sequence[HeadedSheet]) -> dict[str, tuple[HeadedSheet, Row]]:
    """The order sheets' rows by order number; what a later row of an order adds is kept.

    A row that names no order, or is broken, stands for itself.
    """
    known: dict[str, tuple[HeadedSheet, Row]] = {}
    for sheet in sheets:
        for row in _rows(sheet):
            name = _order_name(row) if not row.faults else ""
            if not name:
                known[f"\n{sheet.table.name}\n{row.line}"] = (sheet, row)
            elif name in known:
                first, above = known[name]
                known[name] = (first, replace(above, fields={**row.fields, **above.fields}))
            else:
                known[name] = (sheet, row)
    return known


def _order_name(row: Row) -> str:
    return text(row.fields.get("order_no", ""))


def _rows(sheet: HeadedSheet) -> Iterator[Row]:
    """The rows with anything in them; in a source that leaves an order's further rows blank, filled in."""
    above: Mapping[str, Cell] = {}
    for row in sheet.rows():
        if not row.raw:
            above = {}
        elif not sheet.layout.source.blocks or "order_no" in row.fields or row.faults:
            above = row.fields
            yield row
        elif above and "waybill_no" in row.fields:
            yield replace(row, fields={**above, **row.fields})
        else:
            yield replace(row, fields={}) if above else row
