"""The command line's contract (design.md §4): exit codes, `--json`, what a person reads, what goes wrong."""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import structlog

from carriers.kuaidi100 import Kuaidi100
from domain.history import merge
from domain.journey import condense
from domain.messages import Message, MessageKind
from domain.remote import Outcome
from domain.time import SHANGHAI
from domain.tracking import Answer, TrackingEvent
from monitor import logs
from monitor.app import build_sweep
from monitor.cli import _COMMANDS, cli
from monitor.cli.common import settings_from, table
from monitor.clock import wall
from monitor.config.settings import load
from monitor.store import events, outbox, parcels, providers
from monitor.store.database import Database
from monitor.store.outbox import MessageState, NewMessage
from monitor.sweep import Look
from tests.cli.conftest import CONFIG, SECRETS, Shell
from tests.simulated import PICKED

ROOT = Path(__file__).parents[2]
LISTS = ("tickets", "findings", "outbox", "providers")
ORDERS = "order_no,carrier,waybill_no,platform,shop,paid_at,shipped_at,receiver_province,amount\n"
ROW = "A1,中通,75812345678901,taobao_tmall,旗舰店,{paid},{paid},广东,88.00\n"


def orders_csv(shell: Shell, *rows: str, ago: float = 60) -> Path:
    """An order file; paid so many hours ago."""
    paid = (wall() - timedelta(hours=ago)).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")
    return shell.file("orders.csv", ORDERS + "".join(rows or (ROW,)).format(paid=paid))


@pytest.fixture
def watched(shell: Shell) -> Shell:
    """One parcel, paid sixty hours ago, of which the carrier has just said that it knows nothing."""
    shell("import", orders_csv(shell))
    learn(shell)
    return shell


def learn(shell: Shell, *scans: TrackingEvent) -> None:
    """The carrier is looked at, and what follows is kept: what the daemon does."""
    settings = load(shell.folder / "parcelwatch.toml", SECRETS)
    sweep, now = build_sweep(settings), wall()

    def work(conn: Any) -> None:
        [parcel] = parcels.find(conn, "75812345678901")
        [look] = sweep.looks(conn, [parcel])
        change = merge([], Answer("zhongtong", "75812345678901", tuple(scans)), now)
        events.apply(conn, [(parcel, change)], provider="k100", at=now)
        case = replace(look.case, journey=condense(scans), observed_at=now)
        sweep.settle(conn, [Look(look.loaded, case)], now)

    with_store(shell, work)


def with_store(shell: Shell, work: Any) -> Any:
    settings = load(shell.folder / "parcelwatch.toml", SECRETS)
    store = Database.open(settings.store)
    try:
        return store.write_now(work)
    finally:
        store.close()


# ── every command ────────────────────────────────────────────────────────────────────────────────


def commands() -> list[list[str]]:
    found: list[list[str]] = []
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        found.append([name])
        if isinstance(command, click.Group):
            found += [[name, sub] for sub in command.commands]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself_in_chinese(shell: Shell, words: list[str]) -> None:
    said = shell(*words, "--help").stdout
    assert any("\u4e00" <= character <= "\u9fff" for character in said)


def test_the_commands_of_the_contract_are_there(shell: Shell) -> None:
    said = shell("--help").stdout
    for name in ("demo", "run", "check", "import", "explain", "try", *LISTS, "migrate"):
        assert f"\n  {name} " in said
    assert set(_COMMANDS) == {words[0] for words in commands()}
    assert shell("--version").stdout.startswith("parcelwatch")


@pytest.mark.parametrize(
    "words", [["nosuch"], ["tickets", "nosuch"], ["explain"], ["import"], ["tickets", "-x"]], ids=" ".join
)
def test_what_nobody_understands_is_the_users_to_change(shell: Shell, words: list[str]) -> None:
    assert shell(*words, code=2).stdout == ""


