"""The fake chat groups over a real loopback port: proof, rates, answers, and what goes wrong on purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from yarl import URL

from monitor.demo.faults import Fault, Switchboard
from monitor.demo.gates import sign
from monitor.demo.groups import GroupLimits, Inbox, Received, Robot, make_groups_app

DING, WECOM, QQ = "/robot/send", "/cgi-bin/webhook/send", "/send_group_msg"
ROBOTS = (
    Robot("dingtalk", "ops", "T0KEN", "SEC000"),
    Robot("dingtalk", "plain", "PLAIN", keywords=("物流",), distrusts=("bad.example",)),
    Robot("wecom", "desk", "KEY"),
    Robot("onebot", "qq", "BEARER", groups=frozenset({"100001"})),
)
DING_TEXT = {"msgtype": "text", "text": {"content": "物流告警 T-1"}}
WECOM_TEXT = {"msgtype": "text", "text": {"content": "物流告警 T-1"}}
QQ_TEXT = {"group_id": 100001, "message": [{"type": "text", "data": {"text": "物流告警 T-1"}}]}
BEARER = {"Authorization": "Bearer BEARER"}


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
def app(clock, board, inbox):
    return make_groups_app(ROBOTS, clock=clock, board=board, inbox=inbox)


def signed(clock, secret: str = "SEC000", ago: timedelta = timedelta(0)) -> dict[str, str]:
    stamp = str(int((clock.now - ago).timestamp() * 1000))
    return {"access_token": "T0KEN", "timestamp": stamp, "sign": sign(stamp, secret)}


def post(
    path: str,
    message: object,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
):
    """A scenario: one post; its HTTP status and its JSON."""

    async def scenario(session: aiohttp.ClientSession, base: str) -> tuple[int, Any]:
        async with session.post(base + path, params=query, json=message, headers=headers) as reply:
            return reply.status, await reply.json(content_type=None)

    return scenario


def test_the_documented_signature() -> None:
    """`facts/notifiers-dingtalk.md` §1.1 and `facts/notifiers.md` §4."""
    assert sign("1577262236757", "this is secret") == "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="
    assert sign("1700000000000", "SEC000000000000000000000") == "1zJ/w34EOSVAYr7cu7Vo8LnebmK2/GrCgegtr8mQrqM="


@pytest.mark.parametrize(
    ("path", "message", "query", "headers", "answer"),
    [
        (DING, {**DING_TEXT, "at": {}}, {"access_token": "PLAIN"}, None, {"errcode": 0, "errmsg": "ok"}),
        (WECOM, WECOM_TEXT, {"key": "KEY"}, None, {"errcode": 0, "errmsg": "ok"}),
        (QQ, QQ_TEXT, None, BEARER, {"status": "ok", "retcode": 0, "data": {"message_id": 1}}),
    ],
)
def test_a_good_message_is_taken_and_kept(
    app, talk, inbox, clock, path, message, query, headers, answer
) -> None:
    assert talk(app, post(path, message, query, headers)) == (200, answer)
    (kept,) = inbox.received
    assert (kept.taken, kept.at, kept.reading.title) == (True, clock.now, "物流告警 T-1")
    assert kept.size == len(json.dumps(message).encode())


def test_listeners_hear_each_message(app, talk, inbox) -> None:
    heard: list[Received] = []
    inbox.listeners.append(heard.append)
    talk(app, post(WECOM, WECOM_TEXT, {"key": "KEY"}))
    assert [item.robot for item in heard] == ["desk"]


def test_a_signed_robot_takes_a_fresh_signature(app, talk, clock) -> None:
    assert talk(app, post(DING, DING_TEXT, signed(clock)))[1]["errcode"] == 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param({"sign": "AAAA"}, "sign not match", id="wrong"),
        pytest.param({"timestamp": "1577262236757"}, "invalid timestamp", id="old"),
        pytest.param({"timestamp": "1795320000"}, "invalid timestamp", id="seconds instead of milliseconds"),
        pytest.param({"sign": "", "timestamp": ""}, "invalid timestamp", id="none"),
    ],
)
def test_a_bad_signature_is_refused_with_http_200(app, talk, clock, inbox, spoil, words) -> None:
    status, answer = talk(app, post(DING, DING_TEXT, {**signed(clock), **spoil}))
    assert (status, answer["errcode"], answer["errmsg"]) == (200, 310000, words)
    assert inbox.shown() == []


@pytest.mark.parametrize(("minutes", "code"), [(59, 0), (61, 310000), (-59, 0), (-61, 310000)])
def test_a_signature_holds_an_hour_either_way(app, talk, clock, minutes: int, code: int) -> None:
    answer = talk(app, post(DING, DING_TEXT, signed(clock, ago=timedelta(minutes=minutes))))[1]
    assert answer["errcode"] == code


def test_a_plus_that_was_not_encoded_does_not_match(app, talk, clock) -> None:
    """§1.1, known ways: the server reads a blank."""
    query = signed(clock)
    while "+" not in query["sign"]:
        clock.pass_by(seconds=1)
        query = signed(clock)

    async def scenario(session: aiohttp.ClientSession, base: str) -> Any:
        raw = "&".join(f"{name}={value}" for name, value in query.items())
        async with session.post(URL(f"{base}{DING}?{raw}", encoded=True), json=DING_TEXT) as reply:
            return await reply.json()

    assert talk(app, scenario)["errmsg"] == "sign not match"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        (DING, {}, 40035),
        (DING, {"access_token": "NOBODY"}, 300005),
        (WECOM, {"key": "NOBODY"}, 93000),
        (WECOM, {}, 93000),
    ],
)
def test_unknown_tokens_are_refused_with_http_200(app, talk, path, query, code) -> None:
    status, answer = talk(app, post(path, DING_TEXT, query))
    assert (status, answer["errcode"]) == (200, code)


def test_a_wecom_refusal_names_a_hint_and_a_page(app, talk) -> None:
    answer = talk(
        app, post(WECOM, {"msgtype": "markdown", "markdown": {"content": "物" * 1366}}, {"key": "KEY"})
    )[1]
    assert answer["errcode"] == 40058
    assert answer["errmsg"].startswith("markdown.content exceed max length 4096")
    assert answer["errmsg"].endswith("query?e=40058")


def test_dingtalk_wants_a_post_of_json(app, talk) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> list[int]:
        query = {"access_token": "PLAIN"}
        async with (
            session.get(base + DING, params=query) as got,
            session.post(base + DING, params=query, data={"msgtype": "text"}) as formed,
        ):
            return [(await got.json())["errcode"], (await formed.json())["errcode"]]

    assert talk(app, scenario) == [43002, 43004]


@pytest.mark.parametrize(
    ("text", "code"), [("你好", 310000), ("物流 https://bad.example/t", 430101), ("物流", 0)]
)
def test_keywords_and_links(app, talk, text: str, code: int) -> None:
    message = {"msgtype": "text", "text": {"content": text}}
    assert talk(app, post(DING, message, {"access_token": "PLAIN"}))[1]["errcode"] == code


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "Bearer X"}, 403)])
def test_onebots_token(app, talk, inbox, headers, status) -> None:
    """`facts/notifiers-qq.md` §2.1: 401 no token, 403 wrong token."""
    assert talk(app, post(QQ, QQ_TEXT, headers=headers))[0] == status
    assert inbox.shown() == []


def test_onebot_failures_are_http_200(app, talk) -> None:
    status, answer = talk(app, post(QQ, {**QQ_TEXT, "group_id": 9}, headers=BEARER))
    assert (status, answer["status"]) == (200, "failed")
    assert answer["retcode"] not in (0, 1)


def test_onebot_wants_json(app, talk) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> list[int]:
        async with (
            session.post(base + QQ, data={"group_id": "100001"}, headers=BEARER) as formed,
            session.post(
                base + QQ, data=b"{", headers={**BEARER, "Content-Type": "application/json"}
            ) as broken,
        ):
            return [formed.status, broken.status]

    assert talk(app, scenario) == [406, 400]


def test_onebot_tells_its_health(app, talk, board) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> list[Any]:
        told = []
        for fault in (Fault.OK, Fault.MUTED):
            board.turn(fault)
            async with session.get(f"{base}/get_status", headers=BEARER) as reply:
                told.append((await reply.json())["data"]["online"])
        async with session.get(f"{base}/get_status") as stranger:
            return [*told, stranger.status]

    assert talk(app, scenario) == [True, False, 403]


# rates


def burst(
    path: str, message: object, query: Mapping[str, str], count: int, clock, pauses: Mapping[int, float]
):
    """A scenario: `count` posts, with seconds passing before some of them; their codes."""

    async def scenario(session: aiohttp.ClientSession, base: str) -> list[int]:
        codes = []
        for n in range(count):
            clock.pass_by(seconds=pauses.get(n, 0))
            async with session.post(base + path, params=query, json=message) as reply:
                codes.append((await reply.json())["errcode"])
        return codes

    return scenario


def test_the_21st_message_in_a_minute_mutes_a_dingtalk_robot_for_ten_minutes(app, talk, clock, inbox) -> None:
    query = {"access_token": "PLAIN"}
    codes = talk(app, burst(DING, DING_TEXT, query, 23, clock, {21: 599, 22: 1}))
    assert codes == [0] * 20 + [130101, 130101, 0]
    assert len(inbox.shown("dingtalk")) == 21


def test_a_throttled_answer_looks_as_published(app, talk, clock) -> None:
    """§1.6: `status` 1111 and `punish` deny beside the code."""

    async def scenario(session: aiohttp.ClientSession, base: str) -> Any:
        for _ in range(21):
            async with session.post(base + DING, params={"access_token": "PLAIN"}, json=DING_TEXT) as reply:
                answer = await reply.json()
        return answer

    answer = talk(app, scenario)
    assert (answer["errcode"], answer["status"], answer["punish"]) == (130101, 1111, "deny")


def test_twenty_a_minute_for_ever_is_allowed(app, talk, clock) -> None:
    every_three_seconds = dict.fromkeys(range(70), 3.0)
    codes = talk(app, burst(DING, DING_TEXT, {"access_token": "PLAIN"}, 70, clock, every_three_seconds))
    assert set(codes) == {0}


def test_the_21st_message_in_a_minute_blocks_a_wecom_robot_for_a_minute(app, talk, clock) -> None:
    codes = talk(app, burst(WECOM, WECOM_TEXT, {"key": "KEY"}, 23, clock, {21: 59, 22: 1}))
    assert codes == [0] * 20 + [45009, 45009, 0]


def test_one_robots_burst_leaves_the_others_alone(app, talk, clock) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> Any:
        await burst(DING, DING_TEXT, {"access_token": "PLAIN"}, 21, clock, {})(session, base)
        return await post(DING, DING_TEXT, signed(clock))(session, base)

    assert talk(app, scenario)[1]["errcode"] == 0


def test_windows_can_be_shortened(talk, clock) -> None:
    limits = GroupLimits(sends=2, window=timedelta(seconds=1), dingtalk_mute=timedelta(seconds=2))
    app = make_groups_app(ROBOTS, clock=clock, limits=limits)
    codes = talk(app, burst(DING, DING_TEXT, {"access_token": "PLAIN"}, 4, clock, {3: 2.0}))
    assert codes == [0, 0, 130101, 0]


# faults


def test_a_message_may_be_taken_and_its_receipt_lost(app, talk, board, inbox) -> None:
    board.turn(Fault.TAKE_AND_DROP)

    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        with pytest.raises(aiohttp.ClientError):
            await post(WECOM, WECOM_TEXT, {"key": "KEY"})(session, base)

    talk(app, scenario)
    assert [item.reading.title for item in inbox.shown()] == ["物流告警 T-1"]


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.BAD_GATEWAY, Fault.HTML])
def test_some_faults_take_nothing(app, talk, board, inbox, fault: Fault) -> None:
    board.turn(fault)

    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        with pytest.raises((aiohttp.ClientError, ValueError)):
            await post(WECOM, WECOM_TEXT, {"key": "KEY"})(session, base)

    talk(app, scenario)
    assert [(item.taken, item.fault) for item in inbox.received] == [(False, fault)]


def test_a_platform_may_be_muted_and_a_robot_answer_any_code(app, talk, board, clock) -> None:
    board.turn(Fault.OK, {"wecom": Fault.MUTED, "plain": Fault.ERRCODE})
    board.code = 430102

    async def scenario(session: aiohttp.ClientSession, base: str) -> list[int]:
        send = [(WECOM, {"key": "KEY"}), (DING, {"access_token": "PLAIN"}), (DING, signed(clock))]
        return [(await post(path, DING_TEXT, query)(session, base))[1]["errcode"] for path, query in send]

    assert talk(app, scenario) == [45009, 430102, 0]


def test_a_slow_platform_takes_it_all_the_same(app, talk, board, inbox) -> None:
    board.turn(Fault.SLOW)
    board.delay = 0.01
    assert talk(app, post(WECOM, WECOM_TEXT, {"key": "KEY"}))[1]["errcode"] == 0
    assert len(inbox.shown()) == 1


def test_no_secret_is_in_what_is_kept(app, talk, inbox, clock) -> None:
    talk(app, post(DING, DING_TEXT, signed(clock)))
    told = json.dumps([item.plain() for item in inbox.received]) + repr(inbox.received) + repr(ROBOTS)
    assert not any(secret in told for secret in ("T0KEN", "SEC000", "BEARER"))
