"""`docs/reference/configuration.md`, told by `config/schema.json` and the tables the configuration is read with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from monitor.config import service as config_service
from monitor.config.shapes import REQUIRED, Setting, Table
from monitor.config.top import top
from monitor.config.words import Words
from monitor.profiles import load_profiles, vocabulary
from tests.docs.told import MADE, cell, length

ROOT = Path(__file__).parents[2]
_HEAD_CONFIGURATION = f"""{MADE}

# 配置

一个 TOML 文件。带说明的例子在 [`config/parcelwatch.example.toml`](../../config/parcelwatch.example.toml)，
编辑器用的 schema 在 [`config/schema.json`](../../config/schema.json)。写错的键会报错，并提示最接近的写法；
`parcelwatch check` 一次列出全部问题，带行号。

密钥不写在文件里，只写从哪里取：`env:名字`（环境变量）、`file:路径`（文件内容，相对路径从配置文件所在目录算起）、
`credential:名字`（systemd 凭据）。

English: every key of the configuration file, generated from its JSON Schema; the columns are key, value, meaning,
default. Durations are a number with `s`, `m`, `h` or `d`. Secrets are written as `env:NAME`, `file:PATH` or
`credential:NAME`."""


def configuration() -> str:
    """Every key of the configuration file: path, kind of value, meaning, default."""
    schema = json.loads((ROOT / "config" / "schema.json").read_text("utf-8"))
    own, tables = list[str](), list[str]()
    defaults = top(Words(vocabulary(load_profiles())))
    for key, node in schema["properties"].items():
        kinds = _kinds(node)
        rows = (
            list(_by_kind(kinds, f"{key}.", schema["definitions"]))
            if kinds
            else list(dict.fromkeys(_keys(node, f"{key}.", _inner(key), schema["definitions"])))
        )
        if rows:
            title = f"`[[{key}]]`" if node.get("type") == "array" else f"`[{key}]`"
            tables.append(
                f"## {key}\n\n{title} {node.get('description', '')}\n\n{_HEADING}" + "\n".join(rows)
            )
        else:
            own.append(_row(key, node, defaults.get(key)))
    rest = [_definition(name, node, schema["definitions"]) for name, node in schema["definitions"].items()]
    first = "## 最上面\n\n" + _HEADING + "\n".join(own)
    return "\n\n".join((_HEAD_CONFIGURATION, first, *tables, *(each for each in rest if each))) + "\n"


_HEADING = "| 键 | 值 | 意思 | 默认 |\n|---|---|---|---|\n"


def _inner(key: str) -> Table:
    """The defaults of a plain table."""
    table = getattr(config_service, key.upper(), {})
    return table if isinstance(table, Mapping) else {}


def _kinds(node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The tables of a list whose `kind` says which keys there are."""
    found = {}
    for each in node.get("items", {}).get("oneOf", ()):
        kind = each.get("properties", {}).get("kind", {}).get("enum")
        if kind:
            found[str(kind[0])] = each
    return found


def _by_kind(kinds: Mapping[str, Mapping[str, Any]], path: str, known: Mapping[str, Any]) -> Iterator[str]:
    """Every key once; what not every kind has says which do."""
    owners: dict[str, list[str]] = {}
    for kind, node in kinds.items():
        for row in _keys(node, path, {}, known):
            if not row.startswith(f"| `{path}kind` |"):
                owners.setdefault(row, []).append(kind)
    yield f"| `{path}kind` | {'、'.join(f'`{kind}`' for kind in kinds)} | 哪一种 | 必填 |"
    yield from (row for row, mine in owners.items() if len(mine) == len(kinds))
    for row, mine in owners.items():
        if len(mine) < len(kinds):
            at, value, told, default = row.removeprefix("| ").removesuffix(" |").rsplit(" | ", 3)
            only = f"{'' if not told else f'{told}。'}只有 {'、'.join(f'`{kind}`' for kind in mine)}"
            yield f"| {at} | {value} | {only} | {default} |"


def _keys(node: Mapping[str, Any], path: str, defaults: Table, known: Mapping[str, Any]) -> Iterator[str]:
    """Rows for every key below a node, lists and alternatives included."""
    alternatives = [*node.get("oneOf", ()), *node.get("anyOf", ())]
    if node.get("type") == "array":
        yield from _keys(node.get("items", {}), path, defaults, known)
    for each in alternatives:
        yield from _keys(each, path, defaults, known)
    if isinstance(node.get("additionalProperties"), Mapping):
        yield from _keys(node["additionalProperties"], f"{path}名字.", {}, known)
    required = set(node.get("required", ()))
    for key, inner in node.get("properties", {}).items():
        yield _row(f"{path}{key}", inner, defaults.get(key), must=key in required)
        yield from _keys(inner, f"{path}{key}.", {}, known)


