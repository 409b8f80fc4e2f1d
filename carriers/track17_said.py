"""What 17TRACK says of a call and of each number in it, as who has to act.

Says: `{"code":0,"data":{"accepted":[…],"rejected":[…]}}`; a call refused as a whole has `data.errors`, HTTP 200 or,
for a wrong key or address, 401.
From: `facts/carriers-international.md` (17TRACK); HTTP 401 from help.17track.net, "Error Codes".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias

from carriers.base import Question
from carriers.names import display
from carriers.replies import opened
from carriers.scans import word
from carriers.track17_track import nothing_yet
from domain.masking import safe_text
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Reply, Throttled, Unavailable, Unreadable
from domain.tracking import Answer

__all__ = [
    "KNOWN_ALREADY",
    "NOT_REGISTERED",
    "OF_ONE_NUMBER",
    "Said",
    "by_waybill",
    "code_of",
    "opened_call",
    "refusal",
    "refused",
    "verdict",
]

OF_ONE_NUMBER: Final = frozenset({-18010010, -18010011, -18010012, -18010013, -18010015, -18010016})
"""The whole call is refused for what may be wrong with one number of it."""
KNOWN_ALREADY: Final = -18019901
NOT_REGISTERED: Final = -18019902
_WANTED: Final[Mapping[int, str]] = {
    -18010018: "收件国家和邮编",
    -18010019: "收件邮编",
    -18010020: "电话",
    -18010022: "发货日期",
}

Said: TypeAlias = Mapping[str, Any]
"""An entry of `accepted` or `rejected`."""

_MISSING: Final[Said] = {"error": {}}


def opened_call(reply: Reply) -> Mapping[str, Any]:
    """The body; a wrong key or address is HTTP 401 with a code inside."""
    if reply.status in (401, 403):
        try:
            body = opened(Reply(200, reply.content), "17TRACK")
        except RemoteError:
            body = {}
        code, words = refused(body) if isinstance(body.get("code"), int) else (reply.status, "")
        raise Denied(
            f"17TRACK 不认密钥，或这台机器的 IP 不在白名单里（HTTP {reply.status}，{code}：{words}）"
        )
    return opened(reply, "17TRACK")


def refused(body: Mapping[str, Any]) -> tuple[int, str]:
    """The call's own code and words; 0 where it was taken."""
    code, data = body.get("code"), body.get("data")
    if not isinstance(code, int) or isinstance(code, bool):
        raise Unreadable("17TRACK 的回答没有 code")
    errors = data.get("errors") if isinstance(data, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    if code == 0 and first:
        code = first["code"] if isinstance(first.get("code"), int) else code
    return code, safe_text(str(first.get("message") or ""), 120)


def refusal(code: int, words: str) -> RemoteError:
    """A code that refuses the whole call, as who has to act."""
    match code:
        case -18010001 | -18010002 | -18010004 | -18010005:
            return Denied(f"17TRACK 不认账号，请检查 key 和后台的 IP 白名单（{code}：{words}）")
        case _ if -18010206 <= code <= -18010201:
            return Denied(f"17TRACK 后台的推送地址不对（{code}：{words}）")
        case -18010014:
            return Unreadable(f"17TRACK 说一次超过 40 个单号（{code}：{words}）")
        case -18010003:
            return Unavailable(f"17TRACK 内部错误（{code}：{words}）")
        case -18019907:
            return Throttled(
                f"17TRACK 今天的登记次数用完（{code}：{words}）", timedelta(hours=6), closes=False
            )
        case -18019908:
            return Denied(f"17TRACK 的登记额度用完，请充值；已登记的不受影响（{code}：{words}）")
        case _:
            return Unreadable(f"17TRACK 的 code {code} 不在文档中：{words}")


def by_waybill(
    body: Mapping[str, Any], asked: Sequence[Question], codes: Mapping[str, str]
) -> dict[Waybill, Said]:
    """Each question with its entry, the carrier asked for before another; what is missing has code None.

    Raises `Unreadable` where nothing is said of any of them.
    """
    data = body.get("data")
    found: dict[str, list[Said]] = {}
    for name in ("accepted", "rejected"):
        rows = data.get(name) if isinstance(data, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Unreadable(f"17TRACK 的 {name} 不是列表")
        for row in rows:
            found.setdefault(word(row, "number").upper(), []).append(row)
    said: dict[Waybill, Said] = {}
    for question in asked:
        mine = codes.get(question.waybill.carrier)
        rows = found.get(question.waybill.waybill_no.strip().upper(), [])
        ours = [row for row in rows if word(row, "carrier") == mine]
        said[question.waybill] = (ours or rows or [_MISSING])[0]
    if not any(code_of(each) is not None for each in said.values()):
        raise Unreadable("17TRACK 的回答里没有问到的单号")
    return said


def code_of(entry: Said) -> int | None:
    """The error of one number: 0 where it was accepted, None where there is nothing readable."""
    error = entry.get("error")
    if error is None:
        return 0
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def verdict(code: int | None, entry: Said, waybill: Waybill) -> Answer | RemoteError:
    """What one number's error means; the quota and a busy carrier are nobody's fault of the number."""
    error = entry.get("error")
    words = safe_text(str(error.get("message") or ""), 120) if isinstance(error, dict) else ""
    match code:
        case None:
            return Rejected("17TRACK 的回答里没有这个单号")
        case -18019909:
            return nothing_yet(waybill, words or "暂时没有")
        case -18019815 | -18019816:
            return Unavailable(f"17TRACK 说快递公司没有答复（{code}：{words}）")
        case -18019907 | -18019908:
            return refusal(code, words)
        case -18019903:
            return Rejected(
                f"17TRACK 认不出 {display(waybill.carrier)} 的这个单号，请用 couriers 写明（{code}：{words}）"
            )
        case -18019904 | -18019905:
            return Rejected(f"17TRACK 已停止跟踪，不能再跟踪（{code}：{words}）")
        case -18019910 | -18019911:
            return Rejected(f"17TRACK 的公司编号不对或不能登记，请检查 couriers（{code}：{words}）")
        case _ if code in _WANTED:
            return Rejected(f"17TRACK 查这家公司还要{_WANTED[code]}（{code}：{words}）")
        case _ if code in OF_ONE_NUMBER:
            return Rejected(f"17TRACK 不接受此单号（{code}：{words}）")
        case _:
            return Unreadable(f"17TRACK 的 code {code} 不在文档中：{words}")
