"""Pulling shipped orders: a page at a time, each kept with the cursor behind it in one transaction.

A process killed at any instant goes on behind the last page it kept; what is read twice changes nothing. A row
nobody can read is put aside and counted, and the rest of its page is kept. What a source has told to the end proves
what the shop did until then, for all of its orders (L1). Its outage is told once, and its end once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from domain.remote import Conversation, RemoteError, Secret, Unreadable
from monitor.clock import TOLERANCE, Clock
from monitor.config.order_sources import SourceAccount
from monitor.erp import windows
from monitor.erp.base import Expired, Grant, Page, TokenHolder
from monitor.erp.outline import kept_of
from monitor.feeds import feed as feeds
from monitor.feeds.feed import Feed, FeedState
from monitor.metrics import Metrics
from monitor.net import Net
from monitor.pulling.documents import Plan, order_nos, plan, sifted
from monitor.redaction import redact
from monitor.store import outbox, parcels, polls, providers, pulls
from monitor.store.database import Database, StoreError
from monitor.store.parcels import Incoming
from monitor.store.pulls import DocumentRow, PullState
from monitor.telling import wording
from monitor.telling.routing import Route, everybody
from monitor.vitals import Vitals

__all__ = ["Puller", "Pulls", "held_grant", "kept_grant", "read_page"]

log = structlog.get_logger()
_RETRY: Final = (timedelta(seconds=5), timedelta(minutes=5))
_LATER: Final = timedelta(hours=1)
"""A token that lapses soon and could not be renewed is tried again then."""
_BODY: Final = 20_000


@dataclass(slots=True)
class Pulls:
    """What one tick did."""

    pages: int = 0
    documents: int = 0
    orders: int = 0
    """Orders that were told anew."""
    aside: int = 0
    woken: int = 0
    """Parcels whose clock waited for the shop's word."""
    messages: int = 0


