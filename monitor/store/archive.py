"""A backup file: a ZIP with a manifest, the data, and the key that opens the sealed fields.

    manifest.json            what, when, of which revision, how many rows, every part's length and SHA-256
    store.db                 SQLite: the whole database, one moment's copy
    tables/<table>.copy      PostgreSQL: each table in the text form of COPY, one moment's too
    sealing.key              unless it was left out

Read with distrust: nothing is unpacked by its name, no part is longer than the manifest says, and a
file whose parts unpack to far more than it holds is refused before the first byte of them is read.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Literal

from monitor.store.errors import StoreRefused

__all__ = [
    "DATABASE",
    "FORMAT",
    "KEY",
    "Archive",
    "KeyKept",
    "Manifest",
    "Packer",
    "Part",
    "Table",
    "Watch",
    "pieces",
    "reading",
    "table_part",
]

FORMAT: Final = 1
DATABASE: Final = "store.db"
KEY: Final = "sealing.key"
_MANIFEST: Final = "manifest.json"
_PART: Final = re.compile(r"store\.db|sealing\.key|tables/[a-z][a-z0-9_]{0,60}\.copy")
_CHUNK: Final = 1 << 20
_MANIFEST_BYTES: Final = 1 << 20
_KEY_BYTES: Final = 1 << 16
_SWELLS: Final = 300
"""How much longer the parts may be than the file: our own reach 40, a bomb a thousand and more."""
_SMALL: Final = 64 << 20
"""Below this nobody is harmed."""

KeyKept = Literal["inside", "left_out", "none"]
"""`none`: nothing was ever sealed."""
Watch = Callable[[str, int, int], None]
"""Told the stage, how much is done and how much there is; stops the work by raising."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file in the ZIP, as it is unpacked."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table and how many rows it has; `columns` are (name, kind) in the order of its dump."""

    name: str
    rows: int
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the file says of itself."""

    dialect: Literal["sqlite", "postgresql"]
    revision: str
    created_at: datetime
    program: str
    key: KeyKept
    tables: tuple[Table, ...]
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part | None:
        """The part of that name."""
        return next((part for part in self.parts if part.name == name), None)

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)


def table_part(table: str) -> str:
    """Where a table's rows are in the file."""
    return f"tables/{table}.copy"


class Packer:
    """Writes the parts one after the other, and the manifest at the end."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self.parts: list[Part] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """One part, from its content in pieces of a good size."""
        digest, length = hashlib.sha256(), 0
        info = zipfile.ZipInfo(name)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as part:
            for chunk in chunks:
                digest.update(chunk)
                length += len(chunk)
                part.write(chunk)
        self.parts.append(Part(name, length, digest.hexdigest()))

    def close(self, manifest: Manifest) -> None:
        """Write the manifest and end the file."""
        told = {"format": FORMAT, **asdict(manifest), "created_at": manifest.created_at.isoformat()}
        text = json.dumps(told, ensure_ascii=False, indent=1)
        self._zip.writestr(_MANIFEST, text, zipfile.ZIP_DEFLATED)
        self._zip.close()

    def abandon(self) -> None:
        """Let go of the file after a failure: what it still holds back may not fit on the disk either."""
        file, self._zip.fp = self._zip.fp, None
        if file is not None:
            with suppress(OSError):
                file.close()


class Archive:
    """A backup file that is open for reading. What it says is not believed before `verify`."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path = path
        self._zip = file
        self._members = _members(path, file)
        self.manifest = _manifest(path, self._text(_MANIFEST, _MANIFEST_BYTES))
        self._compare()

    def verify(self, watch: Watch) -> None:
        """Read every part: its length and its hash are the manifest's. Raises `StoreRefused`."""
        done, total = 0, sum(part.bytes for part in self.manifest.parts)
        for part in self.manifest.parts:
            for chunk in self.chunks(part):
                done += len(chunk)
                watch("verify", done, total)

    def chunks(self, part: Part) -> Iterator[bytes]:
        """A part's content in pieces, and `StoreRefused` at the end of a wrong one."""
        digest, length = hashlib.sha256(), 0
        try:
            with self._zip.open(self._members[part.name]) as file:
                while chunk := file.read(_CHUNK):
                    length += len(chunk)
                    if length > part.bytes:
                        break
                    digest.update(chunk)
                    yield chunk
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise _refused(self.path, f"{part.name} 解不开（{error}）") from error
        if length != part.bytes or digest.hexdigest() != part.sha256:
            raise _refused(self.path, f"{part.name} 的内容和清单里的校验值不一致")

    def unpack(self, name: str, to: Path) -> None:
        """Write a part to a file of our naming."""
        part = self.manifest.part(name)
        if part is None:
            raise _refused(self.path, f"缺少 {name}")
        to.touch(mode=0o600)
        with to.open("wb") as file:
            for chunk in self.chunks(part):
                file.write(chunk)

    def key(self) -> str:
        """The sealing keys, or an empty text."""
        part = self.manifest.part(KEY)
        if part is None:
            return ""
        if part.bytes > _KEY_BYTES:
            raise _refused(self.path, "密钥文件大得不合理")
        text = b"".join(self.chunks(part)).decode("ascii", "replace")
        if not all(re.fullmatch(r"[0-9a-f]{64,}", line) and len(line) % 2 == 0 for line in text.split()):
            raise _refused(self.path, "密钥文件的内容不对")
        return text

    def _text(self, name: str, limit: int) -> bytes:
        if name not in self._members:
            raise _refused(self.path, f"里面没有 {name}，不是 parcelwatch 的备份")
        try:
            with self._zip.open(self._members[name]) as file:
                text = file.read(limit + 1)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise _refused(self.path, f"{name} 解不开（{error}）") from error
        if len(text) > limit:
            raise _refused(self.path, f"{name} 大得不合理")
        return text

    def _compare(self) -> None:
        """The manifest names exactly the parts that are there, and the size of each."""
        told = {part.name: part.bytes for part in self.manifest.parts}
        there = {name: info.file_size for name, info in self._members.items() if name != _MANIFEST}
        if told != there or len(told) != len(self.manifest.parts):
            raise _refused(self.path, "里面的文件和清单对不上")
        if (KEY in told) != (self.manifest.key == "inside"):
            raise _refused(self.path, "清单里关于密钥的说法和内容对不上")
        for part in self.manifest.parts:
            if not _PART.fullmatch(part.name):
                raise _refused(self.path, f"里面有不该有的文件 {part.name!r}")


