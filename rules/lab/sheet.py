"""The crossings a run has found, block by block, and the frame they become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.findings import FindingState, Risk, Stage
from domain.time import to_micros
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.replay import Crossing

__all__ = ["COLUMNS", "STATES", "Block", "Sheet", "blocks_of"]

COLUMNS: Final = (
    *("parcel", "rule", "stage", "step", "started_at", "crossed_at", "ended_at", "ended_by", "limit_hours"),
    *("policy", "severity", "notify", "shadow", "risk_low", "risk_high"),
)
STATES: Final = tuple(FindingState)
_STAGES: Final = tuple(Stage)
_HOUR: Final = 3600 * 1_000_000


class Block(NamedTuple):
    """Crossings of one step of one rule under one line. What all of them share is told once."""

    rule: str
    stage: Stage
    policy: str
    severity: int
    notify: bool
    shadow: bool
    step: Codes | int
    owner: Codes
    start: Micros
    at: Micros
    ended_at: Micros
    """`NEVER` while open."""
    state: Codes
    """Where in `STATES`."""
    limit: Micros | int
    """`NEVER` of trouble the carrier reports."""
    low: Micros | int
    """Fen, `NEVER` where no penalty is known."""
    high: Micros | int

    def taken(self, which: Bools) -> Block:
        """Some of them."""
        values = (value[which] if isinstance(value, np.ndarray) else value for value in self)
        return Block._make(values)

    def without(self, parcels: Bools) -> Block:
        """All but those of these parcels; itself, not a copy, where none is."""
        theirs = parcels[self.owner]
        return self.taken(~theirs) if theirs.any() else self


@dataclass
class Sheet:
    """Collects blocks."""

    blocks: list[Block] = field(default_factory=list)

    def add(self, blocks: Iterable[Block]) -> None:
        """Further crossings."""
        self.blocks += [block for block in blocks if len(block.owner)]

    def frame(self) -> pd.DataFrame:
        """All of them, sorted by parcel, rule, step and start."""
        rules = sorted({block.rule for block in self.blocks})
        order = self._order(rules)

        def each(name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
            return _whole([(getattr(block, name), len(block.owner)) for block in self.blocks], dtype)[order]

        def words(values: Sequence[str], known: Sequence[str]) -> Any:
            place = {word: n for n, word in enumerate(known)}
            number = [
                (place[word], len(block.owner)) for word, block in zip(values, self.blocks, strict=True)
            ]
            return _category(_whole(number, np.int8 if len(known) < 128 else np.int32)[order], known)

        policies = [block.policy for block in self.blocks]
        found = {
            "parcel": each("owner", np.int64),
            "rule": words([block.rule for block in self.blocks], rules),
            "stage": words([block.stage.value for block in self.blocks], [stage.value for stage in _STAGES]),
            "step": each("step", np.int16),
            "started_at": _times(each("start", np.int64)),
            "crossed_at": _times(each("at", np.int64)),
            "ended_at": _times(each("ended_at", np.int64)),
            "ended_by": _category(each("state", np.int8), [state.value for state in STATES]),
            "limit_hours": _hours(each("limit", np.int64)),
            "policy": words(policies, sorted(set(policies))),
            "severity": each("severity", np.int16),
            "notify": each("notify", np.bool_),
            "shadow": each("shadow", np.bool_),
            "risk_low": _money(each("low", np.int64)),
            "risk_high": _money(each("high", np.int64)),
        }
        return pd.DataFrame(found, columns=list(COLUMNS), copy=False)

    def _order(self, rules: Sequence[str]) -> Codes:
        """Where each row of the frame stands in the blocks; of equals the earlier found first."""
        place = {rule: n for n, rule in enumerate(rules)}
        sizes = [len(block.owner) for block in self.blocks]
        key = np.empty(sum(sizes), dtype=np.int64)
        at = 0
        for block, size in zip(self.blocks, sizes, strict=True):
            part = key[at : at + size]
            part[:] = block.owner
            part *= max(1, len(rules))
            part += place[block.rule]
            part *= 64
            part += np.minimum(block.step, 63)
            at += size
        order = np.argsort(key, kind="stable")
        return order.astype(np.int32) if len(order) <= np.iinfo(np.int32).max else order


def blocks_of(rows: Iterable[tuple[int, Crossing]]) -> Iterator[Block]:
    """Crossings of single parcels as blocks."""
    alike: dict[tuple[Any, ...], list[tuple[int, Crossing]]] = {}
    for parcel, each in rows:
        key = (each.rule, each.stage, each.policy, each.severity, each.notify, each.shadow)
        alike.setdefault(key, []).append((parcel, each))
    return (_block(key, found) for key, found in alike.items())


def _whole(parts: Sequence[tuple[Any, int]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The values of all blocks, one after the other; one that a block shares is repeated."""
    found = np.empty(sum(size for _, size in parts), dtype=dtype)
    at = 0
    for value, size in parts:
        found[at : at + size] = value
        at += size
    return found


def _category(number: Codes, words: Sequence[str]) -> Any:
    return pd.Categorical.from_codes(number, dtype=pd.CategoricalDtype([*words]))


def _times(values: Micros) -> npt.NDArray[np.datetime64]:
    values[values == NEVER] = np.iinfo(np.int64).min
    return values.view("datetime64[us]")


def _hours(values: Micros) -> npt.NDArray[np.float64]:
    return np.where(values == NEVER, np.nan, values / _HOUR)


def _money(values: Micros) -> pd.arrays.IntegerArray:
    missing = values == NEVER
    values[missing] = 0
    return pd.arrays.IntegerArray(values, missing)


def _block(key: tuple[Any, ...], found: Sequence[tuple[int, Crossing]]) -> Block:
    def numbers(values: Iterable[int]) -> Codes:
        return np.array([*values], dtype=np.int64)

    rows = [each for _, each in found]
    rule, stage, policy, severity, notify, shadow = key
    return Block(
        rule=rule,
        stage=stage,
        policy=policy,
        severity=severity,
        notify=notify,
        shadow=shadow,
        step=numbers(each.step for each in rows),
        owner=numbers(parcel for parcel, _ in found),
        start=numbers(to_micros(each.started_at) for each in rows),
        at=numbers(to_micros(each.crossed_at) for each in rows),
        ended_at=numbers(NEVER if each.ended_at is None else to_micros(each.ended_at) for each in rows),
        state=numbers(STATES.index(each.ended_by) for each in rows),
        limit=numbers(
            NEVER if each.limit is None else each.limit // timedelta(microseconds=1) for each in rows
        ),
        low=numbers(_fen(each.risk, "low") for each in rows),
        high=numbers(_fen(each.risk, "high") for each in rows),
    )


def _fen(risk: Risk | None, end: str) -> int:
    return NEVER if risk is None else int(getattr(risk, end))
