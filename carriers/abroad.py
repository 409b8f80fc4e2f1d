"""What the international aggregators share: couriers under names of theirs, times that name no moment, envelopes.

A time with an offset is a moment. A wall clock without one is read in China's zone where the row says it was
there, else as UTC; a day alone is its last second, as in `monitor/intake`. What was really written stays in
`TrackingEvent.written`, so that nobody takes it for more than it is (`facts/carriers-international.md`, AfterShip).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Final

from carriers.base import Guess
from carriers.names import display
from carriers.recognise import ranked
from carriers.replies import opened
from carriers.scans import Unknown, word
from domain.masking import clean, safe_text
from domain.remote import Denied, Rejected, Reply, Secret, Throttled, Unavailable, Unreadable
from domain.time import SHANGHAI
from domain.tracking import TrackingEvent

__all__ = [
    "NEVER",
    "When",
    "about",
    "area",
    "corrected",
    "courier_codes",
    "enveloped",
    "legs",
    "mistaken",
    "newest",
    "our_carrier",
    "recognised",
    "starred",
    "tagged",
    "when",
    "zone_of",
]

NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""`read_at` where the service has not read the carrier since it was told of the number: proves no silence."""

_POSTAL: Final = frozenset(
    {"ems", "emsguoji", "youzhengguonei", "youzhengguoji", "youzhengbk", "youzhengdsbk"}
)
"""中国邮政's own: one of them told of another is no correction, abroad they have one or two names for all."""
_CHINA: Final = frozenset({"CN", "CHN", "HK", "HKG", "MO", "MAC", "TW", "TWN"})
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_PAIR: Final = re.compile(r"([a-z][a-z0-9]{1,30}) *= *([A-Za-z0-9_.-]{1,60})")
_TAG: Final = re.compile(r"carrier:([a-z][a-z0-9]{1,30})")
_LAST_SECOND: Final = time(23, 59, 59)
_EARLIEST_YEAR: Final = 2000


@dataclass(frozen=True, slots=True)
class When:
    """When a scan happened, as well as the service says."""

    at: datetime
    """UTC."""
    written: str = ""
    """What was written, where that names no moment."""

    def on(self, event: TrackingEvent) -> TrackingEvent:
        """The scan with what is known of its time."""
        return replace(event, written=self.written) if self.written else event


