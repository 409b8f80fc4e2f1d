"""Chinese is the source, English is complete, and no text stands in a template without passing through the catalogue."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from carriers.names import CARRIERS
from domain.opinions import DIFFERENCES
from domain.tickets import TICKET_STATE_ZH
from domain.tracking import EXCEPTION_ZH, MILESTONE_ZH
from monitor.intake.columns import FIELDS
from monitor.profiles import load_profiles
from monitor.store.errors import _SQLITE, FULL_ZH
from monitor.web import i18n
from monitor.web.errors import _SAID
from monitor.web.i18n import Words, catalogues, choose
from monitor.web.pages.coverage import ADVICE_ZH, REASON_ZH
from monitor.web.pages.intake import ORIGIN_ZH, OUTCOME_ZH, STATE_ZH
from monitor.web.pages.outbox import MESSAGE_STATE_ZH
from tests.web.conftest import Site

WEB = Path(i18n.__file__).parent
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
CATALOGUES = sorted((WEB / "locale" / "en").glob("*.po"))
HAN = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]")
CALL = re.compile(
    r"""\b(?:_|ngettext)\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?:\s*,\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?=\s*,))?"""
)
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


def said_in(template: Path) -> set[str]:
    """The source texts a template asks for."""
    text = COMMENT.sub("", template.read_text("utf-8"))
    return {ast.literal_eval(each) for pair in CALL.findall(text) for each in pair if each}


def constants() -> set[str]:
    """The Chinese of the code that pages show through the catalogue."""
    rules = {rule.zh for profile in load_profiles().values() for rule in profile.rules.values()}
    names = {carrier.name for carrier in CARRIERS}
    names |= {*REASON_ZH.values(), *ADVICE_ZH.values(), *MESSAGE_STATE_ZH.values()}
    names |= {*DIFFERENCES}
    names |= {*FIELDS.values(), *STATE_ZH.values(), *OUTCOME_ZH.values(), *ORIGIN_ZH.values()}
    errors = {text for pair in _SAID.values() for text in pair} | {*_SQLITE.values(), FULL_ZH}
    words = {
        *MILESTONE_ZH.values(),
        *EXCEPTION_ZH.values(),
        *TICKET_STATE_ZH.values(),
        *rules,
        *names,
        *errors,
    }
    return {word for word in words if HAN.search(word)}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_is_in_english_too(template: Path) -> None:
    assert {text for text in said_in(template) if text not in catalogues()["en"]} == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_text_stands_bare_in_a_template(template: Path) -> None:
    """What is Chinese goes through `_()`, so what is left without those calls is not."""
    bare = CALL.sub("", COMMENT.sub("", template.read_text("utf-8")))
    assert HAN.findall(bare) == []


def test_every_constant_has_a_name_in_english() -> None:
    assert {text for text in constants() if text not in catalogues()["en"]} == set()


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda path: path.name)
def test_a_catalogue_is_whole_and_true(file: Path) -> None:
    """Nothing empty or fuzzy; a translation fills exactly the places its source has, and is not Chinese."""
    with file.open("rb") as source:
        messages = [message for message in read_po(source) if message.id]
    assert messages
    for message in messages:
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        said = [message.string] if isinstance(message.string, str) else list(message.string)
        assert all(said), message.id
        assert not message.fuzzy, message.id
        for text in said:
            assert not re.search(r"[\u4e00-\u9fff]", str(text)), (message.id, text)
            assert places(str(text)) <= places(ids[0]), (message.id, text)
            if len(said) == 1:
                assert places(str(text)) == places(ids[0]), (message.id, text)


def test_two_catalogues_do_not_disagree() -> None:
    said: dict[str, set[object]] = {}
    for file in CATALOGUES:
        with file.open("rb") as source:
            for message in read_po(source):
                if message.id:
                    said.setdefault(str(message.id), set()).add(str(message.string))
    assert {text: words for text, words in said.items() if len(words) > 1} == {}


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "default", "language"),
    [
        pytest.param("", "", "", "zh-CN", "zh-CN", id="nobody says anything"),
        pytest.param("", "", "", "en", "en", id="the configuration"),
        pytest.param("", "", "en-GB,en;q=0.9,zh;q=0.8", "zh-CN", "en", id="the browser"),
        pytest.param(
            "", "", "fr;q=0.9, zh-TW;q=0.7, en;q=0.3", "en", "zh-CN", id="the browser's best that we have"
        ),
        pytest.param("", "", "fr,de", "zh-CN", "zh-CN", id="none that we have"),
        pytest.param("", "", "en;q=0, zh;q=0.1", "en", "zh-CN", id="one it will not have"),
        pytest.param("", "", "en;q=x;;,=,,,", "zh-CN", "zh-CN", id="junk"),
        pytest.param("", "", "x" * 100_000 + ",en", "zh-CN", "zh-CN", id="too much of it"),
        pytest.param("", "zh-CN", "en", "en", "zh-CN", id="the cookie"),
        pytest.param("", "../../etc", "en", "zh-CN", "en", id="a cookie of somebody else's"),
        pytest.param("en", "zh-CN", "zh", "zh-CN", "en", id="the address"),
        pytest.param("klingon", "zh-CN", "en", "en", "zh-CN", id="an address with no language of ours"),
    ],
)
def test_which_language(query: str, cookie: str, accepted: str, default: str, language: str) -> None:
    assert choose(query=query, cookie=cookie, accepted=accepted, default=default) == language


def test_a_page_speaks_the_readers_language(site: Site) -> None:
    assert 'lang="zh-CN"' in site.get("/preferences").text
    english = site.get("/preferences?lang=en").text
    assert 'lang="en"' in english
    assert "Language and appearance" in english
    remembered = site.post("/preferences", {"lang": "en", "theme": "dark", "back": "/coverage?lang=zh&x=1"})
    assert (remembered.status_code, remembered.headers["location"]) == (303, "/coverage?x=1")
    cookies = "; ".join(part.split(";")[0] for part in remembered.headers.get_list("set-cookie"))
    again = site.get("/preferences", headers={"Cookie": cookies}).text
    assert '<html lang="en" data-bs-theme="dark">' in again


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/a\nb",
        "/\t/evil.example",
    ],
)
def test_the_way_back_stays_on_this_site(site: Site, back: str) -> None:
    assert site.post("/preferences", {"lang": "en", "back": back}).headers["location"] == "/"


@pytest.mark.parametrize("wish", [{"lang": "xx"}, {"theme": "<script>"}, {}])
def test_a_wish_that_cannot_be_is_no_wish(site: Site, wish: dict[str, str]) -> None:
    assert "set-cookie" not in site.post("/preferences", wish).headers


def test_plurals() -> None:
    english = Words("en")
    said = [english.plural("{n} 次尝试", "{n} 次尝试", n) for n in (0, 1, 2)]
    assert said == ["0 attempts", "1 attempt", "2 attempts"]
    assert Words().plural("{n} 次尝试", "{n} 次尝试", 1) == "1 次尝试"


def test_a_text_that_nobody_translated_stays_what_it_is() -> None:
    assert Words("en").say("尚未翻译的话 {n}") == "尚未翻译的话 {n}"
    assert Words("en").say("{0.__class__}") == "{0.__class__}"
