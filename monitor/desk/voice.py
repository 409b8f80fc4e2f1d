"""Saying things in the reader's language: lengths, moments, and the Chinese phrases that are stored.

The source of every text is Chinese. What the rules and the machine wrote down (`尚未开始：还没有「揽收」`) is
kept in the store as it was said; `Voice.reword` finds the phrase it was made from and says it anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from domain.time import SHANGHAI
from monitor.desk.claims import CLAIMS, PLAIN_CLAIMS

__all__ = ["PHRASES", "Voice", "same"]

_EMPTY: Final = timedelta(0)


def same(text: str) -> str:
    """The catalogue of the source language."""
    return text


def _marked(text: str) -> str:
    """Names a text for the catalogue without saying it yet."""
    return text


def _phrases() -> tuple[str, ...]:
    """Every phrase with something in it that the rules, the sweep and the desk write down."""
    _ = _marked
    return (
        _("尚未开始：还没有「{what}」"),
        _("商品类型豁免：{what}"),
        _("「{what}」已被撤回"),
        _("补传的轨迹显示当时已有「{what}」"),
        _("包裹已有新进展（{what}）"),
        _("包裹已有新进展：{text}"),
        _("{what}（没有 {years} 年的官方放假安排，只按周末推算）"),
        _("{what}：已恢复（{why}）"),
        _("{what}：撤回（{why}）"),
        _("{what}：不再适用（{why}）"),
        _("{what}：人工忽略（{why}）"),
        _("{what} 已 {time}（限 {limit}）"),
        _("{what} 还剩 {time}（限 {limit}）"),
        _("{what} 即将超时（限 {limit}）"),
        _("工单 {number} 现在是「{what}」，不能改为「{to}」。可以改为：{possible}。"),
        _("工单 {number} 现在是「{what}」，不能改为「{to}」。它已经结束，不能再改。"),
        _("这个包裹已有处理中的工单 {number}，请在那张工单上继续。"),
        _("搜索的文字太长，最多 {n} 个字。"),
        _("一次最多查 {n} 个单号，请分几次。"),
        _("没有这样的{what}；可以用的有：{known}。"),
        _("只适用于：{what}"),
        _("分不出同城还是异地：{what}"),
        _("线路时效表里没有 {what}"),
        _("{what}，扣除{text}"),
        *CLAIMS,
        *_blamed(),
        *_priced(),
        _("{what}：{why}"),
        _("{n} 秒"),
        _("{n} 分钟"),
        _("{n} 小时"),
        _("{n} 天"),
        _("{length} 小时"),
        _("{what}；{rest}"),
        _("{what}，{rest}"),
    )


def _blamed() -> tuple[str, ...]:
    """Whose doing it is (`rules.blame`), and why a policy won (`rules.layers`)."""
    _ = _marked
    return (
        _("{what}（共 {time}）"),
        _("豁免时段占了 {time}"),
        _("豁免时段{what}占了 {time}"),
        _("退回途中 {time}还没有退到"),
        _("下单后 {time}才付款"),
        _("快递上门揽收失败，{what}后 {time}仍未揽收"),
        _("{what}后 {time}仍没有揽收，也不知道何时发的货"),
        _("{what}后 {time}仍未发货"),
        _("{what}后 {time}才揽收，看不出是仓库没交出，还是快递没来取"),
        _("{what}后 {time}仍没有揽收，看不出是仓库没交出，还是快递没来取"),
        _("{what}后 {time}才揽收"),
        _("{what}后 {time}才发货"),
        _("{what}，{time}没有新的扫描"),
        _("揽收后在快递手里 {time}"),
        _("在快递手里 {time}"),
        _("承运商报告不可抗力，已 {time}"),
        _("{what}，已等 {time}"),
        _("待取件 {time}没有取"),
        _("{what}后退回"),
        _("match 有 {n} 项，比「{what}」的 {fewer} 项更具体"),
        _("和「{what}」一样具体（match 都是 {n} 项），它写在前面"),
    )


def _priced() -> tuple[str, ...]:
    """The entries of a tariff (`rules.tariff`)."""
    _ = _marked
    return (
        _("实付的 {pct}%（最低 {least}，最高 {most}）"),
        _("实付的 {pct}%（最低 {least}）"),
        _("实付的 {pct}%（最高 {most}）"),
        _("实付的 {pct}%"),
        _("货值的 {times} 倍"),
        _("扣 {n} 分"),
        _("每个周期另扣 {n} 分"),
        _("部分类目最低 {least}"),
        _("{least} 到 {most}"),
    )


def _plain() -> tuple[str, ...]:
    """The phrases without anything in them: here so that the catalogue has them."""
    _ = _marked
    return (
        _("还没有可以归因的时间"),
        _("退回，轨迹没有写原因"),
        _("没有策略匹配，按平台默认值"),
        _("只有这条策略匹配"),
        _("缺少订单金额"),
        _("规则改为试运行，只记录，不再提醒"),
        _("规则结束试运行，改为正式提醒"),
        _("承运商报告"),
        _("不再监控"),
        _("该规则已关闭（watch = false）"),
        _("港澳台件不适用国内时限"),
        _("偏远地区豁免"),
        _("极偏远地区豁免"),
        _("没有时限"),
        _("没有关联的订单"),
        _("订单已关闭"),
        _("买家已确认收货"),
        _("揽收前已退款"),
        _("起点时间已更正，原来的计时不成立"),
        _("时限已调整，按新的时限不再成立"),
        _("规则已关闭或不再适用于此包裹"),
        _("新的扫描"),
        _("最后一次扫描"),
        _("首条物流"),
        _("新的物流更新"),
        _("签收、退回或取消"),
        _("承诺发货时间"),
        _("也可能是承运商选错、缺少手机号后四位，或刚下单尚无记录"),
        _("超过 60 天没有动静"),
        _("自然时间"),
        _("中国工作日"),
        _("中国工作日（整天）"),
        _("周一至周六（春节、劳动节、国庆节除外）"),
        _("站点工作日"),
        _("站点工作日（整天）"),
        _("美国工作日（太平洋时间）"),
        _("美国工作日（整天，太平洋时间）"),
        _("自然日，揽收当天不算"),
        _("付款时该规则不在有效期内"),
        _("买家在揽收后退款"),
        _("已签收，来不及拦截"),
        _("承运商已拦截"),
        _("退款已撤销，或还有订单要送"),
        _("订单没有收货城市"),
        _("订单没有承诺发货时间"),
        _("订单没有承诺送达时间"),
        _("承诺送达时间"),
        _("分拣中心扫描"),
        _("不知道从哪个城市发出（仓库没有配置城市，揽收也没有写城市）"),
        _("揽收后未发出"),
        _("滞留在网点/分拨内"),
        _("两个网点之间"),
        _("派送段"),
        *(_("1月"), _("2月"), _("3月"), _("4月"), _("5月"), _("6月")),
        *(_("7月"), _("8月"), _("9月"), _("10月"), _("11月"), _("12月")),
        *(_("工单状态"), _("阶段"), _("排序方式"), _("责任方")),
        _("按每小时可能赔付排序只能用在未结束的工单上：结束了的没有剩余时间。"),
        _("或"),
        _("且"),
        _("、"),
    )


_PHRASES: Final = _phrases()
PHRASES: Final = (*_PHRASES, *_plain(), *PLAIN_CLAIMS)
"""All of them: each needs a translation."""
_JOINTS: Final = (" 或 ", " 且 ", "、")
_LONGEST: Final = 400
"""Characters. Longer ones hold a carrier's words, and a pattern must never hang on those."""


