"""Looks without scans: taken as silence, kept as a doubt, and taken after all when somebody vouches for them (L1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from monitor.feeds.doctor import Heard, Round
from monitor.feeds.line import Sign
from monitor.polling.believing import HEARD, Doubt, confirmed_nothing, doubt_in, in_a_row, mark
from monitor.polling.told import Told
from monitor.polling.witness import Unsure, Witness
from monitor.store import feeds, parcels
from monitor.store.parcels import Loaded
from monitor.sweep import Judged, Look, Sweep

__all__ = ["Vouching"]

_CALLED: Final = timedelta(minutes=1)
"""A number with scans is called to be asked about no more often, for each carrier."""


class Vouching:
    """Of one account's answers: what scans of a carrier say of looks without any."""

    def __init__(self, account: str, sweep: Sweep, interval: timedelta) -> None:
        """`interval` is the account's least time between two questions about one number."""
        self._account = account
        self._called: dict[str, datetime] = {}
        self._sweep = sweep
        self._interval = interval
        self._witness = Witness(interval)

    def asked(self, carrier: str, asked_at: datetime, bears: bool) -> None:
        """A number with scans was asked about: it still has them, or (`bears` false) nobody could tell."""
        self._witness.heard(carrier, asked_at, bears)

    def heard(self, look: Look, told: Told, heard: Heard) -> None:
        """What this answer says of others of its carrier, and of an older one about the same parcel."""
        self._witness.forget(heard.parcel_id)
        if told.asked_at is None or heard.sign is Sign.NOTHING:
            return
        if heard.sign is Sign.EMPTIED or doubt_in(look.answer_hash) is None:
            self._witness.heard(heard.carrier, told.asked_at, heard.sign is not Sign.EMPTIED)

    def perhaps(self, look: Look, told: Told, now: datetime) -> Look:
        """A look at a parcel without scans may be blindness: with what is taken of it then (L1)."""
        row = look.loaded
        if told.seen_at is None or row.case.journey.events:
            return look
        digest = mark(Doubt.NOTHING, self._before(row, now), now)
        return replace(look, unproven=Look(row, row.case, digest, asked_at=look.asked_at))

    def believed(self, look: Look, told: Told, round_: Round | None, now: datetime) -> Look:
        """A look without scans as it is believed: as proof when somebody vouches for it, or it was said twice."""
        if look.unproven is None or told.asked_at is None:
            return look
        vouched = self._witness.vouches(look.case.waybill.carrier, told.asked_at, now)
        lost = vouched is False or self._witness.losing(look.case.waybill.carrier, now)
        trouble = lost or (round_ is not None and round_.losing)
        twice = confirmed_nothing(self._before(look.loaded, now), now, self._interval, trouble)
        return replace(look, unproven=None) if vouched or twice else look

    def doubted(self, conn: Connection, look: Look, told: Told, now: datetime) -> None:
        """It would have accused: it waits for the next answer about a number with scans, where none has come since.

        Such a number is called to be asked about, once a minute for each carrier.
        """
        carrier, asked_at, seen_at = look.case.waybill.carrier, told.asked_at, look.case.observed_at
        if asked_at is None or seen_at is None or self._witness.vouches(carrier, asked_at, now) is False:
            return
        self._witness.wait(Unsure(look.loaded.id, carrier, asked_at, seen_at))
        if not timedelta() <= now - self._called.get(carrier, now - _CALLED) < _CALLED:
            self._called[carrier] = now
            feeds.call_witness(conn, self._account, carrier, now - self._interval, now)

    def release(self, conn: Connection, now: datetime, round_: Round | None) -> Judged:
        """Looks that somebody vouches for by now prove silence after all; call it inside the same write.

        The doubt is over then: it makes no later look the second of its kind.
        """
        released = self._witness.released(now)
        sure = {
            each.parcel_id: each.seen_at
            for each in released
            if round_ is None or not round_.down(each.carrier)
        }
        looks: Sequence[Look] = [
            Look(
                row,
                replace(row.case, observed_at=max(sure[row.id], row.case.observed_at or row.watch_from)),
                HEARD,
            )
            for row in (parcels.load(conn, list(sure)) if sure else ())
            if doubt_in(row.answer_hash) is Doubt.NOTHING and not row.case.journey.events
        ]
        return self._sweep.settle(conn, looks, now) if looks else Judged()

    def _before(self, row: Loaded, now: datetime) -> str:
        """The mark of the look before this one, where the two are said in a row."""
        return in_a_row(row.answer_hash, now, self._interval)
