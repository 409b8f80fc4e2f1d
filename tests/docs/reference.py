"""The reference pages that the program tells by itself: `python -m tests.docs.reference` writes them anew.

`make reference` does it; a test says when that is due.
"""

from __future__ import annotations

from pathlib import Path

from tests.docs.told_api import api
from tests.docs.told_commands import commands
from tests.docs.told_configuration import configuration
from tests.docs.told_rules import rules

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> dict[Path, str]:
    """The pages and their texts."""
    return {
        FOLDER / "api.md": api(),
        FOLDER / "commands.md": commands(),
        FOLDER / "configuration.md": configuration(),
        FOLDER / "rules.md": rules(),
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
