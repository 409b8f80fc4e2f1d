"""The provider's pushes: subscribed once, told what is new and only that, signed, and again where nobody took it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from carriers.base import Question
from carriers.kuaidi100 import Kuaidi100
from carriers.push import Delivery, End, Forged, Push
from domain.orders import Waybill
from domain.remote import Secret
from monitor.demo.faults import Fault, Switchboard
from monitor.demo.provider import make_provider_app
from monitor.demo.pushing import Pushes
from monitor.demo.scans import Row
from monitor.demo.serving import serving

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SALT = "pepper"
PICKED = Row(START - HOUR, "【广州市】已揽收", "103")
LEFT = Row(START + HOUR, "快件离开【广州转运中心】", "0")
SIGNED = Row(START + 2 * HOUR, "已签收", "301")
READER = Kuaidi100(Secret("C"), Secret("K"), salt=Secret(SALT))
TAKEN = {"result": True, "returnCode": "200", "message": "成功"}


class Numbers:
    """A source that knows one number; 顺丰's opens with 1234."""

    rows: tuple[Row, ...] = ()

    def lookup(self, com: str, num: str, at: datetime) -> list[Row] | None:
        return [row for row in self.rows if row.at <= at][::-1] or None

    def phone_tail(self, com: str, num: str) -> str | None:
        return "1234" if com == "shunfeng" else None


class Town:
    """The provider, somebody who is pushed to, and the time."""

    def __init__(self) -> None:
        self.now = START
        self.source = Numbers()
        self.board = Switchboard()
        self.pushes = Pushes(self.source, lambda: self.now, self.board)
        self.came: list[Push] = []
        self.answer: dict[str, Any] = TAKEN
        self.session: aiohttp.ClientSession
        self.provider = self.here = ""

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(Push(await request.read(), dict(request.headers), dict(request.query)))
        return web.json_response(self.answer)

    async def subscribe(self, com: str = "zhongtong", phone: str = "", key: str = "K") -> dict[str, Any]:
        """As the product's own adapter asks it."""
        account = Kuaidi100(Secret("C"), Secret(key), salt=Secret(SALT), base_url=self.provider)
        question = Question(Waybill(com, "75812345678901"), Secret(phone) if phone else None)
        asked = next(account.subscribe([question], self.here, self.now))
        async with self.session.post(asked.url, data=asked.content, headers=dict(asked.headers)) as reply:
            told: dict[str, Any] = await reply.json()
            return told

    async def later(self, length: timedelta = HOUR) -> list[Delivery]:
        """What is pushed after so long, as the product's own adapter reads it."""
        self.now += length
        self.came.clear()
        await self.pushes.turn(self.session)
        return [READER.receive(push, self.now) for push in self.came]


def play(scenario: Callable[[Town], Awaitable[None]]) -> None:
    async def main() -> None:
        town = Town()
        inbox = web.Application()
        inbox.router.add_post("/callbacks/k100", town.take)
        asked = make_provider_app(
            town.source, customer="C", key="K", clock=lambda: town.now, board=town.board, pushes=town.pushes
        )
        async with (
            serving(asked) as town.provider,
            serving(inbox) as base,
            aiohttp.ClientSession() as town.session,
        ):
            town.here = f"{base}/callbacks/k100"
            await scenario(town)

    asyncio.run(main())


def texts(told: list[Delivery]) -> list[list[str]]:
    return [[event.text for event in each.answers[0].events] for each in told]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({}, ["200", "501"], id="once; the second time it says so"),
        pytest.param({"com": "quxian"}, ["701", "701"], id="a carrier nobody has"),
        pytest.param({"key": "L"}, ["600", "600"], id="a wrong key"),
    ],
)
def test_a_subscription_is_taken_once(asked: dict[str, str], code: list[str]) -> None:
    async def scenario(town: Town) -> None:
        assert [(await town.subscribe(**asked))["returnCode"] for _ in code] == code

    play(scenario)


def test_what_is_new_is_pushed_and_only_that() -> None:
    async def scenario(town: Town) -> None:
        town.source.rows = (PICKED, LEFT, SIGNED)
        await town.subscribe()
        assert texts(await town.later(timedelta(0))) == [[PICKED.text]]
        assert await town.later(timedelta(minutes=10)) == [], "it is not looked at yet"
        assert texts(await town.later(timedelta(minutes=50))) == [[PICKED.text, LEFT.text]]
        assert await town.later(timedelta(minutes=45)) == [], "nothing is new"
        [signed] = await town.later()
        assert signed.ended == (), "a line may still follow"
        [over] = await town.later(timedelta(hours=25))
        assert [each.why for each in over.ended] == [End.DONE]
        assert await town.later(timedelta(days=1)) == []
        assert town.pushes.pushed == 4

    play(scenario)


def test_a_number_without_any_record_is_given_up_after_three_days() -> None:
    async def scenario(town: Town) -> None:
        await town.subscribe()
        assert await town.later() == []
        [told] = await town.later(timedelta(days=3))
        assert [each.why for each in told.ended] == [End.NO_RECORD]
        assert (await town.subscribe())["returnCode"] == "200", "it may be asked for again"

    play(scenario)


@pytest.mark.parametrize(("phone", "told"), [("1234", 1), ("4321", 0), ("", 0)])
def test_who_does_not_know_the_phone_hears_nothing(phone: str, told: int) -> None:
    async def scenario(town: Town) -> None:
        town.source.rows = (PICKED,)
        await town.subscribe("shunfeng", phone)
        assert len(await town.later()) == told

    play(scenario)


def test_what_nobody_took_is_pushed_again() -> None:
    async def scenario(town: Town) -> None:
        town.source.rows = (PICKED,)
        await town.subscribe()
        town.answer = {"result": False, "returnCode": "500"}
        assert len(await town.later(timedelta(0))) == 1
        town.answer = TAKEN
        assert texts(await town.later()) == [[PICKED.text]]
        assert await town.later() == []

    play(scenario)


def test_a_provider_in_trouble_takes_and_pushes_nothing_and_catches_up() -> None:
    async def scenario(town: Town) -> None:
        town.source.rows = (PICKED, LEFT)
        await town.subscribe()
        town.board.turn(Fault.KEY_EXPIRED)
        assert (await town.subscribe())["returnCode"] == "601"
        assert await town.later() == []
        town.board.turn(Fault.OK)
        assert texts(await town.later()) == [[PICKED.text, LEFT.text]]

    play(scenario)


def test_a_push_is_signed_with_the_salt_of_its_subscriber() -> None:
    async def scenario(town: Town) -> None:
        town.source.rows = (PICKED,)
        await town.subscribe()
        await town.later()
        [push] = town.came
        with pytest.raises(Forged):
            Kuaidi100(Secret("C"), Secret("K"), salt=Secret("salt")).receive(push, town.now)

    play(scenario)
