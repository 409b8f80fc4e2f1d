"""Each chat draws what it draws and shows the rest as typed; nothing from outside becomes more than text."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.messages import Message, MessageKind, Urgency
from domain.remote import Secret
from monitor.demo.chat import Block, Span, draw, person, rung_beside
from monitor.demo.dialects import Reading, read_dingtalk, read_onebot, read_wecom
from notifiers.dingtalk import DingTalk
from notifiers.onebot import OneBot
from notifiers.wecom import WeCom

SITE = "http://127.0.0.1:8000"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
FORMS = [
    ("dingtalk", "text"),
    ("dingtalk", "markdown"),
    ("wecom", "text"),
    ("wecom", "markdown"),
    ("wecom", "markdown_v2"),
    ("onebot", "text"),
    ("onebot", "cq"),
]


def said(text: str, form: str = "markdown", mentions: tuple[str, ...] = ()) -> Reading:
    return Reading(title="t", lines=tuple(text.splitlines()), mentions=mentions, form=form, text=text)


def shown(platform: str, text: str, form: str = "markdown", mentions: tuple[str, ...] = ()) -> list[str]:
    """One text per block: `kind:text`, marks as `{kind text}`."""
    return [plain(block) for block in draw(platform, said(text, form, mentions), SITE)]


def plain(block: Block) -> str:
    spans = "".join(f"{{{s.kind or s.path} {s.text}}}" if s.kind or s.path else s.text for s in block.spans)
    return f"{block.kind}{block.level or ''}:{block.mark}{spans}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("### 物流告警 3 件", ["heading3:物流告警 3 件"], id="heading"),
        pytest.param("####### 七级", ["line:####### 七级"], id="there are six levels of headings"),
        pytest.param("#标题", ["line:#标题"], id="no blank, no heading"),
        pytest.param("> SF123 停滞", ["quote:SF123 停滞"], id="quote"),
        pytest.param("**急** *快*", ["line:{strong 急} {em 快}"], id="bold and italic"),
        pytest.param("138******01 **急**", ["line:138******01 {strong 急}"], id="stars that hide a phone"),
        pytest.param("- 一\n- 二", ["item:·一", "item:·二"], id="list"),
        pytest.param("1. 一\n2. 二", ["item:1.一", "item:2.二"], id="numbered list"),
        pytest.param("一\n二", ["line:一 二"], id="a single line break is swallowed"),
        pytest.param("一\n\n二", ["line:一", "line:二"], id="a blank line breaks"),
        pytest.param("一  \n二", ["line:一", "line:二"], id="two blanks before the break keep it"),
        pytest.param("一\n---\n二", ["line:一", "rule:", "line:二"], id="rule"),
        pytest.param("| a | b |", ["line:| a | b |"], id="no tables"),
        pytest.param("`code`", ["line:`code`"], id="no code"),
        pytest.param("<b>x</b>", ["line:<b>x</b>"], id="no HTML"),
    ],
)
def test_dingtalk_markdown(text: str, expected: list[str]) -> None:
    """§1.3."""
    assert shown("dingtalk", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# 一\n二\n三", ["heading1:一", "line:二", "line:三"], id="a line is a line"),
        pytest.param('<font color="warning">3</font> 件', ["line:{warning 3} 件"], id="one of three colours"),
        pytest.param('<font color="red">3</font> 件', ["line:3 件"], id="other colours are ignored"),
        pytest.param("`SF123`", ["line:{code SF123}"], id="code in a line"),
        pytest.param("> 一", ["quote:一"], id="quote"),
        pytest.param("- 一", ["line:- 一"], id="a list shows as typed"),
        pytest.param("1. 一", ["line:1. 一"], id="a numbered list too"),
        pytest.param("*快*", ["line:*快*"], id="no italics"),
        pytest.param("<@zhangsan> 看", ["line:{rung @zhangsan} 看"], id="mention"),
    ],
)
def test_wecom_markdown(text: str, expected: list[str]) -> None:
    """§1.2."""
    assert shown("wecom", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("- 一\n  - 二", ["item:·一", "item1:·二"], id="nested lists"),
        pytest.param("*快*", ["line:{em 快}"], id="italics"),
        pytest.param('<font color="info">3</font>', ['line:<font color="info">3</font>'], id="no colour"),
        pytest.param("<@zhangsan>", ["line:<@zhangsan>"], id="no mention"),
        pytest.param("```\n**a**\n```", ["code:**a**"], id="code block"),
    ],
)
def test_wecom_markdown_v2(text: str, expected: list[str]) -> None:
    """§1.2."""
    assert shown("wecom", text, "markdown_v2") == expected


@pytest.mark.parametrize("platform", ["dingtalk", "wecom", "onebot"])
def test_plain_text_is_shown_as_typed(platform: str) -> None:
    text = "**急**\n# 一\n> 二\n- 三"
    assert shown(platform, text, "text") == [f"line:{line}" for line in text.splitlines()]


def test_dingtalk_hides_the_numbers_of_those_it_rings() -> None:
    """§1.4: a member's number becomes a name; here it is hidden but for its ends."""
    assert shown("dingtalk", "请 @13800000001 处理", mentions=("13800000001",)) == [
        "line:请 {rung @138******01} 处理"
    ]


