"""Three hundred texts of an enemy through every field, the whole way: the order interface, the carrier's scans, comments,
the real daemon; then every page in a real browser, every file and every message. Nothing of it runs anywhere.
"""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from python_calamine import CalamineWorkbook

from monitor.clock import wall
from tests.browser.looking import Console
from tests.e2e.configuration import configuration
from tests.e2e.conftest import nursery as nursery  # the fixture
from tests.e2e.peers import LEFT_HUB, PICKED, Parcel
from tests.e2e.processes import Nursery
from tests.e2e.stage import Stage, staged
from tests.e2e.waiting import until
from tests.hostile import TEXTS

CALCULATED = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a cell may not begin with: a spreadsheet would calculate it."""
TRAPS = """() => {
  const links = ['src', 'href', 'action', 'formaction', 'data', 'srcdoc', 'xlink:href', 'hx-get', 'hx-post', 'srcset'];
  const bad = a => /^on|^(data-)?hx-on/i.test(a.name) || (links.includes(a.name) &&
    (/^\\s*(javascript|vbscript|data:text)/i.test(a.value) || /^(https?:)?\\/\\/evil/i.test(a.value)));
  return [...document.querySelectorAll('*')].filter(e => [...e.attributes].some(bad)).map(e => e.outerHTML.slice(0, 200));
}"""
"""Elements that would run or fetch something of the enemy's if they were touched."""


@pytest.fixture(scope="session")
def daemon(
    chromium: str, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Stage]]:
    """A daemon at work on parcels of which every word is hostile, once each has its ticket and its comment."""
    with staged(nursery, tmp_path_factory.mktemp("hostile")) as stage:
        peers, parcelwatch = stage.peers("--min-interval", "1", "--daily", "500"), stage.parcelwatch
        ceilings = {"per_second": 500, "concurrency": 16, "per_waybill_daily": 500}
        parcelwatch.configure(
            configuration(peers, parcelwatch.store, rules={}, ceilings=ceilings, web="port = 0")
        )
        stories = [_story(n, text) for n, text in enumerate(TEXTS)]
        peers.knows(*stories)
        parcelwatch.start(fresh=True)
        base = until("the console is up", lambda: [each["url"] for each in parcelwatch.logged("console")])[0]
        with httpx.Client(base_url=base, trust_env=False, timeout=60) as client:
            for start in range(0, len(TEXTS), 1000):
                rows = [_order(n, text) for n, text in enumerate(TEXTS)][start : start + 1000]
                assert client.post("/api/v1/orders", json=rows).raise_for_status().json()["rejected"] == 0
            numbers = until("everybody has a ticket", lambda: _tickets(client, len(TEXTS)), seconds=120)
            for number, text in zip(numbers, TEXTS, strict=True):
                said = client.post(f"/api/v1/tickets/{number}/entries", json={"text": text, "by": text[:60]})
                assert said.status_code in (200, 201, 422), said.text
        yield base, stage


@pytest.fixture
def attacked(browser: Browser, daemon: tuple[str, Stage]) -> tuple[Console, Stage]:
    """Its console in the browser."""
    base, stage = daemon
    return Console(browser, base), stage


def _story(n: int, text: str) -> Parcel:
    paid = wall() - timedelta(days=6)
    parcel = Parcel(f"YT88{n:010d}", paid_at=paid).scan(paid + timedelta(hours=3), PICKED)
    parcel.scan(paid + timedelta(hours=5), ("1002", f"【杭州转运中心】 {text[:1500]}"))
    return parcel.scan(paid + timedelta(hours=6), LEFT_HUB)


def _order(n: int, text: str) -> dict[str, str]:
    """The text in every field that takes any; identifiers keep to their form, or the row would be refused."""
    paid = (wall() - timedelta(days=6)).isoformat()
    words = text[:60] or "x"
    return {
        "order_no": f"A{n:06d}",
        "platform": "taobao_tmall",
        "carrier": "圆通",
        "waybill_no": f"YT88{n:010d}",
        "paid_at": paid,
        "shipped_at": paid,
        "shop": words,
        "warehouse": words,
        "goods_type": words,
        "merchant": words,
        "receiver_province": words,
        "receiver_city": words,
    }


