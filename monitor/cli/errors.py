"""Errors as people can read them: one line, the right exit code, no traceback."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import click

__all__ = ["CHANGE", "Friendly"]

CHANGE: Final = 2
"""Exit code: the user must change something."""


class Friendly(click.Group):
    """Says what is wrong in one line and with the right exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our output has left (`| head`): nothing more to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            told = _told(error)
            if told is None:
                raise
            click.echo(told[0], err=True)
            ctx.exit(told[1])


def _told(error: Exception) -> tuple[str, int] | None:
    """What to say and the exit code, for the errors whose text is for the user."""
    from monitor.config.file import ConfigError
    from monitor.serving import PortTaken
    from monitor.store.errors import StoreError, StoreNewer, StoreOutdated, StoreRefused

    users = (StoreOutdated, StoreNewer, StoreRefused)
    if isinstance(error, (ConfigError, PortTaken)):
        return str(error), CHANGE
    if isinstance(error, StoreError):
        return f"存储：{error}", CHANGE if isinstance(error, users) else 1
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}：{error.strerror}", 1
    return None
