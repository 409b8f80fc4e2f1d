"""The peers of a test: parcels with a carrier's story, and the process that tells it and hears the messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from monitor.clock import wall
from tests.e2e.heard import Heard, read
from tests.e2e.processes import Process

_OPENER = build_opener(ProxyHandler({}))

PICKED = ("103", "【杭州市】 【杭州余杭】 已揽收")
LEFT_HUB = ("1002", "【杭州市】 离开【杭州转运中心】，发往【北京转运中心】")
DELIVERING = ("5", "【北京市】 【北京海淀】 派件中，快递员电话：95546")
SIGNED = ("301", "【北京市】 已签收，签收人：本人签收")
_CARRIERS = {"yuantong": "圆通", "zhongtong": "中通", "shentong": "申通", "yunda": "韵达"}


@dataclass
class Parcel:
    """One order with one parcel, and its carrier's story."""

    waybill_no: str
    carrier: str = "yuantong"
    """快递100's code, which is ours."""
    shop: str = "旗舰店"
    order_no: str = ""
    paid_at: datetime = field(default_factory=wall)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def scan(self, at: datetime, what: tuple[str, str], *, visible_after: float | None = None) -> Parcel:
        """The carrier scanned it; seen at once, or so many seconds after the next `Peers.knows`."""
        row: dict[str, Any] = {"at": at.isoformat(), "code": what[0], "text": what[1]}
        if visible_after is not None:
            row["visible_after"] = visible_after
        self.rows.append(row)
        return self

    def script(self) -> dict[str, Any]:
        return {"carrier": self.carrier, "waybill_no": self.waybill_no, "rows": self.rows}

    def order(self) -> dict[str, str]:
        """Its line of an order file."""
        return {
            "order_no": self.order_no or f"A{self.waybill_no[-4:]}",
            "carrier": _CARRIERS[self.carrier],
            "waybill_no": self.waybill_no,
            "platform": "taobao_tmall",
            "shop": self.shop,
            "paid_at": self.paid_at.isoformat(),
            "shipped_at": self.paid_at.isoformat(),
            "receiver_province": "北京",
        }


def save_orders(path: Path, parcels: Iterable[Parcel], **override: str) -> Path:
    """An order file in our own columns."""
    lines = [parcel.order() | override for parcel in parcels]
    text = [",".join(lines[0])] + [",".join(line.values()) for line in lines]
    path.write_text("\n".join(text) + "\n", "utf-8")
    return path


@dataclass
class Peers:
    """The fake tracking provider and the three groups, in a process of their own."""

    process: Process
    urls: Mapping[str, str]

    def _call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.urls["control"] + path, data, {"Content-Type": "application/json"})
        with _OPENER.open(request, timeout=30) as reply:
            return json.load(reply)

    def knows(self, *parcels: Parcel) -> None:
        """Parcels as the carriers know them from now on."""
        self._call("/control/parcels", [parcel.script() for parcel in parcels])

    def provider(self, mode: str, only: Mapping[str, str] | None = None) -> None:
        """What is wrong with the provider from now on, for all numbers or some."""
        self._call("/control/mode", {"provider": {"mode": mode, "only": dict(only or {})}})

    def groups(self, mode: str = "ok", *, delay: float = 1.0, code: int = -1, **only: str) -> None:
        """What is wrong with the groups from now on, with all or with single robots (`ding`, `wecom`, `qq`)."""
        setting = {"mode": mode, "only": only, "delay": delay, "code": code}
        self._call("/control/mode", {"groups": setting})

    def heard(self, robot: str = "") -> list[Heard]:
        """Every request to the robots, oldest first."""
        every = [read(item) for item in self._call("/control/received")]
        return [each for each in every if robot in ("", each.robot)]

    def shown(self, robot: str = "") -> list[Heard]:
        """What the groups show."""
        return [each for each in self.heard(robot) if each.taken]

    def asked(self, waybill_no: str = "") -> list[dict[str, str]]:
        """The questions to the provider, oldest first."""
        asked: list[dict[str, str]] = self._call("/control/asked")["asked"]
        return [each for each in asked if waybill_no in ("", each["num"])]

    def asked_since(self, moment: datetime, *parcels: Parcel) -> bool:
        """Each of these was asked about after that moment."""
        last = {each["num"]: datetime.fromisoformat(each["at"]) for each in self.asked()}
        return all(last.get(parcel.waybill_no, moment) > moment for parcel in parcels)

    def violations(self) -> list[dict[str, str]]:
        """Questions beyond a ceiling of the provider's."""
        found: list[dict[str, str]] = self._call("/control/asked")["violations"]
        return found
