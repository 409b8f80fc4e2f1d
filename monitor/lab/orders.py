"""Orders for the lab: our own columns at once, by column; every other export row by row, as `import` reads it.

The frame has one row for each order in each parcel: the fields of `domain.orders.Order`, `carrier` and
`waybill_no`, moments as UTC, `amount` as yuan (NaN: not told), `status` as it was when the file was made,
`finished_at` where the file says when the buyer confirmed, and `line`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

from domain.goods import tagged
from domain.masking import safe_text
from domain.orders import OrderStatus
from monitor.intake.columns import OWN, PLATFORM_IDS, REQUIRED, platform_id
from monitor.intake.files import read_orders as read_any
from monitor.intake.places import place
from monitor.intake.statuses import standing
from monitor.intake.tables import FileRefused
from monitor.intake.values import Unfit, heading_key, money, shown, text
from monitor.intake.verdicts import RowKind, RowVerdict
from monitor.lab.rows import Faults, bare, carriers_of, cell, each_word
from monitor.lab.tables import LINE, TextFile, open_text
from monitor.lab.telling import Telling
from monitor.lab.times import EARLIEST, MOMENT, read_times

__all__ = ["COLUMNS", "PAST", "TIMES", "empty_orders", "read_orders"]

PAST: Final = ("ordered_at", "paid_at", "confirmed_at", "shipped_at", "finished_at")
"""Moments that have happened."""
TIMES: Final = (*PAST, "promised_ship_at", "promised_delivery_at")
_WORDS: Final = (
    "merchant",
    "platform",
    "shop",
    "receiver_province",
    "receiver_city",
    "warehouse",
    "goods_type",
)
COLUMNS: Final = ("carrier", "waybill_no", "order_no", *_WORDS, "tags", "status", "amount", *TIMES, LINE)
_KNOWN: Final = frozenset({*OWN.fields, *COLUMNS, "phone_tail"}) - {LINE}
_WAYBILL: Final = r"[0-9A-Za-z][0-9A-Za-z_-]{0,39}"
_DAMAGED: Final = r"\d(?:\.\d+)?[eE]\+?\d{1,3}"
_STAGE: Final = "读订单"
_CHUNK: Final = 20_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a file of orders is read by."""

    zone: ZoneInfo
    latest: datetime
    """Nothing has happened after this."""
    aside: Path
    """A folder for what has to be unpacked."""


def empty_orders() -> pd.DataFrame:
    """No order at all."""
    return _typed(pd.DataFrame({name: [] for name in COLUMNS}))


def read_orders(path: Path, zone: ZoneInfo, latest: datetime, aside: Path, telling: Telling) -> pd.DataFrame:
    """The orders of a file; what cannot be taken is told. Raises `FileRefused` for a file that is not one."""
    terms = Terms(zone, latest, aside)
    try:
        file = open_text(path, aside)
    except FileRefused as refused:
        if refused.reason != "workbook":
            raise
        frames = _any(path, path.name, terms, telling)
    else:
        own = any(name in {heading_key(each)[0] for each in file.header} for name in REQUIRED)
        frames = _own(file, terms, telling) if own else _any(file.path, file.name, terms, telling)
    orders = pd.concat([empty_orders(), *frames], ignore_index=True)
    return _once(orders, path.name, telling)


# ── our own columns ──────────────────────────────────────────────────────────────────────────────


def _own(file: TextFile, terms: Terms, telling: Telling) -> Iterator[pd.DataFrame]:
    names = {heading: heading_key(heading)[0] for heading in file.header}
    missing = [name for name in REQUIRED if name not in names.values()]
    if missing:
        near = [
            f"{each}（最像的列：{near[0]}）" if (near := get_close_matches(each, file.header, 1)) else each
            for each in missing
        ]
        swapped = "；是不是和 --events 写反了？" if "occurred_at" in names.values() else ""
        raise FileRefused(file.name, "missing_columns", f"缺少必需的列：{'、'.join(near)}{swapped}")
    for heading, name in names.items():
        if name not in _KNOWN:
            close = get_close_matches(name, sorted(_KNOWN), n=1)
            hint = f"；是不是想写 {close[0]}？" if close else ""
            telling.remark(f"{file.name} 的列“{safe_text(heading, 40)}”不认识，没有读{hint}")
    for chunk in file.frames(telling, _STAGE):
        yield _columns(chunk.rename(columns=names), file.name, terms, telling)


