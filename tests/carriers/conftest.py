"""Adapters without a network: accounts made of invented settings, replies made of bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from carriers.base import Provider, Question, kinds
from carriers.push import Push, Pusher
from domain.orders import Waybill
from domain.remote import RemoteError, Reply, Secret, rehearse
from domain.tracking import Answer, TrackingEvent

NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)

NEEDED: dict[str, dict[str, object]] = {
    "yto": {"path": "invented-path"},
    "jdl": {"customer_code": "invented-customer_code"},
    "ems": {"sign_key": Secret("SElERS1zaWduX2tleU1FIQ==")},
}
"""Settings with a default that an account of the kind still needs, as one interface of several does, and ones
that are not any text."""

Ask = Callable[..., Answer]


def plain(value: object) -> Any:
    """An answer as its golden shows it: what is empty is left out."""
    if isinstance(value, TrackingEvent):
        told = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        return {"at": told.pop("occurred_at"), **{name: said for name, said in told.items() if said}}
    if isinstance(value, datetime):
        assert value.utcoffset() == UTC.utcoffset(None)
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, frozenset):
        return sorted(map(plain, value))
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


def plain_answer(answer: Answer) -> dict[str, Any]:
    """An answer's own fields where they say something."""
    told: dict[str, Any] = {"events": plain(answer.events)}
    if not answer.whole:
        told["whole"] = False
    for name in ("corrected_carrier", "remark", "unknown_codes", "read_at"):
        if getattr(answer, name):
            told[name] = plain(getattr(answer, name))
    return told


@pytest.fixture
def specimen() -> Callable[[str], Provider]:
    """An account of a kind, each secret a recognisable text."""

    def build(kind: str) -> Provider:
        cls = kinds()[kind]
        hints = get_type_hints(cls)
        given = {
            field.name: Secret(f"HIDE-{field.name}-ME")
            if hints[field.name] is Secret
            else f"invented-{field.name}"
            for field in fields(cls)  # type: ignore[arg-type]
            if field.default is MISSING and field.default_factory is MISSING
        }
        return cls(**{**given, **NEEDED.get(kind, {})})

    return build


@pytest.fixture
def ask(specimen: Callable[[str], Provider]) -> Ask:
    """Ask one question of a kind of provider and let it hear these bytes, whatever it says.

    One that only pushes says them of itself.
    """

    def question(
        kind: str,
        content: bytes | str | dict[str, Any],
        waybill: str = "yuantong/YT9000000000001",
        status: int = 200,
    ) -> Answer:
        if isinstance(content, dict):
            content = json.dumps(content, ensure_ascii=False)
        body = content.encode() if isinstance(content, str) else content
        account = specimen(kind)
        if not account.asks:
            assert isinstance(account, Pusher)
            return account.receive(Push(body), NOW).answers[0]
        asked = Question(Waybill(*waybill.split("/")), Secret("0036"))
        conversation = account.ask([asked], NOW)
        told = rehearse(conversation, lambda request: Reply(status, body))[0]
        if isinstance(told, RemoteError):
            raise told
        return told

    return question


@pytest.fixture
def check_golden(ask: Ask) -> Callable[[Path], None]:
    """A saved reply reads as its golden says. `REGOLD=1` writes what was read instead: read that diff."""

    def check(saved: Path) -> None:
        golden = saved.with_suffix(".golden.json")
        told = json.loads(golden.read_text(encoding="utf-8"))
        try:
            read = {"answer": plain_answer(ask(saved.parent.name, saved.read_bytes(), told["asked"]))}
        except RemoteError as error:
            read = {"raises": type(error).__name__}
        if os.environ.get("REGOLD"):
            text = json.dumps({"asked": told["asked"], **read}, ensure_ascii=False, indent=2)
            golden.write_text(text + "\n", encoding="utf-8")
        assert read == {name: said for name, said in told.items() if name != "asked"}

    return check
