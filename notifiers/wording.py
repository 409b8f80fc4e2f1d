"""A message as plain lines in a platform's dialect: cleaned, and cut by whole rows to what the platform takes.

Order: the title alone, at most six facts, a digest's rows, one closing line that counts what is
missing and holds the one link, the mentions. The closing line and the mentions are reserved before
the first row goes in, so neither a link nor a mention is ever cut (`facts/notifiers.md` §5, §6).

Whatever came from outside is defused by *replacing* the characters that mean something to a
platform with their full-width twins: they stay readable, and nothing depends on which escapes a
chat client honours. The one thing kept is a leading tag such as `[紧急]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from domain.masking import safe_text, visible
from domain.messages import Message, MessageKind

__all__ = [
    "MARKDOWN",
    "PLAIN",
    "SEGMENTS",
    "Dialect",
    "Whom",
    "defused",
    "title_line",
    "utf8",
    "whom",
    "write",
]

TITLE_LIMIT: Final = 100
LABEL_LIMIT: Final = 10
VALUE_LIMIT: Final = 80
ROW_LIMIT: Final = 120
MOST_FACTS: Final = 6
MOST_MENTIONS: Final = 20
"""Names in one message. Twenty of the longest leave room for title and link in every platform's limit."""

_TAG: Final = re.compile(r"\[[\u4e00-\u9fff]{1,6}\](?=[ \u4e00-\u9fff]|$)")
_SCHEME: Final = re.compile(r"(?<=[A-Za-z]):(?=//)")
_DOMAIN_DOT: Final = re.compile(r"(?<=[A-Za-z0-9])\.(?=[A-Za-z]{2})")
_CQ: Final = re.compile(r"\[(?=\s*CQ:)|&(?=#|amp;)", re.IGNORECASE)
_LINE_START: Final = re.compile(r"^[#\-+=|]+")
_LOOSE_UNDERSCORE: Final = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LINK: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#$&+,;=%-]{1,400}")
_MOBILE: Final = re.compile(r"(?:\+?86-?)?(1\d{10})")
_USER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_EVERYBODY: Final = frozenset({"all", "所有人", "全体成员"})
_PAGES: Final = {MessageKind.FEED: "控制台", MessageKind.TEST: "控制台", MessageKind.DIGEST: "清单"}


def _wide(characters: str) -> dict[int, int]:
    """A translation of ASCII characters into their full-width twins."""
    return {ord(character): ord(character) + 0xFEE0 for character in characters}


_TAGS: Final = _wide("<>")
_SYNTAX: Final = _wide("<>[]*`~\\&|")


def _segments(text: str) -> str:
    """For OneBot's array form, which needs no escaping; a CQ code is broken all the same."""
    return _CQ.sub(lambda found: chr(ord(found[0]) + 0xFEE0), text)


def _plain(text: str) -> str:
    """For text messages: `<@userid>` rings even there (`facts/notifiers-wecom.md` §1.3)."""
    return text.translate(_TAGS)


def _markdown(text: str) -> str:
    """For both vendors' markdown: no tag, link, picture, code, emphasis, heading, list or entity survives."""
    text = _LINE_START.sub(lambda found: found[0].translate(_wide("#-+=|")), text)
    return _LOOSE_UNDERSCORE.sub("＿", text.translate(_SYNTAX))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a platform writes the parts of a message."""

    escape: Callable[[str], str]
    title: str = "{}"
    fact: str = "{}：{}"
    row: str = "· {}"
    link: str = "打开{0}：{1}"
    """What is behind the link, and its address, where the link stands alone."""
    elsewhere: str = " {1}"
    """The same after "余见"."""
    between: str = "\n"
    """What makes a new line."""
    apart: str = "\n"
    """What ends the facts, and the rows: a quote swallows the line right below it."""


PLAIN: Final = Dialect(_plain)
SEGMENTS: Final = Dialect(_segments)
MARKDOWN: Final = Dialect(
    _markdown, title="### {}", link="[打开{0}]({1})", elsewhere=" [{0}]({1})", apart="\n\n"
)


@dataclass(frozen=True, slots=True)
class Whom:
    """Who is to be rung, sorted by how a platform has to name them."""

    everybody: bool = False
    mobiles: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


def whom(mentions: Iterable[str]) -> Whom:
    """A route's mentions, each once, the first twenty. What is neither number nor user id rings nobody."""
    everybody, mobiles, ids = False, dict[str, None](), dict[str, None]()
    for mention in mentions:
        name = mention.strip().removeprefix("@")
        if name.casefold() in _EVERYBODY:
            everybody = True
        elif len(mobiles) + len(ids) < MOST_MENTIONS:
            if mobile := _MOBILE.fullmatch(name):
                mobiles[mobile[1]] = None
            elif _USER_ID.fullmatch(name):
                ids[name] = None
    return Whom(everybody, tuple(mobiles), tuple(ids))


