"""What holds for every notifier: whatever the platform answers, and whatever text comes from outside."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.messages import Message, MessageKind, Receipt
from domain.remote import Outcome, RemoteError, Reply, Request, Secret
from notifiers.base import kinds
from tests.notifiers.specimens import ALERT, DIGEST, NOTHING, NOW, SPECIMENS, body_of, ended, requests_of

EVERY = pytest.mark.parametrize("specimen", SPECIMENS.values(), ids=SPECIMENS.keys())
JUNK = [
    b"",
    b"\x00\xff\xfe",
    b"ok",
    b"null",
    b"true",
    b"0",
    b"[]",
    b"{}",
    b'{"errcode":0',
    b'{"errcode":"0","status":"0"}',
    b'{"errcode":false,"retcode":false,"status":"ok"}',
    b'{"errcode":0.0,"retcode":0.0,"status":"ok"}',
    b'{"errcode":null,"retcode":null,"status":null}',
    b'{"code":0,"status":"success"}',
    b'{"errcode":[0],"retcode":[0],"status":["ok"]}',
    b"<html><title>Login</title></html>",
    b"[" * 5000,
]
HOSTILE = (
    '<@all> <@zhangsan> @所有人 @all @13800000001 <at user_id="all">x</at> [CQ:at,qq=all] &#91;CQ:at,qq=all&#93; '
    '<font color="warning">x</font> [点我](http://evil.example/x) ![](http://evil.example/p.png) `code` **b** # h'
)


def test_every_notifier_has_a_specimen_here() -> None:
    assert set(kinds()) == set(SPECIMENS)


@EVERY
def test_the_platforms_yes_is_a_receipt(specimen) -> None:
    assert isinstance(ended(specimen.robot, Reply(200, specimen.yes)), Receipt)


@EVERY
@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:24]))
def test_junk_with_http_200_is_unknown_and_never_taken(specimen, junk: bytes) -> None:
    end = ended(specimen.robot, Reply(200, junk))
    assert isinstance(end, RemoteError)
    assert end.outcome is Outcome.UNKNOWN


@EVERY
@given(
    junk=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["errcode", "errmsg", "status", "retcode", "data", "punish", "message"]),
                inner,
                max_size=5,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
@settings(max_examples=150, deadline=None)
def test_no_answer_whatever_escapes_the_four_outcomes(specimen, junk: bytes) -> None:
    end = ended(specimen.robot, Reply(200, junk))
    if isinstance(end, Receipt):
        answer = json.loads(junk)
        assert 0 in (answer.get("errcode"), answer.get("retcode")) or answer.get("retcode") == 1


@EVERY
@pytest.mark.parametrize(
    "status",
    [
        100,
        201,
        202,
        204,
        206,
        301,
        302,
        400,
        401,
        403,
        404,
        406,
        407,
        408,
        413,
        429,
        500,
        501,
        502,
        503,
        504,
        599,
    ],
)
def test_a_yes_with_another_status_is_not_taken(specimen, status: int) -> None:
    assert isinstance(ended(specimen.robot, Reply(status, specimen.yes)), RemoteError)


@EVERY
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        pytest.param(429, Outcome.LATER, id="too many"),
        pytest.param(500, Outcome.LATER, id="server error"),
        pytest.param(503, Outcome.LATER, id="overloaded"),
        pytest.param(502, Outcome.UNKNOWN, id="a proxy got a bad answer"),
        pytest.param(504, Outcome.UNKNOWN, id="a proxy got no answer in time"),
        pytest.param(302, Outcome.LATER, id="redirected, which is not followed"),
        pytest.param(401, Outcome.REFUSED, id="not let in"),
        pytest.param(404, Outcome.REFUSED, id="no such address"),
        pytest.param(413, Outcome.REFUSED, id="too large"),
    ],
)
def test_http_statuses(specimen, status: int, outcome: Outcome) -> None:
    end = ended(specimen.robot, Reply(status, b"<html></html>"))
    assert isinstance(end, RemoteError)
    assert end.outcome is outcome


@EVERY
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("", 60), ("soon", 60), ("-1", 60), ("99999", 3600), ("0", 1)]
)
def test_http_429_waits_as_long_as_it_says(specimen, header: str, seconds: int) -> None:
    end = ended(specimen.robot, Reply(429, b"", {"retry-after": header}))
    assert end.wait.total_seconds() == seconds


def _shown(specimen) -> Iterator[str]:
    """Everything a robot shows of itself, its requests, and whatever may go wrong with a chatty platform."""
    robot = specimen.robot
    yield from (repr(robot), str(robot), robot.robot, f"{robot!r:.500}")
    request = next(robot.send(ALERT, NOW))
    yield from (repr(request), str(request), request.url)
    echo = " ".join(specimen.secrets) + " " + " ".join(s.reveal() for s in request.secrets)
    answers = [
        {"errcode": code, "errmsg": echo, "status": "failed", "retcode": code, "message": echo}
        for code in (0, -1, 310000, 130101, 45009, 45033, 93000, 40058, 430101, 777)
    ]
    replies = [Reply(200, json.dumps(answer).encode()) for answer in answers]
    replies += [Reply(status, echo.encode()) for status in (200, 302, 400, 401, 429, 500, 502)]
    replies += [
        Reply(200, b'{"errmsg": "' + echo.encode()),
        Reply(200, b'{"status":"' + echo.encode() + b'"}'),
    ]
    for reply in replies:
        end = ended(robot, reply)
        yield from (str(end), repr(end))
        if isinstance(end, RemoteError):
            yield "".join(traceback.format_exception(end))


@EVERY
def test_no_secret_shows_anywhere(specimen) -> None:
    for shown in _shown(specimen):
        for secret in specimen.secrets:
            assert secret not in shown


@EVERY
def test_the_driver_is_told_every_secret_of_a_request(specimen) -> None:
    request = next(specimen.robot.send(ALERT, NOW))
    told = {secret.reveal() for secret in request.secrets}
    assert set(specimen.secrets) <= told
    assert "" not in told


@EVERY
def test_the_address_itself_holds_no_secret(specimen) -> None:
    request = next(specimen.robot.send(ALERT, NOW))
    assert not any(secret in request.url for secret in specimen.secrets)


@EVERY
def test_secrets_are_declared_as_such(specimen) -> None:
    robot = specimen.robot
    plain = [getattr(robot, f.name) for f in fields(robot) if not isinstance(getattr(robot, f.name), Secret)]
    assert not any(secret in str(value) for value in plain for secret in specimen.secrets)


@EVERY
def test_a_request_depends_on_nothing_but_message_and_now(specimen) -> None:
    first, second = (next(specimen.robot.send(ALERT, NOW)) for _ in range(2))
    assert first == second


@EVERY
def test_a_send_is_never_repeatable(specimen) -> None:
    assert not next(specimen.robot.send(ALERT, NOW)).repeatable


@EVERY
def test_the_robots_name_is_stable_and_short(specimen) -> None:
    assert specimen.robot.robot == specimen.robot.robot
    assert len(specimen.robot.robot) <= 24


@EVERY
def test_eighteen_a_minute_two_of_them_reserved(specimen) -> None:
    pace = specimen.robot.pace
    assert (pace.sends, pace.window.total_seconds(), pace.reserved) == (18, 60, 2)


@EVERY
def test_json_leaves_unescaped_as_utf8(specimen) -> None:
    request = next(specimen.robot.send(ALERT, NOW))
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "中转停滞".encode() in request.content


TEXTS = st.lists(
    st.sampled_from(
        [
            "中转停滞",
            "😀",
            "👨‍👩‍👧",
            "[CQ:at,qq=all]",
            "<@all>",
            "<@zhangsan>",
            "@所有人",
            "**",
            "`",
            "```",
            "[x](http://a.bc)",
            "![](",
            "# ",
            "\n",
            "\u202e",
            "\u200b",
            "\ud800",
            "\\",
            '"',
            "\x00",
            "电话13800000009。",
            "http://evil.example",
            "&#91;CQ:at,qq=all&#93;",
            '<font color="warning">',
            "a",
            "…",
            " ",
            "|",
            "~~~",
        ]
    ),
    max_size=60,
).map("".join)
MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(MessageKind),
    title=TEXTS,
    facts=st.lists(st.tuples(TEXTS, TEXTS), max_size=8).map(tuple),
    rows=st.lists(TEXTS, max_size=40).map(tuple) | TEXTS.map(lambda row: (row,) * 900),
    more=st.integers(0, 10**6),
    link=st.sampled_from(
        [
            "",
            "https://watch.example.com/t/31?a=1&b=2",
            "https://w.example/" + "x" * 5000,
            "javascript:alert(1)",
            "https://w.example/)<@all>",
        ]
    ),
    reference=TEXTS,
)


@EVERY
@given(message=MESSAGES)
@settings(max_examples=60, deadline=None)
def test_hostile_giants_stay_within_the_limit_and_ring_nobody(specimen, message: Message) -> None:
    first = next(specimen.robot.send(message, NOW))
    body = json.loads(first.content)
    assert specimen.size(first) <= specimen.limit(body)
    assert specimen.rung(body) == set()
    text = specimen.text(body)
    assert "@" not in text
    assert "[CQ:" not in text
    assert "13800000009" not in text
    assert text.count("://") <= 1


@EVERY
@given(
    mentions=st.lists(
        st.sampled_from(["u" * 64, "all", "13800000001", "12345678"])
        | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", fullmatch=True),
        max_size=60,
    ),
    rows=st.integers(0, 300),
)
@settings(max_examples=40, deadline=None)
def test_many_mentions_never_break_the_limit(specimen, mentions: list[str], rows: int) -> None:
    message = Message(
        MessageKind.DIGEST,
        "汇" * 300,
        rows=("停滞" * 80,) * rows,
        mentions=tuple(mentions),
        link="https://watch.example.com/" + "x" * 380,
    )
    first = next(specimen.robot.send(message, NOW))
    body = json.loads(first.content)
    assert specimen.size(first) <= specimen.limit(body)
    assert message.link in specimen.text(body)


@EVERY
@pytest.mark.parametrize("mention", ["", "all", "13800000001"])
def test_a_long_digest_fills_the_limit_whoever_is_rung(specimen, mention: str) -> None:
    rows = ("停滞" * 20,) * 900
    message = Message(MessageKind.DIGEST, "题", rows=rows, mentions=(mention,))
    request = next(specimen.robot.send(message, NOW))
    limit = specimen.limit(json.loads(request.content))
    assert limit - 130 < specimen.size(request) <= limit


@EVERY
def test_no_more_than_twenty_names_are_rung(specimen) -> None:
    names = tuple(f"{n}" * 5 for n in range(20, 80))
    body = body_of(specimen.robot, Message(MessageKind.ALERT, "题", mentions=names))
    assert specimen.rung(body) == set(names[:20])


@EVERY
def test_names_in_the_text_ring_nobody(specimen) -> None:
    message = Message(
        MessageKind.ALERT, HOSTILE, facts=((HOSTILE, HOSTILE),), rows=(HOSTILE,), reference="T-1"
    )
    body = body_of(specimen.robot, message)
    assert specimen.rung(body) == set()
    assert not set("@") & set(specimen.text(body))


@EVERY
def test_every_row_is_shown_or_counted(specimen) -> None:
    text = specimen.text(body_of(specimen.robot, DIGEST))
    shown = sum(row.split("· ")[1] in text for row in DIGEST.rows)
    assert shown >= 10
    assert f"共 52 条，另有 {52 - shown} 条未列出" in text


@EVERY
def test_one_send_is_one_request(specimen) -> None:
    assert len(requests_of(specimen.robot, NOTHING, specimen.yes)) == 1


@EVERY
def test_a_conversation_yields_requests(specimen) -> None:
    assert isinstance(next(specimen.robot.send(NOTHING, NOW)), Request)
