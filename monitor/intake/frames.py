"""What the parsing child says to its parent: JSON lines of bounded size, and nothing that could run.

A frame is one line: `file` once, then `header`s and `rows`, and at last `end` or `refused`. The child reads files of
strangers, so the parent believes no frame: whatever is not exactly as it should be is `Garbled`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from domain.orders import Order, OrderStatus
from domain.time import from_micros, to_micros
from monitor.intake.files import OrderFile
from monitor.intake.tables import MAX_CELL, MAX_COLUMNS, Problem
from monitor.intake.values import shown
from monitor.intake.verdicts import ParsedWaybill, RowKind, RowVerdict

__all__ = ["MOST", "Garbled", "Reader", "file_frame", "line_of", "parsed", "row_frames"]

MOST: Final = 4 * 1024 * 1024
"""Bytes of a frame at most."""
_ROW: Final = 8 * MAX_CELL
"""Characters of a rejected row that are handed back; what is longer is cut, cell by cell."""
_FRAME: Final = 256 * 1024
"""Bytes of the rows that go together; one that is larger goes alone."""
_ROWS: Final = 200
_TIMES: Final = (
    "ordered_at", "paid_at", "confirmed_at", "shipped_at", "promised_ship_at", "promised_delivery_at",
)  # fmt: skip
_TEXTS: Final = (
    "order_no", "merchant", "platform", "shop", "receiver_province", "receiver_city", "warehouse", "goods_type",
)  # fmt: skip
_TEXT: Final = 4096


class Garbled(ValueError):
    """The child said what no child of ours would say."""


def line_of(frame: Mapping[str, Any]) -> bytes:
    """One frame as it goes over the pipe."""
    return json.dumps(frame, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def parsed(line: bytes) -> dict[str, Any]:
    """The frame of a line. Raises `Garbled`."""
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError):
        raise Garbled("not JSON") from None
    return _dict(frame)


# ── in the child ─────────────────────────────────────────────────────────────────────────────────────


def file_frame(file: OrderFile) -> dict[str, Any]:
    """Everything of a file but its rows."""
    return {
        "file": {
            "source": file.source,
            "source_name": file.source_name,
            "encoding": file.encoding,
            "sheets": list(file.sheets),
            "sha256": file.sha256,
            "exported_at": _micros(file.exported_at),
            "header": list(file.header),
            "mapping": dict(file.mapping),
            "fingerprint": file.fingerprint,
            "remembered": file.remembered,
            "mapped": file.mapped,
            "platform": file.platform,
            "by_row": file.by_row,
            "notes": _told(file.notes),
        }
    }


def row_frames(rows: Iterator[RowVerdict]) -> Iterator[dict[str, Any]]:
    """The rows in frames, a header before the first row under it."""
    headers: dict[tuple[str, ...], int] = {}
    held: list[list[Any]] = []
    size = 0
    for row in rows:
        if row.header not in headers:
            headers[row.header] = len(headers)
            yield {"header": list(row.header)}
        packed = _packed(row, headers[row.header])
        grown = len(json.dumps(packed))
        if held and (size + grown > _FRAME or len(held) >= _ROWS):
            yield {"rows": held}
            held, size = [], 0
        held.append(packed)
        size += grown
    if held:
        yield {"rows": held}


def _packed(row: RowVerdict, header: int) -> list[Any]:
    """A row; its original cells only where it is handed back, or nothing else tells which row it is."""
    return [
        row.line,
        row.kind.value,
        None if row.order is None else _order(row.order),
        [[each.carrier, each.waybill_no, each.guessed] for each in row.waybills],
        row.phone_tail,
        _told(row.problems),
        _told(row.warnings),
        list(row.platform_orders),
        _micros(row.finished_at),
        row.sheet,
        header,
        list(_fitting(map(shown, row.raw))) if _shown_raw(row) else [],
    ]


def _shown_raw(row: RowVerdict) -> bool:
    return row.kind is RowKind.REJECTED or (row.kind is RowKind.IGNORED and row.order is None)


def _fitting(cells: Iterator[str]) -> Iterator[str]:
    left = _ROW
    for cell in cells:
        yield cell[:left].encode("utf-8", "replace").decode()
        left = max(0, left - len(cell))


def _order(order: Order) -> list[Any]:
    return [
        *(getattr(order, name) for name in _TEXTS),
        *(_micros(getattr(order, name)) for name in _TIMES),
        order.status.value,
        None if order.amount is None else str(order.amount),
        sorted(order.tags),
    ]


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _told(problems: Sequence[Problem]) -> list[list[str]]:
    return [[each.reason, each.column[:_TEXT], each.text[:_TEXT]] for each in problems]


# ── in the parent ────────────────────────────────────────────────────────────────────────────────────


class Reader:
    """The frames of one file, in their order. Every method raises `Garbled`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._headers: list[tuple[str, ...]] = []

    def file(self, frame: Mapping[str, Any]) -> OrderFile:
        """What the first frame says of the file; its rows are to come."""
        told = _dict(frame.get("file"))
        mapping = _dict(told.get("mapping"))
        return OrderFile(
            self._name,
            _text(told.get("source")),
            _text(told.get("source_name")),
            _text(told.get("encoding")),
            _texts(told.get("sheets")),
            _text(told.get("sha256"), 64),
            _moment(told.get("exported_at")),
            _header(told.get("header")),
            {_text(field): _text(heading, MAX_CELL) for field, heading in mapping.items()},
            _text(told.get("fingerprint"), 64),
            _bool(told.get("remembered")),
            _bool(told.get("mapped")),
            _text(told.get("platform")),
            _bool(told.get("by_row")),
            _problems(told.get("notes")),
            iter(()),
        )

    def rows(self, frame: Mapping[str, Any]) -> Iterator[RowVerdict]:
        """The rows of a frame; none of one that tells a header."""
        if "header" in frame:
            if len(self._headers) >= 2000:
                raise Garbled("too many headers")
            self._headers.append(_header(frame["header"]))
        for packed in _list(frame.get("rows", [])):
            yield self._row(_list(packed))

    def _row(self, packed: list[Any]) -> RowVerdict:
        try:
            line, kind, order, waybills, tail, problems, warnings, platform, finished, sheet, header, raw = (
                packed
            )
            known = RowVerdict(
                _whole(line),
                RowKind(kind),
                None if order is None else _read_order(_list(order)),
                tuple(map(_waybill, _list(waybills))),
                phone_tail=_text(tail, 4),
                platform_orders=_texts(platform),
                finished_at=_moment(finished),
                sheet=_text(sheet),
                header=self._headers[_whole(header)],
            )
            cells = tuple(_text(cell, MAX_CELL * 8) for cell in _list(raw))
            return replace(known, problems=_problems(problems), warnings=_problems(warnings), raw=cells)
        except (IndexError, ValueError):
            raise Garbled("no such row") from None