def _row(path: str, node: Mapping[str, Any], setting: Setting | None, *, must: bool = False) -> str:
    default = "必填" if must else _default(setting)
    told = node.get("description") or _WORDS.get(path, "")
    return f"| `{path}` | {cell(_kind(node))} | {cell(told)} | {default} |"


def _default(setting: Setting | None) -> str:
    value = None if setting is None else setting.default
    if value is None or value is REQUIRED or value == "" or value == {} or value == ():
        return ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{length(value) if isinstance(value, timedelta) else value}`"


def _kind(node: Mapping[str, Any]) -> str:
    """What may be written there, in a few words."""
    references = [node.get("$ref", "")] + [each.get("$ref", "") for each in node.get("allOf", ())]
    for each in filter(None, references):
        name = each.rpartition("/")[2]
        return _RECURRING.get(name, name)
    if "late_shipment" in node.get("enum", ()):
        return "[规则](rules.md)的名字"
    if "enum" in node:
        return "、".join(f"`{each}`" for each in node["enum"])
    if "anyOf" in node and not any("properties" in each for each in node["anyOf"]):
        return "或".join(dict.fromkeys(_kind(each) for each in node["anyOf"]))
    if "oneOf" in node or "properties" in node:
        return "表"
    kind = node.get("type", "")
    return {
        "string": "文字",
        "integer": "整数",
        "number": "数",
        "boolean": "true、false",
        "array": "列表",
    }.get(kind, "表" if kind == "object" else kind)


_WORDS = {
    "providers.base_url": "服务商的地址；演练时可以指向模拟的服务",
    "providers.business_id": "快递鸟的用户 ID（EBusinessID）",
    "providers.request_type": "买的套餐：`8001` 高级（每行有状态）、`1002` 基础（只有文字）",
    "providers.try_other_plan": "这个套餐没有或用完时，用另一个再查一次",
    "providers.partner_id": "丰桥的顾客编码",
    "providers.own_waybills": "查的都是自己账号（顺丰月结、中通电子面单）的单，不需要手机号后四位",
    "providers.app_key": "开放平台给的 AppKey；圆通只有老接口要写",
    "providers.digest": "中通控制台里选的签名方式：`md5` 或 `sha256`",
    "providers.interface": "用这家的哪个接口：中通、圆通是 `new` 或 `old`，京东是 `ecap` 或 `tracking`",
    "providers.customer_code": "客户编码；圆通的老接口写 user_id，京东的 `tracking` 不用写",
    "providers.path": "圆通给这个接口分配的那一段地址",
    "providers.from_code": "申通的 from_code，与 app_key 不一样时才写",
    "providers.subscribe_first": "韵达没有轨迹的单号先订阅再查；false：单号都在别处订阅过了",
    "providers.api_account": "极兔的 apiAccount",
    "providers.order_origin": "京东的 orderOrigin，只有 `ecap` 用",
    "providers.upper_case_sign": "京东说签名不对时，改成 true 再试",
    "providers.sender_no": "EMS 的协议客户号",
    "providers.company_code": "德邦的 companyCode",
    "channels.keyword": "机器人设了关键词的，写其中一个；每条消息都会带上它",
    "channels.url": "OneBot 的 HTTP 接口地址",
    "channels.group_id": "群号",
    "normal": "普通地区",
    "remote": "偏远地区",
    "very_remote": "极偏远地区",
    "excluded": "不适用国内时限的地区",
    "tiers.remote": "偏远地区的省份，对所有平台",
    "tiers.very_remote": "极偏远地区的省份，对所有平台",
    "tiers.excluded": "不适用国内时限的地区，对所有平台",
}
"""Keys whose schema says nothing."""
_RECURRING = {
    "duration": "[时长](#duration)",
    "limit": "[时限](#limit)",
    "warn": "[预警](#warn)",
    "change": "[规则的改动](#change)",
    "rules": "[规则](#rules)",
    "match": "[匹配](#match)",
    "route_match": "[匹配](#route_match)",
    "tier_lists": "[名单](#tier_lists)",
}
_DEFINED = {
    "duration": '数字加单位 `s` 秒、`m` 分、`h` 小时、`d` 天：`"90s"`、`"30m"`、`"48h"`、`"1.5d"`。',
    "limit": "一个时长，或按目的地分的表：",
    "warn": "超时前多久预警：一个时长，或一个列表。",
    "change": "对一条规则的改动；没有写的照平台默认值。",
    "rules": "规则的名字 = 改动。各平台的默认值见[规则](rules.md)。",
    "match": "哪些包裹。几项要同时满足；值是一个文字或一个列表。",
    "route_match": "哪些消息。几项要同时满足；值是一个文字或一个列表。",
    "tier_lists": "哪些省份偏远。写了的一级以这里为准，没有写的照平台的名单（`config/tiers.toml`）。",
}


def _definition(name: str, node: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    told = _DEFINED.get(name, node.get("description", ""))
    rows = list(_keys(node, "", {}, known))
    return f"## {name}\n\n{told}" + (f"\n\n{_HEADING}" + "\n".join(rows) if rows else "")
