"""Skin presets as data: what lit skin is multiplied by, and how far it may go."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

Colour = tuple[float, float, float]

OFF: Final = "off"


@dataclass(frozen=True)
class Preset:
    """One row of `presets.json`.

    Attributes:
        name: as shops and artists write it.
        multipliers: factors of display-referred red, green and blue, each above 0 and at most 1.
            Blue falls fastest and red slowest: melanin absorbs short wavelengths most.
        target: median skin colour, RGB 0..1, beyond which nothing is darkened: skin that a prompt
            has already made as dark as this stays as it is.
        core_spread, rim_spread: how far a pixel's chroma may be from the face's own, in spreads of
            the face's chroma: within the first it is skin though a line parts it from the face,
            beyond the second it is not.
        feather: how far around a pixel the border looks for an edge to follow, in radii of the
            face; the border is as wide as this where there is none.
    """

    name: str
    multipliers: Colour
    target: Colour
    core_spread: float
    rim_spread: float
    feather: float

    def __post_init__(self) -> None:
        if not all(0 < factor <= 1 for factor in self.multipliers):
            raise ValueError(f"{self.name}: multipliers lie in 0..1, not {self.multipliers}")
        if not all(0 <= level <= 1 for level in self.target):
            raise ValueError(f"{self.name}: a target lies in 0..1, not {self.target}")
        if not 0 < self.core_spread < self.rim_spread or self.feather < 0:
            raise ValueError(f"{self.name}: thresholds rise and a feather is not negative")

    @property
    def changes_nothing(self) -> bool:
        """Whether this is an identity."""
        return self.multipliers == (1.0, 1.0, 1.0)


@cache
def _table() -> dict[str, Preset]:
    rows = json.loads(Path(__file__).with_name("presets.json").read_text(encoding="utf-8"))
    presets = [
        Preset(
            name=row["name"],
            multipliers=tuple(row["multipliers"]),
            target=tuple(row["target"]),
            core_spread=row["core_spread"],
            rim_spread=row["rim_spread"],
            feather=row["feather"],
        )
        for row in rows
    ]
    return {preset.name: preset for preset in presets}


def names() -> list[str]:
    """The presets' names, `off` first, then from light to dark."""
    return list(_table())


def preset_named(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in _table():
        raise ValueError(f"skin preset {name!r} is not one of {', '.join(_table())}")
    return _table()[name]
