"""Services with a list of trackings: what is on it is read, what is not is put on it, once.

A call about several numbers may be refused for one of them: then it is made again in halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from carriers.abroad import mistaken
from carriers.base import Question
from carriers.batches import bare
from carriers.scans import word
from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Unreadable
from domain.tracking import Answer

__all__ = ["Told", "halved", "matched", "read_or_created"]

Told: TypeAlias = dict[Waybill, Answer | Rejected]
"""What is said of each number; one that is not on the list has no entry."""


def read_or_created(
    asked: Sequence[Question],
    listed: Callable[[Sequence[Question]], Conversation[Told]],
    create: Callable[[Question], Conversation[Answer | Rejected | None]],
    lost: str,
) -> Conversation[list[Answer | Rejected]]:
    """Each question's answer, in order. `create` says None for what was on the list already: it is read again.

    `lost` is told of a number that cannot be created for being there, and cannot be read.
    """
    told: Told = yield from listed(asked)
    there: list[Question] = []
    for question in asked:
        if question.waybill in told:
            continue
        made = yield from create(question)
        if made is None:
            there.append(question)
        else:
            told[question.waybill] = made
    for question in there:  # each alone: a call may be refused for one that really is not there
        told |= yield from listed([question])
    return [told.get(question.waybill, Rejected(lost)) for question in asked]


def halved(
    asked: Sequence[Question], listed: Callable[[Sequence[Question]], Conversation[Told]]
) -> Conversation[Told]:
    """The same call about one half and the other."""
    half = len(asked) // 2
    first = yield from listed(asked[:half])
    rest = yield from listed(asked[half:])
    return first | rest


def matched(
    found: Sequence[Mapping[str, Any]],
    asked: Sequence[Question],
    courier: str,
    codes: Mapping[str, str],
    who: str,
    read: Callable[[Mapping[str, Any], Waybill], Answer],
) -> Told:
    """Each question with its tracking, that of the `courier` (the name of a field) asked for before another.

    Raises `Unreadable` where there are only other numbers' trackings.
    """
    by_number: dict[str, list[Mapping[str, Any]]] = {}
    for each in found:
        by_number.setdefault(bare(word(each, "tracking_number")), []).append(each)
    if by_number and not by_number.keys() & {bare(question.waybill.waybill_no) for question in asked}:
        raise Unreadable(f"{who} 回答的是另一个单号")
    told: Told = {}
    for waybill in (question.waybill for question in asked):
        mine = by_number.get(bare(waybill.waybill_no), [])
        chosen = [each for each in mine if word(each, courier) == codes.get(waybill.carrier)] or mine
        if chosen:
            another = mistaken(word(chosen[0], courier), waybill.carrier, codes)
            told[waybill] = another or read(chosen[0], waybill)
    return told
