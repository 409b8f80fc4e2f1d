"""`config/schema.json`: what editors offer and underline while the configuration is written.

`python -m monitor.config_schema` writes it anew; a test says when that is due.
"""

from __future__ import annotations

import json
from typing import Any

from monitor.config_shapes import table_schema
from monitor.config_top import top
from monitor.config_words import Words
from monitor.profiles import config_folder, load_profiles, vocabulary

__all__ = ["schema", "schema_text"]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 7) of the configuration file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "parcelwatch.toml",
        **table_schema(top(Words(vocabulary(load_profiles())))),
    }


def schema_text() -> str:
    """The file's text."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    (config_folder() / "schema.json").write_text(schema_text(), "utf-8")
