"""What a reader prefers: language and colours, kept in cookies of this browser."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from monitor.web.i18n import LANGUAGES
from monitor.web.render import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_YEAR = 365 * 86400


@router.get("/preferences")
async def show(request: Request) -> Response:
    """The choices, for a browser that came here by its address."""
    return await page(request, "preferences.html")


@router.post("/preferences")
async def keep(
    lang: Annotated[str, Form()] = "", theme: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "/"
) -> Response:
    """Remember what was chosen, and go back to the page it was chosen on. Other values change nothing."""
    answer = RedirectResponse(_local(back), 303)
    for name, value, known in ((LANGUAGE_COOKIE, lang, LANGUAGES), (THEME_COOKIE, theme, THEMES)):
        if value in known:
            answer.set_cookie(name, value, max_age=_YEAR, httponly=True, samesite="lax")
    return answer


def _local(address: str) -> str:
    """`address` when it is a path of this site without a language of its own, else the first page."""
    try:
        split = urlsplit(address)
    except ValueError:
        return "/"
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    if not plain or split.scheme or split.netloc or "\\" in address:
        return "/"
    query = "&".join(part for part in split.query.split("&") if part and not part.startswith("lang="))
    return split.path + (f"?{query}" if query else "")
