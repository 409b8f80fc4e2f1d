"""The table of addresses in `docs/reference/api.md`, told by the document of the interface. The rest is written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from monitor.web.context import Context
from monitor.web.site import make_site
from tests.docs.told import cell

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
_BEGIN, _END = "<!-- 从这里起由程序生成：make reference -->", "<!-- 到这里为止 -->"
_HEADING = "| 地址 | 做什么 | 参数 |\n|---|---|---|\n"


def api() -> str:
    """The page as it should be."""
    written = PAGE.read_text("utf-8")
    before, _, rest = written.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    assert rest, f"{PAGE.name} has no place for the table"
    return f"{before}{_BEGIN}\n\n{_HEADING}{''.join(_rows(document()))}\n{_END}{after}"


def document() -> dict[str, Any]:
    """`/openapi.json`; nothing of the context is asked for it."""
    return make_site(cast(Context, None)).openapi()


def _rows(told: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            names = [_parameter(each) for each in operation.get("parameters", ()) if each["in"] != "path"]
            yield f"| `{method.upper()} {path}` | {cell(operation['summary'])} | {'<br>'.join(names)} |\n"


def _parameter(told: Mapping[str, Any]) -> str:
    meaning = re.sub(r"\s+", " ", told.get("description", ""))
    return cell(f"`{told['name']}`" + (f" {meaning}" if meaning else ""))
