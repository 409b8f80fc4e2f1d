"""Orders over the interface: every row its verdict, a key makes it once, and a file would have been judged alike."""

from __future__ import annotations

import asyncio
import csv
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.time import SHANGHAI
from monitor.intake.columns import OWN
from monitor.intake.files import read_orders
from monitor.intake.objects import NAMES, read_object
from monitor.intake.rows import Terms
from tests.web.api.conftest import NOW, Api, problem

MB = 1024 * 1024
ORDERS = "/api/v1/orders"


def order(n: int = 1, **more: Any) -> dict[str, Any]:
    """A row that is fine."""
    fixed = {
        "order_no": f"6920254321{n:06}",
        "platform": "taobao_tmall",
        "shop": "旗舰店",
        "carrier": "中通",
        "waybill_no": f"7581234567{n:04}",
        "paid_at": "2026-11-01T10:00:00+08:00",
    }
    return fixed | more


def told(body: Any) -> list[tuple[str, list[str]]]:
    """Outcome and reasons of each row."""
    return [(row["outcome"], [each["reason"] for each in row["problems"]]) for row in body["verdicts"]]


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────────


def test_one_order_is_put_on_watch(api: Api) -> None:
    body = api.post("/orders", order())
    assert body["rows"] == body["accepted"] == 1
    [row] = body["verdicts"]
    assert row["order_no"] == "6920254321000001"
    assert row["waybills"] == ["zhongtong/75812345670001"]
    assert row["problems"] == row["warnings"] == []
    assert api.column("SELECT waybill_no FROM parcels") == ["75812345670001"]


def test_what_becomes_of_each_row_of_a_batch(api: Api) -> None:
    api.post("/orders", [order(1), order(2), order(3)])
    api.now[0] += timedelta(hours=1)
    batch = [
        order(1),
        order(2, receiver_province="广东"),
        order(4),
        order(5, carrier="没有这家"),
        order(6, status="交易关闭"),
        order(7, waybill_no=""),
    ]
    body = api.post("/orders", batch)
    assert told(body) == [
        ("unchanged", []),
        ("updated", []),
        ("accepted", []),
        ("rejected", ["unknown_carrier"]),
        ("ignored", ["closed"]),
        ("accepted", []),
    ]
    assert [row["order_no"] for row in body["verdicts"]] == [each["order_no"] for each in batch]
    assert [body[each] for each in ("rows", "accepted", "updated", "unchanged", "older", "rejected")] == [
        6, 2, 1, 1, 0, 1,
    ]  # fmt: skip
    assert [row["row"] for row in body["verdicts"]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("rows", "status"), [(100, 200), (101, 422)])
def test_one_request_has_five_thousand_parcels_at_most(api: Api, rows: int, status: int) -> None:
    """It is one transaction, during which nobody else writes."""
    batch = [
        order(n, waybill_no=" ".join(f"7581234{n:03}{each:04}" for each in range(50))) for n in range(rows)
    ]
    answer = api.run(lambda client: client.post(ORDERS, content=json.dumps(batch), headers=JSON))
    assert answer.status_code == status
    if status == 422:
        assert "最多 5000 个运单，这次有 5050 个" in answer.json()["detail"]
        assert api.column("SELECT count(*) FROM parcels") == [0]


def test_an_older_word_never_replaces_a_newer_one(api: Api) -> None:
    api.post("/orders", order(shipped_at="2026-11-01T12:00:00+08:00"))
    body = api.post("/orders?known_at=2026-11-01T00:00:00Z", order(shipped_at="2026-11-01T11:00:00+08:00"))
    assert told(body) == [("older", [])]