def utf8(text: str) -> int:
    """Bytes of the decoded text."""
    return len(text.encode())


def defused(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """One line of outside text, at most `limit` characters, that can neither ring, link nor format.

    Invisible characters go first, then phones are masked, then it is cut, then escaped: no step gives
    back what an earlier one took.
    """
    line = safe_text(" ".join(visible(text).split()), limit).replace("@", "＠")
    line = _DOMAIN_DOT.sub("．", _SCHEME.sub("：", line))
    tag = _TAG.match(line)
    kept = tag[0] if tag else ""
    return kept + escape(line[len(kept) :])


def title_line(message: Message, escape: Callable[[str], str], keyword: str = "") -> str:
    """The first line: readable alone, with the reference, and with `keyword` right behind its tag."""
    title = defused(message.title, TITLE_LIMIT, escape) or "物流消息"
    reference = defused(message.reference, 40, escape)
    if reference and reference not in title:
        title = f"{title} · {reference}"
    if keyword and keyword not in title:
        tag = _TAG.match(title)
        cut = tag.end() if tag else 0
        title = f"{title[:cut]} {keyword} {title[cut:].lstrip()}".strip()
    return title


def write(
    message: Message,
    dialect: Dialect,
    limit: int,
    *,
    keyword: str = "",
    tail: str = "",
    size: Callable[[str], int] = utf8,
) -> str:
    """The whole text: as many whole facts and rows, most urgent first, as keep `size(text)` within `limit`.

    `size` measures what really leaves. What was left out is counted in the closing line.
    """
    top = [dialect.title.format(title_line(message, dialect.escape, keyword))]
    rows: list[str] = []
    text = _joined(dialect, top, rows, _closing(message, dialect, 0, 0, tail))
    for is_fact, line in _body(message, dialect):
        (top if is_fact else rows).append(line)
        closing = _closing(message, dialect, len(top) - 1, len(rows), tail)
        longer = _joined(dialect, top, rows, closing)
        if size(longer) > limit:
            break
        text = longer
    return text


def _joined(dialect: Dialect, *blocks: list[str]) -> str:
    """Blocks of lines as one text."""
    return dialect.apart.join(dialect.between.join(block) for block in blocks if block)


def _body(message: Message, dialect: Dialect) -> Iterator[tuple[bool, str]]:
    """Facts, then rows, each a finished line."""
    for label, value in message.facts[:MOST_FACTS]:
        name = defused(label, LABEL_LIMIT, dialect.escape)
        yield True, dialect.fact.format(name, defused(value, VALUE_LIMIT, dialect.escape) or "—")
    for row in message.rows:
        yield False, dialect.row.format(defused(row, ROW_LIMIT, dialect.escape) or "—")


def _closing(message: Message, dialect: Dialect, facts: int, rows: int, tail: str) -> list[str]:
    """What stands below when so many facts and rows are shown: the count, the link, the mentions."""
    all_rows = len(message.rows) + message.more
    left = ((len(message.facts) - facts, "项"), (all_rows - rows, "条"))
    missing = "、".join(f"{count} {unit}" for count, unit in left if count > 0)
    address = message.link if _LINK.fullmatch(message.link) else ""
    page = "清单" if all_rows else _PAGES.get(message.kind, "工单")
    closing = [tail] if tail else []
    if missing:
        total = f"共 {all_rows} 条，" if all_rows else ""
        where = dialect.elsewhere.format(page, address) if address else "控制台清单"
        return [f"… {total}另有 {missing}未列出，余见{where}", *closing]
    return [dialect.link.format(page, address), *closing] if address else closing
