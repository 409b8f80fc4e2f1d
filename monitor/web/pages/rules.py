"""Rules on trial: what each would have told of, and the word that promotes it.

What such a rule finds is recorded and told to nobody. Here somebody sees how much that was and how it ended, looks
at the parcels, and decides whether the rule shall speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from monitor.config.settings import Settings
from monitor.store.views import findings
from monitor.store.views.findings import FindingFilter, FindingRow
from monitor.store.views.paging import Page
from monitor.store.views.trials import LATELY, Trial, trials
from monitor.web.parts import FINDING_STATE_ZH, shared
from monitor.web.render import context_of, page
from rules.policy import PolicySpec

__all__ = ["Place", "Tried", "router", "tried"]

router = APIRouter(include_in_schema=False)
_ROWS: Final = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is said that a rule is on trial."""

    kind: str
    """`rule`: a policy says it of the rule; `policy`: of all its rules; `profile`: the platform's rules do."""
    name: str
    """Of the policy, or the platform's id."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule on trial."""

    rule: str
    places: tuple[Place, ...]
    """None where it is no more on trial and what it found still stands."""
    trial: Trial


@router.get("/rules")
async def show(request: Request) -> Response:
    """The rules on trial; with `rule` what one of them found."""
    context, asked = context_of(request), request.query_params
    settings, now, chosen = context.settings(), context.now(), asked.get("rule", "")

    def read(conn: Connection) -> tuple[tuple[Trial, ...], Page[FindingRow]]:
        filter_ = FindingFilter(states=(), rules=(chosen,) if chosen else (), shadow=True)
        return trials(conn, now), findings.page(conn, filter_, asked.get("cursor"), _ROWS)

    counted, found = await context.db.read(read)
    return await page(
        request,
        "rules.html",
        tried=tried(settings, counted),
        found=found,
        chosen=chosen,
        days=LATELY.days,
        whole=sorted({place.name for _, place in _places(settings) if place.kind == "policy"}),
        finding_states=FINDING_STATE_ZH,
        **shared(request),
    )


def tried(settings: Settings, counted: Iterable[Trial]) -> list[Tried]:
    """Every rule that is said to be on trial or found something on trial: those that found most first."""
    by_rule = {each.rule: each for each in counted}
    places: dict[str, list[Place]] = {rule: [] for rule in by_rule}
    whole: list[Place] = []
    for rule, place in _places(settings):
        if rule:
            places.setdefault(rule, []).append(place)
        else:
            whole.append(place)
    rows = [
        Tried(
            rule, tuple(said or (whole if rule in by_rule else ())), by_rule.get(rule, Trial(rule, 0, 0, ()))
        )
        for rule, said in places.items()
    ]
    return sorted(rows, key=lambda each: (-each.trial.found, -each.trial.standing, each.rule))


def _places(settings: Settings) -> Iterator[tuple[str, Place]]:
    """The rules that somebody says are on trial, each with where; nothing for a rule: a whole policy."""
    for name, profile in settings.book.profiles.items():
        for rule in profile.rules.values():
            if rule.shadow and rule.profile in ("", name):
                yield rule.id, Place("profile", name)
    for policy in settings.policies:
        for spec, name in _with_overrides(policy):
            if spec.shadow:
                yield "", Place("policy", name)
            for rule_id, change in spec.rules.items():
                if change.shadow:
                    yield rule_id, Place("rule", name)


def _with_overrides(policy: PolicySpec) -> Iterator[tuple[PolicySpec, str]]:
    yield policy, policy.name
    for override in policy.overrides:
        yield override, f"{policy.name} › {override.name}"
