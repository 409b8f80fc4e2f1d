"""The page's own words in two languages, times and lengths as people say them. Chinese comes first.

What comes from the store (messages, scans, ticket entries) is Chinese in both languages: it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from carriers import names
from domain.tickets import TICKET_STATE_ZH, TicketState
from domain.time import SHANGHAI
from domain.tracking import MILESTONE_ZH, Milestone
from monitor.wording import hours

__all__ = ["LANGUAGES", "Words"]

LANGUAGES: Final = ("zh", "en")
_MINUTE: Final = timedelta(minutes=1)
_RULES: Final[Mapping[str, str]] = {
    "address_error": "Address error",
    "customs_exception": "Customs trouble",
    "damaged": "Damaged",
    "dispatch_sign": "Out for delivery, not signed",
    "failed_no_retry": "Delivery failed, no second try",
    "first_hub": "Has not left the first hub",
    "intercepted": "Intercepted",
    "late_shipment": "Late shipment",
    "locker_overdue": "Waits in the locker",
    "lost": "Lost",
    "no_pickup": "Late pickup",
    "no_record": "Unknown to the carrier",
    "out_of_area": "Out of area",
    "out_of_stock": "Out of stock",
    "paid_to_signed": "Paid to signed takes long",
    "pickup_failed": "Pickup failed",
    "pickup_kpi_24h": "Pickup within 24 h",
    "pickup_no_update": "No movement after pickup",
    "refused": "Refused",
    "return_transit": "Return stalled",
    "returned": "Returned",
    "signed_then_stored": "Signed, then stored",
    "thorough_delay": "Delayed as if lost",
    "transit_stagnation": "Stalled in transit",
    "unreachable": "Receiver unreachable",
    "update_timeout": "Stalled in transit",
}
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "normal": ("一切正常", "nothing is wrong"),
    "late_pickup": ("揽收晚了", "picked up late"),
    "fake_shipment": ("虚假发货：有了单号，包裹没动", "fake shipment: a number and no parcel"),
    "first_hub_stuck": ("卡在首个分拨中心", "stuck in the first hub"),
    "stall_at_pickup": ("揽收后不动", "stalls after the pickup"),
    "stall_in_node": ("停在分拨中心里", "stalls inside a hub"),
    "stall_between_nodes": ("停在两个中心之间", "stalls between two hubs"),
    "stall_delivery_leg": ("停在派送段", "stalls on the delivery leg"),
    "dispatch_timeout": ("派件后迟迟不签收", "out for delivery, not signed"),
    "refused": ("收件人拒收", "refused by the receiver"),
    "damaged": ("途中破损", "damaged on the way"),
    "lost": ("途中丢失", "lost on the way"),
    "returned": ("退回", "returned"),
    "unreachable": ("联系不上收件人", "receiver unreachable"),
    "locker_overdue": ("驿站滞留", "waits in the locker"),
    "signed_then_stored": ("先签收后入站", "signed, then stored"),
    "missing_pickup": ("没有揽收扫描（不算异常）", "the pickup scan is missing (no trouble)"),
    "back_dated_scan": ("轨迹晚到，时间倒填", "a scan arrives late and back-dated"),
    "never_heard_of": ("承运商查无此单", "unknown to the carrier"),
    "wrong_phone": ("订单里手机尾号不对", "the order has a wrong phone tail"),
    "hub_jam": ("撞上爆仓", "runs into a jammed hub"),
}
"""What the simulation does to a parcel (`story.Kind`)."""


@dataclass(frozen=True, slots=True)
class Words:
    """Says things in one language and one zone."""

    language: str = "zh"
    zone: ZoneInfo = SHANGHAI
    rules: Mapping[str, str] = field(default_factory=dict)
    """The rules' Chinese names, as the profiles have them."""

    def naming(self, rules: Mapping[str, str]) -> Words:
        """The same, with a platform's own names of its rules."""
        return replace(self, rules=rules)

    def say(self, zh: str, en: str) -> str:
        """Whichever of the two is asked for."""
        return en if self.language == "en" else zh

    def link(self, path: str) -> str:
        """`path` in the same language."""
        if self.language == "zh":
            return path
        return f"{path}{'&' if '?' in path else '?'}lang={self.language}"

    def rule(self, rule: str, zh: str = "") -> str:
        """A rule's name."""
        return self.say(zh or self.rules.get(rule, rule), _RULES.get(rule, rule.replace("_", " ")))

    def kind(self, kind: str) -> str:
        """What the simulation does to a parcel."""
        return self.say(*_KINDS.get(kind, (kind, kind.replace("_", " "))))

    def carrier(self, key: str) -> str:
        """A carrier's name: the Chinese one, which is what the buyer knows."""
        return names.display(key)

    def state(self, state: TicketState) -> str:
        """Where a ticket stands."""
        return self.say(TICKET_STATE_ZH[state], state.value)

    def milestone(self, milestone: Milestone) -> str:
        """What a scan means."""
        return self.say(MILESTONE_ZH[milestone], milestone.value.replace("_", " "))

    def clock(self, at: datetime | None) -> str:
        """`11-22 08:10`, or a dash."""
        return at.astimezone(self.zone).strftime("%m-%d %H:%M") if at is not None else "—"

    def length(self, length: timedelta) -> str:
        """`53 小时`, `53 h`."""
        if self.language == "zh":
            return hours(length)
        minutes = length // _MINUTE
        if minutes < 120:
            return f"{minutes} min"
        return f"{minutes // 60} h" if minutes < 7 * 24 * 60 else f"{minutes // 1440} d"

    def left(self, deadline: datetime, now: datetime, *, proven: bool) -> str:
        """How long until a deadline, or since; `proven` says that the carrier's silence past it was seen."""
        left = deadline - now
        if left > timedelta(0):
            return self.say(f"还剩 {self.length(left)}", f"{self.length(left)} left")
        if not proven:
            return self.say("到点，核实中", "due, being verified")
        return self.say(f"已超 {self.length(-left)}", f"{self.length(-left)} over")
