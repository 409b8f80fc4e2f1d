"""What a file says of windows, warehouses, remote places, calendars and trials, and what comes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.orders import Case, Order, Waybill
from domain.time import SHANGHAI
from monitor.config.settings import load, load_book
from monitor.config.words import Words
from monitor.profiles import load_profiles, vocabulary
from monitor.windows import load_tiers, load_windows, window_names
from rules.judge import judge
from rules.policy import Deferral, Exemption, Line, PolicyBook
from rules.regions import Tier

HOUR = timedelta(hours=1)


def written(tmp_path: Path, text: str) -> PolicyBook:
    """The book of a policy file, as the lab and the service read it."""
    file = tmp_path / "parcelwatch.toml"
    file.write_text(text, "utf-8")
    by_lab, by_service = load_book(file), load(file, {}).book
    assert by_lab.version == by_service.version
    return by_service


def parcel(**said: Any) -> Case:
    return Case(Waybill("yuantong", "YT1"), (Order("1", **{"platform": "taobao_tmall", **said}),))


def line(book: PolicyBook, rule: str, **said: Any) -> Line:
    found = book.policy_for(parcel(**said)).line(rule)
    assert found is not None
    return found


def deadline(book: PolicyBook, paid_at: datetime, **said: Any) -> datetime | None:
    case = parcel(paid_at=paid_at, **said)
    reading = judge(case, book.policy_for(case), paid_at).clock("late_shipment")
    assert reading is not None
    return reading.deadline


def beijing(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI)


# ── windows that come with the program ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "shop", "expected"),
    [
        pytest.param("", "甲", beijing(2022, 2, 1, 12), id="none is in force by itself"),
        pytest.param('windows = ["tmall_2022_spring"]', "甲", beijing(2022, 2, 10, 23, 59, 59), id="switched on"),
        pytest.param(
            'windows = [{use = "tmall_2022_spring", opted_in = ["甲"]}]', "甲", beijing(2022, 2, 1, 12), id="renounced"
        ),
        pytest.param(
            'windows = [{use = "tmall_2022_spring", opted_in = ["乙"]}]', "甲", beijing(2022, 2, 10, 23, 59, 59),
            id="renounced by another shop",
        ),
    ],
)  # fmt: skip
def test_a_shipped_window(tmp_path: Path, said: str, shop: str, expected: datetime) -> None:
    book = written(tmp_path, said)
    assert deadline(book, beijing(2022, 1, 30, 12), shop=shop) == expected


@pytest.mark.parametrize("name", window_names())
def test_every_shipped_window_says_where_it_comes_from(name: str) -> None:
    [notice] = load_windows(Words(vocabulary(load_profiles())), [(name, frozenset())])
    every: list[Exemption | Deferral] = [*notice.exemptions, *notice.deferrals]
    assert every
    assert notice.source
    for each in every:
        assert each.source
        assert each.by == name
        assert each.confidence in {"OFF", "OFFQ", "SEC", "UNC"}
        assert each.match, "a notice is about a platform or about carriers"


# ── remote places ────────────────────────────────────────────────────────────────────────────────


def test_each_platform_keeps_its_own_list() -> None:
    """§8: 拼多多 counts Hainan as remote, 淘宝 does not."""
    tiers = load_tiers(Words(vocabulary(load_profiles())))
    assert tiers["pinduoduo"][Tier.REMOTE] - tiers["taobao_tmall"][Tier.REMOTE] == {"海南"}


@pytest.mark.parametrize(
    ("text", "province", "asleep"),
    [
        pytest.param("", "甘肃", "偏远地区豁免", id="shipped"),
        pytest.param("", "海南", "", id="not on this platform's list"),
        pytest.param('tiers.remote = ["海南"]', "海南", "偏远地区豁免", id="for every platform"),
        pytest.param('tiers.remote = ["海南"]', "甘肃", "", id="the level is said anew"),
        pytest.param('tiers.remote = ["海南"]', "新疆", "极偏远地区豁免", id="the other levels stay"),
        pytest.param('tiers.remote = ["新疆"]', "新疆", "偏远地区豁免", id="moved to another level"),
        pytest.param('tiers.pinduoduo.remote = ["云南"]', "云南", "", id="another platform's"),
        pytest.param('tiers.taobao_tmall.remote = ["云南"]', "云南", "偏远地区豁免", id="this platform's"),
        pytest.param(
            '[[policies]]\nname = "甲"\ntiers = {remote = ["云南"]}', "云南", "偏远地区豁免", id="a policy's"
        ),
    ],
)
def test_the_file_says_what_is_remote(tmp_path: Path, text: str, province: str, asleep: str) -> None:
    assert line(written(tmp_path, text), "transit_stagnation", receiver_province=province).asleep == asleep


# ── warehouses, calendars, trials ────────────────────────────────────────────────────────────────


def test_a_policy_for_where_parcels_leave_from(tmp_path: Path) -> None:
    book = written(
        tmp_path,
        '[[policies]]\nname = "义乌发货"\nmatch = {origin_city = "金华市"}\nrules.lost.notify = false\n'
        '[[warehouses]]\nname = "义乌仓"\nprovince = "浙江省"\ncity = "金华市"\n',
    )
    assert book.policy_for(parcel(warehouse="义乌仓")).name == "义乌发货"
    assert book.policy_for(parcel(warehouse="广州仓")).name == "taobao_tmall"


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        pytest.param("natural", beijing(2026, 9, 5, 18), id="every hour"),
        pytest.param("cn_working_days", beijing(2026, 9, 7, 18), id="shipped"),
        pytest.param("仓库", beijing(2026, 9, 8, 18), id="one's own: nine hours a day"),
    ],
)
def test_a_limit_counted_by_a_calendar(tmp_path: Path, calendar: str, expected: datetime) -> None:
    """Paid on a Friday at six; September 2026 has no holiday before the 20th."""
    text = (
        f'[[policies]]\nname = "甲"\nrules.late_shipment = {{limit = "{18 if calendar == "仓库" else 24}h", calendar = "{calendar}"}}\n'
        '[calendars."仓库"]\nzh = "仓库上班时间"\nhours = "09:00-18:00"\n'
    )
    assert deadline(written(tmp_path, text), beijing(2026, 9, 4, 18)) == expected


@pytest.mark.parametrize(
    ("text", "trials"),
    [
        pytest.param("rules.late_shipment = {shadow = true}", {"late_shipment"}, id="one rule"),
        pytest.param("rules.late_shipment = {shadow = false}", set(), id="promoted by a word"),
        pytest.param("shadow = true\nrules.late_shipment = {shadow = false}", None, id="all but one"),
    ],
)
def test_rules_on_trial(tmp_path: Path, text: str, trials: set[str] | None) -> None:
    book = written(tmp_path, f'[[policies]]\nname = "甲"\nmatch.shop = "甲"\n{text}\n')
    lines = book.policy_for(parcel(shop="甲")).lines
    found = {each.rule.id for each in lines if each.rule.shadow}
    assert found == ({each.rule.id for each in lines} - {"late_shipment"} if trials is None else trials)
    assert not any(each.rule.shadow for each in book.policy_for(parcel(shop="乙")).lines)
