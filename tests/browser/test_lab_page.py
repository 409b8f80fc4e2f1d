"""The lab's report in a real browser: on a phone and a desk, light and dark, with an enemy's names in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from monitor.lab.page import page
from tests.hostile import TEXTS
from tests.lab.test_page import COMPARED


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_is_readable(browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(COMPARED), "utf-8")
    view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    said: list[str] = []
    asked: list[str] = []
    view.on("console", lambda message: said.append(message.text))
    view.on("request", lambda request: asked.append(request.url))
    view.goto(file.as_uri())
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    assert asked == [file.as_uri()]
    paper, ink = view.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    assert paper != ink
    bars = view.evaluate(
        "[...document.querySelectorAll('rect.s0')].map(each => each.getBoundingClientRect().height)"
    )
    assert max(bars) > 20, "the charts are drawn"
    view.close()


def test_no_name_runs_or_fetches_anything(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    everything = " ".join(TEXTS)
    report = replace(
        COMPARED,
        policy=everything,
        remarks=TEXTS,
        rules_zh={"late_shipment": everything[:40]},
        carriers_zh={"zhongtong": everything},
    )
    file.write_text(page(report), "utf-8")
    view = browser.new_page()
    asked: list[str] = []
    view.on("request", lambda request: asked.append(request.url))
    view.on("dialog", lambda dialog: pytest.fail(dialog.message))
    view.goto(file.as_uri())
    assert view.evaluate("window.pwned") is None
    assert asked == [file.as_uri()]
    view.close()
