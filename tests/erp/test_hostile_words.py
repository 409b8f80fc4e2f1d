"""Phones and endless words in what an ERP tells, and pages without end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.remote import RemoteError, Reply, Secret
from monitor.erp import windows
from monitor.erp.base import Grant, Page
from monitor.erp.jushuitan import Jushuitan
from monitor.erp.rows import name, names, said_in, waybills
from monitor.intake.values import Unfit
from monitor.store import providers, pulls
from monitor.store.database import Database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PHONE = "13812345678"
SOURCE = Jushuitan("a", Secret("s"), Secret("t"), Secret("r"))


def document(**told: Any) -> dict[str, Any]:
    row = {"io_id": "D1", "o_id": "8001", "shop_id": "1", "shop_name": "店", "status": "Confirmed", "ts": 5}
    row |= {"l_id": "75812345678901"}
    return {**row, "io_date": "2026-11-22 10:00:00", "logistics_company": "中通快递", **told}


def answered(cursor: Any, told: dict[str, Any]) -> Page:
    asking = SOURCE.pull(cursor, NOW, Grant(Secret("t")))
    next(asking)
    with pytest.raises(StopIteration) as done:
        asking.send(Reply(200, json.dumps(told).encode()))
    page = done.value.value
    assert isinstance(page, Page)
    return page


def page_of(row: dict[str, Any], *, more: bool = False, cursor: Any = None) -> Page:
    told = {"code": 0, "issuccess": True, "data": {"has_next": more, "datas": [row]}}
    return answered(cursor or windows.fresh(NOW - timedelta(hours=1)), told)


@pytest.mark.parametrize("field", ["shop_name", "logistics_company", "wms_co_id", "status"])
def test_what_something_is_called_holds_no_phone(field: str) -> None:
    page = page_of(document(**{field: f"客服138\u200b1234\u200b5678 {PHONE}"}))
    assert "12345678" not in repr((page.unknown, [(each.shop, each.warehouse) for each in page.documents]))
    assert [each.parcels[0].named.count("138******78") for each in page.documents] == [
        2 if field == "logistics_company" else 0
    ]


@pytest.mark.parametrize("field", ["o_id", "so_id", "io_id"])
def test_an_order_of_words_with_a_phone_is_put_aside_and_not_repeated(field: str) -> None:
    page = page_of(document(**{field: f"张三丰 {PHONE}"}))
    assert page.documents == ()
    [aside] = page.poisoned
    assert field in aside.why
    assert PHONE not in repr((aside.why, aside.number, aside.body))


def test_bare_digits_are_an_order_and_letters_with_digits_a_waybill() -> None:
    row = {"o": PHONE, "w": f"A-{PHONE}"}
    assert (name(row, "o"), names(row, "o"), waybills(row, "w")) == (PHONE, (PHONE,), (f"A-{PHONE}",))
    assert names(row, "w") == (f"A-{PHONE}",), "a shop's own code"
    with pytest.raises(Unfit):
        names({"w": f"张三 {PHONE}"}, "w")


@pytest.mark.parametrize(("company", "documents"), [("", 0), ("某某快递", 1)])
def test_a_phone_is_no_waybill_of_nobody(company: str, documents: int) -> None:
    page = page_of(document(l_id=PHONE, logistics_company=company))
    assert (len(page.documents), len(page.poisoned)) == (documents, 1 - documents)


def test_what_a_service_says_is_short_and_without_phones(database: Database) -> None:
    said = f"收件人电话{PHONE} " + "x" * 200_000
    assert len(said_in({"msg": said}, "msg")) == 300
    asking = SOURCE.pull(windows.fresh(NOW - timedelta(hours=1)), NOW, Grant(Secret("t")))
    next(asking)
    with pytest.raises(RemoteError) as error:
        asking.send(Reply(200, json.dumps({"code": 777, "msg": said}).encode()))
    assert PHONE not in str(error.value)
    assert len(str(error.value)) < 400
    database.write_now(lambda conn: providers.oddity(conn, "erp", said, "", NOW))
    database.write_now(lambda conn: pulls.note_health(conn, pulls.PullState("erp", last_error=said)))
    kept = database.read_now(lambda conn: pulls.load(conn, "erp")).last_error
    assert (len(kept), PHONE in kept) == (providers.SAID, False)


def test_a_service_that_always_has_a_next_page_is_told_of_and_read_on_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windows, "MOST_PAGES", 3)
    cursor: Any = None
    pages = []
    for ts in (5, 6, 7, 8):
        pages.append(page_of(document(ts=ts), more=True, cursor=cursor))
        cursor = pages[-1].cursor
    assert [(each.more, len(each.poisoned), each.cursor["ts"]) for each in pages] == [
        (True, 0, 5),
        (True, 0, 6),
        (False, 1, 7),
        (True, 0, 8),
    ]
    assert all(each.proven_until is None for each in pages)
