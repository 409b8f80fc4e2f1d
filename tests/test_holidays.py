"""`check` and the year nobody has announced yet; the rows of `calendar`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert

from domain.time import AROUND_THE_CLOCK, SHANGHAI, Window
from monitor.calendars import load_almanacs
from monitor.checking.check import CheckLine, check
from monitor.checking.holidays import counting, exemption_rows, holiday_rows, known_years
from monitor.checking.lately import platforms_in_use
from monitor.config.file import ConfigError
from monitor.config.settings import Settings, load
from monitor.profiles import load_profiles
from monitor.store import schema
from monitor.store.database import migrate
from rules.calendars import Calendars
from rules.declare import Rule
from rules.policy import Exemption, PolicyBook

ALMANACS = {"cn": load_almanacs()["cn"]}
CN = ALMANACS["cn"]
STORM = Exemption(
    Window(datetime(2026, 9, 1, tzinfo=SHANGHAI), datetime(2026, 9, 3, tzinfo=SHANGHAI), "台风")
)
POLICY = "[[policies]]\nname = 'a'\n"


def _natural(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    return {name: replace(rule, calendar=AROUND_THE_CLOCK) for name, rule in rules.items()}


def settings_of(
    folder: Path, text: str = "", *, on: str = "", exemptions: tuple[Exemption, ...] = ()
) -> Settings:
    """A configuration in which late shipment of one profile is counted in working days, and nothing else is."""
    file = folder / "parcelwatch.toml"
    file.write_text(text, "utf-8")
    settings = load(file, {})
    known = {name: replace(each, rules=_natural(each.rules)) for name, each in load_profiles().items()}
    if on:
        profile = known[on]
        name, rule = next((name, rule) for name, rule in profile.rules.items() if rule.limit and rule.watch)
        counted = replace(rule, calendar=Calendars([CN])["cn_working_days"])
        known[on] = replace(profile, rules={**profile.rules, name: counted})
    return replace(settings, book=PolicyBook(known), exemptions=exemptions)


def said(settings: Settings, now: datetime, platforms: tuple[str, ...] = ()) -> list[CheckLine]:
    return [*known_years(settings, now, platforms, ALMANACS)]


def levels(lines: list[CheckLine]) -> list[tuple[str, str]]:
    """The level of each line and the years in it."""
    return [(each.level, each.what.partition(" ")[2].partition(" 年")[0]) for each in lines]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        pytest.param(datetime(2026, 9, 30, 15, 59, 59, tzinfo=UTC), [("ok", "2026")], id="the last second of September"),
        pytest.param(datetime(2026, 9, 30, 16, tzinfo=UTC), [("ok", "2026"), ("warn", "2027")], id="October"),
        pytest.param(datetime(2025, 12, 31, 15, 59, tzinfo=UTC), [("ok", "2025、2026")], id="December, all announced"),
        pytest.param(datetime(2026, 12, 31, 16, tzinfo=UTC), [("warn", "2027")], id="the year has come"),
        pytest.param(datetime(2027, 10, 1, tzinfo=UTC), [("warn", "2027"), ("warn", "2028")], id="two unknown"),
        pytest.param(datetime(2023, 5, 1, tzinfo=UTC), [("warn", "2023")], id="before the table"),
    ],
)  # fmt: skip
def test_from_october_on_next_year_has_to_be_known(
    tmp_path: Path, now: datetime, told: list[tuple[str, str]]
) -> None:
    assert levels(said(settings_of(tmp_path, on="generic_cn"), now)) == told


IN_NOVEMBER = datetime(2026, 11, 22, tzinfo=UTC)


def of_2027(settings: Settings, *platforms: str) -> CheckLine:
    known, unknown = said(settings, IN_NOVEMBER, platforms)
    assert known.level == "ok"
    assert "2027 年没有官方放假安排" in unknown.what
    assert unknown.todo
    return unknown


def test_a_year_that_nothing_depends_on_is_a_remark(tmp_path: Path) -> None:
    line = of_2027(settings_of(tmp_path))
    assert line.level == "ok"
    assert "不必处理" in line.todo


def test_exemptions_follow_the_holidays(tmp_path: Path) -> None:
    line = of_2027(settings_of(tmp_path, exemptions=(STORM,)))
    assert line.level == "warn"
    assert "核对起止日期" in line.todo


def test_a_rule_in_force_that_counts_working_days_is_named(tmp_path: Path) -> None:
    line = of_2027(settings_of(tmp_path, on="generic_cn"))
    assert line.level == "warn"
    assert "generic_cn." in line.what
    assert "calendars/cn.toml" in line.todo


@pytest.mark.parametrize(
    ("text", "platforms", "level"),
    [
        pytest.param("", (), "ok", id="a platform nobody sells on"),
        pytest.param("", ("pinduoduo",), "ok", id="another platform"),
        pytest.param("", ("taobao_tmall",), "warn", id="its orders come in"),
        pytest.param(f"{POLICY}profile = 'taobao_tmall'\n", (), "warn", id="a policy names the profile"),
        pytest.param(f"{POLICY}match.platform = 'taobao_tmall'\n", (), "warn", id="a policy is about the platform"),
        pytest.param(f"{POLICY}profile = 'pinduoduo'\n", (), "ok", id="a policy names another"),
    ],
)  # fmt: skip
def test_a_profile_is_in_force_where_somebody_uses_it(
    tmp_path: Path, text: str, platforms: tuple[str, ...], level: str
) -> None:
    assert of_2027(settings_of(tmp_path, text, on="taobao_tmall"), *platforms).level == level


def test_a_rule_that_is_switched_off_counts_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, on="generic_cn")
    [name] = [each.partition(".")[2] for each in counting(settings, CN)]
    profile = settings.book.profiles["generic_cn"]
    off = replace(profile, rules={**profile.rules, name: replace(profile.rules[name], watch=False)})
    assert counting(replace(settings, book=PolicyBook({"generic_cn": off})), CN) == []


def test_the_platforms_in_use_are_those_of_the_newest_orders(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert platforms_in_use(settings) == [], "no store yet"
    migrate(settings.store)
    engine = create_engine(settings.store)
    moments = dict.fromkeys(("observed_at", "created_at", "updated_at"), 0)
    with engine.begin() as conn:
        for n, platform in enumerate(["douyin", "pinduoduo", "douyin"]):
            conn.execute(
                insert(schema.orders).values(order_no=str(n), platform=platform, status="paid", **moments)
            )
    engine.dispose()
    assert platforms_in_use(settings) == ["douyin", "pinduoduo"]


def test_check_has_the_line(tmp_path: Path) -> None:
    file = tmp_path / "parcelwatch.toml"
    file.write_text("web.port = 0\n", "utf-8")
    lines = [each for each in check(file, env={}, now=IN_NOVEMBER) if "中国大陆" in each.what]
    assert levels(lines) == [("ok", "2026"), ("ok", "2027")]
    assert not [each for each in check(file, env={}) if "官方放假安排" in each.what], (
        "nobody said what day it is"
    )


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_rows_of_a_year() -> None:
    rows = holiday_rows(CN, 2026)
    assert [row["name"] for row in rows] == ["元旦", "春节", "清明节", "劳动节", "端午节", "中秋节", "国庆节"]
    assert rows[1] == {
        "kind": "holiday",
        "calendar": "cn",
        "name": "春节",
        "from": "2026-02-15",
        "until": "2026-02-23",
        "days": 9,
        "workdays": ["2026-02-14", "2026-02-28"],
    }
    assert holiday_rows(CN, 2027) == holiday_rows(CN, 2050) == []


def window(start: datetime, end: datetime) -> Exemption:
    return Exemption(Window(start.replace(tzinfo=SHANGHAI), end.replace(tzinfo=SHANGHAI), f"{start:%m%d}"))


def test_exemptions_that_touch_the_year_and_how_they_stand() -> None:
    now = datetime(2026, 6, 1, tzinfo=SHANGHAI)
    some = (
        window(datetime(2026, 6, 2), datetime(2026, 6, 3)),  # noqa: DTZ001
        window(datetime(2026, 5, 1), datetime(2026, 6, 1)),  # noqa: DTZ001
        window(datetime(2026, 6, 1), datetime(2026, 6, 2)),  # noqa: DTZ001
        window(datetime(2025, 12, 30), datetime(2026, 1, 1)),  # noqa: DTZ001
        window(datetime(2025, 12, 31), datetime(2026, 1, 1, 0, 0, 1)),  # noqa: DTZ001
        window(datetime(2027, 1, 1), datetime(2027, 1, 2)),  # noqa: DTZ001
    )
    rows = exemption_rows(some, 2026, now, SHANGHAI)
    assert [(row["name"], row["state"]) for row in rows] == [
        ("1231", "over"), ("0501", "over"), ("0601", "now"), ("0602", "ahead"),
    ]  # fmt: skip
    assert rows[0]["from"] == "2025-12-31T00:00:00+08:00"


# ── files ────────────────────────────────────────────────────────────────────────────────────────

SMALL = "id = '{id}'\nname = 'x'\ntimezone = 'UTC'\n[calendars.{week}]\nzh = 'x'\n"


@pytest.mark.parametrize(
    ("files", "line", "words"),
    [
        pytest.param({"aa": "id = 'bb'\nname = 'x'\ntimezone = 'UTC'\n"}, 1, "文件名", id="another name than its file"),
        pytest.param({"aa": SMALL.format(id="aa", week="w"), "bb": SMALL.format(id="bb", week="w")}, 4, "已经有", id="one name twice"),
        pytest.param({"aa": SMALL.format(id="aa", week="w") + "makup = true\n"}, 6, "makeup", id="a slip"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_file_and_line(
    tmp_path: Path, files: dict[str, str], line: int, words: str
) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        load_almanacs(tmp_path)
    [problem] = error.value.problems
    assert (problem.line, words in problem.reason) == (line, True)
    assert error.value.file == tmp_path / f"{max(files)}.toml"


def test_a_calendar_is_worked_out_when_it_is_asked_for() -> None:
    """Commands start at once: fifty years of days are counted only for a rule that needs them."""
    calendars = Calendars(ALMANACS.values())
    assert {"cn_working_days", "cn_business_days", "cn_six_days"} == set(calendars)
    assert len(calendars) == 3
    assert "cn_working_days" in calendars
    assert "natural" not in calendars
    assert calendars["cn_working_days"] is calendars["cn_working_days"]