def test_dingtalk_draws_no_mention_for_somebody_it_does_not_ring() -> None:
    assert shown("dingtalk", "请 @zhangsan 处理") == ["line:请 @zhangsan 处理"]


def test_a_cq_code_rings_in_the_string_form_only() -> None:
    """QQ sheet §2.2: in a text segment nothing is special."""
    code = "[CQ:at,qq=all] 全部"
    assert shown("onebot", code, "cq") == ["line:{rung @所有人} 全部"]
    assert shown("onebot", code, "text") == [f"line:{code}"]


def test_those_who_are_rung_beside_the_text_are_named() -> None:
    body = {"msgtype": "text", "text": {"content": "急 <@lisi>", "mentioned_list": ["zhangsan", "@all"]}}
    reading = read_wecom(json.dumps(body).encode())
    assert rung_beside("wecom", reading) == ("@zhangsan", "@所有人")


@pytest.mark.parametrize("platform", ["dingtalk", "wecom"])
def test_a_link_into_this_site_can_be_followed(platform: str) -> None:
    blocks = draw(platform, said(f"[打开工单]({SITE}/tickets/T-1)"), SITE)
    assert blocks == (Block("line", (Span("打开工单", path="/tickets/T-1"),)),)


def test_a_bare_address_is_a_link_in_plain_text() -> None:
    blocks = draw("onebot", said(f"看 {SITE}/tickets/T-1", "text"), SITE)
    assert blocks[0].spans == (Span("看 "), Span(f"{SITE}/tickets/T-1", path="/tickets/T-1"))


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "javascript:alert(1)",
        f"{SITE}.evil.example/x",
        f"{SITE}//evil.example/x",
        f"{SITE}/\\evil.example",
        f"{SITE}@evil.example/",
        "data:text/html,x",
    ],
)
def test_a_link_elsewhere_is_shown_and_not_followed(target: str) -> None:
    for platform in ("dingtalk", "wecom"):
        blocks = draw(platform, said(f"[打开]({target})"), SITE)
        assert all(not span.path for block in blocks for span in block.spans)
        assert target in "".join(span.text for span in blocks[0].spans)


@given(st.sampled_from(FORMS), st.text(alphabet=st.characters(), max_size=200))
def test_whatever_is_said_is_drawn_without_invisible_characters_or_phones(form, text: str) -> None:
    platform, kind = form
    for block in draw(platform, said(f"{text} \u202e13800138000", kind, ("all", text)), SITE):
        assert block.kind in {"line", "heading", "quote", "item", "rule", "code"}
        for span in block.spans:
            assert "\u202e" not in span.text
            assert "13800138000" not in span.text
            assert not span.path


def test_an_empty_message_still_has_a_body() -> None:
    assert draw("dingtalk", said("  \n "), SITE) == (Block("line", (Span("—"),)),)


def test_names_from_outside_are_cleaned() -> None:
    assert person("13800000001") == "@138******01"
    assert person("张\u202e三") == "@张三"


ALERT = Message(
    kind=MessageKind.ALERT,
    title="[紧急] 中通 75812345678901 中转停滞 已 53 小时（限 48 小时） · T-20261122-001",
    facts=(
        ("订单", "云上家居旗舰店·310001（收货 上海 上海市）"),
        ("最后轨迹", "11-20 08:10 到达武汉中心"),
    ),
    link=f"{SITE}/tickets/T-20261122-001",
    reference="T-20261122-001",
    mentions=("13800000000",),
    urgency=Urgency.CRITICAL,
    at=NOW,
)


def body_of(notifier) -> bytes:
    """The body the real notifier sends."""
    content: bytes = next(notifier.send(ALERT, NOW)).content
    return content


@pytest.mark.parametrize(
    ("platform", "notifier", "read"),
    [
        ("dingtalk", DingTalk(Secret(f"{SITE}/robot/send?access_token=t")), read_dingtalk),
        ("wecom", WeCom(Secret(f"{SITE}/cgi-bin/webhook/send?key=k")), read_wecom),
        ("onebot", OneBot(SITE, 100, Secret("t")), lambda body: read_onebot(body, frozenset())),
    ],
    ids=["dingtalk", "wecom", "onebot"],
)
def test_our_own_alert_is_drawn_with_its_link_and_without_marks(platform, notifier, read) -> None:
    reading = read(body_of(notifier))
    blocks = draw(platform, reading, SITE)
    text = "".join(span.text for block in blocks for span in block.spans)
    assert "[紧急] 中通 75812345678901 中转停滞" in text
    assert not any(mark in text for mark in ("###", "](", "<font", "<@", "13800000000"))
    assert "/tickets/T-20261122-001" in {span.path for block in blocks for span in block.spans}
