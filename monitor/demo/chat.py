"""A message as its chat shows it: which marks of its text the platform draws, and which it shows as typed.

Pure, and safe by its shape: what comes out are texts with a kind, never markup, and an address only where it
leads into this site. What each platform draws: `facts/notifiers-dingtalk.md` §1.3 and §1.4,
`facts/notifiers-wecom.md` §1.2 and §1.3, `facts/notifiers-qq.md` §2.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.masking import mask_phones, safe_text, visible
from monitor.demo.dialects import Reading

__all__ = ["Block", "Span", "draw", "person", "rung_beside"]

_LONGEST: Final = 2000
"""Characters of a line."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text of one kind: `""`, `strong`, `em`, `code`, `rung` (a mention), `info`, `comment`, `warning`."""

    text: str
    kind: str = ""
    path: str = ""
    """Where it leads on this site; empty: nowhere."""


@dataclass(frozen=True, slots=True)
class Block:
    """One line or paragraph: `line`, `heading`, `quote`, `item`, `rule` or `code`."""

    kind: str
    spans: tuple[Span, ...] = ()
    level: int = 0
    """Of a heading, 1 to 6; of an item, how deep it is."""
    mark: str = ""
    """What stands before an item: `·` or `2.`."""


def draw(platform: str, reading: Reading, site: str) -> tuple[Block, ...]:
    """The message's body. `site` is this site's address: links that lead elsewhere are shown, not followed."""
    form = _FORMS.get((platform, reading.form), _PLAIN)
    text = reading.text or "\n".join(reading.lines)
    blocks = tuple(form.blocks(text, _Pen(form, site, _names(reading))))
    return blocks or (Block("line", (Span("—"),)),)


def person(who: str) -> str:
    """A mention as people read it: everybody, a number hidden but for its ends, a name."""
    return "@所有人" if who == "all" else "@" + safe_text(who, 40)


def rung_beside(platform: str, reading: Reading) -> tuple[str, ...]:
    """Whom it rings without their standing in the text (WeCom's lists, OneBot's segments)."""
    drawn = "".join(span.text for block in draw(platform, reading, "") for span in block.spans)
    return tuple(name for who in reading.mentions if (name := person(who)) not in drawn)


# ── what stands in a line ────────────────────────────────────────────────────────────────────────

_STRONG: Final = r"(?<!\*)\*\*(?P<strong>[^*]{1,500})\*\*(?!\*)"
_EM: Final = r"(?<!\*)\*(?P<em>[^*\s][^*]{0,500})\*(?!\*)"
_CODE: Final = r"`(?P<code>[^`]{1,500})`"
_LINK: Final = r"!?\[(?P<label>[^\[\]]{0,500})\]\((?P<target>[^()\s]{1,500})\)"
_BARE: Final = r"(?P<bare>https?://[A-Za-z0-9._~:/?#$&+,;=%-]{1,400})"
_FONT: Final = r'<font color=["\']?#?(?P<colour>\w{1,12})["\']?>(?P<coloured>[^<]{0,500})</font>'
_USER: Final = r"<@(?P<user>[^<>\s]{1,64})>"
_CQ_AT: Final = r"\[CQ:at,qq=(?P<cq>[^\],]{1,20})[^\]]*\]"
_NAMED: Final = r"(?P<named>@[^\s@，。、]{1,64})"
_COLOURS: Final = frozenset({"info", "comment", "warning"})


