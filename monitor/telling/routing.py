"""Who hears what: every route that matches adds its channels; nobody hears a thing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.findings import Finding
from domain.messages import MessageKind
from domain.orders import Case
from rules.policy import facets, matches

__all__ = ["Route", "everybody", "route"]


@dataclass(frozen=True, slots=True)
class Route:
    """One `[[routes]]` table: what it wants, where it goes, whom it rings."""

    channels: tuple[str, ...]
    match: Mapping[str, frozenset[str]]
    """`rules.policy.MATCHABLE`, and `rule`, `stage`, `kind` of the message."""
    mention: tuple[str, ...] = ()


def route(
    routes: Sequence[Route], case: Case, finding: Finding, kind: MessageKind = MessageKind.ALERT
) -> dict[str, tuple[str, ...]]:
    """The channels for a finding, each with the people to ring there."""
    of = facets(case) | {
        "rule": frozenset({finding.rule}),
        "stage": frozenset({finding.stage.value}),
        "kind": frozenset({kind.value}),
    }
    heard: dict[str, tuple[str, ...]] = {}
    for each in routes:
        if matches(each.match, of):
            for channel in each.channels:
                heard[channel] = tuple(dict.fromkeys((*heard.get(channel, ()), *each.mention)))
    return heard


def everybody(routes: Sequence[Route], kind: MessageKind) -> dict[str, tuple[str, ...]]:
    """The channels for news that concerns no single parcel: those that ask for it, else all."""
    asked = [each for each in routes if kind.value in each.match.get("kind", ())]
    heard: dict[str, tuple[str, ...]] = {}
    for each in asked or routes:
        for channel in each.channels:
            heard.setdefault(channel, each.mention if asked else ())
    return heard
