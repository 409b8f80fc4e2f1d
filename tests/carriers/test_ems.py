"""EMS: what we seal, its odd envelope, events taken back, reasons and manners (`facts/carriers-cn-express.md`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from carriers.base import Question
from carriers.ems import Ems, sealed
from domain.history import merge
from domain.journey import condense
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Reply, Secret, Unreadable, rehearse
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent
from tests.carriers.documented import documented

M, X = Milestone, ExceptionKind
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""10:00 in Beijing, the time of the worked example."""
SILENT = "一句谁也不懂的话"
SIGN_KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="
SEALED = "|$4|Ox3IT1paIHnnqDeh722mHzx+6qIPo7fM6/2QexmF7/bBEAzgMwF29by1oQ0/LbI3/vkPai/Ngto8XCYTZqKy1DJdUB/WoUhfa6ykyLZ7yWA="
ACCOUNT = Ems("1100000000000", Secret("AUTHDEMO00000001"), Secret(SIGN_KEY))
NUMBER = "9800000000001"
WAYBILL = f"ems/{NUMBER}"
Ask = Callable[..., Answer]


def row(
    desc: object, code: str = "", time: str = "2026-03-05 11:31:02", name: str = "", **more: Any
) -> dict[str, Any]:
    return {"waybillNo": NUMBER, "opTime": time, "opCode": code, "opName": name, "opDesc": desc, **more}


def reply(*rows: object, **more: Any) -> bytes:
    told = {"retCode": "00000", "retMsg": "查询结果正常返回！", "retBody": {"responseItems": list(rows)}}
    return json.dumps({**told, **more}).encode()


def read(ask: Ask, *rows: dict[str, Any]) -> Answer:
    return ask("ems", reply(*rows), WAYBILL)


def event(ask: Ask, desc: str, code: str = "", **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return read(ask, row(desc, code, **more)).events[0]


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([Question(Waybill("ems", NUMBER))], NOW))
        assert request.url == "https://api.ems.com.cn/amp-prod-api/f/amp/api/open"
        assert {name: said[0] for name, said in parse_qs(request.content.decode()).items()} == {
            "apiCode": "040001",
            "senderNo": "1100000000000",
            "authorization": "AUTHDEMO00000001",
            "timeStamp": "2026-03-02 10:00:00",
            "logitcsInterface": SEALED,
        }

    def test_another_carriers_is_refused_without_a_call(self) -> None:
        assert (ACCOUNT.serves("ems"), ACCOUNT.serves("yuantong")) == (True, False)
        posts = ("ems", "youzhengguonei", "youzhengbk", "youzhengdsbk", "emsguoji", "youzhengguoji")
        asked = [Question(Waybill(carrier, NUMBER)) for carrier in ("yuantong", *posts)]
        told = rehearse(ACCOUNT.ask(asked, NOW), lambda request: Reply(200, reply()))
        assert [type(each) for each in told] == [Rejected, *[Answer] * len(posts)]
        assert [each.carrier for each in told if isinstance(each, Answer)] == list(posts)

    @pytest.mark.parametrize("key", ["", "not Base64", "MDEyMzQ1Njc4OWFiY2Rl", "MDEyMzQ1Njc4OWFiY2RlZg"])
    def test_a_key_that_is_none_is_told_before_the_first_question(self, key: str) -> None:
        with pytest.raises(ValueError, match="sign_key") as told:
            Ems("1", Secret("a"), Secret(key))
        assert not key or key not in str(told.value)

    def test_the_payload_is_sealed_with_the_key_as_issued(self) -> None:
        assert sealed('{"waybillNo":"9800000000001","direction":"0"}', SIGN_KEY) == SEALED


