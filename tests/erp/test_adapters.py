"""The adapters against the documents: worked signatures, saved answers, tokens, windows; pure, without a network."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.remote import Denied, Reply, Secret, Throttled, Unreadable, rehearse
from monitor.erp.base import Expired, Grant, Standing, TokenHolder, kinds
from monitor.erp.jushuitan import Jushuitan
from monitor.erp.wangdian import Wangdian
from monitor.erp.wangdian_flagship import WangdianFlagship
from monitor.erp.windows import Span, begin, finished, following, fresh

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime.fromtimestamp(1772416800, UTC)
LATER = NOW + timedelta(days=2)
HELD = Grant(Secret("jst-token-demo"))
JST = Jushuitan("jst-app-demo", Secret("jst-secret-demo"))
WDT = Wangdian("demo", "demo-gw", Secret("wdt-secret-demo"))
FLAG = WangdianFlagship("demo", "demo-key", Secret("secretpart:saltpart"), statuses="95,110")
HOUR = timedelta(hours=1)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def asked(kind: str) -> dict:
    return json.loads(sample(f"{kind}/request.json"))


def read(source, name, cursor=None):
    """What a saved answer is understood as."""
    start = cursor or fresh(NOW - timedelta(days=1))
    return rehearse(source.pull(start, LATER, HELD), lambda _: Reply(200, sample(name)))


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


def test_jushuitan_signs_as_documented():
    form = asked("jushuitan")["form"]
    assert JST.sign(form) == form["sign"] == "c166f7f9a55c133b1357d76798bb4613"
    worked = {**{k: form[k] for k in ("app_key", "access_token", "timestamp", "charset", "version")}}
    worked["biz"] = '{"page_index":1,"page_size":50,"start_ts":0}'
    assert JST.sign(worked) == "9f7fb7a6516f2b4c92b361b696a3ab97"


def test_wangdian_signs_as_documented_counting_characters():
    form = asked("wangdian")["form"]
    assert WDT.sign(form) == form["sign"] == "79a3bcd9f876b7dbf664bc3aa3cceca6"


def test_the_flagship_asks_word_for_word_as_documented():
    told = asked("wangdian_flagship")
    span = Span(datetime(2026, 3, 2, 1, tzinfo=UTC), datetime(2026, 3, 2, 2, tzinfo=UTC))
    request = FLAG.question(span, NOW)
    assert (request.method, request.url, dict(request.query)) == (told["method"], told["url"], told["query"])
    assert request.content.decode() == told["body"]
    assert request.query["sign"] == "9d4e638a8616914991f657edb20f8e47"


@pytest.mark.parametrize(
    ("source", "longest"),
    [
        (JST, timedelta(days=7)),
        (WDT, HOUR),
        (Wangdian("a", "b", Secret("c"), "y"), timedelta(days=30)),
        (FLAG, HOUR),
    ],
    ids=["jushuitan", "classic", "y", "flagship"],
)
def test_no_question_spans_more_than_the_service_allows(source, longest):
    assert source.longest == longest
    span = begin(fresh(NOW - timedelta(days=90)), NOW, source.longest)
    assert span.end - span.begin == longest


def test_the_y_edition_has_an_address_of_its_own():
    y = Wangdian("a", "b", Secret("c"), "y").question({}, NOW)
    assert y.url == "https://openapi.huice.com/openapi/stockout_order_query_trade.php"
    assert WDT.question({}, NOW).url == "https://api.wangdian.cn/openapi2/stockout_order_query_trade.php"


@pytest.mark.parametrize("source", [JST, WDT, FLAG], ids=lambda each: each.kind)
def test_asking_is_repeatable_and_shows_no_secret(source):
    first, second = (next(source.pull(fresh(NOW - HOUR), NOW, HELD)) for _ in range(2))
    assert first == second
    assert first.repeatable
    for secret in ("jst-secret-demo", "jst-token-demo", "wdt-secret-demo", "secretpart", "saltpart"):
        assert secret not in repr((source, first))


# ── what is understood ───────────────────────────────────────────────────────────────────────────


def test_jushuitans_saved_answer():
    page = read(JST, "jushuitan/reply_out_simple_query.json")
    first, second, third = page.documents
    assert [(each.standing, each.version) for each in (first, third)] == [
        (Standing.SHIPPED, 7000000001),
        (Standing.GONE, 7000000009),
    ]
    assert (first.orders, first.platform_orders, first.shop) == (("800001",), ("SO2026030200001",), "自营店")
    assert first.shipped_at == datetime(2026, 3, 2, 8, 5, tzinfo=UTC), "Beijing"
    assert [each.waybill_no for each in second.parcels] == ["SF1390001112223", "SF1390001112224"]
    assert page.more
    assert page.cursor["ts"] == 7000000009, "the greatest ts so far; page_index stays 1"


def test_wangdians_saved_answer():
    page = read(WDT, "wangdian/reply_stockout_query.json")
    one, family, gone = page.documents
    assert (one.orders, one.platform_orders) == (("JY202603020001",), ("PTJY202603020001",))
    assert [(each.carrier, each.waybill_no) for each in family.parcels] == [
        ("shunfeng", "SF1390001112223"),
        ("shunfeng", "SF1390001112224"),
    ], "parent and child"
    assert (gone.standing, gone.shipped_at, gone.parcels) == (Standing.GONE, None, ()), "a zero date is none"


@pytest.mark.parametrize("name", ["reply_sales_query.json", "reply_sales_query_ms.json"])
def test_the_flagships_saved_answers_say_the_same_in_text_and_milliseconds(name):
    [document] = read(FLAG, f"wangdian_flagship/{name}").documents
    assert document.shipped_at == datetime(2026, 3, 2, 8, 5, tzinfo=UTC)
    assert document.version == 1772438701000000
    assert document.parcels[0].carrier == "zhongtong", "the type, though the name is 中通电商"


def test_further_waybills_of_the_flagship():
    cursor = Span(NOW, NOW + HOUR, stage=1).cursor()
    page = read(FLAG, "wangdian_flagship/reply_search_logistics.json", cursor)
    assert [(each.number, each.adds, each.parcels[0].waybill_no) for each in page.documents] == [
        ("CK202603020002", True, "SF1390001112223"),
        ("CK202603020002", True, "SF1390001112224"),
    ]


ERRORS = [
    (JST, "jushuitan/error_100.json", Expired),
    (JST, "jushuitan/error_110.json", Denied),
    (JST, "jushuitan/error_190.json", Denied),
    (JST, "jushuitan/error_199.json", Throttled),
    (JST, "jushuitan/error_200.json", Throttled),
    (WDT, "wangdian/error_1010.json", Denied),
    (WDT, "wangdian/error_1060.json", Denied),
    (WDT, "wangdian/error_1090.json", Throttled),
    (WDT, "wangdian/error_2900.json", Unreadable),
    (FLAG, "wangdian_flagship/error_ip.json", Denied),
    (FLAG, "wangdian_flagship/error_timestamp.json", Denied),
    (FLAG, "wangdian_flagship/error_rate.json", Throttled),
    (FLAG, "wangdian_flagship/error_params.json", Unreadable),
]


@pytest.mark.parametrize(("source", "name", "error"), ERRORS, ids=[name for _, name, _ in ERRORS])
def test_every_documented_error_is_what_it_is(source, name, error):
    with pytest.raises(error):
        read(source, name)


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────


def granted(**more):
    data = {"access_token": "new", "refresh_token": "next", "expires_in": 86400 * 30, **more}
    return Reply(200, json.dumps({"code": 0, "issuccess": True, "data": data}).encode())


def test_only_jushuitan_holds_a_token():
    made = {"jushuitan": JST, "wangdian": WDT, "wangdian_flagship": FLAG}
    assert {kind for kind in kinds() if isinstance(made[kind], TokenHolder)} == {"jushuitan"}


def test_a_refresh_is_asked_once_and_its_answer_replaces_both_tokens():
    sent = []
    old = Grant(Secret("a"), Secret("r"), NOW)
    fresh_ = rehearse(JST.renew(old, NOW), lambda request: (sent.append(request), granted())[1])
    assert [each.repeatable for each in sent] == [False]
    assert b"refresh_token=r" in sent[0].content
    assert b"scope=all" in sent[0].content
    assert (fresh_.access, fresh_.refresh) == (Secret("new"), Secret("next"))
    assert fresh_.expires_at == NOW + timedelta(days=30)


def test_a_self_built_application_begins_and_begins_again_without_anybodys_help():
    paths = []

    def answer(request):
        paths.append(request.url.rpartition("/")[2])
        if paths[-1] == "refreshToken":
            return Reply(200, sample("jushuitan/error_100.json"))
        return granted()

    assert rehearse(JST.renew(None, NOW), answer).access == Secret("new")
    assert rehearse(JST.renew(Grant(Secret("a"), Secret("r")), NOW), answer).access == Secret("new")
    assert paths == ["getInitToken", "refreshToken", "getInitToken"]


def test_an_authorised_application_asks_its_owner():
    authorised = Jushuitan("a", Secret("b"), Secret("c"), Secret("d"))
    with pytest.raises(Denied, match="重新授权"):
        rehearse(
            authorised.renew(authorised.seed(), NOW), lambda _: Reply(200, sample("jushuitan/error_100.json"))
        )


@pytest.mark.parametrize(
    ("held", "stale"),
    [
        (None, True),
        (Grant(Secret("a")), False),
        (Grant(Secret("a"), None, NOW + HOUR), True),
        (Grant(Secret("a"), None, NOW + timedelta(days=9)), False),
    ],
    ids=["none", "nobody knows how long", "an hour left", "days left"],
)
def test_when_to_renew(held, stale):
    assert JST.stale(held, NOW) is stale


# ── paging ───────────────────────────────────────────────────────────────────────────────────────


def pages(total, size, *, said=True):
    """The pages asked for when the service has so many rows."""
    span, told = Span(NOW, NOW + HOUR), []
    rows = list(range(total))
    while span is not None:
        told.append(span.page)
        here = rows[span.page * size : (span.page + 1) * size]
        span = following(span, here, size, total if said and span.page == 0 else None)
    return told


@pytest.mark.parametrize(
    ("total", "said", "expected"),
    [
        pytest.param(0, True, [0], id="nothing"),
        pytest.param(9, True, [0], id="one short page"),
        pytest.param(10, True, [0, 1, 0], id="one full page"),
        pytest.param(35, True, [0, 3, 2, 1, 0], id="from the end back"),
        pytest.param(35, False, [0, 1, 2, 3, 2, 1, 0], id="no total: forward to the end, then back"),
        pytest.param(30, True, [0, 2, 3, 2, 1, 0], id="the last page is full"),
    ],
)
def test_the_end_is_looked_for_first_and_all_pages_read_from_there(total, said, expected):
    assert pages(total, 10, said=said) == expected


def test_a_service_with_always_one_more_page_is_found_out():
    with pytest.raises(Unreadable):
        pages(10**6, 10)


def test_behind_a_finished_span_comes_the_next_and_near_now_the_overlap():
    overlap = timedelta(minutes=10)
    after, proven, more = finished(Span(NOW - 5 * HOUR, NOW - 4 * HOUR), NOW, overlap)
    assert (more, proven) == (True, NOW - 4 * HOUR)
    assert begin(after, NOW, HOUR).begin < NOW - 4 * HOUR, "neighbours share their edge"
    after, proven, more = finished(Span(NOW - HOUR, NOW), NOW, overlap)
    assert (more, proven) == (False, NOW - overlap)
    assert begin(after, NOW + HOUR, HOUR).begin == NOW - overlap
