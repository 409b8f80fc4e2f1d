"""The door: whose name is answered, who may change something, how much may be sent, what every answer carries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from monitor.web.guard import API_BODY, PAGE_BODY
from tests.web.conftest import HERE, Site

PUBLIC = "https://watch.example.com"


@pytest.mark.parametrize(
    ("host", "public", "status"),
    [
        pytest.param("127.0.0.1:8000", "", 200, id="loopback"),
        pytest.param("localhost", "", 200, id="localhost"),
        pytest.param("LOCALHOST:9", "", 200, id="any case, any port"),
        pytest.param("[::1]:8000", "", 200, id="loopback of IPv6"),
        pytest.param("evil.example", "", 421, id="rebinding"),
        pytest.param("127.0.0.1.evil.example", "", 421, id="a name that begins like ours"),
        pytest.param("localhost.evil.example", "", 421, id="another that does"),
        pytest.param("evil.example@127.0.0.1", "", 200, id="a user's name does not count"),
        pytest.param("127.0.0.1@evil.example", "", 421, id="nor one that looks like a host"),
        pytest.param("[::1", "", 421, id="broken"),
        pytest.param("127.0.0.1:port", "", 421, id="a port that is no number"),
        pytest.param("", "", 421, id="empty"),
        pytest.param("watch.example.com", "", 421, id="nobody said that name"),
        pytest.param("watch.example.com", PUBLIC, 200, id="the public name"),
        pytest.param("watch.example.com:8443", PUBLIC, 200, id="behind a proxy's port"),
        pytest.param("sub.watch.example.com", PUBLIC, 421, id="a name below it"),
        pytest.param("127.0.0.1:8000", PUBLIC, 200, id="loopback still"),
    ],
)
def test_whose_name_is_answered(site: Site, host: str, public: str, status: int) -> None:
    site.with_web(public_url=public)
    assert site.get("/preferences", headers={"Host": host}).status_code == status


def test_two_hosts_are_none(site: Site) -> None:
    headers = [("Host", "127.0.0.1"), ("Host", "127.0.0.1")]
    assert site.get("/preferences", headers=headers).status_code == 421


@pytest.mark.parametrize(
    ("headers", "page", "api"),
    [
        pytest.param({}, 403, True, id="no browser: programs of this machine, not forms"),
        pytest.param({"Origin": HERE}, 303, True, id="our own page, an older browser"),
        pytest.param({"Origin": HERE, "Sec-Fetch-Site": "same-origin"}, 303, True, id="our own page"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 303, True, id="our own page, origin withheld"),
        pytest.param({"Origin": "https://127.0.0.1:8000"}, 303, True, id="a proxy that ends TLS"),
        pytest.param({"Origin": "http://127.0.0.1:9000"}, 403, False, id="another program of this machine"),
        pytest.param(
            {"Origin": "http://127.0.0.1:9000", "Sec-Fetch-Site": "same-site"}, 403, False, id="same site"
        ),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, False, id="same site, origin withheld"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, False, id="another site"),
        pytest.param({"Sec-Fetch-Site": "none"}, 403, False, id="typed into the address bar"),
        pytest.param({"Origin": "null"}, 403, False, id="a sandboxed frame"),
        pytest.param({"Origin": "https://evil.example"}, 403, False, id="another site, an older browser"),
        pytest.param({"Origin": "file://127.0.0.1:8000"}, 403, False, id="no scheme of the web"),
        pytest.param({"Origin": PUBLIC}, 303, True, id="the public address, with another host behind it"),
        pytest.param({"Origin": "http://watch.example.com"}, 403, False, id="the public name without TLS"),
    ],
)
def test_who_may_change_something(site: Site, headers: dict[str, str], page: int, api: bool) -> None:
    site.with_web(public_url=PUBLIC)
    told = site.ask("POST", "/preferences", data={"lang": "en"}, headers=headers)
    assert told.status_code == page
    assert ("set-cookie" in told.headers) is (page == 303)
    called = site.ask("POST", "/api/v1/nothing-here", json={}, headers=headers)
    assert called.status_code == (404 if api else 403), "404: it was let in"
    assert called.headers["content-type"] == "application/problem+json"
    assert called.json()["status"] == called.status_code


def test_looking_is_free(site: Site) -> None:
    assert site.get("/preferences", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert site.ask("HEAD", "/preferences", headers={"Origin": "https://evil.example"}).status_code in (
        200,
        405,
    )


@pytest.mark.parametrize(
    "path", ["/preferences", "/nowhere", "/static/0/x.css", "/openapi.json", "/api/v1/nowhere", "/healthz"]
)
def test_every_answer_carries_the_policy(site: Site, path: str) -> None:
    headers = site.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert (
        policy["script-src"]
        == policy["style-src"]
        == policy["connect-src"]
        == policy["form-action"]
        == "'self'"
    )
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_a_refusal_carries_it_too(site: Site) -> None:
    refused = site.get("/preferences", headers={"Host": "evil.example"})
    assert "default-src 'none'" in refused.headers["content-security-policy"]
    assert "127.0.0.1" in refused.text


def test_a_failure_carries_it_too_and_shows_no_trace(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    @site.app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("the password is swordfish")

    answer = site.get("/fails")
    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "程序出错了" in answer.text
    assert "swordfish" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("path", "most"), [("/preferences", PAGE_BODY), ("/api/v1/nowhere", API_BODY)])
def test_a_body_is_refused_before_it_is_read(site: Site, path: str, most: int) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1 << 16
            yield b"x" * (1 << 16)

    headers = {"Content-Length": str(most + 1), "Origin": HERE}
    answer = site.ask("POST", path, content=body(), headers=headers)
    assert answer.status_code == 413
    assert read <= 1 << 17


def test_a_body_of_unknown_length_is_counted_as_it_comes(site: Site) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(PAGE_BODY // (1 << 16) + 2):
            yield b"x" * (1 << 16)

    form = {"Origin": HERE, "Content-Type": "application/x-www-form-urlencoded"}
    assert site.ask("POST", "/preferences", content=body(), headers=form).status_code == 413


def test_a_page_is_packed_and_a_problem_is_json(site: Site) -> None:
    packed = site.get("/preferences", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(site.get("/api/v1/nowhere").content)["code"] == "not_found"


def test_a_picture_or_script_of_another_site_makes_us_do_nothing(site: Site) -> None:
    """A link in a chat is a navigation and goes on; `<img src=…/tickets.xlsx>` in a page of anybody's does not."""
    far = {"Sec-Fetch-Site": "cross-site"}
    assert site.get("/tickets.xlsx", headers={**far, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert site.get("/", headers={**far, "Sec-Fetch-Mode": "navigate"}).status_code == 200
