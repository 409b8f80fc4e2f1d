"""A question somebody asks by hand: it keeps the number's ceilings and is paid for, as any other."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from domain.orders import UNNAMED, Waybill
from monitor.config.accounts import ProviderAccount
from monitor.polling.budget import Till, today
from monitor.store import parcels, providers
from monitor.store.by_hand import ask_one

__all__ = ["asked_by_hand"]


def asked_by_hand(
    conn: Connection, account: ProviderAccount, waybill: Waybill, now: datetime, *, force: bool
) -> datetime | None:
    """Book the question and return None; or, booking nothing, when a watched number may be asked about.

    A waybill of nobody yet (`UNNAMED`) is the number, whosever it is. `force` books it whatever the ceilings say. It takes its place in the account's queue, and is booked in full: nobody sees whether it was charged.
    """
    ceilings = account.ceilings
    carrier = "" if waybill.carrier == UNNAMED else waybill.carrier
    for parcel_id in parcels.find(conn, waybill.waybill_no, carrier)[:1]:
        until = ask_one(
            conn,
            account.name,
            parcel_id,
            now,
            interval=ceilings.per_waybill_interval,
            daily=ceilings.per_waybill_daily,
            force=force,
        )
        if until is not None:
            return until
    providers.reserve(conn, account.name, 1, ceilings.per_second, now)
    providers.spend(conn, account.name, today(now), asked=1, micros=Till(account).price)
    return None
