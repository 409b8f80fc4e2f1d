"""What the API answers when it cannot: a problem (RFC 9457) with a stable `code`, and the fields that are wrong.

A route made by `router` answers every error of its own this way, whatever application it stands in. What never
reaches a route (an unknown path, a method it does not have) is the site's to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from domain.masking import safe_text
from monitor.store.errors import StoreError, StoreFull
from monitor.store.views.paging import BadCursor
from monitor.web.api.flaws import in_words

__all__ = ["LARGE", "MEDIA", "SMALL", "Flaw", "Problem", "documented", "router"]

log = structlog.get_logger()

MEDIA: Final = "application/problem+json"
SMALL: Final = 64 * 1024
"""Bytes of a body at most, where nothing else is said."""
LARGE: Final = 8 * 1024 * 1024
"""The same for a batch of orders; the site's door lets no more through either."""
_BODIED: Final = frozenset({"POST", "PATCH", "PUT"})
_ECHO: Final = 200

_TITLES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "看不懂这个请求"),
    404: ("not_found", "没有找到"),
    405: ("method_not_allowed", "这个地址不接受这种方法"),
    409: ("conflict", "与现在的状态冲突"),
    413: ("too_large", "请求体太大"),
    415: ("unsupported_media_type", "请求体的格式不对"),
    422: ("invalid", "内容不符合要求"),
    500: ("internal", "程序出错了"),
    503: ("store_unavailable", "数据库暂时不可用"),
}
"""By status: the code and the title."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong: where, a stable word for it, and words for people."""

    field: str
    reason: str
    text: str


class Problem(Exception):
    """Ends a request with this answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        flaws: Sequence[Flaw] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or _TITLES[status][0]
        self.flaws = tuple(flaws)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """As it goes out."""
        body = {
            "type": "about:blank",
            "title": _TITLES[self.status][1],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": [
                {"field": each.field, "reason": each.reason, "text": each.text} for each in self.flaws
            ],
        }
        return JSONResponse(body, self.status, self.headers, media_type=MEDIA)


SCHEMA: Final = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "出了什么事，怎么办"},
        "code": {"type": "string", "description": "给程序看的原因，不随语言变"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason", "text"],
                "properties": {name: {"type": "string"} for name in ("field", "reason", "text")},
            },
        },
    },
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems for a route's `responses`, with those that any route may answer."""
    return {
        status: {"description": _TITLES[status][1], "content": {MEDIA: {"schema": SCHEMA}}}
        for status in sorted({*statuses, 400, 413, 422, 500, 503})
    }


def router(tag: str, *, limit: int = SMALL) -> APIRouter:
    """A router of the API whose routes answer with problems and take bodies up to `limit` bytes."""

    class Route(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            return _guarded(super().get_route_handler(), limit)

    return APIRouter(prefix="/api/v1", tags=[tag], route_class=Route, responses=documented())


def _guarded(
    handler: Callable[[Request], Coroutine[Any, Any, Response]], limit: int
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def guarded(request: Request) -> Response:
        try:
            _check_kind(request)
            _check_length(request, limit)
            return await handler(request)
        except Problem as problem:
            return problem.response()
        except RequestValidationError as error:
            return _invalid(request, error).response()
        except BadCursor as error:
            return Problem(422, str(error), flaws=[Flaw("cursor", "bad_cursor", str(error))]).response()
        except StoreError as error:
            return _store(request, error).response()
        except HTTPException as error:
            return _of_status(error).response()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:
            log.error("the API failed", path=request.url.path, why=type(error).__name__, exc_info=True)
            return Problem(500, "这个请求没有完成，原因已写入日志，请转告维护人员。监控照常进行。").response()

    return guarded


def _check_kind(request: Request) -> None:
    """A body is JSON. A form of another site could be sent as anything else."""
    if request.method not in _BODIED:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "请求体要用 Content-Type: application/json。")


def _check_length(request: Request, limit: int) -> None:
    """What says that it is too long is refused before it is read; what does not say is counted as it comes."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise _too_large(limit)
    receive, taken = request._receive, 0

    async def counted() -> Any:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise _too_large(limit)
        return message

    request._receive = counted


def _too_large(limit: int) -> Problem:
    size = f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit >> 10} KB"
    return Problem(413, f"请求体最多 {size}，没有做任何改动；请分批提交。", headers={"Connection": "close"})


def _invalid(request: Request, error: RequestValidationError) -> Problem:
    errors = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return Problem(400, "请求体不是有效的 JSON。", code="bad_json")
    flaws = [_flaw(each) for each in errors[:20]]
    kept = "，没有做任何改动" if request.method in _BODIED else ""
    return Problem(422, f"有 {len(errors)} 处不符合要求{kept}。", flaws=flaws)


def _flaw(error: Mapping[str, Any]) -> Flaw:
    """Where pydantic says it is wrong, without the part of the request it lies in."""
    where: Iterable[Any] = error["loc"][1:] or error["loc"]
    return Flaw(safe_text(".".join(map(str, where)), _ECHO), error["type"], safe_text(in_words(error), _ECHO))


def _store(request: Request, error: StoreError) -> Problem:
    """The store says itself what happened and what to do."""
    log.warning("the API cannot reach the store", path=request.url.path, why=str(error))
    code = "store_full" if isinstance(error, StoreFull) else "store_unavailable"
    return Problem(503, str(error), code=code, headers={"Retry-After": "15"})


def _of_status(error: HTTPException) -> Problem:
    """What FastAPI refuses by itself."""
    if error.status_code == 400:
        return Problem(400, "请求体不是有效的 JSON。", code="bad_json")
    if error.status_code == 413:
        return _too_large(LARGE)
    status = error.status_code if error.status_code in _TITLES else 500
    return Problem(status, _TITLES[status][1] + "。", headers=error.headers or {})