def _tickets(client: httpx.Client, wanted: int) -> list[str]:
    """The tickets' numbers in the order of the texts, once there are as many."""
    found: dict[str, str] = {}
    path = "/api/v1/tickets?limit=200&sort=newest"
    while path:
        page = client.get(path).raise_for_status().json()
        found |= {row["waybill_no"]: row["number"] for row in page["items"]}
        path = f"/api/v1/tickets?limit=200&sort=newest&cursor={page['next']}" if page["next"] else ""
    return [found[f"YT88{n:010d}"] for n in range(wanted)] if len(found) >= wanted else []


@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.slow, id="all"), pytest.param(5, id="some")]
)
def test_no_page_runs_any_of_it(attacked: tuple[Console, Stage], step: int) -> None:
    """The lists show all of the texts; their own pages are opened one in five, or all."""
    console, _ = attacked
    with httpx.Client(base_url=console.base, trust_env=False) as client:
        numbers = _tickets(client, len(TEXTS))
        every = [f"/tickets/{number}" for number in numbers[::step]]
        every += [f"/parcels/yuantong/YT88{n:010d}" for n in range(0, len(TEXTS), 4 * step)]
        lists = ["/", "/?hours=48", "/outbox", "/coverage", "/providers", "/tickets?state=open&text=script"]
        path = "/tickets?sort=newest"
        while path:
            lists.append(path)
            found = re.search(r'rel="next" href="([^"]+)"', client.get(path).text)
            path = html.unescape(found[1]) if found else ""
    assert len(lists) > 10, "the pages of the list were walked"
    with console.look("/") as seen:
        for path in [*lists, *every]:
            answer = seen.page.goto(f"{console.base}{path}", wait_until="load")
            assert answer is not None
            assert answer.status == 200, path
            assert seen.page.evaluate("window.pwned") is None, path
            assert seen.page.evaluate(TRAPS) == [], path
            assert seen.complaints == [], path
        assert console.elsewhere(seen.requests) == []


def test_no_file_calculates_any_of_it(attacked: tuple[Console, Stage], tmp_path: Path) -> None:
    console, _ = attacked
    with httpx.Client(base_url=console.base, trust_env=False, timeout=60) as client:
        text = client.get("/tickets.csv").raise_for_status().content.decode("utf-8-sig")
        book = client.get("/tickets.xlsx").raise_for_status().content
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) > len(TEXTS)
    assert [cell for row in rows for cell in row if cell.startswith(CALCULATED)] == []
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        sheets = [packed.read(name) for name in packed.namelist() if name.startswith("xl/worksheets/sheet")]
        others = " ".join(packed.namelist())
    assert sheets
    assert all(b"<f>" not in sheet and b"<f " not in sheet for sheet in sheets), "a formula in the workbook"
    assert "externalLink" not in others
    cells = CalamineWorkbook.from_filelike(io.BytesIO(book)).get_sheet_by_index(0).to_python()
    numbers = {str(cell) for row in cells for cell in row}
    assert f"YT88{len(TEXTS) - 1:010d}" in numbers, "numbers arrive whole"


def test_no_group_is_made_to_ring_or_click_by_any_of_it(attacked: tuple[Console, Stage]) -> None:
    _, stage = attacked
    peers = stage._peers[0]
    shown = until("the groups heard of it", lambda: peers.shown())
    assert [each for each in shown if each.mentions] == [], "nobody is rung by a text from outside"


def test_no_log_line_begins_with_any_of_it(attacked: tuple[Console, Stage]) -> None:
    _, stage = attacked
    lines = stage.parcelwatch.log.splitlines()
    assert lines
    assert [line[:120] for line in lines if not line.startswith("{")] == []
    assert "\x1b" not in stage.parcelwatch.log
