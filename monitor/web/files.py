"""The static files: read once, packed once, at an address that changes with their bytes."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

__all__ = ["StaticFile", "address", "router", "static_files"]

FOLDER: Final = Path(__file__).with_name("static")
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is served."""

    body: bytes
    packed: bytes
    """Gzipped."""
    mark: str
    """The head of its SHA-256: part of its address, so it may be kept for ever."""
    type: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Every servable file of the folder, by name."""
    served = (
        path for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES and not path.match("own*.css")
    )
    return {path.name: _read(path) for path in served}


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    mark = hashlib.sha256(body).hexdigest()[:12]
    return StaticFile(body, gzip.compress(body, 9, mtime=0), mark, _TYPES[path.suffix])


def address(name: str) -> str:
    """Where pages load a file from. Raises KeyError for one that is not there."""
    return f"/static/{static_files()[name].mark}/{name}"


@router.get("/static/{mark}/{name}")
async def static(request: Request, mark: str, name: str) -> Response:
    """A file of exactly these bytes; the address of an earlier version is gone."""
    file = static_files().get(name)
    if file is None or file.mark != mark:
        raise HTTPException(404)
    packed = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(file.packed if packed else file.body, media_type=file.type, headers=headers)
