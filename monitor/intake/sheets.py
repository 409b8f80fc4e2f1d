"""The sheets of one file together: their rows in order, joined where an order is spread over sheets.

千牛 writes orders, items and shipments on three sheets, ERPs cut long lists into several (quirk 14);
1688 leaves the cells of an order's further rows blank (quirk 10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Final

from domain.orders import OrderStatus
from monitor.intake.books import words
from monitor.intake.layouts import Layout
from monitor.intake.rows import RowVerdict, Terms, judge
from monitor.intake.shapes import Row, extract
from monitor.intake.tables import Record, Table
from monitor.intake.values import Cell, clean, heading_key, text
from monitor.intake.verdicts import RowKind

_ITEM: Final = frozenset({"子订单编号", "子订单号", "子单原始单号", "原始子单号", "线上子订单编号"})
_ITEMS: Final = 500
"""Rows of one order that are looked at together."""

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
    rows = _verdicts(sheets, terms)
    return _items(rows) if any(_by_item(sheet.layout) for sheet in sheets) else rows


def _by_item(layout: Layout) -> bool:
    """A list with a row for each item of an order: a status is the item's."""
    return any(heading_key(heading)[0] in _ITEM for heading in layout.header)


def _items(rows: Iterator[RowVerdict]) -> Iterator[RowVerdict]:
    """Rows by item: an order with anything still open has not ended because one of its items has."""
    for _, same in groupby(rows, key=lambda row: row.order.order_no if row.order else None):
        group = list(islice(same, _ITEMS))
        statuses = [row.order.status for row in group if row.order and row.kind != RowKind.IGNORED]
        still = [status for status in statuses if not status.ended]
        for row in group:
            yield _of_open(row, min(still, key=lambda each: each.rank)) if still else row
        yield from same  # noqa: B031 - what `islice` left


def _of_open(row: RowVerdict, status: OrderStatus) -> RowVerdict:
    """The row of an ended item, in an order that goes on."""
    if row.order is None or not row.order.status.ended:
        return row
    if row.kind is RowKind.IGNORED:
        return replace(row, order=None)
    return replace(row, order=replace(row.order, status=status))


def _verdicts(sheets: Sequence[HeadedSheet], terms: Terms) -> Iterator[RowVerdict]:
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
