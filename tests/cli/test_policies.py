"""`parcelwatch policies`: which rules applied when, what they said, and what to write to have them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.config.settings import load
from monitor.store import meta
from monitor.store.opening import open_store
from tests.cli.conftest import CONFIG, SECRETS, Shell

T0 = datetime(2026, 11, 1, 2, tzinfo=UTC)
SHOP = """
[[policies]]
name = "旗舰店\u202e"
match = {shop = "旗舰店"}
profile = "taobao_tmall"
rules.transit_stagnation = {limit = "36h", shadow = true}
"""
LATER = SHOP.replace("36h", "30h").replace(", shadow = true", "")
STORM = """
[[exemptions]]
name = "台风"
from = 2026-09-01T00:00:00+08:00
until = 2026-09-03T00:00:00+08:00
match = {receiver_province = ["广东"]}
"""


@pytest.fixture
def versions(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three configurations were in force, a day each; the file is the last one's."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    found = []
    shell.config(CONFIG)
    shell("migrate")
    for day, text in enumerate((CONFIG, CONFIG + SHOP, CONFIG + LATER + STORM)):
        shell.config(text)
        settings = load(shell.folder / "parcelwatch.toml")
        store = open_store(settings.store, shell.folder)
        book, now = settings.book, T0 + timedelta(days=day)
        store.write_now(lambda conn, b=book, n=now: meta.note_policy(conn, b.version, b.describe(), n))
        store.close()
        found.append(book.version)
    return found


def test_which_applied_when(shell: Shell, versions: list[str]) -> None:
    told = shell.json("policies")
    assert [(each["version"], each["state"]) for each in told] == [
        (versions[2], "in_force"),
        (versions[1], "over"),
        (versions[0], "over"),
    ]
    assert (told[1]["since_at"], told[1]["until_at"]) == (
        "2026-11-02T10:00:00+08:00",
        "2026-11-03T10:00:00+08:00",
    )
    assert "正在用" in shell("policies").stdout


def test_a_file_that_nobody_has_read_yet_is_told(shell: Shell, versions: list[str]) -> None:
    shell.config(CONFIG + STORM)
    assert [each["state"] for each in shell.json("policies")][:2] == ["not_yet", "in_force"]
    assert "还没有生效" in shell("policies").stdout


def test_what_one_says(shell: Shell, versions: list[str]) -> None:
    said = shell("policies", versions[1][:6]).stdout
    assert "策略「旗舰店�」" in said, "control characters are shown and not obeyed"
    assert "物流停滞 transit_stagnation 时限 = 36h" in said or "transit_stagnation 时限 = 36h" in said
    assert "试运行 = 是" in said
    assert "平台规则「taobao_tmall」" in said
    [kept] = shell.json("policies", versions[1])
    assert kept["says"]["policies"][0]["rules"]["transit_stagnation"]["shadow"] is True


def test_what_changed_in_words(shell: Shell, versions: list[str]) -> None:
    said = shell("policies", "--diff", versions[1], versions[2]).stdout
    assert "时限 36h → 30h" in said
    assert "试运行 是 → （不写，用默认）" in said
    assert "豁免「台风」（新增）" in said
    assert "收货省 = 广东" in said
    assert "late_pickup" not in said, "nothing else"
    rows = shell.json("policies", "--diff", versions[1], versions[2])
    assert {"path", "was", "now"} == set(rows[0])


def test_what_to_write_to_have_an_older_one_back(shell: Shell, versions: list[str]) -> None:
    said = shell("policies", "--diff", "file", versions[1]).stdout
    assert "时限 30h → 36h" in said
    assert "豁免「台风」（删除）" in said
    shell.config(CONFIG + SHOP)
    assert "说的一样" in shell("policies", "--diff", "file", versions[1]).stdout


def test_what_an_earlier_program_kept_is_shown_as_it_is(shell: Shell, versions: list[str]) -> None:
    store = open_store("sqlite:///store.db", shell.folder)
    store.write_now(lambda conn: meta.note_policy(conn, "0ld", "({'taobao': ...},)", T0 + timedelta(days=9)))
    store.close()
    assert "({'taobao': ...},)" in shell("policies", "0ld").stdout
    assert "不能逐条比较" in shell("policies", "--diff", "0ld", "file", code=2).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["zzz"], "没有版本 zzz"),
        (["--diff", "file", "zzz"], "没有版本 zzz"),
        (["file", "--diff", "file", "file"], "只能用一个"),
    ],
)
def test_what_cannot_be_answered_is_said(
    shell: Shell, versions: list[str], words: list[str], told: str
) -> None:
    assert told in shell("policies", *words, code=2).stderr


def test_before_the_first_start_there_is_the_file(shell: Shell) -> None:
    shell.config(CONFIG)
    shell("migrate")
    assert [each["state"] for each in shell.json("policies")] == ["not_yet"]
