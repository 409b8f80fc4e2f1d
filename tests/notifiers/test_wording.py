"""The plain lines: what is said, in which order, what is left out and how outside text is defused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.messages import Message, MessageKind
from notifiers.wording import MARKDOWN, PLAIN, SEGMENTS, Whom, defused, title_line, utf8, whom, write
from tests.notifiers.specimens import ALERT, DIGEST


def test_title_alone_then_facts_then_the_link() -> None:
    message = Message(
        MessageKind.ALERT,
        "[提醒] 甲 1",
        facts=(("店铺", "旗舰店"), ("还剩", "3 小时")),
        link="https://w.example/t/1",
    )
    assert write(message, PLAIN, 2048).split("\n") == [
        "[提醒] 甲 1",
        "店铺：旗舰店",
        "还剩：3 小时",
        "打开工单：https://w.example/t/1",
    ]


def test_a_seventh_fact_is_counted_not_shown() -> None:
    message = Message(MessageKind.ALERT, "题", facts=tuple((f"项{n}", str(n)) for n in range(8)))
    lines = write(message, PLAIN, 2048).split("\n")
    assert lines[1:] == [*(f"项{n}：{n}" for n in range(6)), "… 另有 2 项未列出，余见控制台清单"]


@pytest.mark.parametrize(
    ("more", "link", "closing"),
    [
        (0, "", []),
        (0, "https://w.example/l", ["打开清单：https://w.example/l"]),
        (4, "https://w.example/l", ["… 共 6 条，另有 4 条未列出，余见 https://w.example/l"]),
        (4, "", ["… 共 6 条，另有 4 条未列出，余见控制台清单"]),
    ],
)
def test_the_closing_line(more: int, link: str, closing: list[str]) -> None:
    message = Message(MessageKind.DIGEST, "题", rows=("一", "二"), more=more, link=link)
    assert write(message, PLAIN, 2048).split("\n") == ["题", "· 一", "· 二", *closing]


@pytest.mark.parametrize("limit", [260, 400, 900, 1500, 2048])
def test_rows_are_dropped_whole_and_from_the_end(limit: int) -> None:
    text = write(DIGEST, PLAIN, limit)
    lines = text.split("\n")
    shown = lines[1:-1]
    assert utf8(text) <= limit
    assert [line.removeprefix("· ") for line in shown] == list(DIGEST.rows[: len(shown)])
    assert lines[-1] == f"… 共 52 条，另有 {52 - len(shown)} 条未列出，余见 {DIGEST.link}"
    one_more = f"{text}\n· {DIGEST.rows[len(shown)]}"
    assert utf8(one_more) > limit - 4, "a further row would have fitted"


def test_the_tail_stands_last_and_is_never_cut() -> None:
    text = write(DIGEST, MARKDOWN, 700, tail="<@zhangsan> <@lisi>")
    assert text.endswith("，余见 [清单](https://watch.example.com/t?v=9)\n<@zhangsan> <@lisi>")


def test_the_reference_is_said_once() -> None:
    assert (
        title_line(replace(ALERT, title="[紧急] 停滞", reference="T-1"), PLAIN.escape) == "[紧急] 停滞 · T-1"
    )
    assert title_line(ALERT, PLAIN.escape).count("T-20261122-0031") == 1


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("[紧急] 停滞", "[紧急] 物流 停滞"),
        ("停滞", "物流 停滞"),
        ("[紧急] 物流停滞", "[紧急] 物流停滞"),
        ("\u200b", "物流消息"),
    ],
)
def test_the_keyword_stands_behind_the_tag(title: str, line: str) -> None:
    assert title_line(Message(MessageKind.ALERT, title), MARKDOWN.escape, "物流") == line


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("<@all>", "＜＠all＞"),
        ("@所有人", "＠所有人"),
        ("[点我](http://evil.example)", "［点我］(http：//evil．example)"),
        ("![](x)", "!［］(x)"),
        ("`a` **b** ~~c~~", "｀a｀ ＊＊b＊＊ ～～c～～"),
        ("# 题", "＃ 题"),
        ("- 项", "－ 项"),
        ("---", "－－－"),
        ('<font color="warning">x</font>', '＜font color="warning"＞x＜/font＞'),
        ("&lt;@all&gt;", "＆lt;＠all＆gt;"),
        ("a\\", "a＼"),
        ("_斜_", "＿斜＿"),
        ("SKU_01-A", "SKU_01-A"),
        ("[紧急] 中通", "[紧急] 中通"),
        ("[紧急](http://a.bc)", "［紧急］(http：//a．bc)"),
        ("[x]: y", "［x］: y"),
        ("13:05 到达", "13:05 到达"),
        ("1.5 kg", "1.5 kg"),
        ("一\n二\r\n# 三", "一 二 # 三"),
    ],
)
def test_markdown_is_defused_visibly(outside: str, shown: str) -> None:
    assert defused(outside, 80, MARKDOWN.escape) == shown


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("单号 [A] & 1,2", "单号 [A] & 1,2"),
        ("[CQ:at,qq=all]", "［CQ:at,qq=all]"),
        ("[cq:at,qq=all]", "［cq:at,qq=all]"),
        ("&#91;CQ:at,qq=all&#93;", "＆#91;CQ:at,qq=all＆#93;"),
        ("&amp;#91;", "＆amp;#91;"),
    ],
)
def test_segments_change_only_what_could_be_a_cq_code(outside: str, shown: str) -> None:
    assert defused(outside, 80, SEGMENTS.escape) == shown


def test_plain_text_holds_no_tags() -> None:
    assert defused('<a href="x">[A] *b*</a>', 80, PLAIN.escape) == '＜a href="x"＞[A] *b*＜/a＞'


@pytest.mark.parametrize(
    "spelling",
    [
        "13800000001",
        "电话13800000001。",
        "138\u200b0000\u200b0001",
        "138\u202e00000001",
        "收件人 13800000001",
    ],
)
@pytest.mark.parametrize("before", ["", "路" * 70, "路" * 75, "路" * 79])
def test_a_phone_never_shows_ten_digits_wherever_it_stands(spelling: str, before: str) -> None:
    shown = defused(before + spelling, 80, PLAIN.escape)
    assert sum(character.isdigit() for character in shown) <= 5


def test_a_waybill_is_no_phone() -> None:
    assert "75812345678901" in defused("中通 75812345678901", 80, MARKDOWN.escape)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "ftp://w.example/x",
        "https://w.example/a b",
        "https://w.example/)x",
        "https://w.example/<@all>",
        "https://w.example/\n",
        "https://w.example/" + "x" * 900,
        "w.example/t",
    ],
)
def test_a_link_that_could_break_the_text_is_left_out_whole(link: str) -> None:
    text = write(Message(MessageKind.ALERT, "题", link=link), MARKDOWN, 4096)
    assert text == "### 题"


@pytest.mark.parametrize(
    ("mentions", "expected"),
    [
        ((), Whom()),
        (("all",), Whom(everybody=True)),
        (("@All", "@所有人"), Whom(everybody=True)),
        (("13800000001", "+86-13800000001", "+8613800000001"), Whom(mobiles=("13800000001",))),
        (("zhangsan", "@zhangsan", "li.si-2"), Whom(ids=("zhangsan", "li.si-2"))),
        (("x> <@all", "张三", "", "a b", "u" * 65), Whom()),
    ],
)
def test_whom(mentions: tuple[str, ...], expected: Whom) -> None:
    assert whom(mentions) == expected