def _read_order(told: list[Any]) -> Order:
    at = len(_TEXTS)
    texts = dict(zip(_TEXTS, (_text(each) for each in told[:at]), strict=True))
    times = dict(zip(_TIMES, map(_moment, told[at : at + len(_TIMES)]), strict=True))
    status, amount, tags = told[at + len(_TIMES) :]
    try:
        yuan = None if amount is None else Decimal(_text(amount, 40))
    except InvalidOperation:
        raise Garbled("no amount") from None
    if yuan is not None and not (yuan.is_finite() and 0 <= yuan < 10**9):
        raise Garbled("no amount")
    values: dict[str, Any] = {**texts, **times}
    return Order(status=OrderStatus(_text(status)), amount=yuan, tags=frozenset(_texts(tags)), **values)


def _waybill(told: Any) -> ParsedWaybill:
    carrier, number, guessed = _list(told)
    return ParsedWaybill(_text(carrier, 64), _text(number, 64), _bool(guessed))


def _problems(told: Any) -> tuple[Problem, ...]:
    return tuple(Problem(*_texts(each, 3)) for each in _list(told)[:500])


def _header(told: Any) -> tuple[str, ...]:
    cells = _list(told)
    if len(cells) > MAX_COLUMNS:
        raise Garbled("a header too wide")
    return tuple(_text(cell, MAX_CELL) for cell in cells)


def _texts(told: Any, count: int | None = None) -> tuple[str, ...]:
    texts = tuple(_text(each) for each in _list(told))
    if count is not None and len(texts) != count:
        raise Garbled("not as many texts")
    return texts


def _text(told: Any, most: int = _TEXT) -> str:
    return told if isinstance(told, str) and len(told) <= most else _wrong("no text of that length")


def _whole(told: Any) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told < 10**9:
        raise Garbled("no number")
    return told


def _moment(told: Any) -> datetime | None:
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int):
        raise Garbled("no moment")
    try:
        return from_micros(told)
    except OverflowError:
        raise Garbled("no moment") from None


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else _wrong("no list")


def _dict(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else _wrong("no table")


def _bool(told: Any) -> bool:
    return told if isinstance(told, bool) else _wrong("no yes or no")


def _wrong(why: str) -> NoReturn:
    raise Garbled(why)
