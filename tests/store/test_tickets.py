"""Tickets: moved by the table, by one person at a time, with every step in the history."""

from __future__ import annotations

import threading
from datetime import UTC

import pytest
from sqlalchemy import text

from domain.findings import Blame, FindingState, Party, Risk, Stage
from domain.tickets import TRANSITIONS, EntryKind, TicketState
from domain.tracking import Milestone, TrackingEvent
from monitor.store import findings, outbox, parcels, tickets
from monitor.store.tickets import NotAllowed
from tests.store.given import (
    FILLED,
    T0,
    H,
    a_finding,
    a_parcel,
    alert,
    column,
    learn,
    loaded,
    many_parcels,
    open_finding,
    open_ticket,
)

WAYS: dict[TicketState, list[TicketState]] = {
    TicketState.OPEN: [],
    TicketState.ACKNOWLEDGED: [TicketState.ACKNOWLEDGED],
    TicketState.RESOLVED: [TicketState.RESOLVED],
    TicketState.CLOSED: [TicketState.RESOLVED, TicketState.CLOSED],
}
"""How an open ticket comes to each state."""


def move(store, ticket, to, *, version=None, by="小李", text="", at=T0):
    return store.write_now(
        lambda conn: tickets.move(conn, ticket.id, to=to, version=version, at=at, by=by, text=text)
    )


def by_number(store, ticket):
    return store.read_now(lambda conn: tickets.by_number(conn, ticket.number))


def detail(store, ticket):
    return store.read_now(lambda conn: tickets.detail(conn, ticket.number))


def test_numbers_count_anew_each_day_of_shanghai(database):
    ids = many_parcels(database, 4)
    moments = [T0, T0 + H, T0.replace(hour=15, minute=59), T0.replace(hour=16)]  # 16:00 UTC is midnight there
    numbers = [open_ticket(database, id_, at=at).number for id_, at in zip(ids, moments, strict=True)]
    assert numbers == ["T-20261101-0001", "T-20261101-0002", "T-20261101-0003", "T-20261102-0001"]
    assert T0.tzinfo is UTC


def test_a_new_ticket_holds_its_findings_and_says_when_it_was_opened(database):
    parcel_id = a_parcel(database)
    first, second = open_finding(database, parcel_id), open_finding(database, parcel_id, "fake_shipment")
    ticket = open_ticket(database, parcel_id, first)
    head = by_number(database, ticket)
    assert (head.state, head.version, head.told) == (TicketState.OPEN, 0, False)
    assert (head.opened_at, head.filled) == (T0, FILLED)
    database.write_now(lambda conn: tickets.attach(conn, ticket.id, [second], severity=9))
    assert by_number(database, ticket).severity == 9
    assert {each.id for each in detail(database, ticket).findings} == {first, second}
    database.write_now(lambda conn: tickets.told(conn, ticket.id))
    assert by_number(database, ticket).told is True


@pytest.mark.parametrize("was", TicketState)
@pytest.mark.parametrize("to", TicketState)
def test_only_the_steps_of_the_table_are_taken(database, was, to):
    ticket = open_ticket(database, a_parcel(database))
    for step in WAYS[was]:
        assert move(database, ticket, step)
    if (was, to) in TRANSITIONS:
        assert move(database, ticket, to)
        assert by_number(database, ticket).state is to
    else:
        with pytest.raises(NotAllowed, match=ticket.number):
            move(database, ticket, to)
        assert by_number(database, ticket).state is was


def test_a_refused_step_says_what_is_possible(database):
    ticket = open_ticket(database, a_parcel(database))
    with pytest.raises(NotAllowed, match=r"现在是「待处理」，不能改为「已关闭」。可以改为：处理中、已解决"):
        move(database, ticket, TicketState.CLOSED)
    with pytest.raises(NotAllowed, match="没有这张工单"):
        database.write_now(
            lambda conn: tickets.move(conn, 999, to=TicketState.CLOSED, version=None, at=T0, by="小李")
        )


def test_every_step_is_in_the_history_with_who_and_why(database):
    ticket = open_ticket(database, a_parcel(database))
    move(database, ticket, TicketState.ACKNOWLEDGED, at=T0 + H, text="我来跟")
    move(database, ticket, TicketState.RESOLVED, by="小王", at=T0 + 2 * H, text="网点已发出")
    move(database, ticket, TicketState.OPEN, by="小王", at=T0 + 3 * H, text="又停了")
    found = detail(database, ticket)
    assert [(each.kind, each.author, each.text) for each in found.entries] == [
        (EntryKind.OPENED, "", "中通 Z1 揽收超时"),
        (EntryKind.ACKNOWLEDGED, "小李", "我来跟"),
        (EntryKind.RESOLVED, "小王", "网点已发出"),
        (EntryKind.REOPENED, "小王", "又停了"),
    ]


