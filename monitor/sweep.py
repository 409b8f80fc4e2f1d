"""Judging parcels: findings, tickets, messages and the next look, in one transaction (L5).

`settle` is the one place where a fact meets its consequences. The due sweep, every poll, every
import and every command that changes a parcel end here, inside the transaction that wrote the fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from domain.findings import Finding, Stage, Verdict
from domain.messages import Message
from domain.orders import ORDER_STATUS_ZH, Case, Order
from domain.tickets import EntryKind, TicketState
from domain.time import RESOLUTION
from domain.tracking import MILESTONE_ZH
from monitor.desk.plan import Relief, Telling, relief, tellings
from monitor.desk.stake import Stake, party, stake, stands, unhurried
from monitor.polling.doubts import Doubts
from monitor.store import facets, findings, outbox, parcels, tickets
from monitor.store.facets import Group, group_of
from monitor.store.parcels import Due, LiveTicket, Loaded, OpenFinding, Update
from monitor.telling import wording
from monitor.telling.routing import Route, route
from rules.changes import Changes, compare
from rules.judge import judge
from rules.policy import Policy, PolicyBook
from rules.schedule import Pace, next_asking, patience
from rules.worth import stake_ahead

__all__ = ["Feeds", "Judged", "Look", "Sweep"]

MACHINE: Final = "parcelwatch"
_GIVEN_UP: Final = timedelta(days=60)
"""Silent so long, a parcel is watched no more (`facts/carriers-kuaidi100.md`: 60 days without change)."""

Feeds = Callable[[str], tuple[str, Pace] | None]
"""For a carrier: the account that answers for it and its pace, or None when nobody does."""


@dataclass(frozen=True, slots=True)
class Look:
    """A parcel to judge, with what was just learned of it."""

    loaded: Loaded
    case: Case
    answer_hash: str | None = None
    news: str = ""
    """The latest new scan, for the ticket's history."""
    asked_at: datetime | None = None
    unproven: Look | None = None
    """What is taken of it instead when it would accuse somebody."""


@dataclass(slots=True)
class Judged:
    """What one settling did: counted, logged and shown."""

    parcels: int = 0
    opened: int = 0
    grown: int = 0
    ended: int = 0
    tickets: int = 0
    messages: int = 0
    scans: int = 0
    """Appended before the judgement."""
    updates: list[Update] = field(default_factory=list)
    due: list[Due] = field(default_factory=list)
    joined: list[Group] = field(default_factory=list)
    """Groups that parcels have come to."""
    doubted: list[int] = field(default_factory=list)
    """Parcels whose look would have accused, and was not taken as one."""

    def add(self, more: Judged) -> None:
        """Count what another settling did, too."""
        self.parcels += more.parcels
        self.opened += more.opened
        self.grown += more.grown
        self.ended += more.ended
        self.tickets += more.tickets
        self.messages += more.messages
        self.scans += more.scans


