"""What structural checks write down is said in English too, but for the names of places."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest

from domain.findings import Finding, Stage
from domain.orders import Case, Order, Waybill
from monitor.demo.world import World
from monitor.desk.voice import Voice
from monitor.desk.why import Ground, Part, why
from monitor.profiles import load_profiles
from monitor.telling.wording import summary
from monitor.web.i18n import catalogues
from rules.judge import judge
from rules.places import place_of
from rules.policy import PolicyBook
from rules.regions import PROVINCES
from rules.structural import CHECKS
from tests.demo.fakes import MAKERS, tampered

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
KNOWN = catalogues()["en"]
EN = Voice(lambda text: KNOWN[text][0] if text in KNOWN else text)
HAN = re.compile(r"[\u4e00-\u9fff]+")


def claims() -> list[Finding]:
    """Claims of every check, on parcels of the simulated world."""
    book, found = PolicyBook(load_profiles()), []
    for parcel, make in zip(World(3, NOW).parcels(600), cycle(MAKERS), strict=False):
        fake = tampered(parcel, make)
        if fake is not None:
            now = parcel.order.shipped_at + timedelta(days=40)
            case = fake.case(now)
            found += [
                each for each in judge(case, book.policy_for(case), now).findings if "check" in each.evidence
            ]
    return found


CLAIMS = claims()


@pytest.mark.parametrize("check", CHECKS)
def test_every_claim_in_english(check: str) -> None:
    said = [each for each in CLAIMS if each.evidence["check"] == check]
    assert len(said) >= 5
    for each in said:
        left = HAN.findall(EN.reword(each.evidence["text"]))
        assert [word for word in left if not _is_place(word)] == [], EN.reword(each.evidence["text"])
        assert not HAN.findall(EN.reword(each.evidence["rule_zh"]))
        assert each.blame is not None
        assert not HAN.findall(EN.reword(each.blame.because))


def _is_place(word: str) -> bool:
    return any(
        word == province or place_of(f"{province},{word.removeprefix(province)}")
        for province in PROVINCES
        if word.startswith(province)
    )


def test_the_reason_is_what_was_seen_and_whose_rule_it_is() -> None:
    claim = next(each for each in CLAIMS if each.rule == "route_mismatch")
    case = Case(Waybill("zhongtong", "1"), (Order("1"),))
    told = why(Ground(claim, case), NOW, Voice())
    assert [sentence.part for sentence in told] == [Part.TROUBLE, Part.SOURCE]
    assert told[0].text == f"事实：{claim.evidence['text']}。"
    assert summary(case, claim, NOW) == f"{claim.evidence['rule_zh']}：{claim.evidence['text']}"


def test_a_hostile_claim_is_cut_and_has_no_second_line() -> None:
    evil = {"check": "route_mismatch", "text": "在\n<script>" * 400, "rule_zh": "x"}
    claim = Finding("x", Stage.BREACH, NOW, NOW, "p", evidence=evil)
    [fact, *_] = why(Ground(claim, Case(Waybill("zhongtong", "1"), (Order("1"),))), NOW, Voice())
    assert "\n" not in fact.text
    assert len(fact.text) < 330


def test_two_sayings_joined_are_said_one_by_one() -> None:
    said = EN.reword("实付的 5%（最低 ¥5，最高 ¥50）；实付的 30%（最低 ¥5，最高 ¥500）")
    assert not HAN.findall(said)
    assert ("¥50" in said, "30 %" in said, said.count("of the amount paid")) == (True, True, 2)
