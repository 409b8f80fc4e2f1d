"""What the drop folder says of a file: the verdict beside it, and the message to the groups."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.masking import safe_text
from domain.messages import Message, MessageKind, Urgency
from domain.time import SHANGHAI
from monitor.intake.importing import Report
from monitor.intake.tables import FileRefused

__all__ = ["alert_of", "verdict_of"]

_OUTCOMES: Final = {
    "accepted": "新增", "updated": "更新", "unchanged": "未变", "older": "旧于已有，未采用", "ignored": "忽略",
    "rejected": "拒绝",
}  # fmt: skip

_PLATFORM: Final = "列对应表不带平台，请在 [intake] 里写 platform，或在文件里加 platform 列"


def verdict_of(report: Report, now: datetime) -> str:
    """What stands beside a file that was imported."""
    file, tally = report.file, report.tally
    lines = [
        f"{file.name}：识别为 {file.source_name}（{file.encoding}），{tally.rows} 行",
        "、".join(f"{words} {tally.counts[key]}" for key, words in _OUTCOMES.items() if tally.counts[key]),
        *((report.tally.nothing,) if report.tally.nothing else ()),
        *(f"提示：{note.text}" for note in file.notes),
        *([f"提醒：{tally.homeless} 行没有平台，按通用规则监控：{_PLATFORM}"] if tally.homeless else []),
    ]
    if since := report.known_at:
        which = "文件名里的时间" if file.exported_at else "导入时间" if since == now else "文件时间"
        lines.append(
            f"按{which} {since.astimezone(SHANGHAI):%Y-%m-%d %H:%M}（北京时间）计：此后已有更新的订单不会被改回。"
        )
    if report.seen is not None:
        lines.append(
            f"同一文件已于 {report.seen.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}（北京时间）导入过（{report.seen.name}），重复导入无妨。"
        )
    if tally.counts["rejected"]:
        lines.append("被拒绝的行连同原因在旁边的 .rejected.csv 里，改好后放回投递目录即可：")
    lines += [f"第 {line} 行 忽略：{safe_text(why, 200)}" for line, why in tally.aside if tally.nothing]
    lines += [
        f"第 {row.line} 行 {safe_text(each.column, 40)}：{safe_text(each.text, 200)}"
        for row in tally.rejected
        for each in row.problems
    ]
    return "\n".join([*filter(None, lines), f"{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}（北京时间）", ""])


def alert_of(shown: str, refused: FileRefused, now: datetime, fate: str) -> Message:
    return Message(
        kind=MessageKind.FEED,
        title=f"[导入] 投递的文件{'只导入了一部分' if refused.stands else '没有导入'}：{shown}",
        facts=(
            ("原因", safe_text(refused.kept, 160)),
            ("文件", fate),
        ),
        reference="intake",
        urgency=Urgency.HIGH,
        at=now,
    )
