"""An adapter's settings: its dataclass fields, so a new adapter is configurable without a line here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from domain.remote import Secret
from monitor.config.lines import KeyPath
from monitor.config.shapes import REQUIRED, Reading, Setting, Shape, Table, listed
from monitor.config.values import (
    ANY_TEXT,
    BOOLEAN,
    LAG,
    PRICE,
    SECRET,
    TEXT,
    URL,
    WHOLE,
    choice,
    integer,
    number,
    referring,
)

__all__ = ["built", "settings_of"]


def settings_of(kind: str, cls: type[Any], common: Table) -> Table:
    """The common settings and the adapter's own fields."""
    hints = get_type_hints(cls)
    own = {
        field.name: Setting(_shape(cls, field, hints[field.name]), default=_default(field))
        for field in dataclasses.fields(cls)
        if field.init and field.name not in common
    }
    first = {"name": common["name"], "kind": Setting(choice([kind], "类型"), "类型")}
    return {**first, **own, **common}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else REQUIRED


_SHAPES: Final[Mapping[Any, Shape]] = {
    Secret: SECRET,
    bool: BOOLEAN,
    int: WHOLE,
    float: number(0),
    timedelta: LAG,
    Decimal: PRICE,
}


def _shape(cls: type[Any], field: dataclasses.Field[Any], hint: Any) -> Shape:
    """How a field of this type is written in TOML. Raises TypeError: a developer acts."""
    if get_origin(hint) in (Union, UnionType):
        inner = [each for each in get_args(hint) if each is not NoneType]
        if len(inner) == 1:
            return _shape(cls, field, inner[0])
    if hint is str:
        if field.name in ("base_url", "url"):
            return referring(URL)
        return referring(TEXT if _default(field) is REQUIRED else ANY_TEXT)
    if hint is int and field.name == "port":
        return integer(1, 65535)
    if hint in _SHAPES:
        return _SHAPES[hint]
    if get_origin(hint) is tuple and get_args(hint)[1:] == (...,):
        return listed(_shape(cls, field, get_args(hint)[0]))
    raise TypeError(f"{cls.__name__}.{field.name}: no way to write {hint} in the configuration")


def built(reading: Reading, path: KeyPath, cls: type[Any], values: Mapping[str, Any]) -> Any:
    """The adapter, or None with what it says of its settings; no secret is repeated."""
    try:
        return cls(**values)
    except ValueError as error:
        said = str(error)
    for each in values.values():
        if isinstance(each, Secret) and each:
            said = said.replace(each.reveal(), "***")
    first = re.match(r"[a-z_]+", said)
    reading.problems.at((*path, first[0]) if first and first[0] in values else path, said)
    return None