@contextmanager
def reading(path: Path) -> Iterator[Archive]:
    """Open a backup file. Raises `StoreRefused` for anything that is none, or is not in order."""
    if not path.is_file():
        raise StoreRefused(f"没有备份文件 {path}。请核对文件名。")
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise _refused(path, "不是 parcelwatch 的备份，或者没有写完整") from error
    with file:
        yield Archive(path, file)


def _members(path: Path, file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = file.infolist()
    members = {info.filename: info for info in infos}
    if len(members) != len(infos):
        raise _refused(path, "同一个文件名出现了两次")
    for name, info in members.items():
        if name != _MANIFEST and not _PART.fullmatch(name):
            raise _refused(path, f"里面有不该有的文件 {name!r}")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(path, f"{name} 的压缩或加密方式不是备份所用的")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > max(_SMALL, _SWELLS * path.stat().st_size):
        raise _refused(path, f"解开后有 {unpacked:,} 字节，和文件大小不成比例")
    return members


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        told = json.loads(text)
        format_ = int(told["format"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _refused(path, "清单看不懂") from error
    if format_ > FORMAT:
        raise StoreRefused(f"{path} 是更新版本的 parcelwatch 做的备份，这个版本不认识。请先升级程序。")
    try:
        return _understood(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(path, "清单看不懂") from error


def _understood(told: Mapping[str, Any]) -> Manifest:
    if told["dialect"] not in ("sqlite", "postgresql") or told["key"] not in ("inside", "left_out", "none"):
        raise ValueError
    tables = [
        Table(
            str(each["name"]),
            int(each["rows"]),
            tuple((str(name), str(kind)) for name, kind in each["columns"]),
        )
        for each in told["tables"]
    ]
    names = [name for table in tables for name in (table.name, *(column for column, _ in table.columns))]
    if not all(re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name) for name in names):
        raise ValueError
    parts = [Part(str(each["name"]), int(each["bytes"]), str(each["sha256"])) for each in told["parts"]]
    created_at = datetime.fromisoformat(told["created_at"])
    if created_at.tzinfo is None:
        raise ValueError
    return Manifest(
        told["dialect"],
        str(told["revision"]),
        created_at,
        str(told["program"]),
        told["key"],
        tuple(tables),
        tuple(parts),
    )


def _refused(path: Path, why: str) -> StoreRefused:
    return StoreRefused(f"{path} 不能用来恢复：{why}。没有做任何改动。请换一份备份。")


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file's content in pieces."""
    while chunk := file.read(_CHUNK):
        yield chunk
