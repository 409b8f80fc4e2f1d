"""Sealing: short personal texts (a phone's last digits) as the database keeps them.

HMAC-SHA256 makes the key stream in counter mode, and a second HMAC under a key of its own the tag
over everything before it and the context: who reads the file without the key file learns only how
long the text was, and a sealed value moved to another row does not open. Standard library only.

    version (1) | key id (4) | nonce (16) | sealed text | tag (16)
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from monitor.store.errors import StoreError

__all__ = ["Keys", "Unsealable", "keys_of", "seal", "unseal"]

_VERSION: Final = b"\x01"
_ID: Final = 4
_NONCE: Final = 16
_TAG: Final = 16
_HEAD: Final = 1 + _ID + _NONCE


class Unsealable(StoreError):
    """A sealed value that no key opens: the key file is another one, or the value was tampered with."""

    def __init__(self) -> None:
        super().__init__(
            "加密字段打不开：密钥文件不对或数据被改动。请把当时的密钥文件放回数据库旁边（*.key），或重新导入订单。"
        )


class Keys:
    """The sealing key and, after it, older ones that are still read. Shows itself nowhere."""

    __slots__ = ("_keys", "_path")

    def __init__(self, keys: Sequence[bytes] = (), *, path: Path | None = None) -> None:
        if any(len(key) < 32 for key in keys):
            raise ValueError("a sealing key has at least 32 bytes")
        self._keys = list(keys)
        self._path = path

    @classmethod
    def beside(cls, database: Path) -> Keys:
        """From `<database>.key`, which is made, readable by its owner only, at the first sealing.

        The file holds one key a line in hexadecimal, the one to seal with first.
        """
        return cls(path=database.with_name(database.name + ".key"))

    def sealing(self) -> bytes:
        """The key to seal with."""
        if not self._known() and self._path is not None:
            self._make(self._path)
        if not self._keys:
            raise Unsealable
        return self._keys[0]

    def opening(self, key_id: bytes) -> bytes:
        """The key of that id. Raises `Unsealable`."""
        for key in self._known():
            if hmac.compare_digest(_key_id(key), key_id):
                return key
        raise Unsealable

    def _known(self) -> list[bytes]:
        if not self._keys and self._path is not None and self._path.exists():
            self._keys = [bytes.fromhex(line) for line in self._path.read_text().split()]
        return self._keys

    def _make(self, path: Path) -> None:
        """Write the file unless another process was faster, then read whatever stands there."""
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, secrets.token_hex(32).encode() + b"\n")
            os.fsync(file)
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            os.close(file)
            fresh.unlink()
        self._known()

    def __repr__(self) -> str:
        return "Keys(***)"


def keys_of(conn: Connection) -> Keys:
    """The keys the store was opened with."""
    keys = conn.get_execution_options().get("keys")
    if not isinstance(keys, Keys):
        raise Unsealable
    return keys


def seal(keys: Keys, text: str, context: str) -> bytes:
    """`text` sealed for one place: `context` names the table, column and row. Never twice the same."""
    key = keys.sealing()
    head = _VERSION + _key_id(key) + secrets.token_bytes(_NONCE)
    sealed = head + _crypt(key, head, text.encode())
    return sealed + _tag(key, sealed, context)


def unseal(keys: Keys, sealed: bytes, context: str) -> str:
    """The text again. Raises `Unsealable` for a wrong key, another place or a changed value."""
    if len(sealed) < _HEAD + _TAG or sealed[:1] != _VERSION:
        raise Unsealable
    key = keys.opening(sealed[1 : 1 + _ID])
    body, tag = sealed[:-_TAG], sealed[-_TAG:]
    if not hmac.compare_digest(tag, _tag(key, body, context)):
        raise Unsealable
    return _crypt(key, body[:_HEAD], body[_HEAD:]).decode()


def _key_id(key: bytes) -> bytes:
    return _derived(key, b"id")[:_ID]


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"parcelwatch/" + purpose, "sha256")


def _crypt(key: bytes, head: bytes, data: bytes) -> bytes:
    """Exclusive-or with the stream of this head: the same call seals and opens."""
    stream_key = _derived(key, b"stream")
    blocks = -(-len(data) // hashlib.sha256().digest_size)
    stream = b"".join(hmac.digest(stream_key, head + n.to_bytes(4, "big"), "sha256") for n in range(blocks))
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def _tag(key: bytes, body: bytes, context: str) -> bytes:
    data = len(body).to_bytes(4, "big") + body + context.encode()
    return hmac.digest(_derived(key, b"tag"), data, "sha256")[:_TAG]
