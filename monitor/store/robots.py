"""What a chat robot's pacer must not forget over a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.codec import clean, dump, micros, moment

__all__ = ["RobotState", "load", "save"]

_robots = schema.robots


@dataclass(frozen=True, slots=True)
class RobotState:
    """One robot of one group, whatever channels speak through it."""

    sends: tuple[datetime, ...] = ()
    """When it spoke, inside the window its platform counts."""
    closed_until: datetime | None = None
    closed_why: str = ""
    unknowns: int = 0


def load(conn: Connection, robot: str) -> RobotState:
    """The robot's state; a fresh one for a robot nobody knows."""
    row = conn.execute(select(_robots).where(_robots.c.robot == robot)).first()
    if row is None:
        return RobotState()
    sends = tuple(from_micros(at) for at in json.loads(row.sends))
    return RobotState(sends, moment(row.closed_until), row.closed_why, row.unknowns)


def save(conn: Connection, robot: str, state: RobotState) -> None:
    """Keep the robot's state."""
    values = {
        "sends": dump([to_micros(at) for at in state.sends]),
        "closed_until": micros(state.closed_until),
        "closed_why": clean(state.closed_why),
        "unknowns": state.unknowns,
    }
    kind = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = kind.insert(_robots).values(robot=robot, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["robot"], set_=values))
