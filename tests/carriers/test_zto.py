"""中通: what we sign, three vocabularies, the old interface (`facts/carriers-cn-express.md`, 中通)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from carriers.base import Question
from carriers.zto import Zto, signature
from domain.journey import condense
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Reply, Secret, Unreadable, rehearse
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

M, X = Milestone, ExceptionKind
FACTS = Path(__file__).parents[2].parent / "shared" / "facts"
SAMPLES = Path(__file__).parent / "samples" / "zto"
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
NUMBER = "75812345678901"
WAYBILL = f"zhongtong/{NUMBER}"
SECRET = Secret("zto-secret-demo")
ACCOUNT = Zto("zto-appkey-demo", SECRET)
OWN = Zto("zto-appkey-demo", SECRET, own_waybills=True)
OLD = Zto("zto-appkey-demo", SECRET, interface="old", base_url="https://zto.example/old")
SILENT = "一句谁也不懂的话"
AT = 1772533370000
"""2026-03-03 18:22:50 in Beijing."""
Ask = Callable[..., Answer]


def question(tail: str = "0036", carrier: str = "zhongtong", number: str = NUMBER) -> Question:
    return Question(Waybill(carrier, number), Secret(tail) if tail else None)


def row(desc: str, kind: str = "", at: object = AT, **more: Any) -> dict[str, Any]:
    return {"billCode": NUMBER, "scanType": kind, "scanDate": at, "desc": desc, **more}


def reply(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"status": True, "statusCode": "SYS000", "message": "成功", "result": list(rows)}


def read(ask: Ask, *rows: dict[str, Any]) -> Answer:
    return ask("zto", reply(*rows), WAYBILL)


def event(ask: Ask, desc: str, kind: str = "", **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return read(ask, row(desc, kind, **more)).events[0]


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([question()], NOW))
        assert request.url == "https://japi.zto.com/zto.merchant.waybill.track.query"
        assert request.content == b'{"billCode":"75812345678901","mobilePhone":"0036"}'
        assert request.headers["x-appKey"] == "zto-appkey-demo"
        assert request.headers["x-dataDigest"] == "nWuf0acxqD64UglPeR/oBg=="
        assert request.headers["Content-Type"].startswith("application/json")

    def test_the_console_may_be_set_to_sha256(self) -> None:
        account = Zto("k", SECRET, digest="sha256")
        sent = next(account.ask([question()], NOW)).headers["x-dataDigest"]
        assert len(sent) == 44
        assert sent == signature(
            '{"billCode":"75812345678901","mobilePhone":"0036"}', SECRET.reveal(), "sha256"
        )

    def test_own_waybills_need_no_phone(self) -> None:
        assert ACCOUNT.needs_phone("zhongtong")
        assert not OWN.needs_phone("zhongtong")
        assert next(OWN.ask([question(tail="")], NOW)).content == b'{"billCode":"75812345678901"}'

    def test_the_old_interface_is_a_form(self) -> None:
        request = next(OLD.ask([question()], NOW))
        fields = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert request.url == "https://zto.example/old"
        assert fields == {
            "company_id": "zto-appkey-demo",
            "msg_type": "NEW_TRACES",
            "data": '["75812345678901"]',
            "data_digest": signature('["75812345678901"]', SECRET.reveal()),
        }

    @pytest.mark.parametrize(
        ("more", "helps"),
        [
            ({"digest": "sha1"}, "digest"),
            ({"interface": "older"}, "interface"),
            ({"interface": "old"}, "base_url"),
        ],
        ids=["digest", "interface", "no address of the old one"],
    )
    def test_settings_that_cannot_be_are_told(self, more: dict[str, str], helps: str) -> None:
        with pytest.raises(ValueError, match=helps):
            Zto("k", SECRET, **more)  # type: ignore[arg-type]

    def test_another_carriers_number_is_refused_in_its_place_without_a_call(self) -> None:
        asked = [question(carrier="yuantong"), question(), question(carrier="zhongtongkuaiyun")]
        calls: list[bytes] = []

        def answer(request: Any) -> Reply:
            calls.append(request.content)
            return Reply(200, json.dumps(reply(row("已揽收", "收件"))).encode())

        told = rehearse(ACCOUNT.ask(asked, NOW), answer)
        assert [type(each) for each in told] == [Rejected, Answer, Rejected]
        assert "圆通" in str(told[0])
        assert len(calls) == 1


class TestNothingKnown:
    """An empty list is an unknown number or a phone check that failed: only the first proves anything."""

    @pytest.mark.parametrize(
        ("account", "tail", "expected"),
        [(ACCOUNT, "0036", Answer), (OWN, "", Answer), (ACCOUNT, "", Rejected)],
        ids=["with a phone", "own waybill", "neither"],
    )
    def test_empty(self, account: Zto, tail: str, expected: type) -> None:
        said = json.dumps(reply()).encode()
        told = rehearse(account.ask([question(tail)], NOW), lambda _: Reply(200, said))
        assert [type(each) for each in told] == [expected]

    @pytest.mark.parametrize(
        "data", [[], [{"billCode": NUMBER, "traces": []}]], ids=["no number", "no traces"]
    )
    def test_the_old_interface_says_it_in_two_ways(self, data: list[Any]) -> None:
        said = json.dumps({"status": True, "msg": "", "data": data}).encode()
        [told] = rehearse(OLD.ask([question()], NOW), lambda _: Reply(200, said))
        assert isinstance(told, Answer)
        assert not told.events
        assert told.remark


class TestRefusals:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ("签名验证失败", Denied),
            ("IP不在白名单", Denied),
            ("请求的IP无效", Denied),
            ("从没见过的原因", Unreadable),
            ("shipment 123", Unreadable),
            (None, Unreadable),
        ],
        ids=str,
    )
    def test_only_what_speaks_of_the_account_is_the_accounts(
        self, said: str | None, expected: type[RemoteError], ask: Ask
    ) -> None:
        bodies: list[dict[str, Any]] = [
            {"status": False, "statusCode": "SYS007", "message": said, "result": None},
            {"status": "false", "msg": said, "data": []},
        ]
        for body in bodies:
            with pytest.raises(RemoteError) as told:
                ask("zto", body, WAYBILL)
            assert type(told.value) is expected

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"result": []}, id="no status"),
            pytest.param({"status": True, "result": None}, id="success without a list"),
            pytest.param({"status": True}, id="success with nothing"),
            pytest.param(
                {"status": True, "result": {"0": row("已揽收", "收件")}}, id="the list is an object"
            ),
            pytest.param(reply(row("已揽收", "收件", "昨天")), id="no row has a time"),
            pytest.param(reply(row("已揽收", "收件", 1772533)), id="seconds are no milliseconds"),
            pytest.param(reply({**row("", "收件"), "desc": 7}), id="words are a number"),
            pytest.param(reply({**row("已揽收", "收件"), "billCode": "75899999999999"}), id="another number"),
            pytest.param(
                {"status": True, "data": [{"billCode": "75899999999999", "traces": [row("已揽收", "收件")]}]},
                id="old: another number",
            ),
            pytest.param({"status": True, "data": [{"billCode": NUMBER}]}, id="old: no traces"),
        ],
    )
    def test_what_is_in_no_document_is_unreadable(self, body: dict[str, Any], ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("zto", body, WAYBILL)


CODES: dict[str, tuple[Milestone, set[ExceptionKind]]] = {
    "收件": (M.PICKED_UP, set()),
    "发件": (M.IN_TRANSIT, set()),
    "到件": (M.IN_TRANSIT, set()),
    "派件": (M.OUT_FOR_DELIVERY, set()),
    "签收": (M.DELIVERED, set()),
    "第三方签收": (M.READY_FOR_COLLECTION, set()),
    "退件": (M.RETURNING, set()),
    "退件签收": (M.RETURNED, set()),
    "问题件": (M.UNKNOWN, {X.HELD}),
    "事件": (M.UNKNOWN, set()),
    "转单": (M.IN_TRANSIT, {X.FORWARDED}),
    "安检": (M.IN_TRANSIT, set()),
    "ARRIVAL": (M.READY_FOR_COLLECTION, set()),
    "SIGNED": (M.DELIVERED, set()),
    "DELIVERY": (M.OUT_FOR_DELIVERY, set()),
    "DEPARTURE": (M.UNKNOWN, {X.HELD}),
    "1": (M.PICKED_UP, set()),
    "2": (M.IN_TRANSIT, set()),
    "3": (M.IN_TRANSIT, set()),
    "4": (M.OUT_FOR_DELIVERY, set()),
    "5": (M.DELIVERED, set()),
    "7": (M.READY_FOR_COLLECTION, set()),
    "8": (M.RETURNING, set()),
    "9": (M.IN_TRANSIT, {X.FORWARDED}),
    "44": (M.READY_FOR_COLLECTION, set()),
    "45": (M.UNKNOWN, set()),
}


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        answer = read(ask, row(SILENT, code))
        told = answer.events[0]
        assert (told.milestone, set(told.exceptions), told.code) == (*CODES[code], code)
        assert not [said for said in answer.unknown_codes if not said.startswith("desc")]

    def test_every_documented_code_is_in_this_table(self) -> None:
        table = FACTS / "carriers-states.csv"
        if not table.exists():
            pytest.skip("the facts are not beside this tree")
        rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        assert {each["code"] for each in rows if each["provider"] == "zto"} == set(CODES)

    @pytest.mark.parametrize(
        ("code", "desc", "milestone", "exceptions"),
        [
            pytest.param(
                "到件",
                "快件已暂存至学院路驿站，请及时取件",
                M.READY_FOR_COLLECTION,
                set(),
                id="a storage row",
            ),
            pytest.param("到件", "快件到达派件网点", M.AT_DELIVERY_STATION, set(), id="the delivery site"),
            pytest.param("发件", "快件到达派件网点", M.IN_TRANSIT, set(), id="not of a departure"),
            pytest.param(
                "签收", "快件已由菜鸟驿站代收", M.READY_FOR_COLLECTION, set(), id="a station signed"
            ),
            pytest.param("第三方签收", "快件已签收", M.READY_FOR_COLLECTION, set(), id="not the receiver"),
            pytest.param("7", "快件已签收", M.READY_FOR_COLLECTION, set(), id="7: not the receiver"),
            pytest.param("DEPARTURE", "快件已从驿站取出", M.UNKNOWN, {X.HELD}, id="taken out by the staff"),
            pytest.param("45", "快件已从驿站取出", M.DELIVERED, set(), id="45: by its words"),
            pytest.param("45", "快递员正在派件", M.OUT_FOR_DELIVERY, set(), id="45: the courier"),
            pytest.param(
                "问题件", "快件异常，原因：外包装破损", M.UNKNOWN, {X.HELD, X.DAMAGED}, id="the reason"
            ),
            pytest.param("问题件", "收件人拒收", M.DELIVERY_FAILED, {X.HELD, X.REFUSED}, id="refused"),
            pytest.param("", "快件已签收", M.DELIVERED, set(), id="no code: by its words"),
            pytest.param("99", "快件已签收", M.UNKNOWN, set(), id="a code in no table"),
        ],
    )
    def test_codes_and_words(
        self, code: str, desc: str, milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        told = event(ask, desc, code)
        assert (told.milestone, set(told.exceptions)) == (milestone, exceptions)

    @pytest.mark.parametrize(
        ("man", "kind"),
        [
            ("本人", DeliveredKind.SELF),
            ("前台", DeliveredKind.RECEPTION),
            ("取件码", DeliveredKind.STATION),
            ("", None),
        ],
        ids=["self", "reception", "code", "nobody said"],
    )
    def test_who_signed(self, man: str, kind: DeliveredKind | None, ask: Ask) -> None:
        assert event(ask, "快件已签收", "签收", signMan=man).delivered_kind is kind

    def test_who_signed_by_name_is_not_kept(self, ask: Ask) -> None:
        assert "王小明" not in repr(event(ask, "快件已签收", "签收", signMan="王小明", operateUser="王小明"))


def journey_of(ask: Ask, name: str) -> Any:
    return condense(ask("zto", (SAMPLES / f"{name}.json").read_bytes(), WAYBILL).events)


class TestJourneys:
    """The odd histories of the facts, condensed."""

    def test_scans_that_a_site_booked_after_its_own_signature_are_noise(self, ask: Ask) -> None:
        journey = journey_of(ask, "signed_before_delivery_scan")
        assert journey.milestone is M.DELIVERED
        assert journey.over

    def test_signed_then_stored_then_collected(self, ask: Ask) -> None:
        events = ask("zto", (SAMPLES / "signed_then_stored.json").read_bytes(), WAYBILL).events
        stored = condense(events[:-1])
        assert stored.milestone is M.READY_FOR_COLLECTION
        assert X.SIGNED_THEN_STORED in {each.kind for each in stored.exceptions}
        assert condense(events).milestone is M.DELIVERED

    def test_a_problem_stands_beside_the_milestone(self, ask: Ask) -> None:
        journey = journey_of(ask, "problem")
        assert journey.milestone is M.OUT_FOR_DELIVERY
        assert journey.exceptions


class TestRows:
    @pytest.mark.parametrize("written", [AT, str(AT), "2026-03-03 18:22:50"], ids=["number", "text", "clock"])
    def test_times_become_utc(self, written: object, ask: Ask) -> None:
        told = event(ask, "已揽收", "收件", at=written)
        assert told.occurred_at == datetime(2026, 3, 3, 10, 22, 50, tzinfo=UTC)

    def test_rows_are_in_order_whatever_the_reply(self, ask: Ask) -> None:
        answer = read(ask, row("已签收", "签收", AT + 1000), row("已揽收", "收件"))
        assert [each.code for each in answer.events] == ["收件", "签收"]

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = read(ask, row("已揽收", "收件"), row("到达", "到件", None))
        assert len(answer.events) == 1
        assert not answer.whole
        assert any(said.startswith("scanDate") for said in answer.unknown_codes)

    def test_a_row_of_another_parcel_is_left_out_and_counted(self, ask: Ask) -> None:
        answer = read(ask, row("已揽收", "收件"), {**row("已签收", "签收"), "billCode": "75899999999999"})
        assert [each.code for each in answer.events] == ["收件"]
        assert not answer.whole
        assert "billCode 是另一个单号" in answer.unknown_codes

    def test_where_it_is_and_where_it_goes(self, ask: Ask) -> None:
        here = {"name": "余杭良渚", "city": "杭州市", "prov": "浙江省"}
        there = {"name": "北京转运中心", "city": "北京市", "prov": "北京"}
        gone = event(ask, SILENT, "发件", scanSite=here, preOrNextSite=there)
        assert (gone.area, gone.outlet, gone.next_stop) == ("浙江省,杭州市", "余杭良渚", "北京转运中心")
        came = event(ask, SILENT, "到件", scanSite=there, preOrNextSite=here)
        assert (came.area, came.hub, came.next_stop) == ("北京,北京市", "北京转运中心", "")

    @pytest.mark.parametrize("site", [None, "余杭良渚", [], {"name": None, "city": 7}], ids=repr)
    def test_a_site_of_another_shape_costs_only_itself(self, site: object, ask: Ask) -> None:
        assert event(ask, "已揽收", "收件", scanSite=site).milestone is M.PICKED_UP
