"""What a ticket has at stake (features H3, H6): the money of its findings together, the blame of the worst, kept up to date.

The rules are those of `tests/simulated.py`, with fines: 3 yuan for `late_pickup`, 5 % of the amount, at least 5 yuan,
for `transit_stagnation`; nobody knows what `slow` costs.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.findings import Blame, Finding, Party, Risk, Stage, Verdict
from domain.journey import condense
from domain.orders import Waybill
from domain.tickets import TicketState
from monitor.desk.stake import Stake, stake, stands, unhurried
from monitor.store import findings, outbox, parcels, tickets
from monitor.store.database import Database
from monitor.store.parcels import Incoming, LiveTicket
from rules.declare import parse_profile
from rules.policy import Change, PolicyBook, PolicySpec
from tests.simulated import PICKED, PROFILE, T0, Robot, Scan, World, at, order, scans

FINES = {"late_pickup": [{"flat": 3}], "transit_stagnation": [{"pct": 5, "min": 5}]}


def fined(*policies: PolicySpec, fines: dict[str, Any] = FINES) -> PolicyBook:
    rules = {
        name: {**rule, **({"penalty": fines[name], "soft": False} if name in fines else {})}
        for name, rule in PROFILE["rules"].items()
    }
    profile, problems = parse_profile({**PROFILE, "rules": rules})
    assert profile is not None, problems
    return PolicyBook({"generic_cn": profile}, policies)


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")], book=fined())


def look(world: World, parcel: int, hour: float, *told: Scan) -> Any:
    world.set(hour)
    return world.settle(parcel, journey=condense(scans(*told)), observed_at=at(hour))


def ticket(world: World) -> dict[str, Any]:
    [row] = world.store.read_now(lambda conn: tickets.listing(conn, all_=True))
    return row


def test_the_ticket_has_the_money_and_the_blame_of_what_it_was_opened_for(world: World) -> None:
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 23)
    row = ticket(world)
    assert (row["risk_low"], row["risk_high"], row["yuan_at_risk"]) == (3.0, 3.0, 3.0)
    [found] = world.store.read_now(findings.listing)
    assert (found["risk_high"], found["blame"]) == (3.0, row["blame"])
    assert row["blame"] in list(Party)
    [why] = world.column("SELECT blame_why FROM tickets")
    assert why


def test_a_worse_finding_is_added_and_leads(world: World) -> None:
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 59, (0, PICKED))
    before = ticket(world)
    assert "transit_stagnation" in before["rules"]
    assert before["yuan_at_risk"] == 10.0, "5 % of 200; of `slow` nobody knows"
    assert world.loaded(parcel).ticket.risk == Risk(1000, 1000)  # type: ignore[union-attr]


def test_what_one_message_tells_of_several_findings_is_their_money_together(database: Database) -> None:
    fines = {**FINES, "slow": [{"flat": 4}]}
    world = World(database, [Robot("ops")], book=fined(fines=fines))
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 61, (0, PICKED))
    [row] = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", at(99), 9))
    facts = dict(row.message.facts)
    assert facts["同时"] == "支付到签收过长"
    assert facts["可能赔付"].startswith("¥10–14；"), "the dearest of the two to both"


def test_what_ends_is_taken_off(world: World) -> None:
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 59, (0, PICKED))
    look(world, parcel, 60, (0, PICKED), (59.5, PICKED))
    assert ticket(world)["yuan_at_risk"] is None, "the stall is over, and what is left has no fine"


def test_a_ticket_that_is_over_says_what_was_at_risk(world: World) -> None:
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 23)
    look(world, parcel, 24, (23.5, PICKED))
    row = ticket(world)
    assert (row["state"], row["yuan_at_risk"]) == ("resolved", 3.0)


def test_an_amount_that_is_learned_later_is_counted(world: World) -> None:
    """Nothing else changes, and nobody is told again."""
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 59, (0, PICKED))
    more = Incoming(order("Z1", amount=Decimal("1000.00")), (Waybill("zhongtong", "Z1"),), "", at(60))
    world.set(60)
    world.store.write_now(lambda conn: parcels.intake(conn, [more], at(60)))
    before = world.counts()
    world.settle(parcel)
    assert ticket(world)["yuan_at_risk"] == 50.0
    assert world.column("SELECT risk_high FROM findings WHERE rule = 'transit_stagnation'") == [5000]
    assert world.counts() == before


def test_a_rule_on_trial_puts_nothing_at_risk(world: World) -> None:
    world.judge(fined(PolicySpec("本店", rules={"transit_stagnation": Change(shadow=True)})))
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 59, (0, PICKED))
    assert ticket(world)["yuan_at_risk"] is None
    assert world.column("SELECT risk_high FROM findings WHERE shadow") == [1000], (
        "but the trial says what it would"
    )


def test_judging_again_writes_nothing_new(world: World) -> None:
    """The words of a blame count the hours that went; they are not worth a writing each time."""
    parcel = world.import_("Z1", amount=Decimal("200.00"))
    look(world, parcel, 59, (0, PICKED))
    kept = (
        world.rows("SELECT blame_why FROM tickets"),
        world.rows("SELECT blame_why, evidence FROM findings ORDER BY id"),
    )
    look(world, parcel, 70, (0, PICKED))
    assert kept == (
        world.rows("SELECT blame_why FROM tickets"),
        world.rows("SELECT blame_why, evidence FROM findings ORDER BY id"),
    )


# ── the pure part ────────────────────────────────────────────────────────────────────────────────

CARRIER, HOUSE = Blame(Party.CARRIER, "在途 30 小时"), Blame(Party.WAREHOUSE, "出库 20 小时")


def found(rule: str, severity: int, blame: Blame | None = None, **more: Any) -> Finding:
    return Finding(rule, Stage.BREACH, T0, T0, "p", severity=severity, blame=blame, **more)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        pytest.param([found("a", 1, HOUSE)], Stake(Risk(1, 2), HOUSE), id="one"),
        pytest.param(
            [found("a", 1, HOUSE), found("b", 9, CARRIER)],
            Stake(Risk(1, 2), CARRIER),
            id="the worst is to blame",
        ),
        pytest.param(
            [found("a", 1, HOUSE), found("b", 9)], Stake(Risk(1, 2), None), id="nobody is known to be"
        ),
        pytest.param([found("a", 1, notify=False)], None, id="nobody is told: the ticket keeps what it had"),
        pytest.param([], None, id="nothing stands"),
    ],
)
def test_what_is_at_stake(standing: list[Finding], expected: Stake | None) -> None:
    assert stake(standing, Verdict(tuple(standing), risk=Risk(1, 2))) == expected


def test_a_ticket_is_written_when_the_money_or_the_party_changes() -> None:
    kept = LiveTicket(1, "T-1", TicketState.OPEN, 0, told=True, risk=Risk(1, 2), blame=CARRIER)
    assert stands(kept, Stake(Risk(1, 2), replace(CARRIER, because="在途 31 小时")))
    assert not stands(kept, Stake(Risk(1, 3), CARRIER))
    assert not stands(kept, Stake(Risk(1, 2), HOUSE))
    assert not stands(kept, Stake(None, None))


def test_the_questions_do_not_see_a_trial() -> None:
    told, tried = found("a", 1), found("b", 9, shadow=True)
    assert unhurried(Verdict((told, tried))).findings == (told,)
    assert unhurried(Verdict((told,))).findings == (told,)
