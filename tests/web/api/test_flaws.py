"""What pydantic finds wrong, in Chinese: every placeholder of our words stands in the context of its kind."""

from __future__ import annotations

import string
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from domain.tickets import TicketState
from monitor.web.api.flaws import FLAWS, in_words

WRONG: dict[str, tuple[Any, Any]] = {
    "enum": (TicketState, "x"),
    "literal_error": (Literal["a", "b"], "x"),
    "string_too_long": (Annotated[str, Field(max_length=2)], "abc"),
    "string_too_short": (Annotated[str, Field(min_length=2)], "a"),
    "string_pattern_mismatch": (Annotated[str, Field(pattern="^a$")], "b"),
    "greater_than": (Annotated[int, Field(gt=2)], 2),
    "greater_than_equal": (Annotated[int, Field(ge=2)], 1),
    "less_than": (Annotated[int, Field(lt=2)], 2),
    "less_than_equal": (Annotated[int, Field(le=2)], 3),
    "too_long": (Annotated[list[int], Field(max_length=1)], [1, 2]),
    "too_short": (Annotated[list[int], Field(min_length=1)], []),
    "int_parsing": (int, "x"),
    "float_parsing": (float, "x"),
}


def error(kind: Any, value: Any) -> Any:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return caught.value.errors()[0]


@pytest.mark.parametrize("kind", WRONG)
def test_every_kind_has_its_words(kind: str) -> None:
    found = error(*WRONG[kind])
    assert found["type"] == kind
    told = in_words(found)
    assert told.startswith(FLAWS[kind].partition("{")[0])
    assert "should" not in told
    assert "{" not in told


def test_no_words_with_a_placeholder_are_left_untried() -> None:
    with_place = {
        kind for kind, words in FLAWS.items() if any(name for _, name, *_ in string.Formatter().parse(words))
    }
    assert with_place <= WRONG.keys()


def test_the_choices_are_listed() -> None:
    assert in_words(error(*WRONG["literal_error"])) == "只能写 'a'、'b'"


def test_a_kind_nobody_translated_keeps_its_own_words() -> None:
    assert in_words({"type": "new_kind", "msg": "Input is odd"}) == "Input is odd"
