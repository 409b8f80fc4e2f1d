"""Reading pushes: what stored ones say, kept with all that follows from it in one transaction (L5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from carriers.names import listed
from carriers.push import Delivery, Doorman, Forged, Push, Pusher, Receipt, Subscriber, same
from domain.masking import mask_phones
from domain.orders import UNNAMED, Waybill
from domain.remote import RemoteError, Reply
from domain.tracking import Answer
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount, secrets_of
from monitor.polling.keeping import Keeper
from monitor.polling.told import Told
from monitor.redaction import redact
from monitor.store import providers, pushes, subscriptions
from monitor.store.carriers import name_parcel
from monitor.store.pushes import Kept
from monitor.sweep import Judged

__all__ = ["Batch", "Door", "Hush", "Read", "Reader"]

_HUSH: Final = timedelta(minutes=1)
_ODD: Final = 20
"""Oddities kept of one group: a pusher gone mad fills no store."""


@dataclass(frozen=True, slots=True)
class Door:
    """An account that pushes."""

    account: ProviderAccount
    pusher: Pusher
    keeper: Keeper

    def admit(self, push: Push, now: datetime) -> Receipt:
        """Raises `Forged`. What is true and cannot be read is admitted: it is the next sample."""
        if isinstance(self.pusher, Doorman):
            return self.pusher.admit(push, now)
        try:
            return Receipt(self.pusher.receive(push, now).reply)
        except RemoteError:
            return Receipt(Reply(200))

    @property
    def again_after(self) -> timedelta:
        """The least time between the end of a subscription and the next one."""
        return self.pusher.terms.again_after if isinstance(self.pusher, Subscriber) else timedelta(0)

    def knows(self, push: Push) -> bool:
        """The key of the address, where there is one."""
        key = self.account.callback_key
        return key is None or same(key.reveal(), push.query.get("key"))


@dataclass(slots=True)
class Hush:
    """Something that may happen a thousand times a second is said once a minute."""

    said_at: datetime | None = None
    since: int = 0

    def times(self, now: datetime) -> int:
        """How often it happened since it was last said; 0 while it is not to be said."""
        self.since += 1
        if self.said_at is not None and timedelta(0) <= now - self.said_at < _HUSH:
            return 0
        self.said_at, times = now, self.since
        self.since = 0
        return times


@dataclass(slots=True)
class Batch:
    """What came of a group."""

    outcomes: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Account and outcome."""
    judged: Judged = field(default_factory=Judged)
    odd: int = 0

    def count(self, account: str, outcome: str, n: int = 1) -> None:
        if n:
            self.outcomes[account, outcome] += n


@dataclass(frozen=True, slots=True)
class Read:
    """A push that was read, or could not be."""

    kept: Kept
    delivery: Delivery | None
    why: str = ""


