"""A secret is named in the configuration and stands elsewhere: `env:`, `file:`, `credential:`."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.remote import Secret
from monitor.config.secrets import advice, is_reference, resolve, secret_file


def test_a_secret_is_read_from_where_its_reference_points(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("from file\n")
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "k100").write_text("from systemd\r\n")
    env = {"K": " from env\n", "CREDENTIALS_DIRECTORY": str(tmp_path / "creds")}

    def read(text: str) -> str:
        return resolve(text, env, tmp_path).reveal()

    assert read("env:K") == "from env"
    assert read("file:key.txt") == read(f"file:{tmp_path}/key.txt") == "from file"
    assert read("credential:k100") == "from systemd"
    assert read("plain text") == "plain text"
    assert read("$ecret") == "$ecret"


def test_what_is_written_out_is_told_apart_from_a_reference() -> None:
    assert [is_reference(text) for text in ("env:K", "file:a", "credential:b")] == [True] * 3
    assert not is_reference("https://example.com/?key=env:K")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("env:NOT_SET", "NOT_SET 没有设置", id="a variable that is not set"),
        pytest.param("env:BLANK", "BLANK 是空的", id="an empty variable"),
        pytest.param("env:", "名字", id="no variable named"),
        pytest.param("file:nowhere", "nowhere", id="no such file"),
        pytest.param("file:empty", "空的", id="an empty file"),
        pytest.param("file:folder", "读不了", id="a folder"),
        pytest.param("file:picture", "UTF-8", id="a file that is no text"),
        pytest.param("file:huge", "太大", id="a file that is no secret"),
        pytest.param("credential:k", "LoadCredential=k", id="not started by systemd"),
        pytest.param("ENV:K", "env:名字", id="in capitals"),
        pytest.param("env：K", "英文冒号", id="a Chinese colon"),
        pytest.param("${K}", "env:K", id="as in a shell"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    (tmp_path / "huge").write_text("x" * 70_000)

    with pytest.raises(ValueError, match=r".") as caught:
        resolve(text, {"BLANK": " "}, tmp_path)

    assert words in str(caught.value)
    told = advice(str(caught.value))
    if text in ("env:NOT_SET", "env:BLANK"):
        for where in ("shell", "set -a; . ./parcelwatch.env; set +a", "EnvironmentFile"):
            assert where in told
    else:
        assert not told


@pytest.mark.parametrize("name", ["../../etc/passwd", ".hidden", "a/b", ""])
def test_a_credential_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="凭据的名字"):
        secret_file(f"credential:{name}", {"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path)


def test_a_secret_does_not_show(tmp_path: Path) -> None:
    assert "hunter2" not in repr(resolve("env:K", {"K": "hunter2"}, tmp_path))
    assert resolve("env:K", {"K": "hunter2"}, tmp_path) == Secret("hunter2")