@dataclass(frozen=True, slots=True)
class Sweep:
    """Judges parcels by the book and writes what follows."""

    book: PolicyBook
    routes: tuple[Route, ...]
    feeds: Feeds
    link: Callable[[str], str] = lambda number: ""
    """The address of a ticket's page, or nothing where there is none."""
    usual: Callable[[str, str], timedelta | None] = lambda carrier, leg: None
    """How long that carrier mostly says nothing after a scan of that milestone; None: nobody knows."""
    doubts: Doubts = field(default_factory=Doubts)
    """Who is asked for second opinions, and when."""

    def tick(self, conn: Connection, now: datetime, limit: int = 1000) -> Judged:
        """Settle up to `limit` parcels whose stored instant has come. Costs nothing for the others."""
        ids = parcels.take_due_deadlines(conn, now, limit)
        return self.settle(conn, self.looks(conn, ids), now)

    def looks(self, conn: Connection, ids: Sequence[int]) -> list[Look]:
        """Parcels as they stand, with no news."""
        return [Look(loaded, loaded.case) for loaded in parcels.load(conn, ids)] if ids else []

    def settle(self, conn: Connection, looks: Sequence[Look], now: datetime) -> Judged:
        """Judge and keep: findings, tickets, messages, the clocks and the two due times."""
        done = Judged(parcels=len(looks))
        for look in looks:
            self._settle_one(conn, self._placed(look), now, done)
        facets.keep(conn, done.joined, now)
        parcels.save(conn, done.updates, now)
        parcels.reschedule(conn, done.due)
        return done

    def _placed(self, look: Look) -> Look:
        case = self.book.placed(look.case)
        return look if case is look.case else replace(look, case=case)

    def _settle_one(self, conn: Connection, look: Look, now: datetime, done: Judged) -> None:
        case, loaded = look.case, look.loaded
        policy = self.book.policy_for(case)
        verdict = judge(case, policy, now)
        before = {each.finding.rule: each for each in loaded.open}
        standing = [each.finding for each in loaded.open]
        if look.unproven is not None and _accuses(compare(standing, verdict, case, now)):
            done.doubted.append(loaded.id)
            self._settle_one(conn, self._placed(look.unproven), now, done)
            return
        said, until = self.doubts.heard(conn, loaded.id, case, policy, verdict, standing, now)
        changes = _as_of_now(compare(standing, said, case, now), said)
        weighs = stake(changes.heard.standing, said)
        if changes or look.news or _unsaid(changes.heard, before) or _reworded(changes, before):
            self._consequences(conn, look, changes, weighs, before, now, done)
        if loaded.ticket is not None and weighs is not None and not stands(loaded.ticket, weighs):
            tickets.weigh(conn, loaded.ticket.id, *weighs)
        self._keep(conn, look, policy, verdict, changes, now, done, until)

    def _consequences(
        self,
        conn: Connection,
        look: Look,
        changes: Changes,
        weighs: Stake | None,
        before: Mapping[str, OpenFinding],
        now: datetime,
        done: Judged,
    ) -> None:
        """Everything that follows from a change, in the order in which it reads on the ticket.

        Of what a rule on trial found the row is all that follows.
        """
        ticket, heard = look.loaded.ticket, changes.heard
        findings.end(
            conn,
            [findings.Ended(before[old.rule].id, end.state, end.at, end.by) for old, end in changes.ended],
        )
        self._drop_overtaken(conn, look.case, changes, before)
        says = {telling.finding.rule: telling for telling in tellings(heard, _told(heard, before))}
        ids = self._write_findings(conn, look, changes, before, says, now)
        if ticket is None and any(finding.notify for finding in _new(heard)):
            ticket = self._open_ticket(conn, look, heard, weighs, ids, now)
            done.tickets += 1
        elif ticket is not None:
            self._note(conn, ticket, look, heard, ids, now)
        if ticket is not None:
            done.messages += self._tell(conn, ticket, look.case, heard.standing, weighs, says, ids, now)
            over = relief(look.case, heard)
            if over is not None:
                done.messages += self._resolve(conn, ticket, look.case, over, now)
        done.opened += len(changes.opened)
        done.grown += len(changes.grown)
        done.ended += len(changes.ended)

    def _drop_overtaken(
        self, conn: Connection, case: Case, changes: Changes, before: Mapping[str, OpenFinding]
    ) -> None:
        """What waits to be said of a finding that has ended since, or has grown and is said anew, is not said any more.

        A group that hears of warnings only keeps its warning: nothing else would name the parcel there. Where a
        receipt was lost the message is left as well: the group may know it already, by the same number.
        """
        spoken = [each for each in changes.heard.standing if each.notify]
        anew = {channel for each in spoken for channel in route(self.routes, case, each)}
        for old, _ in changes.ended:
            waiting = [row for row in outbox.unsent_of_finding(conn, before[old.rule].id) if not row.unknowns]
            outbox.drop(conn, [row.id for row in waiting], "未发出前已结束")
        for old, _ in changes.grown:
            waiting = [row for row in outbox.unsent_of_finding(conn, before[old.rule].id) if not row.unknowns]
            outbox.drop(conn, [row.id for row in waiting if row.channel in anew], "未发出前已有更新的提醒")

    def _write_findings(
        self,
        conn: Connection,
        look: Look,
        changes: Changes,
        before: Mapping[str, OpenFinding],
        says: Mapping[str, Telling],
        now: datetime,
    ) -> dict[str, int]:
        """Keep what opened, grew, has other terms or is silenced no more; the ids of all standing by rule."""
        ticket_id = look.loaded.ticket.id if look.loaded.ticket else None
        fresh = [
            findings.NewFinding(
                parcel_id=look.loaded.id,
                finding=finding,
                found_at=now,
                policy_version=self.book.version,
                silenced_by=says[finding.rule].silenced_by if finding.rule in says else "",
                ticket_id=None if finding.shadow else ticket_id,
            )
            for finding in changes.opened
        ]
        ids = dict(zip((f.rule for f in changes.opened), findings.open_(conn, fresh), strict=True))
        ids |= {rule: each.id for rule, each in before.items() if rule not in ids}
        findings.escalate(
            conn,
            [
                findings.Worse(
                    ids[after.rule],
                    after,
                    says[after.rule].silenced_by if after.rule in says else "",
                    None if after.shadow else ticket_id,
                    self.book.version,
                )
                for after in (
                    *(after for _, after in changes.grown),
                    *_restated(changes, before, says),
                )
            ],
        )
        return ids

    def _open_ticket(
        self,
        conn: Connection,
        look: Look,
        heard: Changes,
        weighs: Stake | None,
        ids: Mapping[str, int],
        now: datetime,
    ) -> LiveTicket:
        """One ticket for the parcel, with everything a person needs already in it."""
        case, standing = look.case, heard.standing
        worst = max(standing, key=lambda finding: finding.severity)
        ticket = tickets.open_(
            conn,
            parcel_id=look.loaded.id,
            at=now,
            severity=worst.severity,
            summary=headline(case, worst, now),
            filled=filled_in(case),
            finding_ids=[ids[finding.rule] for finding in standing],
            **(weighs._asdict() if weighs is not None else {}),
        )
        for finding in standing:
            tickets.entry(
                conn,
                ticket.id,
                now,
                EntryKind.FINDING,
                author=MACHINE,
                text=wording.summary(case, finding, now),
                data=_finding_data(finding),
            )
        return ticket

    def _note(
        self,
        conn: Connection,
        ticket: LiveTicket,
        look: Look,
        changes: Changes,
        ids: Mapping[str, int],
        now: datetime,
    ) -> None:
        """What happened, as lines of the live ticket."""
        if look.news:
            tickets.entry(conn, ticket.id, now, EntryKind.SCAN, author=MACHINE, text=look.news)
        new = _new(changes)
        if new:
            worst = max(changes.standing, key=lambda finding: finding.severity)
            tickets.attach(
                conn,
                ticket.id,
                [ids[finding.rule] for finding in new],
                severity=worst.severity,
                summary=headline(look.case, worst, now),
            )
        for finding in new:
            text = wording.summary(look.case, finding, now)
            tickets.entry(
                conn,
                ticket.id,
                now,
                EntryKind.FINDING,
                author=MACHINE,
                text=text,
                data=_finding_data(finding),
            )
        for old, ending in changes.ended:
            text = f"{old.evidence.get('rule_zh', old.rule)}：{_ENDED_ZH[ending.state.value]}（{ending.by}）"
            tickets.entry(conn, ticket.id, now, EntryKind.CLEARED, author=MACHINE, text=text)

    def _tell(
        self,
        conn: Connection,
        ticket: LiveTicket,
        case: Case,
        standing: Sequence[Finding],
        weighs: Stake | None,
        says: Mapping[str, Telling],
        ids: Mapping[str, int],
        now: datetime,
    ) -> int:
        """Put what is to be said into the outbox: one row per finding, step and channel."""
        together = weighs.risk if weighs is not None else None
        rows: list[outbox.NewMessage] = []
        spoken = [(ids[rule], telling.finding.step) for rule, telling in says.items() if telling.spoken]
        for rule, telling in says.items():
            finding = telling.finding
            for channel, mentions in self._hears(case, telling, standing).items():
                message = wording.alert(
                    case,
                    finding,
                    ticket.number,
                    now,
                    others=telling.others,
                    mentions=mentions,
                    link=self.link(ticket.number),
                    risk=together if telling.others else None,
                )
                key = f"finding:{ids[rule]}:{finding.step}:{channel}"
                rows.append(self._row(key, channel, message, now, ticket.id, ids[rule]))
        findings.told(conn, spoken)
        if rows:
            tickets.told(conn, ticket.id)
        return outbox.put(conn, rows)

    def _hears(
        self, case: Case, telling: Telling, standing: Sequence[Finding]
    ) -> Mapping[str, tuple[str, ...]]:
        """The channels, each with whom to ring. One that never hears of the worse finding hears the lesser."""
        if not telling.finding.notify:
            return {}
        heard = route(self.routes, case, telling.finding)
        worse = next((each for each in standing if each.rule == telling.silenced_by), None)
        over = route(self.routes, case, worse) if worse is not None else {}
        return {channel: mentions for channel, mentions in heard.items() if channel not in over}

    def _resolve(
        self,
        conn: Connection,
        ticket: LiveTicket,
        case: Case,
        over: Relief,
        now: datetime,
    ) -> int:
        """The ticket resolves; the groups hear of it only where they heard the alarm."""
        tickets.move(
            conn, ticket.id, to=TicketState.RESOLVED, version=None, at=now, by=MACHINE, text=over.because
        )
        unsaid = outbox.unsent_of_ticket(conn, ticket.id)
        outbox.drop(conn, [row.id for row in unsaid], "未发出前已恢复")
        # Where a receipt was lost the alarm may have been heard.
        heard = {*outbox.channels_told(conn, ticket.id), *(row.channel for row in unsaid if row.unknowns)}
        message = wording.relieved(
            case,
            ticket.number,
            now,
            because=over.because,
            state=over.state,
            link=self.link(ticket.number),
        )
        return outbox.put(
            conn,
            [
                self._row(
                    f"ticket:{ticket.id}:{ticket.version}:over:{channel}", channel, message, now, ticket.id
                )
                for channel in sorted(heard)
            ],
        )

    @staticmethod
    def _row(
        key: str, channel: str, message: Message, now: datetime, ticket_id: int, finding_id: int | None = None
    ) -> outbox.NewMessage:
        return outbox.NewMessage(key, channel, message, now, ticket_id=ticket_id, finding_id=finding_id)

    def _keep(
        self,
        conn: Connection,
        look: Look,
        policy: Policy,
        verdict: Verdict,
        changes: Changes,
        now: datetime,
        done: Judged,
        until: datetime | None = None,
    ) -> None:
        """The condensed history, the clocks, and when to look and ask again; at `until` a finding waits no longer.

        A rule on trial has its looks at its steps, or the trial would not show what the rule finds; but what it
        found makes nobody wait for news, holds up no end, and ends with the watch.
        """
        case, loaded = look.case, look.loaded
        urgent = unhurried(verdict)
        feed = self.feeds(case.waybill.carrier)
        if feed and loaded.pushed:
            feed = feed[0], replace(feed[1], pushed=True)
        asked_at = look.asked_at or loaded.asked_at
        left = loaded.state == "unwatched"
        why = loaded.why if left else _finished(case, changes.heard, now)
        worth = stake_ahead(case, policy, urgent)
        usual = self.usual(case.waybill.carrier, case.journey.milestone.value) if feed else None
        asking = (
            next_asking(case, urgent, feed[1], asked_at, now, stake=worth, usual=usual)
            if feed and not why
            else None
        )
        if not why and feed and asking is None:
            why = MILESTONE_ZH[case.journey.milestone]
        if why and len(changes.heard.standing) < len(changes.standing):
            findings.end_trials(conn, loaded.id, now, f"不再监控：{why}")
        limit_at, limit_rule = (None, "") if why else _next_limit(policy, verdict, now)
        # The limit itself too: while nobody looks no step is ahead, and another clock's limit may be next.
        looks = (verdict.next_look_at, verdict.carrier_look_at, limit_at and limit_at + RESOLUTION, until)
        ahead = min((at for at in looks if at is not None and at > now and not why), default=None)
        state = "unwatched" if left else "done" if why else "watched"
        moved = (state, why) != (loaded.state, loaded.why)
        group = None if why else self._joined(case, policy, loaded, done)
        done.updates.append(
            Update(
                id=loaded.id,
                journey=case.journey,
                observed_at=case.observed_at,
                answer_hash=look.answer_hash,
                clocks=verdict.clocks,
                policy_version=self.book.version,
                state=state if moved else None,
                why=why if moved else None,
                done_at=now if moved and state == "done" else None,
                facets_id=group,
            )
        )
        # A step that waits for a look is judged even when the answer repeats the last one.
        waits = verdict.carrier_look_at is not None and verdict.carrier_look_at <= now
        fresh = patience(case, urgent, feed[1]) if feed and not why and not waits else None
        done.due.append(
            Due(
                loaded.id,
                feed[0] if feed else "",
                _in_turn(asking.at, look, now) if asking else None,
                ahead,
                fresh,
                asking.reason if asking else worth,
                worth,
                limit_at,
                limit_rule,
                None
                if why or verdict.shop_look_at is None or verdict.shop_look_at > now
                else verdict.shop_look_at,
            )
        )

    def _joined(self, case: Case, policy: Policy, loaded: Loaded, done: Judged) -> int | None:
        """The number of the group the parcel belongs to from now on; None when it is the one it was in."""
        said = self.book.facets_key(case)
        group = group_of(said)
        if group == loaded.facets_id:
            return None
        done.joined.append(Group(group, said, policy.terms))
        return group


