"""Column tables: by name, and by the header they were made for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.store import mappings
from monitor.store.database import Database
from monitor.store.mappings import MOST, ColumnTable
from tests.intake.conftest import NOW

TABLE = ColumnTable("群里的表", {"order_no": "单", "shop": ""}, "f" * 64)


def save(db: Database, table: ColumnTable, minutes: int = 0) -> bool:
    return db.write_now(lambda conn: mappings.save(conn, table, NOW + timedelta(minutes=minutes)))


def by_fingerprint(db: Database, shop: str = "") -> dict[str, dict[str, str]]:
    return db.read_now(lambda conn: mappings.by_fingerprint(conn, shop))


def test_a_table_is_found_by_name_and_by_header(database: Database) -> None:
    save(database, TABLE)
    found = database.read_now(lambda conn: mappings.find(conn, "群里的表"))
    assert found is not None
    assert (found.fields, found.used_at) == (TABLE.fields, NOW)
    assert by_fingerprint(database) == {"f" * 64: {"order_no": "单", "shop": ""}}
    assert database.read_now(lambda conn: mappings.find(conn, "别的")) is None


def test_the_same_name_again_takes_its_place(database: Database) -> None:
    save(database, TABLE)
    save(database, ColumnTable("群里的表", {"order_no": "号"}, "e" * 64))
    assert by_fingerprint(database) == {"e" * 64: {"order_no": "号"}}


def test_a_shops_own_table_wins_and_another_shops_does_not_count(database: Database) -> None:
    save(database, TABLE)
    save(database, ColumnTable("甲", {"order_no": "甲"}, "f" * 64, "甲店"))
    save(database, ColumnTable("乙", {"order_no": "乙"}, "d" * 64, "乙店"))
    assert by_fingerprint(database) == {"f" * 64: TABLE.fields}
    assert by_fingerprint(database, "甲店") == {"f" * 64: {"order_no": "甲"}}
    assert by_fingerprint(database, "乙店")["d" * 64] == {"order_no": "乙"}


def test_of_two_for_one_header_the_later_counts(database: Database) -> None:
    save(database, TABLE)
    save(database, ColumnTable("新的", {"order_no": "新"}, "f" * 64), minutes=1)
    assert by_fingerprint(database)["f" * 64] == {"order_no": "新"}


def test_a_table_without_a_header_is_only_a_name(database: Database) -> None:
    save(database, ColumnTable("手写", {"order_no": "单"}))
    assert by_fingerprint(database) == {}


def test_use_is_noted_and_a_table_can_go(database: Database) -> None:
    save(database, TABLE)
    save(database, ColumnTable("别的", {}, "a" * 64), minutes=1)
    database.write_now(lambda conn: mappings.used(conn, "f" * 64, NOW + timedelta(minutes=2)))
    assert [each.name for each in database.read_now(mappings.all_of)] == ["群里的表", "别的"]
    assert database.write_now(lambda conn: mappings.remove(conn, "群里的表"))
    assert not database.write_now(lambda conn: mappings.remove(conn, "群里的表"))


def test_there_is_an_end_of_them(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "MOST", 2)
    assert [save(database, ColumnTable(f"{n}", {})) for n in range(3)] == [True, True, False]
    assert save(database, ColumnTable("1", {"order_no": "单"})), "one that is there can be changed"
    assert MOST == 200
