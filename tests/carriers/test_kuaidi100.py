"""快递100: what we sign, what its codes and refusals mean (`facts/carriers-kuaidi100.md`, `carriers-states.csv`)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from carriers.base import Question
from carriers.kuaidi100 import Kuaidi100, signature
from domain.history import merge
from domain.journey import condense
from domain.orders import Waybill
from domain.remote import (
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Secret,
    Throttled,
    Unavailable,
    Unreadable,
    rehearse,
)
from domain.tracking import (
    Answer,
    DeliveredKind,
    ExceptionKind,
    Milestone,
    Motion,
    TrackingEvent,
)

M, X, D = Milestone, ExceptionKind, DeliveredKind
FACTS = Path(__file__).parents[2].parent / "shared" / "facts"
GIVEN = FACTS / "samples" / "kuaidi100"
NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
SILENT = "一句谁也不懂的话"
Ask = Callable[..., Answer]


def row(
    context: str, code: str | None = None, time: str = "2026-05-08 10:00:00", **more: Any
) -> dict[str, Any]:
    return {"time": time, "ftime": time, "context": context, **({"statusCode": code} if code else {}), **more}


def reply(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"message": "ok", "nu": "YT9000000000001", "com": "yuantong", "status": "200", "state": "0"}
    return {**body, "data": list(rows), **more}


def event(ask: Ask, context: str, code: str | None = None, **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return ask("kuaidi100", reply(row(context, code, **more))).events[0]


class TestAsking:
    ACCOUNT = Kuaidi100(Secret("CUSTOMERDEMO0001"), Secret("KEYdemo12345"))

    def asked(self, question: Question, account: Kuaidi100 = ACCOUNT) -> dict[str, str]:
        request = next(account.ask([question], NOW))
        return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}

    def test_the_worked_example(self) -> None:
        form = self.asked(Question(Waybill("yuantong", "YT8812345678901"), Secret("0036")))
        assert form == {
            "customer": "CUSTOMERDEMO0001",
            "param": '{"com":"yuantong","num":"YT8812345678901","phone":"0036",'
            '"resultv2":"4","show":"0","order":"desc"}',
            "sign": "2A8BDFB6CC6436B40B086EA5E36AE671",
        }

    def test_the_worked_example_in_chinese(self) -> None:
        param = (
            '{"com":"shunfeng","num":"SF1390001112223","phone":"0036","from":"广东省深圳市南山区",'
            '"to":"北京市海淀区","resultv2":"8"}'
        )
        assert signature(param, "KEYdemo12345", "CUSTOMERDEMO0001") == "4B82683530EA68D526E3F6F4EE5FE73F"

    def test_what_is_not_known_is_not_sent(self) -> None:
        param = json.loads(self.asked(Question(Waybill("yunda", "432100000000001")))["param"])
        assert list(param) == ["com", "num", "resultv2", "show", "order"]

    def test_places_stand_where_the_example_has_them_unescaped(self) -> None:
        question = Question(
            Waybill("shunfeng", "SF1390001112223"), Secret("0036"), "浙江省湖州市", "四川省绵阳市"
        )
        param = self.asked(question)["param"]
        assert list(json.loads(param)) == ["com", "num", "phone", "from", "to", "resultv2", "show", "order"]
        assert '"from":"浙江省湖州市","to":"四川省绵阳市"' in param

    def test_the_address_can_be_pointed_elsewhere(self) -> None:
        account = Kuaidi100(Secret("c"), Secret("k"), base_url="http://127.0.0.1:9/")
        request = next(account.ask([Question(Waybill("yunda", "432100000000001"))], NOW))
        assert (request.method, request.url) == ("POST", "http://127.0.0.1:9/poll/query.do")
        assert request.headers["Content-Type"].startswith("application/x-www-form-urlencoded")

    def test_the_documented_limits(self) -> None:
        limits = self.ACCOUNT.ceilings
        assert limits.per_waybill_interval == timedelta(minutes=30)
        assert limits.per_waybill_daily == 48

    def test_which_carriers_check_the_phone(self) -> None:
        checked = [
            key
            for key in (
                "shunfeng",
                "shunfengkuaiyun",
                "zhongtong",
                "zhongtongkuaiyun",
                "fengwang",
                "yuantong",
            )
            if self.ACCOUNT.needs_phone(key)
        ]
        assert checked == ["shunfeng", "shunfengkuaiyun", "zhongtongkuaiyun", "fengwang"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "message", "expected"),
        [
            ("400", "找不到对应公司", Rejected),
            ("400", "账号未充值", Denied),
            ("400", "该功能未开通，请联系客服", Denied),
            ("400", "余额不足", Denied),
            # says both: one bad number must not stop the account
            ("400", "提交的数据不完整，或者贵公司没授权", Rejected),
            ("408", "快递公司参数异常：验证码错误", Rejected),
            ("501", "服务器错误", Unavailable),
            ("502", "服务器繁忙，请稍后再试", Unavailable),
            ("503", "验证签名失败", Denied),
            ("504", "查询太频繁", Throttled),
            ("601", "KEY已过期", Denied),
            ("777", "从未见过", Unreadable),
        ],
    )
    @pytest.mark.parametrize("as_number", [False, True])
    def test_return_codes(
        self, code: str, message: str, expected: type[RemoteError], as_number: bool, ask: Ask
    ) -> None:
        said = int(code) if as_number else code
        with pytest.raises(RemoteError) as told:
            ask("kuaidi100", {"result": False, "returnCode": said, "message": message})
        assert type(told.value) is expected
        assert message in str(told.value), "the provider's words help whoever acts"

    def test_a_missing_phone_is_asked_for_in_plain_words(self, ask: Ask) -> None:
        with pytest.raises(Rejected, match="需要收/寄件人手机号后四位"):
            ask("kuaidi100", {"result": False, "returnCode": "408", "message": "验证码错误"})

    def test_too_frequent_rests_one_number_and_not_the_account(self, ask: Ask) -> None:
        with pytest.raises(Throttled) as told:
            ask("kuaidi100", {"result": False, "returnCode": "504", "message": "频繁"})
        assert told.value.wait == timedelta(minutes=30)
        assert not told.value.closes

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"result": False, "returnCode": "500", "message": "查询无结果"}, id="500"),
            pytest.param(
                {"status": "201", "message": "单号不存在或者已经过期", "nu": "", "data": []}, id="old 201"
            ),
            pytest.param({"status": "500", "message": "无结果", "data": []}, id="old 500"),
            pytest.param(reply(), id="success without rows: state 0 is no milestone"),
        ],
    )
    def test_no_result_is_an_answer(self, body: dict[str, Any], ask: Ask) -> None:
        answer = ask("kuaidi100", body)
        assert answer.events == ()
        assert answer.remark

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(reply(row("已揽收", "1"), nu="YT9999999999999"), id="another number"),
            pytest.param(reply(row("已揽收", "1", time="昨天")), id="no row has a time"),
            pytest.param(reply(row(7, "1")), id="words are a number"),  # type: ignore[arg-type]
            pytest.param({**reply(), "data": {"time": "x"}}, id="data is an object"),
            pytest.param({**reply(row("已揽收", "1")), "status": "201"}, id="no result, with rows"),
            pytest.param({**reply(row("已揽收", "1")), "result": False}, id="success and failure"),
            pytest.param({"result": False, "message": "没有代码"}, id="no code"),
        ],
    )
    def test_what_contradicts_itself_is_unreadable(self, body: dict[str, Any], ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("kuaidi100", body)

    def test_one_parcel_of_a_jd_order_is_the_same_number(self, ask: Ask) -> None:
        body = reply(row("货物已交付京东物流", "1"), nu="JDVC00000000001", com="jd")
        assert len(ask("kuaidi100", body, "jd/JDVC00000000001-1-1-").events) == 1


CODES: dict[str, tuple[Milestone, set[ExceptionKind]]] = {
    "101": (M.LABEL_CREATED, set()),
    "102": (M.LABEL_CREATED, set()),
    "1": (M.PICKED_UP, set()),
    "103": (M.PICKED_UP, set()),
    "0": (M.IN_TRANSIT, set()),
    "1002": (M.IN_TRANSIT, set()),
    "1003": (M.IN_TRANSIT, {X.FORWARDED}),
    "1001": (M.ARRIVED_DEST_CITY, set()),
    "5": (M.OUT_FOR_DELIVERY, set()),
    "501": (M.READY_FOR_COLLECTION, set()),
    "3": (M.DELIVERED, set()),
    "301": (M.DELIVERED, set()),
    "302": (M.DELIVERED, set()),
    "303": (M.DELIVERED, set()),
    "304": (M.DELIVERED, set()),
    "6": (M.RETURNING, set()),
    "4": (M.RETURNED, set()),
    "401": (M.CANCELLED, set()),
    "210": (M.CANCELLED, set()),
    "14": (M.DELIVERY_FAILED, {X.REFUSED}),
    "203": (M.DELIVERY_FAILED, {X.REFUSED}),
    "7": (M.IN_TRANSIT, {X.FORWARDED}),
    "2": (M.UNKNOWN, {X.HELD}),
    "201": (M.UNKNOWN, set()),
    "202": (M.UNKNOWN, set()),
    "205": (M.UNKNOWN, set()),
    "204": (M.DELIVERY_FAILED, set()),
    "206": (M.UNKNOWN, {X.CONTACT_FAILURE}),
    "207": (M.UNKNOWN, {X.OUT_OF_AREA}),
    "208": (M.UNKNOWN, {X.HELD}),
    "209": (M.UNKNOWN, {X.DAMAGED}),
    "8": (M.IMPORT_CUSTOMS, set()),
    "10": (M.IMPORT_CUSTOMS, set()),
    "11": (M.IMPORT_CUSTOMS, set()),
    "12": (M.CUSTOMS_CLEARED, set()),
    "13": (M.IMPORT_CUSTOMS, {X.CUSTOMS_EXCEPTION}),
}


def documented() -> list[tuple[str, str]]:
    """Code and name of every row state in the facts."""
    table = FACTS / "carriers-states.csv"
    if not table.exists():
        return []
    with table.open(encoding="utf-8") as lines:
        rows = [
            r
            for r in csv.DictReader(lines)
            if (r["provider"], r["field"]) == ("kuaidi100", "state/statusCode")
        ]
    return [(r["code"], r["name"]) for r in rows]


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        """Words that say nothing leave it to the code; 201, 202 and 205 are clocks and prove no scan."""
        told = event(ask, SILENT, code)
        assert (told.milestone, set(told.exceptions)) == CODES[code]
        assert told.code == code

    @pytest.mark.parametrize(("code", "name"), documented())
    def test_every_documented_code_is_known_by_number_and_by_name(
        self, code: str, name: str, ask: Ask
    ) -> None:
        answer = ask("kuaidi100", reply(row(SILENT, code), row(SILENT, status=name)))
        assert not [said for said in answer.unknown_codes if not said.startswith("context")]
        by_code, by_name = answer.events
        assert (by_name.milestone, by_name.exceptions) == (by_code.milestone, by_code.exceptions)
        assert code in CODES

    @pytest.mark.parametrize(
        ("code", "kind"), [("3", None), ("301", D.SELF), ("302", None), ("303", D.AGENT), ("304", D.STATION)]
    )
    def test_who_signed_by_code(self, code: str, kind: DeliveredKind | None, ask: Ask) -> None:
        assert event(ask, SILENT, code).delivered_kind is kind

    @pytest.mark.parametrize(
        ("code", "words", "milestone", "exceptions"),
        [
            pytest.param("0", "快件到达 【成都转运中心】", M.IN_TRANSIT, set(), id="0: by its words"),
            pytest.param("0", "已下单，等待揽收", M.LABEL_CREATED, set(), id="0 on a label is no movement"),
            pytest.param(
                "0", "客户要求改约时间", M.UNKNOWN, {X.RESCHEDULED}, id="0 on a remark is no movement"
            ),
            pytest.param("0", "预计明日送达", M.UNKNOWN, set(), id="0 on a forecast is no movement"),
            pytest.param("0", "快件已存放至菜鸟驿站", M.READY_FOR_COLLECTION, set(), id="0 on a storage row"),
            pytest.param(
                "1002", "快件已存放至菜鸟驿站", M.READY_FOR_COLLECTION, set(), id="trunk on a storage row"
            ),
            pytest.param(
                "1001", "已放入快递柜，取件码已发送", M.READY_FOR_COLLECTION, set(), id="1001 on a locker"
            ),
            pytest.param(
                "5", "已暂存至丰巢快递柜，请凭取件码取件", M.READY_FOR_COLLECTION, set(), id="5 on a locker"
            ),
            pytest.param(
                "3",
                "快件已由菜鸟驿站代收，请及时取件",
                M.READY_FOR_COLLECTION,
                set(),
                id="station's signature",
            ),
            pytest.param("303", "已由兔喜超市第三方签收", M.READY_FOR_COLLECTION, set(), id="third party"),
            pytest.param("3", "退回件已由寄件人签收", M.RETURNED, set(), id="the shipper signed"),
            pytest.param(
                "1001", "[涪城服务部]到达目的地网点", M.AT_DELIVERY_STATION, set(), id="1001: the outlet"
            ),
            pytest.param("5", "快件到达 【成都转运中心】", M.OUT_FOR_DELIVERY, set(), id="codes beat words"),
            pytest.param(
                "3", "派件不成功，无人接听", M.DELIVERED, {X.CONTACT_FAILURE}, id="words add trouble"
            ),
            pytest.param("204", "地址超区,无法派送", M.DELIVERY_FAILED, {X.OUT_OF_AREA}, id="words say why"),
            pytest.param("202", "快件到达 【成都转运中心】", M.IN_TRANSIT, set(), id="a clock on an old row"),
            pytest.param(
                "206", "派送未成功，原因：无人接听", M.DELIVERY_FAILED, {X.CONTACT_FAILURE}, id="206"
            ),
            pytest.param(
                "208", "快件到达 【成都转运中心】", M.IN_TRANSIT, set(), id="held, put on an old scan"
            ),
            pytest.param("208", "问题件，快件滞留", M.UNKNOWN, {X.HELD}, id="held, and says so"),
            pytest.param("777", "快件已签收，外包装破损", M.UNKNOWN, {X.DAMAGED}, id="unknown code"),
            pytest.param(None, "快件已签收", M.DELIVERED, set(), id="no code: by its words"),
        ],
    )
    def test_codes_and_words(
        self, code: str | None, words: str, milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        told = event(ask, words, code)
        assert (told.milestone, set(told.exceptions)) == (milestone, exceptions)

    def test_a_clock_on_an_old_scan_takes_no_movement_back(self, ask: Ask) -> None:
        for code in ("202", "208"):
            assert event(ask, "快件离开【杭州分拨中心】", code).moves

    @pytest.mark.parametrize(("code", "counted"), [("777", ["statusCode 777"]), ("5", [])])
    def test_an_unknown_code_is_counted_once(self, code: str, counted: list[str], ask: Ask) -> None:
        answer = ask(
            "kuaidi100", reply(row("正在派件", code), row("正在派件", code, time="2026-05-08 11:00:00"))
        )
        assert list(answer.unknown_codes) == counted

    def test_hostile_codes_do_not_fill_the_answer(self, ask: Ask) -> None:
        rows = [row("正在派件", f"{n}" * 50) for n in range(10, 99)]
        answer = ask("kuaidi100", reply(*rows))
        assert len(answer.unknown_codes) == 20
        assert max(map(len, answer.unknown_codes)) < 60
        assert len(answer.events) == 89

    @pytest.mark.parametrize(
        ("state", "words", "milestone"),
        [
            ("3", SILENT, M.DELIVERED),
            ("3", "快件已存放至菜鸟驿站", M.READY_FOR_COLLECTION),
            ("0", SILENT, M.UNKNOWN),
            ("202", SILENT, M.UNKNOWN),
        ],
    )
    def test_the_parcels_own_state_counts_only_where_rows_have_none_and_words_are_silent(
        self, state: str, words: str, milestone: Milestone, ask: Ask
    ) -> None:
        old = row(SILENT, time="2026-05-07 10:00:00")
        answer = ask("kuaidi100", reply(row(words), old, state=state))
        assert [told.milestone for told in answer.events] == [M.UNKNOWN, milestone]


class TestRows:
    def test_times_are_beijings(self, ask: Ask) -> None:
        told = event(ask, "已揽收", "1", time="2026-05-08 07:59:59")
        assert told.occurred_at == datetime(2026, 5, 7, 23, 59, 59, tzinfo=UTC)

    def test_the_future_is_kept(self, ask: Ask) -> None:
        assert event(ask, "已揽收", "1", time="2031-01-01 00:00:00").occurred_at.year == 2030

    def test_a_row_without_a_time_is_counted_and_withdraws_nothing(self, ask: Ask) -> None:
        answer = ask("kuaidi100", reply(row("已揽收", "1"), row("已到达", "0", time="0000-00-00 00:00:00")))
        assert len(answer.events) == 1
        assert answer.unknown_codes == ("time 0000-00-00 00:00:00",)
        assert not answer.whole

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_rows_of_one_second_keep_their_order(self, newest_first: bool, ask: Ask) -> None:
        told = ["已到达甲", "已到达乙", "已到达丙"]
        rows = [row("已揽收", "1", time="2026-05-07 10:00:00"), *(row(words, "1002") for words in told)]
        answer = ask("kuaidi100", reply(*(reversed(rows) if newest_first else rows)))
        assert [e.text for e in answer.events] == ["已揽收", *told]

    def test_a_track_of_one_second_is_newest_first_as_asked(self, ask: Ask) -> None:
        answer = ask("kuaidi100", reply(row("已到达乙", "1002"), row("已到达甲", "1002")))
        assert [e.text for e in answer.events] == ["已到达甲", "已到达乙"]

    def test_within_a_second_the_milestone_comes_first(self, ask: Ask) -> None:
        rows = [row("正在派件", "5"), row("已签收", "3"), row("已揽收", "1", time="2026-05-07 10:00:00")]
        assert [e.code for e in ask("kuaidi100", reply(*rows)).events] == ["1", "5", "3"]

    def test_text_is_masked_and_clean(self, ask: Ask) -> None:
        told = event(ask, "派件员\u202e赵敏 159\u200b12340036\x00 正在派件" + "啦" * 600, "5")
        assert told.text.startswith("派件员赵敏 159******36 正在派件啦")
        assert len(told.text) == 500
        assert told.courier == "赵*"

    def test_missing_words_are_the_name_of_the_state(self, ask: Ask) -> None:
        body = reply({"time": "2026-05-08 10:00:00", "context": None, "status": "签收", "statusCode": "3"})
        assert ask("kuaidi100", body).events[0].text == "签收"

    @pytest.mark.parametrize(
        ("com", "corrected", "counted"),
        [
            ("yuantong", "", ()),
            ("", "", ()),
            (None, "", ()),
            ("ZhongTong", "zhongtong", ()),
            ("<script>", "", ("com <script>",)),
        ],
    )
    def test_the_carrier_it_found_instead(
        self, com: str | None, corrected: str, counted: tuple[str, ...], ask: Ask
    ) -> None:
        answer = ask("kuaidi100", reply(row("已揽收", "1"), com=com))
        assert (answer.carrier, answer.corrected_carrier) == ("yuantong", corrected)
        assert answer.unknown_codes == counted


# what a person reads in `facts/samples/kuaidi100`, by `facts/samples/carriers-index.md`: oldest first
ON_THE_WAY = [M.PICKED_UP, M.IN_TRANSIT, M.IN_TRANSIT, M.IN_TRANSIT, M.IN_TRANSIT]
AT_THE_DOOR = [*ON_THE_WAY, M.IN_TRANSIT, M.ARRIVED_DEST_CITY, M.OUT_FOR_DELIVERY]
READ: dict[str, list[Milestone]] = {
    "reply_query_plain": [M.PICKED_UP, M.IN_TRANSIT, M.IN_TRANSIT],
    "reply_query_area": [M.PICKED_UP, M.IN_TRANSIT],
    "reply_advanced_in_transit": ON_THE_WAY,
    "reply_eta": ON_THE_WAY,
    "reply_advanced_out_for_delivery": AT_THE_DOOR,
    "reply_advanced_locker": [*AT_THE_DOOR, M.READY_FOR_COLLECTION],
    "reply_advanced_signed_from_locker": [*AT_THE_DOOR, M.READY_FOR_COLLECTION, M.DELIVERED],
    "reply_advanced_signed_in_person": [*AT_THE_DOOR, M.DELIVERED],
    "reply_advanced_signed_same_second_twice": [M.PICKED_UP, M.OUT_FOR_DELIVERY, M.DELIVERED, M.DELIVERED],
    "reply_advanced_no_contact": [M.PICKED_UP, M.OUT_FOR_DELIVERY, M.DELIVERY_FAILED],
    "reply_advanced_damaged": [M.PICKED_UP, M.IN_TRANSIT],
    "reply_advanced_stale": [M.PICKED_UP, M.IN_TRANSIT],
    "reply_advanced_refused_returning": [M.PICKED_UP, M.OUT_FOR_DELIVERY, M.DELIVERY_FAILED, M.RETURNING],
    "reply_advanced_returned_signed": [M.PICKED_UP, M.DELIVERY_FAILED, M.RETURNING, M.RETURNED],
    "reply_advanced_cancelled": [M.LABEL_CREATED, M.CANCELLED],
    "reply_advanced_registered": [M.LABEL_CREATED],
    "reply_advanced_forwarded": [M.PICKED_UP, M.IN_TRANSIT],
    "reply_advanced_customs": [M.PICKED_UP, M.IMPORT_CUSTOMS, M.IMPORT_CUSTOMS],
    "reply_missing_pickup": [M.IN_TRANSIT, M.IN_TRANSIT],
    "poll_1_before_edit": [M.PICKED_UP, M.IN_TRANSIT],
    "poll_2_after_edit_and_late_scan": [M.PICKED_UP, M.IN_TRANSIT, M.IN_TRANSIT],
    "error_500": [],
    "error_old_style_no_result": [],
}
REFUSED: dict[str, type[RemoteError]] = {
    "error_400": Rejected,
    "error_408": Rejected,
    "error_501": Unavailable,
    "error_502": Unavailable,
    "error_503": Denied,
    "error_601": Denied,
}
TROUBLE: dict[str, set[ExceptionKind]] = {
    "reply_advanced_no_contact": {X.CONTACT_FAILURE},
    "reply_advanced_damaged": {X.DAMAGED},
    "reply_advanced_refused_returning": {X.REFUSED},
    "reply_advanced_forwarded": {X.FORWARDED},
    "reply_advanced_customs": {X.CUSTOMS_EXCEPTION},
}
OTHER_CALLS = ("push_", "request_", "autonumber_", "reply_subscribe_", "reply_eta_service")


def given() -> list[str]:
    """The names of the query replies among the facts' samples."""
    return [path.stem for path in sorted(GIVEN.glob("*.json")) if not path.stem.startswith(OTHER_CALLS)]