@pytest.mark.parametrize(
    "words", [[name] for name in (*LISTS, "migrate", "run")] + [["explain", "中通", "1"]], ids=" ".join
)
def test_a_broken_configuration_is_told_whole_with_its_lines(shell: Shell, words: list[str]) -> None:
    shell.config(CONFIG + 'stor = "x"\n[[channels]]\nname = "b"\nkind = "dingtakl"\n')
    result = shell(*words, code=2)
    assert result.stdout == ""
    assert "第 23 行" in result.stderr
    assert "第 26 行" in result.stderr
    assert "是不是想写 dingtalk" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_that_is_not_there(shell: Shell) -> None:
    result = shell("tickets", "-c", shell.folder / "none.toml", code=2)
    assert "none.toml" in result.stderr


@pytest.mark.parametrize("name", LISTS)
def test_a_store_is_made_on_first_use(shell: Shell, name: str) -> None:
    assert isinstance(shell.json(name), list)
    assert (shell.folder / "store.db").is_file()


@pytest.mark.parametrize(
    "words", [[name] for name in LISTS] + [["explain", "中通", "1"], ["run"]], ids=" ".join
)
def test_an_older_store_names_the_command_that_upgrades_it(shell: Shell, words: list[str]) -> None:
    shell("migrate")
    with sqlite3.connect(shell.folder / "store.db") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0000'")
    raw.close()
    result = shell(*words, code=2)
    assert result.stdout == ""
    assert "parcelwatch migrate" in result.stderr
    assert "Traceback" not in result.stderr


def test_migrate_says_what_it_did(shell: Shell) -> None:
    assert "已执行" in shell("migrate").stdout
    assert shell("migrate").stdout == "数据库已是最新。\n"


def test_a_store_that_cannot_be_reached_failed(shell: Shell) -> None:
    shell.config(CONFIG.replace("sqlite:///store.db", f"sqlite:///{shell.folder}/nowhere/store.db"))
    result = shell("tickets", code=1)
    assert result.stderr.startswith("存储：")


# ── import ───────────────────────────────────────────────────────────────────────────────────────


def test_importing_twice_registers_once(shell: Shell) -> None:
    file = orders_csv(shell)
    first = shell("import", file)
    assert "新增（accepted）：1" in first.stdout
    second = shell("import", file)
    assert "新增（accepted）：0" in second.stdout
    assert "未变（unchanged）：1" in second.stdout
    assert "导入过" in second.stderr
    [told] = shell.json("import", str(file))
    assert {"accepted", "updated", "unchanged", "rejected", "rows", "awaiting", "problems"} <= told.keys()
    assert (told["unchanged"], told["rows"]) == (1, 1)


def test_a_rejected_row_comes_back_in_a_file_and_the_others_are_in(shell: Shell) -> None:
    file = orders_csv(shell, ROW, "A2,没有这家,xx\n")
    result = shell("import", file)
    rejected = shell.folder / "orders.csv.rejected.csv"
    assert "新增（accepted）：1" in result.stdout
    assert "第 3 行" in result.stdout
    assert str(rejected.name) in result.stdout
    assert "A2" in rejected.read_text("utf-8-sig")
    assert "同样要写" not in result.stdout
    [told] = shell.json("import", str(file))
    assert [problem["line"] for problem in told["problems"]] == [3]


def test_the_way_back_of_rejected_rows_repeats_how_they_were_read(shell: Shell) -> None:
    (shell.folder / "mappings").mkdir()
    (shell.folder / "mappings" / "我的 表.toml").write_text('tags = "carrier"\n', "utf-8")
    file = orders_csv(shell, ROW, "A2,没有这家,xx\n")
    result = shell("import", file, "--mapping", "我的 表", "--platform", "taobao_tmall")
    assert "（同样要写 --mapping '我的 表' --platform taobao_tmall）" in result.stdout


def test_a_file_that_is_no_order_file_is_the_users_to_change(shell: Shell) -> None:
    result = shell("import", shell.file("x.csv", "a,b\n1,2\n"), code=2)
    assert result.stdout == ""
    assert result.stderr
    shell("import", shell.folder / "missing.csv", code=2)
    shell("import", shell.file("y.csv", ORDERS), "--mapping", "nosuch", code=2)


def test_a_dry_run_keeps_nothing(shell: Shell) -> None:
    file = orders_csv(shell)
    assert "新增（accepted）：1" in shell("import", file, "--dry-run").stdout
    assert "新增（accepted）：1" in shell("import", file).stdout


