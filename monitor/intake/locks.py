"""OLE containers: workbooks behind a password, old workbooks, and what is neither (quirk 20).

Whoever locked the file says how much work opening it takes, so that is looked at before the work is begun; whatever it
says, the child that does it has its limits.
"""

from __future__ import annotations

import importlib
import io
import re
from typing import Any, Final

from monitor.intake.tables import FileRefused

__all__ = ["OLE", "decrypted", "check_old", "is_encrypted", "locked"]

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SPINS: Final = 1_000_000
"""Rounds of hashing a password may take; Excel, WPS and LibreOffice write 100,000."""

_FILE_PASS: Final = re.compile(rb"\x09\x08\x10\x00.{16}(?:\x86\x00\x00\x00)?\x2f\x00", re.DOTALL)
"""BIFF8's BOF and FilePass, between them at most WriteProtect ([MS-XLS] §2.1.7.20.3): the workbook is encrypted."""


def _stream(name: str) -> bytes:
    """A name as a container's directory has it, with the zero after it."""
    return name.encode("utf-16-le") + b"\0\0"


def is_encrypted(data: bytes) -> bool:
    """An OLE container around an encrypted XLSX; a plain XLS is such a container as well."""
    return _stream("EncryptedPackage") in data


def _is_workbook(data: bytes) -> bool:
    """Whether a container may hold an old workbook. A directory without one is that of a letter, a mail, an installer."""
    return _stream("Root Entry") not in data or _stream("Workbook") in data or _stream("Book") in data


def check_old(file: str, data: bytes) -> None:
    """Refuse a container that holds no old workbook, or one behind a password."""
    if not _is_workbook(data):
        words = "不是表格文件（多半是文档、邮件或安装包）；请导入 CSV 或 XLSX"
        raise FileRefused(file, "not_a_table", words)
    if _FILE_PASS.search(data):
        words = "旧格式（XLS）工作簿的密码这里解不开；请在 Excel 或 WPS 中去掉密码，另存为 XLSX 后再导入"
        raise FileRefused(file, "old_encryption", words)


def decrypted(file: str, data: bytes, password: str | None) -> bytes:
    """The workbook inside an encrypted container. The password is used here and kept nowhere. Raises `FileRefused`."""
    if password is None:
        raise locked(file)
    try:
        office: Any = importlib.import_module("msoffcrypto")
    except ImportError:
        raise FileRefused(
            file,
            "encrypted",
            "工作簿有密码，而本机没有装解密组件 msoffcrypto-tool；请在 Excel 或 WPS 中去掉密码另存后再导入",
        ) from None
    try:
        container = office.OfficeFile(io.BytesIO(data))
        spins = int((getattr(container, "info", None) or {}).get("spinValue", 0))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the library has no common base class
        raise _unsupported(file) if "spinCount" in str(error) else _damaged(file) from None
    if spins > _SPINS:
        raise _unsupported(file)
    return _opened(file, container, password)


def _opened(file: str, container: Any, password: str) -> bytes:
    plain = io.BytesIO()
    try:
        container.load_key(password=password)
        container.decrypt(plain)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the library has no common base class; it tells a wrong password by nonsense
        raise FileRefused(
            file, "wrong_password", "密码不对，或加密方式不支持；请核对密码，或去掉密码另存后再导入"
        ) from None
    if not plain.getvalue().startswith(b"PK"):
        raise _damaged(file)
    return plain.getvalue()


def locked(file: str) -> FileRefused:
    """A password is wanted."""
    return FileRefused(file, "encrypted", "工作簿有密码；请给出密码，或在 Excel、WPS 中去掉密码另存后再导入")


def _unsupported(file: str) -> FileRefused:
    words = "加密参数不合常理，打开它要算的次数太多，疑似异常文件；请在 Excel 或 WPS 中去掉密码另存后再导入"
    return FileRefused(file, "bad_encryption", words)


def _damaged(file: str) -> FileRefused:
    return FileRefused(file, "damaged", "加密的工作簿已损坏，打不开；请重新下载或重新导出")