class Reader:
    """Of all accounts that push."""

    def __init__(self, doors: Mapping[str, Door], clock: Clock) -> None:
        self._doors = doors
        self._clock = clock
        self._hushes: dict[str, Hush] = defaultdict(Hush)

    def read(self, kept: Kept) -> Read:
        """What a push says; one that says nothing is a `Read` too, with the reason."""
        door = self._doors.get(kept.provider)
        if door is None:
            return Read(kept, None, "账号已经不接收推送")
        try:
            return Read(kept, door.pusher.receive(kept.push, kept.at))
        except Forged as error:  # the key was changed while it waited
            return Read(kept, None, f"签名现在不对：{error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is put aside to be looked into
            return Read(kept, None, f"{type(error).__name__}: {error}")

    def keep(self, group: Sequence[Read], conn: Connection) -> Batch:
        """Everything a group of pushes means, and that they need not be read again, in one transaction."""
        batch, now = Batch(), self._clock.now()
        by_account: dict[str, list[Read]] = defaultdict(list)
        for each in group:
            by_account[each.kept.provider].append(each)
        for name, its in by_account.items():
            for each in its:
                self._put_aside(conn, each, now, batch)
            if name in self._doors:
                read = [(each.kept, each.delivery) for each in its if each.delivery is not None]
                self._keep_of(conn, self._doors[name], read, now, batch)
        pushes.done(conn, [each.kept.id for each in group])
        return batch

    def _keep_of(
        self,
        conn: Connection,
        door: Door,
        read: Sequence[tuple[Kept, Delivery]],
        now: datetime,
        batch: Batch,
    ) -> None:
        """What one account pushed."""
        name = door.account.name
        answers = [(kept, answer) for kept, delivery in read for answer in delivery.answers]
        ended = [(kept, each) for kept, delivery in read for each in delivery.ended]
        numbers = {answer.waybill_no for _, answer in answers} | {
            each.waybill.waybill_no for _, each in ended
        }
        ids = pushes.addressed(conn, numbers)
        told: list[Told] = []
        for kept, answer in answers:
            parcel_id = _parcel(ids, answer) or self._named(conn, door, ids, answer, now)
            if parcel_id is None:
                self._stranger(conn, name, answer, now, batch)
                continue
            said = replace(answer, whole=False, late=True)
            told.append(Told(parcel_id, said, None, None, kept.at))
        batch.count(name, "kept", len(told))
        if told:
            subscriptions.pushed(conn, name, {each.parcel_id: each.answered_at for each in told})
            judged = door.keeper.keep(conn, told, now)
            batch.count(name, "scans", judged.scans)
            batch.judged.add(judged)
        for kept, each in ended:
            parcel_id = ids.get(each.waybill)
            if parcel_id is not None:
                subscriptions.ended(conn, name, parcel_id, each.why, each.said, kept.at, door.again_after)

    def _named(
        self, conn: Connection, door: Door, ids: dict[Waybill, int], answer: Answer, now: datetime
    ) -> int | None:
        """The parcel whose order names no carrier, where this push may say whose it is; it is that carrier's then.

        Its signature was looked at on its way in. Beyond that only an account is believed that was asked for just this
        parcel's news, or that pushes unasked what belongs to its own account (顺丰, 极兔, 菜鸟), and for its carriers.
        """
        waybill = Waybill(answer.corrected_carrier or answer.carrier, answer.waybill_no)
        waiting = ids.get(Waybill(UNNAMED, answer.waybill_no))
        if waiting is None or listed(waybill.carrier) != waybill.carrier:
            return None
        name = door.account.name
        unasked = not isinstance(door.pusher, Subscriber) and door.account.pushes(waybill.carrier)
        if not unasked and not subscriptions.is_open(conn, name, waiting):
            return None
        named = name_parcel(conn, waybill, now)
        if named is not None:
            ids[waybill] = named
        return named

    def _stranger(self, conn: Connection, name: str, answer: Answer, now: datetime, batch: Batch) -> None:
        """About a number nobody watches: counted, and shown once a minute."""
        batch.count(name, "unknown_parcel")
        if times := self._hushes[name].times(now):
            reason = f"推送了 {times} 次没有监控的运单，如 {answer.carrier}/{answer.waybill_no}"
            providers.oddity(conn, name, reason, "", now)

    def _put_aside(self, conn: Connection, each: Read, now: datetime, batch: Batch) -> None:
        """What of a push nobody could read: kept whole, as the next sample, without our secrets and with masked phones."""
        reasons = [each.why] if each.delivery is None else list(each.delivery.unreadable)
        if not reasons:
            return
        batch.count(each.kept.provider, "unreadable")
        batch.odd += 1
        if batch.odd <= _ODD:
            door = self._doors.get(each.kept.provider)
            secrets = secrets_of(door.account.provider) if door is not None else ()
            said = mask_phones(redact(each.kept.push.body[:20_000].decode("utf-8", "replace"), secrets))
            reason = redact(f"推送：{'；'.join(reasons)}", secrets)
            providers.oddity(conn, each.kept.provider, reason, said, now)


def _parcel(ids: Mapping[Waybill, int], answer: Answer) -> int | None:
    """The parcel an answer is about, under the carrier it was subscribed with or the one the pusher found."""
    said = ids.get(Waybill(answer.carrier, answer.waybill_no))
    if said is None and answer.corrected_carrier:
        return ids.get(Waybill(answer.corrected_carrier, answer.waybill_no))
    return said