def read_given(name: str) -> Answer:
    content = (GIVEN / f"{name}.json").read_bytes()
    body = json.loads(content)
    waybill = Waybill(body.get("com") or "yuantong", body.get("nu") or "YT8812345678901")
    account = Kuaidi100(Secret("c"), Secret("k"))
    return rehearse(account.ask([Question(waybill)], NOW), lambda request: Reply(200, content))[0]


@pytest.mark.parametrize("name", given())
def test_the_given_samples(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(REFUSED[name]):
            read_given(name)
        return
    answer = read_given(name)
    assert [told.milestone for told in answer.events] == READ[name]
    assert answer.unknown_codes == ()
    assert answer.whole
    journey = condense(answer.events)
    assert {found.kind for found in journey.exceptions} == TROUBLE.get(name, set())


with_the_facts = pytest.mark.skipif(not GIVEN.exists(), reason="the facts are not here")


@with_the_facts
class TestGivenStories:
    def test_an_edit_a_shortened_text_and_a_late_scan(self) -> None:
        first = merge([], read_given("poll_1_before_edit"), NOW)
        change = merge(first.added, read_given("poll_2_after_edit_and_late_scan"), NOW)
        assert [stored.event.occurred_at.hour for stored in change.added] == [17]
        assert len(change.edited) == 2
        assert not change.withdrawn

    def test_signed_and_thanked_in_one_second(self) -> None:
        journey = condense(read_given("reply_advanced_signed_same_second_twice").events)
        assert journey.delivered_kind is D.RECEPTION
        assert journey.last_text.endswith("签收人：前台")

    def test_a_stale_code_leaves_the_old_scan_a_departure(self) -> None:
        journey = condense(read_given("reply_advanced_stale").events)
        assert journey.last_movement_at == datetime(2026, 2, 23, 19, 20, 18, tzinfo=UTC)
        assert journey.next_stop == "北京分拨中心"

    def test_a_missing_pickup(self) -> None:
        answer = read_given("reply_missing_pickup")
        assert condense(answer.events).first[M.PICKED_UP] == answer.events[0].occurred_at
        assert [told.motion for told in answer.events] == [Motion.DEPARTED, Motion.ARRIVED]

    def test_returned_though_ischeck_says_signed(self) -> None:
        journey = condense(read_given("reply_advanced_returned_signed").events)
        assert journey.milestone is M.RETURNED
        assert M.DELIVERED not in journey.first