@pytest.mark.parametrize("how", [["--dry-run"], []], ids=["dry run", "import"])
def test_orders_paid_long_ago_are_announced_for_they_may_alarm_at_once(shell: Shell, how: list[str]) -> None:
    old = shell("import", str(orders_csv(shell, ago=61 * 24)), *how).stdout
    assert "有 1 个是 60 天以前付款的，导入后可能马上报警" in old
    assert "60 天" not in shell("import", str(orders_csv(shell, ROW.replace("A1", "A2"))), *how).stdout


def test_a_saved_mapping_is_used(shell: Shell) -> None:
    (shell.folder / "mappings").mkdir()
    shell.file("mappings/mine.toml", 'order_no = "单"\ncarrier = "谁送"\nwaybill_no = "号"\n')
    file = shell.file("mine.csv", "单,谁送,号\nB1,圆通,YT8812345678901\n")
    assert "新增（accepted）：1" in shell("import", file, "--mapping", "mine").stdout


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def test_tickets(watched: Shell) -> None:
    [ticket] = watched.json("tickets")
    assert list(ticket) == [
        *("number", "state", "carrier", "waybill_no", "order_no", "shop"),
        *("opened_at", "resolved_at", "rules", "yuan_at_risk"),
        *("risk_low", "risk_high", "blame"),
    ]
    assert (ticket["state"], ticket["carrier"], ticket["order_no"]) == ("open", "zhongtong", "A1")
    assert ticket["rules"][0] == "late_shipment"
    assert datetime.fromisoformat(ticket["opened_at"]).utcoffset() == timedelta(hours=8)
    said = watched("tickets").stdout
    assert "工单" in said
    assert "75812345678901" in said


def test_findings(watched: Shell) -> None:
    found = watched.json("findings")
    assert all(
        list(each)
        == [
            *("carrier", "waybill_no", "order_no", "rule", "stage", "started_at", "crossed_at", "ended_at"),
            *("limit_hours", "policy", "state", "found_at", "ticket"),
            *("policy_version", "shadow", "yuan_at_risk", "risk_low", "risk_high", "blame"),
        ]
        for each in found
    )
    [late] = [each for each in found if each["rule"] == "late_shipment"]
    assert (late["stage"], late["state"], late["limit_hours"]) == ("breach", "open", 48.0)
    assert late["policy"] == "taobao_tmall.late_shipment"
    learn(watched, TrackingEvent(wall() - timedelta(hours=59), PICKED, "已揽收"))
    assert "late_shipment" not in [each["rule"] for each in watched.json("findings")]
    ended = [each for each in watched.json("findings", "--all") if each["rule"] == "late_shipment"]
    assert [each["state"] for each in ended] == ["retracted"]


def test_outbox(watched: Shell) -> None:
    message = Message(MessageKind.ALERT, "x", reference="T-1")

    def die(conn: Any) -> None:
        outbox.put(conn, [NewMessage("dead", "ops", message, wall())])
        row = outbox.by_key(conn, "dead")
        assert row is not None
        outbox.finish(conn, row.id, Outcome.REFUSED, "机器人\x1b[31m被移除", wall(), state=MessageState.DEAD)

    with_store(watched, die)
    rows = watched.json("outbox")
    assert all(
        list(row) == ["id", "channel", "ticket", "state", "attempts", "next_try_at", "last_answer"]
        for row in rows
    )
    assert {row["state"] for row in rows} == {"waiting", "dead"}
    said = watched("outbox").stdout
    assert "\x1b" not in said, "no text from outside moves the cursor of a terminal"


def test_providers(watched: Shell) -> None:
    [row] = watched.json("providers")
    old = ["name", "state", "last_good_at", "asked_today", "spent_today", "unknown_codes"]
    assert list(row)[: len(old)] == old
    assert row["by_carrier"] == []
    assert (row["name"], row["state"], row["asked_today"]) == ("k100", "unknown", 0)
    assert "尚无应答" in watched("providers").stdout

    def ask(conn: Any) -> None:
        providers.spend(conn, "k100", wall().astimezone(SHANGHAI).date(), asked=30, cents=150)
        providers.save(conn, providers.ProviderState("k100", "down"))
        providers.note_unknown(conn, "k100", ["1234"], "x", wall())

    with_store(watched, ask)
    [row] = watched.json("providers")
    assert (row["state"], row["asked_today"], row["spent_today"], row["unknown_codes"]) == (
        "down",
        30,
        1.5,
        1,
    )
    told = watched("providers").stdout
    assert f"没有确认的事：k100 {len(Kuaidi100.uncertain)} 件" in told
    assert [said for said in Kuaidi100.uncertain if said in told] == [], (
        "all of it for who asks for one account"
    )
    told = watched("providers", "k100").stdout
    assert [said for said in Kuaidi100.uncertain if said not in told] == []
    assert watched.json("providers", "k100") == [row]
    assert "配置里有：k100" in watched("providers", "k1000", code=2).output