def test_the_head_says_who_did_the_last_of_each_and_forgets_it_when_reopened(database):
    ticket = open_ticket(database, a_parcel(database))
    move(database, ticket, TicketState.ACKNOWLEDGED, at=T0 + H)
    move(database, ticket, TicketState.RESOLVED, by="小王", at=T0 + 2 * H, text="网点已发出")
    head = by_number(database, ticket)
    assert (head.acknowledged_at, head.acknowledged_by) == (T0 + H, "小李")
    assert (head.resolved_at, head.resolved_by, head.resolution) == (T0 + 2 * H, "小王", "网点已发出")
    move(database, ticket, TicketState.OPEN, at=T0 + 3 * H)
    head = by_number(database, ticket)
    assert (head.acknowledged_at, head.resolved_at, head.resolved_by, head.resolution) == (None, None, "", "")
    move(database, ticket, TicketState.RESOLVED, at=T0 + 4 * H)
    move(database, ticket, TicketState.CLOSED, at=T0 + 5 * H)
    assert by_number(database, ticket).closed_at == T0 + 5 * H


def test_two_agents_click_at_once_and_one_of_them_does_it(database):
    ticket = open_ticket(database, a_parcel(database))
    done: list[bool] = []
    agents = [
        threading.Thread(
            target=lambda n=n: done.append(
                move(database, ticket, TicketState.ACKNOWLEDGED, version=0, by=f"agent {n}")
            )
        )
        for n in range(5)
    ]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join()
    assert sorted(done) == [False, False, False, False, True]
    assert len(detail(database, ticket).entries) == 2


def test_a_ticket_is_not_reopened_beside_another_of_the_parcel(database):
    parcel_id = a_parcel(database)
    old = open_ticket(database, parcel_id)
    move(database, old, TicketState.RESOLVED)
    new = open_ticket(database, parcel_id)
    with pytest.raises(NotAllowed, match=new.number):
        move(database, old, TicketState.OPEN)


def test_the_page_of_a_ticket_shows_everything(database):
    parcel_id = a_parcel(database)
    ids = open_finding(database, parcel_id), open_finding(database, parcel_id, "fake_shipment", severity=5)
    ticket = open_ticket(database, parcel_id, *ids)
    scan = TrackingEvent(T0, Milestone.PICKED_UP, "已揽收")
    learn(database, parcel_id, T0 + H, scan)
    rows = [alert("one", ticket_id=ticket.id), alert("two", ticket_id=ticket.id), alert("digest")]
    database.write_now(lambda conn: outbox.put(conn, rows))
    one, two, digest = (
        database.read_now(lambda conn, key=key: outbox.by_key(conn, key)).id
        for key in ("one", "two", "digest")
    )
    sent = outbox.MessageState.SENT
    for id_, answer in ((one, "errcode 0"), (digest, "errcode 0 of the digest")):
        database.write_now(
            lambda conn, id_=id_, answer=answer: outbox.finish(
                conn, id_, outbox.Outcome.TAKEN, answer, T0, state=sent
            )
        )
    database.write_now(lambda conn: outbox.fold(conn, [two], digest))
    found = detail(database, ticket)
    assert found.ticket.number == ticket.number
    assert [order.order_no for order in found.parcel.case.orders] == ["order of Z1"]
    assert [each.finding.rule for each in found.findings] == ["fake_shipment", "late_pickup"]  # worst first
    assert [each.event for each in found.events] == [scan]
    assert [(each.channel, each.state) for each in found.messages] == [("ops", "sent"), ("ops", "folded")]
    assert [[a.answer for a in each.attempts] for each in found.messages] == [
        ["errcode 0"],
        ["errcode 0 of the digest"],
    ]
    assert database.read_now(lambda conn: tickets.detail(conn, "T-20000101-0001")) is None


def test_the_list_has_the_columns_of_the_contract(database):
    """Design §4: `tickets --json`."""
    parcel_id, other = many_parcels(database, 2)
    ids = [open_finding(database, parcel_id, rule) for rule in ("late_pickup", "fake_shipment")]
    ticket = open_ticket(database, parcel_id, *ids)
    worse = open_ticket(database, other, severity=9, at=T0 + H)
    first, second = database.read_now(tickets.listing)
    assert first["number"] == worse.number  # the worst first
    assert second == {
        "number": ticket.number,
        "state": "open",
        "carrier": "zhongtong",
        "waybill_no": "Z0",
        "order_no": "o0",
        "shop": "旗舰店",
        "opened_at": "2026-11-01T10:00:00+08:00",
        "resolved_at": None,
        "rules": ["late_pickup", "fake_shipment"],
        "yuan_at_risk": None,
        "risk_low": None,
        "risk_high": None,
        "blame": "",
    }
    move(database, ticket, TicketState.RESOLVED, at=T0 + H)
    assert [each["number"] for each in database.read_now(tickets.listing)] == [worse.number]
    whole = database.read_now(lambda conn: tickets.listing(conn, all_=True, zone=UTC))
    assert [each["resolved_at"] for each in whole] == [None, "2026-11-01T03:00:00+00:00"]


