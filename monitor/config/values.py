"""The values settings are made of: texts, numbers, durations, moments, addresses, secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from domain.remote import Secret
from domain.time import aware, parse_duration
from monitor.config import secrets
from monitor.config.lines import KeyPath
from monitor.config.shapes import Reading, Shape, hint, kind_of, leaf, listed
from rules.declare import duration

__all__ = [
    "ANY_TEXT", "BOOLEAN", "DURATION", "LAG", "MOMENT", "PRICE", "SECRET", "TEXT", "TEXTS", "URL", "WHOLE", "choice",
    "integer", "number", "referring",
]  # fmt: skip


def _text(value: Any) -> str:
    if not isinstance(value, str):
        quote = "：请加上引号" if isinstance(value, int | float) else ""
        raise TypeError(f"要写成文字{quote}（现在是{kind_of(value)}）")
    if not value.strip():
        raise ValueError("不能是空的")
    return value.strip()


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"要写成 true 或 false，不加引号（现在是{kind_of(value)}）")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"要写成数字，不加引号（现在是{kind_of(value)}）")
    return value


def _price(value: Any) -> Decimal:
    price = Decimal(str(_number(value)))
    if not price.is_finite() or price < 0:
        raise ValueError("价格是每次查询的元数，不能小于零")
    return price


def _lag(value: Any) -> timedelta:
    try:
        zero = isinstance(value, str) and parse_duration(value) == timedelta(0)
    except ValueError:
        zero = False
    return timedelta(0) if zero else duration(value)


def _url(value: Any) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(blank in text for blank in " \t\n"):
        raise ValueError("不是完整的网址；应如 https://watch.example.com")
    return text.rstrip("/")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"要写成整数，不加引号（现在是{kind_of(value)}）")
    return value


def integer(least: int, most: int | None = None) -> Shape:
    """A whole number within bounds, both included."""

    def parse(value: Any) -> int:
        if _whole(value) < least or (most is not None and value > most):
            raise ValueError(f"{value} 超出范围，应{_range(least, most)}")
        return _whole(value)

    return leaf(parse, type="integer", minimum=least, **({"maximum": most} if most is not None else {}))


def _range(least: int, most: int | None) -> str:
    return f"不小于 {least}" if most is None else f"在 {least} 到 {most} 之间"


def number(above: float) -> Shape:
    """A number above a bound."""

    def parse(value: Any) -> float:
        got = _number(value)
        if not above < got < float("inf"):
            raise ValueError(f"{value} 超出范围，应大于 {above:g}")
        return float(got)

    return leaf(parse, type="number", exclusiveMinimum=above)


def choice(known: Sequence[str], noun: str) -> Shape:
    """One of a few words."""

    def parse(value: Any) -> str:
        text = _text(value)
        if text not in known:
            raise ValueError(f"没有叫 {text} 的{noun}{hint(text, known)}")
        return text

    return leaf(parse, enum=list(known))


_YEARS: Final = (2010, 2099)
"""What this program watches lies between."""


def _read_moment(reading: Reading, path: KeyPath, value: Any) -> datetime | None:
    """A TOML date-time or the same as text; without an offset it is read in the configured zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        reading.problems.at(path, "要写明日期和时刻，如 2026-09-01T00:00:00+08:00")
        return None
    if not _YEARS[0] <= value.year <= _YEARS[1]:
        reading.problems.at(path, f"年份要在 {_YEARS[0]} 到 {_YEARS[1]} 之间，这里是 {value.year}")
        return None
    return aware(value if value.tzinfo else value.replace(tzinfo=reading.zone))


def _read_secret(reading: Reading, path: KeyPath, value: Any) -> Secret | None:
    if not isinstance(value, str):
        reading.problems.at(path, f"密钥要写成文字，请加上引号（现在是{kind_of(value)}）")
        return None
    if not value.strip():
        reading.problems.at(path, "密钥是空的；不用它就删掉这一行")
        return None
    if not secrets.is_reference(value):
        reading.plain.append(path)
    return _resolved(reading, path, value)


def _resolved(reading: Reading, path: KeyPath, value: str) -> Secret | None:
    """What a reference names, or the text itself; None with the reason noted."""
    try:
        file = secrets.secret_file(value, reading.env, reading.folder)
        if file is not None:
            reading.files.append((path, file))
        return secrets.resolve(value, reading.env, reading.folder)
    except ValueError as error:
        reading.problems.at(path, str(error))
        return None


def referring(shape: Shape) -> Shape:
    """The same, where a text may also name where it is kept, as a secret may: none of these is ever meant literally.

    Of the account names, application keys and addresses of a service, which are no secrets but stand beside them.
    """

    def read(reading: Reading, path: KeyPath, value: Any) -> Any:
        if not isinstance(value, str):
            return shape.read(reading, path, value)
        text = _resolved(reading, path, value)
        return None if text is None else shape.read(reading, path, text.reveal())

    pattern = shape.schema.get("pattern")
    also = {} if pattern is None else {"pattern": f"{pattern}|^(env|file|credential):"}
    return Shape(read, {**shape.schema, **also})


TEXT: Final = leaf(_text, type="string", minLength=1)
ANY_TEXT: Final = leaf(lambda value: _text(value) if value != "" else "", type="string")
WHOLE: Final = leaf(_whole, type="integer")
TEXTS: Final = listed(TEXT)
BOOLEAN: Final = leaf(_boolean, type="boolean")
PRICE: Final = leaf(_price, type="number", minimum=0)
URL: Final = leaf(_url, type="string", pattern="^https?://")
DURATION: Final = leaf(duration, type="string", pattern=r"^\s*\d+(\.\d+)?\s*[smhd]\s*$")
LAG: Final = Shape(leaf(_lag).read, DURATION.schema)
"""A duration that may be zero."""
MOMENT: Final = Shape(_read_moment, {"type": "string", "format": "date-time"})
SECRET: Final = Shape(
    _read_secret,
    {"type": "string", "description": "密钥：env:环境变量、file:文件 或 credential:systemd 凭据"},
)
