"""What is served as it is: vendored files with true hashes, one style sheet that has every class, addresses that may be kept."""

from __future__ import annotations

import gzip
import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from monitor.web import files, style
from monitor.web.style import build, literal_classes, parse, possible_classes
from tests.web.conftest import Site

STATIC = Path(files.__file__).with_name("static")
VENDORED = tomllib.loads((STATIC / "VENDORED.toml").read_text("utf-8"))["vendored"]
SHEET = (STATIC / "console.css").read_text("utf-8")

BARE: set[str] = set()
"""Classes that stand in templates without any style, on purpose."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("entry", VENDORED, ids=lambda entry: entry["name"])
def test_the_book_of_what_is_not_ours_is_true(entry: dict[str, str]) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
    assert entry["licence"] in {"MIT", "0BSD", "Apache-2.0"}
    assert re.fullmatch(r"[0-9a-f]{64}", entry["source_sha256"])
    assert sha256((STATIC / entry["file"]).read_bytes()) == entry["sha256"], "python -m monitor.web.style"
    if "how" not in entry:
        assert entry["source_sha256"] == entry["sha256"], "vendored as it is"


def test_nothing_is_served_that_the_book_does_not_name() -> None:
    ours = {"console.js"}
    assert set(files.static_files()) - ours == {entry["file"] for entry in VENDORED}


def test_every_class_of_the_templates_is_in_the_sheet() -> None:
    defined = set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", SHEET))
    used = {
        name: path.name
        for path in style.sources()
        if path.is_file()
        for name in literal_classes(path.read_text("utf-8"))
    }
    theirs = {name for name in used if name.startswith("demo-")}  # the demo has a sheet of its own
    assert {name: path for name, path in used.items() if name not in defined | BARE | theirs} == {}


def test_the_sheet_holds_our_own_as_it_stands() -> None:
    """Somebody edited own*.css and did not make the sheet anew."""
    ours = "".join(path.read_text("utf-8") for path in sorted(STATIC.glob("own*.css")))
    assert "".join(map(str, style._automatic(parse(ours)))) in SHEET


def test_the_sheet_is_small_and_asks_nobody() -> None:
    assert len(gzip.compress(SHEET.encode(), 9)) <= 35_000
    assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", SHEET)
    assert "MIT" in SHEET[:400], "the licence stays at its head"


def test_older_browsers_read_every_important_colour() -> None:
    assert "light-dark(" not in SHEET
    important = re.findall(r"--pw-[\w-]+:([^;}]+)", SHEET)
    assert important
    assert all(re.fullmatch(r"#[0-9a-f]{3,6}|var\(--[\w-]+\)", value.strip()) for value in important)


def test_dark_holds_where_the_system_is_dark(site: Site) -> None:
    dark = re.findall(r"\[data-bs-theme=dark\]\{([^}]*--pw-danger:[^}]*)\}", SHEET)
    auto = re.findall(
        r"@media \(prefers-color-scheme:dark\)\{\[data-bs-theme=auto\]\{([^}]*--pw-danger:[^}]*)\}", SHEET
    )
    assert dark == auto != []
    assert 'data-bs-theme="auto"' in site.get("/preferences").text


def test_a_file_may_be_kept_for_ever_and_its_address_changes_with_it(site: Site) -> None:
    address = files.address("console.css")
    page = site.get("/preferences").text
    assert f'href="{address}"' in page
    plain = site.get(address, headers={"Accept-Encoding": "identity"})
    assert plain.text == SHEET
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    packed = site.get(address, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert packed.text == SHEET


@pytest.mark.parametrize(
    "path",
    [
        "/static/000000000000/console.css",
        "/static/x/own.css",
        "/static/x/..%2fsite.py",
        "/static/x/VENDORED.toml",
    ],
)
def test_nothing_else_of_the_folder_is_served(site: Site, path: str) -> None:
    assert site.get(path).status_code == 404
    own = site.get(path.replace("/x/", f"/{sha256((STATIC / 'own.css').read_bytes())[:12]}/"))
    assert own.status_code == 404


# ── how the sheet is made ────────────────────────────────────────────────────────────────────────

TABLER = """@charset "UTF-8";/*! Licence */
:root,[data-bs-theme=light]{--a:oklch(54.6% 0.1724 254.2deg);--gone:1px;--b:light-dark(#fff,rgba(0, 0, 0, 0.5))}
.card{color:var(--a);background:url("data:image/svg+xml,{;}")} .unused,.card .unused{color:red}
.card:not(.unused)>p, nav.unused, .btn:hover{margin:0}
blink{color:red}
[data-bs-theme=dark] .card{color:#fff}
@media (min-width:10px){.unused{x:y}.btn{animation:spin 1s;color:var(--b)}}
@media print{.unused{x:y}}
@keyframes spin{to{transform:none}} @keyframes never{to{transform:none}}
"""
PAGE = '<p class="card {{ "btn" if x else "" }} pw-{{ tone }}"><nav>'


def test_only_what_is_used_stays() -> None:
    sheet = build(TABLER, ".pw-x { color : red ; }", [PAGE])
    assert sheet.startswith("/*! Licence */\n")
    for gone in ("unused{", "--gone", "blink", "never", "@media print", "@charset"):
        assert gone not in sheet
    for kept in (
        'url("data:image/svg+xml,{;}")',
        ".card:not(.unused)>p,.btn:hover{margin:0}",
        "@keyframes spin{to{transform:none}}",
        ".pw-x{color :red}",
    ):
        assert kept in sheet
    assert "@media (min-width:10px){.btn{animation:spin 1s;color:var(--b)}}" in sheet


def test_colours_of_today_become_colours_of_always() -> None:
    sheet = build(TABLER, "", [PAGE])
    assert "--a:#066fd1" in sheet, "Tabler's own blue"
    assert "--b:#fff}" in sheet
    assert "[data-bs-theme=dark]{--b:rgba(0, 0, 0, 0.5)}" in sheet.replace(
        "rgba(0,0,0,0.5)", "rgba(0, 0, 0, 0.5)"
    )
    assert "@media (prefers-color-scheme:dark){[data-bs-theme=auto] .card{color:#fff}}" in sheet


@pytest.mark.parametrize(
    ("text", "literal", "possible"),
    [
        ('<p class="a b-1">', {"a", "b-1"}, {"a", "b-1"}),
        ("<p class='a'>", {"a"}, {"a"}),
        ('<p class="a{% if x == "y" %} b{% else %} c{% endif %}">', {"a", "b", "c"}, {"a", "b", "c", "y"}),
        ('<p class="pw-{{ tone }} d">', {"d"}, {"d"}),
        ("""<p class="{{ 'e f' if x else 'g' }}">""", set(), {"e", "f", "g"}),
        ("card table btn", set(), set()),
    ],
)
def test_which_classes_a_source_uses(text: str, literal: set[str], possible: set[str]) -> None:
    assert literal_classes(text) == literal
    assert possible_classes(text) == possible
