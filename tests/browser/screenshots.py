"""The pictures of the README, taken of the running demo: `make screenshots` writes docs/screenshots/ anew.

The overview on a desk's screen and a ticket on a phone's, in daylight, in Chinese. Each fits into 150 kB: a PNG of
few colours, since a page has few.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.browser.looking import FLAGS
from tests.browser.picture import fewer_colours
from tests.e2e.waiting import until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "screenshots"
LARGEST = 150_000
"""Bytes of a picture."""
_SETTLED = 1000.0
"""Milliseconds in which a chart is drawn."""


@contextmanager
def demo() -> Iterator[str]:
    """The address of a demo that has something to show."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "monitor", "demo", "--port", "0"], cwd=ROOT, stdout=out, stderr=out
        )
        try:

            def said() -> str:
                out.seek(0)
                found = re.search(r"http://127\.0\.0\.1:\d+", out.read())
                return found[0] if found else ""

            base = until("the demo answers", said, seconds=120)
            until("there are breaches", lambda: len(_tickets(base)) >= 20, seconds=240)
            yield base
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _tickets(base: str) -> list[dict[str, object]]:
    answer = httpx.get(f"{base}/api/v1/tickets?limit=100", trust_env=False)
    rows: list[dict[str, object]] = answer.json()["items"] if answer.status_code == 200 else []
    return rows


def take(page: Page, url: str, path: Path, *, height: int, width: int) -> None:
    """One picture, of the upper part of a page."""
    page.set_viewport_size({"width": width, "height": height})
    answer = page.goto(url, wait_until="load")
    assert answer is not None
    assert answer.status == 200, url
    page.wait_for_timeout(_SETTLED)
    path.write_bytes(fewer_colours(page.screenshot(animations="disabled")))
    assert path.stat().st_size <= LARGEST, f"{path.name}: {path.stat().st_size} bytes"


def main() -> None:
    """Both pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium here (Debian: apt install chromium fonts-wqy-microhei)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with demo() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", color_scheme="light")
        page = context.new_page()
        take(page, f"{base}/", FOLDER / "overview.png", width=1280, height=860)
        rows = [row for row in _tickets(base) if "stagnation" in str(row["rules"])] or _tickets(base)
        take(page, f"{base}/tickets/{rows[0]['number']}", FOLDER / "ticket-phone.png", width=360, height=1100)
        browser.close()


if __name__ == "__main__":
    main()
