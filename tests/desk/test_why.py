"""Why this alert, in words an agent can read to the carrier: the facts are in it, and nothing that was not seen."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.findings import FindingState
from domain.history import Stored
from domain.journey import condense
from domain.orders import Case, Waybill
from domain.time import Window
from domain.tracking import ExceptionKind, Milestone, TrackingEvent
from monitor.calendars import load_almanacs
from monitor.desk.voice import PHRASES, Voice
from monitor.desk.why import Ground, Part, opening, why
from monitor.profiles import load_profiles
from monitor.web.i18n import Words, catalogues
from rules.calendars import Calendars
from rules.judge import judge, proven_until
from rules.policy import Change, Exemption, PolicyBook, PolicySpec
from rules.regions import Tier
from tests.simulated import OUT, PICKED, at, order

BOOK = PolicyBook(load_profiles())
ZH = Voice()
TEXTS = {
    "东莞": TrackingEvent(
        at(0),
        Milestone.IN_TRANSIT,
        "【东莞市】快件已到达 东莞分拨中心，联系电话 13812345678",
        hub="东莞分拨中心",
        next_stop="深圳",
    ),
    "揽收": TrackingEvent(at(-5), PICKED, "【广州市】已揽收", outlet="广州白云网点"),
    "看不懂": TrackingEvent(at(3), Milestone.UNKNOWN, "系统处理 A77"),
    "派件": TrackingEvent(at(5), OUT, "派件中"),
}


def ground(
    rule: str,
    *texts: str,
    now: float,
    seen: float | None = None,
    book: PolicyBook = BOOK,
    number: str = "75812345678901",
    shipped: float | None = -8,
    **more: object,
) -> Ground:
    """The ground of a rule's finding of a parcel with these scans, paid at -10, shipped at -8, seen until now."""
    events = [TEXTS[text] for text in texts]
    of = order("A1", paid=-10, shipped=shipped, platform="taobao_tmall", receiver_province="广东省", **more)
    case = Case(
        Waybill("zhongtong", number), (of,), condense(events), at(now if seen is None else seen), at(now)
    )
    policy = book.policy_for(case)
    verdict = judge(case, policy, at(now))
    finding = next(each for each in verdict.findings if each.rule == rule)
    line = policy.line(rule)
    assert line is not None
    return Ground(
        finding,
        case,
        [Stored(event, 0, event.occurred_at) for event in events],
        line,
        proven_until(case, line, at(now)) if finding.deadline else None,
        "k100",
    )


def said(of: Ground, now: float, voice: Voice = ZH) -> dict[Part, str]:
    """The sentences by what they tell."""
    sentences = why(of, at(now), voice)
    assert len({each.part for each in sentences}) == len(sentences)
    return {each.part: each.text for each in sentences}


STALLED = ground("transit_stagnation", "揽收", "东莞", now=50)


def test_the_call_begins_with_the_parcel() -> None:
    assert (
        opening(STALLED.case, ZH) == "请帮忙查一下这票快件：中通快递 75812345678901，订单 O-A1，寄往 广东省。"
    )


def test_a_stalled_parcel_in_the_order_of_the_call() -> None:
    told = said(STALLED, 50)
    assert list(told) == [Part.START, Part.LIMIT, Part.SOURCE, Part.WAITS, Part.SILENCE, Part.PLACE]
    assert told[Part.START] == (
        "计时从 11月10日 10:00 的「运输中」扫描开始，贵司原文：「【东莞市】快件已到达 东莞分拨中心，"
        "联系电话 138******78」，地点：东莞分拨中心。"
    )
    assert told[Part.LIMIT] == "时限 48 小时，最晚到 11月12日 10:00。"
    assert told[Part.SOURCE] == (
        "依据：平台规则，策略行 taobao_tmall.transit_stagnation（行业资料；出处 TB1、TB2）。"
    )
    assert told[Part.WAITS] == "这段时间里本应看到「派件中」。"
    assert told[Part.SILENCE] == (
        "我们最后一次查到贵司的轨迹是 11月12日 12:00（数据源 k100），到那时为止没有看到，已经 50 小时。"
    )
    assert told[Part.PLACE] == "停在：滞留在网点/分拨内（东莞分拨中心 → 深圳）。"


def test_no_more_silence_is_claimed_than_was_observed() -> None:
    of = ground("transit_stagnation", "揽收", "东莞", now=60, seen=49)
    assert "11月12日 11:00" in said(of, 60)[Part.SILENCE]
    assert "已经 49 小时" in said(of, 60)[Part.SILENCE]


def test_a_warning_says_how_much_is_left() -> None:
    of = ground("transit_stagnation", "揽收", "东莞", now=41)
    assert said(of, 41)[Part.AHEAD] == "还没有超时，还剩 7 小时：现在催还来得及。"
    assert Part.AHEAD not in said(of, 49), "the limit has passed since"


