"""The list of tickets: what a filter shows is what Python would pick, page by page, whatever is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.tickets import TicketState
from monitor.store.database import Database
from monitor.store.views import tickets, walking
from monitor.store.views.numbers import TooMany, numbers_in
from monitor.store.views.paging import BadCursor, Mark, Page, decode, encode
from monitor.store.views.tickets import BadFilter, Sort, TicketFilter, TicketRow
from tests.store.views.rows import MINUTE, NOW, Find, Given, put_tickets, walked

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def page(
    store: Database, filter_: TicketFilter = TicketFilter(), cursor: str | None = None, limit: int = 50
) -> Page:
    return store.read_now(lambda conn: tickets.page(conn, filter_, cursor, limit))


def all_of(store: Database, filter_: TicketFilter, limit: int = 3) -> list[TicketRow]:
    return list(walked(lambda cursor, n: page(store, filter_, cursor, n), limit))


def numbers(rows: Sequence[TicketRow]) -> list[str]:
    return [row.number for row in rows]


# ── a line ───────────────────────────────────────────────────────────────────────────────────────


def test_a_line_says_what_an_agent_needs(database):
    findings = (
        Find("late_pickup", severity=40, left=90),
        Find("transit_stagnation", severity=80, left=30),
        Find("late_pickup_warned", severity=90, open=False, stage="breach"),
    )
    put_tickets(database, [Given(findings=findings, waybill_no="W1", order_no="O1")])
    [row] = page(database).rows
    assert (row.carrier, row.waybill_no, row.order_no, row.shop) == ("zhongtong", "W1", "O1", "旗舰店")
    assert row.state is TicketState.OPEN
    assert row.stage == "warning", "what is over does not count while something stands"
    assert row.rules == ("transit_stagnation", "late_pickup"), "the worst first"
    assert row.limit_at == NOW + 30 * MINUTE, "the nearest limit"


def test_a_passed_limit_is_not_ahead_and_an_ended_ticket_tells_what_it_had(database):
    breach = Find("lost", stage="breach", left=-30)
    put_tickets(
        database, [Given(findings=(breach, Find(left=45))), Given("closed", findings=(Find(open=False),))]
    )
    closed, standing = page(database, TicketFilter(sort=Sort.URGENT)).rows[::-1]
    assert (standing.stage, standing.limit_at) == ("breach", NOW + 45 * MINUTE)
    assert (closed.stage, closed.rules, closed.limit_at) == ("warning", ("transit_stagnation",), None)


# ── which, and in what order ─────────────────────────────────────────────────────────────────────

FIND = st.builds(
    Find,
    rule=st.sampled_from(["late_pickup", "transit_stagnation", "lost"]),
    stage=st.sampled_from(["warning", "breach"]),
    open=st.booleans(),
    severity=st.integers(1, 3),
    left=st.none() | st.integers(-20, 90),
    shadow=st.booleans(),
)
TICKET = st.builds(
    Given,
    state=st.sampled_from(["open", "acknowledged", "resolved", "closed"]),
    age=st.integers(0, 6),
    severity=st.integers(1, 3),
    carrier=st.sampled_from(["zhongtong", "yuantong"]),
    shop=st.sampled_from(["旗舰店", "折扣店", ""]),
    platform=st.sampled_from(["taobao_tmall", "pinduoduo"]),
    summary=st.sampled_from(["中通 100% 停滞", "圆通 a_b 停滞", "圆通 A\\B"]),
    findings=st.lists(FIND, max_size=3, unique_by=lambda each: each.rule).map(tuple),
    risk=st.none() | st.integers(0, 3).map(lambda yuan: (0, 100 * yuan)),
    blame=st.sampled_from(["", "carrier", "warehouse"]),
)
SOME = st.just(()) | st.just(())


def some_of(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just(()) | st.lists(st.sampled_from(values), min_size=1, max_size=2).map(tuple)


MOMENT = st.none() | st.integers(0, 6).map(lambda age: NOW - age * MINUTE)
FILTER = st.builds(
    lambda **said: TicketFilter(now=NOW, **said),
    stages=some_of("warning", "breach"),
    rules=some_of("late_pickup", "transit_stagnation", "lost", "nothing"),
    carriers=some_of("zhongtong", "yuantong"),
    shops=some_of("旗舰店", "折扣店", "没有"),
    platforms=some_of("taobao_tmall", "pinduoduo"),
    blames=some_of("carrier", "warehouse", "buyer"),
    numbers=some_of("Z1", "o2", "T-20261101-0003", "Z4", "z5", "nothing"),
    opened_since=MOMENT,
    opened_until=MOMENT,
    text=st.sampled_from(["", "", "停滞", "%", "_", "\\", "a_b", "圆通"]),
)
SORTED = st.one_of(
    st.tuples(st.just(Sort.PER_HOUR), some_of("open", "acknowledged")),
    st.tuples(st.sampled_from(list(Sort)[:3]), some_of("open", "acknowledged", "resolved", "closed")),
).flatmap(lambda pair: FILTER.map(lambda filter_: replace(filter_, states=pair[1], sort=pair[0])))


def told_by(given: Given) -> list[Find]:
    """The findings a ticket is told by: none of a rule on trial."""
    real = [each for each in given.findings if not each.shadow]
    return [each for each in real if each.open] or real


def fits(filter_: TicketFilter, n: int, given: Given) -> bool:
    """The same filter, said in Python."""
    told = told_by(given)
    stage = "breach" if any(each.stage == "breach" for each in told) else "warning"
    opened_at = NOW - given.age * MINUTE
    names = {f"Z{n}", f"o{n}", f"T-20261101-{n:04d}"}
    return (
        given.state in (filter_.states or {given.state})
        and stage in (filter_.stages or {stage})
        and (not filter_.rules or any(each.rule in filter_.rules for each in told))
        and given.carrier in (filter_.carriers or {given.carrier})
        and given.shop in (filter_.shops or {given.shop})
        and given.platform in (filter_.platforms or {given.platform})
        and given.blame in (filter_.blames or {given.blame})
        and (not filter_.numbers or any({number, number.upper()} & names for number in filter_.numbers))
        and (filter_.opened_since is None or opened_at >= filter_.opened_since)
        and (filter_.opened_until is None or opened_at < filter_.opened_until)
        and filter_.text in given.summary
    )


def in_order(filter_: TicketFilter, given: Sequence[Given]) -> list[str]:
    picked = [(n, each) for n, each in enumerate(given, 1) if fits(filter_, n, each)]
    picked.sort(key=lambda pair: ORDER[Sort(filter_.sort)](*pair))
    return [f"T-20261101-{n:04d}" for n, _ in picked]


def by_the_hour(n: int, given: Given) -> tuple[object, ...]:
    """What can still be saved by its fen per hour, then what is over by its fen, the older first; then the unknown as by money."""
    ahead = [
        each.left
        for each in given.findings
        if each.open and not each.shadow and each.stage == "warning" and each.left is not None
    ]
    behind = (-given.age, n)
    if given.risk is None:
        return (2, 0, given.age, -n)
    if not ahead:
        return (1, -given.risk[1], *behind)
    return (0, -(given.risk[1] * 60 // max(min(ahead), 15)), *behind)


def by_money(n: int, given: Given) -> tuple[object, ...]:
    return (-1 if given.risk is None else given.risk[1]) * -1, given.age, -n


ORDER = {
    Sort.NEWEST: lambda n, given: (given.age, -n),
    Sort.URGENT: lambda n, given: (-given.severity, -given.age, n),
    Sort.RISK: by_money,
    Sort.PER_HOUR: by_the_hour,
}


def emptied(store: Database) -> None:
    def work(conn: Any) -> None:
        for table in ("findings", "tickets", "order_parcels", "due", "orders", "parcels"):
            conn.execute(text(f"DELETE FROM {table}"))

    store.write_now(work)


@FEW
@given(rows=st.lists(TICKET, max_size=12), filter_=SORTED, limit=st.integers(1, 5), stride=st.integers(1, 4))
def test_a_filter_shows_what_python_picks(database, rows, filter_, limit, stride):
    emptied(database)
    put_tickets(database, rows)
    expected = in_order(filter_, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walking, "_FIRST_STRIDE", stride)
        patch.setattr(
            walking, "SPAN", 8
        )  # a page looks at eight tickets at most: the walk goes on all the same
        assert numbers(all_of(database, filter_, limit)) == expected
    assert numbers(page(database, filter_).rows) == expected
    assert numbers(database.read_now(lambda conn: list(tickets.rows(conn, filter_, 5)))) == expected[:5]
    assert database.read_now(lambda conn: tickets.count(conn, filter_, 4)) == min(4, len(expected))


@FEW
@given(
    rows=st.lists(TICKET, min_size=4, max_size=12), sort=st.sampled_from(list(Sort)), limit=st.integers(1, 4)
)
def test_going_back_shows_the_same_pages(database, rows, sort, limit):
    emptied(database)
    put_tickets(database, rows)
    filter_ = TicketFilter(sort=sort, now=NOW)
    forth = [page(database, filter_, None, limit)]
    while forth[-1].next:
        forth.append(page(database, filter_, forth[-1].next, limit))
    back = [forth[-1]]
    while back[-1].previous:
        back.append(page(database, filter_, back[-1].previous, limit))
    assert [numbers(each.rows) for each in back] == [numbers(each.rows) for each in forth[::-1]]
    assert forth[0].previous is None


@FEW
@given(
    before=st.lists(TICKET, min_size=1, max_size=9),
    later=st.lists(TICKET, max_size=6),
    limit=st.integers(1, 3),
)
def test_every_ticket_is_shown_once_while_newer_ones_open(database, before, later, limit):
    emptied(database)
    known = put_tickets(database, before)
    arriving = iter([Given(age=-n, state=each.state) for n, each in enumerate(later, 1)])
    filter_ = TicketFilter()

    def turn(cursor: str | None, n: int) -> Page:
        found = page(database, filter_, cursor, n)
        put_tickets(database, [each for each in [next(arriving, None)] if each])
        return found

    shown = numbers(walked(turn, limit))
    assert shown == in_order(filter_, before)
    assert sorted(shown) == sorted(known)


# ── numbers that were pasted ─────────────────────────────────────────────────────────────────────


def test_numbers_pasted_in_any_mix_are_found_and_the_others_named(database):
    put_tickets(
        database, [Given(waybill_no="7500001"), Given(order_no="O-2"), Given(waybill_no="YT3"), Given()]
    )
    quiet = "Q9"
    database.write_now(
        lambda conn: conn.execute(
            text(
                "INSERT INTO parcels (id, carrier, waybill_no, watch_from, created_at, updated_at)"
                " VALUES (99, 'zhongtong', :no, 1, 1, 1)"
            ),
            {"no": quiet},
        )
    )
    pasted = f'7500001，O-2\t\'yt3"\n\n nothing、="7500001";{quiet}\r\n'
    found = numbers_in(pasted)
    assert found == ("7500001", "O-2", "yt3", "nothing", quiet)
    filter_ = TicketFilter(numbers=found)
    assert sorted(row.waybill_no for row in page(database, filter_).rows) == ["7500001", "YT3", "Z2"]
    unknown, no_ticket = database.read_now(lambda conn: tickets.unknown(conn, filter_))
    assert (unknown, no_ticket) == (("nothing",), (quiet,))


def test_five_hundred_numbers_are_found_in_one_go(database):
    many = [f"Z{n}" for n in range(1, 501)]
    put_tickets(database, [Given() for _ in range(20)])
    assert len(page(database, TicketFilter(numbers=numbers_in(" ".join(many)))).rows) == 20


@pytest.mark.parametrize("pasted", [" ".join(map(str, range(501))), "7" * 100_001])
def test_more_numbers_than_that_are_refused_in_words(pasted):
    with pytest.raises(TooMany, match="500"):
        numbers_in(pasted)


def test_a_filter_of_501_numbers_is_refused_however_it_was_made():
    with pytest.raises(TooMany):
        TicketFilter(numbers=tuple(map(str, range(501))))


@pytest.mark.parametrize("pasted", ["", "  ,，\n\t", "\0", "\u202e\u200b"])
def test_nothing_pasted_is_no_number(pasted):
    assert numbers_in(pasted) == ()


# ── wild input ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"states": ("nowhere",)}, "工单状态.*acknowledged"),
        ({"stages": ("red",)}, "阶段.*breach"),
        ({"sort": "random"}, "排序方式.*urgent"),
        ({"text": "长" * 101}, "太长"),
    ],
)
def test_what_does_not_exist_is_refused_in_words(wrong, says):
    with pytest.raises(BadFilter, match=says):
        TicketFilter(**wrong)


@pytest.mark.parametrize(
    "wild",
    ["\0", "\ud800", "%' OR 1=1 --", "工单\u202e", "a" * 100],
    ids=["nul", "half a pair", "sql", "bidi", "long"],
)
def test_wild_words_find_nothing_and_break_nothing(database, wild):
    put_tickets(database, [Given()])
    for filter_ in (
        TicketFilter(text=wild),
        TicketFilter(shops=(wild,)),
        TicketFilter(rules=(wild,)),
        TicketFilter(numbers=(wild,)),
    ):
        assert page(database, filter_).rows == ()


GOOD = encode("tickets-newest", Mark((1, 1)))


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "页",
        GOOD * 40,
        GOOD[:-3],
        encode("tickets-urgent", Mark((1, 1, 1))),
        encode("tickets-newest", Mark((1,))),
        encode("tickets-newest", Mark((1 << 63, 1))),
        encode("tickets-newest", Mark((True, 1))),
        encode("tickets-newest", Mark((1.5, 1))),  # type: ignore[arg-type]
        "WyJ0aWNrZXRzLW5ld2VzdCIsMCxbXSxbXV0",
        "W1tbW1tbW1tbW1tb",
    ],
)
def test_a_cursor_that_is_none_of_ours_is_refused_in_words(database, cursor):
    with pytest.raises(BadCursor, match="第一页"):
        page(database, cursor=cursor)


@given(key=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4), back=st.booleans())
def test_a_cursor_reads_as_it_was_written(key, back):
    mark = Mark(tuple(key), back)
    assert decode("list", encode("list", mark), len(key)) == mark


def test_a_page_far_beyond_the_end_is_empty_and_leads_back(database):
    known = put_tickets(database, [Given(age=n) for n in range(3)])
    far = page(database, cursor=encode("tickets-newest", Mark((-(2**63), 0))))
    assert (far.rows, far.next) == ((), None)
    assert numbers(page(database, cursor=far.previous).rows) == known


@pytest.mark.parametrize(("asked", "given_"), [(0, 1), (-5, 1), (10**9, 4)])
def test_a_page_is_never_longer_than_is_good(database, asked, given_):
    put_tickets(database, [Given() for _ in range(4)])
    assert len(page(database, limit=asked).rows) == given_


def test_the_menus_offer_what_occurs(database):
    put_tickets(
        database,
        [
            Given(shop="甲", findings=(Find("late_pickup"),)),
            Given("closed", shop="乙", carrier="yuantong", findings=(Find("lost", open=False),)),
            Given(shop=""),
        ],
    )
    found = database.read_now(tickets.choices)
    assert found.shops == ("乙", "甲")
    assert found.carriers == ("yuantong", "zhongtong")
    assert found.rules == ("late_pickup", "lost", "transit_stagnation")


def test_a_search_for_something_rare_stops_and_goes_on(database, monkeypatch):
    """A page looks at a bounded number of tickets: an empty one that is not the end has a cursor."""
    put_tickets(database, [Given(age=n, summary="常见") for n in range(30)] + [Given(age=99, summary="罕见")])
    filter_ = TicketFilter(("open",), text="罕见")
    monkeypatch.setattr(walking, "SPAN", 12)
    first = page(database, filter_)
    assert first.rows == ()
    assert first.next is not None
    assert len(all_of(database, filter_)) == 1