def _columns(raw: pd.DataFrame, file: str, terms: Terms, telling: Telling) -> pd.DataFrame:
    """One chunk of text to typed columns; rows with a fault are told with all their reasons."""
    faults = Faults(raw, file, telling)
    out = pd.DataFrame(index=raw.index)
    for name in _WORDS:
        out[name] = each_word(cell(raw, name), lambda word: text(word)[:64])
    for name in ("receiver_province", "receiver_city"):
        out[name] = each_word(out[name], place)
    out["platform"] = each_word(out["platform"], lambda word: _platform(word, telling))
    out["tags"] = each_word(out["goods_type"] + "\n" + cell(raw, "tags"), _tags)
    out["order_no"] = bare(raw, "order_no")
    faults.where(out["order_no"] == "", "bad_order", "order_no 是空的")
    faults.where(
        out["order_no"].str.fullmatch(_DAMAGED), "bad_order", "订单号已被电子表格改成科学计数，无法恢复"
    )
    out["waybill_no"] = bare(raw, "waybill_no")
    unsent = out["waybill_no"] == ""
    faults.where(
        ~unsent & ~out["waybill_no"].str.fullmatch(_WAYBILL), "bad_waybill", "运单号只能有字母、数字和连字符"
    )
    faults.where(
        out["waybill_no"].str.fullmatch(_DAMAGED), "bad_waybill", "运单号已被电子表格改成科学计数，无法恢复"
    )
    out["carrier"], unknown = carriers_of(cell(raw, "carrier"), telling)
    for n, reason in unknown.items():
        if not unsent.iloc[n]:
            faults.at(n, "unknown_carrier", reason)
    _moments(raw, out, terms, faults)
    out["amount"], odd = _amounts(cell(raw, "amount"))
    for n, reason in odd.items():
        faults.at(n, "bad_order", reason)
    status = (
        [
            standing(word, "", shipped=not empty).status
            for word, empty in zip(cell(raw, "status"), unsent, strict=True)
        ]
        if "status" in raw
        else [OrderStatus.AWAITING if empty else OrderStatus.SHIPPED for empty in unsent]
    )
    out["status"] = pd.Series(
        [each.value if each else "unpaid" for each in status], index=raw.index, dtype="str"
    )
    out[LINE] = raw[LINE]
    return _typed(out[faults.settle()])


def _platform(word: str, telling: Telling) -> str:
    name = platform_id(word)
    if name and name not in PLATFORM_IDS:
        near = get_close_matches(name, sorted(PLATFORM_IDS), n=1, cutoff=0.5)
        hint = f"，是不是 {near[0]}？" if near else f"；认识的有：{'、'.join(sorted(PLATFORM_IDS))}"
        telling.remark(f"不认识的平台“{safe_text(word, 24)}”，按通用规则看{hint}")
    return name


def _moments(raw: pd.DataFrame, out: pd.DataFrame, terms: Terms, faults: Faults) -> None:
    latest = pd.Timestamp(terms.latest)
    for name in TIMES:
        read = read_times(cell(raw, name), terms.zone, whole_day=True, late_minute=True)
        out[name] = read.at
        for n, reason in read.faults.items():
            faults.at(n, "bad_time", f"{name}：{reason}")
        faults.where(read.at < EARLIEST, "too_early", f"{name} 早于 2010 年")
        if name in ("paid_at", "ordered_at"):
            faults.where(
                read.at > latest,
                "in_the_future",
                f"{name} 晚于“现在”{terms.latest.astimezone(terms.zone):%Y-%m-%d %H:%M}",
            )
        elif name in PAST:  # the shop had not done it yet
            out[name] = read.at.where(read.at <= latest)


