"""The simulated services, once per test process; a fresh folder for each document."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Document
from tests.docs.session import PATIENCE, Session
from tests.docs.stage import Peers, Stage, free_ports, simulated_services


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    with simulated_services(tmp_path_factory.mktemp("peers")) as peers:
        yield peers


@pytest.fixture
def play(peers: Peers, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Plays a document in a fresh folder, and gives the folder."""

    def run(document: Document, patience: float = PATIENCE) -> Path:
        folder = tmp_path / "parcelwatch"
        folder.mkdir()
        more = {}
        if document.start == "postgresql":
            more["DATABASE_URL"] = str(request.getfixturevalue("empty_postgresql_url"))
        stage = Stage(folder, free_ports(), peers, more)
        staged = stage.here(document)
        if shutil.which("curl") is None and any("curl" in each.text for each in staged.commands):
            pytest.skip("no curl here (Debian: apt install curl)")
        stage.build()
        with Session(folder, tmp_path / "aside", stage.env(), patience) as session:
            session.play(staged)
        return folder

    return run
