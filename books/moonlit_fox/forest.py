"""Page 4: where the snow begins, and a bright scratch across the white."""

from __future__ import annotations

import numpy as np

from books.atelier import plants, sky, snow
from books.atelier.brush import Brush
from books.atelier.child import Pose, paint_child
from books.atelier.fox import FoxPose, paint_fox
from books.atelier.scene import Scene
from books.atelier.shapes import Placement, Point, ellipse, ribbon
from books.atelier.sheet import Sheet
from books.atelier.things import lantern, lantern_light

GLOW: Point = (716, 548)
FOX = Placement(772, 664, 0.66, flip=True)
POSE = Pose(left=((-148, 256), (-166, 306)), right=((166, 226), (214, 188)), shade=-1.0)


def _lantern_place(child: Placement) -> Placement:
    x, y = child.point((-172, 322))
    return Placement(x, y, child.scale)


def backdrop(sheet: Sheet, child: Placement) -> None:
    """A violet winter night, firs in three depths, snow, the glow, the fox."""
    sky.graded(sheet, "#39437f", "#c6c4e0", 640)
    sky.stars(sheet, (20, 20, 1004, 330), 120, 15, [])
    _firs(sheet)
    _snow(sheet)
    sheet.wash(ellipse(FOX.x - 14, FOX.y + 190, 112, 14), "#6f80b8", 1.0, soft=7)
    paint_fox(Brush(sheet, FOX), FoxPose(tilt=-6, turn=0.6, shade=1.0))
    sheet.wash(ellipse(child.x - 30, child.y + 484, 170, 17), "#6c7cb6", 1.0, soft=8)
    lantern_light(sheet, _lantern_place(child), 130)


def _firs(sheet: Sheet) -> None:
    rng = np.random.default_rng(41)
    far = [
        (float(x), 590.0, float(rng.uniform(190, 330)))
        for x in range(0, 1040, 44)
        if abs(x - GLOW[0]) > 40
    ]
    plants.grove(sheet, far, "#8e95c6", 700, density=0.75, reserve=0.35)
    sky.mist(sheet, 560, 70, "#d9d8ee", 0.5, 7)
    snow.drift(sheet, [600, 588, 596, 612, 604, 590, 596, 606, 590], "#b9c3e6", 2, depth=150)
    snow.star_light(sheet, GLOW, 250)
    middle = [(52, 650, 470), (176, 636, 300), (610, 630, 260), (842, 640, 330), (980, 660, 520)]
    for index, (x, y, height) in enumerate(middle):
        plants.pine(sheet, (x, y), height, "#4f6299", 800 + index, snow=True, reserve=0.9)
    snow.star_light(sheet, (GLOW[0], GLOW[1] + 20), 130, 0.8)


def _snow(sheet: Sheet) -> None:
    snow.drift(sheet, [668, 650, 640, 648, 652, 640, 628, 640, 660], "#a9b6e0", 3, depth=200)
    scratch: list[Point] = [(1030, 716), (930, 690), (820, 652), (752, 618), (716, 588)]
    sheet.gouache(ribbon(scratch, [44, 34, 24, 14, 5]), "#f2b848", 0.7, soft=9, dry=0)
    sheet.gouache(ribbon(scratch, [13, 10, 7, 4, 2]), "#fff0b0", 0.95, soft=1.2, dry=0)
    snow.drift(sheet, [800, 780, 776, 790, 806, 800, 790, 770, 760], "#93a4d8", 4, depth=260)
    snow.footprints(sheet, [(52, 962), (100, 952), (150, 944), (196, 934), (238, 926)], 30)


def hero(sheet: Sheet, child: Placement) -> None:
    """The child, pointing the way."""
    lantern(sheet, _lantern_place(child))
    paint_child(Brush(sheet, child), POSE)


def foreground(sheet: Sheet, child: Placement) -> None:
    """A near drift, bare twigs with berries, falling snow."""
    lantern_light(sheet, _lantern_place(child), 50)
    for x, y, length, angle in ((890, 1000, 150, -20), (1000, 1010, 190, 14), (940, 1006, 220, -3)):
        plants.berry_sprig(sheet, (x, y), length, angle, "#4a5f92")
    near = ribbon(
        [(-40, 1030), (200, 1010), (480, 1020), (760, 1004), (1060, 1012)], [50, 60, 56, 66, 60]
    )
    sheet.wash(near, "#dfe6f8", 1.0, reserve=1.0, edge=0.5)
    clear = ((child.x, child.y), 150 * child.scale)
    snow.flakes(sheet, 150, 51, (1.2, 3.0), clear)
    snow.flakes(sheet, 34, 52, (4.0, 7.5), clear, opacity=0.8, soft=1.6)


FOREST = Scene(seed=53, backdrop=backdrop, hero=hero, foreground=foreground)