class TestEnvelope:
    @pytest.mark.parametrize("wrap", [dict, json.dumps], ids=["object", "text"])
    def test_the_body_is_an_object_or_its_text(self, wrap: Callable[[Any], object], ask: Ask) -> None:
        body = reply(retBody=wrap({"responseItems": [row("已签收", "704")]}))
        assert [each.milestone for each in ask("ems", body, WAYBILL).events] == [M.DELIVERED]

    @pytest.mark.parametrize(
        "inside",
        [{"responseItems": []}, '{"responseItems":[]}', {"responseItems": None}, {}, "", None],
        ids=["empty", "empty text", "none", "no list", "no text", "nothing"],
    )
    def test_a_number_not_bound_to_the_account_is_no_access_and_no_silence(
        self, inside: object, ask: Ask
    ) -> None:
        with pytest.raises(Rejected, match="绑定"):
            ask("ems", reply(retMsg="当前邮件无客户信息！", retBody=inside), WAYBILL)

    def test_rows_are_rows_whatever_the_message_says(self, ask: Ask) -> None:
        body = reply(row("已签收", "704"), retMsg="当前邮件无客户信息！")
        assert ask("ems", body, WAYBILL).events

    def test_an_empty_list_is_nothing_known_and_says_why(self, ask: Ask) -> None:
        assert read(ask).remark == "EMS 没有轨迹：查询结果正常返回！"
        assert ask("ems", reply(retMsg=None), WAYBILL).remark

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            pytest.param(reply(retCode="B001", retMsg="签名错误"), Denied, id="signature"),
            pytest.param(reply(retCode="B002", retMsg="没有文档的错误"), Unreadable, id="nobody knows"),
            pytest.param(b'{"retMsg":"x"}', Unreadable, id="no code"),
            pytest.param(reply(retBody=None), Unreadable, id="no body"),
            pytest.param(reply(retBody="<html>"), Unreadable, id="inside: HTML"),
            pytest.param(reply(retBody="[]"), Unreadable, id="inside: a list"),
            pytest.param(reply(retBody={}), Unreadable, id="inside: no list"),
            pytest.param(reply(retBody={"responseItems": None}), Unreadable, id="inside: no items"),
            pytest.param(reply("x"), Unreadable, id="rows are texts"),
            pytest.param(reply(row("x", time="刚才")), Unreadable, id="no row has a time"),
            pytest.param(reply(row(7)), Unreadable, id="words are a number"),
            pytest.param(reply({**row("x"), "waybillNo": "9800000000099"}), Unreadable, id="another number"),
        ],
    )
    def test_who_has_to_act(self, body: bytes, expected: type[RemoteError], ask: Ask) -> None:
        with pytest.raises(RemoteError) as told:
            ask("ems", body, WAYBILL)
        assert type(told.value) is expected

    def test_a_row_of_another_parcel_in_the_middle_is_left_out(self, ask: Ask) -> None:
        answer = read(ask, row("已收寄", "203"), {**row("已签收", "704"), "waybillNo": "9800000000099"})
        assert ([each.code for each in answer.events], answer.whole) == (["203"], False)


CODES: Mapping[tuple[Milestone, ExceptionKind | None], str] = {
    (M.PICKED_UP, None): "203",
    (M.IN_TRANSIT, None): "305 389 954 360 364 365 370 376",
    (M.IMPORT_CUSTOMS, None): "466 486 469 487 468 456",
    (M.IMPORT_CUSTOMS, X.CUSTOMS_EXCEPTION): "467 470 493 564",
    (M.AT_DELIVERY_STATION, None): "713",
    (M.OUT_FOR_DELIVERY, None): "702 749",
    (M.DELIVERED, None): "704 748",
    (M.DELIVERY_FAILED, None): "705",
    (M.READY_FOR_COLLECTION, None): "747",
    (M.RETURNING, None): "708 312 741 750",
    (M.RETURNED, None): "711",
    (M.CANCELLED, None): "801",
    (M.IN_TRANSIT, X.FORWARDED): "802 803 756",
    (M.UNKNOWN, X.LOST): "987 988",
    (M.UNKNOWN, X.HELD): "651",
    (M.UNKNOWN, X.INTERCEPTED): "013 993",
    (M.UNKNOWN, None): "207 212 304 424 448 472 474 483 492 742 743 744",
}
CODE = {code: means for means, codes in CODES.items() for code in codes.split()}
REASONS: Mapping[tuple[Milestone, ExceptionKind | None], str] = {
    (M.DELIVERY_FAILED, X.ADDRESS_ERROR): "1 2 3 5",
    (M.DELIVERY_FAILED, X.CONTACT_FAILURE): "4",
    (M.DELIVERY_FAILED, X.RESCHEDULED): "6",
    (M.DELIVERY_FAILED, X.REFUSED): "7",
    (M.READY_FOR_COLLECTION, None): "8 9 14",
    (M.RETURNING, None): "10 15",
    (M.IN_TRANSIT, X.FORWARDED): "11 12",
    (M.DELIVERY_FAILED, X.LOST): "13",
    (M.DELIVERY_FAILED, X.HELD): "16",
}
REASON = {code: means for means, codes in REASONS.items() for code in codes.split()}