def _accuses(changes: Changes) -> bool:
    return bool(changes.opened or changes.grown)


def _in_turn(at: datetime, look: Look, now: datetime) -> datetime:
    """What was due already keeps its place in the queue, however often it is judged meanwhile."""
    since = look.loaded.next_poll_at
    waits = look.asked_at is None and since is not None and since <= at <= now
    return since if waits and since is not None else at


_ENDED_ZH: Final = {
    "cleared": "已恢复",
    "retracted": "撤回",
    "expired": "不再适用",
    "dismissed": "人工忽略",
}


def _new(changes: Changes) -> list[Finding]:
    """What was not there, or not so bad, before."""
    return [*changes.opened, *(after for _, after in changes.grown)]


def headline(case: Case, finding: Finding, now: datetime) -> str:
    """A ticket in one line: which parcel, what is worst."""
    return f"{wording.parcel_name(case)} {wording.summary(case, finding, now)}"


def _told(changes: Changes, before: Mapping[str, OpenFinding]) -> dict[str, int]:
    """The last step told of every finding that goes on; a new wait of a rule starts at none."""
    going_on = [*changes.kept, *(after for _, after in changes.grown)]
    return {finding.rule: before[finding.rule].told_step for finding in going_on}


def _unsaid(changes: Changes, before: Mapping[str, OpenFinding]) -> bool:
    """A standing finding was never told: perhaps the one that silenced it has ended."""
    return any(finding.notify and finding.step > before[finding.rule].told_step for finding in changes.kept)


