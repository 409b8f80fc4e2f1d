"""One row to a verdict: shipment, awaiting, ignored or rejected.

A row is rejected with every reason at once, and never touches its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from carriers.names import watched
from domain.orders import Order, OrderStatus
from monitor.intake.layouts import Layout
from monitor.intake.reading import Reading, Terms
from monitor.intake.shapes import Row
from monitor.intake.tables import Problem
from monitor.intake.values import text
from monitor.intake.verdicts import ParsedWaybill, RowKind, RowVerdict

__all__ = ["ParsedWaybill", "Problem", "RowKind", "RowVerdict", "Terms", "judge"]


def judge(terms: Terms, layout: Layout, row: Row) -> tuple[RowVerdict, ...]:
    """The verdicts of a row: one, or one per order where a cell names several orders."""
    reading = Reading(terms, layout, row)
    if reading.problems:
        return (_rejected(reading),)
    if reading.is_total():
        return (_ignored(reading, "total_row", "order_no", "合计行，不是订单"),)
    orders = reading.order_numbers()
    certain = not reading.problems
    numbers = reading.waybill_numbers()
    status = reading.status(shipped="waybill_no" in row.fields)
    if certain and not orders and "waybill_no" not in row.fields:
        return (_without_names(reading),)
    if certain and (orders or numbers):
        ended = _ended(reading, status, orders)
        if ended:
            return ended
    return _watched(reading, orders, numbers, status)


def _without_names(reading: Reading) -> RowVerdict:
    """Neither an order nor a waybill: a note under the table, or a row that lost its names."""
    if not reading.row.fields:
        return _ignored(reading, "no_data", "order_no", "没有要读的内容")
    reading.missing("order_no" if "order_no" in reading.layout.columns else "waybill_no")
    return _rejected(reading)


def _ended(reading: Reading, status: OrderStatus | None, orders: Sequence[str]) -> tuple[RowVerdict, ...]:
    """The verdicts of a row nobody has to watch, or none.

    They carry the order as ended, so that one that was waited for is waited for no longer.
    """
    if status is None:
        return (_ignored(reading, "unpaid", "status", "还没付款"),)
    if status is OrderStatus.CLOSED:
        return _closing(reading, "closed", "status", "交易已关闭，不再监控", status, orders)
    if not watched(text(reading.row.fields.get("carrier", ""))):
        done = max(status, OrderStatus.FINISHED, key=lambda each: each.rank)
        return _closing(reading, "not_watched", "carrier", "无需物流，没有包裹可监控", done, orders)
    if "waybill_no" in reading.row.fields:
        return ()
    if status is OrderStatus.REFUNDED:
        return _closing(reading, "refunded", "refund", "没有发货就已退款，不再监控", status, orders)
    if status is OrderStatus.FINISHED:
        return _closing(reading, "finished", "status", "交易已完成，没有要跟踪的运单", status, orders)
    return ()


def _closing(
    reading: Reading, reason: str, field: str, words: str, status: OrderStatus, orders: Sequence[str]
) -> tuple[RowVerdict, ...]:
    merchant, platform, shop = reading.whose()
    ended = [Order(name, merchant, platform, shop, status) for name in orders]
    return tuple(_ignored(reading, reason, field, words, order) for order in ended or (None,))


def _watched(
    reading: Reading,
    orders: Sequence[str],
    numbers: Sequence[tuple[str, bool]],
    status: OrderStatus | None,
) -> tuple[RowVerdict, ...]:
    """A row that is watched, or rejected with all that is wrong with it."""
    waybills = reading.waybills(numbers)
    orders = orders or reading.stand_in(numbers)
    order = reading.order(orders[0] if orders else "", status)
    platform_orders = reading.platform_orders()
    finished_at = reading.time("finished_at")
    if reading.problems:
        return (_rejected(reading),)
    if not waybills and (status is OrderStatus.SHIPPED or order.shipped_at is not None):
        words = "已发货，但这一行没有运单号；可以再导入带运单号的文件补上"
        reading.warn("missing_waybill", "waybill_no", words)
    tail = reading.phone_tail(waybills)
    whole = replace(
        _verdict(reading, RowKind.SHIPMENT if waybills else RowKind.AWAITING, order),
        waybills=waybills,
        phone_tail=tail,
        platform_orders=platform_orders,
        finished_at=finished_at,
    )
    return (whole, *(replace(whole, order=replace(order, order_no=name)) for name in orders[1:]))


def _ignored(reading: Reading, reason: str, field: str, words: str, order: Order | None = None) -> RowVerdict:
    why = Problem(reason, reading.layout.heading(field), words)
    return _verdict(reading, RowKind.IGNORED, order, (why,))


def _rejected(reading: Reading) -> RowVerdict:
    return _verdict(reading, RowKind.REJECTED, None, tuple(reading.problems))


def _verdict(
    reading: Reading, kind: RowKind, order: Order | None, problems: tuple[Problem, ...] = ()
) -> RowVerdict:
    row = reading.row
    return RowVerdict(
        row.line,
        kind,
        order,
        problems=problems,
        warnings=tuple(reading.warnings),
        raw=row.raw,
        sheet=row.sheet,
        header=reading.layout.header,
    )
