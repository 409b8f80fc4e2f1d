"""The papers the profiles quote, by the numbers we gave them: `config/sources.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from monitor.calendars import config_folder
from monitor.config.file import ConfigError, read_toml

__all__ = ["CONFIDENCE_ZH", "Source", "load_sources"]

CONFIDENCE_ZH: Final = {
    "OFF": "官方：平台、承运商或政府自己的页面",
    "OFFQ": "官方原文转述：别处引用或照抄的规则原文",
    "SEC": "行业资料：新闻、卖家文章、问答，说得具体",
    "UNC": "不确定：说法不一、没有日期，或没有出处、我们定的",
}
"""How far a number can be trusted, the most first."""


@dataclass(frozen=True, slots=True)
class Source:
    """One paper: its number, its address or title, and the date it bears."""

    key: str
    where: str
    dated: str


@cache
def load_sources() -> dict[str, Source]:
    """Every source by its number. Raises ConfigError for an entry that does not say where or when."""
    document = read_toml(config_folder() / "sources.toml")
    found: dict[str, Source] = {}
    for key, table in document.data.items():
        match table:
            case {"where": str(where), "dated": str(dated)}:
                found[key] = Source(key, where, dated)
            case _:
                raise ConfigError([document.problem((key,), "要写 where 和 dated")], document.file)
    return found
