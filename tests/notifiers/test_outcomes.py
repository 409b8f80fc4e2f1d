"""What each platform's answer means: the tables of `facts/notifiers.md` §3 and of the platform sheets, row by row."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from domain.messages import Receipt
from domain.remote import (
    Denied,
    Outcome,
    Rejected,
    RemoteError,
    Reply,
    Throttled,
    Unanswered,
    Unavailable,
    Unreadable,
)
from tests.notifiers.specimens import MOBILE, dingtalk, ended, onebot, wecom


def says(robot: Any, answer: object, status: int = 200) -> Receipt | RemoteError:
    return ended(robot, Reply(status, json.dumps(answer, ensure_ascii=False).encode()))


@pytest.mark.parametrize(
    ("code", "errmsg", "error"),
    [
        (-1, "系统繁忙", Unavailable),
        (130101, "send too fast, exceed 20 times per minute", Throttled),
        (410100, "发送速度太快而限流", Throttled),
        (310000, "keywords not in content", Denied),
        (310000, "sign not match", Denied),
        (310000, "invalid timestamp", Denied),
        (310000, "ip 203.0.113.7 not in whitelist", Denied),
        (
            310000,
            "description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳;link:请参考本接口",
            Denied,
        ),
        (40035, "缺少参数 access_token", Denied),
        (43002, "需要POST请求", Denied),
        (43004, "无效的HTTP HEADER Content-Type", Denied),
        (300005, "token is not exist", Denied),
        (300001, "token is not exist", Denied),
        (400101, "access_token不存在", Denied),
        (88, "缺少参数 access_token", Denied),
        (400013, "群已被解散", Denied),
        (400102, "机器人已停用", Denied),
        (400106, "机器人不存在", Denied),
        (400105, "不支持的消息类型", Denied),
        (90030, "quota", Denied),
        (430101, "含有不安全的外链", Rejected),
        (430102, "含有不合适的文本", Rejected),
        (430103, "含有不合适的图片", Rejected),
        (430104, "含有不合适的内容", Rejected),
        (460101, "message too long, exceed 20000 bytes", Rejected),
        (101002, "message too long", Rejected),
        (999999, "a code of tomorrow", Rejected),
    ],
)
def test_dingtalk_codes(code: int, errmsg: str, error: type[RemoteError]) -> None:
    end = says(dingtalk(), {"errcode": code, "errmsg": errmsg})
    assert type(end) is error or (error is Rejected and isinstance(end, Rejected))
    assert str(code) in str(end) or isinstance(end, Throttled)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"errcode": 130101, "errmsg": "x"}, id="130101"),
        pytest.param({"errcode": 410100, "errmsg": "x"}, id="410100"),
        pytest.param(
            {"errcode": 130101, "status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "0"},
            id="the published answer",
        ),
        pytest.param(
            {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "0"}, id="without errcode"
        ),
        pytest.param({"status": 1111}, id="status 1111 alone"),
        pytest.param({"punish": "deny"}, id="punish alone"),
        pytest.param(
            {"errcode": 4, "errmsg": "Send Too Fast, exceed 20 times per minute"}, id="the words, English"
        ),
        pytest.param({"errcode": 4, "errmsg": "发送过快，已被限流"}, id="the words, Chinese"),
        pytest.param({"errcode": 0, "errmsg": "ok", "status": 1111}, id="0 with the mark of a mute"),
    ],
)
def test_dingtalk_mutes_close_the_robot_for_ten_minutes(answer: object) -> None:
    end = says(dingtalk(), answer)
    assert isinstance(end, Throttled)
    assert (end.wait, end.closes) == (timedelta(seconds=600), True)


def test_dingtalk_without_errcode_is_unknown() -> None:
    assert isinstance(says(dingtalk(), {"errmsg": "ok"}), Unreadable)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (-1, Unavailable),
        (93000, Denied),
        (40058, Rejected),
        (40008, Rejected),
        (44004, Rejected),
        (44001, Rejected),
        (47001, Rejected),
        (40007, Rejected),
        (40009, Rejected),
        (45001, Rejected),
        (45002, Rejected),
        (301019, Rejected),
        (45008, Rejected),
        (41010, Rejected),
        (41016, Rejected),
        (999999, Rejected),
    ],
)
def test_wecom_codes(code: int, error: type[RemoteError]) -> None:
    end = says(wecom(), {"errcode": code, "errmsg": "words"})
    assert type(end) is error
    assert str(code) in str(end)


@pytest.mark.parametrize(("code", "seconds", "closes"), [(45009, 60, True), (45033, 5, False)])
def test_wecom_waits(code: int, seconds: int, closes: bool) -> None:
    end = says(wecom(), {"errcode": code, "errmsg": "api freq out of limit"})
    assert isinstance(end, Throttled)
    assert (end.wait.total_seconds(), end.closes) == (seconds, closes)


def test_wecom_never_repeats_our_public_address() -> None:
    errmsg = (
        "markdown.content exceed max length 4096. invalid Request Parameter, hint: [1700000000], from ip: 203.0.113.7, "
        "more info at https://open.work.weixin.qq.com/devtool/query?e=40058"
    )
    shown = str(says(wecom(), {"errcode": 40058, "errmsg": errmsg}))
    assert "203.0.113.7" not in shown
    assert "devtool" not in shown
    assert "exceed max length 4096" in shown
    assert "203.0.113.7" not in str(says(wecom(), {"errcode": 0, "errmsg": f"ok {errmsg}"}))


@pytest.mark.parametrize("status", [401, 403, 404, 406])
def test_onebot_statuses_that_only_the_owner_can_mend(status: int) -> None:
    assert isinstance(says(onebot(), {"message": "token verify failed!"}, status), Denied)


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        ({"status": "ok", "retcode": 0, "data": {"message_id": -1234567}}, Receipt("ok 0", "-1234567")),
        ({"status": "async", "retcode": 1, "data": None}, Receipt("async 1", "")),
        (
            {
                "status": "ok",
                "retcode": 0,
                "data": {"message_id": 5},
                "message": "",
                "wording": "",
                "echo": None,
                "stream": "normal-action",
            },
            Receipt("ok 0", "5"),
        ),
    ],
)
def test_onebot_taken(answer: object, receipt: Receipt) -> None:
    assert says(onebot(), answer) == receipt


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            {
                "status": "failed",
                "retcode": 200,
                "data": None,
                "message": "Timeout: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg",
            },
            "Timeout: NTEvent",
        ),
        (
            {
                "status": "failed",
                "retcode": 200,
                "message": "",
                "wording": 'EventChecker Failed "result": 120',
            },
            "120",
        ),
        (
            {"status": "failed", "retcode": 100, "msg": "SEND_MSG_API_ERROR", "wording": "账号可能被风控"},
            "账号可能被风控",
        ),
        ({"status": "failed", "retcode": 100, "msg": "SEND_MSG_API_ERROR"}, "SEND_MSG_API_ERROR"),
        ({"status": "failed", "retcode": 200, "message": "不支持的Api send_group_msg"}, "不支持的Api"),
        ({"status": "failed", "retcode": 1400}, "1400"),
        ({"status": "failed"}, "没发出去"),
        ({"status": "failed", "message": {"text": "odd"}}, "odd"),
    ],
)
def test_onebot_failures_may_have_been_delivered(answer: object, reason: str) -> None:
    end = says(onebot(), answer)
    assert isinstance(end, Unanswered)
    assert reason in str(end)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": "ok", "retcode": 5}, id="ok with a strange retcode"),
        pytest.param({"status": "ok"}, id="no retcode"),
        pytest.param({"retcode": 0}, id="no status"),
        pytest.param({"status": "done", "retcode": 0}, id="another word"),
    ],
)
def test_onebot_strange_answers_are_unknown(answer: object) -> None:
    end = says(onebot(), answer)
    assert isinstance(end, Unreadable)
    assert end.outcome is Outcome.UNKNOWN


def test_a_platforms_words_are_shown_without_phones_and_on_one_line() -> None:
    shown = str(
        says(onebot(), {"status": "failed", "retcode": 1, "message": f"no\n{MOBILE}\u202e" + "长" * 5000})
    )
    assert MOBILE not in shown
    assert "\n" not in shown
    assert "\u202e" not in shown
    assert len(shown) < 260