def test_a_clock_of_the_shop_names_the_order_and_the_shops_last_word() -> None:
    book = PolicyBook(
        load_profiles(),
        [PolicySpec("flagship", profile="pinduoduo", rules={"late_shipment": Change()})],
    )
    of = ground("out_of_stock", now=70, book=book, number="", shipped=None)
    told = said(of, 70)
    assert told[Part.START] == "计时从 11月10日 00:00「成团/订单确认」开始（订单 O-A1，旗舰店）。"
    assert told[Part.SILENCE].startswith("店铺订单最后一次更新到 11月13日 08:00，")
    assert "贵司" not in "".join(told.values())


def test_a_clock_from_the_payment() -> None:
    of = ground("late_shipment", now=40)
    assert said(of, 40)[Part.START] == "计时从 11月10日 00:00「付款」开始（订单 O-A1，旗舰店）。"


def test_other_explanations_of_a_number_nobody_knows() -> None:
    of = ground("late_shipment", now=40)
    assert said(of, 40)[Part.DOUBT] == "也可能是承运商选错、缺少手机号后四位，或刚下单尚无记录。"
    assert Part.DOUBT not in said(STALLED, 50)


def test_lines_nobody_could_read_are_named() -> None:
    of = ground("transit_stagnation", "揽收", "东莞", "看不懂", now=50)
    assert said(of, 50)[Part.UNREAD] == "此后还有 1 条我们没能识别的轨迹，请一起核对：「系统处理 A77」。"


def test_the_merchants_own_limit_says_so() -> None:
    mine = PolicySpec(
        "flagship",
        profile="taobao_tmall",
        rules={"transit_stagnation": Change(limit=dict.fromkeys(Tier, timedelta(hours=36)))},
    )
    of = ground("transit_stagnation", "揽收", "东莞", now=40, book=PolicyBook(load_profiles(), [mine]))
    told = said(of, 40)
    assert told[Part.LIMIT] == "时限 36 小时，最晚到 11月11日 22:00。"
    assert told[Part.SOURCE] == "依据：商家自己的策略，策略行 flagship.transit_stagnation。"


def test_the_orders_own_promise_says_so() -> None:
    of = ground("late_shipment", now=10, promised_ship_at=at(8))
    told = said(of, 10)
    assert told[Part.LIMIT] == "时限 18 小时，最晚到 11月10日 18:00。"
    assert told[Part.SOURCE] == "依据：订单自己的承诺时间（策略行 taobao_tmall.late_shipment）。"


def test_time_that_does_not_count_is_told() -> None:
    pause = Exemption(Window(at(10), at(34), "台风"))
    of = ground("transit_stagnation", "揽收", "东莞", now=80, book=PolicyBook(load_profiles(), (), [pause]))
    assert (
        said(of, 80)[Part.LIMIT]
        == "时限 48 小时，按自然时间，扣除「台风」计（其间 24 小时 不算），最晚到 11月13日 10:00。"
    )


def test_time_counted_by_a_calendar_is_told() -> None:
    """Five working days from Tuesday: the weekend between does not count, and no exemption is named for it."""
    known = load_profiles()
    rule = known["taobao_tmall"].rules["transit_stagnation"]
    week = Calendars(load_almanacs().values())["cn_working_days"]
    counted = replace(rule, limit=dict.fromkeys(Tier, timedelta(hours=120)), calendar=week)
    mine = replace(known["taobao_tmall"], rules={**known["taobao_tmall"].rules, rule.id: counted})
    book = PolicyBook({**known, "taobao_tmall": mine})
    of = ground("transit_stagnation", "揽收", "东莞", now=170, book=book)
    assert (
        said(of, 170)[Part.LIMIT]
        == "时限 120 小时，按中国工作日计（其间 48 小时 不算），最晚到 11月17日 10:00。"
    )
    assert said(of, 170, EN)[Part.LIMIT] == (
        "The limit is 120 h, counted in working days in China (48 h in between do not count): until 17 Nov 10:00 at the latest."
    )


def test_every_calendar_has_a_name_in_english() -> None:
    for almanac in load_almanacs().values():
        for week in almanac.weeks.values():
            assert EN.reword(week.zh) != week.zh
    assert EN.reword("中国工作日（没有 2027、2028 年的官方放假安排，只按周末推算）") == (
        "working days in China (no official holidays known for 2027, 2028: weekends only)"
    )


def test_a_policy_that_has_changed_since_is_named_as_it_was() -> None:
    of = Ground(STALLED.finding, STALLED.case, STALLED.scans)
    assert said(of, 50)[Part.SOURCE] == "依据：策略行 taobao_tmall.transit_stagnation。"
    assert "11月12日 12:00" in said(of, 50)[Part.SILENCE], "the finding's own evidence"


