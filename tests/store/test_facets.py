"""Groups of parcels alike: who is in one, what is touched of it, and when it goes."""

from __future__ import annotations

from sqlalchemy import text

from domain.time import to_micros
from monitor.store import facets, parcels, retention
from monitor.store.facets import Group, group_of
from tests.store.given import DAY, T0, H, column, due, loaded, many_parcels
from tests.store.test_retention import PERIODS

ONE, OTHER = (Group(group_of(said), said, "v1") for said in ("一", "二" * 5000))
FAR = T0 + 400 * DAY


def keep(store, *groups: Group, at=T0) -> None:
    store.write_now(lambda conn: facets.keep(conn, groups, at))


def members(store, group: Group, n: int) -> list[int]:
    """n watched parcels of the group, due far ahead."""
    ids = many_parcels(store, n)
    updates = [parcels.Update(id_, facets_id=group.id) for id_ in ids]
    store.write_now(lambda conn: parcels.save(conn, updates, T0))
    due(store, *(parcels.Due(id_, "k100", None, FAR) for id_ in ids))
    return ids


def touched(store) -> list[int]:
    return column(
        store, "SELECT parcel_id FROM due WHERE next_deadline_at = :t ORDER BY parcel_id", t=to_micros(T0)
    )


def test_a_number_is_the_same_in_every_process_and_fits_its_column():
    assert group_of("一") == 2941888096661132332
    assert {group_of(str(n)) >> 63 for n in range(1000)} == {0}
    assert len({group_of(str(n)) for n in range(1000)}) == 1000


def test_what_was_said_of_a_group_stays_until_its_parcels_were_touched(database):
    keep(database, ONE, OTHER)
    keep(database, Group(ONE.id, "一", "v2"), Group(ONE.id, "一", "v3"))
    kept = {each.id: each for each in database.read_now(facets.page)}
    assert kept == {ONE.id: ONE, OTHER.id: OTHER}


def test_when_a_parcel_came_last_is_kept_to_the_day(database):
    for hours in (0, 23, 25, 30):
        keep(database, ONE, at=T0 + hours * H)
    assert column(database, "SELECT joined_at FROM facets") == [to_micros(T0 + 25 * H)]


def test_groups_are_read_page_by_page(database):
    groups = [Group(group_of(str(n)), str(n), "") for n in range(10)]
    keep(database, *groups)
    found, after = [], None
    while page := database.read_now(lambda conn, a=after: facets.page(conn, a, 3)):
        found += page
        after = page[-1].id
    assert found == sorted(groups, key=lambda each: each.id)


def test_a_large_group_is_touched_in_steps_and_told_of_at_the_last(database):
    keep(database, ONE)
    ids = members(database, ONE, 7)
    changed, after, steps = [Group(ONE.id, "一", "v2")], 0, []
    while changed:
        done, after = database.write_now(
            lambda conn, a=after: facets.touch(conn, changed, T0, after=a, limit=3)  # noqa: B023
        )
        changed = changed[done:]
        steps.append((len(touched(database)), column(database, "SELECT terms FROM facets")))
    assert steps == [(3, ["v1"]), (6, ["v1"]), (7, ["v2"])]
    assert touched(database) == ids


def test_only_who_is_watched_is_touched(database):
    keep(database, ONE)
    first, second, third = members(database, ONE, 3)
    over = parcels.Update(second, state="done", why="已签收", done_at=T0)
    database.write_now(lambda conn: parcels.save(conn, [over], T0))
    assert loaded(database, second).facets_id is None
    database.write_now(lambda conn: facets.touch(conn, [ONE], T0))
    assert touched(database) == [first, third]


def test_a_judgement_that_moves_nothing_leaves_the_group(database):
    keep(database, ONE)
    [parcel] = members(database, ONE, 1)
    database.write_now(lambda conn: parcels.save(conn, [parcels.Update(parcel, policy_version="v9")], T0))
    database.write_now(lambda conn: parcels.save(conn, [parcels.Update(parcel, state="watched", why="")], T0))
    assert (loaded(database, parcel).facets_id, loaded(database, parcel).policy_version) == (ONE.id, "v9")


def test_a_group_goes_when_nobody_is_in_it_and_nobody_came_for_a_week(database):
    keep(database, ONE, OTHER)
    [parcel] = members(database, ONE, 1)

    def purge(at) -> list[str]:
        database.write_now(lambda conn: retention.purge_some(conn, "facets", PERIODS, at))
        return column(database, "SELECT said FROM facets ORDER BY said")

    assert len(purge(T0 + 7 * DAY)) == 2, "a week is not over yet"
    assert purge(T0 + 8 * DAY) == ["一"], "somebody is in it"
    database.write_now(lambda conn: conn.execute(text("UPDATE parcels SET state = 'done', done_at = 1")))
    keep(database, ONE, at=T0 + 9 * DAY)
    assert purge(T0 + 10 * DAY) == ["一"], "somebody came two days ago"
    assert purge(T0 + 17 * DAY) == []
    assert loaded(database, parcel).state == "done"
