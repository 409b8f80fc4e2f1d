"""The configuration as typed settings (design §4): read once, everything wrong in it told at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from domain.remote import Secret
from domain.time import SHANGHAI
from monitor.config import calendars as config_calendars
from monitor.config import places as config_places
from monitor.config import policies as config_policies
from monitor.config.accounts import Channel, ProviderAccount, secrets_of
from monitor.config.exemptions import exemptions
from monitor.config.file import ConfigError, Document, Problem, read_toml
from monitor.config.lines import KeyPath, Lines
from monitor.config.order_sources import SourceAccount
from monitor.config.service import Backup, Deadman, Intake, Log, Retention, SecondOpinion, Web
from monitor.config.shapes import Reading, Remark, read_table
from monitor.config.store_url import DEFAULT_STORE, located
from monitor.config.top import top
from monitor.config.words import Words
from monitor.profiles import load_profiles, vocabulary
from monitor.telling.routing import Route
from monitor.windows import Notice, load_tiers, load_windows, merged
from rules.declare import Profile
from rules.policy import Deferral, Exemption, PolicyBook, PolicySpec, Warehouse
from rules.regions import TierLists

__all__ = [
    "Backup", "Channel", "ConfigError", "Deadman", "Intake", "Log", "Problem", "ProviderAccount", "Retention", "Route",
    "SecondOpinion", "Settings", "Web", "Written", "default_path", "load", "load_book",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """How the file was written, which `check` has something to say about."""

    lines: Lines = field(default_factory=lambda: Lines({}))
    plain: tuple[KeyPath, ...] = ()
    """Secrets that stand in the file itself."""
    files: tuple[tuple[KeyPath, Path], ...] = ()
    """Secrets that stand in files of their own."""
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the owner decides. Its repr shows no secret."""

    path: Path
    timezone: ZoneInfo
    book: PolicyBook = field(repr=False)
    store: str = field(repr=False)
    """A database URL with an absolute path; it may hold a password."""
    language: str = "zh-CN"
    web: Web = field(default_factory=Web)
    log: Log = field(default_factory=Log)
    deadman: Deadman = field(default_factory=Deadman)
    backup: Backup = field(default_factory=Backup)
    intake: Intake = field(default_factory=Intake)
    retention: Retention = field(default_factory=Retention)
    second_opinion: SecondOpinion = field(default_factory=SecondOpinion)
    providers: tuple[ProviderAccount, ...] = ()
    order_sources: tuple[SourceAccount, ...] = ()
    channels: tuple[Channel, ...] = ()
    routes: tuple[Route, ...] = ()
    policies: tuple[PolicySpec, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    """Written in the file; those of `windows` are in force as well."""
    deferrals: tuple[Deferral, ...] = ()
    windows: tuple[Notice, ...] = ()
    """The shipped exemptions and windows that are switched on."""
    warehouses: tuple[Warehouse, ...] = ()
    freshness: timedelta = timedelta(hours=12)
    """The longest time without a look at a parcel, whatever its clocks say."""
    written: Written = field(default_factory=Written, repr=False)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything in the configuration that is nobody's business: no log line may show it."""
        adapters = (*(each.provider for each in self.providers), *(each.notifier for each in self.channels))
        password = _password(self.store)
        keys = (each.callback_key for each in self.providers)
        own = [each for each in (password, self.deadman.url, *keys) if each]
        of_sources = (secret for each in self.order_sources for secret in each.secrets)
        return (*own, *(secret for each in adapters for secret in secrets_of(each)), *of_sources)

    def provider_for(self, carrier: str) -> ProviderAccount | None:
        """The account to ask about a carrier (our key): the first that serves it."""
        return next((account for account in self.providers if account.serves(carrier)), None)

    def home_of(self, carrier: str) -> str:
        """The name of that account; empty where there is none."""
        account = self.provider_for(carrier)
        return "" if account is None else account.name

    def asked_about(self, carrier: str) -> bool:
        """Some account can be asked about parcels of the carrier (our key)."""
        return self.provider_for(carrier) is not None

    def pushed_about(self, carrier: str) -> bool:
        """Some account pushes news of parcels of the carrier (our key)."""
        return any(account.pushes(carrier) for account in self.providers)


def _password(store: str) -> Secret | None:
    """The database's password, as it is typed."""
    password = urlsplit(store).password
    return Secret(unquote(password)) if password else None


def default_path() -> Path:
    """`parcelwatch.toml` here, else the system's; here when there is neither."""
    here, system = Path("parcelwatch.toml"), Path("/etc/parcelwatch/parcelwatch.toml")
    return system if system.is_file() and not here.is_file() else here


def load(path: Path, env: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file, secrets resolved. Raises ConfigError with every mistake in it."""
    document = read_toml(path)
    reading = Reading(env=env, folder=path.absolute().parent)
    profiles = load_profiles(beside=path.absolute().parent)
    words = _words(reading, document, profiles)
    got = read_table(reading, (), document.data, top(words, _names(document, "channels")))
    _unique(reading, document, "providers", "order_sources", "channels", "policies")
    _no_circle(reading, document)
    said = _said(reading, words, got)
    document.refuse(reading.problems)
    return Settings(
        path=path.absolute(),
        timezone=got["timezone"],
        book=said.book(profiles),
        store=got["store"] or located(DEFAULT_STORE, reading.folder),
        language=got["language"],
        web=Web(**got["web"]),
        log=Log(**got["log"]),
        deadman=Deadman(**got["deadman"]),
        backup=Backup(**got["backup"]),
        intake=Intake(**got["intake"]),
        retention=Retention(**got["retention"]),
        second_opinion=SecondOpinion(**got["second_opinion"]),
        providers=tuple(got["providers"]),
        order_sources=tuple(each.asking_phones(_phones(got["providers"])) for each in got["order_sources"]),
        channels=tuple(got["channels"]),
        routes=tuple(got["routes"]),
        policies=said.policies,
        exemptions=said.exemptions,
        deferrals=said.deferrals,
        windows=said.windows,
        warehouses=said.warehouses,
        freshness=got["freshness"],
        written=Written(document.lines, tuple(reading.plain), tuple(reading.files), tuple(reading.remarks)),
    )


def _phones(accounts: Sequence[ProviderAccount]) -> Callable[[str], bool]:
    """Whether the account that is asked about a carrier wants a phone's digits."""

    def needs(carrier: str) -> bool:
        account = next((each for each in accounts if each.serves(carrier)), None)
        return account is not None and account.provider.needs_phone(carrier)

    return needs


def load_book(path: Path, zone: ZoneInfo = SHANGHAI) -> PolicyBook:
    """The policies and exemptions of a file, for the lab: a policy file, or a whole configuration.

    Nothing else in it is read, so no secret is needed. Raises ConfigError with every mistake.
    """
    document = read_toml(path)
    reading = Reading(folder=path.absolute().parent, zone=zone)
    profiles = load_profiles(beside=path.absolute().parent)
    words = _words(reading, document, profiles)
    every = top(words)
    for key in document.data.keys() - every.keys():
        reading.problems.unknown_key((), key, list(every))
    wanted = {key: every[key] for key in ("timezone", *_OF_BOOK)}
    got = read_table(reading, (), {k: v for k, v in document.data.items() if k in wanted}, wanted)
    _unique(reading, document, "policies")
    said = _said(reading, words, got)
    document.refuse(reading.problems)
    return said.book(profiles)


_OF_BOOK: Final = ("policies", "exemptions", "windows", "warehouses", "tiers", "calendars")


@dataclass(frozen=True, slots=True)
class _Said:
    """What the file says of limits."""

    policies: tuple[PolicySpec, ...]
    exemptions: tuple[Exemption, ...]
    deferrals: tuple[Deferral, ...]
    windows: tuple[Notice, ...]
    warehouses: tuple[Warehouse, ...]
    tiers: Mapping[str, TierLists]

    def book(self, profiles: Mapping[str, Profile]) -> PolicyBook:
        """With the shipped windows that are switched on, and the shipped lists of remote provinces."""
        return PolicyBook(
            profiles,
            self.policies,
            (*self.exemptions, *(each for notice in self.windows for each in notice.exemptions)),
            self.tiers,
            (*self.deferrals, *(each for notice in self.windows for each in notice.deferrals)),
            self.warehouses,
        )


def _words(reading: Reading, document: Document, profiles: Mapping[str, Profile]) -> Words:
    calendars = config_calendars.calendars(reading, document.data.get("calendars"))
    return Words(vocabulary(profiles), calendars)


def _said(reading: Reading, words: Words, got: Mapping[str, Any]) -> _Said:
    pauses, deferrals = exemptions(reading, words, got["exemptions"])
    return _Said(
        config_policies.policies(reading, words, got["policies"]),
        pauses,
        deferrals,
        load_windows(words, got["windows"] or ()),
        config_places.warehouses(reading, got["warehouses"]),
        merged(load_tiers(words), got["tiers"] or {}),
    )


def _names(document: Document, key: str) -> list[str]:
    """The names in an array of tables, right or wrong otherwise: others may refer to them."""
    return [name for _, name in _named(document, key)]


def _named(document: Document, key: str) -> list[tuple[int, str]]:
    rows = document.data.get(key)
    rows = rows if isinstance(rows, list) else []
    return [
        (n, row["name"])
        for n, row in enumerate(rows)
        if isinstance(row, dict) and isinstance(row.get("name"), str)
    ]


def _unique(reading: Reading, document: Document, *keys: str) -> None:
    """Note every name that was used before in the same array of tables."""
    for key in keys:
        first: dict[str, int] = {}
        for n, name in _named(document, key):
            before = first.setdefault(name, n)
            if before != n:
                line = document.lines.of((key, before, "name"))
                reading.problems.at((key, n, "name"), f"名字 {name} 在第 {line} 行已经用过，请换一个")


def _no_circle(reading: Reading, document: Document) -> None:
    """Note fallbacks that lead back to where they began."""
    rows = {name: document.data["channels"][n] for n, name in _named(document, "channels")}
    for n, name in _named(document, "channels"):
        seen: list[Any] = [name]
        while (after := rows.get(seen[-1], {}).get("fallback")) in rows and after not in seen[1:]:
            seen.append(after)
            if after == name:
                chain = " → ".join(seen)
                reading.problems.at(("channels", n, "fallback"), f"备用渠道绕回了自己：{chain}")
                break
