"""How the service itself is run: its console, its outside check, backups, retention, the log."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from domain.remote import Secret
from monitor.config.lines import KeyPath
from monitor.config.shapes import Reading, Setting, Shape, Table
from monitor.config.values import BOOLEAN, DURATION, PRICE, SECRET, TEXT, URL, choice, integer
from monitor.logs import LEVELS

__all__ = [
    "BACKUP", "DEADMAN", "FORMATS", "LOG", "RETENTION", "SECOND_OPINION", "WEB", "Backup", "Deadman", "Intake", "Log",
    "Retention", "SecondOpinion", "Web", "intake",
]  # fmt: skip

FORMATS: Final = ("auto", "json", "text")
"""Of the log; `auto` is text on a terminal and JSON everywhere else."""


@dataclass(frozen=True, slots=True)
class Web:
    """Where the console listens, and how people reach it from outside."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 8000
    """0: any that is free."""
    public_url: str = ""


@dataclass(frozen=True, slots=True)
class Deadman:
    """The outside check that raises the alarm when our pings stop coming."""

    url: Secret | None = None
    """The whole address is the credential. None: there is no such check."""
    every: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Backup:
    """Copies of the store, made while the service runs."""

    folder: Path | None = None
    """Absolute. None: the service makes none by itself."""
    every: timedelta = timedelta(days=1)
    keep: int = 14
    """How many of the newest stay."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is over is kept; what is still open is kept whatever its age."""

    personal: timedelta = timedelta(days=30)
    """Phone tails and other personal fields, after delivery (design §7)."""
    parcels: timedelta = timedelta(days=365)
    """Parcels with their orders, scans, findings and closed tickets, after their end."""
    messages: timedelta = timedelta(days=365)
    """The ledger of messages that left or were given up."""
    oddities: timedelta = timedelta(days=90)
    """Unknown codes and texts, after they were last seen."""


@dataclass(frozen=True, slots=True)
class Intake:
    """The folder into which files of orders are dropped."""

    folder: Path | None = None
    """Absolute. None: there is none."""
    platform: str = ""
    shop: str = ""
    merchant: str = ""
    """For what the files do not say."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """When the accounts with `second = true` are asked, beside every time the first contradicts itself."""

    yuan: Decimal = Decimal(0)
    """From this risk on a breach that is about to be claimed is verified; nothing: none is."""
    wait: timedelta = timedelta(minutes=10)
    """So long such a finding waits for it, at most."""


@dataclass(frozen=True, slots=True)
class Log:
    """How the log is written."""

    format: str = "auto"
    level: str = "info"


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _read_host(reading: Reading, path: KeyPath, value: Any) -> str | None:
    """Loopback only: whoever reaches the console may do everything in it, until people can sign in."""
    host: str | None = TEXT.read(reading, path, value)
    if host is None:
        return None
    if any(mark in host for mark in "/ @"):
        reading.problems.at(path, "只写本机地址，不带 http:// 和路径，如 127.0.0.1")
    elif not _on_this_machine(host):
        reason = (
            f"控制台还没有登录功能，不能在 {host} 上对外开放；请写 127.0.0.1。"
            "从别的电脑打开：ssh -L 8000:127.0.0.1:8000 用户@这台机器；"
            "或在前面放一个自己带登录的反向代理，并把它的网址写在 public_url"
        )
        reading.problems.at(path, reason)
    return host


def _read_ping(reading: Reading, path: KeyPath, value: Any) -> Secret | None:
    """An address that is a secret as a whole: whoever has it can say that we live."""
    url: Secret | None = SECRET.read(reading, path, value)
    if url is None:
        return None
    trial = Reading()
    URL.read(trial, path, url.reveal())
    if trial.problems:
        reading.problems.at(path, "不是完整的网址；应如 https://hc-ping.com/ 加上自己的编号")
        return None
    return url


def _read_folder(reading: Reading, path: KeyPath, value: Any) -> Path | None:
    """A folder, counted from the configuration's own."""
    text: str | None = TEXT.read(reading, path, value)
    if text is None:
        return None
    if "\0" in text:
        reading.problems.at(path, "路径里有不可用的字符")
        return None
    return Path(os.path.abspath(reading.folder / text))


WEB: Final[Table] = {
    "enabled": Setting(BOOLEAN, "要不要控制台", True),
    "host": Setting(Shape(_read_host, TEXT.schema), "在哪个本机地址上听", "127.0.0.1"),
    "port": Setting(integer(0, 65535), "端口；0 是任选一个空闲的，地址写在日志里", 8000),
    "public_url": Setting(URL, "别人从外面打开控制台的网址；消息里的链接用它", ""),
}
DEADMAN: Final[Table] = {
    "url": Setting(Shape(_read_ping, SECRET.schema), "外部存活检查的网址；一切正常时才访问它", None),
    "every": Setting(DURATION, "每隔多久访问一次", Deadman().every),
}
BACKUP: Final[Table] = {
    "folder": Setting(Shape(_read_folder, TEXT.schema), "备份放在哪个目录；不写就不自动备份", None),
    "every": Setting(DURATION, "每隔多久备份一次", Backup().every),
    "keep": Setting(integer(1), "保留最新的几份", Backup().keep),
}
RETENTION: Final[Table] = {
    "personal": Setting(DURATION, "手机尾号等个人信息在签收后保留多久", Retention().personal),
    "parcels": Setting(DURATION, "结束的包裹、轨迹、异常和工单保留多久", Retention().parcels),
    "messages": Setting(DURATION, "消息台账保留多久", Retention().messages),
    "oddities": Setting(DURATION, "不认识的状态码和文字保留多久", Retention().oddities),
}
SECOND_OPINION: Final[Table] = {
    "yuan": Setting(
        PRICE, "要报的违约可能赔到多少元时，先问一家核对；0 是只在轨迹自相矛盾时核对", Decimal(0)
    ),
    "wait": Setting(DURATION, "最多等它多久；到时没有答复就按第一家的报", SecondOpinion().wait),
}
LOG: Final[Table] = {
    "format": Setting(choice(FORMATS, "日志格式"), "auto（终端上给人看，否则 JSON）、json 或 text", "auto"),
    "level": Setting(choice(LEVELS, "日志级别"), "debug、info、warning 或 error", "info"),
}


def intake(platforms: Collection[str]) -> Table:
    """`[intake]`; `platforms` are those that have a profile."""
    return {
        "folder": Setting(
            Shape(_read_folder, TEXT.schema), "投递目录：放进去的订单文件自动导入；不写就没有", None
        ),
        "platform": Setting(choice(sorted(platforms), "平台"), "投递的文件里没有平台列时用", ""),
        "shop": Setting(TEXT, "投递的文件里没有店铺列时用", ""),
        "merchant": Setting(TEXT, "投递的文件里没有商家列时用", ""),
    }
