"""Tickets, findings, providers and policies as a program reads and moves them."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.feeds.feed import Feed
from monitor.feeds.line import Line
from monitor.store import feeds
from monitor.store.database import Database
from monitor.store.feeds import Counts
from tests.store import given
from tests.store.given import T0, H
from tests.web.api.conftest import NOW, Api, api_over, problem
from tests.web.api.world import CLEAN, Story, fill


@pytest.fixture
def story(api: Api) -> Story:
    return fill(api.store)


def numbers(page: Any) -> list[str]:
    return [row["number"] for row in page["items"]]


def patch(api: Api, number: str, body: Any) -> httpx.Response:
    return api("PATCH", f"/api/v1/tickets/{number}", json=body)


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def test_tickets_have_the_names_of_the_command_line_and_more(api: Api, story: Story) -> None:
    page = api.get("/tickets")
    assert numbers(page) == list(reversed(story.tickets)), "the newest first"
    assert page["next"] is None
    assert {
        *("number", "state", "carrier", "waybill_no", "order_no", "shop"),
        *("opened_at", "resolved_at", "rules", "yuan_at_risk"),
    } < set(page["items"][0])
    oldest = page["items"][-1]
    assert oldest["opened_at"] == "2026-11-01T10:00:00+08:00", "with the offset of the configured zone"
    assert oldest["rules"] == ["late_pickup"]
    assert oldest["version"] == 0


def test_a_list_is_walked_to_its_end_whatever_the_size_of_a_page(api: Api, story: Story) -> None:
    for limit in (1, 2, 3, 500):
        found, cursor = [], None
        while True:
            page = api.get("/tickets", limit=limit, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= limit
            found += numbers(page)
            cursor = page["next"]
            if cursor is None:
                break
        assert found == list(reversed(story.tickets))


def test_nothing_is_shown_twice_while_rows_come_in_front(api: Api, story: Story) -> None:
    first = api.get("/tickets", limit=2)
    parcel = given.a_parcel(api.store, "ZNEW")
    given.open_ticket(api.store, parcel, given.open_finding(api.store, parcel), at=T0 + 20 * H)
    second = api.get("/tickets", limit=500, cursor=first["next"])
    assert numbers(first) + numbers(second) == list(reversed(story.tickets))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"state": "open"}, [4, 3, 2, 1, 0]),
        ({"state": ["resolved", "closed"]}, []),
        ({"stage": "breach"}, [3, 1]),
        ({"rule": "late_pickup"}, [4, 3, 2, 1, 0]),
        ({"rule": "fake_shipment"}, []),
        ({"number": ["Z1", "o3"]}, [3, 1]),
        ({"number": "nobody"}, []),
        ({"sort": "urgent", "limit": 2}, [4, 3]),
        ({"opened_since": "2026-11-01T04:00:00Z"}, [4, 3, 2]),
        ({"opened_until": "2026-11-01T12:00:00+08:00"}, [1, 0]),
        ({"q": "揽收"}, [4, 3, 2, 1, 0]),
        ({"q": "没有这样的"}, []),
        ({"q": "\0"}, []),
    ],
)
def test_filters_of_tickets(api: Api, story: Story, asked: dict[str, Any], expected: list[int]) -> None:
    assert numbers(api.get("/tickets", **asked)) == [story.tickets[n] for n in expected]


def test_a_plus_that_was_not_escaped_is_still_an_offset(api: Api, story: Story) -> None:
    reply = api("GET", "/api/v1/tickets?opened_until=2026-11-01T12:00:00+08:00")
    assert numbers(reply.json()) == [story.tickets[1], story.tickets[0]]


@pytest.mark.parametrize("path", ["/tickets", "/findings"])
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"stat": "open"}, "stat"),
        ({"state": "opne"}, "state.0"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "!"}, "cursor"),
        ({"carrier": ""}, "carrier.0"),
        ({"cursor": "WyJvdGhlciIsMCwxLDJd"}, "cursor"),
        ({"cursor": "x" * 5000}, "cursor"),
        ({"rule": "x" * 101}, "rule.0"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(api: Api, path: str, asked: dict[str, Any], field: str) -> None:
    """A filter that is misspelt must not show everything."""
    told = problem(api("GET", f"/api/v1{path}", params=asked), 422)
    assert [each["field"] for each in told["errors"]] == [field]


@pytest.mark.parametrize(
    "moment",
    ["2026-11-01", "2026-11-01T12:00:00", "1793505600", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_a_moment_without_an_offset_or_a_place_in_time_is_refused(api: Api, moment: str) -> None:
    told = problem(api("GET", "/api/v1/tickets", params={"opened_since": moment}), 422)
    assert [each["field"] for each in told["errors"]] == ["opened_since"]


@pytest.mark.parametrize("path", ["/tickets", "/findings"])
def test_a_page_far_beyond_the_end_is_empty(api: Api, story: Story, path: str) -> None:
    cursor = api.get(path, limit=1)["next"]
    while cursor is not None:
        last, cursor = cursor, api.get(path, limit=1, cursor=cursor)["next"]
    page = api.get(path, cursor=last, limit=500)
    assert len(page["items"]) == 1
    assert page["next"] is None


def test_findings_have_the_names_of_the_command_line_and_more(api: Api, story: Story) -> None:
    page = api.get("/findings")
    assert len(page["items"]) == 5, "those that stand"
    assert {
        *("carrier", "waybill_no", "order_no", "rule", "stage", "started_at", "crossed_at", "ended_at"),
        *("limit_hours", "policy", "state", "found_at", "ticket"),
    } < set(page["items"][0])
    assert page["items"][0]["limit_hours"] == 24.0
    assert {row["ticket"] for row in page["items"]} == set(story.tickets)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"state": ["open", "cleared"]}, 6),
        ({"state": "cleared"}, 1),
        ({"stage": "breach"}, 2),
        ({"rule": "late_shipment"}, 0),
        ({"rule": "late_shipment", "state": "cleared"}, 1),
        ({"carrier": "zhongtong"}, 5),
        ({"carrier": "yuantong"}, 0),
        ({"carrier": "\0"}, 0),
    ],
)
def test_filters_of_findings(api: Api, story: Story, asked: dict[str, Any], count: int) -> None:
    assert len(api.get("/findings", **asked)["items"]) == count


def test_findings_are_walked_in_order_over_their_states(api: Api, story: Story) -> None:
    both = ["open", "cleared"]
    whole = api.get("/findings", state=both)["items"]
    assert [row["found_at"] for row in whole] == sorted((row["found_at"] for row in whole), reverse=True)
    found, cursor = [], ""
    while cursor is not None:
        page = api.get("/findings", state=both, limit=4, **({"cursor": cursor} if cursor else {}))
        found += page["items"]
        cursor = page["next"]
    assert found == whole


def test_providers_have_the_names_of_the_command_line_and_more(api: Api, story: Story) -> None:
    [row] = api.get("/providers")["items"]
    assert row["name"] == "k100"
    assert row["state"] == "down"
    assert row["last_good_at"] == "2026-11-01T10:00:00+08:00"
    assert row["asked_today"] == 40
    assert row["spent_today"] == 2.5
    assert row["unknown_codes"] == 2
    assert row["last_error"] == CLEAN


def test_each_carrier_behind_an_account_is_told_with_its_delay(api: Api, story: Story) -> None:
    counts = Counts(answered=9, refused=1, scans=4, unknown=1)
    counts.learned(timedelta(minutes=6), timedelta(minutes=50))
    well = Line(Feed(last_good_at=NOW - H))
    api.store.write_now(lambda conn: feeds.add(conn, "k100", {"zhongtong": counts}, NOW - H))
    api.store.write_now(lambda conn: feeds.save(conn, "k100", {"zhongtong": well}))
    [row] = api.get("/providers")["items"]
    [line] = [each for each in row["by_carrier"] if each["carrier"] == "zhongtong"]
    assert line["state"] == "up"
    assert (line["success_24h"], line["unknown_share_7d"], line["asked_24h"]) == (0.9, 0.25, 10)
    assert line["lag_median_s"] == line["lag_p95_s"] == [300, 3600]
    assert row["success_24h"] == 0.9
    assert row["uncertain"]


def test_an_account_nobody_asked_yet_is_listed(api: Api) -> None:
    [row] = api.get("/providers")["items"]
    assert (row["state"], row["last_good_at"], row["asked_today"]) == ("unknown", None, 0)


def test_the_rules_in_force_are_readable(api: Api) -> None:
    told = api.get("/policies", profile="taobao_tmall")
    assert told["version"]
    [profile] = told["profiles"]
    rules = {rule["id"]: rule for rule in profile["rules"]}
    assert rules["transit_stagnation"]["limit_hours"]["normal"] > 0
    assert rules["transit_stagnation"]["name"]
    assert told["since"] is None
    assert rules["trajectory_to_out_of_stock"]["since"] == "2025-08-26"
    assert len(api.get("/policies")["profiles"]) > 1


def test_the_rules_in_force_tell_who_is_given_time(database: Database, tmp_path: Path) -> None:
    own = """
