"""What is under way with uploaded files in this process: which is being read or imported, and with which password.

What is known of a file is in the staging folder; here is only what ends with the process.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from fastapi import Request

from domain.remote import Secret
from monitor.intake.staging import Staged, Staging, State, staging_folder, with_state
from monitor.intake.trying import Trial
from monitor.store.errors import StoreError
from monitor.web.context import Context
from monitor.web.render import context_of

__all__ = ["PATIENCE", "Desk", "desk_of", "staging_of", "turn"]

log = structlog.get_logger()
PATIENCE: Final = 2.0
"""Seconds an answer waits for the reading; then the page looks again by itself."""


@dataclass
class Desk:
    """What is under way in this process."""

    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, Secret] = field(default_factory=dict)
    """By token, until the file is imported, discarded or purged. Never written down."""

    def remember(self, token: str, password: str) -> None:
        """The password of a file, if one was given."""
        if password:
            self.passwords[token] = Secret(password)

    def under_way(self, token: str) -> bool:
        """Whether a turn with that file has begun and not ended."""
        task = self.tasks.get(token)
        return task is not None and not task.done()


def desk_of(request: Request) -> Desk:
    """The site's one desk."""
    state = request.app.state
    if not hasattr(state, "intake_desk"):
        state.intake_desk = Desk()
    desk: Desk = state.intake_desk
    return desk


def staging_of(context: Context) -> Staging:
    """The folder of uploads beside the store."""
    settings = context.settings()
    return Staging(staging_folder(settings.store, settings.path.parent))


async def turn(request: Request, staged: Staged, state: State) -> None:
    """Begin to read or to import; wait a moment for it."""
    context, desk = context_of(request), desk_of(request)
    if desk.under_way(staged.token):
        return
    staged = staging_of(context).keep(replace(staged, state=state))
    desk.rows[staged.token] = 0
    task = asyncio.create_task(_work(context, desk, staged))
    desk.tasks[staged.token] = task
    await asyncio.wait({task}, timeout=PATIENCE)


async def _work(context: Context, desk: Desk, staged: Staged) -> None:
    """One turn in a thread, one at a time; the service's end ends it within a second."""
    ending = False
    trial = Trial(
        context.db,
        staging_of(context),
        context.settings().timezone,
        context.now,
        lambda: ending,
        desk.rows.__setitem__,
    )
    step = trial.preview if staged.state is State.READING else trial.confirm
    try:
        async with context.importing:
            done = await asyncio.to_thread(step, staged, desk.passwords.get(staged.token))
        if done.state is State.DONE:
            desk.passwords.pop(staged.token, None)
    except asyncio.CancelledError:
        ending = True
        raise
    except (StoreError, OSError) as error:
        log.error("a file cannot be imported", file=staged.name, why=str(error))
        told = ["store", f"{error} 修好后请重新预览；已写入的行不会重复登记。", []]
        staging_of(context).keep(with_state(staged, State.REFUSED, refused=told))
