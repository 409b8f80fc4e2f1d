"""Calendars and line tables beside the configuration: the operator's word over ours, and every mistake with its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.calendars import load_almanacs
from monitor.config.file import ConfigError
from monitor.config.line_tables import load_lines
from monitor.profiles import load_profiles
from rules.calendars import Calendars
from rules.lines import City

BANGKOK = ZoneInfo("Asia/Bangkok")
SITE = """
id = "site"
name = "泰国"
timezone = "Asia/Bangkok"

[years.2026]
official = true
source = "内阁公告"
holidays = [{name = "宋干节", from = 2026-04-13, until = 2026-04-15}]
"""
THAI = """
id = "th"
name = "泰国"
timezone = "Asia/Bangkok"

[calendars.th_business_days]
zh = "泰国工作日"
whole_days = true
"""
CN_2027 = """
id = "cn"
name = "中国大陆"
timezone = "Asia/Shanghai"

[years.2027]
official = true
source = "通知"
holidays = [{name = "春节", from = 2027-02-05, until = 2027-02-12}]
"""

Put = Callable[[str, str], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file beside the configuration."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


# ── calendars ────────────────────────────────────────────────────────────────────────────────────


def test_the_operators_site_takes_the_place_of_ours(put: Put, tmp_path: Path) -> None:
    put("calendars/site.toml", SITE)
    rule = load_profiles(beside=tmp_path)["shopee"].rules["dts"]
    friday = datetime(2026, 4, 10, 10, tzinfo=BANGKOK)
    assert rule.calendar.after(friday, timedelta(hours=48)) == datetime(2026, 4, 18, tzinfo=BANGKOK)
    assert "推算" not in rule.calendar.note(friday, friday)
    ours = load_profiles()["shopee"].rules["dts"].calendar
    assert ours.after(friday, timedelta(hours=48)) == datetime(2026, 4, 15, tzinfo=ZoneInfo("Asia/Singapore"))


def test_another_country_is_added(put: Put, tmp_path: Path) -> None:
    put("calendars/th.toml", THAI)
    known = Calendars(load_almanacs(beside=tmp_path).values())
    assert {"th_business_days", "site_business_days", "cn_working_days"} <= set(known)


def test_a_year_that_is_added_leaves_the_others(put: Put, tmp_path: Path) -> None:
    put("calendars/cn.toml", CN_2027)
    cn = load_almanacs(beside=tmp_path)["cn"]
    assert [year for year in (2024, 2025, 2026, 2027) if cn.known(year)] == [2024, 2025, 2026, 2027]
    assert "cn_six_days" in cn.weeks
    assert not load_almanacs()["cn"].known(2027)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("site.toml", SITE.replace('"site"', '"sitte"'), "id 要和文件名一样：site"),
        (
            "th.toml",
            THAI.replace("th_business_days", "us_business_days"),
            "已经有一个叫 us_business_days 的日历",
        ),
        ("th.toml", THAI.replace("whole_days", "hole_days"), "是不是想写 whole_days"),
        ("th.toml", THAI.replace("Asia/Bangkok", "Asia/Bangkock"), "不认识的时区"),
    ],
)
def test_a_mistake_names_the_file(put: Put, tmp_path: Path, name: str, text: str, said: str) -> None:
    path = put(f"calendars/{name}", text)
    with pytest.raises(ConfigError, match=said) as error:
        load_profiles(beside=tmp_path)
    assert error.value.file == path


# ── lines ────────────────────────────────────────────────────────────────────────────────────────

TOML = '[[lines]]\nfrom = "浙江,金华"\nto = "四川,成都"\ndays = 3\n'
CSV = '始发,到达,天数\n"浙江省,金华市","四川省,成都市",3\n\n"浙江,金华","上海,上海",1\n'
CHENGDU = City("浙江", "金华"), City("四川", "成都")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("douyin.toml", TOML),
        ("douyin.csv", CSV),
        ("douyin.csv", CSV.replace("始发,到达,天数", "from,to,days")),
    ],
)
def test_a_table_is_read(put: Put, tmp_path: Path, name: str, text: str) -> None:
    put(f"lines/{name}", text)
    assert load_lines(tmp_path)["douyin"].days(*CHENGDU) == 3
    table = load_profiles(beside=tmp_path)["douyin"].rules["line_ontime"].lines
    assert table is not None
    assert table.days(*CHENGDU) == 3


def test_a_table_saved_by_a_chinese_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "douyin.csv").write_bytes(CSV.encode("gb18030"))
    assert load_lines(tmp_path)["douyin"].days(*CHENGDU) == 3


def test_without_a_folder_there_is_no_table(tmp_path: Path) -> None:
    assert load_lines(tmp_path) == load_lines(None) == {}
    table = load_profiles(beside=tmp_path)["douyin"].rules["line_ontime"].lines
    assert table is not None
    assert len(table) == 0


@pytest.mark.parametrize(
    ("name", "text", "line", "said"),
    [
        ("douyin.toml", TOML.replace("days = 3", "days = 0"), 4, "1 到 60"),
        ("douyin.toml", TOML.replace("from", "form"), 2, "是不是想写 from"),
        ("douyin.toml", "line = 3\n" + TOML, 1, "不认识的配置项 line"),
        ("douyin.csv", CSV.replace(",3", ",三"), 2, "1 到 60"),
        ("douyin.csv", CSV + '"浙江","上海,上海",1\n', 5, "省,市"),
        ("douyin.csv", CSV + "浙江,金华,上海,上海,1\n", 5, "三列"),
        ("douyin.csv", "from,to\n", 1, "第一行要有三列"),
        ("douyin.csv", "", 1, "第一行要有三列"),
        ("douyin.csv", CSV + '"浙江,金华","四川,成都",4\n', 5, "已经写了 3 天"),
    ],
)
def test_a_mistake_in_a_table_names_file_and_line(
    put: Put, tmp_path: Path, name: str, text: str, line: int, said: str
) -> None:
    path = put(f"lines/{name}", text)
    with pytest.raises(ConfigError, match=said) as error:
        load_lines(tmp_path)
    assert error.value.file == path
    assert line in {each.line for each in error.value.problems if re.search(said, each.reason)}


@pytest.mark.parametrize(
    ("name", "said"), [("douyn", "是不是.*douyin"), ("pinduoduo", "按线路计时的平台：douyin")]
)
def test_a_table_of_no_such_platform_is_refused(put: Put, tmp_path: Path, name: str, said: str) -> None:
    put(f"lines/{name}.toml", TOML)
    with pytest.raises(ConfigError, match=said):
        load_profiles(beside=tmp_path)


def test_one_table_for_a_platform(put: Put, tmp_path: Path) -> None:
    put("lines/douyin.toml", TOML)
    put("lines/douyin.csv", CSV)
    with pytest.raises(ConfigError, match="只能有一份"):
        load_lines(tmp_path)
