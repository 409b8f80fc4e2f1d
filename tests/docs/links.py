"""Links of a Markdown text, and the anchors it offers, as the usual code hosts make them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

_FENCED = re.compile(r"^(\s*)(`{3,}).*?^\s*\2\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_NAMED = re.compile(r"<a\s+(?:name|id)=\"([^\"]+)\"")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def links(text: str) -> Iterator[str]:
    """Where the links and pictures lead, code left out."""
    for found in _LINK.finditer(_CODE.sub("``", _FENCED.sub("", text))):
        yield found[1]


def anchors(text: str) -> set[str]:
    """What may stand after `#`."""
    bare = _FENCED.sub("", text)
    slugs, seen = set[str](), dict[str, int]()
    for heading in _HEADING.findall(bare):
        slug = _slug(heading)
        times = seen.get(slug, 0)
        seen[slug] = times + 1
        slugs.add(f"{slug}-{times}" if times else slug)
    return slugs | set(_NAMED.findall(bare))


def _slug(heading: str) -> str:
    """Lower case; letters, digits, `-` and `_` stay, blanks become `-`."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")


def broken(path: Path, root: Path) -> Iterator[str]:
    """Links of a document that lead nowhere, or out of the project."""
    text = path.read_text("utf-8")
    for link in links(text):
        if _ELSEWHERE.match(link):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (path.parent / file).resolve() if file else path
        if root not in (target, *target.parents):
            yield f"{link}: outside the project"
        elif not target.exists():
            yield f"{link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
            yield f"{link}: no such heading"