def test_providers_sets_what_was_done_beside_what_may_be(watched: Shell) -> None:
    limits = 'budget = {per_day = 20, per_month = 400}\npush = true\nsalt = "saltsaltsalt"\n'
    watched.config(CONFIG.replace('customer = "', f'{limits}customer = "', 1))
    day = wall().astimezone(SHANGHAI).date()

    def busy(conn: Any) -> None:
        providers.spend(conn, "k100", day, asked=30, cents=150)
        row = (
            "INSERT INTO subscriptions (parcel_id, provider, state, next_at) VALUES (1, 'k100', 'open', NULL)"
        )
        conn.exec_driver_sql(row)

    with_store(watched, busy)
    told = watched("providers").stdout
    for said in ("30/400", "1.5/20", "1.5/400"):
        assert said in told
    whole = watched("providers", "k100").stdout
    for said in ("今日查询/上限：30/400", "今日花费/上限(元)：1.5/20", "订阅着 1，等着订阅 0", "一个月最多"):
        assert said in whole
    [row] = watched.json("providers")
    assert (row["queries_limit_day"], row["subscriptions"]["open"], row["per_waybill_daily"]) == (400, 1, 48)


def test_providers_says_why_an_account_is_down_and_since_when(watched: Shell) -> None:
    down = providers.ProviderState(
        "k100", "down", since=datetime(2026, 11, 22, 2, 30, tzinfo=UTC), last_error="key\x1b[2J refused"
    )
    assert "原因" in watched("providers").stdout
    with_store(watched, lambda conn: providers.save(conn, down))
    assert "11-22 10:30 起：key[2J refused" in watched("providers").stdout
    with_store(watched, lambda conn: providers.save(conn, replace(down, state="up")))
    assert "refused" not in watched("providers").stdout, "it is over"


@pytest.mark.parametrize("name", ["tickets", "findings", "outbox"])
def test_an_empty_list_is_an_empty_list(shell: Shell, name: str) -> None:
    assert shell.json(name) == []
    assert "没有" in shell(name).stdout


def test_a_table_of_chinese_lines_up(capsys: pytest.CaptureFixture[str]) -> None:
    table([{"a": "旗舰店", "b": 1}, {"a": "shop", "b": None}], {"a": "店铺", "b": "数"})
    assert capsys.readouterr().out == "店铺    数\n旗舰店  1\nshop    -\n"
    table([{"a": "错" * 300, "b": ["x\x1b"] * 3}], {"a": "平台回答", "b": "规则"})
    assert capsys.readouterr().out.splitlines()[1] == "错" * 47 + "…  x�、x�、x�"


# ── explain ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("carrier", ["中通", "zhongtong", "ZTO"])
def test_explain(watched: Shell, carrier: str) -> None:
    told = watched.json("explain", carrier, "75812345678901")
    assert list(told) == ["parcel", "events", "clocks", "findings", "next_look_at", "observed_at"]
    [late] = [clock for clock in told["clocks"] if clock["rule"] == "late_shipment"]
    assert late["started_by"] == "付款"
    assert late["waits_for"] == "揽收"
    assert late["policy"] == "taobao_tmall.late_shipment"
    assert late["limit_hours"] == 48
    assert [finding["stage"] for finding in told["findings"] if finding["rule"] == "late_shipment"] == [
        "breach"
    ]
    assert told["parcel"]["orders"][0]["order_no"] == "A1"
    said = watched("explain", carrier, "75812345678901").stdout
    assert "late_shipment" in said
    assert "等「揽收」" in said


