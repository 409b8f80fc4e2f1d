"""Every reply, error, poll and push among `facts/samples`, read by the real adapter and held to what the facts say.

The table is written from `carriers-index.md`, the carriers' pages and `carriers-states.csv`, not from what the code
answers. A file of a kind that has an adapter and no line here fails; so does a line without its file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlencode

import pytest

from carriers.aftership import AfterShip
from carriers.base import Provider, Question, Recogniser, kinds
from carriers.cainiao import Cainiao
from carriers.deppon import Deppon
from carriers.ems import Ems
from carriers.jdl import Jdl
from carriers.jt import Jt
from carriers.kdniao import Kdniao
from carriers.kuaidi100 import Kuaidi100
from carriers.push import AGAIN, Delivery, Doorman, End, Push, Pusher, Subscribed, Subscriber
from carriers.sf import Sf
from carriers.sto import Sto
from carriers.track17 import Track17
from carriers.trackingmore import TrackingMore
from carriers.yto import Yto
from carriers.yunda import Yunda
from carriers.zto import Zto
from domain.history import Stored, merge
from domain.journey import Journey, condense
from domain.orders import Waybill
from domain.remote import (
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Throttled,
    Unavailable,
    Unreadable,
    rehearse,
)
from domain.time import SHANGHAI
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone

FACTS: Final = Path(__file__).parents[2].parent / "shared" / "facts" / "samples"
pytestmark = pytest.mark.skipif(not FACTS.exists(), reason="the facts are not at hand")

M, X, K = Milestone, ExceptionKind, DeliveredKind
NOW = datetime(2026, 3, 12, 16, 0, tzinfo=UTC)
PATTERNS = ("reply_", "error_", "poll_", "push_")

ACCOUNTS: Final[dict[str, Provider]] = {
    "kuaidi100": Kuaidi100(Secret("CUSTOMERDEMO0001"), Secret("KEYdemo12345"), salt=Secret("saltdemo")),
    "kdniao": Kdniao("1000000", Secret("appkey-demo-0001"), try_other_plan=False),
    "sf": Sf("DEMOPARTNER", Secret("checkword-demo-0123456789abcdef")),
    "zto": Zto("zto-app", Secret("zto-secret-demo")),
    "yto": Yto("DEMOCODE", Secret("yto-secret-demo"), path="DEMOPATH"),
    "sto": Sto("STOAPP", Secret("sto-secret-demo")),
    "yunda": Yunda("yunda-app", Secret("yunda-secret-demo")),
    "jt": Jt("100000000000000000", Secret("jt-private-key-demo")),
    "jdl": Jdl("jdl-app-demo", Secret("jdl-secret-demo"), Secret("jdl-token-demo"), "010K000001"),
    "ems": Ems("1100000000000", Secret("authorization-demo"), Secret("MDEyMzQ1Njc4OWFiY2RlZg==")),
    "deppon": Deppon("DEPPON", Secret("deppon-appkey-demo")),
    "cainiao": Cainiao(),
    "track17": Track17(Secret("17TRACKDEMOKEY0000000000000000AA")),
    "aftership": AfterShip(Secret("as-key-demo"), webhook_secret=Secret("aftership-webhook-secret-demo")),
    "trackingmore": TrackingMore(Secret("tm-key-demo")),
}
UNSIGNED: Final = Kdniao("1000000", Secret("appkey-demo-0001"), try_other_plan=False, unsigned_pushes=True)
"""An account from before 4.0.1, whose pushes carry no signature."""

OF_KIND: Final = {
    "sf": "shunfeng",
    "zto": "zhongtong",
    "yto": "yuantong",
    "sto": "shentong",
    "yunda": "yunda",
    "jt": "jtexpress",
    "jdl": "jd",
    "ems": "ems",
    "deppon": "debangkuaidi",
    "cainiao": "zhongtong",
    "track17": "youzhengguoji",
    "aftership": "youzhengguoji",
    "trackingmore": "youzhengguoji",
}
"""Whose parcels the samples of a kind are about, where it is always the same carrier's."""


# ── what a file may be ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Track:
    """A parcel's scans: how many, what the newest is, what they amount to."""

    number: str
    events: int
    last: Milestone
    """Of the newest row."""
    state: Milestone | None = None
    """Of the parcel; as `last` where it is not said."""
    at: str = ""
    """The newest row in the carrier's words: Beijing time, or with an offset."""
    before: Milestone | None = None
    """Of the row before the newest."""
    troubles: frozenset[ExceptionKind] = frozenset()
    """The newest row tells of these, perhaps of more."""
    kind: DeliveredKind | None = None
    carrier: str = ""
    corrected: str = ""
    odd: Callable[[Answer, Journey], bool] = lambda answer, journey: True
    """What the index says of it beside that."""


