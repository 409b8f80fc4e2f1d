"""Questions under way: who hangs holds up nobody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from domain.remote import Unavailable
from monitor.polling.flight import Flight, Result
from monitor.store.claims import Claim

T0 = datetime(2026, 11, 11, tzinfo=UTC)


def result(number: str) -> Result:
    claim = Claim(1, "zhongtong", number, None, "", "", "", None)
    return Result(claim, T0, T0, Unavailable("busy"))


async def answered(number: str) -> list[Result]:
    return [result(number)]


async def hanging(number: str) -> list[Result]:
    await asyncio.Event().wait()
    return [result(number)]


def test_a_hanging_question_holds_up_neither_the_answers_nor_the_next_questions() -> None:
    async def main() -> tuple[list[str], list[Result], int]:
        flight = Flight()
        flight.start(hanging("slow"))
        flight.start(answered("quick"))
        came = [each.claim.waybill_no for each in await flight.landed(30.0)]
        nothing = await flight.landed(0.01)
        left = flight.under_way
        flight.cancel()
        return came, nothing, left

    assert asyncio.run(main()) == (["quick"], [], 1)