def _amounts(words: pd.Series[str]) -> tuple[pd.Series[float], dict[int, str]]:
    found = pd.to_numeric(words.where(words.str.strip() != ""), errors="coerce").astype("float64")
    faults: dict[int, str] = {}
    odd = ((found.isna() & (words.str.strip() != "")) | (found < 0) | (found >= 1e9)).to_numpy()
    for n in odd.nonzero()[0].tolist():
        try:
            read = money(words.iloc[n])
            found.iloc[n] = float("nan") if read is None else float(read)
        except Unfit as unfit:
            faults[n] = f"amount：{unfit}"
    return found, faults


def _tags(said: str) -> str:
    """The tags of a row, of its goods type and its tags in two lines."""
    goods_type, _, words = said.partition("\n")
    return ",".join(sorted(tagged(goods_type, frozenset(text(words).replace(",", " ").split()))))


# ── everybody else's exports ─────────────────────────────────────────────────────────────────────


def _any(path: Path, name: str, terms: Terms, telling: Telling) -> Iterator[pd.DataFrame]:
    """A workbook, or a back office's headings: read as `import` reads it."""
    read = read_any(path, zone=terms.zone, now=terms.latest)
    telling.remark(f"{name} 识别为：{read.source_name}")
    for note in read.notes:
        telling.remark(f"{name}：{note.text}")
    skipped: Counter[str] = Counter()
    done = 0
    while some := list(islice(read.rows, _CHUNK)):
        done += len(some)
        telling.watch(_STAGE, done, 0)
        rows: list[dict[str, Any]] = []
        for row in some:
            if row.kind is RowKind.REJECTED:
                why = "；".join(f"{each.column}：{each.text}" for each in row.problems)
                telling.reject(name, row.line, "order_row", why, [shown(cell) for cell in row.raw])
            elif row.kind is RowKind.IGNORED:
                skipped[row.problems[0].text] += 1
            else:
                rows += _rows(row)
        if rows:
            yield _typed(pd.DataFrame(rows))
    for words, count in skipped.items():
        telling.remark(f"{name} 有 {count:,} 行没有看：{words}")


def _rows(row: RowVerdict) -> list[dict[str, Any]]:
    order = row.order
    assert order is not None
    said: dict[str, Any] = {name: getattr(order, name) for name in (*_WORDS, "order_no")}
    said |= {name: getattr(order, name, None) for name in TIMES}
    said |= {"tags": ",".join(sorted(order.tags)), "status": order.status.value, LINE: row.line}
    said |= {"amount": _yuan(order.amount), "finished_at": row.finished_at}
    return [
        {**said, "carrier": each.carrier, "waybill_no": each.waybill_no}
        for each in row.waybills or (_NOBODY,)
    ]


@dataclass(frozen=True, slots=True)
class _Nobody:
    carrier: str = ""
    waybill_no: str = ""


_NOBODY: Final = _Nobody()


def _yuan(amount: Decimal | None) -> float:
    return float("nan") if amount is None else float(amount)


# ── all of them ──────────────────────────────────────────────────────────────────────────────────


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns in their order and kinds."""
    frame = frame.reindex(columns=list(COLUMNS))
    kinds: dict[str, Any] = dict.fromkeys(TIMES, MOMENT) | {"amount": "float64", LINE: "int64"}
    texts = [name for name in COLUMNS if name not in kinds]
    frame[texts] = frame[texts].fillna("")
    for name in TIMES:
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame.astype(kinds | dict.fromkeys(texts, "str"))


def _once(orders: pd.DataFrame, file: str, telling: Telling) -> pd.DataFrame:
    """Each order in each parcel once: of rows that differ the later one stands."""
    key = ["carrier", "waybill_no", "order_no", "platform", "shop", "merchant"]
    again = orders.duplicated(key, keep="last")
    if again.any():
        later = orders[~again].set_index(key)[LINE]
        for row in orders[again].itertuples(index=False):
            stands = later.loc[tuple(getattr(row, name) for name in key)]
            reason = f"同一订单和运单在第 {stands} 行又有一次，以后面的为准"
            cells: Sequence[str] = [str(getattr(row, name)) for name in key]
            telling.reject(file, int(row.line), "duplicate", reason, cells)  # type: ignore[arg-type]
    return orders[~again].reset_index(drop=True)
