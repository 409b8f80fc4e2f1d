"""A fresh place for the command line: a configuration, no database yet, and the log put back afterwards."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from monitor.cli import cli

CONFIG = """
store = "sqlite:///store.db"

web.port = 0
web.public_url = "https://watch.example.com"

[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "env:CUSTOMER"
key = "env:KEY"
carriers = ["*"]
price = 0.05

[[channels]]
name = "ops"
kind = "dingtalk"
webhook = "env:HOOK"
secret = "env:SECRET"

[[routes]]
channels = ["ops"]
"""
SECRETS = {
    "CUSTOMER": "customer-of-ours-7",
    "KEY": "key-of-ours-1234567",
    "HOOK": "https://oapi.dingtalk.com/robot/send?access_token=token-of-ours-99",
    "SECRET": "SECsecret-of-ours-42",
}


@dataclass
class Shell:
    """Types commands in a folder of its own."""

    folder: Path
    runner: CliRunner = field(default_factory=lambda: CliRunner(env=SECRETS))

    def __call__(self, *words: str, code: int = 0, **how: Any) -> Result:
        """Run a command and check its exit code."""
        result = self.runner.invoke(cli, [str(word) for word in words], prog_name="parcelwatch", **how)
        assert result.exit_code == code, (result.output, result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def json(self, *words: str) -> Any:
        """What `--json` printed; there must be nothing else on standard output."""
        return json.loads(self(*words, "--json").stdout)

    def config(self, text: str = CONFIG) -> Path:
        path = self.folder / "parcelwatch.toml"
        path.write_text(text, "utf-8")
        return path

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """In a folder with a configuration."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = (root.handlers[:], root.level, warnings.showwarning)
    shell = Shell(tmp_path)
    shell.config()
    yield shell
    logging.captureWarnings(False)
    root.handlers[:], root.level, warnings.showwarning = before
    structlog.reset_defaults()
