"""The console's words: Chinese is the source text, other languages are catalogues read at start.

`locale/en/*.po` are merged into one catalogue; nothing is compiled. A text without a translation stays Chinese,
so a page is never blank. Constants of the code (milestones, states, names of rules) are msgids like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.pofile import read_po

__all__ = ["LANGUAGES", "SOURCE", "Words", "catalogues", "choose", "language_of"]

SOURCE: Final = "zh-CN"
LANGUAGES: Final[Mapping[str, str]] = {"zh-CN": "中文", "en": "English"}
"""What a reader may choose, each under its own name."""

_FOLDER: Final = Path(__file__).with_name("locale")
_MOST: Final = 200
"""Characters of an Accept-Language header that are read."""

Catalogue = Mapping[str, tuple[str, ...]]
"""By source text: the translation, or its singular and plural."""


@cache
def catalogues() -> Mapping[str, Catalogue]:
    """Every language but the source's, from its `.po` files. What two of them have is said as the first has it."""
    return {
        language: _merged((_FOLDER / language).glob("*.po")) for language in LANGUAGES if language != SOURCE
    }


def _merged(files: Iterable[Path]) -> Catalogue:
    words: dict[str, tuple[str, ...]] = {}
    for file in sorted(files):
        with file.open("rb") as source:
            read = read_po(source)
        for message in read:
            if not message.id:
                continue
            key = message.id if isinstance(message.id, str) else message.id[0]
            told = message.string or ""
            said = (told,) if isinstance(told, str) else tuple(told)
            if all(said):
                words.setdefault(key, said)
    return words


@dataclass(frozen=True, slots=True)
class Words:
    """One reader's language."""

    language: str = SOURCE
    """A key of `LANGUAGES`."""

    @property
    def locale(self) -> Locale:
        """Babel's name of it, for dates and numbers."""
        return _locale(self.language)

    def say(self, text: str, /, **values: object) -> str:
        """`text` in this language, with `{name}` filled from `values`. Nothing is escaped here."""
        said = self._catalogue.get(text, (text,))[0]
        return said.format(**values) if values else said

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The form for `n`; `{n}` in it is the number. `one` is the key of the catalogue."""
        forms = self._catalogue.get(one, (one, many))
        return forms[0 if n == 1 or len(forms) == 1 else 1].format(n=n, **values)

    @property
    def _catalogue(self) -> Catalogue:
        return {} if self.language == SOURCE else catalogues()[self.language]


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")


def language_of(text: str) -> str | None:
    """The language of ours that a tag such as `zh`, `zh-TW` or `en-GB` asks for."""
    tag = text.strip().lower()
    return next((known for known in LANGUAGES if tag.split("-")[0] == known.split("-")[0].lower()), None)


def choose(*, query: str, cookie: str, accepted: str, default: str) -> str:
    """The first that is one of ours: the address, the cookie, the browser, the configuration."""
    wishes = [query, cookie, *_accepted(accepted), default]
    return next((found for wish in wishes if (found := language_of(wish))), SOURCE)


def _accepted(header: str) -> list[str]:
    """The tags of an Accept-Language header, the most wanted first; what cannot be read counts as least."""
    weighed: list[tuple[float, int, str]] = []
    for n, part in enumerate(header[:_MOST].split(",")):
        tag, _, weight = part.partition(";")
        try:
            wanted = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            wanted = 0.0
        if wanted > 0:
            weighed.append((-wanted, n, tag))
    return [tag for _, _, tag in sorted(weighed)]
