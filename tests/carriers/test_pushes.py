"""Pushes and subscriptions of 快递100, 快递鸟 and 顺丰: the samples of the facts, and whatever else may come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carriers.base import Question
from carriers.kdniao import Kdniao
from carriers.kdniao import signature as kdniao_signature
from carriers.kuaidi100 import Kuaidi100
from carriers.push import Delivery, Doorman, End, Forged, Push, Pusher, Subscribed, Subscriber
from carriers.push import form as read_form
from carriers.sf import Sf
from domain.history import Stored, merge
from domain.orders import Waybill
from domain.remote import (
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Unavailable,
    Unreadable,
    rehearse,
)
from domain.tracking import Milestone

FACTS = Path(__file__).parents[2].parent / "shared" / "facts" / "samples"
NOW = datetime(2026, 3, 5, 3, 35, 1, tzinfo=UTC)
K100 = Kuaidi100(Secret("CUSTOMERDEMO0001"), Secret("KEYdemo12345"), salt=Secret("saltdemo"))
KDN = Kdniao("1000000", Secret("appkey-demo-0001"))
SF = Sf("DEMOPARTNER", Secret("checkword"))
ZTO = Question(Waybill("zhongtong", "75812345678901"), Secret("0036"), "浙江省杭州市余杭区", "北京市海淀区")


def sample(kind: str, name: str) -> Any:
    return json.loads((FACTS / kind / f"{name}.json").read_text("utf-8"))


def form(fields: Mapping[str, str]) -> Push:
    return Push(urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"})


def k100_push(**said: Any) -> Push:
    """A true push of 快递100 that says this."""
    result = {
        "message": "ok",
        "state": "0",
        "status": "200",
        "com": "zhongtong",
        "nu": "75812345678901",
        "data": [],
    }
    body = {"status": "polling", "message": "", "lastResult": {**result, **said.pop("result", {})}, **said}
    return signed(json.dumps(body, ensure_ascii=False))


def signed(param: str) -> Push:
    from hashlib import md5

    return form({"param": param, "sign": md5(f"{param}saltdemo".encode()).hexdigest().upper()})


def kdn_push(data: object) -> Push:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return form(
        {"RequestData": text, "RequestType": "102", "DataSign": kdniao_signature(text, "appkey-demo-0001")}
    )


class TestKuaidi100:
    @pytest.mark.parametrize(
        ("name", "waybill", "events", "corrected", "ended"),
        [
            ("push_polling", "zhongtong/75812345678901", 2, "", None),
            ("push_updateall", "zhongtong/75812345678901", 2, "", None),
            ("push_shutdown", "zhongtong/75812345678901", 3, "", End.DONE),
            ("push_abort_3_days", "zhongtong/75812345678901", 0, "", End.NO_RECORD),
            ("push_abort_60_days", "zhongtong/75812345678901", 2, "", End.SILENT),
            ("push_abort_wrong_carrier", "zhongtong/YT8812345678901", 0, "yuantong", End.CORRECTED),
            ("push_polling_after_correction", "zhongtong/YT8812345678901", 5, "yuantong", None),
        ],
    )
    def test_the_samples(
        self, name: str, waybill: str, events: int, corrected: str, ended: End | None
    ) -> None:
        told = K100.receive(form(sample("kuaidi100", name)["form"]), NOW)
        [answer] = told.answers
        assert f"{answer.carrier}/{answer.waybill_no}" == waybill
        assert len(answer.events) == events
        assert answer.corrected_carrier == corrected
        assert not answer.whole, "a push proves what it says and nothing else"
        assert answer.late
        assert [each.why for each in told.ended] == ([ended] if ended else [])
        assert all(each.waybill == Waybill(*waybill.split("/")) for each in told.ended)

    def test_it_is_answered_as_the_manual_says(self) -> None:
        push = form(sample("kuaidi100", "push_polling")["form"])
        receipt = K100.admit(push, NOW)
        assert receipt.kept == K100.receive(push, NOW).reply
        assert json.loads(receipt.kept.content) == sample("kuaidi100", "push_reply_ok")
        assert json.loads(receipt.again.content) == sample("kuaidi100", "push_reply_fail")

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda f: {**f, "sign": f["sign"].lower()}, id="small letters"),
            pytest.param(lambda f: {"sign": f["sign"], "param": f["param"], "more": "1"}, id="a field more"),
        ],
    )
    def test_true_in_other_shapes(self, change: Any) -> None:
        assert K100.receive(form(change(sample("kuaidi100", "push_polling")["form"])), NOW).answers

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda f: {**f, "param": f["param"].replace("派件", "签收", 1)}, id="other words"),
            pytest.param(lambda f: {**f, "param": f["param"] + " "}, id="a blank more"),
            pytest.param(lambda f: {"param": f["param"]}, id="no signature"),
            pytest.param(lambda f: {**f, "sign": ""}, id="an empty one"),
            pytest.param(lambda f: {**f, "sign": "签" * 32}, id="no hex"),
            pytest.param(lambda f: {"sign": f["sign"]}, id="nothing signed"),
            pytest.param(lambda f: {}, id="nothing"),
        ],
    )
    def test_forged(self, change: Any) -> None:
        push = form(change(sample("kuaidi100", "push_polling")["form"]))
        for look in (K100.admit, K100.receive):
            with pytest.raises(Forged) as told:
                look(push, NOW)
            assert "saltdemo" not in str(told.value)

    @pytest.mark.parametrize("body", [b"\xff\xfe", b"param=%ff&sign=1", b"&" * 1000, b"a=1&" * 100, b""])
    def test_what_is_no_form_is_forged(self, body: bytes) -> None:
        with pytest.raises(Forged):
            K100.admit(Push(body), NOW)

    @pytest.mark.parametrize(
        "param",
        [
            "",
            "x",
            "[]",
            "{}",
            '{"lastResult":[]}',
            '{"lastResult":{"com":"zhongtong"}}',
            "[" * 100000,
            '{"lastResult":{"com":"zhongtong","nu":"1","data":"x"}}',
            '{"lastResult":{"nu":"1","data":[]}}',
        ],
        ids=map(str, range(9)),
    )
    def test_a_true_one_that_nobody_can_read(self, param: str) -> None:
        assert K100.admit(signed(param), NOW), "it is true all the same, so it is kept and answered"
        with pytest.raises(Unreadable):
            K100.receive(signed(param), NOW)

    def test_without_a_salt_the_address_has_to_prove_it(self) -> None:
        bare = replace(K100, salt=None)
        assert K100.signed
        assert not bare.signed
        assert bare.receive(
            form({"param": sample("kuaidi100", "push_polling")["form"]["param"]}), NOW
        ).answers

    def test_the_rows_of_both_countries(self) -> None:
        row = {"time": "2026-03-03 18:22:50", "context": "已揽收", "statusCode": "1"}
        abroad = {"time": "2026-03-04 18:22:50", "context": "Delivered", "statusCode": "3"}
        there = {"nu": "LX1", "com": "usps", "data": [abroad]}
        told = K100.receive(k100_push(result={"data": [row]}, destResult=there), NOW)
        assert [event.milestone for event in told.answers[0].events] == [
            Milestone.PICKED_UP,
            Milestone.DELIVERED,
        ]

    def test_an_end_without_a_list(self) -> None:
        told = K100.receive(k100_push(status="abort", message="其他原因", result={"data": None}), NOW)
        assert [each.why for each in told.ended] == [End.REFUSED]
        assert not told.answers[0].events

    def test_the_request_of_a_subscription(self) -> None:
        url = "http://hooks.example.org/kuaidi100?site=a1"
        request = next(K100.subscribe([ZTO], url, NOW))
        told = sample("kuaidi100", "request_subscribe")
        assert request.url == told["url"]
        fields = fields_of(request)
        assert fields["schema"] == "json"
        ours, theirs = json.loads(fields["param"]), json.loads(told["form"]["param"])
        assert ours == theirs
        assert {K100.key, K100.salt, Secret("0036"), Secret(url)} <= set(request.secrets)

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (200, Subscribed),
            (501, Subscribed),
            (700, Rejected),
            (701, Rejected),
            (702, Rejected),
            (600, Denied),
            (601, Denied),
            (500, Unavailable),
        ],
    )
    def test_what_came_of_it(self, code: int, expected: type) -> None:
        assert isinstance(outcome(K100, sample("kuaidi100", f"reply_subscribe_{code}")), expected)

    @pytest.mark.parametrize(
        "said", [b"", b"<html>", b"[]", b"{}", b'{"returnCode":"999","message":"saltdemo"}']
    )
    def test_an_outcome_nobody_knows(self, said: bytes) -> None:
        with pytest.raises(Unreadable) as told:
            rehearse(K100.subscribe([ZTO], "http://a/b", NOW), lambda request: Reply(200, said))
        assert "saltdemo" not in str(told.value)

    def test_what_the_service_limits(self) -> None:
        assert (K100.terms.per_number_monthly, K100.terms.again_after) == (4, timedelta(minutes=30))


class TestKdniao:
    def test_several_parcels_in_one_push(self) -> None:
        told = KDN.receive(form(sample("kdniao", "push_102")["form"]), NOW)
        one, two = told.answers
        assert (one.carrier, one.waybill_no) == ("zhongtong", "75812345678901")
        assert [event.milestone for event in one.events][-1] is Milestone.DELIVERED
        assert (two.carrier, two.waybill_no, two.events) == ("shunfeng", "SF1390001112223", ())
        assert "暂无轨迹" in two.remark, "no information yet is no error"
        assert all(not each.whole and each.late for each in told.answers)

    def test_it_is_answered_as_the_manual_says(self) -> None:
        receipt = KDN.admit(form(sample("kdniao", "push_102")["form"]), NOW)
        assert json.loads(receipt.kept.content) == sample("kdniao", "push_reply")
        assert json.loads(receipt.again.content)["Success"] is False

    def test_old_accounts_do_not_sign(self) -> None:
        push, old = form(sample("kdniao", "push_101")["form"]), replace(KDN, unsigned_pushes=True)
        with pytest.raises(Forged):
            KDN.receive(push, NOW)
        assert KDN.signed
        assert not old.signed
        assert old.receive(push, NOW).answers[0].waybill_no == "432100000000001"

    @pytest.mark.parametrize("unsigned", [False, True])
    def test_a_signature_that_is_there_has_to_be_right(self, unsigned: bool) -> None:
        fields = sample("kdniao", "push_102")["form"]
        for wrong in ("YmY4MDU5MWRmYmMzNmY3ZmQ5ODg3NjEyNTVlYzRmYTg=", "x", "签"):
            with pytest.raises(Forged):
                replace(KDN, unsigned_pushes=unsigned).admit(form({**fields, "DataSign": wrong}), NOW)

    def test_one_entry_nobody_can_read_costs_the_others_nothing(self) -> None:
        entries: list[Any] = [*sample("kdniao", "push_102")["request_data_decoded"]["Data"]]
        entries[1:1] = [7, {"ShipperCode": "NOBODY", "LogisticCode": "1"}, {**entries[0], "Traces": "x"}]
        told = KDN.receive(kdn_push({"Data": entries}), NOW)
        assert [each.carrier for each in told.answers] == ["zhongtong", "shunfeng"]
        assert len(told.unreadable) == 3

    @pytest.mark.parametrize(
        "data", ["", "x", "[]", "{}", {"Data": 1}, {"Data": [7]}, "[" * 100_000], ids=map(str, range(7))
    )
    def test_a_true_one_that_nobody_can_read(self, data: object) -> None:
        assert KDN.admit(kdn_push(data), NOW)
        with pytest.raises(Unreadable):
            KDN.receive(kdn_push(data), NOW)

    def test_the_request_of_a_subscription(self) -> None:
        told = sample("kdniao", "request_subscribe_8008")
        asked = Question(Waybill("shunfeng", "SF1390001112223"), Secret("0036"))
        request = next(KDN.subscribe([asked], "https://unused", NOW))
        assert request.url == told["url"]
        ours = fields_of(request)
        wanted = json.loads(told["form"]["RequestData"]) | {"Callback": ""}
        assert json.loads(ours["RequestData"]) == wanted
        assert ours["DataSign"] == kdniao_signature(ours["RequestData"], "appkey-demo-0001")
        assert (ours["RequestType"], ours["EBusinessID"], ours["DataType"]) == ("8008", "1000000", "2")
        basic = next(replace(KDN, request_type="1002").subscribe([asked], "https://unused", NOW))
        assert fields_of(basic)["RequestType"] == "1008"

    def test_what_came_of_it(self) -> None:
        assert isinstance(outcome(KDN, sample("kdniao", "reply_subscribe_ok")), Subscribed)
        assert isinstance(outcome(KDN, sample("kdniao", "reply_subscribe_error")), Rejected)
        assert isinstance(outcome(KDN, {"Success": False, "Reason": "非法参数"}), Denied)
        assert isinstance(outcome(KDN, {"Success": False, "Reason": "别的"}), Unreadable)
        assert isinstance(outcome(KDN, {}), Unreadable)


class TestSf:
    @pytest.mark.parametrize("form_", ["json", "xml form", "xml"])
    def test_json_and_xml_by_what_came(self, form_: str) -> None:
        push = {
            "json": Push(json.dumps(sample("sf", "push_route"), ensure_ascii=False).encode()),
            "xml form": Push(sample("sf", "push_route_xml_form")["on_the_wire"].encode()),
            "xml": Push(sample("sf", "push_route_xml_form")["form"]["content"].encode()),
        }[form_]
        told = SF.receive(push, NOW)
        assert told.answers[0].waybill_no == "SF1390001112223"
        assert told.answers[0].events[-1].milestone is Milestone.OUT_FOR_DELIVERY
        assert all(each.alone and each.late and not each.whole for each in told.answers)
        receipt = SF.admit(push, NOW)
        assert receipt.kept == told.reply
        if form_ == "json":
            assert json.loads(receipt.kept.content) == sample("sf", "push_reply_ok")
            assert json.loads(receipt.again.content) == sample("sf", "push_reply_retry")
        else:
            wanted = sample("sf", "push_reply_xml")
            assert receipt.kept.content.decode() == wanted["ok"]
            assert receipt.again.content.decode() == wanted["err"]

    def test_rows_of_two_parcels_with_a_repeat_and_an_older_one(self) -> None:
        told = SF.receive(Push(json.dumps(sample("sf", "push_route")).encode()), NOW)
        one, two = told.answers
        assert (one.waybill_no, two.waybill_no) == ("SF1390001112223", "SF1390001112225")
        assert two.events[0].milestone is Milestone.DELIVERY_FAILED
        known = [Stored(event, 0, NOW) for event in one.events[:1]]
        assert len(merge(known, one, NOW).added) == 1, "a repeat with another id is the same scan"

    def test_a_bomb_is_not_lit(self) -> None:
        layers = "".join(f'<!ENTITY a{n + 1} "&a{n};&a{n};&a{n};&a{n};">' for n in range(30))
        bomb = f'<!DOCTYPE r [<!ENTITY a0 "ha">{layers}]><Request><WaybillRoute remark="&a30;"/></Request>'
        outside = '<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]><Request><WaybillRoute mailno="&f;"/></Request>'
        bare = '<!DOCTYPE r SYSTEM "http://example.org/x.dtd"><Request/>'
        for content in (bomb, outside, bare):
            for push in (Push(content.encode()), form({"content": content})):
                with pytest.raises(Unreadable, match="DOCTYPE"):
                    SF.receive(push, NOW)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"x",
            b"<",
            b"<Request/>",
            b"content=",
            b"{}",
            b'{"Body":{"WaybillRoute":[]}}',
            b"{" * 100000,
            b'{"Body":{"WaybillRoute":[7]}}',
            b'{"Body":{"WaybillRoute":[{"mailno":""}]}}',
            b"<a>" * 50000,
            b"content=%ff",
            b'{"Body":{"WaybillRoute":[' + b'{"mailno":"1"},' * 300 + b'{"mailno":"1"}]}}',
        ],
        ids=map(str, range(13)),
    )
    def test_what_nobody_can_read(self, body: bytes) -> None:
        assert SF.admit(Push(body), NOW)
        with pytest.raises(Unreadable):
            SF.receive(Push(body), NOW)

    def test_one_parcel_nobody_can_read_costs_the_others_nothing(self) -> None:
        told = sample("sf", "push_route")
        told["Body"]["WaybillRoute"].append({"mailno": "SF9", "acceptTime": "昨天"})
        delivery: Delivery = SF.receive(Push(json.dumps(told).encode()), NOW)
        assert len(delivery.answers) == 2
        assert len(delivery.unreadable) == 1


class TestForms:
    @settings(deadline=None)
    @given(st.dictionaries(st.text(max_size=9), st.text(), max_size=9), st.booleans())
    def test_fields_are_what_the_standard_library_reads(self, fields: dict[str, str], plus: bool) -> None:
        body = urlencode(fields, quote_via=quote_plus if plus else quote, errors="surrogatepass")
        try:
            wanted = dict(parse_qsl(body, keep_blank_values=True, errors="strict"))
        except ValueError:
            with pytest.raises(Forged):
                read_form(Push(body.encode()))
        else:
            assert read_form(Push(body.encode())) == wanted

    @settings(deadline=None)
    @given(st.binary(max_size=60))
    def test_any_bytes_are_a_form_or_forged(self, body: bytes) -> None:
        try:
            fields = read_form(Push(body))
        except Forged:
            return
        assert fields == dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))

    @pytest.mark.parametrize("body", [b"a=%", b"a=%4", b"a=%zz", b"%g0=1", b"a=1&" * 40])
    def test_what_is_no_form(self, body: bytes) -> None:
        with pytest.raises(Forged):
            read_form(Push(body))

    def test_signs_that_need_no_escape(self) -> None:
        assert read_form(Push(b"a=b==&c&d=+%2B&=e")) == {"a": "b==", "c": "", "d": " +", "": "e"}


def test_who_can_what() -> None:
    assert all(isinstance(each, Pusher) and isinstance(each, Doorman) for each in (K100, KDN, SF))
    assert [isinstance(each, Subscriber) for each in (K100, KDN, SF)] == [True, True, False]
    assert not SF.signed


def fields_of(request: Request) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs(request.content.decode(), keep_blank_values=True).items()
    }


def outcome(account: Any, said: object) -> Any:
    """What is understood of a reply to a subscription, raised or not."""
    reply = Reply(200, json.dumps(said, ensure_ascii=False).encode())
    try:
        return rehearse(account.subscribe([ZTO], "http://hooks.example.org/x", NOW), lambda request: reply)[0]
    except RemoteError as error:
        return error
