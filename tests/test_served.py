"""What it is no use to ask is not asked: a carrier the service does not know, one that wants a phone nobody has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from carriers.base import billed_for, kinds, rhythm, serves
from carriers.names import CARRIERS
from domain.orders import Waybill
from monitor.store import parcels, providers
from monitor.store.database import Database
from monitor.store.parcels import Incoming
from tests.simulated import PICKED, T0, Adapter, Robot, World, order

OWN = {
    "sf": {"shunfeng", "shunfengkuaiyun"},
    "zto": {"zhongtong"},
    "yto": {"yuantong"},
    "sto": {"shentong"},
    "yunda": {"yunda"},
}


@dataclass(frozen=True)
class Shy(Adapter):
    """Knows two carriers, and one of them asks for a phone."""

    def serves(self, carrier: str) -> bool:
        return carrier in {"zhongtong", "shunfeng"}

    def needs_phone(self, carrier: str) -> bool:
        return carrier == "shunfeng"


@pytest.fixture
def world(database: Database) -> World:
    made = World(database, [Robot("ops")], adapter=Shy(), carriers=frozenset({"*"}))
    made.account = replace(made.account, price=Decimal(1))
    made.restart()
    for number in ("Z1", "S1", "S2", "Y1"):
        made.carrier.says(number, (-1, PICKED))
    return made


def spent(world: World) -> int:
    return world.store.read_now(lambda conn: providers.spent(conn, "k100", T0.date())).asked


def test_without_the_phone_that_its_carrier_wants_it_is_not_asked(world: World) -> None:
    mute = world.import_("S1", carrier="shunfeng")
    plain = world.import_("Z1")
    world.due_now()
    world.poll()
    assert [number for _, number in world.carrier.asked] == ["Z1"]
    assert spent(world) == 1
    why = world.loaded(mute).why
    assert "手机号后四位" in why
    assert "phone_tail" in why
    assert world.loaded(mute).next_poll_at == T0 + timedelta(days=1)
    assert world.loaded(mute).case.observed_at is None, "nothing is proven, nobody accused"
    assert world.loaded(plain).why == ""


def test_with_the_phone_it_is(world: World) -> None:
    rows = [Incoming(order("S2"), (Waybill("shunfeng", "S2"),), "1234", T0)]
    world.store.write_now(lambda conn: parcels.intake(conn, rows, T0))
    world.tick()
    world.due_now()
    world.poll()
    assert [number for _, number in world.carrier.asked] == ["S2"]


def test_a_carrier_the_service_does_not_know_is_another_accounts(world: World) -> None:
    parcel = world.import_("Y1", carrier="yuantong")
    assert not world.account.serves("yuantong")
    assert world.loaded(parcel).provider == ""


@pytest.mark.parametrize("kind", sorted(OWN))
def test_a_carriers_own_interface_serves_its_own_parcels(kind: str) -> None:
    adapter = object.__new__(kinds()[kind])
    assert {each.key for each in CARRIERS if serves(adapter, each.key)} == OWN[kind]


def test_an_adapter_that_does_not_say_serves_all_charges_once_and_has_no_rhythm() -> None:
    plain = Adapter()
    assert serves(plain, "yuantong")
    assert billed_for(plain) > timedelta(days=10_000)
    assert rhythm(plain) == timedelta(0)
