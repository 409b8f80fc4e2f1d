"""Numbers without a carrier get one: from their shape, or from an account that knows; or say why not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from carriers.base import Guess, Provider
from carriers.kdniao import Kdniao
from domain.orders import UNNAMED, Waybill
from domain.remote import Secret
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount
from monitor.net import Net
from monitor.polling.recognise import Recognition, choose
from monitor.store import leases
from monitor.store.database import Database
from tests.store.given import T0, incoming, take

KNOWN = {"Success": True, "Shippers": [{"ShipperCode": "STO"}, {"ShipperCode": "ZTO"}, {"ShipperCode": "YD"}]}
NOBODY = {"Success": False, "Shippers": [], "Reason": "单号无法识别"}


def account(provider: Provider | None = None) -> ProviderAccount:
    kdniao = provider or Kdniao("1000000", Secret("k" * 8))
    return ProviderAccount("kdn", "kdniao", kdniao, frozenset({"*"}), kdniao.ceilings, timedelta(0))


class Desk:
    """A store, a service that answers, and the verb between them."""

    def __init__(self, store: Database, answer: Callable[[], httpx.Response], accounts: int = 1) -> None:
        self.store = store
        self.asked: list[str] = []
        self.now = T0

        def heard(request: httpx.Request) -> httpx.Response:
            self.asked.append(request.content.decode())
            return answer()

        self.verb = Recognition(
            [account()] * accounts, store, Net(transport=httpx.MockTransport(heard)), Clock(lambda: self.now)
        )

    def ring(self, later: timedelta = timedelta(0)) -> None:
        self.now += later
        asyncio.run(self.verb.tick())

    def put(self, *numbers: str) -> None:
        for number in numbers:
            take(self.store, replace(incoming(f"o {number}"), waybills=(Waybill(UNNAMED, number),)))

    def rows(self) -> list[tuple[Any, ...]]:
        query = text("SELECT waybill_no, carrier, declared, why FROM parcels ORDER BY id")
        return [tuple(row) for row in self.store.read_now(lambda conn: conn.execute(query).all())]


def says(body: object, status: int = 200) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, content=json.dumps(body))


def test_letters_need_nobody(database: Database) -> None:
    desk = Desk(database, says(KNOWN))
    desk.put("SF1390001112223")
    desk.ring()
    assert desk.rows() == [("SF1390001112223", "shunfeng", "auto", "")]
    assert desk.asked == []


def test_digits_are_asked_about_and_nothing_is_taken_that_cannot_be(database: Database) -> None:
    """The service's first guess is 申通, whose numbers look otherwise; the second one fits."""
    desk = Desk(database, says(KNOWN))
    desk.put("75812345678901")
    desk.ring()
    assert desk.rows() == [("75812345678901", "zhongtong", "auto", "")]
    assert len(desk.asked) == 1
    desk.ring()
    assert len(desk.asked) == 1, "it has a name now"


def test_what_nobody_knows_is_asked_again_twice_and_says_so(database: Database) -> None:
    desk = Desk(database, says(NOBODY))
    desk.put("75812345678901")
    for later, asked in ((0, 1), (5, 1), (1, 2), (23, 2), (1, 3), (1000, 3)):
        desk.ring(timedelta(hours=later))
        assert len(desk.asked) == asked, later
    [(_, carrier, _, why)] = desk.rows()
    assert carrier == UNNAMED
    assert "可能是中通快递；请补上快递公司再导入" in why


def test_without_an_account_only_shapes_tell(database: Database) -> None:
    desk = Desk(database, says(KNOWN), accounts=0)
    desk.put("75812345678901", "YT8812345678901")
    desk.ring()
    assert [row[1] for row in desk.rows()] == [UNNAMED, "yuantong"]
    assert desk.asked == []


def test_an_account_that_comes_later_is_asked_at_its_start(database: Database) -> None:
    """Days without one used up none of its questions."""
    alone = Desk(database, says(KNOWN), accounts=0)
    alone.put("75812345678901")
    for _ in range(4):
        alone.ring(timedelta(days=2))
    [(_, carrier, _, why)] = alone.rows()
    assert (carrier, bool(why)) == (UNNAMED, True)
    desk = Desk(database, says(KNOWN))
    desk.now = alone.now
    desk.ring()
    assert desk.rows() == [("75812345678901", "zhongtong", "auto", "")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Success": False, "Reason": "非法参数", "Shippers": None}, 200),
        ("busy", 503),
        ("<html>", 200),
        ("", 429),
    ],
)
def test_an_account_that_cannot_say_rests_and_nothing_is_lost(
    database: Database, body: object, status: int
) -> None:
    desk = Desk(database, says(body, status))
    desk.put("75812345678901", "75812345678902")
    desk.ring()
    asked = len(desk.asked)
    desk.ring(timedelta(seconds=30))
    assert len(desk.asked) == asked, "it rests"
    assert [row[1:] for row in desk.rows()] == [(UNNAMED, "", "")] * 2
    desk.ring(timedelta(minutes=11))
    assert len(desk.asked) > asked


def test_a_lost_answer_is_not_asked_for_again_at_once(database: Database) -> None:
    """The account's pace holds for these questions too."""

    def cut() -> httpx.Response:
        raise httpx.ReadError("reset")

    desk = Desk(database, cut)
    desk.put("75812345678901")
    desk.ring()
    assert len(desk.asked) == 1


def test_a_number_is_recognised_only_while_the_account_has_a_slot(database: Database) -> None:
    """Its questions count among those under way; afterwards the slot is everybody's."""
    held: list[int] = []

    def counting() -> httpx.Response:
        held.append(database.read_now(lambda conn: leases.held(conn, "kdn", T0)))
        return httpx.Response(200, content=json.dumps(KNOWN))

    desk = Desk(database, counting)
    desk.put("75812345678901")
    desk.ring()
    assert held[0] > 0
    assert database.read_now(lambda conn: leases.held(conn, "kdn", T0)) == 0


def test_the_guess_that_cannot_be_right_is_passed_over() -> None:
    found = (Guess("yuantong", 0.8, "k100"), Guess(UNNAMED, 0.7, "k100"), Guess("danniao", 0.5, "k100"))
    assert choose("75812345678901", found) == found[2], "nobody knows what 丹鸟's numbers look like"
    assert choose("YT8812345678901", found) == found[0]
    assert choose("75812345678901", found[:2]) is None


def test_the_moment_is_an_argument(database: Database) -> None:
    desk = Desk(database, says(NOBODY))
    desk.put("75812345678901")
    desk.ring()
    at = database.read_now(lambda conn: conn.execute(text("SELECT at FROM recognitions")).scalar_one())
    assert datetime.fromtimestamp(at / 1e6, T0.tzinfo) == T0


def test_nobody_is_paid_for_an_answer_about_a_number_that_is_nobodys() -> None:
    assert account().serves("zhongtong")
    assert not account().serves(UNNAMED)
