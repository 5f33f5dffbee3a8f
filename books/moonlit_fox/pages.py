"""The pages of The Moonlit Fox that have art."""

from __future__ import annotations

from books.atelier.scene import Scene
from books.moonlit_fox.forest import FOREST
from books.moonlit_fox.lake import LAKE
from books.moonlit_fox.meadow import MEADOW
from books.moonlit_fox.morning import MORNING
from books.moonlit_fox.star import STAR_FOUND

SCENES: dict[int, Scene] = {1: MEADOW, 2: LAKE, 3: MORNING, 4: FOREST, 5: STAR_FOUND}
