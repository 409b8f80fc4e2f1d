"""A new policy makes due exactly the parcels it speaks of in other words (feature E5), also when it is cut short.

The rules are those of `tests/simulated.py`: `late_pickup` is broken 24 h after the payment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from domain.orders import Waybill
from domain.time import Window
from monitor import reschedule
from monitor.reschedule import Reschedule
from monitor.store import facets, meta, parcels
from monitor.store.database import Database
from monitor.store.facets import group_of
from monitor.store.parcels import Incoming
from rules.declare import parse_profile
from rules.judge import judge
from rules.policy import Change, Exemption, PolicyBook, PolicySpec, Warehouse
from rules.values import parse_limit
from tests.simulated import PROFILE, Robot, World, at, order

SHOPS = ("甲店", "乙店")
PROVINCES = ("北京", "西藏")
WAREHOUSES = ("一仓", "二仓")


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")])


def book(*policies: PolicySpec, profile: Mapping[str, Any] = PROFILE, **more: Any) -> PolicyBook:
    parsed, problems = parse_profile(profile)
    assert parsed is not None, problems
    return PolicyBook({"generic_cn": parsed}, policies, **more)


def says(name: str = "本店", limit: str = "12h", **match: str) -> PolicySpec:
    """A merchant's limit for `late_pickup`, of the parcels that match."""
    return PolicySpec(
        name,
        match={key: frozenset({value}) for key, value in match.items()},
        rules={"late_pickup": Change(limit=parse_limit(limit))},
    )


def a_few(world: World) -> dict[tuple[str, str, str], int]:
    """A parcel of each shop to each province from each warehouse, judged; the ids by these."""
    return {
        (shop, place, house): world.import_(
            f"{shop}{place}{house}", shop=shop, receiver_province=place, warehouse=house
        )
        for shop in SHOPS
        for place in PROVINCES
        for house in WAREHOUSES
    }


def run(world: World, by: PolicyBook, db: Any = None) -> Reschedule:
    """The daemon has read that policy."""
    found = Reschedule(db if db is not None else world.db, by, lambda: world.now)  # type: ignore[arg-type]
    assert asyncio.run(found.run()) is True
    return found


def due(world: World) -> set[int]:
    return set(world.store.read_now(lambda conn: parcels.take_due_deadlines(conn, world.now, 10_000)))


def begin(world: World, by: PolicyBook | None = None) -> dict[tuple[str, str, str], int]:
    """The parcels, judged by a policy that was gone through."""
    run(world, world.judge(by or book()).book)
    found = a_few(world)
    assert due(world) == set()
    return found


TYPHOON = Exemption(
    Window(at(1), at(5), "台风"), {"receiver_province": frozenset({"北京"})}, frozenset({"late_pickup"})
)
STRICTER = {**PROFILE, "rules": {**PROFILE["rules"], "lost": {**PROFILE["rules"]["lost"], "severity": 99}}}


@pytest.mark.parametrize(
    ("before", "after", "touched"),
    [
        pytest.param(book(), book(), lambda *_: False, id="the same again"),
        pytest.param(book(), book(says(shop="甲店")), lambda shop, *_: shop == "甲店", id="one shop"),
        pytest.param(
            book(says(shop="甲店")), book(), lambda shop, *_: shop == "甲店", id="one shop's is taken away"
        ),
        pytest.param(
            book(says(shop="甲店")),
            book(says(shop="甲店", limit="13h")),
            lambda shop, *_: shop == "甲店",
            id="another limit",
        ),
        pytest.param(
            book(),
            book(says(shop="甲店", receiver_province="西藏")),
            lambda shop, place, _: (shop, place) == ("甲店", "西藏"),
            id="one shop's parcels to one province",
        ),
        pytest.param(book(), book(says(shop="丙店")), lambda *_: False, id="a shop that has no parcel"),
        pytest.param(book(), book(says()), lambda *_: True, id="everything"),
        pytest.param(
            book(), book(exemptions=[TYPHOON]), lambda _, place, __: place == "北京", id="an exemption"
        ),
        pytest.param(
            book(),
            book(PolicySpec("本店", {"shop": frozenset({"乙店"})}, shadow=True)),
            lambda shop, *_: shop == "乙店",
            id="on trial",
        ),
        pytest.param(
            book(says(origin_province="浙江")),
            book(says(origin_province="浙江"), warehouses=[Warehouse("二仓", "浙江", "杭州")]),
            lambda _, __, house: house == "二仓",
            id="where a warehouse stands",
        ),
        pytest.param(book(), book(profile=STRICTER), lambda *_: True, id="the platform's rules"),
    ],
)
def test_the_parcels_it_speaks_of_in_other_words_are_due(
    world: World, before: PolicyBook, after: PolicyBook, touched: Callable[..., bool]
) -> None:
    ids = begin(world, before)
    run(world, after)
    assert due(world) == {parcel for of, parcel in ids.items() if touched(*of)}
    world.judge(after)
    world.tick()
    assert due(world) == set(), "and once"
    assert run(world, after).compared == 0, "a start with the same policy compares nothing"
    assert due(world) == set()


