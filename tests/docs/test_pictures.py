"""The pictures of the documents: taken by `make screenshots`, light enough for a slow line."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.browser.screenshots import FOLDER, LARGEST
from tests.docs.links import links
from tests.docs.stage import ROOT

SIZES = {"overview.png": 1280, "ticket-phone.png": 360}


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_picture_is_a_screen_wide_and_light(path: Path) -> None:
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert data.startswith(b"\x89PNG")
    assert width == SIZES[path.name]
    assert height >= 600
    assert len(data) <= LARGEST


def test_the_readme_shows_both() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    shown = {*links(text), *(part.partition('"')[0] for part in text.split('<img src="')[1:])}
    assert {f"docs/screenshots/{name}" for name in SIZES} <= shown
    assert {path.name for path in FOLDER.iterdir()} == set(SIZES)
