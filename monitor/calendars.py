"""The almanacs that come with the program, and where its `config/` folder is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monitor.config.file import ConfigError, Problem, read_toml
from rules.calendar_file import parse_almanac
from rules.calendars import Almanac

__all__ = ["config_folder", "files_of", "load_almanacs", "refuse"]


def config_folder() -> Path:
    """`monitor/_config` where the program was installed from a wheel, else the repository's `config/`."""
    packaged = Path(__file__).parent / "_config"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "config"


def load_almanacs(folder: Path | None = None, beside: Path | None = None) -> dict[str, Almanac]:
    """Every almanac under `config/calendars/`, by id. Raises ConfigError with every file that has mistakes.

    `beside` is the folder of the operator's configuration: what its own `calendars/` says of a year or a
    calendar takes the place of what ours says, and what it adds may be named by rules.
    """
    found: dict[str, Almanac] = {}
    files = sorted((folder or config_folder() / "calendars").glob("*.toml"))
    if beside is not None and beside != config_folder():
        files += sorted(files_of(beside / "calendars", ".toml"))
    wrong: list[ConfigError] = []
    for file in files:
        try:
            _take(found, file)
        except ConfigError as error:
            wrong.append(error)
    refuse(wrong)
    return found


def files_of(folder: Path, *suffixes: str) -> list[Path]:
    """The files of an optional folder of tables. Raises ConfigError where something else has its name."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError([Problem(0, "", f"{folder.name} 要是一个目录，里面放各个表；现在是文件")], folder)
    return sorted(each for each in folder.glob("*.*") if each.suffix in suffixes)


def refuse(wrong: Sequence[ConfigError]) -> None:
    """Raises one ConfigError for all of these: the first file's, and after it each other file's by name."""
    if not wrong:
        return
    first, *others = wrong
    more = (
        Problem(each.line, each.path, f"（{error.file}）{each.reason}")
        for error in others
        for each in error.problems
    )
    raise ConfigError([*first.problems, *more], first.file)


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
