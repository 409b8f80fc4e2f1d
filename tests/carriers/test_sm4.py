"""SM4: the standard's own example, its S-box by definition, and the worked value of the facts."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from carriers.sm4 import _S as S_BOX
from carriers.sm4 import BLOCK, encrypt

KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")


def test_the_standards_example() -> None:
    """GB/T 32907-2016, A.1; the padding of a whole block follows."""
    assert encrypt(KEY, KEY)[:BLOCK].hex() == "681edf34d206965e86b3e94f536e4246"


def test_the_worked_value() -> None:
    """`facts/samples/signatures.json`, ems.logitcsInterface."""
    sign_key = "MDEyMzQ1Njc4OWFiY2RlZg=="
    said = encrypt(f'{{"waybillNo":"9800000000001","direction":"0"}}{sign_key}'.encode(), b64decode(sign_key))
    assert b64encode(said).decode() == (
        "Ox3IT1paIHnnqDeh722mHzx+6qIPo7fM6/2QexmF7/bBEAzgMwF29by1oQ0/LbI3/vkPai/Ngto8XCYTZqKy1DJdUB/WoUhfa6ykyLZ7yWA="
    )


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32])
def test_padding_always_fills_the_last_block(length: int) -> None:
    assert len(encrypt(b"x" * length, KEY)) == (length // BLOCK + 1) * BLOCK


def test_equal_blocks_are_equal_without_the_rest() -> None:
    """ECB: what follows a block does not change it."""
    assert encrypt(b"x" * 32, KEY)[:BLOCK] == encrypt(b"x" * 32, KEY)[BLOCK : 2 * BLOCK]


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_a_key_has_sixteen_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="16"):
        encrypt(b"", b"k" * length)


def test_the_s_box_is_affine_inverse_affine() -> None:
    """Over GF(2) by x^8+x^7+x^6+x^5+x^4+x^2+1."""

    def product(a: int, b: int) -> int:
        total = 0
        while b:
            total ^= a if b & 1 else 0
            a = (a << 1) ^ (0x1F5 if a & 0x80 else 0)
            b >>= 1
        return total

    def affine(byte: int) -> int:
        rows = ((0xA7 << turn | 0xA7 >> (8 - turn)) & 0xFF for turn in range(8))
        return sum(((row & byte).bit_count() & 1) << at for at, row in enumerate(rows)) ^ 0xD3

    inverse = {a: next((b for b in range(1, 256) if product(a, b) == 1), 0) for a in range(256)}
    assert bytes(affine(inverse[affine(byte)]) for byte in range(256)) == S_BOX
