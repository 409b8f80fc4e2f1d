"""The tables. Moments are whole microseconds since 1970 UTC (`domain.time.to_micros`), texts are UTF-8.

`parcels` is the truth about a waybill and keeps its condensed history and clock state, so that most
sweeps read no scans. `due` is narrow on purpose: rescheduling touches only it (`docs/adr/0003`).
What the database refuses is stated here: two open tickets for one parcel, two open findings of one
rule, a ticket transition that is not in the table, two messages for one fact and channel. That ticket
entries, scan edits and send attempts are only ever added is kept by triggers (`migrations/versions`).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = ["METADATA", "REVISION"]

REVISION: Final = "0005"
"""The newest step in `migrations/versions`, which is the only way a table comes to be."""

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows only under the type INTEGER."""


def _key() -> Column[int]:
    return Column("id", Key, primary_key=True)


def _moment(name: str, *, required: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=not required)


def _text(name: str, **extra: Any) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="", **extra)


def _json(name: str, empty: str = "{}") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=empty)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


_BUSY: Final = {"fillfactor": "85", "autovacuum_vacuum_scale_factor": "0.02"}
"""PostgreSQL, tables whose rows are rewritten all day: room in the page, early vacuum (foundations B2)."""


def _partial(name: str, *columns: str, where: str, sqlite: str = "") -> Index:
    """An index of the rows that fulfil a condition; `sqlite` where that database writes it otherwise."""
    return Index(name, *columns, sqlite_where=text(sqlite or where), postgresql_where=text(where))


def _parcel(**extra: Any) -> Column[int]:
    return Column("parcel_id", Key, ForeignKey("parcels.id"), nullable=False, **extra)


orders = Table(
    "orders",
    METADATA,
    _key(),
    _text("merchant"),
    _text("platform"),
    _text("shop"),
    Column("order_no", Text, nullable=False),
    Column("status", String(24), nullable=False),
    _moment("paid_at"),
    _moment("confirmed_at"),
    _moment("shipped_at"),
    _moment("promised_ship_at"),
    Column("amount_cents", BigInteger),
    _text("receiver_province"),
    _text("receiver_city"),
    _text("warehouse"),
    _text("goods_type"),
    _text("tags"),  # sorted, parted by a blank
    Column("phone_tail", LargeBinary),  # sealed (store/sealing.py); only where the carrier asks for it
    _moment("observed_at", required=True),  # the shop's word is known up to here
    _moment("created_at", required=True),
    _moment("updated_at", required=True),
    Column("bare", Boolean, nullable=False, server_default=text("false")),  # no waybill of it is known now
    _moment("ordered_at"),
    _moment("promised_delivery_at"),
    Column(
        "source", String(64), nullable=False, server_default=""
    ),  # of `pulls`: its last look is this order's too
    UniqueConstraint("merchant", "platform", "shop", "order_no"),
    Index("ix_orders_order_no", "order_no"),
    _partial("ix_orders_phone_tail", "id", where="phone_tail IS NOT NULL"),
    _partial("ix_orders_bare", "status", "id", "shipped_at", where="bare", sqlite="bare = 1"),
)

facets = Table(
    "facets",
    METADATA,
    # Out of `said` (store/facets.py): whoever judges a parcel knows it without a look.
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("said", Text, nullable=False),  # what of a parcel policies can match: parcels alike share a row
    _text("terms"),  # a short name for what the policy last said of them
    _moment("joined_at", required=True),  # about when a parcel came to it last
)

