"""聚水潭's token through the puller: renewed once, kept sealed before it is used, alive after a crash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.remote import Secret
from monitor.store import pulls
from monitor.store.database import Database
from tests.erp.conftest import Source
from tests.erp.simulated_erp import Erp
from tests.simulated import Hands


@pytest.fixture
def kind() -> str:
    return "jushuitan"


@pytest.fixture
def erp(kind: str, clock: Hands) -> Iterator[Erp]:
    with Erp(kind, clock) as erp:
        erp.ship("D1", "1", "75812345678901")
        yield erp


def renewals(source: Source) -> list[str]:
    return [
        each["path"].rpartition("/")[2] for each in source.erp.asked if each["path"].startswith("/openWeb")
    ]


def test_an_expired_token_is_renewed_once_and_the_page_asked_for_again(source: Source) -> None:
    source.erp.access = "another"
    source.after(minutes=1)
    assert renewals(source) == ["refreshToken"]
    assert source.watched == ["75812345678901"]
    source.after(minutes=6)
    assert renewals(source) == ["refreshToken"]


def test_the_renewed_token_survives_a_crash_before_its_first_use(source: Source) -> None:
    source.erp.access = "another"
    source.erp.faults.extend(["ok", "ok", "reset", "reset", "reset"])  # expired, renewed, then cut off
    source.after(minutes=1)
    assert renewals(source) == ["refreshToken"]
    source.erp.faults.clear()
    source.restart()
    source.after(minutes=1)
    assert renewals(source) == ["refreshToken"], "the old refresh token would be refused"
    assert source.watched == ["75812345678901"]


def test_the_store_keeps_it_sealed(source: Source, database: Database) -> None:
    source.erp.access = "another"
    source.after(minutes=1)
    [sealed] = source.column("SELECT sealed FROM pulls")
    assert b"access-1" not in bytes(sealed)
    kept = database.read_now(lambda conn: pulls.grant(conn, "erp"))
    assert kept is not None
    assert (kept["access"], kept["refresh"]) == ("access-1", "refresh-1")


def test_it_is_renewed_before_it_lapses_and_a_failure_costs_nothing_yet(source: Source) -> None:
    source.erp.access = "another"
    source.after(minutes=1)
    source.clock.start += timedelta(days=29, hours=1)
    source.erp.faults.append("500")
    source.pull()
    assert len(renewals(source)) == 2
    assert source.puller is not None
    assert source.puller.feed.failures == 0
    source.after(hours=2)
    assert source.erp.renewals == 2


def test_a_new_token_in_the_configuration_takes_the_place_of_the_one_kept(source: Source) -> None:
    source.erp.access = "another"
    source.after(minutes=1)
    source.erp.access, source.erp.refresh = "by-hand", "by-hand-too"
    more = {"access_token": Secret("by-hand"), "refresh_token": Secret("by-hand-too")}
    source.restart(source.erp.account(**more))
    source.after(minutes=6)
    assert renewals(source) == ["refreshToken"]
    assert source.puller is not None
    assert source.puller.feed.failures == 0


def test_a_refresh_token_that_is_refused_asks_the_owner_once(source: Source) -> None:
    source.erp.access, source.erp.refresh = "another", "another"
    source.after(minutes=1)
    for _ in range(3):
        source.after(minutes=11)
    [message] = source.column("SELECT message FROM outbox")
    assert "重新授权" in message


def test_a_self_built_application_gets_its_first_token_by_itself(source: Source) -> None:
    source.erp.access = "not given yet"
    source.restart(source.erp.account(access_token=None, refresh_token=None))
    source.after(minutes=1)
    assert renewals(source) == ["getInitToken"]
    assert source.watched == ["75812345678901"]
