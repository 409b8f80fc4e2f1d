"""The worked signatures of `facts/samples/signatures.json`, each through the code that signs or checks for real.

What is checked stands in `worked_signatures.json` here, word for word, so that it is checked without the facts too;
where they are at hand the two must agree, and every example is either used or left out for a reason that is told.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

import pytest

import carriers.kdniao
import carriers.kuaidi100
import carriers.sf
from carriers.aftership import AfterShip, request_signature
from carriers.base import Provider, Question
from carriers.deppon import Deppon
from carriers.ems import Ems
from carriers.jdl import Jdl
from carriers.jt import Jt
from carriers.kdniao import Kdniao
from carriers.kuaidi100 import Kuaidi100
from carriers.push import Doorman, Forged, Push, Pusher
from carriers.sf import Sf
from carriers.sto import Sto
from carriers.track17 import Track17
from carriers.trackingmore import TrackingMore
from carriers.yto import Yto
from carriers.yunda import Yunda
from carriers.zto import Zto
from domain.orders import Waybill
from domain.remote import Reply, Request, Secret, rehearse
from monitor.erp.jushuitan import Jushuitan
from monitor.erp.wangdian import Wangdian
from monitor.erp.wangdian_flagship import WangdianFlagship

HERE = Path(__file__).parent
FACTS = HERE.parents[1].parent / "shared" / "facts" / "samples" / "signatures.json"
Inputs = Mapping[str, str]
Worked = dict[str, Any]

WORKED: Final[dict[str, Worked]] = {
    each["name"]: each for each in json.loads((HERE / "worked_signatures.json").read_text(encoding="utf-8"))
}
NOT_USED: Final = {
    "kuaidi100.eta": "nobody asks for an estimate: deadlines come from promises, not from the carrier's guess",
    "cainiao.link.data_digest": "the gateway is in no document: only the unsigned push of 阿里云物流 is read",
    "taobao.md5": "platform interfaces are not called: their data stays in the platform's own cloud (README)",
    "taobao.hmac": "as taobao.md5",
    "taobao.hmac-sha256": "as taobao.md5",
    "pdd.md5": "as taobao.md5",
    "doudian.hmac-sha256": "as taobao.md5",
    "doudian.md5": "as taobao.md5",
    "easypost.webhook": "there is no EasyPost adapter",
}
PAID = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""1772416800: the timestamp of the worked examples, 10:00 in Beijing."""


def first(account: Provider, carrier: str, *numbers: str, tail: str = "0036") -> Request:
    asked = [Question(Waybill(carrier, number), Secret(tail) if tail else None) for number in numbers]
    return next(account.ask(asked, PAID))