def test_a_word_from_the_future_counts_as_of_now(api: Api) -> None:
    """Else it would forbid every correction until then."""
    api.post("/orders?known_at=2099-01-01T00:00:00%2B08:00", order(receiver_city="杭州"))
    api.now[0] += timedelta(minutes=1)
    assert told(api.post("/orders", order(receiver_city="宁波"))) == [("updated", [])]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        pytest.param(order(order_no=""), "order_no", "missing_order_no", id="no order number"),
        pytest.param({}, "order_no", "missing_order_no", id="nothing at all"),
        pytest.param(order(carrier=None), "carrier", "", id="no carrier: recognised later"),
        pytest.param(order(waybill_no="758 1234"), "carrier", "", id="two numbers of one carrier are fine"),
        pytest.param(order(waybill_no="运单"), "waybill_no", "bad_waybill", id="no waybill number"),
        pytest.param(order(waybill_no=7.5812345e18), "waybill_no", "number_damaged", id="rounded by a sheet"),
        pytest.param(order(paid_at="昨天"), "paid_at", "bad_time", id="no time"),
        pytest.param(order(amount={"yuan": 5}), "amount", "bad_value", id="an object as a value"),
        pytest.param(order(tags=[["a"]]), "tags", "bad_value", id="a list in a list"),
        pytest.param(order(order_no="9" * 65), "order_no", "bad_number", id="a number too long"),
        pytest.param(order(shop="x" * 40_000), "shop", "bad_value", id="longer than any cell"),
        pytest.param(order(oder_no="1"), "oder_no", "unknown_field", id="a misspelt field"),
        pytest.param(order(order_no="\ud800"), "order_no", "bad_encoding", id="half a character"),
    ],
)
def test_a_rejected_row_says_which_field_and_why(api: Api, row: Any, field: str, reason: str) -> None:
    body = api.run(
        lambda client: client.post(ORDERS, content=json.dumps([row, order(2)]), headers=JSON)
    ).json()
    first, second = body["verdicts"]
    assert second["outcome"] == "accepted", "its neighbour is not touched"
    if not reason:
        assert first["outcome"] == "accepted"
        return
    assert first["outcome"] == "rejected"
    assert (field, reason) in [(each["field"], each["reason"]) for each in first["problems"]]
    assert first["detail"]


JSON = {"content-type": "application/json"}


def test_a_rejected_row_names_the_order_that_was_sent(api: Api) -> None:
    sent = [
        order(carrier="没有这家"),
        order(order_no="A\u202e\x1b1 13812345678", carrier="没有这家"),
        order(order_no=""),
    ]
    first, second, third = api.post("/orders", sent)["verdicts"]
    assert first["order_no"] == "6920254321000001"
    assert second["order_no"] == "A1 138******78", "what became no order is text from outside"
    assert third["order_no"] == ""


def test_every_reason_of_a_row_is_told_at_once(api: Api) -> None:
    [row] = api.post("/orders", order(carrier="没有这家", paid_at="昨天", amount="很多"))["verdicts"]
    assert {each["field"] for each in row["problems"]} == {"carrier", "paid_at"}
    assert [each["field"] for each in row["warnings"]] == ["amount"]


def test_a_misspelt_field_names_the_nearest_one(api: Api) -> None:
    [row] = api.post("/orders", order(waybil_no="1"))["verdicts"]
    assert "waybill_no" in row["problems"][0]["text"]


@pytest.mark.parametrize("amount", ["很多", -5, 1_000_000_000])
def test_an_amount_that_cannot_be_read_is_a_warning(api: Api, amount: Any) -> None:
    [row] = api.post("/orders", order(amount=amount))["verdicts"]
    assert (row["outcome"], row["warnings"][0]["reason"]) == ("accepted", "bad_amount")


def test_an_unknown_platform_is_a_warning(api: Api) -> None:
    [row] = api.post("/orders", order(platform="我的商城"))["verdicts"]
    assert (row["outcome"], row["warnings"][0]["reason"]) == ("accepted", "unknown_platform")


def test_no_verdict_tells_a_whole_phone_or_carries_a_bidi_mark(api: Api) -> None:
    row = order(order_no="A1\u202e", carrier="13812345678 <script>", amount="13812345678x")
    text = api("POST", ORDERS, json=row).text
    assert "13812345678" not in text
    assert "\u202e" not in text


def test_a_file_and_the_interface_judge_alike(tmp_path: Path) -> None:
    """The same cells, read by the import and by the interface."""
    rows = [
        order(1),
        order(2, carrier="申通快递", waybill_no="YT1234567890123"),
        order(3, carrier="没有这家"),
        order(4, paid_at="2026-11-01 10:00"),
        order(5, paid_at="2026/11/1"),
        order(6, status="交易关闭"),
        order(7, waybill_no=""),
        order(8, waybill_no="1.23457E+14"),
        order(9, amount="￥1,299.00", receiver_province="广东省", phone_tail="12a4"),
        order(10, order_no="合计"),
        order(11, carrier="", waybill_no="SF1234567890123"),
        order(12, platform="天猫", tags="急,赠品"),
    ]
    names = [*order(), "amount", "receiver_province", "phone_tail", "status", "tags"]
    path = tmp_path / "orders.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    from_file = list(read_orders(path, zone=SHANGHAI, now=NOW).rows)
    terms = Terms(SHANGHAI, NOW)
    from_interface = [read_object(terms, row, n) for n, row in enumerate(rows, 2)]
    for one, other in zip(from_file, from_interface, strict=True):
        assert (one.kind, one.order, one.waybills, one.phone_tail) == (
            other.kind, other.order, other.waybills, other.phone_tail,
        )  # fmt: skip
        assert [each.reason for each in one.problems] == [each.reason for each in other.problems]
        assert [each.reason for each in one.warnings] == [each.reason for each in other.warnings]


