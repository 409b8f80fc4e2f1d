"""A file of orders in a real browser: uploaded, mapped by hand, previewed and imported, also without script and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.looking import Console, Seen, Sight

SIGHTS = [Sight(360, script=False), Sight(360, dark=True), Sight(1280), Sight(360, language="en")]
STRANGE = "单,谁送,号,很长很长的一个没有用处的列名很长很长的一个没有用处的列名\n{0}-1,圆通,YT88{0}45678901,x\n{0}-2,没有这家,YT2,x\n"


def well(seen: Seen, sight: Sight, name: str) -> None:
    """As every page has to be."""
    seen.keep(f"intake-{name}-{sight}")
    assert seen.wide() <= 0, "the page scrolls sideways"
    if sight.script:
        assert seen.violations() == []


def ready(page: Page) -> None:
    """The page looks again by itself until the file is read."""
    page.locator("meta[http-equiv=refresh]").wait_for(state="detached", timeout=60_000)


@pytest.mark.parametrize("sight", SIGHTS, ids=str)
def test_a_file_comes_in(console: Console, tmp_path: Path, sight: Sight) -> None:
    number = str(10 + SIGHTS.index(sight))
    path = tmp_path / "<b>群里的表<b>.csv"
    path.write_text(STRANGE.format(number), "utf-8")
    with console.look("/intake", sight) as seen:
        page = seen.page
        page.locator("input[type=file]").set_input_files(path)
        page.locator("form[enctype] button").click()
        ready(page)
        assert page.locator("select[name=map_order_no]").count() == 1, "nobody recognises it, so it is asked"
        well(seen, sight, "mapping")
        for field, heading in (("order_no", "单"), ("carrier", "谁送"), ("waybill_no", "号")):
            page.locator(f"select[name=map_{field}]").select_option(heading)
        page.locator("form[action$='/preview'] button").click()
        ready(page)
        assert page.locator(".pw-figure-n").all_inner_texts() == ["1", "0", "0", "1"]
        well(seen, sight, "preview")
        page.locator("form[action$='/confirm'] button").click()
        ready(page)
        assert page.locator("form[action$='/confirm']").count() == 0
        well(seen, sight, "done")
        assert seen.complaints == []
        page.locator("form[action$='/discard'] button").click()
        assert page.url.endswith("/intake")
