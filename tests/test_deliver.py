"""Telling the groups (law L9; promises 3 and 4; feature F4; `facts/notifiers.md` §3, §5; `notifiers-alerting.md` §4)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.messages import MessageKind, Urgency
from domain.remote import Secret
from monitor.config.accounts import Channel
from monitor.store import outbox, robots
from monitor.store.database import Database, StoreUnavailable
from monitor.telling.digest import digest_of, on_behalf
from monitor.telling.routing import Route
from notifiers.base import Notifier, Pace
from notifiers.dingtalk import DingTalk
from notifiers.wecom import WeCom
from tests.conftest import opened
from tests.simulated import DAY, MINUTE, T0, Hands, Robot, World, alarm, at

SECOND = timedelta(seconds=1)
SLOW = Pace(sends=18, window=MINUTE, reserved=2, gap=3 * SECOND, repeats_after_unknown=1)
CRITICAL, HIGH, NORMAL = Urgency


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops"), Robot("qq")], [Route(("ops", "qq"), {})])


@pytest.fixture
def sqlite(sqlite_url: str, tmp_path: Any) -> Any:
    with opened(sqlite_url, tmp_path) as store:
        yield store


def deliver_for(world: World, seconds: float, every: float = 0.5) -> None:
    """The verb rings as the daemon rings it."""
    world.run(lambda: world.repeat(world.deliverer.tick, seconds=seconds, every=every))


def listed(world: World, **how: Any) -> list[dict[str, Any]]:
    """What `parcelwatch outbox` shows."""
    return world.store.read_now(lambda conn: outbox.listing(conn, **how))


def robot_of(world: World, name: str = "ops") -> robots.RobotState:
    return world.store.read_now(lambda conn: robots.load(conn, f"robot of {name}"))


# ── the four outcomes (§3) ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "state", "next_try", "robot_closed_for"),
    [
        pytest.param("ok", "sent", None, None, id="taken"),
        pytest.param("busy", "waiting", 2 * SECOND, None, id="refused for now: soon again"),
        pytest.param("wait", "waiting", 5 * SECOND, None, id="refused for now: as long as it says"),
        pytest.param("muted", "waiting", 10 * MINUTE, 10 * MINUTE, id="muted: the whole robot is closed"),
        pytest.param("minute", "waiting", MINUTE, MINUTE, id="45009: for a minute"),
        pytest.param(
            "denied", "waiting", 10 * MINUTE, 10 * MINUTE, id="the robot is refused: kept until it is mended"
        ),
        pytest.param("rejected", "dead", None, None, id="refused for good: a dead letter"),
        pytest.param("lost", "waiting", 2 * SECOND, None, id="unknown: said again"),
        pytest.param(
            "a login page", "waiting", 2 * SECOND, None, id="no readable answer is unknown, never taken"
        ),
    ],
)
def test_what_an_answer_means_for_message_and_robot(
    world: World, answer: str, state: str, next_try: timedelta | None, robot_closed_for: timedelta | None
) -> None:
    world.groups["ops"].answers.append(answer)
    world.say()
    world.deliver()
    row = world.store.read_now(lambda conn: outbox.by_key(conn, "m0"))
    assert row is not None
    assert row.state.value == state
    if next_try is not None:
        assert row.next_try_at == T0 + next_try
    closed_until = robot_of(world).closed_until
    assert closed_until == (None if robot_closed_for is None else T0 + robot_closed_for)
    deliver_for(world, 700, every=2)
    assert len(world.groups["ops"].heard) == (0 if state == "dead" else 1)
    assert world.rows("SELECT outcome FROM attempts ORDER BY id")[0] == (
        {"ok": "taken", "rejected": "refused_for_good", "denied": "refused_for_good"}.get(
            answer, "unknown" if answer in ("lost", "a login page") else "refused_for_now"
        ),
    )


def test_what_was_said_is_shown_with_the_platforms_answer(world: World) -> None:
    world.groups["ops"].answers.append("rejected")
    world.say(2)
    deliver_for(world, 2)
    assert [(each["state"], each["attempts"], each["last_answer"]) for each in listed(world)] == [
        ("dead", 1, "含有不合适的文字")
    ]
    assert Counter(each["state"] for each in listed(world, all_=True)) == {"dead": 1, "sent": 1}


def test_critical_messages_leave_first(world: World) -> None:
    world.say(urgency=NORMAL, key="normal")
    world.say(urgency=HIGH, key="high")
    world.say(urgency=CRITICAL, key="critical")
    world.deliver()
    assert world.groups["ops"].titles == ["critical0", "high0", "normal0"]


def test_what_was_dropped_or_said_is_not_said_again(world: World) -> None:
    world.say(3)
    [_, second, _] = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", T0, 9))
    world.store.write_now(lambda conn: outbox.drop(conn, [second.id], "已恢复"))
    deliver_for(world, 100)
    assert world.groups["ops"].titles == ["m0", "m2"]


def test_after_three_days_a_message_is_a_dead_letter_that_somebody_sees(world: World) -> None:
    """Promise 3."""
    world.groups["ops"].always = "busy"
    world.say()
    deliver_for(world, 71 * 3600, every=600)
    assert [each["state"] for each in listed(world)] == ["waiting"]
    deliver_for(world, 2 * 3600, every=600)
    [row] = listed(world)
    assert (row["state"], row["last_answer"]) == ("dead", "72 小时内未能送达")
    assert row["attempts"] > 50


def test_a_channel_that_was_taken_out_of_the_configuration_leaves_no_message_waiting_for_ever(
    world: World,
) -> None:
    world.say(channel="gone")
    world.deliver()
    assert [each["state"] for each in listed(world)] == ["waiting"], "it may come back"
    world.clock.start += 3 * DAY + SECOND
    world.deliver()
    assert [each["state"] for each in listed(world)] == ["dead"]


def test_the_store_away_when_the_receipt_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is in the group: it is kept as said as soon as the store is back, and not said again."""
    world.say(2)
    write, calls = world.db.write, Counter[str]()

    async def away(work: Callable[[Any], Any]) -> Any:
        calls["write"] += 1
        if calls["write"] in (2, 3):
            raise StoreUnavailable("weg")
        return await write(work)

    monkeypatch.setattr(world.db, "write", away)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            world.deliver()
    assert world.states() == {"sending": 1, "waiting": 1}
    deliver_for(world, 2)
    assert world.groups["ops"].titles == ["m0", "m1"]
    assert world.states() == {"sent": 2}


