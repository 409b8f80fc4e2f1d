"""What is kept of an answer nobody could read, as the next sample: the fields an adapter reads, and of all others
only their name, their type and their length. What a shop writes about its buyers stands in fields nobody can list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set
from math import isfinite
from typing import Any, Final

from domain.masking import mask_phones, safe_text

__all__ = ["kept_of", "outline"]

_DEPTH: Final = 6
"""An answer is an object with a list of rows with a list of waybills; below that nothing is looked into."""
_ITEMS: Final = 5
"""So many of a list: a sample, no copy."""
_VALUE: Final = 120
_HEAD: Final = 200
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9.-]{0,39}")
"""What may be a field's name; another may be somebody's."""
_QUOTED: Final = re.compile(r'"([^"\\]*)"\s*:\s*"(?:\\.|[^"\\])*("?)', re.DOTALL)


def outline(value: Any, fields: Set[str], depth: int = _DEPTH) -> Any:
    """JSON as it may be kept: `fields` with their values, without phones; the rest without."""
    if isinstance(value, dict):
        if not depth:
            return _shape(value)
        return {_named(key): _field(key, each, fields, depth - 1) for key, each in value.items()}
    if isinstance(value, list):
        if not depth:
            return _shape(value)
        some = [outline(each, fields, depth - 1) for each in value[:_ITEMS]]
        return some if len(value) <= _ITEMS else [*some, _shape(value)]
    return value if value is None or isinstance(value, bool) else _shape(value)


def kept_of(content: bytes, fields: Set[str]) -> str:
    """A whole answer as it may be kept: its outline, or a short head of what is no JSON."""
    try:
        return json.dumps(outline(json.loads(content), fields), ensure_ascii=False)
    except (ValueError, RecursionError):
        head = content[: 4 * _HEAD].decode("utf-8", "replace")[:_HEAD]
        return safe_text(_QUOTED.sub(lambda pair: _pair(pair, fields), head), _HEAD)


def _field(key: str, value: Any, fields: Set[str], depth: int) -> Any:
    """A field with its value where an adapter reads it; what is inside another is told by its names alone."""
    if key not in fields:
        return outline(value, frozenset(), depth) if isinstance(value, dict | list) else _shape(value)
    if isinstance(value, str):
        return mask_phones(value) if len(value) <= _VALUE else _shape(value)
    if isinstance(value, int | float) or value is None:
        endless = isinstance(value, float) and not isfinite(value)
        return _shape(value) if endless or len(str(value)) > _VALUE else value
    return outline(value, fields, depth)


def _shape(value: Any) -> str:
    """A type and a length."""
    length = len(value) if isinstance(value, str | list | dict) else len(str(value))
    return f"<{type(value).__name__} {length}>"


def _named(key: str) -> str:
    return key if _NAME.fullmatch(key) else f"<name {len(key)}>"


def _pair(pair: re.Match[str], fields: Set[str]) -> str:
    """A field of JSON that was cut off."""
    return pair[0] if pair[1] in fields else f'"{_named(pair[1])}":"…{pair[2]}'
