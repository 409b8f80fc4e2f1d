"""Addresses under `/api/` that are none of ours, and methods ours do not have: problems too."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.routing import Match, Route

from monitor.web.api.problems import Problem

__all__ = ["elsewhere"]

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def elsewhere(known: Sequence[APIRouter]) -> APIRouter:
    """A router for what the others do not answer; it has to stand behind them."""
    router = APIRouter(include_in_schema=False)
    routes = [route for each in known for route in each.routes if isinstance(route, Route)]

    @router.api_route("/api/{rest:path}", methods=_METHODS)
    async def nobody(request: Request) -> Response:
        allowed = sorted(
            method
            for route in routes
            if route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        )
        if allowed:
            return Problem(
                405, f"这个地址只接受 {'、'.join(allowed)}。", headers={"Allow": ", ".join(allowed)}
            ).response()
        return Problem(404, "API 里没有这个地址；全部地址见 /openapi.json。").response()

    return router