def test_what_is_found_names_the_version_that_found_it(world: World) -> None:
    ids = begin(world)
    world.set(11)
    for parcel in ids.values():
        world.settle(parcel, observed_at=at(11))
    stricter = book(says(shop="甲店"))
    run(world, stricter)
    world.judge(stricter)
    world.tick()
    rows = world.rows(
        "SELECT DISTINCT f.policy_version, o.shop FROM findings f JOIN order_parcels l ON l.parcel_id = f.parcel_id "
        "JOIN orders o ON o.id = l.order_id"
    )
    assert rows == [(stricter.version, "甲店")]
    [body] = {world.store.read_now(lambda conn: meta.policy_body(conn, stricter.version))}
    assert body == stricter.describe()


def test_a_parcel_follows_its_order_into_another_group(world: World) -> None:
    begin(world)
    parcel = world.import_("Z1", shop="甲店")
    moved = Incoming(order("Z1", shop="甲店", goods_type="生鲜"), (Waybill("zhongtong", "Z1"),), "", at(1))
    world.set(1)
    world.store.write_now(lambda conn: parcels.intake(conn, [moved], at(1)))
    world.tick()
    group = world.loaded(parcel).facets_id
    assert group == group_of(world.sweep.book.facets_key(world.loaded(parcel).case))
    run(world, book(says(goods_type="生鲜")))
    assert due(world) == {parcel}


def test_a_parcel_that_is_over_leaves_its_group_and_comes_back_to_it(world: World) -> None:
    ids = begin(world)
    parcel = ids["甲店", "北京", "一仓"]
    group = world.loaded(parcel).facets_id
    over = parcels.Update(parcel, state="done", why="已签收", done_at=at(0))
    world.store.write_now(lambda conn: parcels.save(conn, [over], at(0)))
    assert world.loaded(parcel).facets_id is None
    world.store.write_now(lambda conn: conn.execute(text("DELETE FROM facets")))
    world.settle(parcel)
    assert (world.loaded(parcel).state, world.loaded(parcel).facets_id) == ("watched", group)
    assert [each.id for each in world.store.read_now(facets.page)] == [group], "which is there again"


def test_parcels_from_before_there_were_groups_are_due_once(world: World) -> None:
    ids = begin(world)
    world.store.write_now(lambda conn: conn.execute(text("UPDATE parcels SET facets_id = NULL")))
    by = book(says(shop="丙店"))
    run(world, by)
    assert due(world) == set(ids.values())
    world.judge(by)
    world.tick()
    assert None not in {world.loaded(parcel).facets_id for parcel in ids.values()}
    run(world, book())
    assert due(world) == set()


def test_the_first_start_after_an_upgrade_goes_through_all_of_them(world: World) -> None:
    """The policy is the one that applied before, but nobody has gone through its groups."""
    ids = begin(world)
    world.store.write_now(lambda conn: conn.execute(text("UPDATE parcels SET facets_id = NULL")))
    world.store.write_now(lambda conn: conn.execute(text("DELETE FROM upkeep")))
    run(world, book())
    assert due(world) == set(ids.values())


@pytest.mark.parametrize("said", ["", "{", "[]", "{}", '{"carrier": 1, "orders": [3]}', "null"])
def test_a_group_this_program_cannot_read_is_touched_by_every_change(world: World, said: str) -> None:
    ids = begin(world)
    parcel = ids["甲店", "北京", "一仓"]
    broken = {"said": said, "group": world.loaded(parcel).facets_id}
    world.store.write_now(
        lambda conn: conn.execute(text("UPDATE facets SET said = :said WHERE id = :group"), broken)
    )
    for shop in ("丙店", "丁店"):
        run(world, book(says(shop=shop)))
        assert due(world) == {parcel}
        world.settle(parcel)


