"""Clocks on their time lines: where each began, its warnings, its limit, now, and how far we have really seen.

The bar is solid up to the last look at the carrier and hatched from there to now: what nobody looked at is
not yet silence (law L1).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.findings import ClockReading, Stage
from monitor.demo.pages.nodes import Child, Node, el
from monitor.demo.pages.words import Words

__all__ = ["clocks"]


def clocks(
    readings: Sequence[ClockReading], observed_at: datetime | None, now: datetime, words: Words
) -> list[Child]:
    """Running clocks by deadline, then ended ones; those that do not run are listed in one fold."""
    running = sorted((each for each in readings if each.running), key=_deadline)
    ended = [each for each in readings if each.started_at is not None and each.ended_at is not None]
    asleep = [each for each in readings if not each.running and each not in ended]
    return [
        *(_running(each, observed_at, now, words) for each in running),
        _fold(
            "ended", words.say("已结束的时效", "Clocks that ended"), [_ended(each, words) for each in ended]
        ),
        _fold(
            "asleep",
            words.say("没有在走的时效", "Clocks that do not run"),
            [_asleep(each, words) for each in asleep],
        ),
    ]


def _deadline(reading: ClockReading) -> datetime:
    assert reading.deadline is not None
    return reading.deadline


def _fold(key: str, title: str, rows: Sequence[Node]) -> Node | None:
    if not rows:
        return None
    return el("details", el("summary", f"{title}（{len(rows)}）"), el("ul", rows), key=key, class_="fold")


def _running(reading: ClockReading, observed_at: datetime | None, now: datetime, words: Words) -> Node:
    assert reading.started_at is not None
    deadline = _deadline(reading)
    proven = observed_at is not None and observed_at > deadline
    seen = observed_at or reading.started_at
    say = words.say
    kind = (
        "breach"
        if proven
        else "warning"
        if any(step.at < min(now, seen) for step in reading.steps)
        else "fine"
    )
    steps = [
        f"{say('预警', 'warning')} {words.clock(step.at)}"
        for step in reading.steps
        if step.stage is Stage.WARNING
    ]
    began = f"{words.clock(reading.started_at)}（{reading.started_by}）"
    return el(
        "article",
        el(
            "header",
            el("strong", words.rule(reading.rule)),
            el("span", words.left(deadline, now, proven=proven), class_="left"),
        ),
        line(reading, seen, now, words),
        el(
            "p",
            say(f"起点 {began}", f"began {began}"),
            "".join(f" · {step}" for step in steps),
            f" · {say('时限', 'limit')} {words.clock(deadline)}",
            say(f" · 在等「{reading.waits_for}」", f" · waits for {reading.waits_for}"),
        ),
        el("p", say("依据 ", "says who: "), reading.policy, class_="policy"),
        class_=f"clock {kind}",
        key=reading.rule,
    )


def line(reading: ClockReading, seen: datetime, now: datetime, words: Words) -> Node:
    """The time line as SVG: percentages only, so it takes whatever width there is."""
    start, deadline = reading.started_at, _deadline(reading)
    assert start is not None
    scale = _Scale(start, max(deadline, now) + (max(deadline, now) - start) * 0.04)
    proven = min(max(seen, start), now)
    broken = max(deadline, start)
    marks = [
        _mark(
            scale, step.at, "limit" if step.stage is Stage.BREACH else "step", _name(step.stage, words), words
        )
        for step in reading.steps
    ]
    return el(
        "svg",
        el("title", f"{words.rule(reading.rule)} {words.left(deadline, now, proven=proven > deadline)}"),
        scale.bar(start, scale.end, "track"),
        scale.bar(start, min(proven, broken), "seen"),
        scale.bar(broken, proven, "over"),
        scale.bar(proven, now, "unseen"),
        marks,
        _mark(scale, now, "now", words.say("现在", "now"), words),
        class_="line",
        width="100%",
        height=34,
        role="img",
    )


class _Scale:
    """Moments as percentages of a line."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, max(end, start + timedelta(minutes=1))

    def at(self, moment: datetime) -> float:
        share = (moment - self.start) / (self.end - self.start) * 100
        return round(min(max(share, 0.0), 100.0), 2)

    def bar(self, since: datetime, until: datetime, kind: str) -> Node | None:
        """A stretch of the line, nothing when it is empty."""
        left, right = self.at(since), self.at(until)
        if right <= left:
            return None
        return el("rect", x=f"{left}%", y=12, width=f"{right - left:.2f}%", height=10, class_=kind)


def _mark(scale: _Scale, at: datetime, kind: str, name: str, words: Words) -> Node:
    x = f"{scale.at(at)}%"
    return el("line", el("title", f"{name} {words.clock(at)}"), x1=x, x2=x, y1=4, y2=30, class_=kind)


def _name(stage: Stage, words: Words) -> str:
    return words.say("时限", "limit") if stage is Stage.BREACH else words.say("预警", "warning")


def _ended(reading: ClockReading, words: Words) -> Node:
    assert reading.started_at is not None
    assert reading.ended_at is not None
    took = words.length(reading.ended_at - reading.started_at)
    limit = words.length(reading.limit) if reading.limit else "—"
    late = reading.deadline is not None and reading.ended_at > reading.deadline
    return el(
        "li",
        el("strong", words.rule(reading.rule)),
        words.say(
            f"：{words.clock(reading.ended_at)} {reading.ended_by}，用时 {took}（限 {limit}）",
            f": {words.clock(reading.ended_at)} {reading.ended_by}, took {took} (limit {limit})",
        ),
        class_="late" if late else "intime",
        key=reading.rule,
    )


def _asleep(reading: ClockReading, words: Words) -> Node:
    return el("li", el("strong", words.rule(reading.rule)), f"：{reading.asleep}", key=reading.rule)
