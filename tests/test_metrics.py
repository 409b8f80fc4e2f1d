"""What Prometheus reads: the list as documented, values as the store has them, labels that cannot grow."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Histogram
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, event

from carriers.push import Push
from domain.findings import Stage
from domain.remote import Outcome
from domain.tickets import EntryKind
from monitor.feeds.feed import Feed, FeedState
from monitor.feeds.line import Line
from monitor.metrics import MEASURES, Metrics
from monitor.store import feeds, outbox, providers, pushes, schema, tickets
from monitor.store.database import Database
from monitor.store.outbox import MessageState
from monitor.store.parcels import Due
from monitor.store.providers import ProviderState
from monitor.store.pulse import Marks, count_watched, pulse
from monitor.store.push_counts import tallies
from monitor.store.pushes import Kept
from monitor.vitals import Vitals
from tests.conftest import opened
from tests.store import given
from tests.store.given import T0, H

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "reference" / "metrics.md"
BOARD = ROOT / "docs" / "grafana" / "parcelwatch.json"
ALERTS = ROOT / "docs" / "grafana" / "alerts.yml"
KINDS = {"Counter": "计数", "Gauge": "当前值", "Histogram": "分布"}
MINUTE = timedelta(minutes=1)


class Hand:
    """A steady clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def metrics(hand: Hand) -> Metrics:
    return Metrics(hand)


@pytest.fixture
def vitals() -> Vitals:
    return Vitals(T0)


def series(metrics: Metrics) -> dict[str, float]:
    """Every series of ours: `name{label="value"}` without the prefix, and its value."""
    return {
        sample.name.removeprefix("parcelwatch_")
        + (
            "{" + ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items())) + "}"
            if sample.labels
            else ""
        ): (sample.value)
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name.startswith("parcelwatch_") and not sample.name.endswith("_created")
    }


def refresh(metrics: Metrics, store: Database, vitals: Vitals, now: datetime = T0 + H) -> None:
    asyncio.run(
        metrics.refresh(store, now, vitals, accounts=["k100"], channels=["ops"]),
    )


def due(parcel_id: int, ask: datetime | None, judge: datetime | None) -> Due:
    return Due(parcel_id, "k100", ask, judge)


# ── the list ─────────────────────────────────────────────────────────────────────────────────────


def test_the_document_lists_every_measure_with_its_labels_and_meaning() -> None:
    rows = re.findall(
        r"^\| `(parcelwatch_\w+)` \| (\S+) \| (.+?) \| (.+?) \|$", DOCUMENT.read_text("utf-8"), re.M
    )
    assert rows == [
        (each.name, KINDS[each.kind.__name__], "、".join(f"`{x}`" for x in each.labels) or "—", each.meaning)
        for each in MEASURES
    ]


def test_the_registry_holds_the_list_and_the_process_and_nothing_else(metrics: Metrics) -> None:
    names = {family.name for family in metrics.registry.collect()}
    ours = {name for name in names if not name.startswith("process_")}
    assert ours == {each.name.removesuffix("_total") for each in MEASURES}
    assert "process_resident_memory_bytes" in names


def test_no_label_could_hold_a_parcel_a_ticket_or_a_merchant() -> None:
    labels = {label for each in MEASURES for label in each.labels}
    bounded = {"account", "channel", "outcome", "rule", "stage", "state", "kind", "verb", "carrier"}
    assert labels - bounded == {"version", "python", "store"}, "and these of the build alone"


def names_in(expression: str) -> set[str]:
    """The series an expression asks for: words that are no function, label or keyword."""
    bare = re.sub(
        r'"[^"]*"|\b(?:by|on|group_right|group_left|without)\s*\([^)]*\)|\{[^}]*\}', " ", expression
    )
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    words = re.findall(r"[a-z_][a-z0-9_]*(?!\w)(?!\s*\()", bare)
    return {word for word in words if word not in {"or", "and", "unless", "on", "by", "group_right"}}