def test_trouble_the_carrier_reported_has_no_limit() -> None:
    refused = TrackingEvent(
        at(2),
        Milestone.UNKNOWN,
        "收件人拒收，请联系 13812345678",
        exceptions=frozenset({ExceptionKind.REFUSED}),
    )
    TEXTS["拒收"] = refused
    told = said(ground("refused", "揽收", "拒收", now=3), 3)
    assert list(told) == [Part.TROUBLE, Part.SOURCE]
    assert (
        told[Part.TROUBLE] == "贵司在 11月10日 12:00 报告「拒收」，原文：「收件人拒收，请联系 138******78」。"
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FindingState.CLEARED, "11月10日 15:00 已恢复（派件中）。"),
        (FindingState.RETRACTED, "11月10日 15:00 已撤回：从来不成立（派件中）。"),
        (FindingState.EXPIRED, "11月10日 15:00 不再适用（派件中）。"),
        (FindingState.DISMISSED, "11月10日 15:00 已由人工忽略（派件中）。"),
    ],
)
def test_what_has_ended_says_how_and_claims_no_silence(state: FindingState, expected: str) -> None:
    of = Ground(STALLED.finding, STALLED.case, STALLED.scans, state=state, ended_at=at(5), ended_by="派件中")
    told = said(of, 50)
    assert told[Part.ENDED] == expected
    assert not told.keys() & {Part.SILENCE, Part.PLACE, Part.AHEAD, Part.UNREAD}


def test_hostile_texts_are_made_harmless_and_never_read_as_fields() -> None:
    TEXTS["坏"] = TrackingEvent(at(0), Milestone.IN_TRANSIT, "{when}\u202e{0}" + "长" * 10_000, hub="{x}<b>")
    of = ground("transit_stagnation", "揽收", "坏", now=50, shop="{shop}")
    start = said(of, 50)[Part.START]
    assert "「{when}{0}长" in start
    assert "\u202e" not in start
    assert len(start) < 400
    assert "{x}<b>" in start


def test_other_zones_hear_their_own_time() -> None:
    berlin = Voice(zone=ZoneInfo("Europe/Berlin"))
    assert "11月10日 03:00" in said(STALLED, 50, berlin)[Part.START]


# ── English ──────────────────────────────────────────────────────────────────────────────────────


EN = Voice(Words("en").say)


def test_english_says_the_same() -> None:
    told = said(STALLED, 50, EN)
    assert told[Part.LIMIT] == "The limit is 48 h: until 12 Nov 10:00 at the latest."
    assert told[Part.WAITS] == "In that time we should have seen “Out for delivery”."
    assert told[Part.SILENCE].startswith("We last read your tracking at 12 Nov 12:00 (source k100)")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("", ""),
        ("揽收", "Picked up"),
        ("发货 或 揽收", "Shipped or Picked up"),
        ("尚未开始：还没有「揽收」", "Not started: no “Picked up” yet"),
        ("订单已关闭", "The order was closed"),
        ("补传的轨迹显示当时已有「派件中」", "A scan that came late shows “Out for delivery” at the time"),
        ("中转停滞：已恢复（派件中）", "Stalled in transit: recovered (Out for delivery)"),
        ("包裹已有新进展：揽收", "The parcel moved on: 揽收"),
        ("随便什么话", "随便什么话"),
    ],
)
def test_stored_phrases_are_said_anew(stored: str, expected: str) -> None:
    assert EN.reword(stored) == expected
    assert ZH.reword(stored) == stored


def test_a_hostile_stored_text_hangs_nothing() -> None:
    text = " 已 （限 " * 2000
    assert EN.reword(text) == text
    assert EN.reword((" 已 （限 " * 60)[:400])


def test_every_phrase_has_a_translation_with_the_same_fields() -> None:
    known = catalogues()["en"]
    for phrase in PHRASES:
        assert known.get(phrase), phrase
        assert set(re.findall(r"\{\w+\}", phrase)) == set(re.findall(r"\{\w+\}", known[phrase][0]))


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(seconds=-5), "0 秒"),
        (timedelta(seconds=119), "119 秒"),
        (timedelta(minutes=119), "119 分钟"),
        (timedelta(hours=48), "48 小时"),
        (timedelta(hours=50, minutes=30), "50 小时 30 分钟"),
        (timedelta(days=7), "7 天"),
        (timedelta(days=10, hours=3, minutes=2), "10 天 3 小时"),
    ],
)
def test_lengths_as_people_say_them(span: timedelta, expected: str) -> None:
    assert ZH.length(span) == expected
