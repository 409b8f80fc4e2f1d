"""How a page is looked at: at what size, in which light, with or without script; and what must always hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
"""axe-core 4.14.1 (MPL-2.0), as published."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = os.environ.get("PARCELWATCH_SCREENSHOTS", "")


@dataclass(frozen=True)
class Sight:
    """One way of looking."""

    width: int = 1280
    dark: bool = False
    script: bool = True
    language: str = "zh-CN"

    def __str__(self) -> str:
        light, script = "dark" if self.dark else "light", "script" if self.script else "noscript"
        return f"{self.width}-{light}-{script}-{self.language}"


SIGHTS = [
    Sight(width, dark, script) for width in (1280, 360) for dark in (False, True) for script in (True, False)
] + [Sight(360, language="en"), Sight(1280, language="en")]


@dataclass
class Seen:
    """A page that was opened, and what the browser noticed meanwhile."""

    page: Page
    status: int
    requests: list[str]
    complaints: list[str] = field(default_factory=list)
    """Errors of scripts, of the content policy, of failed loads; dialogs that opened."""

    def wide(self) -> int:
        """Pixels by which the page is wider than the screen."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return width

    def violations(self) -> list[str]:
        """What axe-core finds, one line each."""
        self.page.evaluate(AXE)
        result: dict[str, Any] = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(r => ({violations: r.violations}))"
        )
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:160]} — {node['failureSummary'][:300]}"
            for each in result["violations"]
            for node in each["nodes"][:3]
        ]

    def keep(self, name: str) -> None:
        """A picture, where somebody asked for pictures."""
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            safe = re.sub(r"[^\w.-]+", "_", name).strip("_")
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{safe}.png", full_page=True)


@dataclass
class Console:
    """The console at an address."""

    browser: Browser
    base: str

    @contextmanager
    def look(self, path: str, sight: Sight = Sight()) -> Iterator[Seen]:
        """Open a page; everything it asks for and complains of is noted."""
        context = self.browser.new_context(
            viewport={"width": sight.width, "height": 800},
            color_scheme="dark" if sight.dark else "light",
            java_script_enabled=sight.script,
            locale=sight.language,
            timezone_id="Asia/Shanghai",
            accept_downloads=True,
        )
        try:
            page = context.new_page()
            seen = Seen(page, 0, [])
            page.on("request", lambda request: seen.requests.append(request.url))
            page.on("requestfailed", lambda request: seen.complaints.extend(_failed(request)))
            page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
            page.on(
                "dialog",
                lambda dialog: (seen.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()),
            )
            page.on(
                "console",
                lambda said: (
                    seen.complaints.append(f"console: {said.text}") if said.type == "error" else None
                ),
            )
            answer = page.goto(f"{self.base}{path}", wait_until="load")
            seen.status = answer.status if answer else 0
            yield seen
        finally:
            context.close()

    def elsewhere(self, requests: list[str]) -> list[str]:
        """Requests that left this host."""
        here = urlsplit(self.base).netloc
        return [
            url for url in requests if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != here
        ]


def _failed(request: Request) -> list[str]:
    """A load that failed; one the browser gave up because the page was left is none."""
    why = str(request.failure or "")
    return [] if "ERR_ABORTED" in why else [f"failed: {request.url} {why}"]
