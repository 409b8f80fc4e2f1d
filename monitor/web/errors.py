"""What people read when something cannot be done: what happened, that nothing was lost, what to do next.

Pages answer with a page, everything under `/api/` with a problem (RFC 9457). The unplanned is logged with its
trace and shown without it.
"""

from __future__ import annotations

import json
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.store.errors import StoreError
from monitor.store.views.paging import BadCursor
from monitor.web.guard import API
from monitor.web.render import page, view_of

__all__ = ["Unplanned", "answer", "install"]

log = structlog.get_logger()

_SAID: Final = {
    400: ("看不懂这个请求", "地址或表单里有不完整的内容。请返回上一页重试。"),
    403: ("没有执行", "这个请求不是从本站页面发出的，没有做任何改动。请回到页面上重新操作。"),
    404: ("没有这个页面", "地址可能写错了，或者它已经不在了。请从上面的导航重新进入。"),
    405: ("不能这样打开", "这个地址不接受这种操作。请从页面上的按钮进入。"),
    409: ("别人刚刚改过", "在您填写期间，内容已被更新，您的改动没有保存。请看过最新内容后再试。"),
    413: (
        "内容太大",
        "一次最多提交 1 MB，订单文件最多 50 MB；没有做任何改动。更大的订单文件请按日期拆成几个。",
    ),
    421: ("不在这个地址", "请用 http://127.0.0.1 打开，或在配置里写明 web.public_url。"),
    422: ("填写有误", "有内容不符合要求，没有做任何改动。请改正后重试。"),
    500: ("程序出错了", "这一页没能显示，监控照常进行，数据没有丢失。原因已写入日志，请转告维护人员。"),
    429: ("请求太多", "请稍等片刻再试。"),
    503: ("数据库暂时不可用", "监控会自动重试。请按下面的提示处理，然后刷新本页。"),
}
"""By status: a heading, and what to do."""

_CODES: Final = {
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    421: "misdirected",
    422: "invalid",
    429: "too_many",
    503: "store_unavailable",
}
"""A problem's stable word, as `monitor/web/api/problems.py` has them too."""


async def answer(
    request: Request, status: int, detail: str = "", headers: dict[str, str] | None = None
) -> Response:
    """The answer of that status, for people or for programs; `detail` is one more sentence, shown escaped."""
    title, advice = _SAID.get(status, _SAID[500 if status >= 500 else 400])
    if request.url.path.startswith(API):
        return _problem(request, status, title, detail or advice, headers)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    drawn = await page(
        request, "error.html", status=status, code=status, title=title, advice=advice, detail=detail
    )
    drawn.headers.update(headers or {})
    return drawn


def _problem(
    request: Request, status: int, title: str, detail: str, headers: dict[str, str] | None
) -> Response:
    say = view_of(request).words.say
    body = {
        "type": "about:blank",
        "title": say(title),
        "status": status,
        "code": _CODES.get(status, "internal" if status >= 500 else "bad_request"),
        "detail": say(detail),
    }
    text = json.dumps(body, ensure_ascii=False)
    return Response(text, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Let the application answer in these words."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BadCursor, _lost)
    app.add_exception_handler(StoreError, _store)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = error.detail if error.detail != _phrase(error.status_code) else ""
    return await answer(request, error.status_code, said, dict(error.headers or {}))


def _phrase(status: int) -> str:
    """What starlette puts where nobody said anything."""
    return HTTPException(status).detail


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = "、".join(str(each["loc"][-1]) for each in error.errors()[:5])
    return await answer(request, 422, fields)


async def _lost(request: Request, error: Exception) -> Response:
    return await answer(request, 400, str(error))


async def _store(request: Request, error: Exception) -> Response:
    """The store says itself what happened and what to do."""
    log.warning("the console cannot reach the store", path=request.url.path, why=str(error))
    said, mark, driver = str(error).partition("（SQLite：")
    return await answer(request, 503, view_of(request).words.say(said) + mark + driver, {"Retry-After": "15"})


class Unplanned:
    """Middleware: what nobody foresaw ends one request, not the service, and shows no trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            log.error("a page failed", path=scope.get("path", ""), why=type(error).__name__, exc_info=True)
            if begun:
                raise
            await (await answer(Request(scope), 500))(scope, receive, send)