def test_explain_of_a_parcel_whose_carrier_is_not_known(shell: Shell) -> None:
    """Its number is enough; what was asked for and what was found are told apart."""
    shell("import", orders_csv(shell, ROW.replace("中通", "auto")))
    said = shell("explain", "中通", "75812345678901").stdout
    assert "没有中通快递的 75812345678901；这是同一单号的包裹" in said
    assert "待识别 75812345678901" in said
    told = shell.json("explain", "中通", "75812345678901")["parcel"]
    assert (told["carrier"], "还没有认出" in told["note"]) == ("auto", True)
    assert "note" not in shell.json("explain", "auto", "75812345678901")["parcel"]


def test_explain_of_a_parcel_nobody_watches(watched: Shell) -> None:
    result = watched("explain", "中通", "1", code=2)
    assert result.stdout == ""
    assert "parcelwatch import" in result.stderr


# ── a person at a ticket ─────────────────────────────────────────────────────────────────────────


def number_of(shell: Shell) -> str:
    return str(shell.json("tickets", "--all")[0]["number"])


def test_what_a_person_may_do_to_a_ticket(watched: Shell) -> None:
    number = number_of(watched)
    assert watched("tickets", "ack", number, "--by", "小王").stdout == f"{number}：处理中。\n"
    watched("tickets", "comment", number, "已催网点", "--by", "小王")
    assert watched("tickets", "resolve", number, "网点补扫", "--by", "小王").stdout == f"{number}：已解决。\n"
    assert watched.json("tickets") == []
    assert watched("tickets", "reopen", number, "又停了").stdout == f"{number}：待处理。\n"
    [whole] = watched.json("tickets", "show", number)
    kinds = [(entry["kind"], entry["author"], entry["text"]) for entry in whole["entries"][-4:]]
    assert kinds[:3] == [
        ("acknowledged", "小王", ""),
        ("comment", "小王", "已催网点"),
        ("resolved", "小王", "网点补扫"),
    ]
    assert kinds[3][::2] == ("reopened", "又停了")
    said = watched("tickets", "show", number).stdout
    assert "小王：网点补扫" in said
    assert "A1" in said


def test_a_step_that_is_not_allowed_says_what_is(watched: Shell) -> None:
    number = number_of(watched)
    watched("tickets", "resolve", number)
    result = watched("tickets", "ack", number, code=1)
    assert "已解决" in result.stderr
    assert "待处理" in result.stderr
    watched("tickets", "reopen", number)
    assert "Traceback" not in watched("tickets", "reopen", number, code=1).stderr


@pytest.mark.parametrize(
    "step", [["show"], ["ack"], ["resolve"], ["reopen"], ["comment"]], ids=lambda words: words[0]
)
def test_a_ticket_nobody_knows(watched: Shell, step: list[str]) -> None:
    words = ["tickets", *step, "T-20000101-0001", *(["text"] if step == ["comment"] else [])]
    assert "没有工单 T-20000101-0001" in watched(*words, code=2).stderr


def test_no_text_from_outside_moves_the_cursor_of_a_terminal(watched: Shell) -> None:
    number = number_of(watched)
    watched("tickets", "comment", number, "\x1b[2J已催\r网点")
    learn(watched, TrackingEvent(wall() - timedelta(hours=1), PICKED, "\x1b]0;x\x07已揽收"))
    for words in (("tickets", "show", number), ("explain", "中通", "75812345678901")):
        said = watched(*words).stdout
        assert "已揽收" in said
        assert not set(said) & set("\x1b\x07\r")


def test_an_empty_comment_is_none(watched: Shell) -> None:
    watched("tickets", "comment", number_of(watched), "  ", code=2)