# ── the unknown, and crashes (promise 4) ─────────────────────────────────────────────────────────


class Killed(BaseException):
    """The process died."""


def killed(world: World) -> Callable[[str], None]:
    """The message is in the group, and the process dies before it hears so."""

    def die(title: str) -> None:
        world.groups["ops"].on_send = None
        world.groups["ops"].heard.append((world.now, {"title": title}))
        raise Killed

    return die


def crash(world: World) -> None:
    world.groups["ops"].on_send = killed(world)
    with pytest.raises(Killed):
        world.deliver()
    world.restart()
    world.run(world.deliverer.recover)


def test_one_duplicate_per_crash_and_it_is_the_same_message(world: World) -> None:
    world.say(3)
    crash(world)
    deliver_for(world, 60)
    assert world.groups["ops"].titles == ["m0", "m0", "m1", "m2"]


def test_two_crashes_two_duplicates(world: World) -> None:
    world.say(3)
    crash(world)
    crash(world)
    deliver_for(world, 60)
    assert world.groups["ops"].titles == ["m0", "m0", "m0", "m1", "m2"]


def test_a_crash_loses_nothing(world: World) -> None:
    world.say(3)
    world.groups["ops"].on_send = lambda title: (_ for _ in ()).throw(Killed())  # before anything was heard
    with pytest.raises(Killed):
        world.deliver()
    world.groups["ops"].on_send = None
    world.restart()
    assert world.run(world.deliverer.recover) == 1
    deliver_for(world, 60)
    assert sorted(world.groups["ops"].titles) == ["m0", "m1", "m2"]


