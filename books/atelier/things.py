"""Things people made: a lantern and its light."""

from __future__ import annotations

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Sheet


def lantern(sheet: Sheet, placement: Placement) -> None:
    """A small lantern with a flame; its origin is the top of the ring it hangs from.

    Paints the object only; `lantern_light` is what it sheds.
    """
    brush = Brush(sheet, placement)
    handle = blob(
        [
            (-26, 42),
            (-18, 8),
            (0, 0),
            (18, 8),
            (26, 42),
            (20, 42),
            (12, 13),
            (0, 7),
            (-12, 13),
            (-20, 42),
        ]
    )
    brush.wash(handle, "#6b4a34", 1.2, reserve=1.0)
    glass = blob([(-30, 56), (-38, 96), (-30, 132), (30, 132), (38, 96), (30, 56)], {0, 2, 3, 5})
    brush.wash(glass, Blend((0, 104), (0, 58), "#fffbe6", "#f8c860", True), reserve=1.0, edge=0.4)
    flame = blob([(0, 70), (10, 94), (8, 112), (0, 118), (-8, 112), (-10, 94)], {0})
    brush.gouache(flame, "#fffdf0", 0.9, soft=1.5)
    brush.wash(flame, "#f4a03c", 0.5, edge=0.6)
    roof = blob([(0, 30), (24, 42), (40, 58), (-40, 58), (-24, 42)], {2, 3})
    for part in (roof, blob([(-38, 130), (38, 130), (34, 146), (-34, 146)], {0, 1, 2, 3})):
        brush.wash(part, "#8a5a36", 1.1, reserve=1.0, edge=0.5)
        brush.pencil(part, "#3f2626", 2.0, strength=0.6)
    for x in (-32, 0, 32):
        bar = ribbon([(x * 0.94, 58), (x * 1.14, 96), (x * 0.94, 130)], [3.4, 3.4, 3.4])
        brush.wash(bar, "#7a4a30", 1.0, reserve=0.9, edge=0.2)
    brush.gouache(ellipse(-19, 84, 3, 12, 8), "#ffffff", 0.6, soft=1)


def lantern_light(sheet: Sheet, placement: Placement, reach: float = 150.0) -> None:
    """The warm light around a lantern."""
    centre = placement.point((0, 96))
    sheet.glow(centre, reach * 1.5, "#c8842c", 0.30, 1.3)
    sheet.glow(centre, reach * 0.62, "#f6c35a", 0.5, 1.5)
