"""Those who are met on the way: an owl, a frog, a hare, geese. Each about its own middle."""

from __future__ import annotations

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet

LINE = "#43303a"


def owl(sheet: Sheet, placement: Placement) -> None:
    """A round owl on a branch, 150 wide and 200 high; its feet at (0, 100)."""
    brush = Brush(sheet, placement)
    body = blob(
        [
            (0, -92),
            (56, -84),
            (76, -20),
            (66, 60),
            (30, 98),
            (-30, 98),
            (-66, 60),
            (-76, -20),
            (-56, -84),
        ]
    )
    brush.wash(body, "#a9805c", 1.0, reserve=1.0, edge=0.5, flow=0.3)
    brush.wash(body, "#5a3f44", 0.8, edge=0, fade=Fade((-20, 0), (80, 40), 0, 1))
    breast = blob([(0, -6), (42, 10), (44, 64), (0, 94), (-44, 64), (-42, 10)])
    brush.wash(breast, "#f0dfc0", 1.0, reserve=1.0, edge=0.4, clip=body)
    for row, y in enumerate((22, 40, 58, 74)):
        for x in range(-30, 31, 15):
            dx = x + (row % 2) * 7
            brush.stroke([(dx - 5, y), (dx, y + 6), (dx + 5, y)], [1, 3, 1], "#a9805c")
    for side in (-1, 1):
        tuft = blob([(side * 22, -86), (side * 62, -118), (side * 60, -66)], {1})
        brush.wash(tuft, "#8a6248", 1.0, reserve=1.0)
        wing = blob([(side * 60, -20), (side * 86, 20), (side * 70, 84), (side * 48, 40)], {2})
        brush.wash(wing, "#7a5644", 1.0, reserve=1.0, edge=0.5)
        brush.pencil(wing, LINE, 2.0, strength=0.5)
        brush.wash(ellipse(side * 28, -44, 30, 31), "#f5e8cd", 1.0, reserve=1.0, edge=0.5)
        brush.wash(ellipse(side * 26, -42, 17, 18), "#efb23e", 1.0, reserve=1.0, edge=0.6)
        brush.wash(ellipse(side * 25, -42, 10, 11), "#241820", 1.3, reserve=1.0)
        brush.gouache(ellipse(side * 25 - 3, -47, 3.6, 3.6), "#ffffff", 1.0, dry=0)
        foot = ribbon([(side * 18, 92), (side * 20, 106)], [18, 14])
        brush.wash(foot, "#d99a4a", 1.0, reserve=1.0)
    beak = blob([(-8, -30), (8, -30), (0, -8)], {0, 1, 2})
    brush.wash(beak, "#d98a3c", 1.0, reserve=1.0, edge=0.5)
    brush.pencil(body, LINE, 2.2, strength=0.5)


def frog(sheet: Sheet, placement: Placement) -> None:
    """A sitting frog, 130 wide; its foot line at y 50."""
    brush = Brush(sheet, placement)
    for side in (-1, 1):
        leg = blob(
            [(side * 30, 10), (side * 66, 4), (side * 72, 36), (side * 84, 50), (side * 34, 50)]
        )
        brush.wash(leg, "#6f9a4a", 1.0, reserve=1.0, edge=0.5)
        brush.pencil(leg, LINE, 2.0, strength=0.5)
    body = blob([(0, -34), (46, -22), (52, 24), (30, 50), (-30, 50), (-52, 24), (-46, -22)])
    brush.wash(body, Blend((-20, -30), (40, 50), "#b4cf6c", "#5f8f52"), 1.0, reserve=1.0, edge=0.5)
    brush.wash(ellipse(0, 30, 30, 20), "#eef0c4", 0.9, reserve=0.9, clip=body)
    for side in (-1, 1):
        brush.wash(ellipse(side * 26, -36, 17, 17), "#a9c964", 1.0, reserve=1.0, edge=0.5)
        brush.wash(ellipse(side * 26, -38, 9.5, 10), "#241a20", 1.2, reserve=1.0)
        brush.gouache(ellipse(side * 26 - 3, -42, 3, 3), "#ffffff", 1.0, dry=0)
    brush.stroke([(-34, -6), (0, 8), (34, -6)], [1, 3.4, 1], "#39502c")
    brush.pencil(body, LINE, 2.0, strength=0.5)


