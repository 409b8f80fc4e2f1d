"""What the console does with an uploaded file: read it and tell, and after a yes import it.

Both are the same import; the first one is taken back. What is told is plain values, so that it can be written down.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from carriers import names
from domain.masking import mask_phones, safe_text
from domain.orders import ORDER_STATUS_ZH
from domain.remote import Secret
from monitor.intake.importing import Job, Report, bring_in, note_refused
from monitor.intake.outside import How, Stopped
from monitor.intake.staging import Staged, Staging, State, with_state
from monitor.intake.tables import NO_HEADER, SEEN, FileRefused
from monitor.intake.verdicts import RowVerdict
from monitor.store.database import Database

__all__ = ["Trial", "seal", "told_of"]

_PROBLEMS: Final = 20
_WIDE: Final = 80
_HEADING: Final = 40
"""Characters of the longest heading."""
_NUMBER: Final = re.compile(r"(?=.*[0-9])[0-9A-Za-z][0-9A-Za-z.+_-]{2,63}", re.ASCII)
_VALUE: Final = re.compile(
    r"[\d０-９]{5}|[\d０-９][-/.年][\d０-９]{1,2}[-/.月][\d０-９]"  # a number, a day
    r"|[0-9０-９一二三四五六七八九十百]+\s*(?:号|室|幢|栋|弄|单元|楼|层)"  # a street's end
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One turn with a staged file. Blocks: run it in a thread."""

    db: Database
    staging: Staging
    zone: ZoneInfo
    now: Callable[[], datetime]
    ending: Callable[[], bool]
    heard: Callable[[str, int], object]
    """Hears how many rows of which file are done."""

    def preview(self, staged: Staged, password: Secret | None) -> Staged:
        """Read it all and take it back."""
        return self._turn(staged, password, dry_run=True)

    def confirm(self, staged: Staged, password: Secret | None) -> Staged:
        """Import it as it was previewed: read with the very tables that were used then, whatever was saved since.

        The upload goes; the rejected rows stay for the rest of the day. What was never previewed is previewed.
        """
        if "saved" not in staged.said:
            return self.preview(staged, password)
        done = self._turn(staged, password, dry_run=False)
        if done.state is State.DONE:
            self.staging.drop(staged.token, ".upload")
        return done

    def _turn(self, staged: Staged, password: Secret | None, *, dry_run: bool) -> Staged:
        now = self.now()
        job = Job(
            self.staging.upload(staged.token),
            How(staged.mapping, staged.platform, staged.shop, staged.merchant, password),
            staged.name,
            "console",
            dry_run,
            self.staging.rejected(staged.token),
            ending=self.ending,
            written_at=staged.at,
            saved=None if dry_run else staged.said["saved"],
        )
        try:
            report = bring_in(
                self.db,
                job,
                zone=self.zone,
                now=now,
                told=lambda so_far: self.heard(staged.token, so_far.tally.rows),
            )
        except FileRefused as refused:
            if not dry_run:
                note_refused(self.db, refused, origin="console", now=now)
            return self.staging.keep(with_state(staged, State.REFUSED, refused=_refusal(refused)))
        except Stopped:
            return staged
        said = told_of(report)
        state = State.READY if dry_run or said["nothing"] else State.DONE
        return self.staging.keep(with_state(staged, state, **said, refused=None))


def seal(staged: Staged) -> str:
    """What a yes is said to: the same text while the file is read the same way to the same end."""
    seen = [staged.said.get(each) for each in ("mapping", "saved", "rows", "counts", "fingerprint")]
    asked = [staged.mapping, staged.platform, staged.shop, staged.merchant]
    return hashlib.sha256(json.dumps([asked, seen], sort_keys=True).encode()).hexdigest()[:16]


def told_of(report: Report) -> dict[str, Any]:
    """What a page shows of an import: no cell of the file but numbers and names of ours."""
    file, tally, seen = report.file, report.tally, report.seen
    return {
        "source": file.source_name,
        "mapped": file.mapped,
        "platform": safe_text(file.platform, 64),
        "by_row": file.by_row,
        "encoding": file.encoding,
        "sheets": [safe_text(each, 40) for each in file.sheets[:20]],
        "exported_at": file.exported_at.isoformat() if file.exported_at else "",
        "header": [heading for heading in file.header if not _is_value(heading)],
        "mapping": {name: told for name, told in file.mapping.items() if not _is_value(told)},
        "fingerprint": file.fingerprint,
        "remembered": file.remembered,
        "saved": {mark: dict(fields) for mark, fields in report.saved.items()},
        "notes": [each.text for each in file.notes],
        "seen": [seen.at.isoformat(), seen.name] if seen is not None else None,
        "rows": tally.rows,
        "counts": dict(tally.counts),
        "awaiting": tally.awaiting,
        "homeless": tally.homeless,
        "long_paid": tally.long_paid,
        "warned": tally.warned,
        "nothing": tally.nothing,
        "aside": [[line, safe_text(words, 200)] for line, words in tally.aside[:_PROBLEMS]],
        "samples": [_sample(row, file.mapping) for row in report.samples],
        "problems": [
            [row.line, safe_text(each.column, 40), safe_text(each.text, 200)]
            for row in tally.rejected[:_PROBLEMS]
            for each in row.problems
        ],
        "warnings": [[line, safe_text(words, 200)] for line, words in tally.warnings[:_PROBLEMS]],
    }


def _refusal(refused: FileRefused) -> list[Any]:
    """Reason, words and headings of a refusal, as they may be written down.

    A file without a header has its first buyer where headings are looked for. Where one cell looks like a value,
    the whole row is nobody's header, and nothing of it is kept: a name alone looks like a heading.
    """
    if not any(map(_is_value, refused.columns)):
        return [refused.reason, refused.message, list(refused.columns)]
    before = refused.message.partition(SEEN)[0].rstrip("；")
    words = f"{before}；{NO_HEADER}"
    return [refused.reason, words, []]


def _is_value(cell: str) -> bool:
    """Whether a cell looks like what stands under a heading: a number, a phone, a day, a street, a long text."""
    return len(cell) > _HEADING or bool(_VALUE.search(cell)) or mask_phones(cell) != cell or "**" in cell


def _sample(row: RowVerdict, mapping: Mapping[str, str]) -> Mapping[str, Any]:
    order = row.order
    waybills = [f"{names.display(each.carrier)} {each.waybill_no}" for each in row.waybills[:5]]
    number = safe_text(order.order_no, _WIDE) if order else _number(row, mapping.get("order_no"))
    return {
        "line": row.line,
        "kind": row.kind.value,
        "order_no": number,
        "shop": safe_text(order.shop, _WIDE) if order else "",
        "status": ORDER_STATUS_ZH[order.status] if order else "",
        "paid_at": order.paid_at.isoformat() if order and order.paid_at else "",
        "shipped_at": order.shipped_at.isoformat() if order and order.shipped_at else "",
        "waybills": waybills or list(filter(None, [_number(row, mapping.get("waybill_no"))])),
        "why": [safe_text(each.text, 120) for each in row.problems[:3]],
    }


def _number(row: RowVerdict, heading: str | None) -> str:
    """What a row that became nothing has under that heading, if it can be nothing but a number."""
    cells = dict(zip(row.header, row.raw, strict=False))
    cell = str(cells.get(heading or "", "")).strip()
    return safe_text(cell, _WIDE) if _NUMBER.fullmatch(cell) and mask_phones(cell) == cell else ""
