"""Why (feature E7): every clock of a parcel, what started it, its deadline, what it waits for, who said so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.history import Stored
from domain.journey import condense
from domain.orders import Case, Waybill
from domain.time import SHANGHAI
from domain.tracking import TrackingEvent
from monitor.desk.explain import as_data, as_text, clock_line, clock_lines, short
from monitor.desk.pages import ticket_data, ticket_text
from monitor.profiles import load_profiles
from monitor.store import tickets
from monitor.store.database import Database
from rules.judge import judge
from rules.policy import Change, PolicyBook, PolicySpec
from rules.regions import Tier
from tests.simulated import HUB, LOST, PICKED, T0, Robot, Scan, World, at, book, order, scan, scans

BOOK = book()
RULES = {"late_pickup": "揽收超时", "transit_stagnation": "物流停滞"}


def explained(*told: Scan, now: float = 0, seen: float | None = 0) -> dict[str, Any]:
    """A parcel paid at -30 and shipped at -29, as data; and its text under `text`."""
    case = Case(
        Waybill("zhongtong", "Z1"),
        (order("1", paid=-30, shipped=-29),),
        condense(scans(*told)),
        None if seen is None else at(seen),
        T0,
    )
    history = [Stored(scan(*each), 0, at(each[0] + 1)) for each in told]
    verdict = judge(case, BOOK.policy_for(case), at(now))
    arguments = (
        case,
        history,
        verdict,
        at(now),
        SHANGHAI,
        {"state": "watched", "why": "", "provider": "k100"},
    )
    data = as_data(*arguments)
    json.dumps(data)
    return {**data, "text": as_text(*arguments, RULES)}


def clock(told: dict[str, Any], rule: str) -> dict[str, Any]:
    [found] = [each for each in told["clocks"] if each["rule"] == rule]
    return dict(found)


def test_the_keys_of_the_contract() -> None:
    told = explained()
    assert list(told)[:-1] == ["parcel", "events", "clocks", "findings", "next_look_at", "observed_at"]
    assert told["parcel"]["carrier_name"] == "中通快递"
    assert told["observed_at"] == "2026-11-10T10:00:00+08:00"


def test_a_running_clock_says_everything() -> None:
    late = clock(explained(), "late_pickup")
    assert late["started_at"] == "2026-11-09T04:00:00+08:00"
    assert late["deadline"] == "2026-11-10T04:00:00+08:00"
    assert [step["stage"] for step in late["steps"]] == ["warning", "warning", "breach"]
    assert (late["started_by"], late["waits_for"], late["limit_hours"]) == ("付款", "揽收", 24)
    assert (late["policy"], late["running"], late["ended_at"]) == ("generic_cn.late_pickup", True, None)


def test_a_clock_that_ended_and_one_that_sleeps_say_why() -> None:
    told = explained((-20, PICKED))
    assert clock(told, "late_pickup")["ended_by"] == "揽收"
    assert clock(explained(), "transit_stagnation")["asleep"] == "尚未开始：还没有「揽收」"


def test_what_is_found_is_what_the_sweep_would_find() -> None:
    """L3: the same rules; and L1: nothing that was not observed."""
    assert [each["rule"] for each in explained(seen=0)["findings"]] == ["late_pickup"]
    assert explained(seen=None)["findings"] == []
    assert explained(seen=-20, now=0)["findings"] == []
    assert [each["rule"] for each in explained((-28, PICKED), (-1, LOST))["findings"]] == [
        "lost",
        "transit_stagnation",
    ]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ((), "揽收超时（late_pickup） 11-09 04:00:00「付款」起，时限 24h → 11-10 04:00:00；等「揽收」，已超 6 小时；依据 generic_cn.late_pickup"),
        (
            ((-20, PICKED),),
            "揽收超时（late_pickup） 11-09 04:00:00「付款」起，时限 24h → 11-10 04:00:00；11-09 14:00:00 已结束（揽收）；依据 generic_cn.late_pickup",
        ),
        (
            ((-20, PICKED),),
            "物流停滞（transit_stagnation） 11-09 14:00:00「最后一次扫描」起，时限 48h → 11-11 14:00:00；等「派件中」，还剩 28 小时；依据 generic_cn.transit_stagnation",
        ),
        ((), "物流停滞（transit_stagnation） 不计时：尚未开始：还没有「揽收」"),
    ],
)  # fmt: skip
def test_a_clock_in_a_line(told: tuple[Scan, ...], line: str) -> None:
    assert f"  {line}\n" in explained(*told)["text"]


def test_the_text_a_person_reads() -> None:
    text = explained((-20, PICKED), (-3, HUB))["text"]
    assert text.startswith("中通快递 Z1  运输中  订单 O-1\n承运商动态已核实到 11-10 10:00:00；")
    assert (
        "轨迹（2 条）\n  11-09 14:00:00  [揽收] picked_up -20\n  11-10 07:00:00  [运输中] in_transit -3\n"
        in text
    )
    assert text.endswith("异常\n  没有")
    silent = explained(seen=None)["text"]
    assert "承运商动态从未核实；" in silent
    assert "可能未揽收，也可能承运商选错、缺手机号后四位，或刚下单" in silent


def test_running_clocks_come_first_then_the_ended_then_those_that_never_started() -> None:
    case = Case(Waybill("zhongtong", "Z1"), (order("1"),), condense([]), T0, T0)
    running = next(each for each in judge(case, BOOK.policy_for(case), T0).clocks if each.running)
    clocks = [
        replace(running, rule="asleep", asleep="尚未开始"),
        replace(running, rule="over", ended_at=T0, ended_by="揽收"),
        replace(running, rule="one"),
        replace(running, rule="two"),
    ]
    lines = clock_lines(clocks, T0, SHANGHAI, RULES)
    assert [line.split()[0] for line in lines] == ["one", "two", "over", "asleep"]


def test_a_moment_of_another_year_names_it() -> None:
    last_year = short(T0.replace(year=T0.year - 1), T0, SHANGHAI)
    assert (last_year, short(T0, T0, SHANGHAI)) == ("2025-11-10 10:00:00", "11-10 10:00:00")
    new_year = datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert short(new_year, T0, SHANGHAI) == "2027-01-01 00:00:00", "the year of the merchant's clock"


def test_a_next_look_in_the_past_says_so() -> None:
    case = Case(Waybill("zhongtong", "Z1"), (order("1"),), condense([]), T0, T0)
    verdict = judge(case, BOOK.policy_for(case), T0)

    def second_line(next_look: datetime | None) -> str:
        told = as_text(case, [], replace(verdict, next_look_at=next_look), T0, SHANGHAI, {}, RULES)
        return told.split("\n")[1]

    assert second_line(at(1)).endswith("；下次变化 11-10 11:00:00")
    assert second_line(at(-1)).endswith("；下次变化 11-10 09:00:00（早该看了）")
    assert second_line(None).endswith("；没有要等的时限")


def test_a_withdrawn_scan_is_shown_as_such() -> None:
    """L4: marked, not deleted."""
    case = Case(Waybill("zhongtong", "Z1"), (order("1"),), condense([]), T0, T0)
    history = [Stored(TrackingEvent(at(-5), PICKED, "已揽收"), 0, at(-4), at(-1))]
    verdict = judge(case, BOOK.policy_for(case), T0)
    arguments = (case, history, verdict, T0, SHANGHAI, {})
    assert "已揽收（已撤回）" in as_text(*arguments, RULES)
    assert as_data(*arguments)["events"][0]["withdrawn_at"] == "2026-11-10T09:00:00+08:00"


def test_a_time_that_names_no_moment_is_shown_as_it_was_written() -> None:
    """`facts/carriers-international.md`, AfterShip: keep the precision."""
    case = Case(Waybill("usps", "Z1"), (order("1"),), condense([]), T0, T0)
    history = [Stored(TrackingEvent(at(-5), PICKED, "Accepted", written="2026-11-10"), 0, at(-4))]
    arguments = (case, history, judge(case, BOOK.policy_for(case), T0), T0, SHANGHAI, {})
    assert "Accepted（原文时间 2026-11-10）" in as_text(*arguments, RULES)
    assert as_data(*arguments)["events"][0]["written"] == "2026-11-10"


def test_a_clock_counted_by_a_calendar_says_so() -> None:
    case = Case(Waybill("zhongtong", "Z1"), (order("1"),), condense([]), T0, T0)
    running = next(each for each in judge(case, BOOK.policy_for(case), T0).clocks if each.running)
    counted = clock_line(
        replace(running, limit=timedelta(hours=48), calendar="中国工作日"), T0, SHANGHAI, RULES
    )
    assert "时限 48h（按中国工作日计） → " in counted
    assert "按" not in clock_line(running, T0, SHANGHAI, RULES)


def test_a_limit_that_nobody_set_has_a_line_too() -> None:
    case = Case(Waybill("zhongtong", "Z1"), (order("1", paid=None, shipped=None),), condense([]), T0, T0)
    for each in judge(case, BOOK.policy_for(case), T0).clocks:
        assert clock_line(replace(each, limit=None), T0, SHANGHAI, RULES)


# ── a whole ticket ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ticket(database: Database) -> tickets.Detail:
    """A parcel that nobody picked up, told once."""
    world = World(database, [Robot("ops")])
    parcel = world.import_("Z1", amount=None, receiver_city="深圳市")
    world.set(23)
    world.settle(parcel, observed_at=at(23))
    world.deliver()
    [number] = world.column("SELECT number FROM tickets")
    found = database.read_now(lambda conn: tickets.detail(conn, number))
    assert found is not None
    return found


def test_a_ticket_as_text(ticket: tickets.Detail) -> None:
    text = ticket_text(ticket, at(24), SHANGHAI, RULES)
    assert text.startswith(
        f"{ticket.ticket.number}  待处理  中通快递 Z1 揽收超时 已 25 小时（限 24 小时）\n开单 11-11 09:00:00"
    )
    assert "订单 旗舰店 · O-Z1 · 深圳市" in text
    assert "等「揽收」，已超 2 小时" in text
    assert "轨迹\n  尚无记录" in text
    assert "异常 parcelwatch：揽收超时 已 25 小时（限 24 小时）" in text
    assert "ops sent：[紧急] 中通快递 Z1" in text
    assert text.endswith("（ok）")


def test_a_ticket_as_data(ticket: tickets.Detail) -> None:
    data = json.loads(json.dumps(ticket_data(ticket, SHANGHAI)))
    assert data["ticket"]["opened_at"] == "2026-11-11T09:00:00+08:00"
    assert data["findings"][0]["finding"]["limit"] == 24, "lengths in hours"
    assert data["messages"][0]["attempts"][0]["outcome"] == "taken"


def test_any_value_of_ours_as_json_knows_it() -> None:
    values = {
        "a": timedelta(minutes=90),
        "b": frozenset({"y", "x"}),
        "c": (1, None, True),
        "d": at(0),
        "e": at,
    }
    told = ticket_data(values, SHANGHAI)
    assert told == {
        **{"a": 1.5, "b": ["x", "y"], "c": [1, None, True], "d": "2026-11-10T10:00:00+08:00"},
        "e": str(at),
    }


# ── the line that won, the money, the blame ──────────────────────────────────────────────────────


def stalled(rules: dict[str, Change]) -> tuple[dict[str, Any], str]:
    """A parcel that stood still for 60 hours under a policy of its own, as data and as text."""
    ours = PolicySpec("旗舰", {"shop": frozenset({"旗舰店"})}, "taobao_tmall", rules)
    policies = PolicyBook(load_profiles(), [ours, PolicySpec("其余", {}, "taobao_tmall")])
    of = order("1", paid=-70, shipped=-69, shop="旗舰店", platform="taobao_tmall", amount=Decimal(300))
    case = Case(Waybill("zhongtong", "Z1"), (of,), condense(scans((-65, PICKED), (-60, HUB))), T0, T0)
    policy = policies.policy_for(case)
    arguments = (case, [], judge(case, policy, T0), T0, SHANGHAI, {})
    return as_data(*arguments, policy), as_text(*arguments, RULES, policy)


def test_the_line_that_won_is_named_with_those_it_overruled() -> None:
    data, told = stalled({"transit_stagnation": Change(limit={Tier.NORMAL: timedelta(hours=47)})})
    assert "策略 旗舰（版本 " in told
    assert "match 有 1 项，比「其余」的 0 项更具体；没有轮到 其余" in told
    assert "依据 旗舰.transit_stagnation（盖过 taobao_tmall.transit_stagnation）" in told
    assert data["parcel"]["policy_beat"] == ["其余"]
    [found] = [each for each in data["findings"] if each["rule"] == "transit_stagnation"]
    assert found["beat"] == ["taobao_tmall.transit_stagnation"]
    assert clock(data, "transit_stagnation")["beat"] == found["beat"]


def test_the_money_the_tariff_and_the_blame_stand_under_a_finding() -> None:
    data, told = stalled({})
    assert "可能赔付 ¥15：实付的 5%（最低 ¥5，最高 ¥50）" in told
    assert "责任：承运商（" in told
    [found] = [each for each in data["findings"] if each["rule"] == "transit_stagnation"]
    assert found["risk"] == {"low": 15.0, "high": 15.0}
    assert found["blame"]["party"] == "carrier"
    assert found["shadow"] is False
    assert data["parcel"]["risk"]["high"] >= 15.0


def test_a_rule_on_trial_says_so() -> None:
    data, told = stalled({"transit_stagnation": Change(shadow=True)})
    assert "试运行：只记录，不通知任何人" in told
    assert "物流停滞（transit_stagnation） 试运行" in told
    assert clock(data, "transit_stagnation")["shadow"] is True