@dataclass(frozen=True)
class Nothing:
    """Nothing known of the number: an answer."""

    number: str
    carrier: str = ""


@dataclass(frozen=True)
class Refused:
    """No answer, as who has to act."""

    error: type[RemoteError] | tuple[type[RemoteError], ...]
    number: str
    carrier: str = ""


@dataclass(frozen=True)
class Several:
    """One call about several numbers."""

    tracks: tuple[Track | Nothing, ...]


@dataclass(frozen=True)
class Call:
    """A reply that is one of several: what is heard in turn, `THIS` among it; the last is heard again."""

    script: tuple[object, ...]
    says: Track | Nothing | Refused | Several


@dataclass(frozen=True)
class Subscription:
    """The outcome of a subscription; None: it was taken."""

    error: type[RemoteError] | None
    number: str
    carrier: str


@dataclass(frozen=True)
class Pushed:
    """What comes to us."""

    tracks: tuple[Track | Nothing, ...]
    ended: tuple[End, ...] = ()
    account: Provider | None = None


@dataclass(frozen=True)
class Ours:
    """Our answer to the push of that name."""

    push: str
    again: bool = False
    """The one that asks for it once more."""
    form: Callable[[Any], object] = field(default=lambda body: body)


@dataclass(frozen=True)
class Recognised:
    """Whose number it is."""

    number: str
    carriers: tuple[str, ...]


@dataclass(frozen=True)
class NotRead:
    """Nobody reads it here, and why."""

    why: str


Says: TypeAlias = (
    Track | Nothing | Refused | Several | Call | Subscription | Pushed | Ours | Recognised | NotRead
)
THIS: Final = object()

# ── the table ────────────────────────────────────────────────────────────────────────────────────

YT, ZT, SF, RR = "YT8812345678901", "75812345678901", "SF1390001112223", "RR000000005CN"
ST, YD, JT, JD, EM = (
    "773012345678901",
    "432100000000001",
    "JT0012345678901",
    "JDVC00000000001",
    "9800000000001",
)
DP = "DPK000000000001"


def yuantong(events: int, last: Milestone, number: str = YT, **more: Any) -> Track:
    return Track(number, events, last, carrier="yuantong", **more)


def zhongtong(events: int, last: Milestone, number: str = ZT, **more: Any) -> Track:
    return Track(number, events, last, carrier="zhongtong", **more)


def of(*troubles: ExceptionKind) -> frozenset[ExceptionKind]:
    return frozenset(troubles)


def collected(answer: Answer, journey: Journey) -> bool:
    return not answer.events[-1].area


def two_signatures_in_one_second(answer: Answer, journey: Journey) -> bool:
    one, two = answer.events[-2:]
    return (one.milestone, two.milestone) == (M.DELIVERED, M.DELIVERED) and one.occurred_at == two.occurred_at


def its_own_clock(answer: Answer, journey: Journey) -> bool:
    return answer.events[-1].overlaid and not answer.events[-1].exceptions


def no_pickup_row(answer: Answer, journey: Journey) -> bool:
    rows = {event.milestone for event in answer.events}
    return M.PICKED_UP not in rows and M.PICKED_UP in journey.first


def names_the_new_number(answer: Answer, journey: Journey) -> bool:
    return "SF1390009998887" in answer.events[-1].text


def is_still_at_the_door(answer: Answer, journey: Journey) -> bool:
    return X.HELD in {each.kind for each in journey.exceptions}


def signed_then_stored(answer: Answer, journey: Journey) -> bool:
    """Until it was collected, the storage takes the signature back."""
    meanwhile = condense(answer.events[:-1])
    troubles = {each.kind for each in meanwhile.exceptions}
    return meanwhile.milestone is M.READY_FOR_COLLECTION and X.SIGNED_THEN_STORED in troubles


def stands_still(answer: Answer, journey: Journey) -> bool:
    return not answer.events[-1].moves


def not_delivered(answer: Answer, journey: Journey) -> bool:
    return journey.milestone is not M.DELIVERED and not journey.over


def has_trouble(answer: Answer, journey: Journey) -> bool:
    return bool(answer.events[-1].exceptions)


def refused_then_returned(answer: Answer, journey: Journey) -> bool:
    return X.REFUSED in answer.events[-2].exceptions


