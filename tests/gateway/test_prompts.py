"""Who is to be seen, in words."""

import pytest

from books.appearances import FORBIDDEN_IN_PROMPTS, OWN_APPEARANCES, load_appearances
from gateway.prompts import child_prompt

APPEARANCES = load_appearances(OWN_APPEARANCES)


@pytest.mark.parametrize(
    ("appearance", "age", "gender", "prompt"),
    [
        ("vietnamese_asian", 6, "female", "Vietnamese Asian girl, 6 years old"),
        ("vietnamese_asian", None, "male", "Vietnamese Asian boy"),
        ("black_deep", 1, "nonbinary", "Black child, 1 year old"),
        ("white_blonde", 0, "unspecified", "blonde white European child, under one year old"),
        (None, 14, "male", "boy, 14 years old"),
        (None, None, "female", "girl"),
        (None, None, None, "child"),
    ],
)
def test_a_prompt_tells_what_the_parent_told(
    appearance: str | None, age: int | None, gender: str | None, prompt: str
) -> None:
    chosen = APPEARANCES[appearance] if appearance else None
    assert child_prompt(chosen, age, gender) == prompt


def test_no_prompt_has_what_comfyui_takes_for_something_else() -> None:
    for appearance in (*APPEARANCES.values(), None):
        for age in (None, *range(15)):
            for gender in ("female", "male", "nonbinary", "unspecified", None):
                prompt = child_prompt(appearance, age, gender)
                assert not [mark for mark in FORBIDDEN_IN_PROMPTS if mark in prompt]