def test_the_document_names_every_field_of_our_own_format(api: Api) -> None:
    schema = api.run(lambda client: client.get("/openapi.json")).json()
    body = schema["paths"]["/api/v1/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["oneOf"][0]["properties"]) == set(NAMES) == set(OWN.fields)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["中通", "2026-11-01", "1e400", "=1+1", "6920254321000001", "￥5", "46000.5", 46000.5, 1e308]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=st.dictionaries(st.sampled_from(sorted(NAMES)) | st.text(max_size=8), VALUES, max_size=8))
def test_any_object_gets_a_verdict(row: dict[str, Any]) -> None:
    verdict = read_object(Terms(SHANGHAI, NOW), row, 1)
    assert verdict.kind in ("shipment", "awaiting", "ignored", "rejected")
    assert verdict.kind != "rejected" or verdict.problems


# ── bodies that are none ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b"", 400, "bad_json", id="empty"),
        pytest.param(b"{", 400, "bad_json", id="cut off"),
        pytest.param(b'{"amount": NaN}', 400, "bad_json", id="NaN"),
        pytest.param("﻿{}".encode("utf-16"), 400, "bad_json", id="half of it UTF-16"),
        pytest.param(b"\xff\xfe\xfa", 400, "bad_json", id="no text"),
        pytest.param(b"[" * 100_000, 400, "bad_json", id="a hundred thousand brackets"),
        pytest.param(b'{"a":' * 50_000, 400, "bad_json", id="fifty thousand objects in each other"),
        pytest.param(
            b'{"amount": ' + b"9" * 5000 + b"}", 400, "bad_json", id="a number of five thousand digits"
        ),
        pytest.param(b"[]", 422, "invalid", id="no rows"),
        pytest.param(b"5", 422, "invalid", id="a number"),
        pytest.param(b"null", 422, "invalid", id="null"),
        pytest.param(b'[{}, "x", 7]', 422, "invalid", id="rows that are no objects"),
    ],
)
def test_a_body_that_is_no_list_of_orders_is_refused(
    api: Api, content: bytes, status: int, code: str
) -> None:
    if content.startswith(b"\xff\xfe{"):
        content = content[:-1]
    problem(api("POST", ORDERS, content=content, headers=JSON), status, code)
    assert api.column("SELECT count(*) FROM orders") == [0]


def test_a_thousand_rows_and_no_more(api: Api) -> None:
    assert api.post("/orders", [order(n) for n in range(1000)])["accepted"] == 1000
    problem(api("POST", ORDERS, json=[order(n) for n in range(1001)]), 422)
    assert api.column("SELECT count(*) FROM orders") == [1000]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_only_json_is_taken(api: Api, kind: str) -> None:
    """A form of another site could send anything else without being asked."""
    problem(api("POST", ORDERS, content=b"{}", headers={"content-type": kind}), 415)


def test_a_body_of_100_mb_is_refused_before_it_is_read(api: Api) -> None:
    read = 0

    async def chunks() -> Any:
        nonlocal read
        for _ in range(100):
            read += MB
            yield b" " * MB

    huge = {**JSON, "content-length": str(100 * MB)}
    reply = api.run(lambda client: client.post(ORDERS, content=chunks(), headers=huge))
    problem(reply, 413)
    # httpx's in-process transport hands over what is asked for only.
    assert read == 0


def test_a_body_that_does_not_tell_its_length_is_counted_as_it_comes(api: Api) -> None:
    read = 0

    async def chunks() -> Any:
        nonlocal read
        for _ in range(100):
            read += MB
            yield b" " * MB

    problem(api.run(lambda client: client.post(ORDERS, content=chunks(), headers=JSON)), 413)
    assert 8 * MB <= read <= 10 * MB


