"""One file, from the child that reads it to the store: what the command, the console and the drop folder all call.

A preview is an import that is taken back, so that what it tells is what an import would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from monitor.intake.export import RejectedFile, handing_back
from monitor.intake.files import OrderFile
from monitor.intake.outside import LIMITS, How, Limits, Stopped, opened
from monitor.intake.tables import FileRefused
from monitor.intake.take import Tally, take
from monitor.intake.verdicts import RowVerdict
from monitor.store import mappings, meta
from monitor.store.database import Database
from monitor.store.meta import Imported

__all__ = ["SAMPLES", "Job", "Report", "Stopped", "bring_in", "note_refused", "written_at"]

SAMPLES: Final = 10
"""Rows a preview shows."""
_WORTH_SAYING: Final = timedelta(hours=1)
_EARLIEST_YEAR: Final = 2010
_NO_ORDERS: Final = frozenset({"no_data", "total_row"})


@dataclass(frozen=True, slots=True)
class Job:
    """What to import, and how."""

    path: Path
    how: How = field(default_factory=How)
    name: str = ""
    """What people call the file; nothing: as its path does."""
    origin: str = "command"
    """`command`, `console` or `inbox`."""
    dry_run: bool = False
    rejected: Path | None = None
    """Where the rejected rows are handed back."""
    limits: Limits = LIMITS
    ending: Callable[[], bool] = field(default=lambda: False)
    """The service is to be gone within seconds."""
    handle: int | None = None
    """The file, opened already."""
    written_at: datetime | None = None
    """When the file was written or uploaded, as far as is known: what it says was true then, not when it is read."""
    saved: Mapping[str, Mapping[str, str]] | None = None
    """The saved column tables that count, by header, as a preview found them; None: those of now."""


@dataclass(slots=True)
class Report:
    """What became of a file, so far or at last. `file.rows` are gone."""

    file: OrderFile
    tally: Tally
    seen: Imported | None = None
    """The same file was taken before."""
    samples: list[RowVerdict] = field(default_factory=list)
    """The first rows that are more than a blank or a total."""
    saved: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The saved column tables, by header, of which one was used; empty where none was."""
    known_at: datetime | None = None
    """When the shop knew what the file says (quirk 18); None before it is recognised."""
    refused: FileRefused | None = None
    """Every row that should have been kept was rejected: nothing was, or would be, imported."""

    def aged(self, now: datetime) -> datetime | None:
        """The file's own time, where its name says none and it lay so long that people should hear of it."""
        if self.known_at is None or self.file.exported_at is not None or now - self.known_at <= _WORTH_SAYING:
            return None
        return self.known_at


def written_at(seconds: float) -> datetime | None:
    """The moment of a file's time stamp, or None for one that is nobody's: archives unpack to 1970 and 1980."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return at if at.year >= _EARLIEST_YEAR else None


def bring_in(
    db: Database,
    job: Job,
    *,
    zone: ZoneInfo,
    now: datetime,
    told: Callable[[Report], object] = lambda report: None,
) -> Report:
    """Read, judge and keep every row, in batches; where nothing came of any, `Report.refused` says it. `told` hears of the file, and then of every batch.

    Blocks; run it in a thread where a loop waits. Raises `FileRefused`, also midway: what was kept stays, and
    the whole file can be imported again; `Stopped` when the service ends, with the same to be said.
    """
    how = job.how
    if job.saved is not None:
        how = replace(how, saved=job.saved)
    elif not how.mapping and not how.saved:
        how = replace(how, saved=db.read_now(lambda conn: mappings.by_fingerprint(conn, how.shop)))
    given: dict[str, Any] = {
        "zone": zone,
        "now": now,
        "name": job.name,
        "limits": job.limits,
        "ending": job.ending,
        "handle": job.handle,
    }
    broke: FileRefused | None = None
    with opened(job.path, how, **given) as file:
        report = Report(replace(file, rows=iter(())), Tally(), saved=how.saved if file.remembered else {})
        report.seen = db.read_now(lambda conn: meta.seen_import(conn, file.sha256))
        report.known_at = known_at = file.exported_at or min(now, job.written_at or now)
        told(report)
        with _handing_back(job.rejected, file.header) as back:
            rows = _sampled(file.rows, report.samples)
            try:
                for tally in take(
                    db,
                    rows,
                    known_at=known_at,
                    now=now,
                    dry_run=job.dry_run,
                    hand_back=back.add if back else _keep_none,
                ):
                    report.tally = tally
                    told(report)
                    if job.ending():
                        raise Stopped
            except FileRefused as broken:  # the rejected rows so far are handed back all the same
                broke = _midway(broken, Tally() if job.dry_run else report.tally)
    if broke is not None:
        raise broke
    if report.tally.counts["rejected"] and (why := report.tally.nothing):
        report.refused = FileRefused(report.file.name, "nothing", why)
    if not job.dry_run and report.refused is not None:
        note_refused(db, report.refused, origin=job.origin, now=now)
    elif not job.dry_run:
        db.write_now(lambda conn: _note(conn, job, report, now))
    return report


def _midway(broken: FileRefused, tally: Tally) -> FileRefused:
    """What broke off the reading, with how many rows stand by then."""
    if not (stands := tally.standing):
        return broken
    return FileRefused(broken.file, broken.reason, broken.message, broken.columns, stands=stands)


def note_refused(db: Database, refused: FileRefused, *, origin: str, now: datetime) -> None:
    """Remember a file nothing came of: the console lists it with its reason."""
    row = Imported(now, "", refused.file, origin=origin, refused=refused.kept)
    db.write_now(lambda conn: meta.note_import(conn, row))


def _note(conn: Connection, job: Job, report: Report, now: datetime) -> None:
    file = report.file
    counts = dict(report.tally.counts)
    meta.note_import(
        conn, Imported(now, file.sha256, file.name, file.source, file.exported_at, counts, job.origin)
    )
    if file.remembered:
        mappings.used(conn, file.fingerprint, now)


def _handing_back(path: Path | None, header: Sequence[str]) -> AbstractContextManager[RejectedFile | None]:
    return nullcontext() if path is None else handing_back(path, header)


def _keep_none(row: RowVerdict) -> None:
    """Nobody wants the rejected rows back."""


def _sampled(rows: Iterator[RowVerdict], samples: list[RowVerdict]) -> Iterator[RowVerdict]:
    for row in rows:
        if len(samples) < SAMPLES and row.reason not in _NO_ORDERS:
            samples.append(row)
        yield row