class Puller:
    """The pull loop of one order source."""

    def __init__(
        self,
        account: SourceAccount,
        db: Database,
        net: Net,
        clock: Clock,
        routes: Sequence[Route] = (),
        ending: Callable[[], bool] = lambda: False,
        vitals: Vitals | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`ending` says that the service stops: the page in hand is kept, no other is asked for."""
        self._account = account
        self._source = account.source
        self._db = db
        self._net = net
        self._clock = clock
        self._routes = routes
        self._ending = ending
        self._vitals = vitals if vitals is not None else Vitals(clock.now())
        self._metrics = metrics if metrics is not None else Metrics()
        self._state: PullState | None = None
        self._feed = Feed()
        self._held: Grant | None = None
        self._next_at: datetime | None = None
        self._renew_at: datetime | None = None

    @property
    def name(self) -> str:
        """The source's name."""
        return self._account.name

    @property
    def feed(self) -> Feed:
        """The source's health as last seen."""
        return self._feed

    async def tick(self) -> Pulls:
        """Read all the source has to tell, when that is due; returns when it is all kept."""
        done = Pulls()
        if self._state is None:
            self._state = await self._db.write(partial(self._begin, done))
            self._tell_health()
        now = self._clock.now()
        if (self._next_at is not None and now < self._next_at) or feeds.may_ask(self._feed, now) == 0:
            return done
        more = True
        while more and not self._ending():
            try:
                page = await self._read_on(done)
            except RemoteError as error:
                done.messages += await self._db.write(partial(self._failed, error))
                self._next_at = self._again()
                self._tell_health()
                break
            if page is None:
                break
            more = page.more
            if more:
                await asyncio.sleep(1.0 / self._account.per_second)
            else:
                self._next_at = self._clock.now() + self._account.every
        if done.orders or done.aside:
            log.info(
                "pulled", source=self.name, documents=done.documents, orders=done.orders, aside=done.aside
            )
        return done

    def _begin(self, done: Pulls, conn: Connection) -> PullState:
        """The source as last known; what could not be watched then may be now: somebody may have named the carrier."""
        state = pulls.load(conn, self.name)
        kept = pulls.grant(conn, self.name)
        self._held = held_grant(self._account, kept)
        now, terms = self._clock.now(), self._account.terms
        strange = {row.number: row for row in pulls.troubled(conn, self.name, "unknown_carrier")}
        known = strange | pulls.documents(conn, self.name, (), [row.order_no for row in strange.values()])
        made = plan(terms, known, (), (), now, again=strange)
        done.orders += self._write(conn, made, now, apart=False)
        down = FeedState(state.state) is FeedState.DOWN
        self._feed = Feed(
            FeedState(state.state),
            state.since,
            state.last_good_at,
            state.last_bad_at,
            state.last_error,
            state.failures,
            state.told,
            # A start is a reason to try at once whether an outage is over.
            None if down else state.resume_at,
            back_at=state.back_at,
        )
        return state

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    async def _read_on(self, done: Pulls) -> Page | None:
        """The next page, kept; None where our own clock was wrong. Whatever else fails is a bad answer: `RemoteError`.

        What nobody thought of must not keep a source silent without an outage being told.
        """
        try:
            found = await self._page()
            if found is None:
                return None
            await self._keep(*found, done)
        except (RemoteError, StoreError):
            raise
        except Exception as error:
            log.error("a page cannot be kept", source=self.name, why=type(error).__name__, exc_info=True)
            raise Unreadable(f"这一页处理不了（{type(error).__name__}）") from error
        return found[0]

    async def _page(self) -> tuple[Page, datetime] | None:
        """The next page and when it was asked for; None where our own clock turned out to be wrong meanwhile."""
        assert self._state is not None
        asked_at = self._clock.now()
        cursor = self._state.cursor or windows.fresh(asked_at - self._account.since)
        held = await self._access(asked_at)
        try:
            page = await self._ask(read_page(self._account, cursor, asked_at, held))
        except Expired:
            if not isinstance(self._source, TokenHolder):
                raise
            await self._renew(self._source)
            page = await self._ask(read_page(self._account, cursor, asked_at, self._held))
        if self._clock.now() < asked_at - TOLERANCE:
            # A span that reaches beyond the real now would be passed over for ever.
            log.warning("a page is asked for again: our clock was ahead", source=self.name)
            return None
        return page, asked_at

    async def _ask(self, conversation: Conversation[Page]) -> Page:
        return await self._net.converse(conversation, account=self.name, lanes=1)

    async def _access(self, now: datetime) -> Grant | None:
        """The token to ask with, renewed in time. One that still holds is used when that fails."""
        source = self._source
        if not isinstance(source, TokenHolder):
            return None
        waits = self._renew_at is not None and now < self._renew_at
        if source.stale(self._held, now) and not waits:
            try:
                await self._renew(source)
            except RemoteError as error:
                if self._held is None or self._held.expires_at is None or self._held.expires_at <= now:
                    raise
                log.warning("the token could not be renewed yet", source=self.name, why=str(error))
                self._renew_at = now + _LATER
        return self._held

    async def _renew(self, source: TokenHolder) -> None:
        """New access, durable before anything is asked with it: the old one may be void."""
        fresh = await self._net.converse(
            source.renew(self._held, self._clock.now()), account=self.name, lanes=1, tries=1
        )
        record = kept_grant(self._account, fresh)
        await self._db.write(lambda conn: pulls.keep_grant(conn, self.name, record))
        self._held, self._renew_at = fresh, None
        log.info("token renewed", source=self.name)

    # ── keeping ──────────────────────────────────────────────────────────────────────────────────

    async def _keep(self, page: Page, asked_at: datetime, done: Pulls) -> None:
        """A page and the cursor behind it. An order that cannot be kept stops only itself (promise 7)."""
        try:
            kept = await self._db.write(partial(self._keep_page, page, asked_at, apart=False))
        except StoreError:
            raise
        except Exception as error:  # whatever it is, the other orders are not to blame
            log.error("an order cannot be kept", source=self.name, why=type(error).__name__, exc_info=True)
            kept = await self._db.write(partial(self._keep_page, page, asked_at, apart=True))
        orders, woken, messages, self._feed, self._state = kept
        done.pages += 1
        done.documents += len(page.documents)
        done.aside += len(page.poisoned)
        done.orders, done.woken, done.messages = (
            done.orders + orders,
            done.woken + woken,
            done.messages + messages,
        )
        self._metrics.count("pulled_documents_total", self.name, "read", n=len(page.documents))
        self._metrics.count("pulled_documents_total", self.name, "aside", n=len(page.poisoned))
        self._tell_health()

    def _keep_page(
        self, page: Page, asked_at: datetime, conn: Connection, *, apart: bool
    ) -> tuple[int, int, int, Feed, PullState]:
        now, name, terms = self._clock.now(), self.name, self._account.terms
        numbers = [each.number for each in page.documents] + [each.number for each in page.poisoned]
        known = pulls.documents(conn, name, numbers, ())
        of_orders = {row.order_no for row in known.values()} | order_nos(terms, page.documents)
        known |= pulls.documents(conn, name, (), sorted(of_orders))
        if apart:
            told, aside = sifted(terms, known, page.documents, page.poisoned, min(asked_at, now))
            page = replace(page, documents=told, poisoned=aside)
        made = plan(terms, known, page.documents, page.poisoned, min(asked_at, now))
        orders = self._write(conn, made, now, apart=apart)
        for each in page.poisoned:
            providers.oddity(conn, name, f"{each.number}：{each.why}", self._redacted(each.body), now)
        providers.note_unknown(conn, name, page.unknown, numbers[0] if numbers else "", now)
        woken = pulls.advance(
            conn,
            name,
            page.cursor,
            observed_at=page.proven_until,
            pulled_at=None if page.more else now,
            documents=len(page.documents),
            poisoned=len(page.poisoned),
            now=now,
        )
        before = self._feed
        feed, back = feeds.after_answer(before, now)
        messages = self._announce(conn, before, feed, now) if back else 0
        self._save_feed(conn, feed)
        return orders, woken, messages, feed, pulls.load(conn, name)

    def _write(self, conn: Connection, made: Plan, now: datetime, *, apart: bool) -> int:
        """The plan's orders and documents; with `apart` each order alone, and what fails is put aside."""
        rows, orders = made.documents, made.orders
        failed: dict[str, str] = {}
        if not apart:
            self._take(conn, orders, now)
        else:
            for order in orders:
                point = conn.begin_nested()
                try:
                    self._take(conn, [order], now)
                    point.commit()
                except Exception as error:  # noqa: BLE001 - put aside, counted and shown
                    point.rollback()
                    failed[order.order.order_no] = type(error).__name__
        pulls.keep_documents(conn, self.name, [_with_failure(row, failed) for row in rows], now)
        pulls.assign(conn, self.name, [_key(each) for each in orders if each.order.order_no not in failed])
        return len(orders) - len(failed)

    def _take(self, conn: Connection, orders: Sequence[Incoming], now: datetime) -> None:
        taken = parcels.intake(conn, orders, now)
        polls.touch(conn, sorted({id_ for each in taken for id_ in each.parcel_ids}), now)

    # ── its health ───────────────────────────────────────────────────────────────────────────────

    def _failed(self, error: RemoteError, conn: Connection) -> int:
        """No page came; the messages that tells of, if that is news."""
        now, before = self._clock.now(), self._feed
        feed, down = feeds.after_error(before, error, now.isoformat(), now)
        messages = self._announce(conn, before, feed, now) if down else 0
        if isinstance(error, Unreadable) and error.reply is not None:
            body = kept_of(error.reply.content, self._source.fields)[:_BODY]
            providers.oddity(conn, self.name, str(error), self._redacted(body), now)
        self._feed = feed
        self._save_feed(conn, feed)
        self._metrics.count("pulled_documents_total", self.name, "failed")
        say = log.debug if feed.state is FeedState.DOWN and not down else log.info
        say("not pulled", source=self.name, error=type(error).__name__, why=str(error))
        return messages

    def _again(self) -> datetime:
        """When to try again after a failure: soon at first, never sooner than the service wants."""
        shortest, longest = _RETRY
        wait = min(shortest * (1 << min(max(self._feed.failures - 1, 0), 8)), longest, self._account.every)
        at, resume_at = self._clock.now() + wait, self._feed.resume_at
        if resume_at is None:
            return at
        return resume_at if self._feed.state is FeedState.DOWN else max(at, resume_at)

    def _announce(self, conn: Connection, before: Feed, feed: Feed, now: datetime) -> int:
        """Tell of an outage once, and of its end once."""
        down = feed.state is FeedState.DOWN
        why = feed.last_error if down else before.last_error
        message = wording.source_alert(
            self.name, now, down=down, since=feed.last_good_at if down else before.since, why=why
        )
        log.warning("order source down" if down else "order source up", source=self.name, why=why)
        since = feed.since.isoformat() if feed.since else ""
        rows = [
            outbox.NewMessage(
                f"orders:{self.name}:{feed.state}:{since}:{channel}",
                channel,
                replace(message, mentions=mentions),
                now,
            )
            for channel, mentions in everybody(self._routes, message.kind).items()
        ]
        return outbox.put(conn, rows)

    def _save_feed(self, conn: Connection, feed: Feed) -> None:
        names = (
            "since",
            "last_good_at",
            "last_bad_at",
            "last_error",
            "failures",
            "told",
            "resume_at",
            "back_at",
        )
        values = {name: getattr(feed, name) for name in names}
        pulls.note_health(conn, PullState(self.name, state=feed.state.value, **values))

    def _tell_health(self) -> None:
        down = self._feed.state is FeedState.DOWN
        self._vitals.order_source(self.name, self._feed.since if down else None, self._feed.last_error)

    def _redacted(self, text: str) -> str:
        held = (self._held.access, self._held.refresh) if self._held is not None else ()
        return redact(text, [*self._account.secrets, *(each for each in held if each is not None)])


def read_page(
    account: SourceAccount, cursor: Mapping[str, Any], now: datetime, held: Grant | None
) -> Conversation[Page]:
    """The conversation that reads the next page of a source."""
    return account.source.pull(cursor, now, held)


def _key(row: Incoming) -> tuple[str, str, str, str]:
    order = row.order
    return order.merchant, order.platform, order.shop, order.order_no


def _with_failure(row: DocumentRow, failed: Mapping[str, str]) -> DocumentRow:
    """The document as not watched, where its order could not be kept."""
    if not failed:
        return row
    with suppress(ValueError):
        said = json.loads(row.said)
        for name in (row.order_no, *said.get("orders", ()), *said.get("platform_orders", ())):
            if name in failed:
                return replace(row, problem="not_kept", why=f"订单 {name} 存不下来（{failed[name]}）")
    return row


# ── tokens as they are kept ──────────────────────────────────────────────────────────────────────


def held_grant(account: SourceAccount, kept: Mapping[str, Any] | None) -> Grant | None:
    """The access to begin with: what was kept, unless the configuration names another one since."""
    source = account.source
    if not isinstance(source, TokenHolder):
        return None
    seed = source.seed()
    if kept is None or kept.get("seed") != _fingerprint(seed) or not isinstance(kept.get("access"), str):
        return seed
    refresh, expires = kept.get("refresh"), kept.get("expires_at")
    return Grant(
        Secret(kept["access"]),
        Secret(refresh) if isinstance(refresh, str) and refresh else None,
        datetime.fromisoformat(expires) if isinstance(expires, str) else None,
    )


def kept_grant(account: SourceAccount, fresh: Grant) -> dict[str, Any]:
    """A grant as it is sealed into the store, with a mark of the configured one it came from."""
    seed = account.source.seed() if isinstance(account.source, TokenHolder) else None
    return {
        "access": fresh.access.reveal(),
        "refresh": fresh.refresh.reveal() if fresh.refresh is not None else "",
        "expires_at": fresh.expires_at.isoformat() if fresh.expires_at is not None else None,
        "seed": _fingerprint(seed),
    }


def _fingerprint(seed: Grant | None) -> str:
    text = (
        "" if seed is None else seed.access.reveal() + "\n" + (seed.refresh.reveal() if seed.refresh else "")
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
