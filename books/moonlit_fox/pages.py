"""The pages of The Moonlit Fox, in the order of the journey."""

from __future__ import annotations

from books.atelier.scene import Scene
from books.moonlit_fox import flight, forest, home, lake, meadow, mountain, star, wood

SCENES: dict[int, Scene] = (
    meadow.SCENES
    | wood.SCENES
    | lake.SCENES
    | flight.SCENES
    | forest.SCENES
    | star.SCENES
    | mountain.SCENES
    | home.SCENES
)
