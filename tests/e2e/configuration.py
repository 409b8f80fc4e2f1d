"""Configurations with limits in seconds, pointed at the peers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.peers import Peers

KEY, CUSTOMER = "KEYdemo12345", "CUSTOMERDEMO0001"
RULES = {"late_shipment": ("7s", "5s"), "pickup_no_update": ("7s", "5s"), "transit_stagnation": ("9s", "6s")}
"""Limit, and how long before it the warning comes."""
SECOND = ("--ding-token", "ding-two", "--wecom-key", "wecom-two")
"""Options of further peers: a robot is known by its token."""
TWO_GROUPS: tuple[Mapping[str, Any], ...] = ({"channels": ["ops", "wx"]},)


def configuration(
    peers: Peers,
    store: str,
    *,
    rules: Mapping[str, tuple[str, ...]] | None = None,
    routes: Sequence[Mapping[str, Any]] = TWO_GROUPS,
    key: str = KEY,
    ceilings: Mapping[str, Any] | None = None,
    channels: str = "",
    web: str = "enabled = false",
) -> str:
    """A configuration with limits in seconds, pointed at the peers."""
    groups = peers.urls["groups"]
    limits = "".join(
        f'rules.{name} = {{limit = "{limit}", warn = {json.dumps(warn)}}}\n'
        for name, (limit, *warn) in (RULES if rules is None else rules).items()
    )
    ceiling = {"per_waybill_interval": "1s", "per_waybill_daily": 48, "per_second": 50, "concurrency": 8}
    bounds = ", ".join(
        f"{name} = {json.dumps(value)}" for name, value in {**ceiling, **(ceilings or {})}.items()
    )
    return f"""
store = "{store}"

[web]
{web}

[[providers]]
name = "k100"
kind = "kuaidi100"
base_url = "{peers.urls["provider"]}"
customer = "{CUSTOMER}"
key = "{key}"
carriers = ["*"]
ceilings = {{{bounds}}}

[[channels]]
name = "ops"
kind = "dingtalk"
webhook = "{groups}/robot/send?access_token=ding-demo"
secret = "SECdemo"

[[channels]]
name = "wx"
kind = "wecom"
webhook = "{groups}/cgi-bin/webhook/send?key=wecom-demo"

[[channels]]
name = "qq"
kind = "onebot"
url = "{groups}"
token = "onebot-demo"
group_id = 123456
{channels}
{"".join(_route(route) for route in routes)}
[[policies]]
name = "p"
profile = "taobao_tmall"
{limits}"""


def second_channels(peers: Peers) -> str:
    """A second robot of each kind, in the groups of peers started with `SECOND`."""
    groups = peers.urls["groups"]
    return f"""
[[channels]]
name = "ops2"
kind = "dingtalk"
webhook = "{groups}/robot/send?access_token=ding-two"
secret = "SECdemo"

[[channels]]
name = "wx2"
kind = "wecom"
webhook = "{groups}/cgi-bin/webhook/send?key=wecom-two"

[[channels]]
name = "qq2"
kind = "onebot"
url = "{groups}"
token = "onebot-demo"
group_id = 654321
"""


def _route(route: Mapping[str, Any]) -> str:
    match = ", ".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in route.get("match", {}).items()
    )
    lines = [f"match = {{{match}}}"] if match else []
    lines += [f"{name} = {json.dumps(route[name])}" for name in ("channels", "mention") if name in route]
    return "[[routes]]\n" + "\n".join(lines) + "\n\n"