def unreachable_then_returned(answer: Answer, journey: Journey) -> bool:
    return X.CONTACT_FAILURE in answer.events[-2].exceptions


def read_by_17track(answer: Answer, journey: Journey) -> bool:
    return answer.read_at == datetime(2026, 3, 12, 16, 0, tzinfo=UTC)


def three_precisions(answer: Answer, journey: Journey) -> bool:
    return [event.written for event in answer.events] == ["", "2026-03-10T09:12:00", "2026-03-12"]


EMPTY_LIST = {"meta": {"code": 200}, "data": {"trackings": []}}
NOT_THERE = {"meta": {"code": 200}, "data": []}
CREATED = {"meta": {"code": 200}, "data": {"tracking_number": RR, "delivery_status": "pending"}}

SAYS: Final[dict[str, Says]] = {
    # 快递100
    "kuaidi100/reply_query_plain": yuantong(3, M.IN_TRANSIT, at="2026-03-03 04:41:10"),
    "kuaidi100/reply_query_area": yuantong(2, M.IN_TRANSIT, before=M.PICKED_UP),
    "kuaidi100/reply_advanced_in_transit": yuantong(5, M.IN_TRANSIT, at="2026-03-04 22:18:09"),
    "kuaidi100/reply_advanced_out_for_delivery": yuantong(8, M.OUT_FOR_DELIVERY, at="2026-03-05 10:42:31"),
    "kuaidi100/reply_advanced_locker": yuantong(9, M.READY_FOR_COLLECTION, before=M.OUT_FOR_DELIVERY),
    "kuaidi100/reply_advanced_signed_from_locker": yuantong(
        10, M.DELIVERED, before=M.READY_FOR_COLLECTION, odd=collected
    ),
    "kuaidi100/reply_advanced_signed_in_person": yuantong(9, M.DELIVERED, kind=K.SELF),
    "kuaidi100/reply_advanced_signed_same_second_twice": zhongtong(
        4, M.DELIVERED, at="2026-03-05 11:31:02", odd=two_signatures_in_one_second
    ),
    "kuaidi100/reply_advanced_no_contact": zhongtong(3, M.DELIVERY_FAILED, troubles=of(X.CONTACT_FAILURE)),
    "kuaidi100/reply_advanced_damaged": Track(
        ST, 2, M.IN_TRANSIT, carrier="shentong", troubles=of(X.DAMAGED), odd=stands_still
    ),
    "kuaidi100/reply_advanced_stale": Track(YD, 2, M.IN_TRANSIT, carrier="yunda", odd=its_own_clock),
    "kuaidi100/reply_advanced_refused_returning": zhongtong(4, M.RETURNING, odd=refused_then_returned),
    "kuaidi100/reply_advanced_returned_signed": zhongtong(4, M.RETURNED, before=M.RETURNING),
    "kuaidi100/reply_advanced_cancelled": yuantong(2, M.CANCELLED, "YT8812345678902"),
    "kuaidi100/reply_advanced_registered": yuantong(1, M.LABEL_CREATED, "YT8812345678903"),
    "kuaidi100/reply_advanced_forwarded": yuantong(
        2, M.IN_TRANSIT, "YT8812345678904", troubles=of(X.FORWARDED)
    ),
    "kuaidi100/reply_advanced_customs": Track(
        "EE000000014CN", 3, M.IMPORT_CUSTOMS, carrier="emsguoji", troubles=of(X.CUSTOMS_EXCEPTION)
    ),
    "kuaidi100/reply_missing_pickup": Track(
        "432100000000002", 2, M.IN_TRANSIT, carrier="yunda", odd=no_pickup_row
    ),
    "kuaidi100/reply_eta": yuantong(5, M.IN_TRANSIT),
    "kuaidi100/reply_eta_service": NotRead("nobody asks for an estimate"),
    "kuaidi100/poll_1_before_edit": zhongtong(2, M.IN_TRANSIT, "75812345678905"),
    "kuaidi100/poll_2_after_edit_and_late_scan": zhongtong(3, M.IN_TRANSIT, "75812345678905"),
    "kuaidi100/error_400": Refused(Rejected, YT, "yuantong"),
    "kuaidi100/error_408": Refused(Rejected, YT, "yuantong"),
    "kuaidi100/error_500": Nothing(YT, "yuantong"),
    "kuaidi100/error_501": Refused(Unavailable, YT, "yuantong"),
    "kuaidi100/error_502": Refused(Unavailable, YT, "yuantong"),
    "kuaidi100/error_503": Refused(Denied, YT, "yuantong"),
    "kuaidi100/error_601": Refused(Denied, YT, "yuantong"),
    "kuaidi100/error_old_style_no_result": Nothing(YT, "yuantong"),
    "kuaidi100/reply_subscribe_200": Subscription(None, ZT, "zhongtong"),
    "kuaidi100/reply_subscribe_501": Subscription(None, ZT, "zhongtong"),
    "kuaidi100/reply_subscribe_700": Subscription(Rejected, ZT, "zhongtong"),
    "kuaidi100/reply_subscribe_701": Subscription(Rejected, ZT, "zhongtong"),
    "kuaidi100/reply_subscribe_702": Subscription(Rejected, ZT, "zhongtong"),
    "kuaidi100/reply_subscribe_600": Subscription(Denied, ZT, "zhongtong"),
    "kuaidi100/reply_subscribe_601": Subscription(Denied, ZT, "zhongtong"),
    "kuaidi100/reply_subscribe_500": Subscription(Unavailable, ZT, "zhongtong"),
    "kuaidi100/push_polling": Pushed((zhongtong(2, M.OUT_FOR_DELIVERY, at="2026-03-05 08:40:11"),)),
    "kuaidi100/push_shutdown": Pushed((zhongtong(3, M.DELIVERED),), (End.DONE,)),
    "kuaidi100/push_abort_3_days": Pushed((Nothing(ZT, "zhongtong"),), (End.NO_RECORD,)),
    "kuaidi100/push_abort_60_days": Pushed((zhongtong(2, M.OUT_FOR_DELIVERY),), (End.SILENT,)),
    "kuaidi100/push_abort_wrong_carrier": Pushed((Nothing(YT, "zhongtong"),), (End.CORRECTED,)),
    "kuaidi100/push_polling_after_correction": Pushed(
        (zhongtong(5, M.IN_TRANSIT, YT, corrected="yuantong"),)
    ),
    "kuaidi100/push_updateall": Pushed((zhongtong(2, M.OUT_FOR_DELIVERY),)),
    "kuaidi100/push_reply_ok": Ours("push_polling"),
    "kuaidi100/push_reply_fail": Ours("push_polling", again=True),
    # 快递鸟
    "kdniao/reply_basic_in_transit": zhongtong(2, M.IN_TRANSIT, before=M.PICKED_UP),
    "kdniao/reply_advanced_out_for_delivery": zhongtong(4, M.OUT_FOR_DELIVERY, at="2026-03-05 08:40:11"),
    "kdniao/reply_advanced_locker": zhongtong(5, M.READY_FOR_COLLECTION),
    "kdniao/reply_advanced_delivered": zhongtong(5, M.DELIVERED, kind=K.SELF),
    "kdniao/reply_advanced_problem_no_contact": zhongtong(
        5, M.DELIVERY_FAILED, troubles=of(X.CONTACT_FAILURE)
    ),
    "kdniao/reply_advanced_problem_sticky": zhongtong(6, M.OUT_FOR_DELIVERY),
    "kdniao/reply_advanced_return_signed": zhongtong(6, M.RETURNED),
    "kdniao/reply_no_trace_success_true": Nothing("75812345678906", "zhongtong"),
    "kdniao/reply_no_trace_success_false": Nothing("75812345678906", "zhongtong"),
    "kdniao/reply_unsorted": Track(
        SF, 3, M.OUT_FOR_DELIVERY, carrier="shunfeng", at="2026-03-05 07:20:10", before=M.IN_TRANSIT
    ),
    "kdniao/error_plan": Refused(Denied, ZT, "zhongtong"),
    "kdniao/error_sign": Refused(Denied, ZT, "zhongtong"),
    "kdniao/error_shipper": Refused(Rejected, ZT, "zhongtong"),
    "kdniao/error_phone": Refused(Rejected, ZT, "zhongtong"),
    "kdniao/reply_subscribe_ok": Subscription(None, SF, "shunfeng"),
    "kdniao/reply_subscribe_error": Subscription(Rejected, SF, "shunfeng"),
    "kdniao/push_102": Pushed((zhongtong(5, M.DELIVERED, kind=K.SELF), Nothing(SF, "shunfeng"))),
    "kdniao/push_101": Pushed((Track(YD, 1, M.PICKED_UP, carrier="yunda"),), account=UNSIGNED),
    "kdniao/push_reply": Ours("push_102", form=lambda body: {**body, "UpdateTime": ""}),
    "kdniao/reply_recognise_2002": Recognised(ZT, ("zhongtong",)),
    "kdniao/reply_recognise_none": Recognised("0000", ()),
    # 顺丰
    "sf/reply_routes_delivered": Several(
        (Track(SF, 9, M.DELIVERED, at="2026-03-04 10:51:41", before=M.DELIVERED), Nothing("SF1390001112224"))
    ),
    "sf/reply_routes_delivered_decoded": NotRead("the same with its inner text decoded, for reading"),
    "sf/reply_routes_delivery_failed_then_kept": Track(
        "SF1390001112225", 8, M.UNKNOWN, M.DELIVERY_FAILED, odd=is_still_at_the_door
    ),
    "sf/reply_routes_returned_new_number": Track(
        "SF1390001112226", 3, M.RETURNING, before=M.RETURNING, odd=names_the_new_number
    ),
    "sf/reply_routes_locker": Track("SF1390001112227", 9, M.DELIVERED, before=M.READY_FOR_COLLECTION),
    "sf/reply_business_too_many": Call(
        (THIS, "reply_routes_delivered"),
        Several((Track(SF, 9, M.DELIVERED), Nothing("SF1390001112224"))),
    ),
    "sf/error_A1001": Refused(Denied, SF),
    "sf/error_A1002": Refused(Unavailable, SF),
    "sf/error_A1003": Refused(Denied, SF),
    "sf/error_A1004": Refused(Denied, SF),
    "sf/error_A1005": Refused(Throttled, SF),
    "sf/error_A1006": Refused(Denied, SF),
    "sf/error_A1007": Call((THIS, "reply_routes_delivered"), Track(SF, 9, M.DELIVERED)),
    "sf/error_A1009": Refused(Unavailable, SF),
    "sf/error_A1099": Refused(Unavailable, SF),
    "sf/reply_oauth_token": NotRead("every call is signed with the digest, no token is fetched"),
    "sf/push_route": Pushed(
        (
            Track(SF, 2, M.OUT_FOR_DELIVERY, at="2026-03-04 08:12:45", before=M.IN_TRANSIT),
            Track("SF1390001112225", 1, M.DELIVERY_FAILED, at="2026-03-04 12:30:00"),
        )
    ),
    "sf/push_route_xml_form": Pushed((Track(SF, 1, M.OUT_FOR_DELIVERY, at="2026-03-04 08:12:45"),)),
    "sf/push_reply_ok": Ours("push_route"),
    "sf/push_reply_retry": Ours("push_route", again=True),
    "sf/push_reply_xml": Ours("push_route_xml_form", form=lambda body: body["ok"]),
    # 中通
    "zto/reply_delivered": Track(ZT, 5, M.DELIVERED, at="2026-03-05 11:31:02"),
    "zto/reply_station": Track(ZT, 6, M.DELIVERED, before=M.READY_FOR_COLLECTION),
    "zto/reply_signed_before_delivery_scan": Track(ZT, 6, M.OUT_FOR_DELIVERY, M.DELIVERED),
    "zto/reply_signed_then_stored": Track(ZT, 7, M.DELIVERED, odd=signed_then_stored),
    "zto/reply_problem": Track(ZT, 5, M.UNKNOWN, M.OUT_FOR_DELIVERY, odd=has_trouble),
    "zto/reply_empty": Nothing(ZT),
    "zto/error_sign": Refused(Denied, ZT),
    # 圆通
    "yto/reply_delivered": Track(YT, 6, M.DELIVERED, before=M.READY_FOR_COLLECTION, at="2026-03-05 19:03:27"),
    "yto/reply_failed_delivery": Track(
        YT, 6, M.RETURNING, before=M.DELIVERY_FAILED, odd=unreachable_then_returned
    ),
    "yto/reply_empty": Nothing("YT8812345678909"),
    "yto/error_sign": Refused(Denied, YT),
    # 申通
    "sto/reply_two_numbers": Several(
        (Track(ST, 5, M.DELIVERED, kind=K.SELF, at="2026-03-05 11:31:02"), Nothing("773012345678902"))
    ),
    "sto/reply_problem_refused": Track(ST, 6, M.RETURNING, odd=refused_then_returned),
    "sto/error_sign": Refused(Denied, ST),
    "sto/error_retry": Refused(Unavailable, ST),
    # 韵达
    "yunda/reply_delivered": Track(YD, 5, M.DELIVERED, at="2026-03-05 11:31:02"),
    "yunda/reply_station_taken_back": Track(YD, 6, M.OUT_FOR_DELIVERY, before=M.READY_FOR_COLLECTION),
    "yunda/reply_not_subscribed": Nothing("432100000000009"),
    "yunda/error_sign": Refused(Denied, YD),
    # 极兔
    "jt/reply_delivered": Several(
        (Track(JT, 5, M.DELIVERED, at="2026-03-05 11:31:02"), Nothing("JT0012345678902"))
    ),
    "jt/reply_problem": Track(JT, 5, M.UNKNOWN, M.OUT_FOR_DELIVERY, troubles=of(X.CONTACT_FAILURE)),
    "jt/reply_station": Track(JT, 6, M.DELIVERED, before=M.READY_FOR_COLLECTION),
    "jt/error_sign": Refused(Denied, JT),
    "jt/push_trace": Pushed((Track(JT, 1, M.DELIVERED, at="2026-03-05 11:31:02"),)),
    "jt/push_reply": Ours("push_trace"),
    # 京东
    "jdl/reply_delivered": Track(JD, 5, M.DELIVERED, at="2026-03-05 11:31:02", before=M.OUT_FOR_DELIVERY),
    "jdl/reply_refused": Track(JD, 5, M.DELIVERY_FAILED, troubles=of(X.REFUSED)),
    "jdl/error_gateway": Refused(Denied, JD),
    "jdl/error_business": Refused((Rejected, Unreadable), JD),
    # EMS
    "ems/reply_delivered_array": Track(EM, 6, M.DELIVERED, at="2026-03-05 11:31:02"),
    "ems/reply_delivered_string": Track(EM, 6, M.DELIVERED, at="2026-03-05 11:31:02"),
    "ems/reply_event_reversed": Track(EM, 8, M.DELIVERY_FAILED, odd=not_delivered),
    "ems/reply_no_customer_data": Refused(Rejected, EM),
    # 德邦
    "deppon/reply_delivered": Track(DP, 5, M.DELIVERED, at="2026-03-05 11:31:02"),
    "deppon/reply_delivered_text_param": Track(DP, 5, M.DELIVERED, at="2026-03-05 11:31:02"),
    "deppon/error_none": Nothing(DP),
    # 菜鸟
    "cainiao/push_aliyun_status": Pushed((Track(ZT, 1, M.DELIVERED, at="2026-03-05 11:31:02"),)),
    "cainiao/push_reply_ok": Ours("push_aliyun_status"),
    # 17TRACK
    "track17/reply_gettrackinfo_delivered": Track(
        RR, 5, M.DELIVERED, at="2026-03-12T10:05:00-05:00", before=M.OUT_FOR_DELIVERY, odd=read_by_17track
    ),
    "track17/reply_gettrackinfo_returning": Track(
        RR, 4, M.RETURNING, at="2026-03-11T18:00:00-05:00", odd=refused_then_returned
    ),
    "track17/reply_gettrackinfo_not_found": Nothing(RR),
    "track17/reply_gettrackinfo_no_info_yet": Nothing(RR),
    "track17/reply_gettrackinfo_not_registered": Call(
        (THIS, "reply_register", "reply_gettrackinfo_delivered"), Track(RR, 5, M.DELIVERED)
    ),
    "track17/reply_register": Call(
        ("reply_gettrackinfo_not_registered", THIS, "reply_gettrackinfo_no_info_yet"), Nothing(RR)
    ),
    "track17/reply_envelope_error": Refused(Denied, RR),
    "track17/reply_http_429": Refused(Throttled, RR),
    "track17/reply_getquota": NotRead("its field names are uncertain; a used-up quota is said by the calls"),
    "track17/push_updated": Pushed((Track(RR, 5, M.DELIVERED, at="2026-03-12T10:05:00-05:00"),)),
    "track17/push_stopped": Pushed((), (End.SILENT,)),
    # AfterShip
    "aftership/reply_get_delivered": Track(RR, 3, M.DELIVERED, odd=three_precisions),
    "aftership/reply_list": Track(RR, 2, M.IMPORT_CUSTOMS, before=M.PICKED_UP),
    "aftership/reply_create": Call((EMPTY_LIST, THIS), Nothing(RR)),
    "aftership/error_4001": Refused(Rejected, RR),
    "aftership/error_4003": Call((EMPTY_LIST, THIS, "reply_list"), Track(RR, 2, M.IMPORT_CUSTOMS)),
    "aftership/error_4004": Call((THIS, "reply_create"), Nothing(RR)),
    "aftership/error_4005": Refused(Rejected, RR),
    "aftership/error_4012": Call((EMPTY_LIST, THIS), Refused(Rejected, RR)),
    "aftership/error_401": Refused(Denied, RR),
    "aftership/error_429": Refused(Throttled, RR),
    "aftership/error_500": Refused(Unavailable, RR),
    "aftership/push_tracking_update": Pushed((Track(RR, 3, M.DELIVERED, odd=three_precisions),), (End.DONE,)),
    # TrackingMore
    "trackingmore/reply_get": Track(RR, 2, M.DELIVERED, at="2026-03-12T10:05:00-05:00", before=M.IN_TRANSIT),
    "trackingmore/error_4101": Call((NOT_THERE, THIS, "reply_get"), Track(RR, 2, M.DELIVERED)),
    "trackingmore/error_4102": Call((THIS, CREATED), Nothing(RR)),
    "trackingmore/error_4121": Call((NOT_THERE, THIS), Refused(Rejected, RR)),
    "trackingmore/error_4190": Call((NOT_THERE, THIS), Refused(Denied, RR)),
    "trackingmore/error_429": Refused(Throttled, RR),
}


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def load(kind: str, name: str) -> Any:
    return json.loads((FACTS / kind / f"{name}.json").read_text("utf-8"))


