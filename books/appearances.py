"""How a child may look, as the parent tells it: what the picture is asked for, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from books.library import BookError, read_data

OWN_APPEARANCES = Path(__file__).parent / "appearances.json"
"""The appearances of this package."""

SkinPreset = Literal["off", "light_brown", "brown", "dark_brown", "deep"]
"""A preset of the skin shift. It darkens a page that came out too light, so that light, tan and
Asian skin have it off."""

FORBIDDEN_IN_PROMPTS = ("{", "}", "//", "/*")
"""What ComfyUI's browser page doesn't take for text: random choices and comments."""


def _check_prompt(text: str) -> str:
    for mark in FORBIDDEN_IN_PROMPTS:
        if mark in text:
            raise ValueError(f"a prompt may not have {mark!r}")
    return text


PromptText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_check_prompt),
]


class Appearance(BaseModel):
    """One appearance.

    label is what the parent reads. prompt stands before "girl", "boy" or "child" in the picture's
    prompt, and skin_anchor is the prompt's word on skin; skin_preset names the skin shift's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    prompt: PromptText
    skin_anchor: PromptText
    skin_preset: SkinPreset


_ROWS: TypeAdapter[list[Appearance]] = TypeAdapter(Annotated[list[Appearance], Field(min_length=1)])


def load_appearances(path: Path) -> dict[str, Appearance]:
    """The appearances of a file by id, in the order in which parents see them.

    Raises BookError for a file that is missing, broken or empty, and for an id or a label that is
    there twice.
    """
    appearances: dict[str, Appearance] = {}
    labels: set[str] = set()
    for number, row in enumerate(read_data(path, _ROWS.validate_json, whole="appearances")):
        if row.id in appearances:
            raise BookError(path, f"{number}.id", f"{row.id} is already the id of another row")
        if row.label in labels:
            raise BookError(path, f"{number}.label", f"{row.label!r} is already another row's")
        appearances[row.id] = row
        labels.add(row.label)
    return appearances
