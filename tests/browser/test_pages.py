"""Every page of the console, as it is looked at: at a desk and on a phone, by day and by night, with and without script."""

from __future__ import annotations

import gzip
import re

import httpx
import pytest

from tests.browser.looking import SIGHTS, Console, Sight

PAGES = {
    "now": "/",
    "now-48h": "/?hours=48",
    "tickets": "/tickets",
    "tickets-by-the-hour": "/tickets?sort=risk_per_hour",
    "tickets-none": "/tickets?shop=%E6%B2%A1%E6%9C%89%E8%BF%99%E5%AE%B6%E5%BA%97",
    "ticket": "ticket",
    "parcel": "parcel",
    "parcels": "/parcels",
    "providers": "/providers",
    "outbox": "/outbox",
    "coverage": "/coverage",
    "intake": "/intake",
    "rules": "/rules",
    "demo": "/demo",
    "nothing-here": "/nothing/here",
}


@pytest.fixture(scope="session")
def paths(demo: str) -> dict[str, str]:
    """The pages by name; a ticket's and a parcel's are those of the newest ticket with a history."""
    rows = httpx.get(f"{demo}/api/v1/tickets?limit=20", trust_env=False).json()["items"]
    row = next(each for each in rows if "stagnation" in " ".join(each["rules"]) or each is rows[-1])
    found = {
        "ticket": f"/tickets/{row['number']}",
        "parcel": f"/parcels/{row['carrier']}/{row['waybill_no']}",
    }
    return {name: found.get(path, path) for name, path in PAGES.items()}


@pytest.mark.parametrize("sight", SIGHTS, ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_each_page_reads_well_in_every_light(
    console: Console, paths: dict[str, str], name: str, sight: Sight
) -> None:
    with console.look(paths[name], sight) as seen:
        seen.keep(f"{name}-{sight}")
        wanted = 404 if name == "nothing-here" else 200
        assert seen.status == wanted
        complaints = [each for each in seen.complaints if wanted == 200 or "404" not in each]
        assert complaints == []
        assert console.elsewhere(seen.requests) == [], "nothing is loaded from another host"
        assert seen.wide() <= 0, "the page scrolls sideways"
        assert seen.page.title()
        if sight.script and sight.language == "zh-CN":  # axe-core is a script; the page is the same without
            assert seen.violations() == []


@pytest.mark.parametrize("name", PAGES)
def test_english_leaves_nothing_of_our_own_words_in_chinese(
    console: Console, paths: dict[str, str], name: str
) -> None:
    """Names and texts from outside stay as they came; they are marked `translate="no"`, or lang="zh"."""
    with console.look(
        paths[name] + ("&" if "?" in paths[name] else "?") + "lang=en", Sight(language="en")
    ) as seen:
        text: str = seen.page.evaluate(
            """() => {
              const copy = document.body.cloneNode(true);
              copy.querySelectorAll('[translate=no], [lang^=zh], script, option').forEach(e => e.remove());
              return copy.textContent;
            }"""
        )
        assert re.findall(r"[\u4e00-\u9fff][^\n]{0,20}", text) == []


def test_the_page_an_alert_links_to_is_light(console: Console, paths: dict[str, str]) -> None:
    """A phone on a bad network opens it from the chat: two requests, sixty kilobytes."""
    with console.look(paths["ticket"], Sight(360)) as seen:
        asked = [url for url in seen.requests if not url.startswith("data:")]
    assert len(asked) <= 2, asked
    wire = 0
    with httpx.Client(trust_env=False, headers={"Accept-Encoding": "gzip"}) as client:
        for url in asked:
            with client.stream("GET", url) as answer:
                body = b"".join(answer.iter_raw())
                assert answer.headers["content-encoding"] == "gzip"
                assert gzip.decompress(body)
                wire += len(body) + sum(len(k) + len(v) + 4 for k, v in answer.headers.raw)
    assert wire <= 60 * 1024, wire


def test_a_ticket_is_worked_on_without_script(console: Console, paths: dict[str, str]) -> None:
    with console.look(paths["ticket"], Sight(360, script=False)) as seen:
        page = seen.page
        page.fill("textarea[name=text]", "已致电承运商，<b>今晚</b>发出 =1+1")
        page.click("form[action$='/comment'] button")
        assert page.url.endswith(paths["ticket"]) or "/tickets/" in page.url
        assert "已致电承运商，<b>今晚</b>发出 =1+1" in page.inner_text("body")
        assert page.query_selector("main b") is None or "今晚" not in (page.inner_text("main b") or "")


def test_pasted_numbers_find_their_tickets(console: Console) -> None:
    rows = httpx.get(f"{console.base}/api/v1/tickets?limit=3", trust_env=False).json()["items"]
    wanted = [row["waybill_no"] for row in rows]
    with console.look("/tickets", Sight(360, script=False)) as seen:
        page = seen.page
        page.fill("textarea[name=numbers]", "\n".join([*wanted, "NOSUCH123456"]))
        page.click("form:has(textarea[name=numbers]) button[type=submit]")
        text = page.inner_text("body")
    for row in rows:
        assert row["number"] in text
    assert "NOSUCH123456" in text, "what was not found is said"