def reply_of(kind: str, said: object) -> Reply:
    """A saved reply: a body as it came, or one beside its HTTP status."""
    body = load(kind, said) if isinstance(said, str) else said
    if isinstance(body, dict) and "body" in body and ("http_status" in body or "status" in body):
        status, body = body.get("http_status") or body["status"], body["body"]
        return Reply(status, json.dumps(body, ensure_ascii=False).encode())
    return Reply(200, json.dumps(body, ensure_ascii=False).encode())


def push_of(kind: str, name: str) -> Push:
    """A saved call to us."""
    saved = load(kind, name)
    if isinstance(saved, dict) and "raw_body" in saved:
        headers = {key.lower(): value for key, value in saved["headers"].items()}
        return Push(saved["raw_body"].encode(), headers)
    if isinstance(saved, dict) and "form" in saved:
        headers = {key.lower(): value for key, value in saved.get("headers", {}).items()}
        headers["content-type"] = "application/x-www-form-urlencoded"
        return Push(urlencode(saved["form"]).encode(), headers)
    body = json.dumps(saved, ensure_ascii=False).encode()
    return Push(body, {"content-type": "application/json"})


def question(kind: str, says: Track | Nothing | Refused) -> Question:
    return Question(Waybill(says.carrier or OF_KIND[kind], says.number), Secret("0036"))


