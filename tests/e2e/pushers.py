"""快递100 and 快递鸟 as pushers: they sign, push again what was not taken, and forgers and echoes are among them."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import md5
from urllib.parse import urlencode

from carriers.kdniao import signature
from domain.time import SHANGHAI
from tests.e2e.peers import Parcel

SALT, APP_KEY = "pepper", "appkey-demo"
FORGED = "伪造的一行"
_KDN = {"zhongtong": "ZTO", "yunda": "YD", "shentong": "STO"}


@dataclass
class Sent:
    """One call of a pusher's."""

    account: str
    body: bytes
    scans: frozenset[tuple[str, int]] = frozenset()
    """Waybill and stage of every scan in it."""
    forged: bool = False
    status: int = 0
    """Of the answer; 0: none came."""
    answer: bytes = field(default=b"", repr=False)

    @property
    def taken(self) -> bool:
        """As the pusher reads the answer."""
        return self.status == 200 and (
            b'"returnCode": "200"' in self.answer or b'"Success": true' in self.answer
        )


def moment(parcel: Parcel, stage: int) -> datetime:
    return (parcel.paid_at + timedelta(minutes=10 * stage)).replace(microsecond=0)


def words(stage: int) -> str:
    return f"快件已到达【第{stage}转运中心】"


def _rows(
    parcel: Parcel, stages: int, forged: bool, when: str, what: str, code: tuple[str, str]
) -> list[dict[str, str]]:
    rows = [
        {
            when: f"{moment(parcel, n).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
            what: words(n),
            code[0]: code[1],
        }
        for n in range(stages)
    ]
    return [*rows, {**rows[-1], what: FORGED}] if forged else rows


def by_kuaidi100(parcel: Parcel, stages: int, *, forged: bool = False) -> Sent:
    """A push of the whole list so far, newest first."""
    rows = _rows(parcel, stages, forged, "ftime", "context", ("statusCode", "1002"))
    result = {"message": "ok", "com": parcel.carrier, "nu": parcel.waybill_no, "data": rows[::-1]}
    param = json.dumps({"status": "polling", "message": "", "lastResult": result}, ensure_ascii=False)
    sign = md5(f"{param}{'guess' if forged else SALT}".encode()).hexdigest().upper()
    body = urlencode({"param": param, "sign": sign}).encode()
    return Sent("k100", body, frozenset((parcel.waybill_no, n) for n in range(stages)), forged)


def by_kdniao(parcels: Sequence[Parcel], stages: int, *, forged: bool = False) -> Sent:
    """A push about several parcels."""
    entries = [
        {
            "ShipperCode": _KDN[each.carrier],
            "LogisticCode": each.waybill_no,
            "Success": True,
            "Traces": _rows(each, stages, forged, "AcceptTime", "AcceptStation", ("Action", "2")),
        }
        for each in parcels
    ]
    data = json.dumps(
        {"EBusinessID": "1000000", "Count": str(len(entries)), "Data": entries}, ensure_ascii=False
    )
    sign = signature(data, "guess" if forged else APP_KEY)
    body = urlencode({"RequestData": data, "RequestType": "102", "DataSign": sign}).encode()
    scans = frozenset((each.waybill_no, n) for each in parcels for n in range(stages))
    return Sent("kdn", body, scans, forged)


def mixed(true: Sequence[Sent], forge: Callable[[Sent], Sent], chance: random.Random) -> list[Sent]:
    """5 % forged and 5 % played again among the true ones."""
    calls: list[Sent] = []
    for each in true:
        calls.append(each)
        if chance.random() < 0.05:
            calls.append(forge(each))
        if chance.random() < 0.05:
            again = chance.choice(calls)
            calls.append(Sent(again.account, again.body, again.scans, again.forged))
    return calls


async def push_all(port: int, calls: Sequence[Sent], connections: int = 32) -> None:
    """As fast as they are answered; a connection that breaks leaves its call without an answer."""
    left = iter(calls)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for call in left:
                head = (
                    f"POST /callbacks/{call.account} HTTP/1.1\r\nHost: hooks.example.org\r\n"
                    f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(call.body)}\r\n\r\n"
                )
                writer.write(head.encode() + call.body)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                call.answer = await reader.readexactly(length)
                call.status = int(answer[9:12])
        finally:
            writer.close()

    await asyncio.gather(*(one() for _ in range(connections)), return_exceptions=True)
