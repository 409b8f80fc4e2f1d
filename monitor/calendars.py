"""The almanacs that come with the program, and where its `config/` folder is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monitor.config_file import ConfigError, read_toml
from rules.calendar_file import parse_almanac
from rules.calendars import Almanac

__all__ = ["config_folder", "load_almanacs"]


def config_folder() -> Path:
    """`monitor/_config` where the program was installed from a wheel, else the repository's `config/`."""
    packaged = Path(__file__).parent / "_config"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "config"


def load_almanacs(folder: Path | None = None, beside: Path | None = None) -> dict[str, Almanac]:
    """Every almanac under `config/calendars/`, by id. Raises ConfigError for the first file with mistakes.

    `beside` is the folder of the operator's configuration: what its own `calendars/` says of a year or a
    calendar takes the place of what ours says, and what it adds may be named by rules.
    """
    found: dict[str, Almanac] = {}
    for file in sorted((folder or config_folder() / "calendars").glob("*.toml")):
        _take(found, file)
    if beside is not None and beside != config_folder():
        for file in sorted((beside / "calendars").glob("*.toml")):
            _take(found, file)
    return found


def _take(found: dict[str, Almanac], file: Path) -> None:
    """The file's almanac, over one of the same id."""
    document = read_toml(file)
    almanac, declined = parse_almanac(document.data)
    document.refuse(declined)
    assert almanac is not None
    if almanac.id != file.stem:
        raise ConfigError([document.problem(("id",), f"id 要和文件名一样：{file.stem}")], file)
    for name in almanac.weeks:
        if any(name in each.weeks for each in found.values() if each.id != almanac.id):
            reason = f"已经有一个叫 {name} 的日历"
            raise ConfigError([document.problem(("calendars", name), reason)], file)
    ours = found.get(almanac.id)
    if ours is not None:
        years, weeks = {**ours.years, **almanac.years}, {**ours.weeks, **almanac.weeks}
        almanac = replace(almanac, years=years, weeks=weeks, note=almanac.note or ours.note)
    found[almanac.id] = almanac
