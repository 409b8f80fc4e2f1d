"""Whose number it is: shapes with how sure they are, and what providers that recognise numbers say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.base import Provider, Recogniser
from carriers.kuaidi100 import Kuaidi100
from carriers.recognise import SURE, guesses, likeliest, ranked, sure
from domain.numbers import SHAPES
from domain.remote import Denied, Rejected, RemoteError, Reply, Request, Throttled, Unreadable, rehearse

NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
FACTS = Path(__file__).parents[3] / "shared" / "facts" / "samples"
AUTONUMBER = "http://www.kuaidi100.com/autonumber/auto"
"""The document knows no other scheme."""
Specimen = Callable[[str], Provider]


@pytest.mark.parametrize(
    ("number", "first", "certain"),
    [
        ("SF1390001112223", "shunfeng", True),
        ("sf1390001112223 ", "shunfeng", True),
        ("YT8812345678901", "yuantong", True),
        ("JT0012345678901", "jtexpress", True),
        ("DPK123456789", "debangkuaidi", True),
        ("JDVC00000000001", "jd", False),
        ("KY4000123456", "kuayue", False),
        ("773012345678901", "shentong", False),
        ("EE123456785CN", "ems", False),
        ("RR123456785CN", "youzhengguoji", False),
        ("CP123456785CN", "youzhengguoji", False),
        ("EE123456785DE", "emsguoji", False),
        ("RR123456785DE", "youzhengguoji", False),
    ],
)
def test_letters_tell(number: str, first: str, certain: bool) -> None:
    found = guesses(number)
    assert found[0].carrier == first
    assert sure(found) == (first if certain else "")


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        ("SF1390001112223", "shunfeng"),
        ("JDVC00000000001", "jd"),
        ("EE123456785CN", "ems"),
        ("RR123456785CN", "youzhengguoji"),
        ("ZZ123456785CN", ""),
        ("EE123456785DE", ""),
        ("RR123456785DE", ""),
        ("75812345678901", ""),
        ("?", ""),
    ],
)
def test_what_is_taken_where_nobody_named_a_carrier(number: str, taken: str) -> None:
    assert likeliest(guesses(number)) == taken


@pytest.mark.parametrize(
    ("number", "carriers"),
    [
        ("75812345678901", {"zhongtong"}),
        ("432100000000001", {"yunda"}),
        ("9800000000001", {"zhongtong", "yunda", "ems", "youzhengguonei"}),
        ("758123456789", {"zhongtong", "shunfeng"}),
    ],
)
def test_bare_digits_are_shared_and_never_sure(number: str, carriers: set[str]) -> None:
    found = guesses(number)
    assert {guess.carrier for guess in found} == carriers
    assert sum(guess.confidence for guess in found) <= 0.5 + 1e-9
    assert sure(found) == ""


@pytest.mark.parametrize("number", ["", "?", "12", "RR123456784CN", "中通75812345678901", "SF139000111222"])
def test_what_nobody_uses_is_nobodys(number: str) -> None:
    assert guesses(number) == ()


@given(st.one_of(st.text(max_size=40), *map(st.from_regex, SHAPES.values())))
def test_guesses_are_in_order_and_never_certainties(number: str) -> None:
    found = guesses(number)
    assert [each.confidence for each in found] == sorted((each.confidence for each in found), reverse=True)
    assert all(0 < each.confidence < 1 for each in found)
    assert len({each.carrier for each in found}) == len(found)
    assert len([each for each in found if each.confidence >= SURE]) <= 1


def test_a_list_without_figures_falls_off() -> None:
    found = ranked(["yuantong", "", "shentong", "yuantong", "yunda", "ems"], "k100")
    assert [(each.carrier, each.confidence) for each in found] == [
        ("yuantong", 0.8),
        ("shentong", 0.5),
        ("yunda", 0.3),
        ("ems", 0.3),
    ]


# ── providers that recognise ─────────────────────────────────────────────────────────────────────


def heard(account: Provider, said: Any, status: int = 200) -> tuple[list[Request], Any]:
    requests: list[Request] = []
    if isinstance(account, Kuaidi100):
        account = replace(account, autonumber_url=AUTONUMBER)

    def answer(request: Request) -> Reply:
        requests.append(request)
        return Reply(status, said if isinstance(said, bytes) else json.dumps(said).encode())

    assert isinstance(account, Recogniser)
    return requests, rehearse(account.recognise("75812345678901", NOW), answer)


AUTO = [
    {"lengthPre": 15, "comCode": "yuantong", "name": "圆通速递"},
    {"lengthPre": 15, "comCode": "shentong", "name": "申通快递"},
]
"""As `samples/kuaidi100/autonumber_reply.json`."""
SHIPPERS = {
    "EBusinessID": "1000000",
    "LogisticCode": "75812345678901",
    "Success": True,
    "Code": 100,
    "Shippers": [
        {"ShipperCode": "ZTO", "ShipperName": "中通快递"},
        {"ShipperCode": "QQ", "ShipperName": "?"},
    ],
}
"""As `samples/kdniao/reply_recognise_2002.json`, and a code that nobody knows."""
NOBODY = {"Success": False, "Code": 0, "Shippers": [], "Reason": "单号无法识别"}


def test_kuaidi100_says_who(specimen: Specimen) -> None:
    requests, found = heard(specimen("kuaidi100"), AUTO)
    [request] = requests
    assert request.url == AUTONUMBER
    assert dict(request.query) == {"num": "75812345678901", "key": "HIDE-key-ME"}
    assert [(each.carrier, each.source) for each in found] == [
        ("yuantong", "kuaidi100"),
        ("shentong", "kuaidi100"),
    ]
    assert heard(specimen("kuaidi100"), [])[1] == ()


def test_kdniao_says_who(specimen: Specimen) -> None:
    requests, found = heard(specimen("kdniao"), SHIPPERS)
    [request] = requests
    assert b"RequestType=2002" in request.content
    assert b"LogisticCode%22%3A%2275812345678901%22" in request.content
    assert [each.carrier for each in found] == ["zhongtong"]
    assert heard(specimen("kdniao"), NOBODY)[1] == ()


@pytest.mark.parametrize(
    ("kind", "said", "raised"),
    [
        ("kuaidi100", {"returnCode": "701", "message": "key缺失", "result": False}, Denied),
        ("kuaidi100", {"returnCode": "601", "message": "key过期", "result": False}, Denied),
        ("kuaidi100", {"returnCode": "201", "message": "单号不合法", "result": False}, Rejected),
        ("kuaidi100", {"returnCode": "999", "message": "?", "result": False}, Unreadable),
        ("kuaidi100", [1, 2], Unreadable),
        ("kuaidi100", b"<html>", Unreadable),
        ("kuaidi100", "HIDE-key-ME", Unreadable),
        ("kdniao", {"Success": False, "Reason": "非法参数", "Shippers": None}, Denied),
        ("kdniao", {"hello": 1}, Unreadable),
        ("kdniao", {"Shippers": ["x"], "Success": True}, Unreadable),
        ("kdniao", b"", Unreadable),
    ],
)
def test_what_is_no_answer_says_who_acts(
    kind: str, said: Any, raised: type[RemoteError], specimen: Specimen
) -> None:
    with pytest.raises(raised) as told:
        heard(specimen(kind), said)
    assert "HIDE" not in str(told.value)


def test_a_key_goes_the_open_way_only_where_its_owner_says_so(specimen: Specimen) -> None:
    account = specimen("kuaidi100")
    assert isinstance(account, Kuaidi100)
    assert not account.recognises
    assert replace(account, autonumber_url=AUTONUMBER).recognises


@pytest.mark.parametrize("kind", ["kuaidi100", "kdniao"])
def test_too_fast_waits(kind: str, specimen: Specimen) -> None:
    with pytest.raises(Throttled):
        heard(specimen(kind), b"", status=429)


@pytest.mark.skipif(not FACTS.is_dir(), reason="the facts are not beside this tree")
def test_the_facts_samples(specimen: Specimen) -> None:
    def sample(name: str) -> Any:
        return json.loads((FACTS / name).read_text("utf-8"))

    assert [
        g.carrier for g in heard(specimen("kuaidi100"), sample("kuaidi100/autonumber_reply.json"))[1]
    ] == [
        "yuantong",
        "shentong",
    ]
    assert heard(specimen("kuaidi100"), sample("kuaidi100/autonumber_empty.json"))[1] == ()
    with pytest.raises(Denied):
        heard(specimen("kuaidi100"), sample("kuaidi100/autonumber_error.json"))
    known = heard(specimen("kdniao"), sample("kdniao/reply_recognise_2002.json"))[1]
    assert [g.carrier for g in known] == ["zhongtong"]
    assert heard(specimen("kdniao"), sample("kdniao/reply_recognise_none.json"))[1] == ()
