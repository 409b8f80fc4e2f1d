"""The platform profiles that come with the program, and where its `config/` folder is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from monitor.calendars import config_folder, load_almanacs
from monitor.config.file import ConfigError, Problem, read_toml
from monitor.config.line_tables import load_lines
from monitor.config.shapes import hint
from rules.calendars import Calendars
from rules.declare import Profile, Rule, parse_profile
from rules.lines import Lines
from rules.policy import PolicyBook

__all__ = ["Vocabulary", "load_profiles", "vocabulary"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The rules that may be named: for each profile its own and the inherited ones, by id."""

    profiles: Mapping[str, Mapping[str, Rule]]

    @property
    def rules(self) -> Mapping[str, Rule]:
        """Every rule of any profile, by id; of several, the first profile's."""
        return {rule.id: rule for rules in [*self.profiles.values()][::-1] for rule in rules.values()}


def load_profiles(folder: Path | None = None, beside: Path | None = None) -> dict[str, Profile]:
    """Every profile under `config/profiles/`, by id. Raises ConfigError for the first file with mistakes.

    `beside` is the folder of the operator's configuration, whose `calendars/` and `lines/` count too. Files that
    say what they said the last time are not read anew.
    """
    folder = folder or config_folder() / "profiles"
    own = beside if beside is not None and any(_beside(beside)) else None
    return dict(_read_profiles(folder, own, _stamp(folder, own)))


def _beside(folder: Path) -> Iterator[Path]:
    """What the operator adds beside the configuration."""
    return (file for name in ("calendars", "lines") for file in sorted((folder / name).glob("*")))


def _stamp(folder: Path, beside: Path | None) -> str:
    """Names exactly what the files say now."""
    files = [*sorted(folder.glob("*.toml")), *sorted((config_folder() / "calendars").glob("*.toml"))]
    said = sha256()
    for file in (*files, *(_beside(beside) if beside is not None else ())):
        if file.is_file():
            said.update(f"{file}\0".encode() + file.read_bytes() + b"\0")
    return said.hexdigest()


@lru_cache(maxsize=8)
def _read_profiles(folder: Path, beside: Path | None, stamp: str) -> Mapping[str, Profile]:
    calendars, lines = Calendars(load_almanacs(beside=beside).values()), load_lines(beside)
    found: dict[str, Profile] = {}
    parents: list[tuple[Path, Profile]] = []
    for file in sorted(folder.glob("*.toml")):
        profile = _load(file, calendars, lines)
        if profile.id in found:
            raise ConfigError([Problem(1, "id", f"已经有一个叫 {profile.id} 的平台配置")], file)
        found[profile.id] = profile
        parents.append((file, profile))
    _lines_belong(lines, found, beside)
    for file, profile in parents:
        _inheritable(file, profile, found)
    known = vocabulary(found).profiles
    for file, profile in parents:
        _startable(file, profile, known[profile.id])
        _stackable(file, profile, known[profile.id])
    return found


def _load(file: Path, calendars: Calendars, lines: Mapping[str, Lines]) -> Profile:
    document = read_toml(file)
    rules: Any = document.data.get("rules", {})
    tables = rules.values() if isinstance(rules, dict) else [None]
    if not all(isinstance(table, dict) for table in tables):
        raise ConfigError([document.problem(("rules",), "每条规则要写成一张表：[rules.规则名]")], file)
    profile, declined = parse_profile(document.data, calendars, lines)
    document.refuse(declined)
    assert profile is not None
    return profile


def _lines_belong(lines: Mapping[str, Lines], known: Mapping[str, Profile], beside: Path | None) -> None:
    """Refuse a table of a profile that does not exist or has no rule by lines."""
    by_line = [
        name for name, each in known.items() if any(rule.lines is not None for rule in each.rules.values())
    ]
    for name in lines:
        if name not in by_line and beside is not None:
            reason = f"文件名要是按线路计时的平台：{'、'.join(by_line)}{hint(name, by_line)}"
            raise ConfigError([Problem(0, "", reason)], beside / "lines" / name)


def _inheritable(file: Path, profile: Profile, known: Mapping[str, Profile]) -> None:
    """Refuse a parent that does not exist, and a profile that is its own ancestor."""
    line: Sequence[str] = profile.inherits
    seen: set[str] = set()
    while line:
        for parent in line:
            if parent not in known:
                reason = f"没有叫 {parent} 的平台配置{hint(parent, known)}"
                raise ConfigError([Problem(1, "inherits", reason)], file)
        if profile.id in line:
            raise ConfigError([Problem(1, "inherits", "平台配置不能继承自己")], file)
        seen.update(line)
        line = [up for parent in line for up in known[parent].inherits if up not in seen]


def _startable(file: Path, profile: Profile, known: Mapping[str, Rule]) -> None:
    """Refuse a clock started by the breach of no rule with a limit, or of one that a breach starts itself."""
    for rule in (each for own in profile.rules.values() for each in (own, *own.variants)):
        if not rule.after:
            continue
        other = known.get(rule.after)
        reason = ""
        if other is None:
            reason = f"{profile.id} 没有规则 {rule.after}{hint(rule.after, known)}"
        elif not other.limit:
            reason = f"{rule.after} 没有时限，不会超时"
        elif other.after:
            chain = _chain(rule.id, known)
            reason = f"{rule.after} 自己也从另一条规则的超时起算，不能再接一条：{' → '.join(chain)}"
            if len({*chain}) < len(chain):
                reason = f"超时起算的规则绕成了圈：{' → '.join(chain)}"
        if reason:
            raise ConfigError([Problem(1, f"rules.{rule.id}.start", reason)], file)


def _chain(rule: str, known: Mapping[str, Rule]) -> list[str]:
    """The rule, the one whose breach starts it, and so on to the first, or to one that came before."""
    chain = [rule]
    while chain[-1] in known and (after := known[chain[-1]].after):
        chain.append(after)
        if after in chain[:-1]:
            break
    return chain


def _stackable(file: Path, profile: Profile, known: Mapping[str, Rule]) -> None:
    """Refuse a `[together]` that speaks of rules the profile has not."""
    unknown = sorted(profile.together.named - known.keys())
    if unknown:
        reasons = (f"{profile.id} 没有规则 {name}{hint(name, known)}" for name in unknown)
        raise ConfigError([Problem(1, "together", reason) for reason in reasons], file)


def vocabulary(profiles: Mapping[str, Profile]) -> Vocabulary:
    """Which rules each profile has once inheritance is done: the book's own answer, without policies."""
    return Vocabulary({name: each.rules for name, each in PolicyBook(profiles).profiles.items()})
