"""`parcelwatch migrate`: a backup first, then the steps, and nobody working in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text

from monitor.single import Lockable, StoreFile, ever_held, only_one
from monitor.store import dump
from monitor.store.archive import Watch
from monitor.store.backends import Postgres, backend_of, parse_url, sqlite_path
from monitor.store.backup import Backup, back_up, nobody
from monitor.store.errors import StoreError, StoreRefused
from monitor.store.migration import migrate, newer, revision_of, schema_state
from monitor.store.workplace import made_folder

__all__ = ["Upgraded", "nobody_works", "upgrade"]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What was done."""

    steps: tuple[str, ...]
    backup: Backup | None = None
    """None: there was nothing to lose, or none was wanted."""


def upgrade(
    url: str, *, key: Path, now: datetime, folder: Path | None = None, without_backup: bool = False,
    watch: Watch = nobody,
) -> Upgraded:  # fmt: skip
    """Bring the store to this program's revision; an older one with something in it is backed up first.

    The backup lies beside the SQLite database; of a PostgreSQL one in `folder`, or else beside the key. Raises `StoreNewer` for a later
    program's store, `StoreRefused` while a daemon works on it, and `StoreError` when the backup cannot be made:
    then nothing was upgraded.
    """
    match schema_state(url):
        case "current":
            return Upgraded(())
        case "newer":
            raise newer()
        case "absent":
            return Upgraded(tuple(migrate(url)))
    with nobody_works(url, "升级"):
        made = None
        if not without_backup and not _nothing_in(url):
            target = _name(url, folder or key.parent, now)
            made_folder(target.parent)
            made = back_up(url, target, key=key, now=now, watch=watch)
        return Upgraded(tuple(migrate(url)), made)


@contextmanager
def nobody_works(url: str, verb: str, *, traceless: bool = False) -> Iterator[None]:
    """Hold the daemon's lock. Raises `StoreRefused` when a daemon has it.

    `traceless`: where no daemon ever was there is no lock's file, and none is made.
    """
    with ExitStack() as held:
        store = held.enter_context(_lockable(url))
        if traceless and store.path is not None and not ever_held(store.path):
            yield
            return
        try:
            held.enter_context(only_one(store))
        except StoreError as error:
            if type(error) is not StoreError:
                raise
            raise StoreRefused(f"{error}。parcelwatch run 运行时不能{verb}。") from error
        yield


@contextmanager
def _lockable(url: str) -> Iterator[Lockable]:
    """What the lock hangs on: of SQLite the file's name, so that looking makes no empty database."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        yield StoreFile(sqlite_path(parsed))
        return
    backend = Postgres(parsed, {})
    try:
        yield backend
    finally:
        backend.close()


def _name(url: str, folder: Path, now: datetime) -> Path:
    parsed = parse_url(url)
    file = parsed.get_backend_name() == "sqlite"
    beside = sqlite_path(parsed) if file else folder / "parcelwatch"
    return beside.with_name(f"{beside.name}.before-upgrade-{revision_of(url)}-{now:%Y%m%dT%H%M%SZ}.backup")


def _nothing_in(url: str) -> bool:
    """No order was ever taken in, and nothing else was written."""
    backend = backend_of(parse_url(url), {})

    def filled(conn: Connection, table: str) -> bool:
        return conn.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() is not None  # noqa: S608

    try:
        with backend.readers.connect() as conn, conn.begin():
            tables = [table.name for table in dump.shapes(conn) if table.name != "ticket_transitions"]
            return not any(filled(conn, table) for table in tables)
    finally:
        backend.close()
