"""`calendar`: the official holidays of a year, and the exemptions of the configuration in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from monitor.calendars import load_almanacs
from monitor.checking.holidays import counting, exemption_rows, holiday_rows, in_force, missing, years_to_know
from monitor.cli.common import as_json, config_option, json_option, say, settings_from, table
from monitor.clock import wall
from monitor.config.settings import Settings
from rules.calendars import FIRST_YEAR, LAST_YEAR, Almanac, Year
from rules.exemptions import GROUND_ZH, Ground

__all__ = ["COMMANDS"]

_STATES: Final = {"ahead": "未开始", "now": "进行中", "over": "已结束"}


@click.command("calendar")
@click.argument("year", type=click.IntRange(FIRST_YEAR, LAST_YEAR), required=False)
@config_option
@json_option
def calendar(year: int | None, config: Path | None, as_json_: bool) -> None:
    """列出一年的官方放假、调休上班的日子，和本配置在生效的豁免、宽限窗口；不写年份就是今年。

    官方还没有公布的年份会说明：那一年只按周末推算，不会猜。
    """
    settings = settings_from(config)
    now = wall()
    asked = year or now.astimezone(settings.timezone).year
    almanacs = [*load_almanacs(beside=settings.path.parent).values()]
    exempt = exemption_rows(in_force(settings), asked, now, settings.timezone)
    if as_json_:
        as_json(
            [row for each in almanacs for row in (_year(each, asked), *holiday_rows(each, asked))] + exempt
        )
    else:
        for each in almanacs:
            _print_year(each, asked, settings)
        _print_exemptions(exempt, asked)
    for each in almanacs:
        for needed in [asked] if year else years_to_know(each, now):
            if not each.known(needed) and (each.years or counting(settings, each)):
                told, todo = missing(each, needed)
                click.echo(f"! {told}\n    → {todo}", err=True)


def _year(almanac: Almanac, year: int) -> dict[str, Any]:
    found = almanac.years.get(year, Year(False))
    official = {"official": found.official, "source": found.source, "note": found.note}
    return {"kind": "year", "calendar": almanac.id, "year": year, **official}


def _print_year(almanac: Almanac, year: int, settings: Settings) -> None:
    say(f"{almanac.name} {year} 年")
    rows = holiday_rows(almanac, year)
    if rows:
        headings = {"name": "假期", "from": "开始", "until": "结束", "days": "天数", "workdays": "调休上班"}
        table(rows, headings)
        say(f"依据：{almanac.years[year].source}")
    rules = counting(settings, almanac, [*settings.book.profiles])
    say(f"按它计时的规则：{'、'.join(rules) or '没有，都按自然时间'}\n")


def _print_exemptions(rows: list[dict[str, Any]], year: int) -> None:
    if not rows:
        say(f"{year} 年没有豁免。")
        return
    headings = {
        "name": "豁免",
        "kind": "种类",
        "from": "开始",
        "until": "结束",
        "state": "状态",
        "match": "适用于",
        "rules": "规则",
        "proof": "凭据",
        "source": "出处",
    }
    table([_readable(row) for row in rows], headings)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    match = "；".join(f"{key} = {'、'.join(values)}" for key, values in row["match"].items())
    grants = "、".join(f"{rule} {_moment(until)}" for rule, until in row["grants"].items())
    how = "停止计时" if row["kind"] == "exemption" else "宽限（按付款时间）"
    source = " ".join((*row["source"], row["confidence"]))
    return {
        **row,
        "kind": f"{GROUND_ZH[Ground(row['ground'])]}，{how}",
        "from": _moment(row["from"]),
        "until": _moment(row["until"]),
        "state": _STATES[row["state"]],
        "match": match or "全部",
        "rules": grants or row["rules"] or "全部",
        "source": f"{source}（windows：{row['window']}）" if row["window"] else source,
    }


def _moment(text: str) -> str:
    """To the minute; a length stays as it is."""
    return text[:16].replace("T", " ") if "T" in text else text


COMMANDS: Final = (calendar,)