@pytest.mark.parametrize(
    ("kind", "pace", "times"),
    [
        pytest.param(MessageKind.ALERT, None, 4, id="an alarm: as often as its robot allows"),
        pytest.param(MessageKind.FEED, None, 4, id="an outage too"),
        pytest.param(MessageKind.ALERT, SLOW, 2, id="OneBot: many failures were delivered, so once"),
        pytest.param(MessageKind.RESOLVED, None, 2, id="an ordinary message once"),
        pytest.param(MessageKind.DIGEST, None, 6, id="a digest is the only word on its alarms"),
        pytest.param(MessageKind.DIGEST, SLOW, 2, id="a digest to OneBot"),
    ],
)
def test_how_often_a_message_is_said_whose_receipt_is_lost(
    database: Database, kind: MessageKind, pace: Pace | None, times: int
) -> None:
    world = World(database, [Robot("ops", pace=pace) if pace else Robot("ops")])
    world.groups["ops"].always = "lost, but heard"
    world.say(kind=kind)
    deliver_for(world, 4000, every=5)
    assert world.groups["ops"].titles == ["m0"] * times
    [row] = listed(world)
    assert row["state"] == "dead"
    assert row["last_answer"].endswith("可能已送达，不再重复")


def test_a_lost_receipt_is_followed_by_a_repeat_and_then_it_is_good(world: World) -> None:
    world.groups["ops"].answers.append("lost")
    world.say()
    deliver_for(world, 30)
    assert world.groups["ops"].titles == ["m0"]
    assert world.states() == {"sent": 1}


def test_three_unknown_in_a_row_and_the_robot_is_only_probed(world: World) -> None:
    world.groups["ops"].always = "lost"
    world.say(5)
    deliver_for(world, 600)
    moments = [moment for (moment,) in world.rows("SELECT at FROM attempts ORDER BY id")]
    assert all(b - a >= 60 * 1_000_000 for a, b in pairwise(moments[3:]))


# ── the budget (§5) ──────────────────────────────────────────────────────────────────────────────


def sends(world: World, *names: str) -> list[datetime]:
    """When anything left for these groups, whatever was answered."""
    return sorted(moment for name in names for moment, _ in world.groups[name].heard)


def most_within(moments: list[datetime], window: timedelta) -> int:
    return max((sum(first <= each < first + window for each in moments) for first in moments), default=0)


def test_a_restart_does_not_start_a_fresh_window(world: World) -> None:
    """5 at a time, so that nothing is folded; and a new process every second."""
    for n in range(12):
        world.say(5, urgency=CRITICAL, key=f"{n}-")
        world.deliver()
        world.restart()
        world.run(world.deliverer.recover)
        world.clock.start += SECOND
    assert most_within(sends(world, "ops"), MINUTE) <= 18
    deliver_for(world, 300)
    assert most_within(sends(world, "ops"), MINUTE) <= 18
    assert world.states().keys() <= {"sent", "folded"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bursts=st.lists(
        st.tuples(st.floats(0, 90), st.integers(1, 40), st.sampled_from([*Urgency]), st.booleans()),
        max_size=8,
    ),
    slow=st.booleans(),
)
def test_no_robot_ever_says_more_than_its_platform_takes(
    sqlite: Database, bursts: list[tuple[float, int, Urgency, bool]], slow: bool
) -> None:
    sqlite.write_now(lambda conn: [conn.exec_driver_sql(f"DELETE FROM {table}") for table in ("robots",)])
    pace = SLOW if slow else Pace(sends=18, window=MINUTE, reserved=2)
    world = World(sqlite, [Robot("a", "one", pace), Robot("b", "one", pace)])
    first = world.column("SELECT coalesce(max(id), 0) FROM outbox")[0]
    for wait, n, urgency, restart in bursts:
        deliver_for(world, wait)
        world.say(n, "a" if n % 2 else "b", urgency, key=f"{first}-{world.now.timestamp()}-{n}-{urgency}-")
        if restart:
            world.restart()
    deliver_for(world, 600)
    moments = sends(world, "a", "b")
    assert most_within(moments, MINUTE) <= pace.sends
    assert all(b - a >= pace.gap for a, b in pairwise(moments))
    unsaid = world.column(
        "SELECT state FROM outbox WHERE id > :first AND state NOT IN ('sent', 'folded')", first=first
    )
    assert unsaid == []


def test_two_channels_of_one_robot_take_turns(database: Database) -> None:
    world = World(database, [Robot("a", "one"), Robot("b", "one")], [])
    for n in range(20):
        world.say(5, "a", key=f"a{n}-")
        deliver_for(world, 5)
    world.say(1, "b")
    deliver_for(world, 61)
    assert world.groups["b"].titles == ["m0"], "the busy one does not starve the other"
    assert most_within(sends(world, "a", "b"), MINUTE) <= 18