@lru_cache(maxsize=256)
def _pattern(phrase: str) -> re.Pattern[str]:
    """The phrase as a pattern: `{what}` is whatever stands there, `{n}` a number."""
    parts = re.split(r"\{(\w+)\}", phrase)
    spelled = [
        re.escape(part) if n % 2 == 0 else (r"(?P<n>\d+)" if part == "n" else f"(?P<{part}>.+?)")
        for n, part in enumerate(parts)
    ]
    return re.compile("".join(spelled), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Voice:
    """A language and a zone to speak in."""

    catalogue: Callable[[str], str] = same
    zone: ZoneInfo = SHANGHAI

    def _(self, text: str, /, **fields: object) -> str:
        """A text of the source language in the reader's, with its named fields filled in."""
        said = self.catalogue(text)
        return said.format(**fields) if fields else said

    def moment(self, at: datetime) -> str:
        """`11月22日 08:10` in the zone."""
        local = at.astimezone(self.zone)
        return self._(
            "{month}{day}日 {clock}",
            month=self.catalogue(f"{local.month}月"),
            day=local.day,
            clock=f"{local:%H:%M}",
        )

    def length(self, span: timedelta) -> str:
        """`48 小时`, `50 小时 30 分钟`, `10 天`: two units at most, hours up to a week; never negative."""
        seconds = max(span, _EMPTY) // timedelta(seconds=1)
        if seconds < 120:
            return self._("{n} 秒", n=seconds)
        minutes = seconds // 60
        if minutes < 120:
            return self._("{n} 分钟", n=minutes)
        hours, minutes = divmod(minutes, 60)
        if hours < 168:
            rest = self._("{n} 分钟", n=minutes) if minutes else ""
            return f"{self._('{n} 小时', n=hours)} {rest}".rstrip()
        days, hours = divmod(hours, 24)
        rest = self._("{n} 小时", n=hours) if hours else ""
        return f"{self._('{n} 天', n=days)} {rest}".rstrip()

    def reword(self, text: str) -> str:
        """A stored Chinese phrase in the reader's language; what is none of ours stays as it is."""
        if not text or len(text) > _LONGEST or self.catalogue is same:
            return text
        said = self.catalogue(text)
        if said != text:
            return said
        return self._filled(text) or self._joined(text)

    def _filled(self, text: str) -> str:
        """The phrase it was made from, said anew with its fields; nothing when there is none."""
        for phrase in _PHRASES:
            found = _pattern(phrase).fullmatch(text)
            fields = found.groupdict() if found is not None else {}
            # A field that holds the joint of two sayings is not one saying.
            if found is not None and not any("；" in fields[name] for name in fields if name != "text"):
                told = {name: self.reword(fields[name]) for name in fields if name != "text"}
                return self._(phrase, **{**fields, **told})
        return ""

    def _joined(self, text: str) -> str:
        for joint in _JOINTS:
            if joint in text:
                between = self.catalogue(joint.strip())
                between = f" {between} " if joint.startswith(" ") else between
                return between.join(self.reword(part) for part in text.split(joint))
        return " ".join(map(self.catalogue, text.split(" "))) if text.strip() == text else text