parcels = Table(
    "parcels",
    METADATA,
    _key(),
    Column("carrier", String(40), nullable=False),
    Column("waybill_no", String(64), nullable=False),
    _count("cycle"),  # numbers are reused after some months: each use is a parcel of its own
    Column("state", String(12), nullable=False, server_default="watched"),  # watched, done, unwatched
    _text("why"),  # why it is done or not watched
    _moment("watch_from", required=True),  # older scans belong to an earlier use of the number
    _moment("observed_at"),
    _text("answer_hash"),
    _json("journey"),
    Column("milestone", String(24), nullable=False, server_default="unknown"),
    _moment("last_event_at"),
    _json("clocks", "[]"),
    _text("policy_version"),
    _count("version"),
    _moment("created_at", required=True),
    _moment("updated_at", required=True),
    _moment("done_at"),
    _moment("forgotten_at"),  # when the names and phone hints in its history were taken out
    Column(
        "facets_id", Key
    ),  # of its row in `facets`, while it is watched; null: not judged since this was kept
    Column(
        "declared", String(40), nullable=False, server_default=""
    ),  # the carrier the shop named, where the number turned out to be another's
    UniqueConstraint("carrier", "waybill_no", "cycle"),
    Index("ix_parcels_waybill_no", "waybill_no"),
    # For the coverage and the purge. None names a column that every judgement changes.
    _partial("ix_parcels_carrier", "carrier", "facets_id", where="state = 'watched'"),
    _partial(
        "ix_parcels_unanswered", "id", "carrier", "facets_id", where="state = 'watched' AND answer_hash = ''"
    ),
    _partial("ix_parcels_noted", "id", where="state = 'watched' AND why <> ''"),
    _partial("ix_parcels_unwatched", "id", where="state = 'unwatched'"),
    _partial("ix_parcels_done", "done_at", "id", where="state = 'done'"),
    _partial("ix_parcels_unforgotten", "id", where="state <> 'watched' AND forgotten_at IS NULL"),
    _partial("ix_parcels_facets", "facets_id", "id", where="state = 'watched'"),
    postgresql_with=_BUSY,
)

order_parcels = Table(
    "order_parcels",
    METADATA,
    Column("order_id", Key, ForeignKey("orders.id"), nullable=False),
    _parcel(),
    _moment("linked_at", required=True),
    _moment("unlinked_at"),  # the shop changed the number: the old parcel keeps its history
    PrimaryKeyConstraint("order_id", "parcel_id"),
    Index("ix_order_parcels_parcel_id", "parcel_id"),
)

events = Table(
    "events",
    METADATA,
    _parcel(),
    _moment("occurred_at", required=True),
    Column("seq", Integer, nullable=False),
    _moment("learned_at", required=True),
    _moment("withdrawn_at"),
    _text("provider"),
    Column("milestone", String(24), nullable=False),
    _text("code"),
    _text("text"),
    _json("detail"),
    PrimaryKeyConstraint("parcel_id", "occurred_at", "seq"),
    sqlite_with_rowid=False,
)

event_edits = Table(
    "event_edits",
    METADATA,
    _key(),
    _parcel(index=True),
    _moment("occurred_at", required=True),
    Column("seq", Integer, nullable=False),
    _moment("replaced_at", required=True),
    Column("was", Text, nullable=False),  # the whole earlier row, as JSON
)

due = Table(
    "due",
    METADATA,
    Column("parcel_id", Key, ForeignKey("parcels.id"), primary_key=True, autoincrement=False),
    Column("provider", String(64), nullable=False, server_default=""),  # "" : nobody can be asked
    _moment("next_poll_at"),
    _moment("next_deadline_at"),
    _moment("asked_at"),
    _moment("quota_at"),  # GCRA: the theoretical arrival time of this waybill's daily ceiling
    _moment("seen_at"),  # silence proven up to here by answers that were word for word the last one
    Column("patience", BigInteger),  # how long such a look stays fresh; null: such an answer is judged
    _moment("limit_at"),  # the nearest limit of a running clock that lay ahead when it was judged
    Column("limit_rule", String(48), nullable=False, server_default=""),  # whose it is
    # What the next question is for, and what the next step's would be (`rules.schedule.Reason`, 0 is dropped
    # first); nobody has said yet: the dearest.
    Column("reason", Integer, nullable=False, server_default="3"),
    Column("stake", Integer, nullable=False, server_default="3"),
    _moment("shop_at"),  # a clock waits for the shop's word and has passed this moment unproven
    _partial("ix_due_shop", "shop_at", "parcel_id", where="shop_at IS NOT NULL"),
    _partial("ix_due_poll", "provider", "next_poll_at", "reason", where="next_poll_at IS NOT NULL"),
    _partial("ix_due_deadline", "next_deadline_at", where="next_deadline_at IS NOT NULL"),
    _partial("ix_due_limit", "limit_at", "parcel_id", "limit_rule", where="limit_at IS NOT NULL"),
    _partial("ix_due_nobody", "parcel_id", where="provider = ''"),
    postgresql_with=_BUSY,
)