def hare(sheet: Sheet, placement: Placement) -> None:
    """A white hare that sits and looks, 150 wide; its foot line at y 150."""
    brush = Brush(sheet, placement)
    shade = "#a3b2da"
    for lean in (-16, 20):
        ear = blob(
            [
                (lean - 14, -40),
                (lean * 1.7 - 12, -140),
                (lean * 2.0 + 6, -152),
                (lean * 1.6 + 18, -96),
                (lean + 16, -40),
            ]
        )
        brush.wash(ear, "#f6f5fa", 1.0, reserve=1.0, edge=0.7)
        inner = ribbon([(lean + 1, -50), (lean * 1.7, -122)], [11, 7])
        brush.wash(inner, "#e3a9ac", 0.8)
        brush.pencil(ear, "#6d76a4", 2.0, strength=0.6)
    body = blob(
        [(-34, 20), (-56, 80), (-60, 140), (0, 152), (84, 148), (104, 106), (80, 50), (34, 20)]
    )
    brush.wash(body, "#f6f6fb", 1.0, reserve=1.0, edge=0.6)
    brush.wash(body, shade, 0.9, edge=0, fade=Fade((-10, 60), (110, 140), 0, 1))
    brush.wash(ellipse(104, 120, 20, 18), "#ffffff", 0.4, reserve=1.0, edge=0.9)
    head = blob([(0, -54), (44, -36), (52, 6), (26, 36), (-26, 36), (-52, 6), (-44, -36)])
    brush.wash(head, "#f9f8fc", 1.0, reserve=1.0, edge=0.5)
    brush.wash(head, shade, 0.6, edge=0, fade=Fade((0, 0), (60, 30), 0, 1))
    for side in (-1, 1):
        brush.wash(ellipse(side * 24, -10, 9, 11), "#2c2030", 1.3, reserve=1.0)
        brush.gouache(ellipse(side * 24 - 3, -14, 3, 3), "#ffffff", 1.0, dry=0)
        brush.wash(ellipse(side * 32, 12, 11, 7), "#f0a8a8", 0.5, soft=4)
        paw = ellipse(side * 20 - 6, 146, 21, 12)
        brush.wash(paw, "#f6f5fa", 1.0, reserve=1.0, edge=0.6)
        brush.pencil(paw, "#6d76a4", 1.8, strength=0.5)
    brush.wash(blob([(-7, 8), (7, 8), (0, 16)]), "#d98a90", 1.0, reserve=1.0)
    brush.stroke([(-10, 24), (0, 18), (10, 24)], [1, 2, 1], "#6d5a74")
    brush.pencil(head, "#6d76a4", 2.0, strength=0.6)
    brush.pencil(body, "#6d76a4", 2.0, strength=0.5)


def goose(sheet: Sheet, placement: Placement) -> None:
    """A goose in flight to the left, 200 wide, its neck stretched."""
    brush = Brush(sheet, placement)
    far = blob([(-6, 0), (30, -66), (74, -92), (58, -30), (36, 4)], {2})
    brush.wash(far, "#8d85a0", 1.0, reserve=1.0, edge=0.5)
    body = blob(
        [
            (-104, -14),
            (-92, -24),
            (-60, -16),
            (0, -18),
            (60, -4),
            (98, 2),
            (50, 20),
            (-10, 22),
            (-60, 0),
            (-94, -6),
        ],
        {5},
    )
    brush.wash(body, "#e9e2e4", 1.0, reserve=1.0, edge=0.6)
    brush.wash(body, "#8d7f9c", 0.7, edge=0, fade=Fade((0, -6), (10, 24), 0, 1))
    near = blob([(-18, 0), (-4, 50), (40, 98), (50, 44), (44, 6)], {2})
    brush.wash(near, Blend((0, 0), (40, 90), "#d3cad6", "#6f6684"), 1.0, reserve=1.0, edge=0.5)
    for path in (far, body, near):
        brush.pencil(path, LINE, 1.8, strength=0.5)
    brush.wash(blob([(-102, -20), (-122, -10), (-102, -8)], {1}), "#e0913c", 1.0, reserve=1.0)
    brush.wash(ellipse(-90, -16, 3, 3), "#241a24", 1.4, reserve=1.0)
