"""Page 1: the meadow by night, a lantern, and somebody with moonlight on her whiskers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from books.atelier import plants, sky
from books.atelier.brush import Brush
from books.atelier.child import Pose, paint_child
from books.atelier.fox import FoxPose, paint_fox
from books.atelier.scene import Scene
from books.atelier.shapes import Placement, Point, ellipse
from books.atelier.sheet import Sheet
from books.atelier.things import lantern, lantern_light

MOON: Point = (286, 250)
FOX = Placement(268, 650, 0.86)
POSE = Pose(left=((-158, 236), (-196, 196)), right=((142, 262), (128, 316)), shade=1.0)


def _lantern_place(child: Placement) -> Placement:
    x, y = child.point((-217, 174))
    return Placement(x, y, child.scale * 1.05)


def backdrop(sheet: Sheet, child: Placement) -> None:
    """Sky, hills in three depths, meadow, and the fox."""
    _sky(sheet)
    _hills(sheet)
    _meadow(sheet, child)
    sheet.wash(ellipse(FOX.x + 20, FOX.y + 250, 130, 18), "#2b3f4a", 0.9, soft=9)
    paint_fox(Brush(sheet, FOX), FoxPose(tilt=9, turn=0.55, shade=-1.0))
    _fireflies(
        sheet, ((448, 640), (120, 760), (330, 596), (470, 770), (868, 742), (716, 640), (60, 655))
    )
    lantern_light(sheet, _lantern_place(child))


def _sky(sheet: Sheet) -> None:
    sky.graded(sheet, "#27406f", "#a9c0d4", 720)
    sheet.wash(sky.rectangle(0, -40, 1024, 210), "#2a3a72", 0.5, soft=60, flow=0.6)
    sky.stars(sheet, (20, 20, 1004, 470), 150, 4, [(*MOON, 190)])
    sky.moon(sheet, MOON, 122)
    for x, y, width, height, seed in (
        (70, 438, 260, 44, 1),
        (470, 150, 190, 32, 2),
        (900, 318, 280, 46, 3),
        (420, 418, 150, 24, 4),
    ):
        sky.cloud(
            sheet, (x, y), width, height, seed, colour="#cfdcea", shadow="#6f87b2", opacity=0.55
        )


def _hills(sheet: Sheet) -> None:
    plants.hill(
        sheet, [560, 520, 470, 500, 545, 500, 455, 480, 530], "#6f8fb4", "#c3d3dc", depth=190
    )
    rng = np.random.default_rng(12)
    far = [
        (x, 560 + 26 * np.sin(x / 90), float(rng.uniform(60, 105))) for x in range(-10, 1040, 34)
    ]
    plants.grove(sheet, far, "#6787a6", 100, density=0.8, reserve=0.3)
    sky.mist(sheet, 600, 60, "#d7e3e8", 0.5, 5)
    plants.hill(
        sheet, [600, 610, 640, 650, 630, 600, 585, 600, 590], "#4d7790", "#a9c4c0", depth=170
    )
    near = [
        (60, 690, 330),
        (-6, 705, 270),
        (140, 690, 210),
        (196, 690, 150),
        (884, 690, 300),
        (968, 700, 390),
        (806, 676, 190),
        (1024, 705, 300),
    ]
    plants.grove(sheet, near, "#35607a", 300, density=1.0, light="#a8c6d4", reserve=0.75)
    sky.mist(sheet, 690, 50, "#cfe0df", 0.45, 6)


def _meadow(sheet: Sheet, child: Placement) -> None:
    plants.hill(
        sheet, [716, 706, 700, 712, 722, 716, 704, 700, 712], "#6f9a86", "#3d6a68", depth=300
    )
    for y, height, colour, seed in (
        (735, 30, "#7fa88e", 1),
        (775, 38, "#5f917f", 2),
        (820, 46, "#4b7f78", 3),
    ):
        plants.grass(
            sheet, (-10, 1034), y, height, colour, seed, count=150, reserve=0.25, density=0.8
        )
    sheet.glow((FOX.x + 190, 830), 210, "#d8b860", 0.22, 1.6)
    sheet.wash(ellipse(child.x + 6, child.y + 484, 130, 16), "#22404a", 0.7, soft=10)


def hero(sheet: Sheet, child: Placement) -> None:
    """The child with the lantern."""
    lantern(sheet, _lantern_place(child))
    paint_child(Brush(sheet, child), POSE)


def foreground(sheet: Sheet, child: Placement) -> None:
    """Grass before the feet, flowers, toadstools."""
    plants.grass(sheet, (-10, 1034), 925, 62, "#3f726c", 21, count=120, reserve=1.0, density=0.9)
    for x, y, length, angle, colour in (
        (70, 1000, 190, -14, "#2f6068"),
        (150, 1010, 150, 16, "#3d7470"),
        (960, 1010, 220, 12, "#2f6068"),
        (880, 1020, 160, -18, "#417a72"),
    ):
        plants.leaf_sprig(sheet, (x, y), length, angle, colour, pairs=9, reserve=1.0)
    plants.toadstool(sheet, (478, 978), 84, -5)
    plants.toadstool(sheet, (526, 984), 52, 9)
    plants.grass(sheet, (-10, 1034), 1010, 92, "#2c5660", 22, count=150, reserve=1.0)
    rng = np.random.default_rng(31)
    for index in range(34):
        at = (float(rng.uniform(30, 1000)), float(rng.uniform(900, 985)))
        tint = ("#f6efe2", "#e9b7c0", "#f3d27a", "#b9a7dc")[index % 4]
        plants.flower(
            sheet,
            at,
            float(rng.uniform(8, 14)),
            tint,
            "#e0a03c",
            "#3d6e66",
            tall=50,
            lean=float(rng.uniform(-12, 12)),
        )
    lantern_light(sheet, _lantern_place(child), 56.0)
    _fireflies(
        sheet, ((92, 842), (150, 690), (438, 905), (505, 826), (868, 912), (902, 628), (560, 968))
    )


def _fireflies(sheet: Sheet, places: Sequence[Point]) -> None:
    for at in places:
        sheet.glow(at, 12, "#f8e08a", 0.75, 1.4)
        sheet.gouache(ellipse(*at, 2.8, 2.8), "#fffbe0", 1.0, dry=0)


MEADOW = Scene(seed=11, backdrop=backdrop, hero=hero, foreground=foreground)
