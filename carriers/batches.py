"""Questions to calls: which of them an account can be asked, how many at once, and whose answer is whose.

A call that is refused as a whole is no answer to any of its numbers. An adapter does not ask again for itself: each
further question counts and costs, so whoever asks looks for the number at fault (`monitor/polling/asking.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import TypeAlias, TypeVar

from carriers.base import Question
from carriers.names import display
from domain.masking import clean
from domain.remote import Conversation, Rejected, Unreadable
from domain.tracking import Answer

__all__ = ["Call", "bare", "by_number", "in_batches", "in_place"]

T = TypeVar("T")
Call: TypeAlias = Callable[[Sequence[Question]], Conversation[list[Answer | Rejected]]]
"""Asks about some waybills in one call; raises a `RemoteError` when there is no answer at all."""


def in_batches(
    questions: Sequence[Question], carriers: Container[str], who: str, batch: int, call: Call
) -> Conversation[list[Answer | Rejected]]:
    """Calls of up to `batch` about the waybills of `carriers`; the others are refused in their places, unasked."""
    ours = [each for each in questions if each.waybill.carrier in carriers]
    told: list[Answer | Rejected] = []
    for start in range(0, len(ours), batch):
        told += yield from call(ours[start : start + batch])
    answers = iter(told)
    return [
        next(answers)
        if each.waybill.carrier in carriers
        else Rejected(f"{who}的接口查不了 {display(each.waybill.carrier)}：请换一个数据源查它")
        for each in questions
    ]


def in_place(told: Sequence[Answer | Rejected | Unreadable]) -> list[Answer | Rejected]:
    """What nobody can read of one number among several costs the others nothing; of all, it is raised."""
    broken = [each for each in told if isinstance(each, Unreadable)]
    if broken and len(broken) == len(told):
        raise broken[0]
    return [Rejected(str(each)) if isinstance(each, Unreadable) else each for each in told]


def by_number(
    found: Mapping[str, T], asked: Sequence[Question], who: str, same: Callable[[str], str]
) -> list[tuple[Question, T | None]]:
    """Each question with what was found under its number, None where there is nothing.

    The keys are numbers as `same` writes them. Raises `Unreadable` where another stands in the place of ours.
    """
    numbers = {same(each.waybill.waybill_no) for each in asked}
    if numbers - found.keys() and found.keys() - numbers:
        raise Unreadable(f"{who}回答的是另一个单号 {clean(min(found.keys() - numbers), 40)!r}")
    return [(each, found.get(same(each.waybill.waybill_no))) for each in asked]


def bare(number: str) -> str:
    """A number as it is compared."""
    return number.strip().upper()
