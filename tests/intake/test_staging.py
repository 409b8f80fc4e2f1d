"""Uploads between preview and confirmation: random names, their owner's only, gone after a day."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.intake.staging import MOST, ROOM, Crowded, Staging, State, staging_folder, with_state
from monitor.intake.tables import MAX_BYTES
from tests.intake.conftest import NOW


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "store.intake")


def put(staging: Staging, name: str = "订单.csv", days: float = 0) -> str:
    staged, out = staging.begin(name, NOW - timedelta(days=days))
    with out:
        out.write(b"x")
    return staging.keep(staged).token


@pytest.mark.parametrize(
    ("store", "name"),
    [("sqlite:////var/lib/p/store.db", "/var/lib/p/store.db.intake"), ("postgresql://h/d", "/etc/p/parcelwatch.intake")],
)  # fmt: skip
def test_it_lies_beside_the_store(store: str, name: str) -> None:
    assert staging_folder(store, Path("/etc/p")) == Path(name)


def test_what_is_kept_is_found_again(staging: Staging) -> None:
    token = put(staging)
    staged = staging.find(token)
    assert staged is not None
    done = staging.keep(with_state(staged, State.DONE, counts={"accepted": 1}))
    assert staging.find(token) == done
    assert [each.token for each in staging.all()] == [token]


def test_nobody_else_may_read_it(staging: Staging) -> None:
    upload = staging.upload(put(staging))
    assert upload.parent.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in upload.parent.iterdir()} == {0}


def test_names_are_random_and_say_nothing(staging: Staging) -> None:
    tokens = {put(staging, "../../etc/passwd") for _ in range(5)}
    assert len(tokens) == 5
    assert {staging.find(token).name for token in tokens} == {"passwd"}  # type: ignore[union-attr]


@pytest.mark.parametrize("token", ["", "..", "../x", "0" * 31, "G" * 32, "0" * 32 + "/x", "0" * 32 + "\n"])
def test_what_is_no_token_leads_nowhere(staging: Staging, token: str) -> None:
    assert staging.find(token) is None
    with pytest.raises(ValueError, match="token"):
        staging.upload(token)


@pytest.mark.parametrize(
    "junk", ["", "[]", "{}", '{"at": 1}', '{"at": "2026-11-22", "state": "eaten"}', "\0"]
)
def test_a_note_that_is_none_is_no_file(staging: Staging, junk: str) -> None:
    token = put(staging)
    staging.upload(token).with_suffix(".json").write_text(junk)
    assert staging.find(token) is None
    assert staging.all() == []


def test_after_a_day_all_of_a_file_goes(staging: Staging) -> None:
    old, young = put(staging, days=1.1), put(staging, days=0.9)
    staging.rejected(old).write_text("x")
    assert staging.purge(NOW) == 3
    assert staging.find(young) is not None
    assert staging.upload(young).is_file()
    assert not staging.upload(old).exists()


def test_an_upload_that_never_ended_goes_too(staging: Staging) -> None:
    _, out = staging.begin("订单.csv", NOW)
    out.close()
    [left] = staging.upload("0" * 32).parent.iterdir()
    os.utime(left, (NOW.timestamp() - 86_401,) * 2)
    assert staging.purge(NOW) == 1


def test_what_a_killed_process_was_still_being_sent_goes_at_the_next_start(staging: Staging) -> None:
    """Half an upload, half a note, half a file of rejected rows; what is whole stays."""
    whole = put(staging)
    staging.rejected(whole).write_text("x")
    folder = staging.upload(whole).parent
    _, out = staging.begin("订单.csv", NOW)
    out.close()
    (folder / f"{whole}.0a1b2c3d.part").write_text("{")
    (folder / f".{whole}.rejected.csv.x1y2z3").write_text("x")
    kept = {f"{whole}{part}" for part in (".upload", ".json", ".rejected.csv")}
    assert staging.forget_cut_off() == 3
    assert {path.name for path in folder.iterdir()} == kept
    assert staging.forget_cut_off() == 0


def test_a_start_without_a_folder_has_nothing_to_forget(tmp_path: Path) -> None:
    assert Staging(tmp_path / "none").forget_cut_off() == 0


def ready(staging: Staging, state: State = State.READY, minutes: float = 0) -> str:
    staged, out = staging.begin("订单.csv", NOW - timedelta(minutes=minutes))
    out.close()
    return staging.keep(with_state(staged, state)).token


def test_there_is_room_for_so_many_and_what_has_waited_longest_goes(staging: Staging) -> None:
    first, second = ready(staging, minutes=700), ready(staging, State.REFUSED, minutes=600)
    others = [ready(staging) for _ in range(MOST - 1)]
    assert staging.find(first) is None
    assert all(staging.find(token) for token in (second, *others))


@pytest.mark.parametrize("state", [each for each in State if each is not State.DONE])
def test_nobodys_fresh_file_goes_for_anothers(staging: Staging, state: State) -> None:
    mine = [ready(staging, state, minutes=59) for _ in range(MOST)]
    with pytest.raises(Crowded):
        staging.begin("订单.csv", NOW)
    assert all(staging.find(token) for token in mine)


def test_what_is_being_read_or_imported_goes_for_nobody(staging: Staging) -> None:
    mine = [ready(staging, State.IMPORTING, minutes=600) for _ in range(MOST)]
    with pytest.raises(Crowded):
        staging.begin("订单.csv", NOW)
    assert all(staging.find(token) for token in mine)


def test_imports_that_are_done_take_nobodys_place(staging: Staging) -> None:
    """Twenty-odd files in a row, each confirmed, are a morning's work."""
    for _ in range(2 * MOST):
        token = ready(staging, State.DONE)
        staging.drop(token, ".upload")
    assert len(staging.all()) == MOST
    assert len([ready(staging) for _ in range(MOST)]) == MOST


def test_uploads_under_way_count_as_large_as_they_may_become(staging: Staging) -> None:
    """All at once, from many threads: neither the files nor the bytes get past the door."""

    def begin(_: int) -> bool:
        try:
            _, out = staging.begin("订单.csv", NOW)
        except Crowded:
            return False
        out.close()
        return True

    with ThreadPoolExecutor(16) as pool:
        let_in = sum(pool.map(begin, range(60)))
    assert let_in == ROOM // MAX_BYTES


def test_bytes_that_lie_there_count(staging: Staging) -> None:
    big = ready(staging)
    os.truncate(staging.upload(big), ROOM - MAX_BYTES + 1)
    with pytest.raises(Crowded):
        staging.begin("订单.csv", NOW)
    staging.drop(big)
    assert ready(staging)


def test_a_folder_that_is_not_there_has_nothing(staging: Staging) -> None:
    assert (staging.all(), staging.purge(NOW), staging.find("0" * 32)) == ([], 0, None)
