"""Nothing secret is shown: in text, in the fields of a log line, in a traceback, in a library's own lines."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from domain.remote import Secret
from monitor import logs
from monitor.redaction import Redacting, hiding, redact, redacting, sensitive

LETTERS = st.characters(
    min_codepoint=32, max_codepoint=0x9FFF, exclude_categories=["Cs"], exclude_characters="*"
)
LONG = st.text(LETTERS, min_size=5, max_size=20).map("ŝ{}".format)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # notifiers.md §5: for WeCom and Feishu the URL is the whole credential
        (
            "POST https://oapi.example/robot/send?access_token=9f8e7d",
            "POST https://oapi.example/robot/send?access_token=***",
        ),
        (
            "https://qyapi.example/cgi-bin/webhook/send?key=693a-91",
            "https://qyapi.example/cgi-bin/webhook/send?key=***",
        ),
        (
            "https://open.example/open-apis/bot/v2/hook/xx-yy",
            "https://open.example/open-apis/bot/v2/hook/***",
        ),
        ("…&timestamp=1700000000000&sign=1zJ%2Fw34%3D", "…&timestamp=1700000000000&sign=***"),
        ("https://api.telegram.example/bot123:AAE-x/send", "https://api.telegram.example/bot***"),
        ("https://hooks.slack.example/services/T0/B0/XX", "https://hooks.slack.example/services/***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("sent with Bearer abc.def", "sent with Bearer ***"),
        ("Cookie: sid=7; theme=dark", "Cookie: ***; theme=dark"),
        ("postgresql://watch:p4ss@db/watch", "postgresql://***@db/watch"),
        ('{"app_key": "k", "method": "query"}', '{"app_key": ***, "method": "query"}'),
        ('{"password":"a\\"b","n":1}', '{"password":***,"n":1}'),
        ('{"body":"{\\"token\\":\\"t-1\\"}"}', '{"body":"{\\"token\\":***\\"}"}'),
        ("param=%7B%22key%22%3A%22a%2Bc%22%7D&n=1", "param=%7B%22key%22%3A***%22%7D&n=1"),
        ("dataSign: Zm9v==, companyCode: X", "dataSign: ***, companyCode: X"),
        ("X-Api-Key: 42", "X-Api-Key: ***"),
        ("密码：hunter2", "密码：***"),
        ("客服 13800000001 已联系", "客服 138******01 已联系"),
        ("mobile=13800000001", "mobile=***"),
        ("%2213800000001%22", "%22138******01%22"),
    ],
)
def test_what_looks_secret_is_starred(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "圆通 YT1234567890123 中转停滞 53 小时（限 48）",
        "waybill=SF1234567890123 carrier=shunfeng",
        "78901234567890 已签收，95338 可查询",
        "signed_at=2026-11-22T08:00:00+00:00",
        "designed: yes; monkeys: 3; keyboard=ok; assigned=li",
        "https://poll.kuaidi100.example/poll/query.do?num=1&com=ems",
        "HTTP 502, not JSON: '<html>'",
    ],
)
def test_what_people_need_stays_readable(text: str) -> None:
    assert redact(text) == text


@given(
    LONG,
    st.text(LETTERS, max_size=30),
    st.text(LETTERS, max_size=30),
    st.sampled_from([str, quote, quote_plus]),
)
def test_a_known_secret_is_found_wherever_it_stands(
    secret: str, before: str, after: str, written: object
) -> None:
    assert callable(written)
    text = before + written(secret) + after
    assert written(secret) not in redact(text, [Secret(secret)])


@given(LONG)
def test_a_known_secret_is_found_inside_json(secret: str) -> None:
    text = json.dumps({"note": f"is {secret}!"}, ensure_ascii=False)
    assert json.loads(redact(text, [Secret(secret)])) == {"note": "is ***!"}


def test_a_phones_last_four_are_starred_as_a_word_not_inside_a_waybill() -> None:
    shown = redact("SF1234567890123 phone tail 5678, %225678%22; 65678 5678x", [Secret("5678")])
    assert shown == "SF1234567890123 phone tail ***, %22***%22; 65678 5678x"


def test_an_empty_secret_stars_nothing() -> None:
    assert redact("nothing to see", [Secret("")]) == "nothing to see"


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "app_secret",
        "appSecret",
        "token",
        "access_token",
        "sign",
        "Signature",
        "dataSign",
        "password",
        "PASSWD",
        "phone",
        "receiver_phone",
        "mobile",
        "atMobiles",
        "address",
        "cookie",
        "Set-Cookie",
        "Authorization",
        "key",
        "app_key",
        "appkey",
        "X-Api-Key",
        "x-dataDigest",
        "data_digest",
        "msgDigest",
        "webhook",
    ],
)
def test_fields_shown_as_stars(name: str) -> None:
    assert sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "signed_at",
        "digest",
        "assigned_to",
        "carrier",
        "waybill_no",
        "keyword",
        "design",
        "monkey",
        "rule",
        "paid_to_signed",
    ],
)
def test_fields_shown_as_they_are(name: str) -> None:
    assert not sensitive(name)


def test_a_log_line_is_clean_at_every_depth_and_keeps_its_facts() -> None:
    at, took = datetime(2026, 11, 22, tzinfo=UTC), timedelta(seconds=2)
    shown = redacting(
        None,
        "info",
        {
            "event": "asked https://x.example/send?key=abc",
            "carrier": "shunfeng",
            "count": 3,
            "whole": True,
            "share": 0.5,
            "at": at,
            "took": took,
            "token": "abc",
            "phone_needed": True,
            "number": 13800000001,
            "raw": b"sign=abc",
            "form": {"sign": "abc", "num": "SF1", "13800000001": [{"mobile": 1}, ("call 13800000001", None)]},
            "error": ValueError("access_token=abc"),
            "secret_itself": Secret("abc"),
        },
    )
    assert shown == {
        "event": "asked https://x.example/send?key=***",
        "carrier": "shunfeng",
        "count": 3,
        "whole": True,
        "share": 0.5,
        "at": at,
        "took": took,
        "token": "***",
        "phone_needed": True,
        "number": "138******01",
        "raw": "sign=***",
        "form": {"sign": "***", "num": "SF1", "138******01": [{"mobile": "***"}, ["call 138******01", None]]},
        "error": "access_token=***",
        "secret_itself": "***",
    }


def test_a_log_line_that_holds_itself_ends() -> None:
    knot: dict[str, object] = {}
    knot["again"] = knot
    assert "***" in repr(Redacting()(None, "info", {"knot": knot}))


# --- the log as a whole -----------------------------------------------------------------------------


@pytest.fixture
def afterwards() -> Iterator[None]:
    """Logging is one for the process: put back what the test changes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    try:
        yield
    finally:
        logging.captureWarnings(False)
        structlog.reset_defaults()
        root.handlers, root.level = handlers, level
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)


