"""A provider says that a number is another carrier's: followed where that can be, remarked where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from carriers.names import listed
from domain.masking import clean
from domain.tracking import Answer
from monitor.polling.told import Told
from monitor.store.carriers import change_carrier
from monitor.store.parcels import Loaded
from monitor.sweep import Sweep

__all__ = ["Corrector"]

Odd = Callable[[Connection, str, object, datetime], None]


class Corrector:
    """Moves parcels to the carrier whose they are."""

    def __init__(self, sweep: Sweep, odd: Odd) -> None:
        """`odd` keeps what is not followed, with the reason why."""
        self._sweep = sweep
        self._odd = odd

    def follows(self, row: Loaded, corrected: str) -> bool:
        """The parcel will be that carrier's."""
        return corrected not in ("", row.case.waybill.carrier) and not self._why_not(row, corrected)

    def put_right(self, conn: Connection, told: Sequence[tuple[Loaded, Told]], now: datetime) -> None:
        """The provider says that a number is another carrier's. Back to the one it was corrected from is no news."""
        for row, each in told:
            corrected = each.answer.corrected_carrier if isinstance(each.answer, Answer) else ""
            known = row.case.waybill
            if corrected in ("", known.carrier):
                continue
            if why := self._why_not(row, corrected):
                self._odd(conn, f"{known.waybill_no}：{why}", each.answer, now)
                continue
            change_carrier(conn, row.id, corrected, now)

    def _why_not(self, row: Loaded, corrected: str) -> str:
        """Why a correction is not followed, or nothing: one answer must not move a parcel to where nobody looks.

        An account that only pushes asks about neither carrier, and may put its own word right.
        """
        known = row.case.waybill
        if listed(corrected) != corrected:
            return f"更正成了不认识的快递公司 {clean(corrected, 40)}，没有照改"
        if corrected == row.case.declared:
            return f"更正来更正去，不知道是 {known} 还是 {corrected}"
        if self._sweep.feeds(corrected) is None and self._sweep.feeds(known.carrier) is not None:
            return f"更正成 {corrected}，没有账号能查它，没有照改"
        return ""
