"""The almanacs that come with the program, and where its `config/` folder is."""

from __future__ import annotations

from pathlib import Path

from monitor.config_file import ConfigError, read_toml
from rules.calendar_file import parse_almanac
from rules.calendars import Almanac

__all__ = ["calendar_file", "config_folder", "load_almanacs"]


def config_folder() -> Path:
    """`monitor/_config` where the program was installed from a wheel, else the repository's `config/`."""
    packaged = Path(__file__).parent / "_config"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "config"


def calendar_file(almanac: str) -> Path:
    """Where a country's holidays are written."""
    return config_folder() / "calendars" / f"{almanac}.toml"


def load_almanacs(folder: Path | None = None) -> dict[str, Almanac]:
    """Every almanac under `config/calendars/`, by id. Raises ConfigError for the first file with mistakes."""
    found: dict[str, Almanac] = {}
    for file in sorted((folder or config_folder() / "calendars").glob("*.toml")):
        document = read_toml(file)
        almanac, declined = parse_almanac(document.data)
        document.refuse(declined)
        assert almanac is not None
        if almanac.id != file.stem:
            raise ConfigError([document.problem(("id",), f"id 要和文件名一样：{file.stem}")], file)
        for name in almanac.weeks:
            if any(name in each.weeks for each in found.values()):
                reason = f"已经有一个叫 {name} 的日历"
                raise ConfigError([document.problem(("calendars", name), reason)], file)
        found[almanac.id] = almanac
    return found