def series_names() -> set[str]:
    """Everything that may be asked for."""
    names = {"up", "process_resident_memory_bytes"}
    for each in MEASURES:
        parts = ("_bucket", "_sum", "_count") if each.kind is Histogram else ("",)
        names |= {each.name + part for part in parts}
    return names


def board_expressions() -> Iterator[tuple[str, str]]:
    board = json.loads(BOARD.read_text("utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def alerts() -> list[dict[str, object]]:
    rules = yaml.safe_load(ALERTS.read_text("utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


EXPRESSIONS = [*board_expressions(), *((str(rule["alert"]), str(rule["expr"])) for rule in alerts())]


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_board_and_alerts_ask_for_real_series(where: str, expression: str) -> None:
    asked = names_in(expression)
    assert asked, where
    assert asked <= series_names(), where


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_board_and_alerts_select_by_real_labels(where: str, expression: str) -> None:
    labels = {
        name: set(each.labels) | {"le", "instance", "job"} for each in MEASURES for name in (each.name,)
    }
    for name, selector in re.findall(r"(parcelwatch_\w+?)(?:_bucket)?\{([^}]*)\}", expression):
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector)))
        assert used <= labels[name], (where, name)


def test_the_reading_of_names_finds_wrong_ones() -> None:
    """The checks above are worth something."""
    told = names_in('sum by (account) (rate(parcelwatch_wrong_total{state="up"}[5m])) / foo > 1')
    assert told == {"parcelwatch_wrong_total", "foo"}
    assert not told & series_names()


def test_every_counter_and_distribution_is_looked_at_as_one() -> None:
    """The bare value of a counter says nothing after a restart."""
    cumulative = {each.name for each in MEASURES if each.kind in (Counter, Histogram)}
    for where, expression in EXPRESSIONS:
        for found in re.finditer(r"(\w+\()?(parcelwatch_\w+?)(_bucket)?(?=[\s{\[)]|$)", expression):
            if found[2] in cumulative:
                assert found[1] in ("rate(", "increase("), (where, found[2])


def test_every_alert_says_what_happened_what_to_do_and_where_to_read_on() -> None:
    for rule in alerts():
        told = rule["annotations"]
        assert isinstance(told, dict)
        assert re.search("[一-鿿]", told["summary"]), rule["alert"]
        assert re.search("[一-鿿]", told["description"]), rule["alert"]
        page, _, section = told["runbook_url"].partition("#")
        assert section == str(rule["alert"]).lower()
        assert f"\n### {rule['alert']}\n" in (ROOT / page).read_text("utf-8"), "its own section"
        assert rule["labels"]["severity"] in ("critical", "warning", "info")  # type: ignore[index]


# ── what it says ─────────────────────────────────────────────────────────────────────────────────


def test_what_waits_in_the_store_is_shown(database: Database, metrics: Metrics, vitals: Vitals) -> None:
    first, second = given.many_parcels(database, 2)
    given.due(database, due(first, T0 + 30 * MINUTE, T0 + 50 * MINUTE), due(second, T0 + 2 * H, None))
    database.write_now(lambda conn: outbox.put(conn, [given.alert("a"), given.alert("b", at=T0 + MINUTE)]))
    refresh(metrics, database, vitals)
    told = series(metrics)
    assert told["poll_lag_seconds{account=k100}"] == 30 * 60
    assert told["sweep_lag_seconds"] == 10 * 60
    assert told["parcels_watched"] == 1
    assert told["outbox_messages{channel=ops,state=waiting}"] == 2
    assert told["outbox_oldest_seconds{channel=ops}"] == 3600
    assert vitals.standing is not None
    assert vitals.standing.judge_since == T0 + 50 * MINUTE
    assert vitals.standing.message_since == {"ops": T0}


def test_messages_for_a_channel_that_is_configured_no_more_make_nothing_red(
    database: Database, metrics: Metrics, vitals: Vitals
) -> None:
    database.write_now(lambda conn: outbox.put(conn, [given.alert("a", "gone")]))
    refresh(metrics, database, vitals)
    assert series(metrics)["outbox_messages{channel=gone,state=waiting}"] == 1
    assert vitals.standing is not None
    assert vitals.standing.message_since == {}


def test_a_dead_letter_is_counted_and_waits_no_more(
    database: Database, metrics: Metrics, vitals: Vitals
) -> None:
    database.write_now(lambda conn: outbox.put(conn, [given.alert("a")]))
    database.write_now(
        lambda conn: outbox.finish(conn, 1, Outcome.REFUSED, "no", T0, state=MessageState.DEAD)
    )
    refresh(metrics, database, vitals)
    told = series(metrics)
    assert told["outbox_messages{channel=ops,state=dead}"] == 1
    assert "outbox_oldest_seconds{channel=ops}" not in told


def test_a_message_meant_for_later_is_not_late(database: Database, metrics: Metrics, vitals: Vitals) -> None:
    later = given.alert("a", next_try_at=T0 + 8 * H)
    database.write_now(lambda conn: outbox.put(conn, [later]))
    refresh(metrics, database, vitals)
    assert series(metrics)["outbox_oldest_seconds{channel=ops}"] == 0


def test_accounts_show_their_state_spending_and_last_good_answer(
    database: Database, metrics: Metrics, vitals: Vitals
) -> None:
    state = ProviderState("k100", "down", last_good_at=T0)

    def work(conn: object) -> None:
        providers.save(conn, state)  # type: ignore[arg-type]
        down = Line(Feed(FeedState.DOWN))
        feeds.save(conn, "k100", {"zhongtong": down, "没有这家": down})  # type: ignore[arg-type]
        providers.spend(conn, "k100", T0.date(), asked=40, cents=250)  # type: ignore[arg-type]
        providers.note_unknown(conn, "k100", ["x1", "x2"], "zhongtong/Z1", T0)  # type: ignore[arg-type]

    database.write_now(work)
    refresh(metrics, database, vitals)
    told = series(metrics)
    states = ("up", "degraded", "down", "unknown")
    assert [told[f"feed_state{{account=k100,state={each}}}"] for each in states] == [0, 0, 1, 0]
    assert told["carrier_feed_state{account=k100,carrier=zhongtong,state=down}"] == 1
    assert not any("没有这家" in name for name in told), "no label is anybody's free text"
    assert told["questions_today{account=k100}"] == 40
    assert told["spend_today_yuan{account=k100}"] == 2.5
    assert told["unknown_codes{account=k100}"] == 2
    assert told["last_fetch_timestamp_seconds{account=k100}"] == T0.timestamp()
    vitals.fetched("k100", T0 + H)
    refresh(metrics, database, vitals)
    assert series(metrics)["last_fetch_timestamp_seconds{account=k100}"] == (T0 + H).timestamp()


def test_an_account_nobody_ever_heard_of_is_not_well(
    database: Database, metrics: Metrics, vitals: Vitals, hand: Hand
) -> None:
    def state() -> set[str]:
        hand.at += 60
        refresh(metrics, database, vitals)
        told = series(metrics)
        return {name for name, n in told.items() if name.startswith("feed_state") and n}

    assert state() == {"feed_state{account=k100,state=unknown}"}, "the store knows nothing of it"
    database.write_now(lambda conn: providers.save(conn, ProviderState("k100", failures=1)))
    assert state() == {"feed_state{account=k100,state=unknown}"}
    pushed = Line(Feed(last_good_at=T0))
    database.write_now(lambda conn: feeds.save(conn, "k100", {"zhongtong": pushed}))
    assert state() == {"feed_state{account=k100,state=up}"}, "a push is heard of too"
    poor = Line(poor_since=T0)
    database.write_now(lambda conn: feeds.save(conn, "k100", {"": poor}))
    assert state() == {"feed_state{account=k100,state=degraded}"}


def test_pushes_that_wait_and_subscriptions_are_shown(
    database: Database, metrics: Metrics, vitals: Vitals, hand: Hand
) -> None:
    refresh(metrics, database, vitals)
    told = series(metrics)
    assert (told["pushes_waiting"], told["pushes_oldest_seconds"]) == (0, 0)
    [first, second] = given.many_parcels(database, 2)
    came = [Kept("k100", T0 + n * MINUTE, Push(b"{}")) for n in range(3)]

    def work(conn: Connection) -> None:
        pushes.put(conn, came)
        for parcel, state, at in ((first, "open", None), (second, "ended", 1)):
            row = {"parcel_id": parcel, "provider": "k100", "state": state, "next_at": at}
            conn.execute(schema.subscriptions.insert().values(row))

    database.write_now(work)
    hand.at += 60
    refresh(metrics, database, vitals)
    told = series(metrics)
    assert (told["pushes_waiting"], told["pushes_oldest_seconds"]) == (3, 3600)
    assert told["subscriptions{account=k100,state=open}"] == 1
    assert told["subscriptions{account=k100,state=renew}"] == 1
    assert told["subscriptions{account=k100,state=refused}"] == 0
    [oldest] = database.read_now(lambda conn: pushes.waiting(conn, 1))
    database.write_now(lambda conn: pushes.done(conn, [oldest.id]))
    hand.at += 60
    refresh(metrics, database, vitals)
    told = series(metrics)
    assert (told["pushes_waiting"], told["pushes_oldest_seconds"]) == (2, 3600 - 60)


def test_a_carrier_that_is_down_is_noted_and_turns_nothing_red(
    database: Database, metrics: Metrics, vitals: Vitals
) -> None:
    down = Line(Feed(FeedState.DOWN, since=T0, last_error="空 13812345678"))
    database.write_now(lambda conn: feeds.save(conn, "k100", {"zhongtong": down, "yuantong": Line()}))
    database.write_now(lambda conn: feeds.save(conn, "gone", {"zhongtong": down}))
    refresh(metrics, database, vitals)
    assert vitals.problems(T0 + H) == ()
    [note] = vitals.notes(T0 + H)
    assert note.kind == "carrier"
    assert note.text.startswith("数据源账号“k100”的中通快递已中断 60 分钟，原因：空 138******78。")


def test_ledgers_are_counted_once_from_the_start_on(
    database: Database, metrics: Metrics, vitals: Vitals, hand: Hand
) -> None:
    before = given.a_parcel(database, "Z0")
    given.open_finding(database, before)
    refresh(metrics, database, vitals)
    parcel = given.a_parcel(database, "Z1")
    finding = given.open_finding(database, parcel)
    given.open_finding(database, parcel, "late_shipment", stage=Stage.BREACH)
    ticket = given.open_ticket(database, parcel, finding)
    database.write_now(lambda conn: tickets.entry(conn, ticket.id, T0, EntryKind.COMMENT, text="x"))
    database.write_now(lambda conn: outbox.put(conn, [given.alert("a")]))
    database.write_now(lambda conn: outbox.finish(conn, 1, Outcome.TAKEN, "ok", T0, state=MessageState.SENT))
    for _ in range(3):
        hand.at += 60
        refresh(metrics, database, vitals)
    told = series(metrics)
    assert {name: n for name, n in told.items() if name.startswith("findings_opened")} == {
        "findings_opened_total{rule=late_pickup,stage=warning}": 1,
        "findings_opened_total{rule=late_shipment,stage=breach}": 1,
    }
    assert told["ticket_entries_total{kind=opened}"] == 1
    assert told["ticket_entries_total{kind=comment}"] == 1
    assert told["messages_total{channel=ops,outcome=taken}"] == 1
    assert told["tickets{state=open}"] == 1
    assert told["tickets{state=acknowledged}"] == 0


def test_the_store_is_read_at_most_every_few_seconds(
    database: Database, metrics: Metrics, vitals: Vitals, hand: Hand
) -> None:
    refresh(metrics, database, vitals)
    database.write_now(lambda conn: outbox.put(conn, [given.alert("a")]))
    hand.at += 4.9
    refresh(metrics, database, vitals)
    assert "outbox_messages{channel=ops,state=waiting}" not in series(metrics)
    hand.at += 0.1
    refresh(metrics, database, vitals)
    assert series(metrics)["outbox_messages{channel=ops,state=waiting}"] == 1


def test_problems_are_shown_as_the_vitals_have_them(
    database: Database, metrics: Metrics, vitals: Vitals, hand: Hand
) -> None:
    database.write_now(lambda conn: outbox.put(conn, [given.alert("a")]))
    refresh(metrics, database, vitals)
    told = series(metrics)
    assert told["problems{kind=deliver}"] == 1
    assert told["problems{kind=fetch}"] == 0
    vitals.delivered("ops", T0 + H)
    refresh(metrics, database, vitals)
    assert series(metrics)["problems{kind=deliver}"] == 0


def test_a_silent_store_is_shown_beside_what_it_said_last(
    database: Database, metrics: Metrics, vitals: Vitals
) -> None:
    given.a_parcel(database)
    refresh(metrics, database, vitals)
    metrics.blind(T0 + 2 * H, vitals)
    told = series(metrics)
    assert told["problems{kind=store}"] == 1
    assert told["parcels_watched"] == 1
    refresh(metrics, database, vitals)
    assert series(metrics)["problems{kind=store}"] == 0


def test_every_transaction_of_the_store_is_timed(database: Database, metrics: Metrics) -> None:
    database.listen(metrics.committed)
    given.a_parcel(database)

    def broken(conn: object) -> None:
        raise LookupError("of its own")

    with pytest.raises(LookupError):
        database.write_now(broken)
    database.write_now(lambda conn: None)  # the writer tells of a transaction before it begins the next
    told = series(metrics)
    assert told["store_works_total{outcome=kept}"] in (1, 2)
    assert told["store_works_total{outcome=failed}"] == 1
    assert told["store_commit_seconds_count"] in (2, 3)


def test_build_info_names_version_python_and_database(
    database: Database, metrics: Metrics, vitals: Vitals, backend: str
) -> None:
    refresh(metrics, database, vitals)
    [info] = [name for name in series(metrics) if name.startswith("build_info")]
    assert f"store={backend}" in info
    assert "python=3." in info


def test_hostile_names_do_not_break_the_page(metrics: Metrics) -> None:
    metrics.count("queries_total", 'k"1\n00\\', "answered")
    [family] = [
        each
        for each in text_string_to_metric_families(metrics.text().decode())
        if each.name == "parcelwatch_queries"
    ]
    assert [sample.labels["account"] for sample in family.samples if sample.name.endswith("_total")] == [
        'k"1\n00\\'
    ]


def test_a_reading_walks_no_table_that_grows(sqlite_url: str, tmp_path: Path) -> None:
    """A scrape costs the same at a thousand and at a million parcels."""
    asked: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    with opened(sqlite_url, tmp_path) as store:
        engine = store._backend.readers
        event.listen(engine, "before_cursor_execute", note)
        store.read_now(lambda conn: pulse(conn, T0, ["k100"], Marks(-1, -1, -1)))
        store.read_now(tallies)
        store.read_now(count_watched)
        event.remove(engine, "before_cursor_execute", note)
        plans = [
            line[-1]
            for statement, parameters in asked
            for line in store.read_now(
                lambda conn, s=statement, p=parameters: conn.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {s}", p
                ).all()  # type: ignore[misc]
            )
        ]
    small = ("providers", "spend", "unknown_codes", "feed_lines")
    walked = {plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] not in small}
    minutely = "SCAN subscriptions USING COVERING INDEX ix_subscriptions_live"
    assert walked == {minutely}, "the subscriptions of live parcels, once a minute"
    counted = plans[-1]
    assert counted.startswith("SEARCH due USING COVERING INDEX"), "the count too, which is made once a minute"
    assert len(asked) > 10
