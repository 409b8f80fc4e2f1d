"""What a group reads (`facts/notifiers.md` §6): a first line that says it all, then at most six short facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.findings import Blame, Finding, FindingState, Party, Risk, Stage
from domain.journey import Journey, condense
from domain.messages import Message, MessageKind, Urgency
from domain.orders import Case, Waybill
from domain.tracking import Milestone, TrackingEvent
from monitor.store.outbox import MessageState, Waiting
from monitor.telling import wording
from monitor.telling.digest import digest_of
from notifiers.wording import MOST_FACTS, VALUE_LIMIT, title_line
from tests.simulated import T0, at, order, scans

H, M, S = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
TICKET = "T-20261110-0031"
PHONE = "13812345601"


def a_case(
    journey: Journey | None = None, waybill: Waybill = Waybill("zhongtong", "75812345678901"), **said: Any
) -> Case:
    said = {"receiver_province": "广东省", "receiver_city": "深圳市"} | said
    return Case(waybill, (order("1", **said),), journey or condense(scans((-30, Milestone.PICKED_UP))))


def waiting(
    stage: Stage = Stage.BREACH,
    *,
    started: float = -50,
    limit: float = 48,
    severity: int = 70,
    **evidence: str,
) -> Finding:
    told = {"rule_zh": "中转停滞", "started_by": "最后一次扫描", "waits_for": "派件中"} | evidence
    began, length = at(started), timedelta(hours=limit)
    return Finding(
        "transit_stagnation",
        stage,
        began,
        began + length,
        "p.r",
        began + length,
        length,
        1,
        severity,
        evidence=told,
    )


def reported(zh: str, trouble: str) -> Finding:
    return Finding(
        "lost", Stage.BREACH, T0, T0, "p.r", severity=100, evidence={"rule_zh": zh, "trouble": trouble}
    )


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(0), "0 秒"),
        (-5 * S, "0 秒"),
        (6 * S, "6 秒"),
        (119 * S, "119 秒"),
        (2 * M, "2 分钟"),
        (40 * M + 59 * S, "40 分钟"),
        (119 * M, "119 分钟"),
        (2 * H, "2 小时"),
        (53 * H + 59 * M, "53 小时"),
        (7 * 24 * H - S, "167 小时"),
        (7 * 24 * H, "7 天"),
        (10 * 24 * H, "10 天"),
    ],
)
def test_a_length_as_a_person_would_say_it(length: timedelta, said: str) -> None:
    assert wording.hours(length) == said


@pytest.mark.parametrize(
    ("finding", "now", "first_line"),
    [
        pytest.param(
            waiting(started=-53), 0, "[紧急] 中通快递 75812345678901 中转停滞 已 53 小时（限 48 小时） · T-20261110-0031",
            id="a breach",
        ),
        pytest.param(
            waiting(Stage.WARNING, started=-44), 0,
            "[预警] 中通快递 75812345678901 中转停滞 还剩 4 小时（限 48 小时） · T-20261110-0031", id="a warning",
        ),
        pytest.param(
            waiting(Stage.WARNING, started=-46 - 1 / 3600), 0,
            "[预警] 中通快递 75812345678901 中转停滞 还剩 2 小时（限 48 小时） · T-20261110-0031",
            id="a second after the step of two hours",
        ),
        pytest.param(
            waiting(Stage.WARNING, started=-49), 0,
            "[预警] 中通快递 75812345678901 中转停滞 即将超时（限 48 小时） · T-20261110-0031",
            id="a warning told late claims no breach that was not observed",
        ),
        pytest.param(
            waiting(started=-53, silent_until=at(-4).isoformat()), 0,
            "[紧急] 中通快递 75812345678901 中转停滞 已 49 小时（限 48 小时） · T-20261110-0031",
            id="no more silence than was observed",
        ),
        pytest.param(
            waiting(severity=15), -2, "[提醒] 中通快递 75812345678901 中转停滞 已 48 小时（限 48 小时） · T-20261110-0031",
            id="what costs little",
        ),
        pytest.param(
            waiting(soft="true"), -2, "[提醒] 中通快递 75812345678901 中转停滞 已 48 小时（限 48 小时） · T-20261110-0031",
            id="what costs nothing",
        ),
        pytest.param(
            waiting(started=-1, limit=4 / 3600), -1 + 6 / 3600,
            "[紧急] 中通快递 75812345678901 中转停滞 已 6 秒（限 4 秒） · T-20261110-0031", id="rehearsed in seconds",
        ),
        pytest.param(
            reported("快件丢失", "丢失"), 0, "[紧急] 中通快递 75812345678901 快件丢失 · T-20261110-0031",
            id="trouble that the rule's name says",
        ),
        pytest.param(
            reported("快件破损", "内件短少"), 0, "[紧急] 中通快递 75812345678901 快件破损：内件短少 · T-20261110-0031",
            id="trouble that it does not",
        ),
    ],
)  # fmt: skip
def test_the_first_line_stands_alone(finding: Finding, now: float, first_line: str) -> None:
    told = wording.alert(a_case(), finding, TICKET, at(now))
    assert told.title == first_line
    assert told.reference == TICKET
    assert told.kind is MessageKind.ALERT


@pytest.mark.parametrize(
    ("severity", "stage", "soft", "urgency"),
    [
        (60, Stage.BREACH, False, Urgency.CRITICAL),
        (60, Stage.WARNING, False, Urgency.HIGH),
        (59, Stage.BREACH, False, Urgency.NORMAL),
        (100, Stage.BREACH, True, Urgency.NORMAL),
    ],
)
def test_how_much_it_matters(severity: int, stage: Stage, soft: bool, urgency: Urgency) -> None:
    finding = waiting(stage, severity=severity, **({"soft": "true"} if soft else {}))
    assert wording.urgency(finding) is urgency


def test_the_facts_of_a_stalled_parcel() -> None:
    events = [
        TrackingEvent(
            at(-53), Milestone.IN_TRANSIT, "离开【杭州转运中心】", hub="杭州转运中心", next_stop="武汉"
        )
    ]
    told = wording.alert(
        a_case(condense(events)),
        waiting(started=-53, whereabouts="between_nodes"),
        TICKET,
        T0,
        others=[waiting(rule_zh="支付到签收过长")],
        mentions=["138"],
        link="https://w/t/1",
    )
    assert told.facts == (
        ("订单", "旗舰店·O-1（收货 广东省 深圳市）"),
        ("最后轨迹", "11-08 05:00 离开【杭州转运中心】"),
        ("计时", "11-08 05:00（最后一次扫描）起，时限 11-10 05:00"),
        ("在等", "派件中"),
        ("同时", "支付到签收过长"),
        ("位置", "两个网点之间 杭州转运中心 → 武汉"),
    )
    assert (told.mentions, told.link, told.at) == (("138",), "https://w/t/1", T0)


def test_a_limit_in_working_days_says_so() -> None:
    facts = dict(wording.alert(a_case(), waiting(started=-53, calendar="中国工作日"), TICKET, T0).facts)
    assert facts["计时"] == "11-08 05:00（最后一次扫描）起，时限 11-10 05:00，按中国工作日计"


def test_silence_from_the_start_names_the_other_explanations() -> None:
    """L1: "nothing known" is what a fake shipment looks like, and a wrong carrier too."""
    finding = waiting(no_news="也可能是承运商选错、缺少手机号后四位，或刚下单尚无记录")
    facts = dict(wording.alert(a_case(Journey()), finding, TICKET, T0).facts)
    assert facts["最后轨迹"] == "承运商尚无任何记录（也可能是承运商选错、缺少手机号后四位，或刚下单尚无记录）"


@pytest.mark.parametrize(
    ("state", "kind", "title"),
    [
        (
            FindingState.CLEARED,
            MessageKind.RESOLVED,
            "[恢复] 中通快递 75812345678901 已恢复 · T-20261110-0031",
        ),
        (
            FindingState.RETRACTED,
            MessageKind.RETRACTED,
            "[撤回] 中通快递 75812345678901 告警撤回 · T-20261110-0031",
        ),
        (
            FindingState.EXPIRED,
            MessageKind.RESOLVED,
            "[结束] 中通快递 75812345678901 不必再处理 · T-20261110-0031",
        ),
    ],
)
def test_how_it_ended(state: FindingState, kind: MessageKind, title: str) -> None:
    told = wording.relieved(a_case(), TICKET, T0, because="揽收", state=state)
    assert (told.title, told.kind, told.urgency) == (title, kind, Urgency.NORMAL)
    assert told.facts == (("原因", "揽收"), ("最后轨迹", "11-09 04:00 picked_up -30"))


def test_an_outage_is_told_in_its_own_words() -> None:
    told = wording.feed_alert("k100", T0, down=True, since=at(-1), why="连不上", waiting=7)
    assert told.title == "[数据源] k100 查询中断，暂停一切基于它的判定"
    assert ("最后成功", "11-10 09:00") in told.facts
    assert (told.kind, told.urgency, told.reference) == (MessageKind.FEED, Urgency.CRITICAL, "k100")
    over = wording.feed_alert("k100", T0, down=False, since=at(-3), why="", waiting=7)
    assert over.title == "[数据源] k100 已恢复，中断 3 小时"
    assert over.urgency is Urgency.HIGH


HOSTILE = st.text(max_size=300) | st.sampled_from(
    ["<@all>" * 60, f"旗舰店{PHONE}", "a\n## b", "\u202e" * 200, "👨‍👩‍👧" * 80, "[CQ:at,qq=all]", "店" * 500]
)


@given(shop=HOSTILE, number=HOSTILE, order_no=HOSTILE, text=HOSTILE, why=HOSTILE, node=HOSTILE)
def test_whatever_comes_from_outside_every_part_keeps_its_place(
    shop: str, number: str, order_no: str, text: str, why: str, node: str
) -> None:
    scan = TrackingEvent(at(-53), Milestone.IN_TRANSIT, text, hub=node, next_stop=node)
    case = a_case(condense([scan]), Waybill("zhongtong", number), shop=shop, receiver_city=shop)
    case = replace(case, orders=(replace(case.order, order_no=order_no),))
    told: list[Message] = [
        wording.alert(case, waiting(whereabouts="in_node"), TICKET, T0),
        wording.relieved(case, TICKET, T0, because=why),
        wording.feed_alert("k100", T0, down=True, since=None, why=why, waiting=1),
    ]
    for message in told:
        assert len(message.title) <= 160
        assert len(message.facts) <= MOST_FACTS
        assert all(len(value) <= VALUE_LIMIT + 20 for _, value in message.facts)
        assert not any(PHONE in value for _, value in message.facts)
        assert TICKET in title_line(message, lambda line: line) or message.kind is MessageKind.FEED


def test_a_long_shop_name_does_not_push_the_order_out_of_its_line() -> None:
    case = a_case(shop="极其冗长的旗舰店名称" * 30)
    [whose] = [value for label, value in wording.alert(case, waiting(), TICKET, T0).facts if label == "订单"]
    assert "O-1" in whose[:VALUE_LIMIT]
    assert "深圳" in whose[:VALUE_LIMIT]


def test_times_are_told_in_the_merchants_zone() -> None:
    assert wording.moment(T0) == "11-10 10:00"
    assert wording.moment(None) == "—"


# ── money and blame ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(500, 5000, "¥5–50"), (500, 500, "¥5"), (450, 3000, "¥4.50–30"), (0, 300, "¥0–3"), (0, 0, "¥0")],
)
def test_money_is_said_in_few_characters(low: int, high: int, said: str) -> None:
    assert wording.yuan(Risk(low, high)) == said


@pytest.mark.parametrize(
    ("blame", "said"),
    [
        (Blame(Party.CARRIER, "揽收后在快递手里 41 小时"), "耽误在承运商：揽收后在快递手里 41 小时"),
        (Blame(Party.WAREHOUSE, "付款后 40 小时才发货"), "耽误在仓库：付款后 40 小时才发货"),
        (Blame(Party.UNKNOWN, "发货后 3 小时仍没有揽收"), ""),
    ],
)
def test_blame_is_said_where_it_is_known(blame: Blame, said: str) -> None:
    assert wording.blamed(blame) == said


def test_a_digest_has_the_dearest_first_and_says_why() -> None:
    def waiting(
        n: int, title: str, urgency: Urgency, kind: MessageKind = MessageKind.ALERT, **data: str
    ) -> Waiting:
        message = Message(kind, title, urgency=urgency, data=data)
        return Waiting(n, str(n), "ops", message, MessageState.WAITING, 0, 0, T0, T0)

    rows = [
        waiting(1, "便宜的", Urgency.CRITICAL, fen_low="500", fen_high="500", severity="90"),
        waiting(2, "不知道的", Urgency.CRITICAL, severity="95"),
        waiting(3, "贵的", Urgency.HIGH, fen_low="500", fen_high="5000", severity="60"),
        waiting(4, "数据源中断", Urgency.HIGH, MessageKind.FEED),
        waiting(5, "不知道、较轻的", Urgency.CRITICAL, severity="70"),
    ]
    digest = digest_of(rows, T0)
    assert digest.rows == (
        *("数据源中断", "贵的 · ¥5–50", "便宜的 · ¥5"),
        *("不知道的", "不知道、较轻的"),
    )
    assert digest.urgency is Urgency.CRITICAL, "the most urgent of all, wherever it stands"


def test_an_alert_says_the_money_and_the_blame_in_its_second_line() -> None:
    told = replace(waiting(), risk=Risk(500, 5000), blame=Blame(Party.CARRIER, "揽收后 41 小时没有新的扫描"))
    message = wording.alert(a_case(), told, TICKET, T0)
    assert message.facts[1] == ("可能赔付", "¥5–50；耽误在承运商：揽收后 41 小时没有新的扫描")
    assert len(message.facts) <= MOST_FACTS
    assert (message.data["fen_low"], message.data["fen_high"]) == ("500", "5000")
    whole = wording.alert(a_case(), told, TICKET, T0, risk=Risk(500, 6000))
    assert whole.facts[1][1].startswith("¥5–60；"), "what all its findings cost together"
    alone = wording.alert(a_case(), replace(told, risk=None), TICKET, T0)
    assert alone.facts[1] == ("责任", "耽误在承运商：揽收后 41 小时没有新的扫描")
    silent = wording.alert(a_case(), waiting(), TICKET, T0)
    assert [label for label, _ in silent.facts if label in ("可能赔付", "责任")] == []