def _as_of_now(changes: Changes, verdict: Verdict) -> Changes:
    """What goes on is told and kept with today's numbers, whose line of a policy they are (L8)."""
    found = {finding.rule: finding for finding in verdict.findings}
    return replace(changes, kept=tuple(found[old.rule] for old in changes.kept))


def _reworded(changes: Changes, before: Mapping[str, OpenFinding]) -> list[Finding]:
    """Findings that go on under another limit or another line of a policy, at another risk or by another's doing."""

    def terms(finding: Finding) -> tuple[object, ...]:
        told = finding.deadline, finding.limit, finding.policy, finding.step, finding.notify
        return *told, finding.risk, party(finding.blame)

    return [finding for finding in changes.kept if terms(finding) != terms(before[finding.rule].finding)]


def _restated(
    changes: Changes, before: Mapping[str, OpenFinding], says: Mapping[str, Telling]
) -> list[Finding]:
    """Findings that go on, but are told of now, or stand under other terms."""
    spoken = [finding for finding in changes.kept if finding.rule in says and says[finding.rule].spoken]
    heard = [finding for finding in spoken if before[finding.rule].silenced_by]
    return [*heard, *(finding for finding in _reworded(changes, before) if finding not in heard)]


def _next_limit(policy: Policy, verdict: Verdict, now: datetime) -> tuple[datetime | None, str]:
    """The nearest limit ahead of which somebody would be told, and whose it is; of equals the first of the policy."""
    told = {line.rule.id for line in policy.lines if line.rule.notify and not line.rule.shadow}
    ahead = [
        (clock.deadline, clock.rule)
        for clock in verdict.clocks
        if clock.running and clock.deadline is not None and clock.deadline > now and clock.rule in told
    ]
    return min(ahead, key=lambda each: each[0], default=(None, ""))


