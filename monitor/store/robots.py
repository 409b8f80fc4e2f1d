from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class RobotState:
    sends: tuple[datetime, ...] = ()
    closed_until: datetime | None = None
    closed_why: str = ""
    unknowns: int = 0


def load(conn: Connection, robot: str) -> RobotState:
    raise NotImplementedError


def save(conn: Connection, robot: str, state: RobotState) -> None:
    raise NotImplementedError