def test_a_robot_that_hangs_holds_up_no_other(world: World) -> None:
    world.groups["ops"].always = "lost"
    world.say(3, "ops")
    world.say(3, "qq", key="other")
    for name in world.deliverer.robots:
        world.run(lambda name=name: world.deliverer.tick(name))
    assert len(world.groups["qq"].heard) == 3


def test_a_muted_robot_is_silent_for_ten_minutes_and_then_says_what_waited_as_one(world: World) -> None:
    world.groups["ops"].answers.append("muted")
    world.say(1)
    world.deliver()
    tried = len(world.rows("SELECT * FROM attempts"))
    world.say(30, key="later")
    deliver_for(world, 599)
    assert len(world.rows("SELECT * FROM attempts")) == tried, "every further call would be wasted"
    deliver_for(world, 5)
    [title] = world.groups["ops"].titles
    assert title.startswith("[汇总] 物流告警共 31 条")
    assert world.states() == {"folded": 31, "sent": 1}


def test_45009_again_right_after_its_minute_is_the_limit_of_an_hour(world: World) -> None:
    world.groups["ops"].answers.extend(["minute", "minute"])
    world.say()
    deliver_for(world, 3600, every=5)
    assert world.groups["ops"].titles == []
    assert len(world.rows("SELECT * FROM attempts")) == 2
    deliver_for(world, 120)
    assert world.groups["ops"].titles == ["m0"]


# ── refused robots and fallbacks ─────────────────────────────────────────────────────────────────


def test_a_refused_robot_is_told_to_the_others_once_and_keeps_its_messages(world: World) -> None:
    world.groups["ops"].always = "denied"
    world.say(3)
    deliver_for(world, 3600, every=5)
    assert [title[:20] for title in world.groups["qq"].titles] == ["[数据源] 通知渠道 ops 拒绝了消息"[:20]]
    assert len(world.rows("SELECT * FROM attempts WHERE outbox_id <= 3")) <= 7, "one knock in ten minutes"
    world.groups["ops"].always = "ok"
    deliver_for(world, 3600, every=5)
    assert sorted(world.groups["ops"].titles) == ["m0", "m1", "m2"], "mended: sent after all"
    world.groups["ops"].always = "denied"
    world.say(1, key="again")
    deliver_for(world, 60)
    assert len(world.groups["qq"].titles) == 2, "a second time is told too"


def test_a_refusal_after_a_mute_is_told_too(world: World) -> None:
    world.groups["ops"].answers.extend(["muted", "denied"])
    world.say()
    deliver_for(world, 700, every=2)
    assert len(world.groups["qq"].titles) == 1


def test_a_refused_robot_does_not_cry_through_itself(database: Database) -> None:
    world = World(database, [Robot("a", "one"), Robot("b", "one")], [Route(("a", "b"), {})])
    world.groups["a"].always = world.groups["b"].always = "denied"
    world.say(1, "a")
    deliver_for(world, 60)
    assert world.column("SELECT kind FROM outbox") == ["alert"]


def with_fallback(database: Database) -> World:
    return World(database, [Channel("ops", "test", Robot("ops"), "qq"), Robot("qq")], [Route(("ops",), {})])


@pytest.mark.parametrize("answer", ["muted", "denied", "minute"])
def test_while_a_robot_is_closed_its_critical_messages_go_to_the_fallback_once_and_marked(
    database: Database, answer: str
) -> None:
    world = with_fallback(database)
    world.groups["ops"].answers.append(answer)
    world.put(alarm("[紧急] 中通 1", urgency=CRITICAL))
    world.deliver()
    world.put(alarm("[紧急] 中通 2", urgency=CRITICAL), alarm("[预警] 中通 3", urgency=HIGH))
    deliver_for(world, 30)
    assert world.groups["qq"].titles == ["[紧急] 代 ops：中通 1", "[紧急] 代 ops：中通 2"]
    assert world.groups["ops"].titles == []
    deliver_for(world, 700, every=2)
    assert sorted(world.groups["ops"].titles) == ["[紧急] 中通 1", "[紧急] 中通 2", "[预警] 中通 3"]
    assert len(world.groups["qq"].titles) == 2, "once"


