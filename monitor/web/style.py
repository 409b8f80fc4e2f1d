"""The one style sheet, made by a developer: `python -m monitor.web.style TABLER_CSS`.

Reads the `tabler.css` of @tabler/core, keeps what our templates and pages use, and writes `static/console.css`
with our own `static/own*.css` behind it; its hashes go into `static/VENDORED.toml`. Never run by the service.

Changes on the way: rules for `[data-bs-theme=dark]` also hold for `auto` where the system is dark, so no script is
needed; and what the browsers inside older chat programs do not know, `oklch()` and `light-dark()`, is spelled out.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

__all__ = ["build", "literal_classes", "parse", "possible_classes", "sources"]

_HERE: Final = Path(__file__).parent
_STATIC: Final = _HERE / "static"
_DROPPED: Final = re.compile(
    r"\[data-theme|navbar-theme|body\[data-bs-theme|\[data-bs-theme=light\]|\[dir=|::?-moz-focus|\.no-js"
)
"""Selectors for pages that are built in other ways than ours. Light is the root's own."""


# ── what is used ─────────────────────────────────────────────────────────────────────────────────

_LOGIC: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{[^{}]*\}", re.DOTALL)
_PRINTED: Final = re.compile(r"\{\{.*?\}\}|\{[^{}%]*\}", re.DOTALL)
_CLASS: Final = re.compile(
    rf"""\bclass_?\s*=\s*(?:"((?:{_LOGIC.pattern}|[^"])*)"|'((?:{_LOGIC.pattern}|[^'])*)')""", re.DOTALL
)
_QUOTED: Final = re.compile(r"""["']([\w -]*)["']""")
_NAME: Final = re.compile(r"-?[A-Za-z_][\w-]*")


def sources() -> list[Path]:
    """Everything that draws: templates, and modules and scripts that hold markup."""
    return [
        *sorted((_HERE / "templates").rglob("*.html")),
        *sorted(path for path in _HERE.rglob("*.py") if path.name != "style.py"),
        *sorted((_HERE.parent / "demo").rglob("*.html")),
        _STATIC / "console.js",
    ]


def _values(text: str) -> list[str]:
    """What stands in class attributes."""
    return [double or single for double, single in _CLASS.findall(text)]


def literal_classes(text: str) -> set[str]:
    """The classes that stand in the class attributes of a source as they are."""
    found: set[str] = set()
    for value in _values(text):
        flat = re.sub(r"\{%.*?%\}", " ", _PRINTED.sub("\0", value), flags=re.DOTALL)
        found |= {each for each in flat.split() if "\0" not in each and _NAME.fullmatch(each)}
    return found


def possible_classes(text: str) -> set[str]:
    """Those, and every word in quotes inside a class attribute's logic."""
    logic = (part for value in _values(text) for part in _LOGIC.findall(value))
    return literal_classes(text) | {
        word for part in logic for words in _QUOTED.findall(part) for word in words.split()
    }


def _tags(texts: Iterable[str]) -> set[str]:
    return {"html", "body"} | {tag for text in texts for tag in re.findall(r"<([a-z][a-z0-9]*)\b", text)}


# ── reading CSS ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Node:
    """`head {body}`, `head {inner…}` or, with neither, `head;`."""

    head: str
    body: str | None = None
    inner: tuple[Node, ...] = field(default=())

    def __str__(self) -> str:
        if self.inner:
            return f"{self.head}{{{''.join(map(str, self.inner))}}}"
        return f"{self.head};" if self.body is None else f"{self.head}{{{self.body}}}"


_PIECE: Final = re.compile(
    r"""/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\((?:[^()"']|"[^"]*"|'[^']*')*\)|[{};]|[^{};"'(/]+|.""",
    re.DOTALL,
)
_NESTING: Final = ("@media", "@supports", "@container", "@layer")


def parse(css: str) -> list[Node]:
    """The rules of a sheet, without comments."""
    pieces = (piece for piece in _PIECE.findall(css) if not piece.startswith("/*"))
    return list(_rules(pieces))


def _rules(pieces: Iterator[str]) -> Iterator[Node]:
    head = ""
    for piece in pieces:
        if piece == "}":
            return
        if piece == ";":
            yield Node(_tight(head))
            head = ""
        elif piece == "{":
            head = _tight(head)
            yield (
                Node(head, None, tuple(_rules(pieces)))
                if head.startswith(_NESTING)
                else Node(head, _body(pieces))
            )
            head = ""
        else:
            head += piece


