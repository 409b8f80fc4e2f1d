"""Looks without scans: taken as silence, kept as a doubt, and taken after all when somebody vouches for them (L1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from monitor.feeds.doctor import Heard, Round
from monitor.feeds.line import Sign
from monitor.polling.believing import Doubt, confirmed_nothing, doubt_in, mark
from monitor.polling.told import Told
from monitor.polling.witness import Unsure, Witness
from monitor.store import parcels
from monitor.sweep import Judged, Look, Sweep

__all__ = ["Vouching", "perhaps"]


def perhaps(look: Look, told: Told, now: datetime) -> Look:
    """A look at a parcel without scans may be blindness: what is taken of it then (L1)."""
    row = look.loaded
    if told.seen_at is None or row.case.journey.events:
        return look
    digest = mark(Doubt.NOTHING, row.answer_hash, now)
    return replace(look, unproven=Look(row, row.case, digest, asked_at=look.asked_at))


class Vouching:
    """Of one account's answers: what scans of a carrier say of looks without any."""

    def __init__(self, sweep: Sweep, interval: timedelta) -> None:
        """`interval` is the account's least time between two questions about one number."""
        self._sweep = sweep
        self._interval = interval
        self._witness = Witness()

    def repeated(self, carrier: str, asked_at: datetime) -> None:
        """A number with scans was answered for as before, and there was nothing to keep."""
        self._witness.heard(carrier, asked_at, True)

    def heard(self, look: Look, told: Told, heard: Heard) -> None:
        """What this answer says of others of its carrier, and of an older one about the same parcel."""
        self._witness.forget(heard.parcel_id)
        if told.asked_at is None or heard.sign is Sign.NOTHING or doubt_in(look.answer_hash) is not None:
            return
        self._witness.heard(heard.carrier, told.asked_at, heard.sign is not Sign.EMPTIED)

    def believed(self, look: Look, told: Told, round_: Round | None, now: datetime) -> Look:
        """A look without scans as it is believed: as proof when somebody vouches for it, or it was said twice."""
        if look.unproven is None or told.asked_at is None:
            return look
        carrier = look.case.waybill.carrier
        trouble = round_ is not None and round_.troubled(carrier)
        twice = confirmed_nothing(look.loaded.answer_hash, now, self._interval, trouble)
        sure = twice or self._witness.vouches(carrier, told.asked_at)
        return replace(look, unproven=None) if sure else look

    def doubted(self, look: Look, told: Told) -> None:
        """It would have accused: it waits for the next answer about a number with scans, where none has come since."""
        carrier, asked_at, seen_at = look.case.waybill.carrier, told.asked_at, look.case.observed_at
        if asked_at is None or seen_at is None or self._witness.vouches(carrier, asked_at) is False:
            return
        self._witness.wait(Unsure(look.loaded.id, carrier, asked_at, seen_at))

    def release(self, conn: Connection, now: datetime, round_: Round | None) -> Judged:
        """Looks that somebody vouches for by now prove silence after all; call it inside the same write."""
        released = self._witness.released(now)
        sure = {
            each.parcel_id: each.seen_at
            for each in released
            if round_ is None or not round_.down(each.carrier)
        }
        looks: Sequence[Look] = [
            Look(
                row, replace(row.case, observed_at=max(sure[row.id], row.case.observed_at or row.watch_from))
            )
            for row in (parcels.load(conn, list(sure)) if sure else ())
            if doubt_in(row.answer_hash) is Doubt.NOTHING and not row.case.journey.events
        ]
        return self._sweep.settle(conn, looks, now) if looks else Judged()