findings = Table(
    "findings",
    METADATA,
    _key(),
    _parcel(index=True),
    Column("rule", String(48), nullable=False),
    Column("stage", String(8), nullable=False),
    _count("step"),
    Column("state", String(12), nullable=False, server_default="open"),
    _count("severity"),
    Column("notify", Boolean, nullable=False),
    _count("told_step"),  # up to which step somebody was told; 0: nobody
    _text("silenced_by"),
    _moment("started_at", required=True),
    _moment("deadline"),
    Column("limit_us", BigInteger),
    _moment("crossed_at", required=True),
    _moment("warned_at"),
    _moment("breached_at"),
    _moment("found_at", required=True),
    _moment("ended_at"),
    _text("ended_by"),
    _text("policy"),
    _text("policy_version"),
    _json("evidence"),
    Column("ticket_id", Key, ForeignKey("tickets.id"), index=True),
    Column("shadow", Boolean, nullable=False, server_default=text("false")),  # a rule on trial
    Column("risk_low", BigInteger),  # fen; null: no penalty is known
    Column("risk_high", BigInteger),
    Column("blame", String(12), nullable=False, server_default=""),
    _text("blame_why"),
    Index(
        "uq_findings_open",
        "parcel_id",
        "rule",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_findings_state_found_at", "state", "found_at"),
    _partial("ix_findings_shadow", "state", "found_at", "id", "rule", where="shadow", sqlite="shadow = 1"),
)

ticket_transitions = Table(
    "ticket_transitions",
    METADATA,
    Column("was", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    PrimaryKeyConstraint("was", "state"),
)

tickets = Table(
    "tickets",
    METADATA,
    _key(),
    Column("number", String(24), nullable=False, unique=True),
    _parcel(index=True),
    Column("was", String(16), nullable=False, server_default=""),
    Column("state", String(16), nullable=False),
    _count("version"),
    _count("severity"),
    _text("summary"),
    _json("filled"),  # the whole order and parcel as they stood at opening
    Column("told", Boolean, nullable=False, server_default=text("false")),
    _moment("opened_at", required=True),
    _moment("updated_at", required=True),
    _moment("acknowledged_at"),
    _text("acknowledged_by"),
    _moment("resolved_at"),
    _text("resolved_by"),
    _text("resolution"),
    _moment("closed_at"),
    # What the list is filtered by, as it stood at opening.
    Column("carrier", String(40), nullable=False, server_default=""),
    _text("shop"),
    _text("platform"),
    _text("merchant"),
    _text("receiver_province"),
    # Of its open findings together, as the platform adds them up; of a ticket that is over, the last of it.
    Column("risk_low", BigInteger),
    Column("risk_high", BigInteger),
    Column("blame", String(12), nullable=False, server_default=""),
    _text("blame_why"),
    ForeignKeyConstraint(["was", "state"], ["ticket_transitions.was", "ticket_transitions.state"]),
    Index(
        "uq_tickets_live",
        "parcel_id",
        unique=True,
        sqlite_where=text("state IN ('open', 'acknowledged')"),
        postgresql_where=text("state IN ('open', 'acknowledged')"),
    ),
    Index("ix_tickets_newest", "state", "opened_at", "id", "carrier", "shop", "platform"),
    Index("ix_tickets_urgent", "state", "severity", "opened_at", "id", "carrier", "shop", "platform"),
    Index("ix_tickets_risk", "state", "risk_high", "opened_at", "id", "carrier", "shop", "platform"),
)

ticket_entries = Table(
    "ticket_entries",
    METADATA,
    _key(),
    Column("ticket_id", Key, ForeignKey("tickets.id"), nullable=False, index=True),
    _moment("at", required=True),
    Column("kind", String(16), nullable=False),
    _text("author"),
    _text("text"),
    _json("data"),
)

counters = Table(
    "counters",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("n", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    METADATA,
    _key(),
    Column("key", Text, nullable=False, unique=True),  # one per fact and channel
    Column("channel", String(64), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("urgency", String(12), nullable=False),
    Column("ticket_id", Key, ForeignKey("tickets.id"), index=True),
    Column("finding_id", Key, ForeignKey("findings.id"), index=True),
    Column("message", Text, nullable=False),
    Column("state", String(12), nullable=False, server_default="waiting"),
    # waiting, sending, sent, folded (into a digest), dropped (overtaken), dead
    _count("attempts"),
    _count("unknowns"),
    _moment("next_try_at", required=True),
    _moment("created_at", required=True),
    _moment("sent_at"),
    Column("folded_into", Key, ForeignKey("outbox.id")),
    _text("last_outcome"),
    _text("last_answer"),
    Index(
        "ix_outbox_waiting",
        "channel",
        "next_try_at",
        sqlite_where=text("state IN ('waiting', 'sending')"),
        postgresql_where=text("state IN ('waiting', 'sending')"),
    ),
    _partial("ix_outbox_folded_into", "folded_into", where="folded_into IS NOT NULL"),
    Index("ix_outbox_state_created_at", "state", "created_at"),
)

attempts = Table(
    "attempts",
    METADATA,
    _key(),
    Column("outbox_id", Key, ForeignKey("outbox.id"), nullable=False, index=True),
    _moment("at", required=True),
    _text("outcome"),
    _text("answer"),
)

robots = Table(
    "robots",
    METADATA,
    Column("robot", String(64), primary_key=True),
    _json("sends", "[]"),  # moments of the sends in the running window: survives a restart
    _moment("closed_until"),
    _text("closed_why"),
    _count("unknowns"),
)

providers = Table(
    "providers",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("state", String(12), nullable=False, server_default="up"),  # up, degraded, down
    _moment("since"),
    _moment("last_good_at"),
    _moment("last_bad_at"),
    _text("last_error"),
    _count("failures"),
    _count("successes"),
    _count("told"),  # how many times the outage now running was told: 0 or 1
    _moment("resume_at"),  # no asking before this
    _moment("rate_at"),  # GCRA: the account's per-second ceiling
    _moment("back_at"),  # when the last outage that was told ended
)

feed_lines = Table(
    "feed_lines",
    METADATA,
    # One carrier behind an account; under "" what is said of all of them together.
    Column("provider", String(64), nullable=False),
    Column("carrier", String(40), nullable=False),
    Column("state", String(12), nullable=False, server_default="up"),
    Column("cause", String(12), nullable=False, server_default=""),  # errors, emptied, silent
    _moment("since"),
    _moment("last_good_at"),
    _moment("last_bad_at"),
    _text("last_error"),
    _count("failures"),
    _count("told"),
    _moment("back_at"),
    _json("numbers", "{}"),  # which numbers the trouble, or its end, is known by
    _moment("news_at"),  # the last new scan was learned then
    _moment("judged_at"),  # whether it is silent was reckoned last
    _moment("probe_at"),  # the last place given away in the queue of those who ask whether it is over
    _moment("poor_since"),  # half of the questions fail since then
    _count("poor_told"),
    PrimaryKeyConstraint("provider", "carrier"),
)

LAGS: Final = 9
"""How many classes the delays are counted in (`store/feeds.py`)."""

feed_hours = Table(
    "feed_hours",
    METADATA,
    Column("provider", String(64), nullable=False),
    Column("carrier", String(40), nullable=False),
    _moment("hour", required=True),  # its beginning
    _count("answered"),
    _count("same"),  # of these: word for word the last answer
    _count("empty"),  # of these: nothing known of the number
    _count("emptied"),  # of these: empty or another parcel's, where there had been scans
    _count("refused"),
    _count("unreadable"),
    _count("failed"),
    _count("pushed"),
    _count("looks"),  # answers about parcels that had been looked at before
    _count("news"),  # of these: with a new scan
    Column("watched_s", BigInteger, nullable=False, server_default="0"),  # seconds these looks cover together
    _count("scans"),
    _count("unknown"),  # of these: nobody knows what they mean
    *(_count(f"most_{n}") for n in range(LAGS)),  # scans learned at most so late
    *(_count(f"least_{n}") for n in range(LAGS)),  # the same scans: at least so late
    PrimaryKeyConstraint("provider", "carrier", "hour"),
    Index("ix_feed_hours_hour", "hour"),
)

spend = Table(
    "spend",
    METADATA,
    Column("provider", String(64), nullable=False),
    Column("day", String(10), nullable=False),  # of Shanghai
    Column("asked", BigInteger, nullable=False, server_default="0"),
    Column("cents", BigInteger, nullable=False, server_default="0"),
    Column("micros", BigInteger, nullable=False, server_default="0"),  # the same in millionths of a yuan
    PrimaryKeyConstraint("provider", "day"),
)

billed = Table(
    "billed",
    METADATA,
    # A number that an account has charged for: again only when its period is over.
    Column("provider", String(64), nullable=False),
    _parcel(),
    _moment("at", required=True),
    PrimaryKeyConstraint("parcel_id", "provider"),
)

slots = Table(
    "slots",
    METADATA,
    # How many requests each process may have under way at an account, until when.
    Column("provider", String(64), nullable=False),
    Column("holder", String(64), nullable=False),
    Column("held", Integer, nullable=False),
    _moment("until", required=True),
    PrimaryKeyConstraint("provider", "holder"),
)

lane_gaps = Table(
    "lane_gaps",
    METADATA,
    # How long a carrier usually says nothing after a scan, in microseconds, of so many gaps.
    Column("carrier", String(40), nullable=False),
    Column("leg", String(24), nullable=False),
    Column("usual", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    _moment("at", required=True),
    PrimaryKeyConstraint("carrier", "leg"),
)

pushes = Table(
    "pushes",
    METADATA,
    # True ones that came and are answered, until what they say is kept: seconds, as a rule.
    _key(),
    Column("provider", String(64), nullable=False),
    _moment("at", required=True),
    Column("body", LargeBinary, nullable=False),
    _json("envelope"),  # headers and query, without the key of the address
)

subscriptions = Table(
    "subscriptions",
    METADATA,
    _parcel(),
    Column("provider", String(64), nullable=False),
    Column("state", String(12), nullable=False),  # wanted, open, ended, refused, closed (by us)
    _moment("next_at"),  # when to subscribe; null: not now
    _moment("opened_at"),
    _json("opens", "[]"),  # moments of the subscriptions of the last month: the ceiling counts them
    _moment("pushed_at"),
    _text("why"),  # how it ended, or why it was refused
    PrimaryKeyConstraint("parcel_id", "provider"),
    _partial("ix_subscriptions_due", "provider", "next_at", where="next_at IS NOT NULL"),
    _partial("ix_subscriptions_live", "provider", "state", "next_at", where="state <> 'closed'"),
)

opinions = Table(
    "opinions",
    METADATA,
    # What a second account says of a parcel, and where it differs from the first.
    _parcel(),
    Column("provider", String(64), nullable=False),
    _count("reason"),  # what it is asked for
    _moment("due_at"),  # when to ask; null: not now
    _moment("wait_until"),  # so long a finding waits for it
    _moment("asked_at"),
    _moment("quota_at"),
    _moment("heard_at"),  # its last answer, which the rest is of
    Column("milestone", String(32), nullable=False, server_default=""),
    _moment("last_event_at"),  # the last movement it tells of
    Column("against", String(32), nullable=False, server_default=""),  # the first's milestone at that time
    _moment("against_at"),
    _text("says"),  # what differs; empty: they agree
    _text("why"),  # why it could not answer
    PrimaryKeyConstraint("parcel_id", "provider"),
    _partial("ix_opinions_due", "provider", "due_at", where="due_at IS NOT NULL"),
)

recognitions = Table(
    "recognitions",
    METADATA,
    # Of numbers without a carrier, or that their carrier does not know: whose they may be.
    Column("parcel_id", Key, ForeignKey("parcels.id"), primary_key=True, autoincrement=False),
    _moment("at", required=True),
    _moment("next_at"),  # when to ask again; null: no more
    _count("asked"),
    _json("guesses", "[]"),
)

unknown_codes = Table(
    "unknown_codes",
    METADATA,
    Column("provider", String(64), nullable=False),
    Column("code", String(200), nullable=False),
    Column("n", BigInteger, nullable=False),
    _moment("first_at", required=True),
    _moment("last_at", required=True),
    _text("sample"),
    PrimaryKeyConstraint("provider", "code"),
)

oddities = Table(
    "oddities",
    METADATA,
    _key(),
    _moment("at", required=True),
    _text("source"),
    _text("reason"),
    _text("body"),
)

policies = Table(
    "policies",
    METADATA,
    Column("version", String(64), primary_key=True),
    _moment("since", required=True),
    Column("body", Text, nullable=False),
)

policy_spans = Table(
    "policy_spans",
    METADATA,
    # Each time a version came into force, also again: until the next row it was the one that judged.
    _key(),
    Column("version", String(64), ForeignKey("policies.version"), nullable=False),
    _moment("since", required=True),
)

imports = Table(
    "imports",
    METADATA,
    _key(),
    _moment("at", required=True),
    Column("sha256", String(64), nullable=False, index=True),
    _text("name"),
    _text("source"),
    _moment("exported_at"),
    _json("counts"),
    Column("origin", String(12), nullable=False, server_default=""),  # command, console, inbox
    _text("refused"),  # why nothing of it was taken; empty for one that was
)

mappings = Table(
    "mappings",
    METADATA,
    _key(),
    Column("name", String(64), nullable=False),
    _text("shop"),  # whose files; empty: anybody's
    Column("fingerprint", String(64), nullable=False, server_default=""),  # of the header it was made for
    _json("fields"),  # field → heading
    _moment("created_at", required=True),
    _moment("used_at", required=True),
    UniqueConstraint("name"),
)

pulls = Table(
    "pulls",
    METADATA,
    # How far an order source (`[[order_sources]]`) was read, and how it is.
    Column("source", String(64), primary_key=True),
    _json("cursor"),
    _moment(
        "observed_at"
    ),  # what the shop did until then has all been read: holds for every order of the source
    _moment("pulled_at"),  # when it had told all it had
    Column("sealed", LargeBinary),  # its token (store/sealing.py)
    Column("state", String(12), nullable=False, server_default="up"),
    _moment("since"),
    _moment("last_good_at"),
    _moment("last_bad_at"),
    _text("last_error"),
    _count("failures"),
    _count("told"),
    _moment("resume_at"),
    _moment("back_at"),
    Column("pages", BigInteger, nullable=False, server_default="0"),
    Column("documents", BigInteger, nullable=False, server_default="0"),
    Column("poisoned", BigInteger, nullable=False, server_default="0"),
)

pulled = Table(
    "pulled",
    METADATA,
    # What a source last said of each outbound document: an order's parcels are those of all its documents.
    _key(),
    Column("source", String(64), nullable=False),
    Column("number", String(64), nullable=False),
    Column("order_no", String(64), nullable=False, server_default=""),  # its first order
    _text("shop"),
    Column("standing", String(12), nullable=False),  # shipped, gone
    Column("version", BigInteger, nullable=False, server_default="0"),
    _json("said"),
    Column("problem", String(24), nullable=False, server_default=""),  # why it is not watched
    _text("why"),
    _moment("seen_at", required=True),
    UniqueConstraint("source", "number"),
    Index("ix_pulled_source_order_no", "source", "order_no"),
    Index("ix_pulled_seen_at", "seen_at"),
    _partial("ix_pulled_problem", "source", "problem", "id", where="problem <> ''"),
)

idempotency = Table(
    "idempotency",
    METADATA,
    Column("key", String(200), primary_key=True),  # the caller's own, with the route it was for
    Column(
        "fingerprint", String(64), nullable=False
    ),  # of the request: another one under this key is refused
    Column("status", Integer, nullable=False),
    _text("body"),
    _moment("created_at", required=True),
    Index("ix_idempotency_created_at", "created_at"),
)

upkeep = Table(
    "upkeep",
    METADATA,
    Column("name", String(64), primary_key=True),  # backup, purge, …
    _moment("at", required=True),  # the last time
    Column("outcome", String(12), nullable=False),
    _text("detail"),
)

purging = Table(
    "purging",
    METADATA,
    # What is being taken away whole, in the transaction that does it: the histories' triggers let go of
    # that and of nothing else. A row is refused for what is still open, and no row outlives its
    # transaction: it refers to a parcel that cannot be (checked at the commit).
    Column("kind", String(8), nullable=False),  # parcel, message, personal
    Column("id", BigInteger, nullable=False),  # of the parcel, or of the outbox row
    Column(
        "nowhere",
        Key,
        ForeignKey("parcels.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
        server_default="-1",
    ),
    CheckConstraint("nowhere = -1", name="ck_purging_nowhere"),
    PrimaryKeyConstraint("kind", "id"),
)