def written(*, as_json: bool, level: str = "debug") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(json=as_json, level=level, secrets=[Secret("wx-693a91f6")], stream=stream)
    return stream


@pytest.mark.usefixtures("afterwards")
@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_of_the_log_tells_a_secret(as_json: bool) -> None:
    stream = written(as_json=as_json)
    log = structlog.get_logger()
    pair, hidden = (
        "key=abcdef",
        "no answer from https://x.example/hook/abcdef and wx-693a91f6, call 13800000001",
    )
    log.info("polled", robot="wx-693a91f6", sign="abcdef", url=f"https://x.example/?{pair}")
    try:
        raise ValueError(hidden)
    except ValueError as error:
        log.exception("failed", error=error)
        logging.getLogger("some.library").exception("failed %s", f"access_{pair}")
    logging.getLogger("uvicorn.access").info("GET /callbacks?%s", pair)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(pair, stacklevel=1)
    text = stream.getvalue()
    assert text.count("ValueError: no answer from") == 2, "the tracebacks are there"
    assert "UserWarning: key=***" in text
    assert [told for told in ("abcdef", "693a91f6", "13800000001") if told in text] == []


@pytest.mark.usefixtures("afterwards")
def test_the_libraries_that_log_addresses_are_quiet() -> None:
    stream = written(as_json=True)
    logging.getLogger("httpx").info("HTTP Request: POST https://oapi.example/robot/send")
    logging.getLogger("httpcore.connection").debug("connect_tcp.started")
    logging.getLogger("httpx").warning("something an operator should know")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == [
        "something an operator should know"
    ]


@pytest.mark.usefixtures("afterwards")
def test_a_json_line_is_one_object_with_time_level_and_fields() -> None:
    stream = written(as_json=True)
    structlog.get_logger().warning("运单停滞\n第二行", carrier="yuantong")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["carrier"]) == ("运单停滞\n第二行", "warning", "yuantong")
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)
    assert stream.getvalue().count("\n") == 1


@pytest.mark.usefixtures("afterwards")
def test_text_from_outside_cannot_forge_a_line_in_a_terminal() -> None:
    stream = written(as_json=False)
    structlog.get_logger().info("scan\n2026-11-22 [error] all lost", text="a\x1b[2Jb\r\nc")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.usefixtures("afterwards")
def test_the_level_holds_for_us_and_for_libraries() -> None:
    stream = written(as_json=True, level="warning")
    structlog.get_logger().info("polled")
    logging.getLogger("some.library").info("hello")
    structlog.get_logger().error("lost")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["lost"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="debug, info, warning, error"):
        logs.configure(json=True, level="loud")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("key=3f9a77c1e0 已签收", "key=*** 已签收"),
        ("收件人 13800000001", "收件人 138******01"),
        ("浙江省 3f9a77c…", "浙江省 ***…"),
        ("浙江省 3f9a7…", "浙江省 3f9a7…"),
        ("取件密码：1234", "取件密码：1234"),
        ("请凭 key: 12 取件", "请凭 key: 12 取件"),
    ],
)
def test_of_what_a_carrier_says_only_our_secrets_and_phones_are_hidden(said: str, kept: str) -> None:
    assert hiding([Secret("3f9a77c1e0")])(said) == kept