def when(written: object, zone: tzinfo = UTC) -> When | None:
    """A time with an offset, a wall clock or a day in `zone`; None where no time can be read."""
    if not isinstance(written, str):
        return None
    plain = written.strip()
    try:
        moment = datetime.fromisoformat(plain)
        if _DAY.fullmatch(plain):
            moment = datetime.combine(moment.date(), _LAST_SECOND)
        exact = moment.tzinfo is not None
        at = (moment if exact else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if at.year < _EARLIEST_YEAR:
        return None
    return When(at) if exact else When(at, clean(plain, 40))


def zone_of(country: object) -> tzinfo:
    """The zone of a wall clock there: China's (no summer time); elsewhere nobody says, so UTC."""
    return SHANGHAI if isinstance(country, str) and country.strip().upper() in _CHINA else UTC


def area(location: object, country: object = "") -> str:
    """`country,city` of a place as it is written: `Chicago, IL, US` → `US,Chicago`; a bare name stays one."""
    parts = [part.strip() for part in str(location or "").split(",")] if isinstance(location, str) else []
    parts = [part for part in parts if part]
    land = country.strip() if isinstance(country, str) else ""
    if land and parts:
        return clean(f"{land},{parts[0]}", 60)
    return clean(f"{parts[-1]},{parts[0]}" if len(parts) > 1 else "".join(parts) or land, 60)


def courier_codes(known: Mapping[str, str], said: Iterable[str]) -> Mapping[str, str]:
    """Our carrier keys to the service's codes, the account's own (`ours=theirs`) first.

    Raises ValueError for one that is written otherwise.
    """
    own: dict[str, str] = {}
    for pair in said:
        match = _PAIR.fullmatch(pair.strip())
        if match is None:
            raise ValueError(
                f"couriers 要写成「我们的编码=对方的编码」，如 yanwen=190012；现在是 {clean(pair, 40)}"
            )
        own[match[1]] = match[2]
    return {**own, **{ours: theirs for ours, theirs in known.items() if ours not in own}}


def our_carrier(code: str, codes: Mapping[str, str]) -> str:
    """Our key of a courier of theirs, or nothing."""
    return next((ours for ours, theirs in codes.items() if theirs == code), "")


def corrected(code: str, asked: str, codes: Mapping[str, str], unknown: Unknown) -> str:
    """The carrier the service found instead of the one it was asked for by name, or nothing.

    One that is in no table is counted. Where we have no name to ask for, it went by the number's form alone:
    that corrects nobody (`mistaken`).
    """
    if not code or asked not in codes or codes[asked] == code:
        return ""
    found = our_carrier(code, codes)
    if not found:
        unknown.note("carrier", code)
    return "" if found in _POSTAL and asked in _POSTAL else found


def mistaken(code: str, asked: str, codes: Mapping[str, str]) -> Rejected | None:
    """The refusal of a track that is another carrier's: the service went by the number's form, which several share.

    `facts/carriers.md`, realities: the wrong carrier can answer with another parcel's trace.
    """
    found = our_carrier(code, codes)
    if asked in codes or not found or {found, asked} <= _POSTAL:
        return None
    return Rejected(
        f"服务商按单号认成了 {display(found)}，订单写的是 {display(asked)}：请改订单，或用 couriers 写明它的编码"
    )


def recognised(found: object, name: str, codes: Mapping[str, str], who: str) -> tuple[Guess, ...]:
    """A list of couriers, the likeliest first, as guesses; those that we have no name for are left out.

    Raises `Unreadable` where it is no list.
    """
    told = [our_carrier(word(row, name), codes) for row in legs(found, who)]
    return ranked(told, who)


def tagged(carrier: str) -> str:
    """What is registered with a number, so that a push says which carrier of ours it was registered for."""
    return f"carrier:{carrier}"


def about(tag: object, code: str, codes: Mapping[str, str]) -> str:
    """Our carrier of a pushed number: as it was registered, else as its courier is called here."""
    match = _TAG.fullmatch(tag) if isinstance(tag, str) else None
    return match[1] if match else our_carrier(code, codes) or clean(code, 60)


def newest(events: Sequence[TrackingEvent]) -> datetime:
    """What a copy that may be stale proves: it was read after its own newest scan."""
    return max((event.occurred_at for event in events), default=NEVER)


def starred(reply: Reply, secrets: Iterable[Secret | None]) -> Reply:
    """The reply without the account's own keys: what it says of one number is kept, not only raised."""
    content = reply.content
    for secret in secrets:
        if secret:
            content = content.replace(secret.reveal().encode(), b"***")
    return reply if content is reply.content else Reply(reply.status, content, reply.headers)


def legs(found: object, who: str) -> list[Mapping[str, Any]]:
    """A list of objects, or nothing for null. Raises `Unreadable` for anything else."""
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unreadable(f"{who} 的轨迹不是列表")
    return found


def enveloped(reply: Reply, who: str) -> tuple[int, str, Any]:
    """`meta.code`, `meta.message` and `data` of a reply whose body says more than its HTTP status.

    Raises `Denied` for HTTP 401 and 403, `Throttled` for 429, `Unavailable` for 5xx, said by either, and
    `Unreadable` for what has no such envelope.
    """
    if reply.status in (401, 403):
        raise Denied(f"{who} 不认密钥（HTTP {reply.status}）")
    said = Reply(200, reply.content) if reply.status in (201, 400, 404, 422) else reply
    body = opened(said, who)
    meta = body.get("meta")
    code = meta.get("code") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(code, int) or isinstance(code, bool):
        raise Unreadable(f"{who} 的回答没有 meta.code（HTTP {reply.status}）")
    words = safe_text(str(meta.get("message") or ""), 120)
    match code:
        case 401 | 403:
            raise Denied(f"{who} 不认密钥（{code}：{words}）")
        case 429:
            raise Throttled(f"{who} 说请求太快（{code}：{words}）", timedelta(minutes=1))
        case 500 | 502 | 503 | 504 | 511 | 512 | 513:
            raise Unavailable(f"{who} 暂时不可用（{code}：{words}）")
        case _:
            return code, words, body.get("data")