def asked(kind: str, name: str, says: Track | Nothing | Refused | Several, script: Sequence[object]) -> None:
    """Ask as the sample says and compare what is understood."""
    heard = [name if each is THIS else each for each in script]

    def answer(request: Request) -> Reply:
        return reply_of(kind, heard.pop(0) if len(heard) > 1 else heard[0])

    about = says.tracks if isinstance(says, Several) else (says,)
    conversation = ACCOUNTS[kind].ask([question(kind, each) for each in about], NOW)
    if isinstance(says, Refused):
        with pytest.raises(says.error):
            _only(rehearse(conversation, answer))
        return
    told = rehearse(conversation, answer)
    assert len(told) == len(about)
    for each, understood in zip(about, told, strict=True):
        assert isinstance(understood, Answer), understood
        assert not isinstance(each, Refused)
        compare(kind, each, understood)
    assert len(heard) == 1, "every reply of the script was heard"


T = TypeVar("T")


def _only(told: Sequence[T | Rejected]) -> T:
    """What is one number's fault may be said in its place."""
    if isinstance(told[0], Rejected):
        raise told[0]
    return told[0]


def compare(kind: str, says: Track | Nothing, answer: Answer) -> None:
    assert (answer.carrier, answer.waybill_no) == (says.carrier or OF_KIND[kind], says.number)
    events = tuple(dict.fromkeys(answer.events))
    if isinstance(says, Nothing):
        assert not events
        return
    journey = condense(events)
    newest = events[-1]
    assert (len(events), newest.milestone, journey.milestone) == (
        says.events,
        says.last,
        says.state or says.last,
    )
    assert says.troubles <= newest.exceptions
    assert answer.corrected_carrier == says.corrected
    assert not answer.unknown_codes, "the samples are in the tables"
    if says.at:
        moment = datetime.fromisoformat(says.at)
        assert newest.occurred_at == (moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI))
    if says.before is not None:
        assert events[-2].milestone is says.before
    if says.kind is not None:
        assert newest.delivered_kind is says.kind
    assert says.odd(answer, journey)


