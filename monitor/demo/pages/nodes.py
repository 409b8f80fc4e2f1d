"""A page as a tree, written once: as HTML for the first answer, as JSON for the script that keeps it fresh.

Text is text in both: `html` escapes every one, and the script builds elements and sets `textContent`. What
could run is refused here, whoever asks for it: handlers, inline styles, addresses that leave this site.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any, Final, TypeAlias

__all__ = ["Child", "Node", "el", "html", "plain"]

_TAGS: Final = """
    a article aside b button circle dd details div dl dt em footer form h1 h2 h3 header input label li line main
    nav ol p rect s section small span strong summary svg table tbody td th thead time title tr ul
"""
TAGS: Final = frozenset(_TAGS.split())
"""What a page is made of; nothing that loads or runs."""
_VOID: Final = frozenset({"input"})
_OURS: Final = re.compile(r"/(?![/\\])|[?#]")
"""How an address on this site begins."""


@dataclass(frozen=True, slots=True)
class Node:
    """One element. `key` tells the script which element of a list it is, whatever moves around it."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[Node | str, ...] = ()
    key: str = ""


Child: TypeAlias = Node | str | Iterable["Child"] | None


def el(tag: str, *children: Child, key: str = "", **attributes: str | int | float | bool | None) -> Node:
    """An element; None among the children is left out, and so is an attribute that is None or False.

    `class_` is written `class`, `data_x` is written `data-x`. Raises ValueError for what a page may not hold.
    """
    if tag not in TAGS:
        raise ValueError(f"no element <{tag}> on this page")
    named = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    kept = tuple((name, "" if value is True else str(value)) for name, value in named if _given(value))
    for name, value in kept:
        _harmless(name, value)
    return Node(tag, kept, tuple(_flat(children)), key)


def html(node: Node | str) -> str:
    """The node as HTML, every text and value escaped."""
    if isinstance(node, str):
        return escape(node, quote=False)
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in _attributes(node))
    inside = "".join(map(html, node.children))
    return f"<{node.tag}{attributes}>" + ("" if node.tag in _VOID else f"{inside}</{node.tag}>")


def plain(node: Node | str) -> Any:
    """The node for JSON: a text as it is, an element as `[tag, {attribute: value}, child, …]`."""
    if isinstance(node, str):
        return node
    return [node.tag, dict(_attributes(node)), *map(plain, node.children)]


def _attributes(node: Node) -> tuple[tuple[str, str], ...]:
    return (*node.attributes, ("data-key", node.key)) if node.key else node.attributes


def _given(value: object) -> bool:
    return value is not None and value is not False


def _harmless(name: str, value: str) -> None:
    if name.startswith("on") or name in ("style", "src", "srcdoc"):
        raise ValueError(f"no attribute {name} on this page")
    if name in ("href", "action") and not _OURS.match(value):
        raise ValueError(f"{name} may not leave this site")


def _flat(children: Iterable[Child]) -> Iterable[Node | str]:
    for child in children:
        if isinstance(child, Node | str):
            yield child
        elif child is not None:
            yield from _flat(child)
