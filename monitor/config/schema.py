"""`config/schema.json`: what editors offer and underline while the configuration is written.

`python -m monitor.config.schema` writes it anew; a test says when that is due.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from monitor.calendars import config_folder
from monitor.config.shapes import table_schema
from monitor.config.top import top
from monitor.config.values import DURATION
from monitor.config.words import LIMIT, ROUTABLE, TIERS, WARN, Words
from monitor.profiles import load_profiles, vocabulary

__all__ = ["schema", "schema_text"]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 7) of the configuration file; what recurs stands once, in `definitions`."""
    words = Words(vocabulary(load_profiles()))
    recurring: dict[str, Mapping[str, Any]] = {
        "duration": DURATION.schema,
        "limit": LIMIT.schema,
        "warn": WARN.schema,
        "change": table_schema(words.change()),
        "tier_lists": TIERS.schema,
        "rules": words.rules().schema,
        "match": words.match().schema,
        "route_match": words.match(ROUTABLE).schema,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "parcelwatch.toml",
        **_inside(table_schema(top(words)), recurring),
        "definitions": {name: _inside(each, recurring) for name, each in recurring.items()},
    }


def _inside(node: Any, recurring: Mapping[str, Mapping[str, Any]]) -> Any:
    """The parts of a schema, each that recurs replaced by a reference to its definition."""
    if isinstance(node, Mapping):
        return {key: _referring(each, recurring) for key, each in node.items()}
    return [_referring(each, recurring) for each in node] if isinstance(node, list) else node


def _referring(node: Any, recurring: Mapping[str, Mapping[str, Any]]) -> Any:
    if not isinstance(node, Mapping):
        return _inside(node, recurring)
    bare = {key: each for key, each in node.items() if key != "description"}
    name = next((name for name, each in recurring.items() if each == bare), None)
    if name is None:
        return _inside(node, recurring)
    reference = {"$ref": f"#/definitions/{name}"}
    # Beside a reference draft 7 ignores everything else.
    return {"description": node["description"], "allOf": [reference]} if "description" in node else reference


def schema_text() -> str:
    """The file's text."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    (config_folder() / "schema.json").write_text(schema_text(), "utf-8")