def test_a_container_that_knows_no_user(watched: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1001")

    monkeypatch.setattr("getpass.getuser", nobody)
    watched("tickets", "ack", number_of(watched))
    [whole] = watched.json("tickets", "show", number_of(watched))
    assert whole["entries"][-1]["author"] == f"uid {os.getuid()}"


# ── check, try, completion ───────────────────────────────────────────────────────────────────────


def test_check(shell: Shell) -> None:
    lines = shell.json("check")
    assert all(list(line) == ["level", "line", "what", "todo"] for line in lines)
    assert not [line for line in lines if line["level"] == "fail"]
    assert "✓ 配置有效" in shell("check").stdout
    shell.config(CONFIG + 'stor = "x"\n')
    result = shell("check", code=2)
    assert "✗ 第 " in result.stdout
    assert json.loads(shell("check", "--json", code=2).stdout)


def test_check_knows_what_day_it_is(shell: Shell) -> None:
    shell.config(
        CONFIG
        + "[[exemptions]]\nname = '台风'\nfrom = 2099-09-01T00:00:00Z\nuntil = 2099-09-03T00:00:00Z\nproof = 'x'\n"
    )
    assert any("「台风」一年以后才开始" in line["what"] for line in shell.json("check"))


def test_check_calls_on_everybody_when_asked(shell: Shell) -> None:
    nobody = CONFIG.replace('customer = "', 'base_url = "http://127.0.0.1:9"\ncustomer = "')
    shell.config(nobody.replace("env:HOOK", "http://127.0.0.1:9/robot/send?access_token=t"))
    assert "127.0.0.1:9" not in shell("check").stdout
    said = shell("check", "--reachable", code=2).stdout
    assert said.count("连不上 127.0.0.1:9") == 2


@pytest.mark.parametrize(
    "words", [["carrier", "nosuch", "1"], ["notifier", "nosuch"], ["carrier", "k100", "1"]], ids=" ".join
)
def test_try_of_what_is_not_configured(shell: Shell, words: list[str]) -> None:
    """The account serves every carrier, so it has to be said which one is meant."""
    assert shell("try", *words, code=2).stdout == ""


def test_try_asks_no_watched_number_more_often_than_it_may(watched: Shell) -> None:
    """It says until when, and is asked all the same by whoever insists."""
    nobody = CONFIG.replace('customer = "', 'base_url = "http://127.0.0.1:9"\ncustomer = "')
    watched.config(nobody)
    words = ("try", "carrier", "k100", "75812345678901", "--carrier", "中通")
    assert "→" in watched(*words, code=1).stdout, "nobody answers there, and it was asked"
    refused = watched(*words, code=1)
    assert "→" not in refused.stdout
    assert "以后再查" in refused.output
    assert "→" in watched(*words, "--force", code=1).stdout
    assert watched.json("providers")[0]["asked_today"] == 2


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion(shell: Shell, shell_name: str) -> None:
    assert "_PARCELWATCH_COMPLETE" in shell("completion", shell_name).stdout
    shell("completion", "tcsh", code=2)


# ── what is never shown, and pipes ───────────────────────────────────────────────────────────────


def test_no_log_line_shows_a_secret_of_the_configuration(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    configure = logs.configure
    monkeypatch.setattr(logs, "configure", lambda **how: configure(**{**how, "stream": stream}))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STORE", "postgresql://me:password-of-ours@localhost/x")
    settings_from(shell.config(CONFIG.replace("sqlite:///store.db", "env:STORE")))
    structlog.get_logger().error(
        "said", what=" ".join([*SECRETS.values(), "password-of-ours"]), token="token-of-ours-99"
    )
    shown = stream.getvalue()
    assert "said" in shown
    for secret in ("customer-of-ours", "key-of-ours", "secret-of-ours", "token-of-ours", "password-of-ours"):
        assert secret not in shown


def test_the_reader_of_our_output_may_leave_early(watched: Shell) -> None:
    """`parcelwatch … | head -1`: no traceback, and no error."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "tickets", "--json"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **SECRETS, "PYTHONPATH": str(ROOT)},
            cwd=watched.folder,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_command_line_is_quick() -> None:
    """`--help` and completion answer at once: no command's module is imported before it is called."""
    code = "import sys, monitor.cli; print(sorted(m for m in sys.modules if m.split('.')[0] in ('sqlalchemy', 'aiohttp', 'httpx')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_moments_of_an_evidence_are_in_the_zone_of_all_the_others(watched: Shell) -> None:
    evidence = watched.json("explain", "中通", "75812345678901")["findings"][0]["evidence"]
    moments = [value for value in evidence.values() if re.match(r"\d{4}-\d\d-\d\dT", value)]
    assert moments
    assert [each for each in moments if not each.endswith("+08:00")] == []