def test_what_a_robot_will_never_take_goes_to_the_fallback(database: Database) -> None:
    world = with_fallback(database)
    world.groups["ops"].answers.extend(["rejected", "rejected"])
    world.put(alarm("[紧急] 中通 1", urgency=CRITICAL), alarm("[预警] 中通 2", urgency=HIGH))
    deliver_for(world, 30)
    assert world.groups["qq"].titles == ["[紧急] 代 ops：中通 1"]
    assert world.states() == {"dead": 2, "sent": 1}


def test_an_open_robot_needs_no_fallback(database: Database) -> None:
    world = with_fallback(database)
    world.put(alarm("[紧急] 中通 1", urgency=CRITICAL))
    deliver_for(world, 30)
    assert world.groups["qq"].titles == []


def test_a_fallback_that_is_closed_has_one_of_its_own(database: Database) -> None:
    chain = [
        Channel("ops", "test", Robot("ops"), "qq"),
        Channel("qq", "test", Robot("qq"), "mail"),
        Robot("mail"),
    ]
    world = World(database, chain, [Route(("ops",), {})])
    world.groups["ops"].always = world.groups["qq"].always = "muted"
    world.put(alarm("[紧急] 中通 1", urgency=CRITICAL))
    deliver_for(world, 30)
    assert world.groups["mail"].titles == ["[紧急] 代 qq：代 ops：中通 1"]


def test_a_title_without_a_tag_is_marked_too() -> None:
    assert on_behalf(alarm("中通").message, "ops").title == "代 ops：中通"


# ── bursts (L9; `notifiers-alerting.md` §4) ──────────────────────────────────────────────────────


@dataclass
class Platform:
    """A vendor's real manners: twenty in any minute, and whoever says more is muted."""

    clock: Hands
    muted_for: timedelta
    too_fast: int
    heard: list[tuple[datetime, str]] = field(default_factory=list)
    refusals: int = 0
    muted_until: datetime = T0
    tries: list[datetime] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        now = self.clock.now()
        self.tries = [each for each in self.tries if now - each < MINUTE] + [now]
        if now < self.muted_until or len(self.tries) > 20:
            self.muted_until = max(self.muted_until, now + self.muted_for)
            self.refusals += 1
            return httpx.Response(200, json={"errcode": self.too_fast, "errmsg": "send too fast"})
        body = json.loads(request.content)
        assert len(request.content) <= 20_000
        kind = body["msgtype"]
        self.heard.append((now, body[kind].get("text") or body[kind]["content"]))
        return httpx.Response(200, json={"errcode": 0, "errmsg": "ok"})


VENDORS: dict[str, tuple[Notifier, timedelta, int]] = {
    "dingtalk": (DingTalk(Secret("https://oapi.dingtalk.com/robot/send?access_token=t1"), Secret("SECx")), 10 * MINUTE, 130101),
    "wecom": (WeCom(Secret("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k1")), MINUTE, 45009),
}  # fmt: skip


