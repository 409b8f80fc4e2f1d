"""What must not be seen outside: secrets, tokens and whole phone numbers, starred in text and in log lines.

Two nets, one behind the other. Texts we know to be secret (`Request.secrets`, the configuration's) are
starred wherever they stand, also percent-encoded or escaped for JSON. What merely looks like one is
starred by the name before it (`access_token=…`, `"sign": "…"`, `Authorization: …`), by its place
(`hook/<token>`, `user:password@`) or by its shape (phones, `domain/masking.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import quote, quote_plus

from domain.masking import mask_phones
from domain.remote import Secret

__all__ = ["STARS", "Redacting", "hiding", "redact", "redact_json", "redacting", "sensitive"]

STARS: Final = "***"
DEEP: Final = 6
"""How many levels of lists and tables in a log line are looked through; below them all is starred."""

_BODY: Final = 40
"""The same for a body that is shown: a card of Feishu is lists in tables in lists."""

_SHORT: Final = 6
"""A secret shorter than this (a phone's last four) is starred as a whole word only: as a part it is in every waybill."""

_CUT: Final = "…"

_PLAIN_WORDS: Final = "secret|token|passw|phone|mobile|address|cookie|authorization|credential|webhook"
_NAME: Final = rf"""
    (?: (?: (?<![\w-]) | (?<=%22) )                                  # a name begins here
        (?: [\w-]{{0,40}} (?:{_PLAIN_WORDS}) [\w-]{{0,20}}
          | (?: [\w-]{{0,40}} [_-] )? (?:sign|signature|key|pwd)
          | (?: app | api | access | secret | private | data ) (?:sign|key) )
      | 密码 | 密钥 | 令牌 )"""
_VALUE: Final = r"""
    (?: \*\*\* (?=%)                                                 # done before
      | "(?:\\.|[^"\\])*"?                                           # JSON
      | '(?:\\.|[^'\\])*'?
      | \\+"[^"\\]*                                                  # JSON inside JSON
      | %22 (?:(?!%22)[^&\s])*                                       # JSON inside a form
      | (?: (?:Bearer|Basic|QQBot|Token)\s+ )? [^\s&;,"'<>)\]}\\]+ )"""
_PAIR: Final = re.compile(
    rf"""(?P<head> {_NAME} (?: \\*["'] | %22 )? \s* (?: [=:：] | %3[ADad] ) \s* ) {_VALUE}""",
    re.VERBOSE | re.IGNORECASE,
)
_PLACES: Final = (
    (re.compile(r"(://)[^/\s@\"']*:[^/\s@\"']*@"), rf"\1{STARS}@"),
    (
        re.compile(r"((?<!web)hook/|hooks/|/services/|/bot(?=\d+:))[^\s?&\"'<>]+", re.IGNORECASE),
        rf"\1{STARS}",
    ),
    (re.compile(r"\b(Bearer|Basic|QQBot)\s+[\w.+/=~-]{6,}", re.IGNORECASE), rf"\1 {STARS}"),
    (re.compile(r"(?<=%[0-9A-Fa-f]{2})(1[3-9]\d)\d{6}(\d{2})(?!\d)"), r"\1******\2"),
)
_SENSITIVE: Final = re.compile(
    rf"{_PLAIN_WORDS}|(?:^|_|app|api|access|secret|private|data)(?:sign|signature|key|pwd)$|(?:data|msg|message)_?digest$"
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """`text` with `secrets` and everything that looks like one starred. Doing it twice changes nothing."""
    return _redact(text, _known(secrets))


def redact_json(text: str, secrets: Iterable[Secret] = ()) -> str:
    """The same for a body of JSON, which stays JSON; any other text as `redact` does it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return redact(text, secrets)
    return json.dumps(Redacting(secrets).clean(value, _BODY), ensure_ascii=False)


def hiding(secrets: Iterable[Secret]) -> Callable[[str], str]:
    """For what a carrier says: `secrets` and phones starred and nothing else, since its words are evidence.

    A secret of which a cut ("…") left only the beginning is starred too.
    """
    secrets = tuple(secrets)
    known = _known(secrets)
    forms = {form for secret in secrets for form in _forms(secret.reveal())}

    def hide(text: str) -> str:
        shown = text if known is None else known.sub(STARS, text)
        *heads, last = shown.split(_CUT)
        return mask_phones(_CUT.join([*(_without_stub(head, forms) for head in heads), last]))

    return hide


def _without_stub(text: str, forms: Iterable[str]) -> str:
    """What stands before a cut, without the beginning of a secret at its end."""
    stubs = (n for form in forms for n in range(_SHORT, len(form)) if text.endswith(form[:n]))
    n = max(stubs, default=0)
    return f"{text[:-n]}{STARS}" if n else text


def sensitive(name: str) -> bool:
    """Whether a field of this name is shown as stars: `access_token`, `dataSign`, `X-Api-Key`; not `signed_at`."""
    return _SENSITIVE.search(_HUMP.sub("_", name).lower().replace("-", "_")) is not None


class Redacting:
    """A structlog processor that redacts names and values at any depth; the last one before the renderer."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known: Final = _known(secrets)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {name: self._named(name, value, DEEP) for name, value in event.items()}

    def _named(self, name: object, value: object, depth: int) -> object:
        starred = isinstance(name, str) and sensitive(name) and not isinstance(value, bool | None)
        if starred and isinstance(value, list):
            return [STARS] if value else []
        return STARS if starred else self.clean(value, depth)

    def clean(self, value: object, depth: int = DEEP) -> object:
        """Any value with what is secret in it starred; below `depth` levels all is."""
        match value:
            case bool() | None | date() | timedelta():
                return value
            case int() | float():
                shown = _redact(str(value), self._known)
                return value if shown == str(value) else shown
            case str():
                return _redact(value, self._known)
            case bytes():
                return _redact(value.decode("utf-8", "replace"), self._known)
            case _ if depth == 0:
                return STARS
            case Mapping():
                return {self._key(name): self._named(name, item, depth - 1) for name, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.clean(item, depth - 1) for item in value]
            case _:
                return _redact(str(value) if isinstance(value, BaseException) else repr(value), self._known)

    def _key(self, name: object) -> str:
        return _redact(str(name), self._known)


def _redact(text: str, known: re.Pattern[str] | None) -> str:
    if known is not None:
        text = known.sub(STARS, text)
    text = _PAIR.sub(rf"\g<head>{STARS}", text)
    for place, shown in _PLACES:
        text = place.sub(shown, text)
    return mask_phones(text)


def _known(secrets: Iterable[Secret]) -> re.Pattern[str] | None:
    """One pattern for every form of every secret, the longest first."""
    forms = {form for secret in secrets for form in _forms(secret.reveal())}
    return re.compile("|".join(map(_exactly, sorted(forms, key=len, reverse=True)))) if forms else None


def _forms(secret: str) -> set[str]:
    """The texts under which a secret may be met: as it is, in a URL, in a form, in JSON."""
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *escaped} - {""}


def _exactly(form: str) -> str:
    if len(form) >= _SHORT:
        return re.escape(form)
    return rf"(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{{2}})){re.escape(form)}(?![0-9A-Za-z])"


redacting: Final[Callable[[Any, str, MutableMapping[str, Any]], Mapping[str, Any]]] = Redacting()
"""The processor that knows no secret by itself: names, places and shapes only."""
