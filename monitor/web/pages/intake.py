"""Files of orders: upload, see what would become of them, say how columns are read, then import.

Reading takes as long as it takes, in a child process; the page waits a moment for it and else looks again by itself,
without a script. What is under way is in memory, what is known of a file in the staging folder.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from monitor.intake.columns import FIELDS, NAMING, PLATFORM_IDS
from monitor.intake.staging import Crowded, Staged, State, with_state
from monitor.intake.trying import seal
from monitor.intake.values import heading_key
from monitor.store import mappings, meta
from monitor.store.mappings import ColumnTable
from monitor.store.meta import Imported
from monitor.web.context import Context
from monitor.web.intake_desk import desk_of, staging_of, turn
from monitor.web.render import context_of, page
from monitor.web.uploads import received

__all__ = ["ORIGIN_ZH", "OUTCOME_ZH", "STATE_ZH", "router"]

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)
_NAME: Final = re.compile(r"[\w.-]{1,64}")
_WORDS: Final = 64

STATE_ZH: Final = {
    State.READING: "正在读取",
    State.READY: "等待确认",
    State.REFUSED: "没有导入",
    State.IMPORTING: "正在导入",
    State.DONE: "已导入",
}
OUTCOME_ZH: Final = {
    "accepted": "新增",
    "updated": "更新",
    "unchanged": "未变",
    "older": "旧于已有，不采用",
    "ignored": "忽略",
    "rejected": "拒绝",
}
ORIGIN_ZH: Final = {"command": "命令行", "console": "控制台", "inbox": "投递目录"}
_KIND_ZH: Final = {"shipment": "有运单", "awaiting": "待发货", "ignored": "忽略", "rejected": "拒绝"}


@dataclass(frozen=True, slots=True)
class _Kept:
    imports: list[Imported]
    tables: list[ColumnTable]


def _kept(conn: Connection) -> _Kept:
    return _Kept(meta.recent_imports(conn), mappings.all_of(conn))


@router.get("/intake")
async def show(request: Request) -> Response:
    """The form, what waits for a yes, what came in lately, and the saved tables."""
    context, desk = context_of(request), desk_of(request)
    staging = staging_of(context)
    await asyncio.to_thread(staging.purge, context.now())
    waiting = await asyncio.to_thread(staging.all)
    for token in desk.passwords.keys() - {each.token for each in waiting}:
        del desk.passwords[token]
    return await page(
        request,
        "intake.html",
        waiting=waiting,
        kept=await context.db.read(_kept),
        states=STATE_ZH,
        outcomes=OUTCOME_ZH,
        origins=ORIGIN_ZH,
        platforms=sorted(PLATFORM_IDS),
        inbox=context.settings().intake.folder,
    )


@router.post("/intake")
async def upload(request: Request) -> Response:
    """Take the files; one of them is shown at once, several on the list."""
    context, desk = context_of(request), desk_of(request)
    staging = staging_of(context)
    try:
        got = await received(request, staging, context.now())
    except Crowded:
        raise HTTPException(
            429, "等待确认的上传太多了：请先确认或丢弃几个，或过一会儿再传。没有删除任何人的文件。"
        ) from None
    except OSError as error:
        log.error("an upload cannot be kept", why=str(error))
        raise HTTPException(503, "上传的文件存不下来：请检查磁盘空间和数据库所在目录的权限。") from error
    if not got.files:
        raise HTTPException(422, "没有选择文件")
    for each in got.files:
        desk.remember(each.token, got.fields.get("password", ""))
        await turn(request, _told(each, got.fields), State.READING)
    one = f"/{got.files[0].token}" if len(got.files) == 1 else ""
    return RedirectResponse(f"/intake{one}", 303)


@router.get("/intake/{token}")
async def one(request: Request, token: str) -> Response:
    """One file: what was recognised, what would happen, and what can be put right."""
    context, desk = context_of(request), desk_of(request)
    staged = await _find(context, token)
    said = staged.said
    return await page(
        request,
        "intake_file.html",
        file=staged,
        said=said,
        rows=desk.rows.get(token, 0),
        working=desk.under_way(token),
        refused=said.get("refused"),
        columns=_columns(staged),
        fields=FIELDS,
        mapped=_mapped(staged),
        states=STATE_ZH,
        outcomes=OUTCOME_ZH,
        kinds=_KIND_ZH,
        platforms=sorted(PLATFORM_IDS),
        moment=_moment,
        locked=token in desk.passwords,
        seal=seal(staged),
        handed_back=staging_of(context).rejected(token).is_file(),
    )


@router.post("/intake/{token}/preview")
async def preview(request: Request, token: str) -> Response:
    """Read it again, with what the form says."""
    context, desk = context_of(request), desk_of(request)
    staged = await _find(context, token)
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    desk.remember(token, form.get("password", ""))
    if staged.state is not State.DONE and not desk.under_way(token):
        told = _told(staged, form)
        await turn(request, replace(told, mapping=_mapping(form, staged)), State.READING)
    return _back(token)


@router.post("/intake/{token}/confirm")
async def confirm(request: Request, token: str) -> Response:
    """Import it as it was previewed."""
    context, desk = context_of(request), desk_of(request)
    staged = await _find(context, token)
    seen = str((await request.form()).get("seen", ""))
    if staged.state is State.READY and seen and seen != seal(staged):
        raise HTTPException(409, "这个文件的读法在您打开预览之后改过了。请返回看过新的预览，再确认导入。")
    if staged.state is State.READY and staged.said.get("nothing"):
        raise HTTPException(422, staged.said["nothing"])
    again = staged.state is State.IMPORTING and not desk.under_way(token)
    if staged.state is State.READY or again:
        await turn(request, staged, State.IMPORTING)
    return _back(token)


@router.post("/intake/{token}/mapping")
async def save_mapping(request: Request, token: str) -> Response:
    """Keep how the form reads the columns, by name, and preview it; the next file with this header is read so, too."""
    context = context_of(request)
    staged = await _find(context, token)
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    name, shop = form.get("name", "").strip(), form.get("for_shop", "").strip()[:_WORDS]
    if not _NAME.fullmatch(name):
        raise HTTPException(422, "请给列对应表写一个名字：字母、数字、汉字和 . _ -，最多 64 个。")
    told = replace(_told(staged, form), mapping=_mapping(form, staged))
    mark, fields = staged.said.get("fingerprint"), _mapped(told)
    if staged.state is not State.READY or not mark or desk_of(request).under_way(token):
        raise HTTPException(409, "这个文件还没有预览好，没有保存。请返回看过预览，再保存列对应表。")
    if not any(fields.get(each) for each in NAMING):
        raise HTTPException(422, "列对应表里至少要有订单号列或运单号列，没有保存。")
    table = ColumnTable(name, fields, str(mark), shop)
    if not await context.db.write(lambda conn: mappings.save(conn, table, context.now())):
        raise HTTPException(422, "列对应表太多，请先删掉不用的")
    await turn(request, with_state(told, told.state, saved_as=name), State.READING)
    return _back(token)


@router.post("/intake/{token}/discard")
async def discard(request: Request, token: str) -> Response:
    """Forget the upload and everything about it."""
    context, desk = context_of(request), desk_of(request)
    staged = await _find(context, token)
    if not desk.under_way(token):
        desk.passwords.pop(token, None)
        await asyncio.to_thread(staging_of(context).drop, staged.token)
    return RedirectResponse("/intake", 303)


@router.get("/intake/{token}/rejected")
async def rejected(request: Request, token: str) -> Response:
    """The rejected rows as a file, each with its reasons."""
    context = context_of(request)
    await _find(context, token)
    try:
        body = await asyncio.to_thread(staging_of(context).rejected(token).read_bytes)
    except OSError:
        raise HTTPException(404) from None
    headers = {"Content-Disposition": 'attachment; filename="rejected.csv"'}
    return Response(body, headers=headers, media_type="text/csv; charset=utf-8")


@router.post("/intake/mappings/remove")
async def remove_mapping(request: Request) -> Response:
    """Forget a saved table."""
    context, name = context_of(request), str((await request.form()).get("name", ""))
    await context.db.write(lambda conn: mappings.remove(conn, name))
    return RedirectResponse("/intake", 303)


async def _find(context: Context, token: str) -> Staged:
    staged = await asyncio.to_thread(staging_of(context).find, token)
    if staged is None:
        raise HTTPException(404, "上传的文件只保留一天，导入或丢弃后也会删除。请重新上传。")
    return staged


def _told(staged: Staged, form: Mapping[str, str]) -> Staged:
    """The file with what the form says of it beside its columns."""
    platform = form.get("platform", "")
    return replace(
        staged,
        platform=platform if platform in PLATFORM_IDS else "",
        shop=form.get("shop", "").strip()[:_WORDS],
        merchant=form.get("merchant", "").strip()[:_WORDS],
    )


def _columns(staged: Staged) -> list[str]:
    """The file's headings, where they are known."""
    refused = staged.said.get("refused")
    seen = refused[2] if refused and refused[2] else staged.said.get("header", ())
    return list(dict.fromkeys(heading for heading in seen if heading_key(heading)[0]))


def _mapped(staged: Staged) -> dict[str, str]:
    """Field → heading as the form shows it: as asked for, else as recognised."""
    if staged.mapping is not None:
        return dict(staged.mapping)
    found: Mapping[str, str] = staged.said.get("mapping", {})
    return dict(found)


def _mapping(form: Mapping[str, str], staged: Staged) -> Mapping[str, str] | None:
    """The form's table; None where it says what was recognised anyway, or nothing."""
    known = set(_columns(staged))
    chosen = {field: form.get(f"map_{field}", "") for field in FIELDS if f"map_{field}" in form}
    if not chosen or not any(chosen.values()):
        return staged.mapping
    table = {field: heading for field, heading in chosen.items() if not heading or heading in known}
    told = {field: heading for field, heading in table.items() if heading}
    if staged.mapping is None and told == staged.said.get("mapping"):
        return None
    return table


def _back(token: str) -> Response:
    return RedirectResponse(f"/intake/{token}", 303)


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
