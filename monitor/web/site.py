"""The whole site as one ASGI application: pages, API, endpoints for machines, static files, and the door around them.

Every module of `pages` that has a `router` is a page, so a new page is a new file. The OpenAPI document tells of
the API and of the machines' endpoints only: pages are for people.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from monitor.web import api, errors, files, machines, pages
from monitor.web.callbacks import Callbacks
from monitor.web.context import Context
from monitor.web.guard import Guard
from monitor.web.render import environment

__all__ = ["make_site"]

_PACK_FROM = 600
"""Bytes from which an answer is worth packing."""


def make_site(context: Context, *, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The application for `server.serve`; `routers` are somebody's own pages, such as the demo's."""
    app = FastAPI(
        title="parcelwatch",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Callbacks, callbacks=lambda: context.callbacks()),
            Middleware(Guard, public_url=lambda: context.settings().web.public_url, refuse=errors.answer),
            Middleware(GZipMiddleware, minimum_size=_PACK_FROM, compresslevel=6),
            Middleware(errors.Unplanned),
        ],
    )
    app.state.context = context
    errors.install(app)
    for router in (*api.routers, machines.router, *routers, *_pages(), files.router):
        app.include_router(router)
    environment()
    return app


def _pages() -> Iterator[APIRouter]:
    for module in sorted(each.name for each in pkgutil.iter_modules(pages.__path__)):
        router = getattr(importlib.import_module(f"{pages.__name__}.{module}"), "router", None)
        if router is not None:
            yield router
