"""What pydantic finds wrong with a parameter or a field, in Chinese. The kind itself goes out untranslated beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FLAWS", "in_words"]

_NO_NUMBER: Final = "要写整数"
FLAWS: Final[Mapping[str, str]] = {
    "missing": "必须写",
    "extra_forbidden": "没有这个参数或字段",
    "enum": "只能写 {expected}",
    "literal_error": "只能写 {expected}",
    "int_parsing": _NO_NUMBER,
    "int_parsing_size": "数字太大",
    "int_type": _NO_NUMBER,
    "int_from_float": _NO_NUMBER,
    "float_parsing": "要写数字",
    "float_type": "要写数字",
    "bool_parsing": "要写 true 或 false",
    "bool_type": "要写 true 或 false",
    "string_type": "要写文字",
    "string_unicode": "文字里有无效的字符",
    "string_too_long": "最多 {max_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "string_pattern_mismatch": "写法不对，应符合 {pattern}",
    "greater_than": "要大于 {gt}",
    "greater_than_equal": "不能小于 {ge}",
    "less_than": "要小于 {lt}",
    "less_than_equal": "不能大于 {le}",
    "finite_number": "要写有限的数字",
    "too_long": "最多 {max_length} 个",
    "too_short": "至少 {min_length} 个",
    "list_type": "要写列表",
    "dict_type": "要写对象",
    "model_type": "要写对象",
    "model_attributes_type": "要写对象",
    "none_required": "要写 null",
}
"""By pydantic's kind of error, with the names of its context (pydantic manual, "Validation Errors")."""


def in_words(error: Mapping[str, Any]) -> str:
    """Pydantic's kind of error in Chinese; its own words for a kind that is not in the table."""
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    told = FLAWS.get(error["type"])
    if told is None:
        return str(error["msg"])
    asked = dict(error.get("ctx", {}))
    if "expected" in asked:
        asked["expected"] = str(asked["expected"]).replace(" or ", "、").replace(", ", "、")
    return told.format_map(asked)
