from __future__ import annotations


class Keys:
    pass


def seal(keys: Keys, text: str, context: str) -> bytes:
    raise NotImplementedError


def unseal(keys: Keys, sealed: bytes, context: str) -> str:
    raise NotImplementedError
