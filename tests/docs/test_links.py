"""No link of the documents leads nowhere, and every page can be found from the map."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.links import anchors, broken, links
from tests.docs.stage import ROOT

DOCUMENTS = [
    ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "bench").rglob("*.md"))
]  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    assert list(broken(path, ROOT)) == []


def test_every_page_is_found_from_the_map() -> None:
    found, todo = set[Path](), [ROOT / "docs" / "README.md"]
    while todo:
        page = todo.pop()
        if page in found or page.suffix != ".md" or not page.is_file():
            continue
        found.add(page)
        inside = [link for link in links(page.read_text("utf-8")) if "://" not in link]
        todo += [(page.parent / unquote(link).partition("#")[0]).resolve() for link in inside]
    assert [path.name for path in (ROOT / "docs").rglob("*.md") if path not in found] == []


@pytest.mark.parametrize(
    "text, found",
    [
        ("[a](b.md)", ["b.md"]),
        ('![picture](x.png "title") and [`code` [x]](y.md#z)', ["x.png", "y.md#z"]),
        ("`[not](a-link)` but [one](<two>)", ["two"]),
        ("```text\n[not](a-link)\n```\n[one](two)", ["two"]),
    ],
)
def test_links_are_found(text: str, found: list[str]) -> None:
    assert list(links(text)) == found


def test_anchors_are_made_as_the_code_hosts_make_them() -> None:
    text = '# `parcelwatch try carrier`\n## 五分钟接上自己的账号（新）\n## Same\n## Same\n<a name="english"></a>\n```\n# not\n```\n'
    assert anchors(text) == {
        "parcelwatch-try-carrier", "五分钟接上自己的账号新", "same", "same-1", "english"
    }  # fmt: skip


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# Title\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[1](there.md#title) [2](there.md#other) [3](gone.md) [4](../out.md) [5](#none) [6](https://example.com/x)"
    )
    assert list(broken(page, tmp_path)) == [
        "there.md#other: no such heading", "gone.md: no such file", "../out.md: outside the project", "#none: no such heading"
    ]  # fmt: skip
