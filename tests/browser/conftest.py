"""A real browser on the real console: the demo as a process of its own, looked at with Debian's Chromium.

Nothing is downloaded. Without Chromium, or without a font that has Chinese characters, these tests are skipped and
say so; `PARCELWATCH_SCREENSHOTS=folder` keeps a picture of everything that was looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.looking import FLAGS, Console
from tests.e2e.waiting import until

ROOT = Path(__file__).parents[2]


def _missing() -> str:
    if shutil.which("chromium") is None:
        return "no /usr/bin/chromium here (Debian: apt install chromium)"
    found = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=False)
    return (
        ""
        if found.stdout.strip()
        else "no font with Chinese characters (Debian: apt install fonts-wqy-microhei)"
    )


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without it these tests are skipped."""
    missing = _missing()
    if missing:
        pytest.skip(missing)
    return str(shutil.which("chromium"))


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Of one module: while it runs, its event loop runs in this thread, where other tests want theirs."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def demo(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo's address, its clock nearly standing still, once its parcels are asked for and its tickets are open."""
    folder = tmp_path_factory.mktemp("demo")
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "demo", "--port", "0", "--speed", "1"],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, PYTHONUNBUFFERED="1"),
        )
    try:
        yield _ready(process, folder / "out")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture
def console(browser: Browser, demo: str) -> Console:
    """The demo's console in the browser."""
    return Console(browser, demo)


def _ready(process: subprocess.Popen[bytes], out: Path) -> str:
    """The address, once the console has tickets to show."""

    def address() -> str:
        assert process.poll() is None, out.read_text("utf-8")
        found = re.search(r"http://127\.0\.0\.1:\d+", out.read_text("utf-8"))
        return found[0] if found else ""

    until("the demo answers", lambda: bool(address()), seconds=90)

    def tickets() -> int:
        answer = httpx.get(f"{address()}/api/v1/tickets?limit=100", trust_env=False)
        return len(answer.json()["items"]) if answer.status_code == 200 else 0

    until("there are tickets", lambda: tickets() >= 20, seconds=90)
    return address()