def counted(world: World) -> int:
    """How many alarms the digests in the group speak for, and those said by themselves."""
    [folded] = world.column(
        "SELECT count(*) FROM outbox f JOIN outbox d ON d.id = f.folded_into WHERE f.state = 'folded' AND d.state = 'sent'"
    )
    [alone] = world.column("SELECT count(*) FROM outbox WHERE state = 'sent' AND kind = 'alert'")
    return int(folded + alone)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("n", "messages", "minutes"),
    [
        pytest.param(1000, 10, 2, id="1,000 in a minute (notifiers-alerting §4)"),
        pytest.param(10_000, 10, 2, id="10,000 at once (design §8)"),
    ],
)
def test_a_burst_is_told_whole_in_few_messages_and_without_a_refusal(
    sqlite: Database, record_property: Any, vendor: str, n: int, messages: int, minutes: float
) -> None:
    notifier, muted_for, too_fast = VENDORS[vendor]
    world = World(sqlite, [Channel("ops", vendor, notifier)])
    platform = Platform(world.clock, muted_for, too_fast)
    world.answer = platform.answer  # type: ignore[method-assign]
    world.restart()

    async def storm() -> None:
        spread = 60 if n == 1000 else 1
        for second in range(spread):
            part = n // spread + (1 if second < n % spread else 0)
            for urgency, share in (
                (CRITICAL, part // 4),
                (HIGH, part // 4),
                (NORMAL, part - 2 * (part // 4)),
            ):
                world.say(share, urgency=urgency, key=f"[紧急] 中通 {second}-{urgency}-")
            for _ in range(2):
                await world.deliverer.tick()
                await asyncio.sleep(0.5)
        while world.states()["waiting"]:
            await world.deliverer.tick()
            await asyncio.sleep(0.5)

    world.run(storm)
    took = (platform.heard[-1][0] - T0) / MINUTE
    record_property("burst", f"{vendor} {n}: {len(platform.heard)} messages, {took:.1f} minutes")
    assert platform.refusals == 0
    assert counted(world) == n, "everything is named or counted"
    assert sum(_total(text) for _, text in platform.heard if "[汇总]" in text) + _alone(platform) == n
    assert len(platform.heard) <= messages
    assert took <= minutes


def _total(text: str) -> int:
    """What a digest's first line says of how many it speaks for."""
    return int(text.split("共 ")[1].split(" 条")[0])


def _alone(platform: Platform) -> int:
    return sum("[汇总]" not in text for _, text in platform.heard)


def test_a_few_messages_are_said_one_by_one(world: World) -> None:
    world.say(5)
    world.deliver()
    assert world.groups["ops"].titles == [f"m{n}" for n in range(5)]


def test_a_digest_names_the_worst_first_and_counts_the_rest(world: World) -> None:
    world.say(60, urgency=NORMAL, key="normal")
    world.say(2, urgency=CRITICAL, key="critical")
    world.put(alarm("over", kind=MessageKind.RESOLVED, urgency=NORMAL))
    world.deliver()
    [(_, told)] = world.groups["ops"].heard
    assert told["title"] == "[汇总] 物流告警共 63 条：告警 62 条，恢复 1 条"
    assert told["rows"][:3] == ["critical0", "critical1", "normal0"]
    assert len(told["rows"]) + told["more"] == 63


def test_a_digest_that_failed_is_said_later_with_all_that_it_held(world: World) -> None:
    """It is not folded into the next one: its names would be lost."""
    world.groups["ops"].answers.append("muted")
    world.say(20, key="first")
    world.deliver()
    world.say(20, key="second")
    deliver_for(world, 700, every=2)
    assert [title.split(" 条")[0] for title in world.groups["ops"].titles] == ["[汇总] 物流告警共 20"] * 2
    names = {name for _, told in world.groups["ops"].heard for name in told["rows"]}
    assert names == {f"{key}{n}" for key in ("first", "second") for n in range(20)}
    assert counted(world) == 40


def test_a_digest_spoilt_by_one_line_is_said_in_our_own_words(world: World) -> None:
    """Promise 7: five hundred alarms do not die with one bad shop name."""
    world.groups["ops"].answers.append("rejected")
    world.say(20)
    deliver_for(world, 30)
    [(_, told)] = world.groups["ops"].heard
    assert told["title"].startswith("[汇总] 物流告警共 20 条")
    assert (told["rows"], told["more"]) == ([], 20)
    assert world.states() == {"folded": 21, "sent": 1}


def test_a_digest_that_is_refused_even_bare_is_a_dead_letter(world: World) -> None:
    world.groups["ops"].always = "rejected"
    world.say(20)
    deliver_for(world, 60)
    assert world.states() == {"folded": 21, "dead": 1}


def test_a_digest_whose_fate_is_unknown_is_tried_for_half_an_hour(world: World) -> None:
    """A proxy answers 502 for ten minutes: what waits in the digest is told afterwards."""
    world.say(30, key="[紧急] 中通 ")
    world.groups["ops"].always = "lost"
    deliver_for(world, 600)
    world.groups["ops"].always = "ok"
    deliver_for(world, 1800, every=5)
    assert counted(world) == 30
    assert world.states()["dead"] == 0


def test_a_digest_rings_few_and_leads_to_the_list() -> None:
    rows = [alarm(f"m{n}").message for n in range(9)]
    waiting = [
        outbox.Waiting(n, f"k{n}", "ops", message, outbox.MessageState.WAITING, 0, 0, T0, T0)
        for n, message in enumerate(rows)
    ]
    for each in waiting:
        object.__setattr__(each.message, "mentions", (f"1380000000{each.id}",))
    digest = digest_of(waiting, at(1))
    assert len(digest.mentions) == 5
    assert (digest.kind, digest.reference, digest.at) == (MessageKind.DIGEST, "D-0", at(1))