def fields(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def kuaidi100_query(given: Inputs) -> str:
    request = first(Kuaidi100(Secret(given["customer"]), Secret(given["key"])), "yuantong", "YT8812345678901")
    assert fields(request)["param"] == given["param"]
    return fields(request)["sign"]


def kdniao_query(given: Inputs) -> object:
    request = first(Kdniao("1000000", Secret(given["AppKey"])), "zhongtong", "75812345678901")
    sign = fields(request)["DataSign"]
    assert fields(request)["RequestData"] == given["RequestData"]
    on_the_wire = next(
        pair.partition("=")[2] for pair in request.content.decode().split("&") if pair.startswith("DataSign=")
    )
    return {"md5_hex": b64decode(sign).decode(), "base64": sign, "on_the_wire": on_the_wire}


def sf_query(given: Inputs) -> str:
    request = first(Sf("DEMOPARTNER", Secret(given["checkWord"])), "shunfeng", "SF1390001112223")
    assert (fields(request)["msgData"], fields(request)["timestamp"]) == (
        given["msgData"],
        given["timestamp"],
    )
    return fields(request)["msgDigest"]


def zto_query(given: Inputs) -> str:
    request = first(Zto("zto-app", Secret(given["appSecret"])), "zhongtong", "75812345678901")
    assert request.content.decode() == given["body"]
    return request.headers["x-dataDigest"]


def yto_query(given: Inputs) -> str:
    account = Yto("DEMOCODE", Secret(given["secret"]), path="DEMOPATH")
    said = json.loads(first(account, "yuantong", "YT8812345678901").content)
    assert said["param"] == given["param"]
    return str(said["sign"])


def yto_old_query(given: Inputs) -> str:
    account = Yto(
        given["user_id"],
        Secret(given["secret"]),
        app_key=given["app_key"],
        interface="old",
        base_url="http://openapi.yto.net.cn/service/waybill_query/v1",
    )
    sent = fields(first(account, "yuantong", "YT8812345678901"))
    assert {name: sent[name] for name in given if name != "secret"} == {
        name: value for name, value in given.items() if name != "secret"
    }
    return sent["sign"]


def sto_query(given: Inputs) -> str:
    sent = fields(first(Sto("STOAPP", Secret(given["secretKey"])), "shentong", "773012345678901"))
    assert sent["content"] == given["content"]
    return sent["data_digest"]


def yunda_query(given: Inputs) -> str:
    request = first(Yunda("yunda-app", Secret(given["appSecret"])), "yunda", "432100000000001")
    assert request.content.decode() == given["body"]
    return request.headers["sign"]


def jt_query(given: Inputs) -> str:
    account = Jt("jt-account", Secret(given["privateKey"]))
    request = first(account, "jtexpress", "JT0012345678901", "JT0012345678902")
    assert fields(request)["bizContent"] == given["bizContent"]
    return request.headers["digest"]


def jdl_query(given: Inputs) -> str:
    account = Jdl(given["app_key"], Secret(given["secret"]), Secret(given["access_token"]), "010K000001")
    request = first(account, "jd", "JDVC00000000001")
    assert (request.content.decode(), request.query["timestamp"]) == (given["param_json"], given["timestamp"])
    return request.query["sign"]


def ems_query(given: Inputs) -> str:
    account = Ems("1100000000000", Secret("authorization"), Secret(given["signKey"]))
    return fields(first(account, "ems", "9800000000001"))["logitcsInterface"]


def deppon_query(given: Inputs) -> object:
    sent = fields(first(Deppon("DEPPON", Secret(given["appkey"])), "debangkuaidi", "DPK000000000001"))
    assert (sent["params"], sent["timestamp"]) == (given["params"], given["timestamp"])
    return {"md5_hex": b64decode(sent["digest"]).decode(), "base64": sent["digest"]}


def jushuitan_call(given: Inputs) -> str:
    return Jushuitan(given["app_key"], Secret(given["app_secret"])).sign(without(given, "app_secret"))


def wangdian_call(given: Inputs) -> str:
    account = Wangdian(given["sid"], given["appkey"], Secret(given["appsecret"]))
    return account.sign(without(given, "appsecret"))


def wangdian_flagship_call(given: Inputs) -> str:
    account = WangdianFlagship(given["sid"], given["key"], Secret(given["appsecret"]))
    now = datetime.fromtimestamp(
        int(given["timestamp"]) + 1325347200, UTC
    )  # the salted clock: from 2012-01-01
    asked = json.loads(given["body"])[0]
    request = account.signed(given["method"], asked, int(given["page_no"]), now)
    assert (request.content.decode(), request.query["timestamp"]) == (given["body"], given["timestamp"])
    assert request.query["page_size"] == given["page_size"]
    return request.query["sign"]


def aftership_call(given: Inputs) -> str:
    """The creation that follows a list without the number; a call with no body is signed as well."""
    account = AfterShip(Secret(given["api_key"]), api_secret=Secret(given["api_secret"]))
    sent: list[Request] = []

    def nothing(request: Request) -> Reply:
        sent.append(request)
        body = {
            "GET": {"meta": {"code": 200}, "data": {"trackings": []}},
            "POST": {"meta": {"code": 201}, "data": {"tracking_number": "RR000000005CN"}},
        }
        return Reply(200, json.dumps(body[request.method]).encode())

    rehearse(account.ask([Question(Waybill("youzhengguoji", "RR000000005CN"))], PAID), nothing)
    listed, created = sent
    assert listed.headers["as-signature-hmac-sha256"]
    assert (created.content.decode(), created.headers["Date"]) == (given["body"], given["date"])
    assert created.url.endswith(given["path"])
    own = {name: value for name, value in created.headers.items() if name == "as-api-key"}
    again = Request(created.method, created.url, {}, own, created.content)
    assert request_signature(again, given["api_secret"], given["date"]) == str(
        created.headers["as-signature-hmac-sha256"]
    )
    return str(created.headers["as-signature-hmac-sha256"])


SIGNED: Final[dict[str, Callable[[Inputs], object]]] = {
    "kuaidi100.query": kuaidi100_query,
    "kuaidi100.query.nonascii": lambda given: carriers.kuaidi100.signature(
        given["param"], given["key"], given["customer"]
    ),
    "kdniao.datasign": kdniao_query,
    "sf.msgdigest": sf_query,
    "sf.msgdigest.specials": lambda given: carriers.sf.signature(
        given["msgData"], given["timestamp"], given["checkWord"]
    ),
    "zto.x-dataDigest": zto_query,
    "yto.new": yto_query,
    "yto.old": yto_old_query,
    "sto.data_digest": sto_query,
    "yunda.sign": yunda_query,
    "jt.digest": jt_query,
    "jdl.md5-salt": jdl_query,
    "ems.logitcsInterface": ems_query,
    "deppon.digest": deppon_query,
    "jushuitan.sign": jushuitan_call,
    "wangdian.enterprise.sign": wangdian_call,
    "wangdian.flagship.sign": wangdian_flagship_call,
    "aftership.request.aes": aftership_call,
}
"""What we sign, taken from the request that leaves where the example's words are those we ask in."""


def kuaidi100_push(given: Inputs, sign: str) -> tuple[Pusher, Push]:
    account = Kuaidi100(Secret("customer"), Secret("key"), salt=Secret(given["salt"]))
    return account, Push(urlencode({"param": given["param"], "sign": sign}).encode())


def track17_push(given: Inputs, sign: str) -> tuple[Pusher, Push]:
    return Track17(Secret(given["key"])), Push(given["body"].encode(), {"sign": sign})


def aftership_push(given: Inputs, sign: str) -> tuple[Pusher, Push]:
    account = AfterShip(Secret("key"), webhook_secret=Secret(given["secret"]))
    return account, Push(given["body"].encode(), {"aftership-hmac-sha256": sign})


def trackingmore_push(given: Inputs, sign: str) -> tuple[Pusher, Push]:
    account = TrackingMore(Secret("key"), webhook_secret=Secret(given["secret"]))
    return account, Push(b"{}", {"signature": sign, "timestamp": given["timestamp"]})


CHECKED: Final[dict[str, Callable[[Inputs, str], tuple[Pusher, Push]]]] = {
    "kuaidi100.push": kuaidi100_push,
    "kuaidi100.push.empty_salt": kuaidi100_push,
    "17track.push.v2": track17_push,
    "aftership.webhook": aftership_push,
    "trackingmore.webhook": trackingmore_push,
}
"""What others sign: admitted with the worked signature, refused with another."""


def without(given: Inputs, name: str) -> dict[str, str]:
    return {key: value for key, value in given.items() if key != name}


@pytest.mark.parametrize("name", SIGNED)
def test_we_sign_as_worked_out(name: str) -> None:
    assert SIGNED[name](WORKED[name]["inputs"]) == WORKED[name]["expected"]


@pytest.mark.parametrize("name", CHECKED)
def test_a_push_is_admitted_with_the_worked_signature_and_no_other(name: str) -> None:
    given, expected = WORKED[name]["inputs"], WORKED[name]["expected"]
    account, push = CHECKED[name](given, expected)
    assert isinstance(account, Doorman)
    account.admit(push, PAID + timedelta(days=3))
    wrong = ("B" if expected[0] == "A" else "A") + expected[1:]
    for forged in (wrong, expected[:-1], f"{expected}=", ""):
        account, push = CHECKED[name](given, forged)
        with pytest.raises(Forged):
            account.receive(push, PAID)


def test_every_worked_signature_is_used_or_left_out_for_a_reason() -> None:
    assert SIGNED.keys() | CHECKED.keys() == WORKED.keys()
    assert not NOT_USED.keys() & WORKED.keys()
    assert len(WORKED) + len(NOT_USED) == 32


@pytest.mark.skipif(not FACTS.exists(), reason="the facts are not at hand")
def test_what_stands_here_is_what_the_facts_say() -> None:
    told = {each["name"]: each for each in json.loads(FACTS.read_text(encoding="utf-8"))}
    assert told.keys() == WORKED.keys() | NOT_USED.keys()
    assert {name: told[name] for name in WORKED} == WORKED
