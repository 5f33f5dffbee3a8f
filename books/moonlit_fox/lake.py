"""Page 2: two moons, one above and one below, and a boat between them."""

from __future__ import annotations

import numpy as np

from books.atelier import plants, sky, water
from books.atelier.boat import boat_hull, boat_inside, oar
from books.atelier.brush import Brush
from books.atelier.child import Pose, paint_child
from books.atelier.fox import FoxPose, paint_fox
from books.atelier.scene import Scene
from books.atelier.shapes import Placement, Point, blob, ellipse, ribbon
from books.atelier.sheet import Sheet

HORIZON = 520.0
MOON: Point = (152, 208)
BOAT = Placement(548, 742, 1.0, 1.5)
FOX = Placement(318, 560, 0.74)
POSE = Pose(
    left=((-168, 236), (-178, 262)),
    right=((158, 236), (196, 222)),
    legs=False,
    tail=False,
    shade=1.0,
)
HAND: Point = (214, 216)


def backdrop(sheet: Sheet, child: Placement) -> None:
    """Night sky, mountains, the lake and all it mirrors, the boat's far side, the fox."""
    del child
    sky.graded(sheet, "#2b3f7c", "#bcd0d2", HORIZON + 60)
    sheet.wash(sky.rectangle(0, -60, 1024, 170), "#3a2f72", 0.45, soft=60, flow=0.6)
    sky.stars(sheet, (20, 20, 1004, 400), 190, 8, [(*MOON, 150)])
    sky.moon(sheet, MOON, 92, glow="#86b4cc")
    for x, y, width, height, seed in (
        (420, 330, 260, 40, 11),
        (900, 250, 260, 44, 12),
        (90, 400, 220, 36, 13),
    ):
        sky.cloud(
            sheet, (x, y), width, height, seed, colour="#d6e2ea", shadow="#7d8fbc", opacity=0.5
        )
    _shore(sheet)
    _lake(sheet)
    boat_inside(sheet, BOAT)
    paint_fox(Brush(sheet, FOX), FoxPose(tilt=-7, turn=-0.5, shade=1.0, tail=False))


def _shore(sheet: Sheet) -> None:
    plants.hill(
        sheet, [470, 430, 400, 345, 400, 440, 380, 330, 395], "#6f8db8", "#c6d6da", depth=200
    )
    plants.hill(
        sheet, [500, 470, 455, 475, 490, 468, 440, 455, 420], "#567a9c", "#a9c4ca", depth=130
    )
    sky.mist(sheet, 505, 26, "#dbe8e6", 0.55, 3)
    rng = np.random.default_rng(21)
    feet = [
        (float(x), HORIZON + 6, float(rng.uniform(34, 84)))
        for x in (4, 30, 52, 82, 104, 388, 410, 436, 462)
    ]
    feet += [(float(x), HORIZON + 8, float(rng.uniform(50, 128))) for x in range(770, 1030, 24)]
    plants.grove(sheet, feet, "#3f6a84", 500, density=0.95, light="#9fc0cc", reserve=0.6)


def _lake(sheet: Sheet) -> None:
    water.surface(sheet, HORIZON, "#9fc3c6", "#27466f")
    for y, heights, colour in (
        (HORIZON, (96, 70, 110, 128, 92), "#5d86a0"),
        (HORIZON, (44, 52, 38, 72, 88), "#3f6d88"),
    ):
        mirror = [
            (-20.0, y),
            *[(index * 270.0 - 20, y + h) for index, h in enumerate(heights)],
            (1060.0, y),
        ]
        sheet.wash(blob(mirror, {0, len(mirror) - 1}), colour, 0.5, soft=6, wobble=5)
    water.ripples(sheet, (-20, HORIZON + 14, 1044, 1010), 90, "#3c6a8c", 31, strength=0.6)
    water.ripples(
        sheet, (-20, HORIZON + 10, 1044, 1000), 60, "#cfe6e6", 32, light=True, strength=0.4
    )
    water.mirrored_moon(sheet, MOON[0], HORIZON + 16, 720, 120, 33)
    water.second_moon(sheet, (MOON[0] - 2, 2 * HORIZON - MOON[1] - 8), 88, 35)
    sheet.wash(ellipse(BOAT.x + 20, BOAT.y + 146, 330, 38), "#4a3c50", 0.7, soft=16)


def hero(sheet: Sheet, child: Placement) -> None:
    """The child at the oar."""
    brush = Brush(sheet, child)
    oar(brush, (HAND[0] - 34, HAND[1] - 52), (HAND[0] + 60, HAND[1] + 92), blade=False)
    paint_child(brush, POSE)


def foreground(sheet: Sheet, child: Placement) -> None:
    """The boat's near side, the oar's blade, lilies and reeds."""
    boat_hull(sheet, BOAT)
    oar(
        Brush(sheet, child),
        (HAND[0] + 36, HAND[1] + 56),
        (HAND[0] + 140, HAND[1] + 214),
        blade=True,
    )
    waterline = [
        (x, BOAT.y + 118 + dy)
        for x, dy in ((200, -26), (330, 4), (470, 14), (640, 14), (780, 4), (900, -18))
    ]
    sheet.wash(
        ribbon([(x, y + 10) for x, y in waterline], [4, 22, 24, 22, 4]), "#34506c", 0.7, soft=4
    )
    for shift, long in ((0, 0.9), (7, 0.5)):
        crest = [((x - BOAT.x) * long + BOAT.x + shift * 9, y + shift) for x, y in waterline]
        sheet.gouache(ribbon(crest, [0.5, 3, 4, 3, 0.5]), "#d7ebea", 0.6, dry=0.6)
    for x, y, rx in ((880, 905, 66), (880, 905, 40)):
        ring = ellipse(x, y, rx, rx * 0.2)
        sheet.pencil(ring, "#2c5676", 2.2, strength=0.5)
    for x, y, rx, colour, notch in (
        (60, 962, 70, "#7fae8a", 20),
        (236, 976, 104, "#5f9580", 200),
        (820, 974, 92, "#6ba285", 160),
        (640, 946, 54, "#86b592", 60),
        (470, 962, 44, "#6ba285", 300),
        (956, 940, 60, "#5f9580", 20),
    ):
        water.lily_pad(sheet, (x, y), rx, colour, notch, int(x))
    water.water_lily(sheet, (216, 950), 46)
    water.water_lily(sheet, (838, 952), 44, "#f4d9b4")
    water.water_lily(sheet, (58, 950), 28, "#efe0ee")
    water.reeds(sheet, (930, 1010), 1020, 420, 7, count=10)
    water.reeds(sheet, (14, 60), 1020, 300, 9, count=6)


LAKE = Scene(seed=23, backdrop=backdrop, hero=hero, foreground=foreground)