def _finished(case: Case, changes: Changes, now: datetime) -> str:
    """Why the parcel is watched no more, or nothing."""
    if not changes.standing and all(order.status.ended for order in case.orders):
        return ORDER_STATUS_ZH[case.order.status]
    begun = case.journey.last_movement_at or case.order.shipped_at or case.order.paid_at
    seen = case.observed_at
    if begun is not None and seen is not None and seen - begun > _GIVEN_UP:
        return "超过 60 天没有动静"
    return ""


def _finding_data(finding: Finding) -> dict[str, Any]:
    """A finding as the ticket's history keeps it."""
    return {
        "rule": finding.rule,
        "stage": finding.stage.value,
        "policy": finding.policy,
        "started_at": finding.started_at.isoformat(),
        "deadline": finding.deadline.isoformat() if finding.deadline else "",
        "breach": finding.stage is Stage.BREACH,
        **finding.evidence,
    }


def _moments(order: Order) -> Iterator[tuple[str, datetime | None]]:
    names = ("ordered_at", "paid_at", "shipped_at", "promised_ship_at", "promised_delivery_at")
    return ((name, getattr(order, name)) for name in names)


def filled_in(case: Case) -> dict[str, Any]:
    """The whole order and parcel as they stood, for the ticket's head."""
    return {
        "carrier": case.waybill.carrier,
        "waybill_no": case.waybill.waybill_no,
        "orders": [
            {
                "order_no": order.order_no,
                "platform": order.platform,
                "shop": order.shop,
                "merchant": order.merchant,
                "status": order.status.value,
                **{name: at.isoformat() if at else None for name, at in _moments(order)},
                "amount": str(order.amount) if order.amount is not None else None,
                "receiver_province": order.receiver_province,
                "receiver_city": order.receiver_city,
                "warehouse": order.warehouse,
                "goods_type": order.goods_type,
            }
            for order in case.orders
        ],
        "milestone": case.journey.milestone.value,
        "last_text": case.journey.last_text,
        "node": case.journey.node,
        "courier": case.journey.courier,
    }