def _body(pieces: Iterator[str]) -> str:
    """Everything up to the brace that closes, inner ones of keyframes included."""
    depth, text = 0, ""
    for piece in pieces:
        depth += (piece == "{") - (piece == "}")
        if depth < 0:
            break
        text += piece
    return _tight(text)


def _tight(text: str) -> str:
    """Without needless blanks; what stands in quotes is left alone."""
    parts = re.split(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""", text)
    for n in range(0, len(parts), 2):
        plain = re.sub(r"\s+", " ", parts[n])
        parts[n] = re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r":\s+", ":", plain))
    return "".join(parts).strip().rstrip(";")


def _split(text: str, mark: str) -> list[str]:
    """Parted at `mark` where it stands outside parentheses and quotes."""
    parts, depth, quote, last = [], 0, "", 0
    for n, each in enumerate(text):
        if quote:
            quote = "" if each == quote else quote
        elif each in "\"'":
            quote = each
        elif each in "([":
            depth += 1
        elif each in ")]":
            depth -= 1
        elif each == mark and depth == 0:
            parts.append(text[last:n])
            last = n + 1
    return [part.strip() for part in [*parts, text[last:]] if part.strip()]


# ── keeping what is used ─────────────────────────────────────────────────────────────────────────


def _purged(nodes: Iterable[Node], classes: Set[str], tags: Set[str]) -> Iterator[Node]:
    for node in nodes:
        if node.inner:
            inner = tuple(_purged(node.inner, classes, tags))
            if inner:
                yield replace(node, inner=inner)
        elif node.head.startswith("@"):
            if not node.head.startswith("@charset"):
                yield node
        elif heads := [each for each in _split(node.head, ",") if _wanted(each, classes, tags)]:
            yield replace(node, head=",".join(heads))


def _wanted(selector: str, classes: Set[str], tags: Set[str]) -> bool:
    if _DROPPED.search(selector):
        return selector == "[data-bs-theme=light]"
    plain = re.sub(r":(?:not|is|where|has)\([^()]*(?:\([^()]*\)[^()]*)*\)", "", selector)
    bare = re.sub(r"\[[^\]]*\]|::?[\w-]+(?:\([^)]*\))?", "", plain)
    if not set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", bare.replace("\\", ""))) <= classes:
        return False
    return set(re.findall(r"(?:^|[\s>+~])([a-z][a-z0-9]*)", bare)) <= tags


def _trimmed(nodes: list[Node], others: str) -> list[Node]:
    """Without variables nobody reads and animations nobody plays; `others` is the rest that may use them."""
    while True:
        text = others + "".join(map(str, nodes))
        read = set(re.findall(r"var\(\s*(--[\w-]+)", text))
        kept = [each for node in nodes if (each := _without(node, read, text)) is not None]
        if kept == nodes:
            return kept
        nodes = kept


def _without(node: Node, read: Set[str], text: str) -> Node | None:
    if node.inner:
        inner = tuple(each for one in node.inner if (each := _without(one, read, text)) is not None)
        return replace(node, inner=inner) if inner else None
    if node.head.startswith("@property"):
        return node if node.head.split()[1] in read else None
    if node.head.startswith("@keyframes"):
        return node if re.search(rf"animation[\w-]*:[^;}}]*{re.escape(node.head.split()[1])}", text) else None
    said = [
        each
        for each in _split(node.body or "", ";")
        if not each.startswith("--") or each.split(":")[0] in read
    ]
    return replace(node, body=";".join(said)) if said else None


# ── changes ──────────────────────────────────────────────────────────────────────────────────────

_DARK: Final = "[data-bs-theme=dark]"
_OKLCH: Final = re.compile(r"oklch\(\s*([\d.]+)%\s+([\d.]+)\s+([\d.]+)(?:deg)?(?:\s*/\s*([\d.]+)(%?))?\s*\)")


_PAIR: Final = "light-dark("
_ROOTS: Final = frozenset({":root", ":host", "[data-bs-theme=light]"})


def _two_themes(nodes: Iterable[Node]) -> Iterator[Node]:
    """`light-dark(a, b)` as the first for everybody, and a rule of its own for the dark theme."""
    for node in nodes:
        pairs = [each for each in _split(node.body or "", ";") if _PAIR in each]
        if node.inner or not pairs:
            yield node
            continue
        yield replace(node, body=_chosen(node.body or "", 0))
        heads = dict.fromkeys(
            _DARK if head in _ROOTS else f"{_DARK} {head}"
            for head in _split(node.head, ",")
            if head != ":host"
        )
        yield Node(",".join(heads), ";".join(_chosen(each, 1) for each in pairs))


def _chosen(text: str, which: int) -> str:
    """`text` with each pair of colours replaced by its light (0) or dark (1) one."""
    while (start := text.find(_PAIR)) >= 0:
        inside = start + len(_PAIR)
        depth, end = 1, inside
        while depth:
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        text = text[:start] + _split(text[inside : end - 1], ",")[which] + text[end:]
    return text


def _automatic(nodes: Iterable[Node]) -> Iterator[Node]:
    """What holds in the dark theme holds for `auto` where the system is dark."""
    for node in nodes:
        yield node
        if dark := _darkened(node):
            yield Node("@media (prefers-color-scheme:dark)", None, (dark,))


def _darkened(node: Node) -> Node | None:
    if node.inner:
        inner = tuple(each for one in node.inner if (each := _darkened(one)))
        return replace(node, inner=inner) if inner else None
    heads = [each for each in _split(node.head, ",") if _DARK in each.replace('"', "")]
    if not heads or node.head.startswith("@"):
        return None
    return replace(node, head=",".join(heads).replace('"', "").replace(_DARK, "[data-bs-theme=auto]"))


def _plain_colours(css: str) -> str:
    """`oklch()` as hexadecimal sRGB, clipped to what that can show (CSS Color 4, §18)."""
    return _OKLCH.sub(lambda match: _hex(*match.groups()), css)


def _hex(lightness: str, chroma: str, hue: str, alpha: str | None, percent: str | None) -> str:
    angle = math.radians(float(hue))
    a, b, light = float(chroma) * math.cos(angle), float(chroma) * math.sin(angle), float(lightness) / 100
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    parts = [
        12.92 * each if each <= 0.0031308 else 1.055 * each ** (1 / 2.4) - 0.055
        for each in map(_unit, linear)
    ]
    if alpha is not None:
        parts.append(_unit(float(alpha) / (100 if percent else 1)))
    return "#" + "".join(f"{round(255 * _unit(each)):02x}" for each in parts)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


# ── the whole ────────────────────────────────────────────────────────────────────────────────────


def build(tabler: str, own: str, texts: Iterable[str]) -> str:
    """The sheet from Tabler's, ours, and the sources that draw."""
    texts = list(texts)
    classes = {name for text in texts for name in possible_classes(text)}
    purged = list(_two_themes(_purged(parse(_plain_colours(tabler)), classes, _tags(texts))))
    ours = parse(own)
    kept = _trimmed(purged, "".join(map(str, ours)))
    licence = re.search(r"/\*!.*?\*/", tabler, re.DOTALL)
    sheet = "".join(map(str, [*_automatic(kept), *_automatic(ours)]))
    return f"{licence[0] if licence else ''}\n{sheet}\n"


def main(argv: list[str]) -> int:
    """Write the sheet and its hashes; 2 when no file was given."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m monitor.web.style TABLER_CSS\n")
        return 2
    source = Path(argv[0]).read_bytes()
    texts = [path.read_text("utf-8") for path in sources() if path.is_file()]
    own = "".join(path.read_text("utf-8") for path in sorted(_STATIC.glob("own*.css")))
    sheet = build(source.decode("utf-8"), own, texts)
    (_STATIC / "console.css").write_text(sheet, "utf-8")
    _note(source, sheet.encode("utf-8"))
    return 0


def _note(source: bytes, result: bytes) -> None:
    """Keep the hashes of what went in and what came out."""
    book = _STATIC / "VENDORED.toml"
    head, mark, tail = book.read_text("utf-8").partition('file = "console.css"')
    for key, data in (("source_sha256", source), ("sha256", result)):
        tail = re.sub(
            rf'^{key} = "\w*"',
            f'{key} = "{hashlib.sha256(data).hexdigest()}"',
            tail,
            count=1,
            flags=re.MULTILINE,
        )
    book.write_text(head + mark + tail, "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
