"""Money: the unfinished tickets by the hour, what is at stake in the next hours, what rules on trial found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from domain.findings import Blame, FindingState, Party, Risk
from domain.time import to_micros
from monitor.store.database import Database
from monitor.store.views import findings, hourly, now, tickets, walking
from monitor.store.views.findings import FindingFilter
from monitor.store.views.paging import BadCursor, Mark, encode
from monitor.store.views.ticket_filter import BadFilter, Sort, TicketFilter
from monitor.store.views.tickets import TicketRow
from monitor.store.views.trials import Trial, trials
from tests.store.views.rows import MINUTE, NOW, Find, Given, put_tickets

HOURLY = TicketFilter(sort=Sort.PER_HOUR, now=NOW)
DAY = timedelta(days=1)


def warned(left: int, risk: tuple[int, int] | None = (500, 5000), **more: object) -> Find:
    return Find(left=left, risk=risk, **more)  # type: ignore[arg-type]


def walk(store: Database, filter_: TicketFilter = HOURLY, cursor: str | None = None, limit: int = 50):
    return store.read_now(lambda conn: tickets.page(conn, filter_, cursor, limit))


def numbers(rows: tuple[TicketRow, ...]) -> list[int]:
    return [int(row.number[-4:]) for row in rows]


# ── by the hour ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fen", "minutes", "expected"),
    [
        (6000, 60, 6000),
        (6000, 90, 4000),
        (6000, 15, 24000),
        (6000, 14, 24000),
        (6000, -500, 24000),
        (0, 60, 0),
    ],
    ids=[
        "an hour",
        "an hour and a half",
        "a quarter",
        "less than that",
        "come, and not looked at",
        "nothing",
    ],
)
def test_what_an_hour_is_worth(fen: int, minutes: int, expected: int) -> None:
    assert hourly.per_hour([hourly.Saving(fen, to_micros(NOW + minutes * MINUTE))], NOW) == expected


def test_the_most_pressing_warning_counts_and_without_one_nothing_is_known() -> None:
    near, dear = ((100, 15), (9000, 600))
    savings = [hourly.Saving(fen, to_micros(NOW + left * MINUTE)) for fen, left in (near, dear)]
    assert hourly.per_hour(savings, NOW) == 900
    assert hourly.per_hour((), NOW) is None


def test_the_order_of_the_queue(database: Database) -> None:
    broken = Find("lost", stage="breach", left=-30)
    put_tickets(
        database,
        [
            Given(risk=None, findings=(warned(1, None),)),  # 1: unknown money, whatever the time
            Given(risk=(0, 9000), findings=(broken,)),  # 2: over, the dearer one
            Given(risk=(0, 1000), findings=(broken,)),  # 3: over
            Given(risk=(0, 1000), findings=(warned(60, (0, 1000)),)),  # 4: ¥10 an hour
            Given(risk=(0, 500), findings=(warned(15, (0, 500)),)),  # 5: ¥20 an hour
            Given(
                risk=(0, 90_000), findings=(broken, warned(30, (0, 800)))
            ),  # 6: lost, and ¥16 an hour still
            Given(risk=(0, 700), findings=(warned(-90, (0, 700)),)),  # 7: come and not looked at: ¥28
            Given(risk=(0, 99_000), findings=(warned(5, shadow=True), broken)),  # 8: a trial has no limit
            Given(
                risk=(0, 70_000), findings=(broken, warned(1, None))
            ),  # 9: what is left costs nothing known
            Given(risk=(0, 60_000), findings=(broken, warned(1, notify=False))),  # 10: nobody is told of it
            Given(
                risk=(0, 900), findings=(warned(600, (0, 900)), warned(30, (0, 300), rule="near"))
            ),  # 11: ¥6, the nearer
            Given("resolved", risk=(0, 99_000)),  # has ended
        ],
    )
    assert numbers(walk(database).rows) == [7, 5, 6, 4, 11, 8, 9, 10, 2, 3, 1]


def test_the_pages_of_one_walk_fit_together_though_time_passes(database: Database) -> None:
    put_tickets(database, [Given(risk=(0, 100 * n), findings=(warned(20 * n),)) for n in range(1, 9)])
    whole = numbers(walk(database).rows)
    first = walk(database, limit=3)
    later = TicketFilter(sort=Sort.PER_HOUR, now=NOW + timedelta(hours=2))
    second = walk(database, later, first.next, 5)
    assert numbers(first.rows) + numbers(second.rows) == whole
    assert second.next is None
    assert numbers(walk(database, later, second.previous, 3).rows) == numbers(first.rows)


def test_a_walk_goes_on_where_a_ticket_has_gone(database: Database) -> None:
    put_tickets(
        database, [Given(risk=(0, 100 * n), findings=(warned(60, (0, 100 * n)),)) for n in range(1, 6)]
    )
    first = walk(database, limit=2)
    assert numbers(first.rows) == [5, 4]
    database.write_now(
        lambda conn: conn.exec_driver_sql(
            "UPDATE tickets SET was = 'open', state = 'resolved' WHERE id IN (4, 3)"
        )
    )
    assert numbers(walk(database, cursor=first.next).rows) == [2, 1]


def test_behind_the_end_a_page_is_empty_and_leads_back(database: Database) -> None:
    put_tickets(database, [Given(risk=(0, 100), findings=(warned(60),))])
    far = walk(database, cursor=encode("tickets-hourly", Mark((0, 0, 0, 0, 1 << 60, 0, 0))))
    assert (far.rows, far.next) == ((), None)
    assert numbers(walk(database, cursor=far.previous).rows) == [1]


@pytest.mark.parametrize(
    "key",
    [
        (1,),
        (1, 2, 3, 4, 5),
        (1 << 62,) + 6 * (1,),
        (-1,) + 6 * (1,),
        (0, -1 << 63, 1, 1, 1 << 62, -1 << 63, 1),
        (1, 0, 0, 0, -1 << 63, 1, (1 << 63) - 1),
    ],
)
def test_a_strange_cursor_is_refused_or_does_no_harm(database: Database, key: tuple[int, ...]) -> None:
    put_tickets(database, [Given(risk=(0, 100))])
    cursor = encode("tickets-hourly", Mark(key))
    if len(key) != 7:
        with pytest.raises(BadCursor):
            walk(database, cursor=cursor)
    else:
        assert len(walk(database, cursor=cursor).rows) <= 1


# ── more than are ranked ─────────────────────────────────────────────────────────────────────────


def pages(store: Database, filter_: TicketFilter, limit: int) -> tuple[list[list[int]], list[list[int]]]:
    """A walk to the end, while time passes, and the way back from there."""
    there, back = [walk(store, filter_, limit=limit)], []
    later = replace(filter_, now=NOW + timedelta(hours=3))
    while there[-1].next is not None:
        there.append(walk(store, later, there[-1].next, limit))
    cursor = there[-1].previous
    while cursor is not None:
        back.append(walk(store, later, cursor, limit))
        cursor = back[-1].previous
    return [numbers(each.rows) for each in there], [numbers(each.rows) for each in back[::-1]]


def many() -> list[Given]:
    """Forty tickets: many of the same money, the same limit and the same minute; some over, some of unknown risk."""
    return [
        Given(
            state="acknowledged" if n % 4 == 0 else "open",
            age=60 + n % 2,
            shop="东" if n % 3 else "西",
            blame="carrier" if n % 5 else "",
            risk=None if n % 9 == 0 else (0, 100 * (n % 7)),
            findings=(warned(20 * (n % 4) - 5) if n % 5 else Find("lost", stage="breach", left=-30),),
        )
        for n in range(1, 41)
    ]


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"states": ("open",)},
    {"shops": ("西",)},
    {"blames": ("carrier",)},
    {"rules": ("lost",)},
    {"stages": ("warning",), "shops": ("东",)},
    {"opened_since": NOW - 60 * MINUTE},
    {"text": "物流停滞"},
    {"shops": ("南",)},
)


@pytest.mark.parametrize("said", FILTERS, ids=lambda said: "-".join(said) or "all")
@pytest.mark.parametrize(("ranked", "span"), [(10_000, 20_000), (5, 20_000), (5, 8), (1, 4), (18, 20_000)])
def test_a_walk_to_the_end_gives_every_ticket_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], ranked: int, span: int
) -> None:
    put_tickets(database, many())
    filter_ = replace(HOURLY, **said)
    by_money = numbers(walk(database, replace(filter_, sort=Sort.RISK)).rows)
    by_the_hour = numbers(walk(database, filter_).rows)
    monkeypatch.setattr(hourly, "RANKED", ranked)
    monkeypatch.setattr(walking, "SPAN", span)
    dearest = [n for n in by_the_hour if n in by_money[:ranked] and many()[n - 1].risk is not None]
    expected = dearest + [n for n in by_money if n not in dearest]
    assert len(expected) == len(by_money) == len(by_the_hour)
    for limit in (2, 7, 50) if said else (1, 3, 5, 50):
        there, back = pages(database, filter_, limit)
        assert [*chain(*there)] == expected
        assert [*chain(*back)] == [*chain(*there[:-1])], "and the same on the way back"


def test_a_ticket_that_fits_is_not_hidden_by_dearer_ones_that_do_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tickets(database, [Given(risk=(0, 9000), findings=(warned(60),), shop="东") for _ in range(9)])
    put_tickets(database, [Given(risk=(0, 100 * n), findings=(warned(n**3),), shop="西") for n in (2, 3, 4)])
    monkeypatch.setattr(hourly, "RANKED", 3)
    assert numbers(walk(database, replace(HOURLY, shops=("西",))).rows) == [10, 11, 12]


def test_a_cursor_that_would_rank_too_many_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tickets(database, [Given(risk=(0, 100), findings=(warned(60),)) for _ in range(5)])
    monkeypatch.setattr(hourly, "RANKED", 2)
    with pytest.raises(BadCursor):
        walk(database, cursor=encode("tickets-hourly", Mark((0, 0, 0, 0, -(1 << 60), 0, 0))))


def test_what_has_ended_has_no_hours_left() -> None:
    with pytest.raises(BadFilter, match="未结束"):
        TicketFilter(states=("resolved",), sort=Sort.PER_HOUR, now=NOW)
    assert TicketFilter(sort=Sort.PER_HOUR, now=NOW).states == ("open", "acknowledged")


# ── a line ───────────────────────────────────────────────────────────────────────────────────────


def test_a_line_says_the_money_and_the_blame(database: Database) -> None:
    put_tickets(
        database,
        [
            Given(
                risk=(500, 5000),
                blame="carrier",
                blame_why="揽收后在快递手里 41 小时",
                findings=(warned(30),),
            )
        ],
    )
    [row] = walk(database).rows
    assert row.risk == Risk(500, 5000)
    assert row.blame == Blame(Party.CARRIER, "揽收后在快递手里 41 小时")
    assert row.per_hour(NOW) == 10_000


def test_a_trial_tells_nothing_of_a_ticket(database: Database) -> None:
    trial = Find("lost", stage="breach", severity=99, left=1, shadow=True)
    put_tickets(database, [Given(findings=(trial, Find(left=30)))])
    [row] = walk(database).rows
    assert (row.rules, row.stage, row.limit_at) == (("transit_stagnation",), "warning", NOW + 30 * MINUTE)
    assert "lost" not in database.read_now(tickets.choices).rules
    assert walk(database, TicketFilter(rules=("lost",))).rows == ()


# ── what is at stake ─────────────────────────────────────────────────────────────────────────────


def stake(store: Database, hours: int = 12) -> tuple[int, int, int]:
    found = store.read_now(lambda conn: now.stake(conn, NOW, timedelta(hours=hours)))
    return found.risk.low, found.risk.high, found.tickets


def test_what_the_next_hours_may_cost(database: Database) -> None:
    put_tickets(
        database,
        [
            Given(
                risk=(500, 5000), findings=(warned(30), Find("lost", stage="breach", left=-9, risk=(1, 9)))
            ),
            Given("acknowledged", risk=(100, 200), findings=(warned(700, (100, 200)),)),
            Given(risk=(100, 200), findings=(warned(721, (100, 200)),)),  # behind the horizon
            Given(risk=(100, 200), findings=(warned(0, (100, 200)),)),  # passed
            Given(risk=(7, 8), findings=(warned(5, (7, 8), shadow=True),)),
            Given("resolved", risk=(7, 8), findings=(warned(5, (7, 8)),)),
            Given(risk=None, findings=(warned(5, None),)),
        ],
    )
    assert stake(database) == (600, 5200, 2)
    assert stake(database, 1) == (500, 5000, 1)


def test_several_limits_of_a_parcel_cost_no_more_than_all_of_it(database: Database) -> None:
    both = (warned(10, (500, 3000)), warned(20, (500, 3000), rule="late_pickup"))
    put_tickets(database, [Given(risk=(500, 4000), findings=both)])
    assert stake(database) == (500, 4000, 1)


def test_nothing_at_stake(database: Database) -> None:
    assert stake(database) == (0, 0, 0)


def test_what_is_coming_says_the_money_of_its_ticket(database: Database) -> None:
    put_tickets(database, [Given(limit=60, risk=(500, 5000), blame="buyer"), Given(limit=90)])
    dear, unknown = database.read_now(lambda conn: now.upcoming(conn, NOW, DAY)).rows
    assert (dear.risk, dear.blame) == (Risk(500, 5000), Blame(Party.BUYER, ""))
    assert (unknown.risk, unknown.blame) == (None, None)


# ── rules on trial ───────────────────────────────────────────────────────────────────────────────

WEEK = 7 * 24 * 60
TRIALS = (
    Find("lost", shadow=True, age=10),
    Find("stuck", shadow=True, age=WEEK + 1),
    Find("late_pickup", shadow=True, open=False, age=WEEK),
    Find("transit_stagnation", age=10),
)


def test_what_each_rule_on_trial_found_lately(database: Database) -> None:
    put_tickets(database, [Given(findings=TRIALS), Given(findings=TRIALS[:1])])
    assert database.read_now(lambda conn: trials(conn, NOW)) == (
        Trial("late_pickup", 1, 0, ((FindingState.CLEARED, 1),)),
        Trial("lost", 2, 2, ()),
        Trial("stuck", 0, 1, ()),
    )


def test_findings_are_listed_without_trials_or_of_trials_only(database: Database) -> None:
    put_tickets(database, [Given(findings=(*TRIALS, Find("refused", blame="buyer", risk=(1, 2))))])

    def rules(**said: object) -> list[str]:
        filter_ = FindingFilter(**said)  # type: ignore[arg-type]
        return sorted(row.rule for row in database.read_now(lambda conn: findings.page(conn, filter_)).rows)

    assert rules() == ["refused", "transit_stagnation"]
    assert rules(shadow=True) == ["lost", "stuck"]
    assert rules(shadow=True, states=()) == ["late_pickup", "lost", "stuck"]
    assert rules(blames=(Party.BUYER,)) == ["refused"]
    assert rules(blames=(Party.CARRIER,)) == []
    [row] = database.read_now(lambda conn: findings.page(conn, FindingFilter(rules=("refused",)))).rows
    assert (row.risk, row.blame, row.shadow) == (Risk(1, 2), Blame(Party.BUYER, ""), False)
