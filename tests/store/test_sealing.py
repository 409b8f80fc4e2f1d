"""Sealed texts: unreadable without the key, useless elsewhere, and no key is ever shown."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.sealing import Keys, Unsealable, seal, unseal

KEYS = Keys([b"k" * 32])
HERE = "orders.phone_tail:1"


@given(st.text(max_size=200))
def test_what_is_sealed_opens_again(text):
    assert unseal(KEYS, seal(KEYS, text, HERE), HERE) == text


@given(st.text(min_size=4, max_size=60))
def test_the_text_is_not_in_what_is_stored_and_twice_is_not_the_same(text):
    sealed = seal(KEYS, text, HERE)
    assert text.encode() not in sealed
    assert sealed != seal(KEYS, text, HERE)


@given(st.integers(0, 40), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_noticed(place, change):
    sealed = bytearray(seal(KEYS, "1234", HERE))
    sealed[place] ^= change
    with pytest.raises(Unsealable):
        unseal(KEYS, bytes(sealed), HERE)


@pytest.mark.parametrize("cut", [b"", b"\x01", b"\x01" + b"x" * 20])
def test_a_cut_value_is_noticed(cut):
    with pytest.raises(Unsealable):
        unseal(KEYS, cut, HERE)


def test_a_value_opens_only_where_it_was_sealed():
    with pytest.raises(Unsealable, match="密钥文件"):
        unseal(KEYS, seal(KEYS, "1234", HERE), "orders.phone_tail:2")


def test_another_key_opens_nothing():
    with pytest.raises(Unsealable):
        unseal(Keys([b"x" * 32]), seal(KEYS, "1234", HERE), HERE)


def test_after_a_change_of_key_old_values_still_open_and_new_ones_use_the_new_key():
    old, new = b"o" * 32, b"n" * 32
    before = seal(Keys([old]), "1234", HERE)
    both = Keys([new, old])
    assert unseal(both, before, HERE) == "1234"
    assert unseal(Keys([new]), seal(both, "5678", HERE), HERE) == "5678"


def test_the_key_file_is_made_at_the_first_sealing_for_its_owner_only(tmp_path):
    file = tmp_path / "store.db.key"
    keys = Keys.beside(tmp_path / "store.db")
    assert not file.exists()
    sealed = seal(keys, "1234", HERE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert unseal(Keys.beside(tmp_path / "store.db"), sealed, HERE) == "1234"
    assert [each.name for each in tmp_path.iterdir()] == ["store.db.key"]


def test_two_processes_that_make_the_file_at_once_agree_on_one_key(tmp_path):
    keys = [Keys.beside(tmp_path / "store.db") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda each: seal(each, "1234", HERE), keys))
    assert {unseal(Keys.beside(tmp_path / "store.db"), each, HERE) for each in sealed} == {"1234"}


def test_reading_without_a_key_file_makes_none(tmp_path):
    with pytest.raises(Unsealable):
        unseal(Keys.beside(tmp_path / "store.db"), seal(KEYS, "1234", HERE), HERE)
    assert list(tmp_path.iterdir()) == []


def test_a_short_key_is_refused_and_no_key_is_shown():
    with pytest.raises(ValueError, match="32 bytes"):
        Keys([b"short"])
    assert "k" * 8 not in repr(KEYS)
    assert str(KEYS) == "Keys(***)"
