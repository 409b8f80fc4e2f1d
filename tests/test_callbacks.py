"""Pushes: true ones are durable before they are answered, and taken once; whatever else comes costs nothing (B2, L1, L5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import md5
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import Connection, text

from carriers.kdniao import Kdniao
from carriers.kdniao import signature as kdniao_signature
from carriers.kuaidi100 import Kuaidi100
from carriers.push import Push
from carriers.sf import Sf
from domain.orders import UNNAMED, Waybill
from domain.remote import Reply, Secret
from domain.time import SHANGHAI
from monitor.config.accounts import ProviderAccount
from monitor.metrics import Metrics
from monitor.polling.keeping import Keeper
from monitor.polling.told import Told
from monitor.pushes.callbacks import Callbacks, Refused
from monitor.store import parcels, pushes
from monitor.store.database import Database, StoreUnavailable
from monitor.sweep import Judged
from tests.simulated import HUB, PICKED, Robot, World, at

K100 = Kuaidi100(Secret("C"), Secret("K"), salt=Secret("pepper"))
KDN = Kdniao("1000000", Secret("appkey"))
SF = Sf("P", Secret("W"))
KEPT, AGAIN = b'"returnCode": "200"', b'"returnCode": "500"'


def account(provider: Any, name: str = "k100", **more: Any) -> ProviderAccount:
    return ProviderAccount(
        name, provider.kind, provider, frozenset({"*"}), provider.ceilings, timedelta(0), push=True, **more
    )


def rows(*hours: float, words: str = "快件已到达【杭州转运中心】") -> list[dict[str, str]]:
    """Scans, newest first as 快递100 has them."""
    when = [f"{at(hour).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}" for hour in sorted(hours, reverse=True)]
    return [{"time": each, "ftime": each, "context": words, "statusCode": "1002"} for each in when]


def k100(
    *hours: float, number: str = "Z1", com: str = "zhongtong", salt: str = "pepper", **said: Any
) -> Push:
    result = {"message": "ok", "com": com, "nu": number, "data": rows(*hours, **said.pop("words", {}))}
    body = {"status": "polling", "message": "", "autoCheck": "0", "comOld": "", "comNew": "", **said}
    param = json.dumps({**body, "lastResult": result}, ensure_ascii=False)
    sign = md5(f"{param}{salt}".encode()).hexdigest().upper()
    return Push(
        urlencode({"param": param, "sign": sign}).encode(), {"content-type": "form"}, {"key": "not kept"}
    )


@dataclass
class Post:
    """Pushes on their way to a world."""

    world: World
    accounts: Sequence[ProviderAccount] = (account(K100),)
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, **more: Any) -> None:
        """Another process, or another configuration."""
        self.callbacks = Callbacks(
            self.accounts,
            self.world.db,  # type: ignore[arg-type]
            self.world.sweep,
            self.world.clock,
            self.metrics,
            self.world.routes,
            **more,
        )

    def send(self, *sent: Push, name: str = "k100", read: bool = True) -> list[Reply | None]:
        """The answers, None for a refusal; what they say is kept when this returns, unless `read` is off."""

        async def one(push: Push) -> Reply | None:
            try:
                return await self.callbacks.take(name, push)
            except Refused:
                return None

        async def main() -> list[Reply | None]:
            answers = await asyncio.gather(*(one(push) for push in sent))
            if read:
                await self.callbacks.work()
            await self.callbacks.close()
            return list(answers)

        if not read:
            self.restart(ending=lambda: True)
        return self.world.run(main)

    def counted(self, outcome: str, name: str = "k100") -> float:
        value = self.metrics.registry.get_sample_value(
            "parcelwatch_callbacks_total", {"account": name, "outcome": outcome}
        )
        return value or 0


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")], carriers=frozenset({"zhongtong", "yuantong"}))


@pytest.fixture
def post(world: World) -> Post:
    return Post(world)


def scans(world: World, parcel: int) -> int:
    return int(world.column("SELECT count(*) FROM events WHERE parcel_id = :id", id=parcel)[0])


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        pytest.param("k100", {}, True, id="signed: the address holds no key"),
        pytest.param("sf", {"key": "sesame"}, True, id="the key"),
        pytest.param("sf", {"key": "sesam"}, False, id="a wrong key"),
        pytest.param("sf", {}, False, id="no key"),
        pytest.param("nobody", {"key": "sesame"}, False, id="no account"),
    ],
)
def test_who_may_be_a_pusher_is_known_before_the_body_is_read(
    world: World, name: str, query: dict[str, str], expected: bool
) -> None:
    post = Post(world, (account(K100), account(SF, "sf", callback_key=Secret("sesame"))))
    assert post.callbacks.expects(name, query) is expected


# ── true ones ────────────────────────────────────────────────────────────────────────────────────


def test_a_push_is_answered_and_what_it_says_is_kept(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    [answer] = post.send(k100(-1))
    assert answer is not None
    assert KEPT in answer.content
    loaded = world.loaded(parcel)
    assert scans(world, parcel) == 1
    assert loaded.case.journey.last_movement_at == at(-1)
    assert loaded.case.observed_at is None, "a push proves what it says and not silence"
    assert loaded.asked_at is None, "nobody asked, so no pause of the provider's begins"
    assert world.store.read_now(pushes.depth) == 0
    assert post.counted("taken") == post.counted("kept") == 1


def test_it_is_durable_before_it_is_answered_and_read_after_a_crash(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    [answer] = post.send(k100(-1), read=False)
    assert answer is not None
    assert world.store.read_now(pushes.depth) == 1
    assert scans(world, parcel) == 0
    post.restart()
    world.run(post.callbacks.work)
    assert scans(world, parcel) == 1
    assert world.store.read_now(pushes.depth) == 0


def test_the_key_of_the_address_is_stored_nowhere(world: World, post: Post) -> None:
    post.send(k100(-1), read=False)
    [kept] = world.store.read_now(lambda conn: pushes.waiting(conn, 9))
    assert kept.push.query == {}
    assert kept.push.headers == {"content-type": "form"}


def test_what_is_played_again_is_taken_once(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    first, second = k100(-2), k100(-2, -1)
    post.send(first, second, second, first)
    before = world.rows("SELECT * FROM events"), world.rows("SELECT * FROM event_edits")
    assert scans(world, parcel) == 2
    answers = post.send(second, first, first)
    assert all(answer is not None and KEPT in answer.content for answer in answers)
    assert (world.rows("SELECT * FROM events"), world.rows("SELECT * FROM event_edits")) == before


def test_an_older_push_edits_no_newer_words_back(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    old = k100(-2, words={"words": "派件员 13800000036 正在派件"})
    post.send(old)
    post.send(k100(-2, -1, words={"words": "派件员正在派件"}))
    texts = world.column("SELECT text FROM events WHERE parcel_id = :id ORDER BY occurred_at", id=parcel)
    post.send(old)
    assert (
        world.column("SELECT text FROM events WHERE parcel_id = :id ORDER BY occurred_at", id=parcel) == texts
    )
    assert texts == ["派件员正在派件", "派件员正在派件"]


def test_pushes_that_come_together_are_one_transaction(world: World, post: Post) -> None:
    numbers = [f"Z{n}" for n in range(30)]
    for number in numbers:
        world.import_(number)
    world.db.writes = 0
    post.send(*(k100(-1, number=number) for number in numbers))
    assert world.db.writes == 2, "they are stored together, and what they say is kept together"
    assert world.column("SELECT count(*) FROM events") == [30]


def test_a_corrected_carrier_is_the_same_parcel(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    wrong = k100(status="abort", message="3天查询无记录", comNew="yuantong")
    right = k100(-1, com="yuantong", autoCheck="1", comOld="zhongtong", comNew="yuantong")
    post.send(wrong)
    assert world.loaded(parcel).case.waybill == Waybill("yuantong", "Z1")
    post.send(right, right)
    assert scans(world, parcel) == 1
    assert world.column("SELECT count(*) FROM parcels") == [1]


def test_a_correction_whose_first_word_was_lost(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    post.send(k100(-1, com="yuantong", autoCheck="1", comOld="zhongtong", comNew="yuantong"))
    assert world.loaded(parcel).case.waybill == Waybill("yuantong", "Z1")
    assert scans(world, parcel) == 1


def test_several_parcels_in_one_push(world: World) -> None:
    post = Post(world, [account(KDN)])
    for number in ("Z1", "Z2"):
        world.import_(number)
    entry = {
        "ShipperCode": "ZTO",
        "Success": True,
        "Traces": [{"AcceptTime": "2026-11-10 09:00:00", "AcceptStation": "已揽收"}],
    }
    data = json.dumps({"Data": [{**entry, "LogisticCode": number} for number in ("Z1", "Z2", "Z9")]})
    form = {"RequestData": data, "DataSign": kdniao_signature(data, "appkey")}
    post.send(Push(urlencode(form).encode()))
    assert world.column("SELECT count(*) FROM events") == [2]
    assert (post.counted("kept"), post.counted("unknown_parcel")) == (2, 1)


# ── a push proves what it says and not silence (L1) ──────────────────────────────────────────────


def test_a_deadline_is_still_verified_by_a_question(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (-1, PICKED))
    world.due_now()
    world.poll()
    post.send(k100(-1, 2))
    world.set(60)
    world.tick()
    assert not world.open_findings(parcel), "58 hours after the last scan that was pushed nobody has looked"
    due_at = world.loaded(parcel).next_poll_at
    assert due_at is not None
    assert due_at <= world.now, "so it is due for a look"
    world.carrier.says("Z1", (-1, PICKED), (2, HUB))
    world.poll()
    assert "transit_stagnation" in world.open_findings(parcel)


def test_a_push_ends_a_wait_that_was_found(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (-1, PICKED))
    world.set(60)
    world.due_now()
    world.poll()
    assert "transit_stagnation" in world.open_findings(parcel)
    post.send(k100(-1, 59.5))
    assert "transit_stagnation" not in world.open_findings(parcel)


# ── everything else ──────────────────────────────────────────────────────────────────────────────


def test_forged_ones_leave_no_trace_but_a_count(world: World, post: Post) -> None:
    world.import_("Z1")
    forged = [k100(-n, salt="salt") for n in range(200)]
    assert post.send(*forged) == [None] * 200
    assert world.counts()["events"] == world.counts()["oddities"] == 0
    assert world.store.read_now(pushes.depth) == 0
    assert post.counted("forged") == 200


def test_a_flood_of_forged_ones_is_said_once_a_minute(
    world: World, post: Post, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> list[str]:
        text = capsys.readouterr().out + caplog.text
        caplog.clear()
        return [line for line in text.splitlines() if "push refused" in line]

    post.send(*(k100(-1, salt="x") for _ in range(50)))
    assert len(said()) == 1
    world.set(0.01)
    post.send(*(k100(-1, salt="x") for _ in range(50)))
    assert not said()
    world.set(0.02)
    post.send(k100(-1, salt="x"))
    [line] = said()
    assert "100" in line, "with how many there were since"


@pytest.mark.parametrize("name", ["nobody", "", "k100/", "../k100", "K100"])
def test_an_unknown_account_is_refused_like_a_forged_push(world: World, post: Post, name: str) -> None:
    assert post.send(k100(-1), name=name) == [None]
    assert post.counted("forged", "-") == 1, "under one name, whatever was asked for"


def test_an_unsigned_pusher_needs_the_key_in_the_address(world: World) -> None:
    post = Post(world, [account(SF, "sf", callback_key=Secret("open sesame"))])
    parcel = world.import_("SF1390001112223", carrier="shunfeng")
    row = {
        "mailno": "SF1390001112223",
        "acceptTime": "2026-11-10 09:00:00",
        "remark": "已揽收",
        "opCode": "50",
    }
    body = json.dumps({"Body": {"WaybillRoute": [row]}}).encode()
    wrong = [Push(body), Push(body, query={"key": ""}), Push(body, query={"key": "open sesam"})]
    assert post.send(*wrong, name="sf") == [None] * 3
    [answer] = post.send(Push(body, query={"key": "open sesame"}), name="sf")
    assert answer is not None
    assert scans(world, parcel) == 1


def test_a_parcel_nobody_watches_is_counted_and_answered(world: World, post: Post) -> None:
    answers = post.send(*(k100(-1, number=f"Q{n}") for n in range(9)))
    assert all(answer is not None and KEPT in answer.content for answer in answers)
    assert post.counted("unknown_parcel") == 9
    assert world.counts()["oddities"] == 1, "said once a minute"
    assert world.store.read_now(pushes.depth) == 0


def test_a_true_one_that_nobody_can_read_is_kept_and_not_pushed_for_ever(world: World, post: Post) -> None:
    param = '{"key":"pepper","lastResult":"13800000036"}'
    form = {"param": param, "sign": md5(f"{param}pepper".encode()).hexdigest()}
    [answer] = post.send(Push(urlencode(form).encode()))
    assert answer is not None
    assert KEPT in answer.content
    [(reason, body)] = world.rows("SELECT reason, body FROM oddities")
    assert "lastResult" in reason
    assert "pepper" not in body
    assert "13800000036" not in body
    assert post.counted("unreadable") == 1


def test_a_pusher_gone_mad_fills_no_store(world: World, post: Post) -> None:
    forms = [{"param": f"[{n}]", "sign": md5(f"[{n}]pepper".encode()).hexdigest()} for n in range(50)]
    post.send(*(Push(urlencode(form).encode()) for form in forms))
    assert post.counted("unreadable") == 50
    assert world.counts()["oddities"] <= 20


def test_a_push_that_cannot_be_kept_stops_only_itself(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [world.import_(f"Z{n}") for n in range(5)]
    keep = Keeper.keep

    def poisoned(self: Keeper, conn: Connection, told: Sequence[Told], *rest: Any) -> Judged:
        done = keep(self, conn, told, *rest)
        if any(each.parcel_id == ids[2] for each in told):
            raise RuntimeError("poison")
        return done

    monkeypatch.setattr(Keeper, "keep", poisoned)
    answers = post.send(*(k100(-1, number=f"Z{n}") for n in range(5)))
    assert all(answer is not None and KEPT in answer.content for answer in answers)
    assert [scans(world, each) for each in ids] == [1, 1, 0, 1, 1]
    assert world.column("SELECT reason FROM oddities") == ["推送：RuntimeError: poison"]
    assert world.store.read_now(pushes.depth) == 0


def test_what_cannot_be_stored_is_not_answered_as_kept(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = world.import_("Z1")

    async def full(work: Any) -> None:
        raise StoreUnavailable("磁盘满了")

    with monkeypatch.context() as broken:
        broken.setattr(world.db, "write", full, raising=False)
        [answer] = post.send(k100(-1), read=False)
    assert answer is not None
    assert AGAIN in answer.content, "so the pusher comes again"
    assert post.counted("put_off") == 1
    assert scans(world, parcel) == 0
    post.restart()
    post.send(k100(-1))
    assert scans(world, parcel) == 1


def test_a_store_in_trouble_while_reading_loses_nothing(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = world.import_("Z1")
    post.send(k100(-1), read=False)

    async def full(work: Any) -> None:
        raise StoreUnavailable("磁盘满了")

    post.restart()
    with monkeypatch.context() as broken:
        broken.setattr(world.db, "write", full, raising=False)
        with pytest.raises(StoreUnavailable):
            world.run(post.callbacks.work)
    world.run(post.callbacks.work)
    assert scans(world, parcel) == 1


def test_what_waits_for_an_account_that_is_gone_is_put_aside(world: World, post: Post) -> None:
    world.import_("Z1")
    post.send(k100(-1), read=False)
    post.accounts = []
    post.restart()
    world.run(post.callbacks.work)
    assert world.store.read_now(pushes.depth) == 0
    assert world.column("SELECT reason FROM oddities") == ["推送：账号已经不接收推送"]


def test_an_earlier_use_of_the_number_is_not_this_parcel(world: World, post: Post) -> None:
    parcel = world.import_("Z1")
    post.send(k100(-24 * 200))
    assert scans(world, parcel) == 0
    assert world.store.read_now(lambda conn: parcels.find(conn, "Z1")) == [parcel]


# ── a parcel that has no carrier yet ─────────────────────────────────────────────────────────────

NUMBER = "SF1390001112223"


def sf(number: str = NUMBER, key: str = "sesame") -> Push:
    row = {"mailno": number, "acceptTime": "2026-11-10 09:00:00", "remark": "已揽收", "opCode": "50"}
    return Push(json.dumps({"Body": {"WaybillRoute": [row]}}).encode(), query={"key": key})


def subscribe(world: World, parcel: int, state: str) -> None:
    query = text(
        "INSERT INTO subscriptions (parcel_id, provider, state, opens) VALUES (:id, 'k100', :state, '[]')"
    )
    world.store.write_now(lambda conn: conn.execute(query, {"id": parcel, "state": state}))


@pytest.mark.parametrize(
    ("push", "name", "subscribed", "named"),
    [
        pytest.param(sf(), "sf", "", "shunfeng", id="顺丰 pushes its own account's unasked"),
        pytest.param(sf(key="open"), "sf", "", "", id="with a wrong key"),
        pytest.param(k100(-1, number=NUMBER), "k100", "open", "zhongtong", id="asked for just this one"),
        pytest.param(
            k100(-1, number=NUMBER, comOld="zhongtong", comNew="yunda"),
            "k100",
            "open",
            "yunda",
            id="the carrier that the pusher found instead",
        ),
        pytest.param(k100(-1, number=NUMBER), "k100", "", "", id="never asked for"),
        pytest.param(k100(-1, number=NUMBER), "k100", "closed", "", id="asked for no more"),
        pytest.param(k100(-1, number=NUMBER, salt="salt"), "k100", "open", "", id="forged"),
        pytest.param(k100(-1, number=NUMBER, com="quxian"), "k100", "open", "", id="a carrier nobody knows"),
    ],
)
def test_a_true_push_says_whose_a_number_is(
    world: World, push: Push, name: str, subscribed: str, named: str
) -> None:
    post = Post(world, [account(K100), account(SF, "sf", callback_key=Secret("sesame"))])
    parcel = world.import_(NUMBER, carrier=UNNAMED)
    if subscribed:
        subscribe(world, parcel, subscribed)
    post.send(push, name=name)
    said = [(named, UNNAMED)] if named else [(UNNAMED, "")]
    assert world.rows("SELECT carrier, declared FROM parcels") == said
    assert scans(world, parcel) == (1 if named else 0)


def test_a_push_about_another_carriers_parcel_names_nobody(world: World) -> None:
    """The number is watched under that name as well: the push is about that one."""
    post = Post(world, [account(SF, "sf", callback_key=Secret("sesame"))])
    nameless = world.import_(NUMBER, carrier=UNNAMED)
    known = world.import_(NUMBER, carrier="shunfeng", shop="另一家店")
    post.send(sf(), name="sf")
    assert (scans(world, nameless), scans(world, known)) == (0, 1)
    assert world.column("SELECT carrier FROM parcels ORDER BY id") == [UNNAMED, "shunfeng"]


def test_an_account_names_only_carriers_it_is_there_for(world: World) -> None:
    provider = replace(account(SF, "sf", callback_key=Secret("sesame")), carriers=frozenset({"zhongtong"}))
    post = Post(world, [provider])
    world.import_(NUMBER, carrier=UNNAMED)
    post.send(sf(), name="sf")
    assert world.column("SELECT carrier FROM parcels") == [UNNAMED]
    assert post.counted("unknown_parcel", "sf") == 1
