"""The stage of an end-to-end test, and when in a run these tests are played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Nursery
from tests.e2e.stage import Stage, staged


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One per test process."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def stage(nursery: Nursery, tmp_path: Path) -> Iterator[Stage]:
    """Where a single scenario plays."""
    with staged(nursery, tmp_path) as stage:
        yield stage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread over the run: pytest-xdist gives each process a stretch of it, and these tests mostly wait."""
    mine = [item for item in items if item.path.parent == Path(__file__).parent]
    others = [item for item in items if item not in mine]
    for n, item in enumerate(mine):
        others.insert(n + n * (len(others) - n) // len(mine), item)
    items[:] = others
