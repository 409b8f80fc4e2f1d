"""Templates: one environment, escaping always on, the reader's language and time zone in every filter.

    return await page(request, "tickets.html", rows=rows)

Filters and `_()` speak for the page being drawn, inside macros too: the reader is kept in a context variable
for exactly the length of one drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool

from monitor.web import files
from monitor.web.context import Context
from monitor.web.formats import View
from monitor.web.i18n import LANGUAGES, Words, choose

__all__ = [
    "LANGUAGE_COOKIE",
    "THEMES",
    "THEME_COOKIE",
    "add_templates",
    "context_of",
    "environment",
    "page",
    "view_of",
]

LANGUAGE_COOKIE: Final = "parcelwatch_lang"
THEME_COOKIE: Final = "parcelwatch_theme"
THEMES: Final = ("auto", "light", "dark")

_TEMPLATES: Final = Path(__file__).with_name("templates")
_VIEW: ContextVar[View] = ContextVar("view")
_FILTERS: Final = (
    *("when", "moment", "day", "left", "ago", "length", "number", "yuan", "clean"),
    *("carrier", "rule", "milestone", "state", "risk", "party"),
)


def context_of(request: Request) -> Context:
    """What the site was made with."""
    context: Context = request.app.state.context
    return context


def view_of(request: Request) -> View:
    """The reader of this request: language, zone, and the one moment at which all of it is answered."""
    if not hasattr(request.state, "view"):
        request.state.view = _view(request)
    view: View = request.state.view
    return view


def _view(request: Request) -> View:
    context = context_of(request)
    settings = context.settings()
    language = choose(
        query=request.query_params.get("lang", ""),
        cookie=request.cookies.get(LANGUAGE_COOKIE, ""),
        accepted=request.headers.get("accept-language", ""),
        default=settings.language,
    )
    return View(
        words=Words(language),
        zone=settings.timezone,
        now=context.now(),
        settings=settings,
        path=request.url.path,
        query=tuple(request.query_params.multi_items()),
    )


async def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page drawn from `template`, an answer of `status`. Drawn in a thread: the watch goes on meanwhile."""
    text = await run_in_threadpool(_drawn, view_of(request), template, {**_frame(request), **values})
    return HTMLResponse(text, status)


def _drawn(view: View, template: str, values: Mapping[str, Any]) -> str:
    token = _VIEW.set(view)
    try:
        return environment().get_template(template).render(view=view, **values)
    finally:
        _VIEW.reset(token)


def _frame(request: Request) -> dict[str, Any]:
    """What `base.html` needs on every page."""
    context = context_of(request)
    theme = request.cookies.get(THEME_COOKIE, "")
    query = request.url.query
    return {
        "path": request.url.path,
        "here": request.url.path + (f"?{query}" if query else ""),
        "theme": theme if theme in THEMES else THEMES[0],
        "extras": context.extras,
        "simulated": context.simulated,
    }


@cache
def environment() -> Environment:
    """The templates, with everything they may call."""
    env = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(
        _=lambda text, **values: _VIEW.get().words.say(text, **values),
        ngettext=lambda one, many, n, **values: _VIEW.get().words.plural(one, many, n, **values),
        link=lambda **changes: _VIEW.get().link(**changes),
        asset=files.address,
        languages=LANGUAGES,
        themes=THEMES,
    )
    count = env.filters["length"]
    env.filters.update({name: _spoken(name) for name in _FILTERS})
    spoken = env.filters["length"]
    env.filters["length"] = lambda value: spoken(value) if isinstance(value, timedelta) else count(value)
    return env


def add_templates(folder: Path) -> None:
    """Pages of somebody else's, such as the demo's, are drawn from this folder too."""
    loader = environment().loader
    assert isinstance(loader, FileSystemLoader)
    if str(folder) not in loader.searchpath:
        loader.searchpath.append(str(folder))


def _spoken(name: str) -> Callable[..., Any]:
    """The view's method of that name, of whichever reader is being drawn for."""

    def spoken(*args: Any, **values: Any) -> Any:
        return getattr(_VIEW.get(), name)(*args, **values)

    return spoken
