"""Secrets by reference: `env:NAME`, `file:PATH`, `credential:NAME` (systemd's `LoadCredential=`).

Any other text is the secret itself. It is taken; `parcelwatch check` warns about it. The plain texts of an account
(its number, its application key, an address) may be kept elsewhere in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from domain.remote import Secret

__all__ = ["advice", "is_reference", "resolve", "secret_file"]

_REFERENCE: Final = re.compile(r"(env|file|credential):(.*)", re.DOTALL)
_ALMOST: Final = re.compile(r"\$\{(\w+)\}|(?i:env|file|credential)\s*[:：]\s*\S.*")
_LARGEST: Final = 64 * 1024
_VARIABLE: Final = "环境变量 "


def is_reference(text: str) -> bool:
    """Not the secret itself."""
    return _REFERENCE.fullmatch(text) is not None


def advice(reason: str) -> str:
    """What to do about what `resolve` found wrong, where that takes more than a word; else empty."""
    if not reason.startswith(_VARIABLE):
        return ""
    return (
        "在启动它的 shell 里先设好；写在 parcelwatch.env 里的，先执行 set -a; . ./parcelwatch.env; set +a；"
        "systemd 服务写进单元里 EnvironmentFile= 指的文件"
    )


def secret_file(text: str, env: Mapping[str, str], folder: Path) -> Path | None:
    """The file a reference is read from; a relative `file:` stands beside the configuration file.

    Raises ValueError when systemd gave no credentials to look in.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None or match[1] == "env":
        return None
    name = match[2].strip()
    if match[1] == "file":
        return folder / Path(name).expanduser()
    given = env.get("CREDENTIALS_DIRECTORY", "")
    if not given:
        raise ValueError(
            f"没有 systemd 凭据目录，读不到凭据 {name}。"
            f"在服务单元里加 LoadCredential={name}:/路径，或改用 env:、file:"
        )
    if not name or "/" in name or name.startswith("."):
        raise ValueError("credential: 后面是凭据的名字，不是路径")
    return Path(given) / name


def resolve(text: str, env: Mapping[str, str], folder: Path) -> Secret:
    """The secret that `text` names or is. Raises ValueError, naming the reference, never the secret."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        _suspect(text)
        return Secret(text)
    if match[1] == "env":
        return _from_environment(match[2].strip(), env)
    file = secret_file(text, env, folder)
    assert file is not None
    return _from_file(file)


def _suspect(text: str) -> None:
    """Refuse what was surely meant as a reference."""
    match = _ALMOST.fullmatch(text.strip())
    if match is None:
        return
    if match[1]:
        raise ValueError(f"环境变量要写成 env:{match[1]}")
    raise ValueError("密钥引用要写成 env:名字、file:路径 或 credential:名字（小写、英文冒号）")


def _from_environment(name: str, env: Mapping[str, str]) -> Secret:
    if not name:
        raise ValueError("env: 后面要写环境变量的名字")
    value = env.get(name)
    if value is None:
        raise ValueError(f"{_VARIABLE}{name} 没有设置。请在启动前设置它")
    if not value.strip():
        raise ValueError(f"{_VARIABLE}{name} 是空的")
    return Secret(value.strip())


def _from_file(file: Path) -> Secret:
    """The file's text without the line break at its end."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
        text = raw.decode().strip()
    except FileNotFoundError:
        raise ValueError(f"没有密钥文件 {file}") from None
    except OSError as error:
        raise ValueError(f"密钥文件 {file} 读不了：{error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"密钥文件 {file} 不是 UTF-8 文字") from None
    if len(raw) > _LARGEST:
        raise ValueError(f"密钥文件 {file} 太大，不像是密钥")
    if not text:
        raise ValueError(f"密钥文件 {file} 是空的")
    return Secret(text)
