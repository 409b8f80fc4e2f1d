"""Many rows at once: the same result by every way they may take."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from monitor.store import schema
from monitor.store.bulk import chunks, insert_many, reserve_ids, update_many
from tests.store.given import column

SIZES = [1, 999, 1000, 2500]
"""Below and above the number at which PostgreSQL copies; more than one batch."""


def counters(n: int) -> list[dict[str, object]]:
    return [{"name": f"名 {i}\t\\N", "n": i} for i in range(n)]


@pytest.mark.parametrize("n", SIZES)
def test_rows_arrive_whole(database, n):
    assert database.write_now(lambda conn: insert_many(conn, schema.counters, counters(n))) == n
    assert column(database, "SELECT count(*) FROM counters") == [n]
    assert column(database, "SELECT name FROM counters WHERE n = 0") == ["名 0\t\\N"]


@pytest.mark.parametrize("n", SIZES)
def test_known_rows_are_left_alone_when_told_so(database, n):
    def twice(conn: Connection) -> int:
        insert_many(conn, schema.counters, [{"name": "名 0\t\\N", "n": 77}])
        return insert_many(conn, schema.counters, counters(n), ignore=True)

    assert database.write_now(twice) == n - 1
    assert column(database, "SELECT n FROM counters WHERE name LIKE '名 0%'") == [77]


@pytest.mark.parametrize("n", SIZES)
def test_one_known_row_refuses_them_all_otherwise(database, n):
    rows = [*counters(n), counters(1)[0]]
    with pytest.raises(IntegrityError):
        database.write_now(lambda conn: insert_many(conn, schema.counters, rows))
    assert column(database, "SELECT count(*) FROM counters") == [0]


@pytest.mark.parametrize("n", SIZES)
def test_rows_are_changed_by_their_key(database, n):
    rows = [{"n": i * 2, "name": f"名 {i}\t\\N"} for i in range(n)]
    database.write_now(
        lambda conn: insert_many(conn, schema.counters, [*counters(n), {"name": "x", "n": -5}])
    )
    assert database.write_now(lambda conn: update_many(conn, schema.counters, ("name",), rows)) == n
    assert sorted(column(database, "SELECT n FROM counters")) == [-5, *(i * 2 for i in range(n))]


@pytest.mark.parametrize("n", [2, 1500])
def test_null_numbers_texts_bytes_and_booleans_arrive_as_they_are(database, n):
    def fill(conn: Connection) -> None:
        ids = reserve_ids(conn, schema.orders, n)
        order = {"status": "shipped", "observed_at": 1, "created_at": 1, "updated_at": 1, "order_no": "o"}
        rows = [
            {**order, "id": id_, "shop": str(id_), "phone_tail": b"\x00\xff'", "paid_at": None} for id_ in ids
        ]
        insert_many(conn, schema.orders, rows)

    database.write_now(fill)
    found = database.read_now(lambda conn: conn.execute(text("SELECT phone_tail, paid_at FROM orders")).all())
    assert {(bytes(row[0]), row[1]) for row in found} == {(b"\x00\xff'", None)}
    assert len(found) == n


def test_tuples_may_come_in_an_order_of_their_own(database):
    database.write_now(
        lambda conn: insert_many(conn, schema.counters, [(5, "five"), (6, "six")], columns=("n", "name"))
    )
    assert column(database, "SELECT name FROM counters WHERE n = 6") == ["six"]


def test_nothing_is_nothing(database):
    assert database.write_now(lambda conn: insert_many(conn, schema.counters, [])) == 0
    assert database.write_now(lambda conn: update_many(conn, schema.counters, ("name",), [])) == 0
    assert database.write_now(lambda conn: reserve_ids(conn, schema.orders, 0)) == []


def test_reserved_numbers_are_nobody_elses(database):
    def reserve(conn: Connection) -> list[int]:
        ids = reserve_ids(conn, schema.oddities, 3)
        insert_many(conn, schema.oddities, [{"id": id_, "at": 0} for id_ in ids])
        return ids

    first, second = database.write_now(reserve), database.write_now(reserve)
    assert len({*first, *second}) == 6
    database.write_now(lambda conn: conn.execute(schema.oddities.insert().values(at=0)))
    assert len(column(database, "SELECT DISTINCT id FROM oddities")) == 7


def test_chunks_cover_everything_once():
    assert [list(each) for each in chunks([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]
    assert list(chunks([], 2)) == []