class TestCodes:
    @pytest.mark.parametrize("code", CODE)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        answer = read(ask, row(SILENT, code))
        told, (milestone, exception) = answer.events[0], CODE[code]
        assert (told.milestone, set(told.exceptions), told.code) == (milestone, {exception} - {None}, code)
        assert not [said for said in answer.unknown_codes if not said.startswith("opDesc")]

    @pytest.mark.parametrize("reason", REASON)
    @pytest.mark.parametrize("field", ["unsigned", "unsignedCode"])
    def test_why_a_delivery_failed(self, field: str, reason: str, ask: Ask) -> None:
        told = event(ask, SILENT, "705", **{field: reason})
        milestone, exception = REASON[reason]
        assert (told.milestone, set(told.exceptions)) == (milestone, {exception} - {None})

    def test_a_reason_belongs_to_a_failed_delivery_only(self, ask: Ask) -> None:
        assert event(ask, SILENT, "702", unsigned="13").exceptions == frozenset()

    def test_every_documented_code_is_in_these_tables(self) -> None:
        assert documented("ems", "opCode") == set(CODE)
        assert documented("ems", "unsigned code") == set(REASON)

    @pytest.mark.parametrize(
        ("desc", "manner", "milestone"),
        [
            (SILENT, {"signed": "50"}, M.READY_FOR_COLLECTION),
            (SILENT, {"signed": 30}, M.READY_FOR_COLLECTION),
            (SILENT, {"signedCode": "50"}, M.READY_FOR_COLLECTION),
            (SILENT, {"signed": "10"}, M.DELIVERED),
            ("已投递至包裹柜", {}, M.READY_FOR_COLLECTION),
            ("已签收,自提点代收", {}, M.READY_FOR_COLLECTION),
            ("收件人已从包裹柜取走", {}, M.DELIVERED),
            ("已签收,本人签收", {}, M.DELIVERED),
        ],
        ids=[
            "50",
            "30",
            "50 in the other field",
            "another manner",
            "a locker",
            "a station",
            "fetched",
            "in person",
        ],
    )
    def test_a_signature_by_its_manner(
        self, desc: str, manner: Mapping[str, object], milestone: Milestone, ask: Ask
    ) -> None:
        assert event(ask, desc, "704", **manner).milestone is milestone

    def test_collected_from_a_station(self, ask: Ask) -> None:
        assert event(ask, SILENT, "748").delivered_kind is DeliveredKind.STATION

    def test_without_a_description_the_name_is_the_text(self, ask: Ask) -> None:
        assert read(ask, row(None, "702", name="投递下段")).events[0].text == "投递下段"


DELIVERED = row("已签收", "704", "2026-03-05 11:31:02", "投递结果反馈-妥投")
UNDONE = row("妥投撤销", "743", "2026-03-05 11:50:00", "投递妥投撤销")