[[policies]]
name = "site"
match = {platform = "taobao_tmall"}
rules.late_shipment = {calendar = "cn_six_days"}
[[exemptions]]
name = "台风"
from = 2026-09-01T00:00:00+08:00
until = 2026-09-03T00:00:00+08:00
proof = "https://example.com/1"
"""
    api = api_over(database, tmp_path, own, 'windows = ["pdd_2023_spring"]\n')
    told = api.get("/policies", profile="pinduoduo")
    [policy] = told["policies"]
    assert policy["rules"][0]["calendar"] == "cn_six_days"
    storm = next(each for each in told["exemptions"] if each["name"] == "台风")
    assert (storm["by"], storm["proof"]) == ("", "https://example.com/1")
    spring = next(each for each in told["deferrals"] if each["by"] == "pdd_2023_spring")
    assert spring["paid_from"].startswith("2023-01-14T00:00:00+08:00")
    grants = {each["rule"]: each for each in spring["grants"]}
    assert grants["no_pickup"]["limit_hours"]["normal"] == 72
    [profile] = told["profiles"]
    late = next(each for each in profile["rules"] if each["id"] == "late_shipment")
    assert [each["stops"] for each in late["variants"]] == [["shipped"]], "before 2025-05-15"
    assert late["variants"][0]["until"] == "2025-05-14"


def test_a_rule_says_which_orders_and_days_it_counts(api: Api) -> None:
    told = {each["id"]: each for each in api.get("/policies")["profiles"]}

    def rule(profile: str, name: str) -> dict[str, Any]:
        return next(each for each in told[profile]["rules"] if each["id"] == name)

    assert rule("jd_pop", "late_shipment")["goods_hours"] == {"bulky": 72, "direct_mail": 120}
    assert rule("douyin", "out_of_stock")["after_promise_hours"] == 48
    assert rule("tmall_global", "late_bonded")["when"] == ["bonded"]
    assert rule("dhgate", "first_info")["calendar"] == "cn_business_days"
    assert rule("aliexpress", "fake_no_info")["calendar"] == ""


# ── one ticket ───────────────────────────────────────────────────────────────────────────────────


def test_one_ticket_whole(api: Api, story: Story) -> None:
    told = api.get(f"/tickets/{story.tickets[0]}")
    assert told["number"] == story.tickets[0]
    assert told["filled"]["orders"][0]["order_no"] == "o1"
    assert [entry["kind"] for entry in told["entries"]] == ["opened", "comment"]
    assert told["findings"][0]["rule"] == "late_pickup"
    assert told["events"][0]["text"] == CLEAN
    assert {message["state"] for message in told["messages"]} == {"sent", "dead", "waiting"}
    sent = next(message for message in told["messages"] if message["state"] == "sent")
    assert sent["attempts"] == [{"at": "2026-11-01T11:00:00+08:00", "outcome": "taken", "answer": CLEAN}]


def test_no_answer_tells_a_whole_phone_or_carries_a_bidi_mark(api: Api, story: Story) -> None:
    paths = ["/tickets", f"/tickets/{story.tickets[0]}", "/findings?state=open&state=cleared", "/providers"]
    for path in paths:
        text = api("GET", f"/api/v1{path}").text
        assert "13812345678" not in text, path
        assert "\u202e" not in text, path


@pytest.mark.parametrize("number", ["T-20261101-9999", "x", "a%00b", "%F0%9F%92%A9", "..%2f"])
def test_a_ticket_that_is_not_there(api: Api, number: str) -> None:
    problem(api("GET", f"/api/v1/tickets/{number}"), 404)
    problem(api("PATCH", f"/api/v1/tickets/{number}", json={"state": "resolved", "version": 0}), 404)
    problem(api("POST", f"/api/v1/tickets/{number}/entries", json={"text": "x"}), 404)


def test_a_ticket_is_acknowledged_resolved_and_reopened(api: Api, story: Story) -> None:
    [number, *_] = story.tickets
    told = patch(api, number, {"state": "acknowledged", "version": 0, "by": "小李"}).json()
    assert (told["state"], told["version"], told["acknowledged_by"]) == ("acknowledged", 1, "小李")
    told = patch(api, number, {"state": "resolved", "version": 1, "text": "已联系承运商"}).json()
    assert (told["state"], told["resolution"], told["resolved_by"]) == ("resolved", "已联系承运商", "控制台")
    told = patch(api, number, {"state": "open", "version": 2, "text": "又停了"}).json()
    assert (told["state"], told["version"]) == ("open", 3)
    kinds = [entry["kind"] for entry in told["entries"]]
    assert kinds == ["opened", "comment", "acknowledged", "resolved", "reopened"]


def test_who_comes_second_is_told_and_changes_nothing(api: Api, story: Story) -> None:
    [number, *_] = story.tickets
    assert patch(api, number, {"state": "acknowledged", "version": 0, "by": "甲"}).status_code == 200
    told = problem(
        patch(api, number, {"state": "resolved", "version": 0, "by": "乙"}), 409, "version_conflict"
    )
    assert "acknowledged" in told["detail"]
    assert api.get(f"/tickets/{number}")["acknowledged_by"] == "甲"


def test_of_ten_at_once_one_is_the_first(api: Api, story: Story) -> None:
    [number, *_] = story.tickets

    async def all_(client: httpx.AsyncClient) -> list[int]:
        step = {"state": "resolved", "version": 0}
        path = f"/api/v1/tickets/{number}"
        replies = await asyncio.gather(*(client.patch(path, json=step | {"by": str(n)}) for n in range(10)))
        return sorted(reply.status_code for reply in replies)

    assert api.run(all_) == [200] + [409] * 9
    assert [each["kind"] for each in api.get(f"/tickets/{number}")["entries"]].count("resolved") == 1


@pytest.mark.parametrize(
    ("query", "reason", "words"),
    [
        ({"state": "foo"}, "enum", "只能写 'open'、'acknowledged'"),
        ({"limit": "x"}, "int_parsing", "要写整数"),
        ({"limit": "0"}, "greater_than_equal", "不能小于 1"),
        ({"limit": "501"}, "less_than_equal", "不能大于 500"),
        ({"cursor": "x" * 401}, "string_too_long", "最多 400 个字符"),
        ({"cursor": ""}, "string_too_short", "至少 1 个字符"),
        ({"stat": "open"}, "extra_forbidden", "没有这个参数或字段"),
        ({"opened_since": "yesterday"}, "value_error", "要 ISO 8601"),
    ],
)
def test_a_wrong_parameter_is_explained_in_chinese(
    api: Api, query: dict[str, str], reason: str, words: str
) -> None:
    told = problem(api("GET", "/api/v1/tickets", params=query), 422, "invalid")
    [flaw] = told["errors"]
    assert (flaw["field"].partition(".")[0], flaw["reason"]) == (next(iter(query)), reason)
    assert flaw["text"].startswith(words)
    assert "改动" not in told["detail"], "a question changes nothing in any case"


def test_a_wrong_field_is_explained_in_chinese_and_nothing_was_changed(api: Api, story: Story) -> None:
    told = problem(patch(api, story.tickets[0], {"state": "done", "more": 1}), 422, "invalid")
    assert "没有做任何改动" in told["detail"]
    texts = {flaw["field"]: flaw["text"] for flaw in told["errors"]}
    assert texts["version"] == "必须写"
    assert texts["more"] == "没有这个参数或字段"
    assert texts["state"].startswith("只能写 ")


@pytest.mark.parametrize("step", [{"state": "closed"}, {"state": "open"}])
def test_a_step_outside_the_table_says_which_ones_there_are(api: Api, story: Story, step: Any) -> None:
    told = problem(patch(api, story.tickets[0], {"version": 0, **step}), 409, "not_allowed")
    assert "可以改为" in told["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": "resolved"}, "version"),
        ({"version": 0}, "state"),
        ({"state": "done", "version": 0}, "state"),
        ({"state": "resolved", "version": "x"}, "version"),
        ({"state": "resolved", "version": 2**70}, "version"),
        ({"state": "resolved", "version": -1}, "version"),
        ({"state": "resolved", "version": 0, "text": "x" * 2001}, "text"),
        ({"state": "resolved", "version": 0, "assignee": "x"}, "assignee"),
    ],
)
def test_a_step_that_is_none_is_refused_by_field(api: Api, story: Story, body: Any, field: str) -> None:
    told = problem(patch(api, story.tickets[0], body), 422)
    assert field in [each["field"] for each in told["errors"]]
    assert api.get(f"/tickets/{story.tickets[0]}")["version"] == 0


def test_a_comment_is_added(api: Api, story: Story) -> None:
    [number, *_] = story.tickets
    entry = api.post(f"/tickets/{number}/entries", {"text": "等回复 13812345678", "by": "小李"}, 201)
    assert (entry["kind"], entry["author"], entry["text"]) == ("comment", "小李", "等回复 138******78")
    assert datetime.fromisoformat(entry["at"]) == NOW
    assert api.get(f"/tickets/{number}")["entries"][-1] == entry


@pytest.mark.parametrize(
    "body",
    [
        {"text": "half \ud800"},
        {"text": ""},
        {"text": " \u200b\u202e\n"},
        {"text": "x" * 2001},
        {},
        {"text": 5},
    ],
)
def test_a_comment_that_says_nothing_or_too_much_is_refused(api: Api, story: Story, body: Any) -> None:
    path, kind = f"/api/v1/tickets/{story.tickets[0]}/entries", {"content-type": "application/json"}
    problem(api("POST", path, content=json.dumps(body), headers=kind), 422)


@pytest.mark.parametrize("text", ["a\0b", "<img src=x>", "'; DROP TABLE tickets; --", "𝕏" * 1000])
def test_hostile_comments_are_kept_as_text(api: Api, story: Story, text: str) -> None:
    [number, *_] = story.tickets
    content = json.dumps({"text": f"x{text}"})
    path, kind = f"/api/v1/tickets/{number}/entries", {"content-type": "application/json"}
    entry = api("POST", path, content=content, headers=kind).json()
    assert entry["text"].startswith("x")
    assert "\0" not in entry["text"]
    assert api.get(f"/tickets/{number}")["entries"][-1] == entry


@pytest.mark.parametrize("path", ["/tickets/{}", "/tickets/{}/entries"])
def test_what_changes_tickets_takes_small_bodies_of_json_only(api: Api, story: Story, path: str) -> None:
    method = "POST" if path.endswith("entries") else "PATCH"
    where = "/api/v1" + path.format(story.tickets[0])
    json_ = {"content-type": "application/json"}
    problem(api(method, where, content=b"{" + b" " * 70_000 + b"}", headers=json_), 413)
    problem(api(method, where, data={"text": "x"}), 415)
    problem(api(method, where, content=b"{", headers=json_), 400, "bad_json")
    problem(api(method, where, content=b"[" * 60_000, headers=json_), 400, "bad_json")


def test_time_passes_between_two_steps(api: Api, story: Story) -> None:
    [number, *_] = story.tickets
    patch(api, number, {"state": "acknowledged", "version": 0})
    api.now[0] += timedelta(hours=1)
    told = patch(api, number, {"state": "resolved", "version": 1}).json()
    taken = datetime.fromisoformat(told["resolved_at"]) - datetime.fromisoformat(told["acknowledged_at"])
    assert taken == timedelta(hours=1)