@dataclass(frozen=True, slots=True)
class _Form:
    """What one platform makes of one type of message."""

    blocks: Callable[[str, _Pen], Iterator[Block]]
    marks: re.Pattern[str]
    colours: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws the inside of a line."""

    form: _Form
    site: str
    names: frozenset[str]
    """The mentions as they stand in the text."""

    def line(self, text: str) -> tuple[Span, ...]:
        """The stretches of one line, cleaned before they are read."""
        text, last, spans = safe_text(text, _LONGEST), 0, []
        for found in self.form.marks.finditer(text):
            spans += [Span(text[last : found.start()]), self._mark(found)]
            last = found.end()
        return tuple(span for span in (*spans, Span(text[last:])) if span.text)

    def _mark(self, found: re.Match[str]) -> Span:
        marks = found.groupdict()
        if marks.get("target") or marks.get("bare"):
            return self._link(marks.get("label"), marks.get("target") or marks["bare"])
        if user := marks.get("user") or marks.get("cq"):
            return Span(person(user), "rung")
        if marks.get("named"):
            return Span(found[0], "rung" if found[0] in self.names else "")
        if marks.get("colour"):
            colour = marks["colour"]
            return Span(marks["coloured"], colour if colour in self.form.colours else "")
        kind = next(name for name in ("strong", "em", "code") if marks.get(name))
        return Span(marks[kind], kind)

    def _link(self, label: str | None, target: str) -> Span:
        path = target.removeprefix(self.site) if self.site and target.startswith(f"{self.site}/") else ""
        ours = bool(path) and not path.startswith(("//", "/\\"))
        if ours:
            return Span(label or target, path=path)
        return Span(f"{label}（{target}）" if label else target)


def _names(reading: Reading) -> frozenset[str]:
    """How the mentioned ones stand in a cleaned text."""
    return frozenset({mask_phones(f"@{who}") for who in reading.mentions} | {"@所有人", "@all"})


# ── lines ────────────────────────────────────────────────────────────────────────────────────────

_HEADING: Final = re.compile(r"(#{1,6}) +(.*)")
_QUOTE: Final = re.compile(r">+ ?(.*)")
_BULLET: Final = re.compile(r"( *)[-*+] +(.*)")
_NUMBER: Final = re.compile(r"( *)(\d{1,3}[.)]) +(.*)")
_RULE: Final = re.compile(r" {0,3}([-*_])( *\1){2,} *")
_FENCE: Final = re.compile(r" *```")


def _as_typed(text: str, pen: _Pen) -> Iterator[Block]:
    """Every line for itself, nothing else."""
    for line in text.splitlines():
        if line.strip():
            yield Block("line", pen.line(line))


def _wecom_lines(text: str, pen: _Pen) -> Iterator[Block]:
    """Headings and quotes; a list shows as typed, a line is a line."""
    for line in text.splitlines():
        if line.strip():
            yield _titled(line.strip(), pen) or Block("line", pen.line(line))


def _markdown_lines(text: str, pen: _Pen, *, softly: bool = False) -> Iterator[Block]:
    """Headings, quotes, lists, rules; `softly`: a single break between two plain lines is swallowed."""
    open_line: list[str] = []
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line) and not softly:
            fenced = not fenced
            continue
        block = Block("code", (Span(visible(line)[:_LONGEST]),)) if fenced else _special(line, pen)
        if block is None and line.strip():
            open_line.append(line.strip())
            if softly and not line.endswith("  "):
                continue
        if open_line:
            yield Block("line", pen.line(" ".join(open_line)))
            open_line = []
        if block is not None:
            yield block
    if open_line:
        yield Block("line", pen.line(" ".join(open_line)))


def _dingtalk_lines(text: str, pen: _Pen) -> Iterator[Block]:
    return _markdown_lines(text, pen, softly=True)


def _special(line: str, pen: _Pen) -> Block | None:
    """The block of a line that is no plain text."""
    if _RULE.fullmatch(line):
        return Block("rule")
    if found := _BULLET.fullmatch(line):
        return Block("item", pen.line(found[2]), len(found[1]) // 2, "·")
    if found := _NUMBER.fullmatch(line):
        return Block("item", pen.line(found[3]), len(found[1]) // 2, found[2])
    return _titled(line.strip(), pen)


def _titled(line: str, pen: _Pen) -> Block | None:
    if found := _HEADING.fullmatch(line):
        return Block("heading", pen.line(found[2]), len(found[1]))
    if found := _QUOTE.fullmatch(line):
        return Block("quote", pen.line(found[1]))
    return None


def _form(blocks: Callable[[str, _Pen], Iterator[Block]], *marks: str, colours: Sequence[str] = ()) -> _Form:
    return _Form(blocks, re.compile("|".join(marks)), frozenset(colours))


_PLAIN: Final = _form(_as_typed, _BARE)
_FORMS: Final[Mapping[tuple[str, str], _Form]] = {
    ("dingtalk", "text"): _form(_as_typed, _BARE, _NAMED),
    ("dingtalk", "markdown"): _form(_dingtalk_lines, _LINK, _BARE, _STRONG, _EM, _FONT, _NAMED),
    ("wecom", "text"): _form(_as_typed, _BARE, _USER),
    ("wecom", "markdown"): _form(
        _wecom_lines, _LINK, _BARE, _STRONG, _CODE, _FONT, _USER, colours=tuple(_COLOURS)
    ),
    ("wecom", "markdown_v2"): _form(_markdown_lines, _LINK, _BARE, _STRONG, _EM, _CODE),
    ("onebot", "cq"): _form(_as_typed, _BARE, _CQ_AT),
}
