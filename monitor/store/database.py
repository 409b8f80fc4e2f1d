"""The store's door (first published shape; bodies follow)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from sqlalchemy import Connection

__all__ = [
    "Database", "StoreError", "StoreFull", "StoreNewer", "StoreOutdated", "StoreUnavailable", "migrate", "schema_state",
]

T = TypeVar("T")
SchemaState = Literal["absent", "current", "outdated", "newer"]


class StoreError(Exception):
    """The store cannot do what was asked; the text is for the operator: what, why, what to do next."""


class StoreFull(StoreError):
    """No room on the disk: nothing of this write was kept, reads go on, a later write works again."""


class StoreOutdated(StoreError):
    """The schema is absent or older than this program."""


class StoreNewer(StoreError):
    """The schema was made by a later program."""


class StoreUnavailable(StoreError):
    """The database does not answer now; the same work may be tried again."""


class Database:
    """One per process."""

    dialect: Literal["sqlite", "postgresql"]

    @classmethod
    def open(cls, url: str) -> Database:
        raise NotImplementedError

    def write_now(self, work: Callable[[Connection], T]) -> T:
        raise NotImplementedError

    def read_now(self, work: Callable[[Connection], T]) -> T:
        raise NotImplementedError

    async def write(self, work: Callable[[Connection], T]) -> T:
        raise NotImplementedError

    async def read(self, work: Callable[[Connection], T]) -> T:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def migrate(url: str) -> list[str]:
    raise NotImplementedError


def schema_state(url: str) -> SchemaState:
    raise NotImplementedError