# ── findings ─────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_grows_and_remembers_when_each_stage_was_crossed(database):
    parcel_id = a_parcel(database)
    id_ = open_finding(database, parcel_id)
    grown = a_finding(stage=Stage.BREACH, crossed_at=T0 + 24 * H, step=3, severity=4)
    database.write_now(lambda conn: findings.escalate(conn, [findings.Worse(id_, grown, "lost")]))
    [only] = database.read_now(lambda conn: parcels.load(conn, [parcel_id]))[0].open
    assert only.finding == grown
    assert (only.warned_at, only.breached_at) == (T0 + H, T0 + 24 * H)
    assert (only.silenced_by, only.ticket_id) == ("lost", None)


STAKE = {"risk": Risk(500, 1230), "blame": Blame(Party.CARRIER, "揽收后 30 小时没有扫描\0")}


def test_what_is_at_risk_and_whose_doing_it_is_are_kept(database):
    parcel_id = a_parcel(database)
    id_ = open_finding(database, parcel_id, shadow=True, **STAKE)
    [kept] = loaded(database, parcel_id).open
    assert (kept.finding.shadow, kept.finding.risk) == (True, Risk(500, 1230))
    assert kept.finding.blame == Blame(Party.CARRIER, "揽收后 30 小时没有扫描\ufffd"), "as a column takes it"
    plain = a_finding(risk=Risk(0, 0), blame=Blame(Party.EXEMPT, ""))
    database.write_now(
        lambda conn: findings.escalate(conn, [findings.Worse(id_, plain, policy_version="v2")])
    )
    assert loaded(database, parcel_id).open[0].finding == plain, "nothing at risk is not the same as unknown"
    assert column(database, "SELECT policy_version FROM findings") == ["v2"]
    database.write_now(lambda conn: findings.escalate(conn, [findings.Worse(id_, a_finding())]))
    assert loaded(database, parcel_id).open[0].finding == a_finding()
    assert column(database, "SELECT policy_version FROM findings") == ["v2"], "left as it was"


def test_a_party_of_a_later_program_is_nobody_we_know(database):
    parcel_id = a_parcel(database)
    open_finding(database, parcel_id, **STAKE)
    database.write_now(lambda conn: conn.execute(text("UPDATE findings SET blame = 'customs'")))
    assert loaded(database, parcel_id).open[0].finding.blame == Blame(
        Party.UNKNOWN, "揽收后 30 小时没有扫描\ufffd"
    )


def test_the_lists_have_yuan(database):
    parcel_id = a_parcel(database)
    ticket = open_ticket(database, parcel_id, open_finding(database, parcel_id, **STAKE))
    database.write_now(lambda conn: tickets.weigh(conn, ticket.id, STAKE["risk"], STAKE["blame"]))
    assert loaded(database, parcel_id).ticket.risk == Risk(500, 1230)
    money = ("yuan_at_risk", "risk_low", "risk_high", "blame")
    for listing in (findings.listing, tickets.listing):
        [row] = database.read_now(listing)
        assert [row[name] for name in money] == [12.3, 5.0, 12.3, "carrier"]
    database.write_now(lambda conn: tickets.weigh(conn, ticket.id, None, None))
    [row] = database.read_now(tickets.listing)
    assert [row[name] for name in money] == [None, None, None, ""]


def test_ended_findings_are_listed_only_when_asked_for(database):
    """Design §4: `findings --json` has one row per finding, at its present stage."""
    parcel_id = a_parcel(database)
    id_ = open_finding(database, parcel_id, limit=24 * H)
    ticket = open_ticket(database, parcel_id, id_)
    [row] = database.read_now(findings.listing)
    assert row == {
        "carrier": "zhongtong",
        "waybill_no": "Z1",
        "order_no": "order of Z1",
        "rule": "late_pickup",
        "stage": "warning",
        "started_at": "2026-11-01T10:00:00+08:00",
        "crossed_at": "2026-11-01T11:00:00+08:00",
        "ended_at": None,
        "limit_hours": 24.0,
        "policy": "flagship",
        "state": "open",
        "found_at": "2026-11-01T11:00:00+08:00",
        "ticket": ticket.number,
        "policy_version": "",
        "shadow": False,
        "yuan_at_risk": None,
        "risk_low": None,
        "risk_high": None,
        "blame": "",
    }
    ending = findings.Ended(id_, FindingState.RETRACTED, T0 + 2 * H, "补传轨迹")
    database.write_now(lambda conn: findings.end(conn, [ending]))
    assert database.read_now(findings.listing) == []
    [row] = database.read_now(lambda conn: findings.listing(conn, all_=True))
    assert (row["state"], row["ended_at"]) == ("retracted", "2026-11-01T12:00:00+08:00")
    assert column(database, "SELECT ended_by FROM findings") == ["补传轨迹"]
