"""Accounts at 快递鸟 and 顺丰 through the command line: checked, shown, and asked on this machine for real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Shell

SAMPLES = Path(__file__).parents[1] / "carriers" / "samples"
SECRETS = {"KDNIAO_KEY": "appkey-of-ours-31", "SF_CHECK_WORD": "checkword-of-ours-77"}
TABLE = """
store = "sqlite:///store.db"

[[providers]]
name = "kdn"
kind = "kdniao"
business_id = "1000000"
app_key = "env:KDNIAO_KEY"
carriers = ["中通"]
{kdn}

[[providers]]
name = "sf"
kind = "sf"
partner_id = "DEMOPARTNER"
check_word = "env:SF_CHECK_WORD"
carriers = ["顺丰"]
{sf}
"""


@pytest.fixture
def shell(shell: Shell) -> Shell:
    shell.runner = CliRunner(env=SECRETS)
    shell.config(TABLE.format(kdn="", sf=""))
    return shell


@pytest.fixture
def serve() -> Iterator[dict[str, Path]]:
    """A service on this machine that answers each path with a saved reply; `url` is where it listens."""
    replies: dict[str, Path] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = replies[self.path].read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *said: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        replies["url"] = Path(f"127.0.0.1:{server.server_port}")
        yield replies
        server.shutdown()
        thread.join()


def pointed(shell: Shell, replies: Mapping[str, Path]) -> None:
    base = {name: f'base_url = "http://{replies["url"]}/{name}"' for name in ("kdn", "sf")}
    shell.config(TABLE.format(**base))


def test_the_accounts_are_taken(shell: Shell) -> None:
    assert "2 个服务商账号" in shell("check").stdout


@pytest.mark.parametrize(
    ("kdn", "sf", "said"),
    [
        ('request_type = "8002"', "", "request_type 只能是 8001"),
        ("request_type = 8001", "", "文字"),
        ("", 'own_waybills = "yes"', "own_waybills"),
        ("", 'checkword = "x"', "check_word"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_without_the_secret(
    shell: Shell, kdn: str, sf: str, said: str
) -> None:
    shell.config(TABLE.format(kdn=kdn, sf=sf))
    told = shell("check", code=2).output
    assert said in told
    assert not [secret for secret in SECRETS.values() if secret in told]


def test_each_is_asked_and_understood_and_no_secret_shows(shell: Shell, serve: dict[str, Path]) -> None:
    pointed(shell, serve)
    serve["/kdn"] = SAMPLES / "kdniao" / "delivered.json"
    serve["/sf"] = SAMPLES / "sf" / "locker.json"
    told = shell("try", "carrier", "kdn", "75812345678901", "--phone", "0036").output
    assert "现在是「签收」" in told
    more = shell("try", "carrier", "sf", "SF1390001112227", "--phone", "0036").output
    assert "[待取件] 快件已投放至丰巢柜" in more
    assert not [secret for secret in SECRETS.values() if secret in told + more]


def test_an_account_says_whose_a_number_is(shell: Shell, serve: dict[str, Path], tmp_path: Path) -> None:
    pointed(shell, serve)
    serve["/kdn"] = tmp_path / "recognised.json"
    serve["/kdn"].write_text('{"Success": true, "Shippers": [{"ShipperCode": "ZTO"}]}', "utf-8")
    told = shell("recognise", "75812345678901", "--ask", "kdn").stdout
    assert "→ POST" in told, "what was sent is shown"
    assert told.index("kdniao") < told.index("shape")
    assert not [secret for secret in SECRETS.values() if secret in told]


@pytest.mark.parametrize(
    ("name", "sample", "words", "said"),
    [
        ("kdn", "kdniao/error_sign.json", ("75812345678901",), "Denied"),
        ("kdn", "kdniao/error_phone.json", ("75812345678901",), "手机号后四位"),
        ("sf", "sf/error_A1003.json", ("SF1390001112224",), "白名单"),
        ("sf", "sf/nothing_known.json", ("SF1390001112224",), "看不见不等于没有"),
    ],
)
def test_who_has_to_act_is_told(
    shell: Shell, serve: dict[str, Path], name: str, sample: str, words: tuple[str, ...], said: str
) -> None:
    pointed(shell, serve)
    serve[f"/{name}"] = SAMPLES / sample
    assert said in shell("try", "carrier", name, *words, code=1).output