def received(kind: str, name: str, account: Provider | None = None) -> Delivery:
    pusher = account or ACCOUNTS[kind]
    assert isinstance(pusher, Pusher)
    return pusher.receive(push_of(kind, name), NOW)


def understood(reply: Reply) -> object:
    """A reply's body, JSON or not; a time that is now is left out."""
    text = reply.content.decode()
    body = json.loads(text) if text.startswith(("{", "[")) else text
    return {**body, "UpdateTime": ""} if isinstance(body, Mapping) and "UpdateTime" in body else body


def subscribed(kind: str, name: str, says: Subscription) -> None:
    account = ACCOUNTS[kind]
    assert isinstance(account, Subscriber)
    about = [Question(Waybill(says.carrier, says.number), Secret("0036"))]
    conversation = account.subscribe(about, "https://watch.example.com/callbacks/a", NOW)
    if says.error is None:
        assert rehearse(conversation, lambda request: reply_of(kind, name)) == [Subscribed(about[0].waybill)]
        return
    with pytest.raises(says.error):
        _only(rehearse(conversation, lambda request: reply_of(kind, name)))


# ── the pack ─────────────────────────────────────────────────────────────────────────────────────


def names() -> set[str]:
    files = {path for kind in kinds() for path in (FACTS / kind).glob("*.json")}
    return {f"{path.parent.name}/{path.stem}" for path in files if path.name.startswith(PATTERNS)}


