"""How the chat platforms read a body (`facts/notifiers-dingtalk.md` §1, `-wecom.md` §1, `-qq.md` §2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.demo.dialects import Reading, read_dingtalk, read_onebot, read_wecom


def body(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def ding(text: str, **at: Any) -> Reading:
    return read_dingtalk(
        body({"msgtype": "markdown", "markdown": {"title": "物流告警", "text": text}, "at": at})
    )


def test_dingtalk_markdown_is_its_title_and_its_lines() -> None:
    reading = ding("#### 停滞\n\n- 一\n\n- 二")
    assert (reading.code, reading.title, reading.lines) == (0, "物流告警", ("#### 停滞", "- 一", "- 二"))


def test_a_dingtalk_mention_rings_only_when_the_text_holds_it() -> None:
    reading = ding("请 @13800000001 处理", atMobiles=["13800000001", "13800000002"])
    assert reading.mentions == ("13800000001",)
    assert reading.unrung == ("13800000002",)


def test_everybody_is_rung_without_words() -> None:
    assert ding("x", isAtAll=True).mentions == ("all",)


def test_in_a_dingtalk_text_the_platform_adds_the_mention() -> None:
    reading = read_dingtalk(
        body({"msgtype": "text", "text": {"content": "停滞"}, "at": {"atUserIds": ["u1"]}})
    )
    assert (reading.mentions, reading.unrung) == (("u1",), ())


@pytest.mark.parametrize(("size", "code"), [(20_000, 0), (20_001, 460101)])
def test_dingtalk_takes_twenty_thousand_bytes_of_body(size: int, code: int) -> None:
    frame = len(body({"msgtype": "text", "text": {"content": ""}}))
    full = body({"msgtype": "text", "text": {"content": "x" * (size - frame)}})
    assert len(full) == size
    assert read_dingtalk(full).code == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"msgtype": "image"}, 400105),
        ({}, 400105),
        ({"msgtype": "markdown", "markdown": {"title": "", "text": "x"}}, 40035),
        ({"msgtype": "text", "text": {}}, 40035),
        ({"msgtype": "text"}, 40035),
    ],
)
def test_what_dingtalk_does_not_take(message: object, code: int) -> None:
    assert read_dingtalk(body(message)).code == code


def test_no_json_is_a_missing_parameter_to_dingtalk() -> None:
    assert read_dingtalk(b"<html>").code == 40035


@pytest.mark.parametrize(
    ("kind", "part", "title"),
    [
        ("link", {"title": "日报", "text": "31 件", "messageUrl": "https://desk.example/r/1"}, "日报"),
        (
            "actionCard",
            {"title": "停滞", "text": "SF…", "btns": [{"title": "认领", "actionURL": "https://a"}]},
            "停滞",
        ),
        (
            "actionCard",
            {"title": "停滞", "text": "SF…", "singleTitle": "看", "singleURL": "https://a"},
            "停滞",
        ),
        ("feedCard", {"links": [{"title": "a", "messageURL": "https://a"}]}, "[a](https://a)"),
    ],
)
def test_the_other_dingtalk_shapes(kind: str, part: object, title: str) -> None:
    reading = read_dingtalk(body({"msgtype": kind, kind: part}))
    assert (reading.code, reading.title) == (0, title)


def wecom(kind: str, **part: Any) -> Reading:
    return read_wecom(body({"msgtype": kind, kind: part}))


@pytest.mark.parametrize(("kind", "most"), [("text", 2048), ("markdown", 4096), ("markdown_v2", 4096)])
def test_wecom_counts_the_bytes_of_the_content(kind: str, most: int) -> None:
    assert wecom(kind, content="x" * most).code == 0
    too_long = wecom(kind, content="x" * (most + 1))
    assert too_long.code == 40058
    assert too_long.answer.startswith(f"{kind}.content exceed max length {most}")


def test_682_characters_and_two_letters_fill_a_wecom_text() -> None:
    assert wecom("text", content="物" * 682 + "ab").code == 0
    assert wecom("text", content="物" * 683).code == 40058


def test_whom_wecom_rings() -> None:
    text = wecom(
        "text", content="<@lisi>", mentioned_list=["zhangsan", "@all"], mentioned_mobile_list=["13800000001"]
    )
    assert text.mentions == ("zhangsan", "all", "13800000001", "lisi")
    assert wecom("markdown", content="<@zhangsan> <@all>", mentioned_list=["lisi"]).mentions == ("zhangsan",)
    assert wecom("markdown_v2", content="<@zhangsan>").mentions == ()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"msgtype": "video"}, 40008),
        ({"msgtype": "text", "text": {"content": ""}}, 44004),
        ({"msgtype": "news", "news": {"articles": [{"title": "a", "url": "https://a"}] * 9}}, 45008),
        ({"msgtype": "news", "news": {"articles": []}}, 44004),
        ({"msgtype": "template_card", "template_card": {"main_title": {"title": "停滞"}}}, 40058),
        ({"msgtype": "template_card", "template_card": {"card_action": {"type": 1}}}, 41016),
    ],
)
def test_what_wecom_does_not_take(message: object, code: int) -> None:
    assert read_wecom(body(message)).code == code


def test_no_json_is_a_format_error_to_wecom() -> None:
    assert read_wecom(b"{").code == 47001


def onebot(message: object, groups: frozenset[str] = frozenset(), **more: Any) -> Reading:
    return read_onebot(body({"group_id": 100001, "message": message, **more}), groups)


def test_onebot_segments_ring_and_read() -> None:
    reading = onebot(
        [{"type": "at", "data": {"qq": "12345678"}}, {"type": "text", "data": {"text": " SF… 停滞\n二"}}]
    )
    assert (reading.code, reading.title, reading.lines) == (0, "SF… 停滞", ("SF… 停滞", "二"))
    assert reading.mentions == ("12345678",)


def test_cq_codes_ring_in_a_string_and_nowhere_else() -> None:
    """§2.2: a buyer's text sent as a string rings everybody."""
    hostile = "[CQ:at,qq=all] 急"
    assert onebot(hostile).mentions == ("all",)
    assert onebot(hostile, auto_escape=True).mentions == ()
    assert onebot([{"type": "text", "data": {"text": hostile}}]).mentions == ()


def test_onebot_speaks_only_in_its_groups() -> None:
    said = [{"type": "text", "data": {"text": "x"}}]
    assert onebot(said, frozenset({"100001"})).code == 0
    assert onebot(said, frozenset({"7"})).code != 0


@pytest.mark.parametrize("message", ["", [], ["x"], [{"type": "dance", "data": {}}]])
def test_what_onebot_does_not_take(message: object) -> None:
    assert onebot(message).code != 0


def test_an_unreadable_onebot_body_is_http_400() -> None:
    assert read_onebot(b"{", frozenset()).status == 400
