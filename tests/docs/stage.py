"""The folder a document's reader sits in: a fresh checkout, and the outside as loopback services.

What differs from a reader's is only this: `make` shows what it would do (`-n`), ports 8000, 9000 and 9001 are other free ones, and the
example configuration points at the simulated 快递100 and chat groups, whose account is in the environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.docs.blocks import Command, Document

ROOT = Path(__file__).parents[2]
_COPIED = ("config", "systemd", "docs", "Makefile", "README.md", "pyproject.toml", "requirements.txt")
_HOSTS = {
    '#base_url = "https://poll.kuaidi100.com"': 'base_url = "{provider}"',
    '#url = "http://127.0.0.1:3000"': '#url = "{groups}"',
    "#[providers.ceilings]": "[providers.ceilings]",
    '#per_waybill_interval = "30m"': 'per_waybill_interval = "1s"',
}
"""Lines of the example configuration that name a service or keep its pace, and what they are here.

The simulated 快递100 knows no number, so everything is asked about twice: after a second, not after half an hour.
"""
_GENEROUS = ("--min-interval", "0", "--daily", "100000", "--sends", "100000")
"""Options of the services: all documents share them."""
_CONFIGURED = (
    Command(0, "cp config/parcelwatch.example.toml parcelwatch.toml"),
    Command(0, "parcelwatch import docs/examples/orders.csv"),
)
_RUNNING = (
    *_CONFIGURED,
    Command(0, "parcelwatch run", stays=True),
    Command(0, "curl -s http://127.0.0.1:8000/api/v1/tickets", shown=("YT8812345678901",), later=True),
)
_CARRIERS = (*_CONFIGURED, Command(0, f"{sys.executable} {ROOT}/tests/docs/carrier.py 9001"))
_STARTS = {
    "fresh": (), "postgresql": (), "configured": _CONFIGURED, "carriers": _CARRIERS, "running": _RUNNING
}  # fmt: skip
"""What was done before the document begins."""


@dataclass(frozen=True)
class Peers:
    """The simulated services."""

    urls: Mapping[str, str]

    def account(self) -> dict[str, str]:
        """The environment variables the example configuration names."""
        groups = self.urls["groups"]
        return {
            "K100_CUSTOMER": "CUSTOMERDEMO0001",
            "K100_KEY": "KEYdemo12345",
            "DING_URL": f"{groups}/robot/send?access_token=ding-demo",
            "DING_SECRET": "SECdemo",
            "WECOM_URL": f"{groups}/cgi-bin/webhook/send?key=wecom-demo",
            "QQ_TOKEN": "onebot-demo",
        }


@contextmanager
def simulated_services(aside: Path) -> Iterator[Peers]:
    """`python -m monitor.demo.peers`, which ends when its standard input does."""
    with (aside / "peers.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor.demo.peers", *_GENEROUS],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Peers(json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


@dataclass(frozen=True)
class Stage:
    """Where one document is played."""

    folder: Path
    ports: Mapping[str, str]
    """Ports the documents name, and free ones in their place."""
    peers: Peers
    more: Mapping[str, str]
    """Further environment, such as an empty database's address."""

    def build(self) -> None:
        """A checkout as it is after `make setup`."""
        for name in _COPIED:
            source, here = ROOT / name, self.folder / name
            here.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, here)
            else:
                shutil.copyfile(source, here)
        (self.folder / ".venv").symlink_to(sys.prefix)
        example = self.folder / "config" / "parcelwatch.example.toml"
        text = example.read_text("utf-8")
        for line, here in _HOSTS.items():
            assert line in text, f"the example configuration has no line {line}"
            text = text.replace(line, here.format_map(self.peers.urls))
        example.write_text(text, "utf-8")
        for path in (example, *(self.folder / "docs").rglob("*.md")):
            path.write_text(self._ported(path.read_text("utf-8")), "utf-8")

    def env(self) -> dict[str, str]:
        """The reader's environment: the virtual environment is active, the account is known."""
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin"]),
            "HOME": str(self.folder),
            "USER": "reader",
            "LANG": "C.UTF-8",
            "TZ": "Asia/Shanghai",
            "PYTHONWARNINGS": "error::ResourceWarning",
            **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),  # nobody listens there
            "no_proxy": "127.0.0.1",
            **self.peers.account(),
            **self.more,
        }

    def here(self, document: Document) -> Document:
        """The document as it is played here."""
        commands = (*_STARTS[document.start], *document.commands)
        return replace(document, commands=tuple(map(self._mine, commands)))

    def _mine(self, command: Command) -> Command:
        text = re.sub(r"^make(?=\s)", "make -n", self._ported(command.text))
        return replace(command, text=text, shown=tuple(map(self._ported, command.shown)))

    def _ported(self, text: str) -> str:
        return re.sub(r"\b(8000|9000|9001)\b", lambda found: self.ports[found[1]], text)


def free_ports() -> dict[str, str]:
    """A free port for each that a document names."""
    with ExitStack() as stack:
        probes = {name: stack.enter_context(socket.socket()) for name in ("8000", "9000", "9001")}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        return {name: str(probe.getsockname()[1]) for name, probe in probes.items()}