# ── idempotency ──────────────────────────────────────────────────────────────────────────────────


def keyed(api: Api, key: str, body: Any, query: str = "") -> httpx.Response:
    return api("POST", ORDERS + query, json=body, headers={"Idempotency-Key": key})


def test_the_same_request_under_the_same_key_gets_the_same_answer(api: Api) -> None:
    first = keyed(api, "k-1", [order(1), order(2, carrier="没有这家")])
    api.now[0] += timedelta(days=6)
    again = keyed(api, "k-1", [order(1), order(2, carrier="没有这家")])
    assert first.status_code == again.status_code == 200
    assert first.content == again.content, "accepted, not unchanged: it is the first answer"
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert api.column("SELECT count(*) FROM orders") == [1]


def test_a_replay_does_nothing_again(api: Api) -> None:
    keyed(api, "k-1", order(receiver_city="杭州"))
    api.post("/orders", order(receiver_city="宁波"))
    keyed(api, "k-1", order(receiver_city="杭州"))
    assert api.column("SELECT receiver_city FROM orders") == ["宁波"]


@pytest.mark.parametrize("query", ["", "?known_at=2026-11-01T00:00:00Z"])
def test_another_request_under_the_same_key_is_refused(api: Api, query: str) -> None:
    keyed(api, "k-1", order(1))
    problem(keyed(api, "k-1", order(1 if query else 2), query), 422, "key_reused")
    assert api.column("SELECT count(*) FROM orders") == [1]


def test_a_key_is_forgotten_after_seven_days(api: Api) -> None:
    keyed(api, "k-1", order(1))
    api.now[0] += timedelta(days=7)
    assert keyed(api, "k-1", order(2)).status_code == 200
    assert api.column("SELECT count(*) FROM idempotency") == [1], "and the old answer is gone"


def test_a_request_that_was_refused_leaves_its_key_free(api: Api) -> None:
    problem(keyed(api, "k-1", []), 422)
    assert keyed(api, "k-1", order(1)).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 129, "a b", "\x01"])
def test_a_key_is_1_to_128_visible_characters(api: Api, key: str) -> None:
    problem(keyed(api, key, order(1)), 422)


def test_the_same_key_at_the_same_time_is_done_once(api: Api) -> None:
    """One does it; who comes while it is at it is told so, and gets the answer a moment later."""

    async def both(client: httpx.AsyncClient) -> list[httpx.Response]:
        headers = {"Idempotency-Key": "k-1"}
        return await asyncio.gather(*(client.post(ORDERS, json=order(1), headers=headers) for _ in range(8)))

    replies = api.run(both)
    codes = Counter(reply.status_code for reply in replies)
    assert codes[409] >= 1
    assert codes[200] >= 1
    assert set(codes) == {200, 409}
    for reply in replies:
        if reply.status_code == 409:
            problem(reply, 409, "key_busy")
            assert reply.headers["retry-after"]
    assert len({reply.content for reply in replies if reply.status_code == 200}) == 1
    assert keyed(api, "k-1", order(1)).status_code == 200
    assert api.column("SELECT count(*) FROM orders") == [1]


def test_many_at_once_lose_and_double_nothing(api: Api) -> None:
    """Forty callers, overlapping orders, each sent twice under its key until it is answered."""

    async def caller(client: httpx.AsyncClient, n: int) -> list[Any]:
        rows, answers = [order(n * 5 + i) for i in range(10)], []
        while len(answers) < 2:
            reply = await client.post(ORDERS, json=rows, headers={"Idempotency-Key": f"caller-{n}"})
            if reply.status_code == 200:
                answers.append(reply.content)
            else:
                assert reply.status_code == 409
        return answers

    async def all_(client: httpx.AsyncClient) -> list[list[Any]]:
        return await asyncio.gather(*(caller(client, n) for n in [*range(20), *range(20)]))

    answers = api.run(all_)
    for n in range(20):
        assert len({*answers[n], *answers[n + 20]}) == 1, "whoever asks under a key hears the same"
    accepted = sum(json.loads(answers[n][0])["accepted"] for n in range(20))
    assert accepted == 105 == len(api.column("SELECT id FROM orders"))
    assert (
        len(set(api.column("SELECT waybill_no FROM parcels")))
        == 105
        == len(api.column("SELECT id FROM parcels"))
    )
    assert len(api.column("SELECT key FROM idempotency")) == 20