class TestTakenBack:
    @pytest.mark.parametrize(("by", "code"), [("742", "702"), ("743", "704"), ("744", "705"), ("207", "203")])
    def test_the_documented_pairs(self, by: str, code: str, ask: Ask) -> None:
        answer = read(ask, row("收件人拒收", code), row("收件人拒收，撤销", by, "2026-03-05 12:00:00"))
        assert [(each.milestone, each.exceptions) for each in answer.events] == [(M.UNKNOWN, frozenset())] * 2
        assert answer.unknown_codes == ()
        assert "已撤销" in answer.events[0].status

    def test_a_parcel_whose_signature_was_taken_back_is_not_delivered(self, ask: Ask) -> None:
        out = row("正在投递", "702", "2026-03-05 08:40:11")
        assert condense(read(ask, out, DELIVERED).events).over
        journey = condense(read(ask, out, DELIVERED, UNDONE).events)
        assert (journey.milestone, journey.over) == (M.OUT_FOR_DELIVERY, False)

    def test_what_we_stored_as_delivered_is_edited_and_kept(self, ask: Ask) -> None:
        first = merge((), read(ask, DELIVERED), NOW)
        then = merge(first.added, read(ask, DELIVERED, UNDONE), NOW)
        assert [(before.event.milestone, after.event.milestone) for before, after in then.edited] == [
            (M.DELIVERED, M.UNKNOWN)
        ]
        assert then.withdrawn == ()

    def test_signed_again_after_that_is_delivered(self, ask: Ask) -> None:
        again = row("已签收", "704", "2026-03-05 15:00:00", "投递结果反馈-妥投")
        answer = read(ask, DELIVERED, UNDONE, again)
        assert [each.milestone for each in answer.events] == [M.UNKNOWN, M.UNKNOWN, M.DELIVERED]

    def test_the_latest_one_before_is_meant_and_none_after(self, ask: Ask) -> None:
        rows = [
            row("正在投递", "702", "2026-03-04 08:00:00"),
            row("正在投递", "702", "2026-03-05 08:00:00"),
            row("撤销", "742", "2026-03-05 09:00:00"),
            row("正在投递", "702", "2026-03-05 10:00:00"),
        ]
        told = [each.milestone for each in read(ask, *rows).events]
        assert told == [M.OUT_FOR_DELIVERY, M.UNKNOWN, M.UNKNOWN, M.OUT_FOR_DELIVERY]

    def test_a_row_that_stands_there_twice_is_void_twice(self, ask: Ask) -> None:
        answer = read(ask, DELIVERED, dict(DELIVERED), UNDONE)
        assert M.DELIVERED not in {each.milestone for each in answer.events}

    @pytest.mark.parametrize(
        ("code", "name"), [("424", "封车删除"), ("424", "处理中心封车撤销"), ("999", "处理中心封车删除")]
    )
    def test_others_by_their_name(self, code: str, name: str, ask: Ask) -> None:
        left = row("离开【杭州处理中心】", "389", "2026-03-03 04:41:10", "处理中心封车")
        kept = row("到达【北京处理中心】", "954", "2026-03-03 05:00:00", "邮件到达处理中心")
        answer = read(ask, left, kept, row(SILENT, code, "2026-03-03 06:00:00", name))
        assert [each.milestone for each in answer.events] == [M.UNKNOWN, M.IN_TRANSIT, M.UNKNOWN]
        assert answer.unknown_codes == (() if code == "424" else ("opCode 999",))

    @pytest.mark.parametrize("name", ["删除", "集包删除", ""])
    def test_where_nobody_can_say_what_is_meant_nothing_is_taken_back(self, name: str, ask: Ask) -> None:
        left = row("离开【杭州处理中心】", "389", "2026-03-03 04:41:10", "处理中心封车")
        answer = read(ask, left, row(SILENT, "424", "2026-03-03 06:00:00", name))
        assert [each.milestone for each in answer.events] == [M.IN_TRANSIT, M.UNKNOWN]
