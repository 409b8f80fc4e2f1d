"""A new policy: the parcels it speaks of in other words become due, and no others.

The policy is noted as it begins to apply. Then what it says of each group of parcels is compared with what was said
of it last, a page of groups at a time, and the parcels of those that differ are made due, in steps that let others
write. Parcels without a group, from before there were any, become due once and get theirs when they are judged.
Cut short, by the end of the service or a crash, it is found unfinished at the next start and goes on: a group's new
terms are kept with its last parcel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from monitor.store import facets, meta, upkeep
from monitor.store.database import Database
from monitor.store.facets import Group
from rules.policy import PolicyBook

__all__ = ["RESCHEDULED", "Reschedule", "finished"]

log = structlog.get_logger()
RESCHEDULED: Final = "policy"
"""In the table `upkeep`: the policy (`detail`) whose parcels were gone through, or those begun and not ended (`begun`)."""
_GROUPS: Final = 5000
"""Compared in one reading: a fifth of a second."""
_PARCELS: Final = 5000
"""Made due in one transaction."""


@dataclass(slots=True)
class Reschedule:
    """One policy's way to the parcels it touches."""

    db: Database
    book: PolicyBook
    now: Callable[[], datetime]
    compared: int = 0
    touched: int = 0
    """Groups of which the policy says something else than was said last."""
    begun: list[str] | None = None
    """The policies whose parcels are to be gone through; empty when that is done, None before `begin`."""

    async def begin(self) -> None:
        """The policy applies from now on; what it touches is still to be gone through."""
        self.begun = await self.db.write(self._begin)

    async def run(self, until: asyncio.Event | None = None) -> bool:
        """Whether it came to its end; False: cut short (by `until`)."""
        if self.begun is None:
            await self.begin()
        if not self.begun:
            return True
        others = [version for version in self.begun if version != self.book.version]
        done = (
            await self._groups(until) and await self._without(until) and await self._judged_by(others, until)
        )
        if done:
            await self.db.write(partial(finished, version=self.book.version, now=self.now()))
            self.begun = []
            log.info("policy in force", policy=self.book.version, groups=self.compared, touched=self.touched)
        return done

    def _begin(self, conn: Connection) -> list[str]:
        """Note the policy; the versions begun and not ended, this one too, or none when all is done for it."""
        version, now = self.book.version, self.now()
        meta.note_policy(conn, version, self.book.describe(), now)
        last = upkeep.last(conn, RESCHEDULED)
        if last is not None and (last.outcome, last.detail) == ("ok", version):
            return []
        cut_short = last.detail.split() if last is not None and last.outcome == "begun" else []
        begun = list(dict.fromkeys([*cut_short, version]))
        upkeep.note(conn, RESCHEDULED, now, "begun", " ".join(begun))
        return begun

    async def _groups(self, until: asyncio.Event | None) -> bool:
        after: int | None = None
        while not _ended(until):
            page, changed = await self.db.read(partial(self._compare, after))
            self.compared += len(page)
            self.touched += len(changed)
            if not await self._touch(changed, until):
                return False
            if len(page) < _GROUPS:
                return True
            after = page[-1].id
        return False

    def _compare(self, after: int | None, conn: Connection) -> tuple[list[Group], list[Group]]:
        """A page of groups, and those of them whose parcels are to be judged anew, with their new terms."""
        page = facets.page(conn, after, _GROUPS)
        now = [replace(group, terms=self._terms(group)) for group in page]
        return page, [
            new for old, new in zip(page, now, strict=True) if new.terms != old.terms or not new.terms
        ]

    def _terms(self, group: Group) -> str:
        """What the policy says of the group; nothing where this program cannot read what group it is."""
        try:
            return self.book.policy_of(group.said).terms
        except (ValueError, KeyError, TypeError, AttributeError):
            return ""

    async def _touch(self, changed: Sequence[Group], until: asyncio.Event | None) -> bool:
        after = 0
        while changed and not _ended(until):
            step = partial(
                facets.touch, changed=changed[:_GROUPS], now=self.now(), after=after, limit=_PARCELS
            )
            done, after = await self.db.write(step)
            changed = changed[done:]
        return not changed

    async def _without(self, until: asyncio.Event | None) -> bool:
        last = 0
        while not _ended(until):
            step = partial(facets.touch_without, now=self.now(), after=last, limit=_PARCELS)
            last = await self.db.write(step)
            if not last:
                return True
        return False

    async def _judged_by(self, versions: Sequence[str], until: asyncio.Event | None) -> bool:
        """Policies that were cut short, and took another's place again: what they judged meanwhile is judged anew.

        The groups tell nothing of that. It is rare enough to look at every parcel.
        """
        ids = await self.db.read(partial(facets.judged_by, versions=versions)) if versions else []
        while ids and not _ended(until):
            await self.db.write(partial(facets.make_due, ids=ids[:_PARCELS], now=self.now()))
            ids = ids[_PARCELS:]
        return not ids


def finished(conn: Connection, version: str, now: datetime) -> None:
    """Everything the policy touches is due, or was judged by it."""
    upkeep.note(conn, RESCHEDULED, now, "ok", version)


def _ended(until: asyncio.Event | None) -> bool:
    return until is not None and until.is_set()