# ── cut short ────────────────────────────────────────────────────────────────────────────────────


class Killed(Exception):
    """`kill -9`: what was not committed is gone, and nothing more is said."""


class Mortal:
    """A store whose process dies before or after its nth writing."""

    def __init__(self, world: World, n: int, *, after: bool) -> None:
        self.db, self.left, self.after = world.db, n, after

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        return await self.db.read(work)

    async def write(self, work: Callable[[Connection], Any]) -> Any:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        done = await self.db.write(work)
        if self.left < 0:
            raise Killed
        return done


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
def test_killed_at_any_moment_it_goes_on_and_forgets_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(reschedule, "_GROUPS", 3)
    monkeypatch.setattr(reschedule, "_PARCELS", 2)
    begin(world)
    for n in range(3):
        world.import_(f"甲店{n}", shop="甲店", receiver_province="北京", warehouse="一仓")
    kills = 0
    for n in range(100):
        by = book(says(shop="甲店", limit=f"{12 + n % 7}.{n}h"))
        wanted = {
            row[0]
            for row in world.rows(
                "SELECT l.parcel_id FROM order_parcels l JOIN orders o ON o.id = l.order_id WHERE o.shop = '甲店'"
            )
        }
        try:
            run(world, by, Mortal(world, n, after=after))
        except Killed:
            kills += 1
            run(world, by)
            finished = False
        else:
            finished = True
        assert due(world) == wanted
        terms = {each.terms for each in world.store.read_now(facets.page)}
        assert terms <= {by.policy_of(each.said).terms for each in world.store.read_now(facets.page)}
        world.judge(by)
        world.tick()
        if finished:
            break
    assert kills > 5


def test_cut_short_and_taken_back_nobody_is_left_with_the_other_policy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some groups were told of B when it was killed; the file says A again."""
    monkeypatch.setattr(reschedule, "_PARCELS", 1)
    one, other = book(says(shop="甲店")), book(says(shop="甲店", limit="6h"))
    ids = begin(world, one)
    with pytest.raises(Killed):
        run(world, other, Mortal(world, 3, after=True))
    world.judge(other)
    world.tick()
    run(world, one)
    judged_by_other = {
        parcel for parcel in ids.values() if world.loaded(parcel).policy_version == other.version
    }
    assert judged_by_other
    assert judged_by_other <= due(world)


def test_told_to_stop_it_stops_and_is_not_finished(world: World) -> None:
    begin(world)
    ending = asyncio.Event()
    ending.set()
    by = book(says(shop="甲店"))
    assert asyncio.run(Reschedule(world.db, by, lambda: world.now).run(ending)) is False  # type: ignore[arg-type]
    assert due(world) == set()
    assert run(world, by).touched == 4


# ── the law ──────────────────────────────────────────────────────────────────────────────────────

MATCH = st.fixed_dictionaries(
    {},
    optional={
        "shop": st.sampled_from(SHOPS),
        "receiver_province": st.sampled_from(PROVINCES),
        "warehouse": st.sampled_from(WAREHOUSES),
        "origin_province": st.sampled_from(["浙江", "广东"]),
    },
)
SPEC = st.builds(lambda match, hours: says("店", f"{hours}h", **match), MATCH, st.sampled_from([7, 8]))
BOOK = st.builds(
    lambda specs, typhoon, houses: book(
        *specs,
        exemptions=[replace(TYPHOON, match={k: frozenset({v}) for k, v in typhoon.items()})]
        if typhoon
        else [],
        warehouses=[Warehouse(name, place) for name, place in houses.items()],
    ),
    st.lists(SPEC, max_size=3),
    MATCH,
    st.dictionaries(st.sampled_from(WAREHOUSES), st.sampled_from(["浙江", "广东"])),
)


@settings(
    max_examples=25,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=BOOK, after=BOOK)
def test_who_is_not_due_is_judged_alike_by_both(world: World, before: PolicyBook, after: PolicyBook) -> None:
    if not world.column("SELECT count(*) FROM parcels")[0]:
        a_few(world)
    run(world, world.judge(before).book)
    world.tick()
    run(world, after)
    touched = due(world)
    for (parcel,) in world.rows("SELECT id FROM parcels"):
        case = replace(world.loaded(parcel).case, observed_at=at(30))
        verdicts = [judge(case, by.policy_for(case), at(30)) for by in (before, after)]
        plain = [replace(verdict, policy_version="") for verdict in verdicts]
        assert parcel in touched or plain[0] == plain[1]
