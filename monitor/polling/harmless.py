"""What a provider said, without what must not be kept: phones are masked and the account's own secrets starred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from domain.tracking import Answer, TrackingEvent
from monitor.polling.flight import Same

__all__ = ["harmless"]

_FREE: Final = ("text", "code", "status", "area", "hub", "outlet", "courier", "next_stop", "written")


def harmless(answer: Answer | Same, hide: Callable[[str], str]) -> Answer | Same:
    """An answer without what must not be kept, in whatever field a provider has put it."""
    if isinstance(answer, Same):
        return answer
    said = [answer.remark, answer.corrected_carrier, *answer.unknown_codes]
    said += [text for event in answer.events for text in _texts(event).values()]
    if all(hide(text) == text for text in set(said)):
        return answer
    return replace(
        answer,
        remark=hide(answer.remark),
        corrected_carrier=hide(answer.corrected_carrier),
        unknown_codes=tuple(map(hide, answer.unknown_codes)),
        events=tuple(replace(event, **_each(_texts(event), hide)) for event in answer.events),
    )


def _each(texts: dict[str, str], hide: Callable[[str], str]) -> dict[str, Any]:
    return {name: hide(text) for name, text in texts.items()}


def _texts(event: TrackingEvent) -> dict[str, str]:
    """Everything of a scan that is in somebody's words."""
    return {name: getattr(event, name) for name in _FREE if getattr(event, name)}
