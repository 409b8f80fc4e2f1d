"""What the API's models are made of: moments as ISO 8601 with an offset, texts fit to be shown, answers as JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from domain import findings as words
from domain.findings import Party
from domain.masking import safe_text, visible
from monitor.store.codec import clean
from monitor.web.context import Context

__all__ = [
    "Asked",
    "Blame",
    "Instant",
    "Risk",
    "Word",
    "Zone",
    "answer",
    "blame",
    "hours",
    "local",
    "named",
    "risk",
    "shown",
    "yuan",
    "zone_of",
]

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")
_TEXT: Final = 2000


def _instant(given: Any) -> datetime:
    """RFC 3339: a moment that does not say its offset is anybody's guess."""
    if isinstance(given, datetime):
        return given
    # In a query a plus that was not escaped arrives as a blank.
    text = re.sub(r"(?<=\d) (?=\d\d:\d\d$)", "+", str(given))
    if not _INSTANT.fullmatch(text):
        raise ValueError("要 ISO 8601 并带时区偏移，如 2026-11-22T10:00:00+08:00")
    try:
        return datetime.fromisoformat(_six_digits(text.upper())).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("没有这个时刻") from error


def _six_digits(text: str) -> str:
    """Fractions of a second cut to microseconds; a leap second is the last one of its minute."""
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text)
    return re.sub(r":60(?=[.Z+-])", ":59", cut)


Instant = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""A moment as a caller gives it: UTC inside."""

Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(clean)]
"""A word to look something up by, in a form every database takes."""

Zone: TypeAlias = tzinfo


class Asked(BaseModel):
    """The parameters of a list: what is not known is refused, for a filter that is misspelt must not show everything."""

    model_config = ConfigDict(extra="forbid")
    cursor: str | None = Field(None, min_length=1, max_length=400, description="上一页答复里的 next")
    limit: int = Field(50, ge=1, le=500, description="一页最多几行")


class Risk(BaseModel):
    """What may have to be paid, in yuan: the sources disagree, and so may the marketplace."""

    low: float
    high: float


class Blame(BaseModel):
    """Where the time was lost, and the clock that says so."""

    party: Party
    because: str


def yuan(fen: int) -> float:
    """An amount as it is given out."""
    return fen / 100


def risk(of: words.Risk | None) -> Risk | None:
    """Money at risk as it is given out; None where no penalty is known."""
    return None if of is None else Risk(low=yuan(of.low), high=yuan(of.high))


def blame(of: words.Blame | None) -> Blame | None:
    """Whose doing it is, as it is given out."""
    return None if of is None else Blame(party=of.party, because=shown(of.because))


def zone_of(request: Request) -> Zone:
    """The configured time zone: every moment is given out with its offset."""
    context: Context = request.app.state.context
    return context.settings().timezone


def hours(length: timedelta | None) -> float | None:
    """A length as hours."""
    return None if length is None else length.total_seconds() / 3600


def local(at: datetime | None, zone: Zone) -> datetime | None:
    """A moment as it is given out: with the configured zone's offset."""
    return None if at is None else at.astimezone(zone)


def shown(text: str) -> str:
    """Text from outside as it is given out: no control or bidirectional characters, phones masked."""
    return safe_text(text, _TEXT)


def named(number: str) -> str:
    """An order's number as it is given out: the very number, even where it has as many digits as a phone."""
    return visible(number)


def answer(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A model as JSON; it is valid by construction, so it is not validated a second time."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")