def test_every_sample_of_every_kind_has_its_line() -> None:
    assert names() - SAYS.keys() == set()
    assert SAYS.keys() - names() == set()
    assert {name.split("/")[0] for name in SAYS} == {kind for kind in kinds() if (FACTS / kind).exists()}
    assert set(ACCOUNTS) >= {name.split("/")[0] for name in SAYS}


@pytest.mark.parametrize("name", [name for name, says in SAYS.items() if not isinstance(says, NotRead)])
def test_a_sample_says_what_the_facts_say(name: str) -> None:
    kind, file = name.split("/")
    match SAYS[name]:
        case Call(script, says):
            asked(kind, file, says, script)
        case Subscription() as says:
            subscribed(kind, file, says)
        case Pushed(tracks, ended, account):
            delivery = received(kind, file, account)
            assert [each.why for each in delivery.ended] == list(ended)
            assert len(delivery.answers) == len(tracks)
            assert not delivery.unreadable
            for each, answer in zip(tracks, delivery.answers, strict=True):
                assert not answer.whole, "a push takes no newer scan back"
                assert answer.read_at is None, "and proves no silence"
                if isinstance(each, Nothing):
                    assert (answer.waybill_no, answer.events) == (each.number, ())
                else:
                    compare(kind, each, answer)
        case Ours(push, again, form):
            account = ACCOUNTS[kind]
            kept = received(kind, push).reply
            if again:
                assert isinstance(account, Doorman)
                kept = account.admit(push_of(kind, push), NOW).again
                assert kept != AGAIN
            assert kept.status == 200
            assert understood(kept) == understood(Reply(200, _text(form(load(kind, file)))))
        case Recognised(number, carriers):
            recogniser = ACCOUNTS[kind]
            assert isinstance(recogniser, Recogniser)
            guesses = rehearse(recogniser.recognise(number, NOW), lambda request: reply_of(kind, file))
            assert tuple(guess.carrier for guess in guesses) == carriers
        case Track() | Nothing() | Refused() | Several() as says:
            asked(kind, file, says, (THIS,))
        case _:
            raise AssertionError(name)


def _text(body: object) -> bytes:
    return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()


def test_a_second_poll_edits_two_texts_and_brings_one_older_row() -> None:
    """`poll_1` then `poll_2`: one text edited, one shortened, one older row arrived late."""
    account, waybill = ACCOUNTS["kuaidi100"], Waybill("zhongtong", "75812345678905")

    def poll(name: str) -> Answer:
        conversation = account.ask([Question(waybill, Secret("0036"))], NOW)
        return _only(rehearse(conversation, lambda request: reply_of("kuaidi100", name)))

    first, second = poll("poll_1_before_edit"), poll("poll_2_after_edit_and_late_scan")
    known = [Stored(event, 0, NOW) for event in first.events]
    change = merge(known, second, NOW)
    assert [row.event.occurred_at for row in change.added] == [datetime(2026, 3, 2, 17, 12, tzinfo=UTC)]
    assert len(change.edited) == 2
    assert not change.withdrawn


def test_the_corrected_carrier_of_an_abort_is_told() -> None:
    answer = received("kuaidi100", "push_abort_wrong_carrier").answers[0]
    assert (answer.carrier, answer.corrected_carrier) == ("zhongtong", "yuantong")
