"""SM4 in ECB mode with PKCS#7 padding, encryption only: what the EMS interface wants, and nothing else here does.

The block cipher of GB/T 32907-2016 in plain Python: a query has a few blocks, and `cryptography` is no dependency
of the core. It takes different times for different keys, so it is for nothing that a stranger can measure.
Tests hold the S-box to its definition, and the cipher to the standard's example and the worked value of the facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["BLOCK", "encrypt"]

BLOCK: Final = 16
"""Bytes of a block, and of a key."""

_S: Final = bytes.fromhex(
    "d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa44132649860699"
    "9c4250f491ef987a33540b43edcfac62e4b31ca9c908e89580df94fa758f3fa6"
    "4707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35"
    "1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89e"
    "eabf8ad240c738b5a3f7f2cef96115a1e0ae5da49b341a55ad933230f58cb1e3"
    "1df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51"
    "8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b0"
    "8969974a0c96777e65b9f109c56ec68418f07dec3adc4d2079ee5f3ed7cb3948"
)
_FK: Final = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)
_CK: Final = tuple(int.from_bytes(bytes((4 * i + j) * 7 % 256 for j in range(4)), "big") for i in range(32))


def encrypt(plain: bytes, key: bytes) -> bytes:
    """`plain` padded and encrypted. Raises ValueError for a key that has not 16 bytes."""
    if len(key) != BLOCK:
        raise ValueError("an SM4 key has 16 bytes")
    padding = BLOCK - len(plain) % BLOCK
    padded, keys = plain + bytes([padding]) * padding, _round_keys(key)
    return b"".join(_block(padded[at : at + BLOCK], keys) for at in range(0, len(padded), BLOCK))


def _round_keys(key: bytes) -> Sequence[int]:
    k = [word ^ _FK[i] for i, word in enumerate(_words(key))]
    for i in range(32):
        b = _substituted(k[i + 1] ^ k[i + 2] ^ k[i + 3] ^ _CK[i])
        k.append(k[i] ^ b ^ _turned(b, 13) ^ _turned(b, 23))
    return k[4:]


def _block(block: bytes, keys: Sequence[int]) -> bytes:
    x = _words(block)
    for i, key in enumerate(keys):
        b = _substituted(x[i + 1] ^ x[i + 2] ^ x[i + 3] ^ key)
        x.append(x[i] ^ b ^ _turned(b, 2) ^ _turned(b, 10) ^ _turned(b, 18) ^ _turned(b, 24))
    return b"".join(word.to_bytes(4, "big") for word in reversed(x[-4:]))


def _words(block: bytes) -> list[int]:
    return [int.from_bytes(block[at : at + 4], "big") for at in range(0, BLOCK, 4)]


def _substituted(word: int) -> int:
    return int.from_bytes(word.to_bytes(4, "big").translate(_S), "big")


def _turned(word: int, by: int) -> int:
    """32 bits turned to the left."""
    return (word << by | word >> (32 - by)) & 0xFFFFFFFF
