"""`docs/adding-a-carrier.md`, followed to the letter for its made-up carrier, leads to an adapter that passes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-carrier.md"
CODE = ("domain", "carriers", "rules", "notifiers", "monitor", "config", "docs", "tests")
SAMPLES = (
    "nothing_known.json",
    "nothing_known.golden.json",
    "unknown_codes.json",
    "unknown_codes.golden.json",
)


def blocks() -> dict[str, list[str]]:
    """The page's fenced blocks by language, without the indent of the list they stand in."""
    found: dict[str, list[str]] = {}
    for language, text in re.findall(r"(?ms)^   ```(\w+)\n(.*?)^   ```$", PAGE.read_text("utf-8")):
        found.setdefault(language, []).append(re.sub("(?m)^   ", "", text))
    return found


def python(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=here, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree after the page's steps 1 to 4."""
    tmp_path = tmp_path_factory.mktemp("tree")
    for name in CODE:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    said = blocks()
    (tmp_path / "carriers" / "acme.py").write_text(said["python"][0], "utf-8")
    saved = tmp_path / "tests" / "carriers" / "samples" / "acme"
    saved.mkdir()
    for name, text in zip(SAMPLES, said["json"], strict=True):
        (saved / name).write_text(text, "utf-8")
    example = tmp_path / "config" / "parcelwatch.example.toml"
    example.write_text(f"{example.read_text('utf-8')}\n{said['toml'][0]}", "utf-8")
    for command in ("monitor.config.schema", "tests.docs.reference"):
        done = python(tmp_path, command)
        assert done.returncode == 0, done.stderr
    return tmp_path


def test_the_made_up_carrier_passes_what_every_carrier_passes(followed: Path) -> None:
    files = ("tests/carriers/test_contract.py", "tests/test_settings.py", "tests/docs/test_reference.py")
    chosen = "acme or unknown_codes or nothing_known or in_order or hold or example or schema or says"
    done = python(followed, "pytest", *files, "-vv", "-n0", "-p", "no:cacheprovider", "-k", chosen)
    assert done.returncode == 0, done.stdout
    assert "acme/unknown_codes" in done.stdout


def test_what_the_page_shows_is_typed_and_tidy(followed: Path) -> None:
    for tool in (
        ("mypy", "carriers/acme.py"),
        ("ruff", "check", "carriers"),
        ("ruff", "format", "--check", "carriers"),
    ):
        done = python(followed, *tool)
        assert done.returncode == 0, done.stdout
