"""A shop's own export, dropped into the watched folder: 千牛's, opened and saved in a spreadsheet once.

GB18030, numbers as `="…"`, masked phones, and one waybill that the spreadsheet made 7.73012E+13 of: that row is handed
back, and the order comes in by the daily file all the same. All other orders of it come in by this file alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from monitor.demo.orders import save_taobao
from monitor.demo.world import Parcel
from monitor.store.workplace import made_folder

__all__ = ["NAME", "SHOP", "Export", "drop", "exported"]

NAME: Final = "千牛-已卖出的宝贝.csv"
SHOP: Final = "山野户外专营店"


@dataclass(frozen=True, slots=True)
class Export:
    """What stands in the file."""

    only: tuple[Parcel, ...]
    """Orders that come in by it alone."""
    spoilt: Parcel | None
    """Whose waybill the spreadsheet has spoilt."""


def exported(shipped: Sequence[Parcel]) -> Export:
    """The shop's part of what was shipped. 顺丰's are left to the daily file: it wants a phone's digits, masked here."""
    mine = [each for each in shipped if each.order.shop == SHOP and not each.carrier.checks_phone]
    spoilt = next((each for each in mine if each.waybill_no.isdecimal()), None)
    return Export(tuple(each for each in mine if each is not spoilt), spoilt)


def drop(folder: Path, export: Export, at: datetime) -> None:
    """Put the file there, whole at once, as of that moment."""
    made_folder(folder)
    rows = [*export.only, *filter(None, [export.spoilt])]
    spoilt = {export.spoilt.waybill_no} if export.spoilt is not None else set()
    half = folder / f".{NAME}.part"
    save_taobao(half, rows, spoilt=spoilt)
    os.utime(half, (at.timestamp(), at.timestamp()))
    half.rename(folder / NAME)
