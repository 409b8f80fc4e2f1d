"""What is hostile in one row costs that row; what nobody thought of is an outage that is told; buyers stay unknown."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from domain.remote import Reply, rehearse
from monitor.erp.outline import kept_of, outline
from monitor.erp.windows import fresh
from monitor.feeds.feed import FeedState
from monitor.pulling import pull
from tests.erp.conftest import Source
from tests.erp.simulated_erp import RECEIVER
from tests.erp.test_empty_or_changed import FLAG, HELD, JST, NOW, WDT
from tests.erp.test_pull import number, state

BUYER = {
    **RECEIVER, "customer_name": "陈顾客", "nick_name": "昵称甲", "pay_account": "alipay@qq.com", "consignee": "赵收",
    "street": "幸福路77弄3号", "fullname": "钱全名", "invoice_title": "孙发票", "details": [{"note": "周嵌套"}],
    "吴姓名": 1,
}  # fmt: skip
WORDS = ("王小明", "13800001234", "望京街道", "小明同学", "老赵", "陈顾客", "昵称甲", "alipay", "赵收", "幸福路", "钱全名", "孙发票", "周嵌套", "吴姓名")  # fmt: skip
BAD = {"l_id": "!!\n!", "logistics_no": "!!\n!"}


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: dict[str, dict[str, Any]] = {
    "half a pair and no number": {
        **dict.fromkeys(("io_id", "order_no", "o_id", "stockout_id")),
        "l_id": "\ud800x",
        "logistics_no": "\ud800x",
    },
    "half a pair in its number": {"io_id": "D2\ud800", "order_no": "D2\ud800", **BAD},
    "half a pair in a field nobody reads": {**BAD, "note": "\ud800", "\udfff": "\ud800"},
    "NUL in its number": {"io_id": "D\x002", "order_no": "D\x002"},
    "nested 900 deep beside the point": {**BAD, "x": nested(900)},
    "nested 900 deep in a field that is read": {"l_id": nested(900), "logistics_no": nested(900)},
}


@pytest.mark.parametrize("hostile", list(HOSTILE))
def test_a_hostile_row_costs_only_itself_and_is_told_once(source: Source, hostile: str) -> None:
    source.erp.ship("D1", "1", number(1))
    source.erp.ship("D2", "2", number(2), raw=HOSTILE[hostile])
    assert source.after(minutes=1).aside == 1
    source.erp.ship("D3", "3", number(3))
    source.after(minutes=6)
    assert source.watched == [number(1), number(3)]
    assert (state(source).failures, state(source).state) == (0, "up")
    assert source.column("SELECT problem FROM pulled WHERE problem <> ''") == ["unreadable"]


@pytest.mark.parametrize("kind", ["wangdian"])
def test_a_document_that_cannot_be_planned_is_put_aside(source: Source, monkeypatch: Any) -> None:
    real = pull.plan.__globals__["_fold"]

    def choosy(after: Any, told: Any) -> bool:
        if told.number == "D2":
            raise ArithmeticError
        return bool(real(after, told))

    monkeypatch.setitem(pull.plan.__globals__, "_fold", choosy)
    for i in range(4):
        source.erp.ship(f"D{i}", str(i), number(i))
    source.after(minutes=1)
    assert source.watched == [number(0), number(1), number(3)]
    assert source.column("SELECT number || why FROM pulled WHERE problem = 'unreadable'") == [
        "D2这一行处理不了（ArithmeticError）"
    ]


@pytest.mark.parametrize("kind", ["wangdian"])
@pytest.mark.parametrize("where", ["order_nos", "read_page"])
def test_what_nobody_thought_of_is_an_outage_told_once_and_over_when_it_is_over(
    source: Source, monkeypatch: Any, where: str
) -> None:
    def fails(*_: Any) -> Any:
        raise UnicodeEncodeError("utf-8", "x", 0, 1, "no")

    source.erp.ship("D1", "1", number(1))
    with monkeypatch.context() as broken:
        broken.setattr(pull, where, fails)
        for _ in range(10):
            source.after(minutes=6)
    assert source.puller is not None
    assert source.puller.feed.state is FeedState.DOWN
    assert (state(source).cursor, state(source).observed_at) == ({}, None)
    assert "UnicodeEncodeError" in state(source).last_error
    assert len(source.column("SELECT message FROM outbox")) == 1
    source.after(minutes=6)
    assert source.watched == [number(1)]
    assert len(source.column("SELECT message FROM outbox")) == 2


# ── what is kept of it ───────────────────────────────────────────────────────────────────────────


def test_of_an_unreadable_answer_and_of_a_poisoned_row_nothing_of_the_buyer_is_kept(source: Source) -> None:
    source.erp.ship("D1", "1", number(1), raw={**BAD, **BUYER})
    source.after(minutes=1)
    source.erp._last = None
    row = {"io_id": "D7", "order_no": "D7", "status": 95, **BUYER}
    told = {"code": 0, "status": 0, "data": {"datos": [row], "has_next": False}, "stockouts": [row]}
    source.erp.faults.append(json.dumps(told, ensure_ascii=False))
    source.after(minutes=6)
    poisoned, answer = source.column("SELECT body FROM oddities ORDER BY id")
    assert [word for word in WORDS if word in poisoned + answer] == []
    assert '"D1"' in poisoned, "what the adapter reads is the sample"
    assert '"receiver_name": "<str 4>"' in poisoned
    assert "order_no" in answer
    kept = [*source.column("SELECT said || why FROM pulled"), state(source).last_error]
    assert [word for word in WORDS if word in "".join(kept)] == []


def test_a_field_is_kept_with_its_value_only_where_it_is_read() -> None:
    told = {
        "code": 0,
        "rows": [{"no": "D1", "name": "王小明", "age": 41, "more": {"no": "x", "is": True, "none": None}}],
        "long": "x" * 9999,
        "no": "x" * 9999,
    }
    assert outline(told, {"code", "rows", "no"}) == {
        "code": 0,
        "rows": [
            {
                "no": "D1",
                "name": "<str 3>",
                "age": "<int 2>",
                "more": {"no": "<str 1>", "is": "<bool 4>", "none": "<NoneType 4>"},
            }
        ],
        "long": "<str 9999>",
        "no": "<str 9999>",
    }


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        pytest.param(
            "<html>维护中，请致电 13800001234</html>", "<html>维护中，请致电 138******34</html>", id="a page"
        ),
        pytest.param(
            '{"code":0,"msg":"ok","nick":"王\\"小明', '{"code":0,"msg":"ok","nick":"…', id="cut off"
        ),
        pytest.param("x" * 5000, "x" * 200, id="long"),
        pytest.param("", "", id="nothing"),
        pytest.param("[" * 3000, "[" * 200, id="deep"),
    ],
)
def test_of_what_is_no_json_a_short_head_is_kept(body: str, kept: str) -> None:
    assert kept_of(body.encode(), {"code", "msg"}) == kept


@pytest.mark.parametrize("source", [JST, WDT, FLAG], ids=lambda each: each.kind)
def test_no_field_of_a_buyer_is_among_those_that_are_kept(source: Any) -> None:
    assert source.fields.isdisjoint(BUYER)


def test_a_row_that_is_nested_without_end_is_told_from_another_page() -> None:
    """A page that comes again is found out by its rows, whatever hangs from one of them."""
    deep = "[" * 900 + "]" * 900
    rows = ",".join(f'{{"order_no":"D{i}","x":{deep}}}' for i in range(100))
    answer = f'{{"code":0,"total_count":150,"stockout_list":[{rows}]}}'.encode()
    read = rehearse(WDT.pull(fresh(NOW - timedelta(minutes=30)), NOW, HELD), lambda _: Reply(200, answer))
    assert len(read.documents) + len(read.poisoned) == 100
    assert read.more


@pytest.mark.parametrize(
    ("source", "page"),
    [
        pytest.param(
            JST,
            '{"code":0,"data":{"has_next":false,"datas":[{"io_id":HUGE,"ts":1},{"io_id":"D2","ts":HUGE},ROW]}}',
            id="聚水潭",
        ),
        pytest.param(
            WDT,
            '{"code":0,"total_count":3,"stockout_list":[{"order_no":HUGE},{"order_no":"D2","status":HUGE},ROW]}',
            id="旺店通",
        ),
        pytest.param(
            FLAG,
            '{"status":0,"data":{"total_count":3,"order":[{"order_no":HUGE},{"order_no":"D2","status":HUGE},ROW]}}',
            id="旗舰版",
        ),
    ],
)
def test_a_number_too_long_for_anybody_costs_its_row_and_not_the_page(source: Any, page: str) -> None:
    row = {
        "io_id": "D3",
        "order_no": "D3",
        "status": "Confirmed" if source is JST else 95,
        "l_id": number(1),
        "logistics_no": number(1),
        "io_date": "2026-03-02 09:00:00",
        "ts": 3,
    }
    told = page.replace("ROW", json.dumps(row)).replace("HUGE", "9" * 5000)
    start = fresh(NOW - timedelta(minutes=30))
    read = rehearse(source.pull(start, NOW, HELD), lambda _: Reply(200, told.encode()))
    assert [each.number for each in read.documents] == ["D3"]
    assert len(read.poisoned) == 2
    assert "9" * 200 not in "".join(each.body for each in read.poisoned)
    assert all(json.loads(each.body) for each in read.poisoned)
