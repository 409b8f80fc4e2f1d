"""The simulated 聚水潭, read by the product's own adapter: every shipped order once, tokens that lapse, and quiet parcels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from domain.findings import Stage
from domain.journey import condense
from domain.orders import Case
from domain.remote import Conversation, Denied, RemoteError, Reply, Secret
from monitor.demo.erp import SENDER_TAIL, Carriers, erp_world, make_erp_app
from monitor.demo.scans import events_at
from monitor.demo.serving import serving
from monitor.demo.world import Parcel, World
from monitor.erp.base import Grant, Page
from monitor.erp.jushuitan import Jushuitan
from monitor.erp.windows import fresh
from monitor.profiles import load_profiles
from rules.judge import judge
from rules.policy import PolicyBook

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
BACKLOG = timedelta(days=4)
BOOK = PolicyBook(load_profiles())


@pytest.fixture(scope="module")
def world() -> World:
    return erp_world(8, START, BACKLOG)


class Office:
    """The ERP's service and the adapter that asks it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, now: list[datetime]) -> None:
        self._session, self._now = session, now
        self.account = Jushuitan("demo", Secret("secret"), base_url=url)

    async def converse(self, talk: Conversation[Any]) -> Any:
        request = next(talk)
        while True:
            headers = dict(request.headers)
            async with self._session.post(request.url, data=request.content, headers=headers) as answer:
                reply = Reply(answer.status, await answer.read())
            try:
                request = talk.send(reply)
            except StopIteration as over:
                return over.value

    async def pull(self, held: Grant) -> list[Page]:
        """Every page of the last days."""
        cursor, pages = fresh(START - BACKLOG), []
        while True:
            page = await self.converse(self.account.pull(cursor, self._now[0], held))
            pages.append(page)
            cursor = page.cursor
            if not page.more:
                return pages


def play(world: World, scenario: Callable[[Office, list[datetime]], Awaitable[None]]) -> None:
    async def main() -> None:
        now = [START]
        app = make_erp_app(world, app_key="demo", app_secret="secret", clock=lambda: now[0])
        async with serving(app) as url, aiohttp.ClientSession() as session:
            await scenario(Office(session, url, now), now)

    asyncio.run(main())


def test_every_shipped_order_is_told_once_with_its_waybill(world: World) -> None:
    async def scenario(office: Office, now: list[datetime]) -> None:
        held = await office.converse(office.account.renew(None, START))
        documents = [each for page in await office.pull(held) for each in page.documents]
        shipped = world.shipped(START - BACKLOG, START)
        assert len(shipped) > 50, "more than a page"
        told = {each.platform_orders[0]: each.parcels[0] for each in documents}
        assert len(documents) == len(told) == len(shipped)
        for parcel in shipped:
            one = told[parcel.order.order_no]
            assert (one.carrier, one.waybill_no) == (parcel.carrier.key, parcel.waybill_no)

    play(world, scenario)


def test_a_token_lapses_and_is_renewed_and_the_one_before_is_void(world: World) -> None:
    async def scenario(office: Office, now: list[datetime]) -> None:
        first = await office.converse(office.account.renew(None, now[0]))
        second = await office.converse(office.account.renew(first, now[0]))
        with pytest.raises(Denied):
            await office.pull(first)
        assert await office.pull(second)
        now[0] += timedelta(days=31)
        with pytest.raises(Denied):
            await office.pull(second)

    play(world, scenario)


def test_nobody_without_the_secret_reads_anything(world: World) -> None:
    async def scenario(office: Office, now: list[datetime]) -> None:
        office.account = Jushuitan("demo", Secret("guessed"), base_url=office.account.base_url)
        with pytest.raises(RemoteError):
            await office.converse(office.account.renew(None, START))

    play(world, scenario)


def findings(parcel: Parcel) -> set[str]:
    """What the rules claim of it, looked at every three hours for a fortnight, as the ERP's order tells it."""
    shipped = parcel.order.shipped_at
    assert shipped is not None
    found: set[str] = set()
    for n in range(0, 14 * 24, 3):
        now = shipped + timedelta(hours=n)
        journey = condense(events_at(parcel.scans, now))
        case = Case(parcel.waybill, (parcel.order,), journey, observed_at=now, orders_observed_at=now)
        verdict = judge(case, BOOK.policy_for(case), now)
        found |= {each.rule for each in verdict.findings if each.stage is Stage.BREACH}
    return found


def test_nothing_goes_wrong_in_its_shop(world: World) -> None:
    """What the watch found of it would be made up."""
    assert [findings(parcel) - {"paid_to_signed"} for parcel in world.parcels(60)] == [set()] * 60


def test_the_carriers_know_both_worlds_and_no_number_twice(world: World) -> None:
    main = World(7, START, per_day=180, backlog=BACKLOG)
    carriers, later = Carriers(main, world), START + timedelta(days=9)
    for theirs in (main, world):
        for parcel in theirs.parcels(300):
            com, number = parcel.carrier.key, parcel.waybill_no
            assert carriers.lookup(com, number, later) == theirs.lookup(com, number, later)
            if parcel.carrier.checks_phone:
                tail = SENDER_TAIL if theirs is world else parcel.phone_tail
                assert carriers.phone_tail(com, number) == tail
            else:
                assert carriers.phone_tail(com, number) is None
