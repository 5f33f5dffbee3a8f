"""Pages 4 to 6: the brook, the old wood, the fireflies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import skia

from books.atelier import animals, plants, sky, village, water, wilds
from books.atelier.fox import FoxPose
from books.atelier.scene import Scene, part
from books.atelier.shapes import Placement, ellipse
from books.atelier.sheet import Sheet
from books.moonlit_fox import parts
from books.moonlit_fox.meadow import ferns, grassland, near_grass, night


def brook(sheet: Sheet) -> None:
    """Water from behind the bridge to the foot of the sheet, stones in it, reeds beside it."""
    plants.hill(
        sheet, [600, 580, 560, 590, 610, 580, 550, 560, 590], "#55799c", "#a9c4c8", depth=180
    )
    plants.grove(
        sheet,
        [(830, 700, 240), (920, 706, 330), (1004, 700, 260), (20, 690, 260), (90, 690, 180)],
        "#35607a",
        310,
        light="#a8c6d4",
        reserve=0.75,
    )
    grassland(sheet, 690)
    water.surface(sheet, 790, "#6f9fb4", "#1f3f6a")
    water.ripples(sheet, (-20, 800, 1044, 1020), 60, "#2c527c", 5, strength=0.7)
    water.ripples(sheet, (-20, 800, 1044, 1020), 50, "#d3e8ea", 6, light=True, strength=0.5)
    village.stones(
        sheet, [(120, 880, 50), (880, 860, 60), (960, 900, 44), (700, 960, 56), (420, 984, 46)]
    )
    plants.grass(sheet, (-20, 1044), 800, 56, "#3f7a78", 8, count=90, reserve=0.8)


def wood(sheet: Sheet, *, dark: bool = False) -> None:
    """Old trees in two depths, moonlight between them."""
    sky.graded(
        sheet, "#1c3558" if not dark else "#15264a", "#8fb4bc" if not dark else "#5f8a98", 760
    )
    sheet.glow((560, 480), 330, "#9fd0cc" if not dark else "#4f8a8a", 0.4, 1.4)
    rng = np.random.default_rng(30)
    for x in range(30, 1024, 110):
        far = float(x) + float(rng.uniform(-30, 30))
        wilds.old_tree(
            sheet, far, 720, float(rng.uniform(24, 40)), "#5c8a9c" if not dark else "#3c6680", x
        )
    sky.mist(sheet, 690, 80, "#b9d4d6" if not dark else "#6f98a4", 0.4, 9)
    for x, foot, width, seed in ((90, 800, 92, 1), (960, 820, 110, 4)):
        wilds.old_tree(sheet, x, foot, width, "#2f4a68" if not dark else "#22375a", seed)
    grassland(sheet, 690 if dark else 780)


def glowing(sheet: Sheet, centre: tuple[float, float], reach: float, count: int, seed: int) -> None:
    """A cloud of fireflies about a centre."""
    rng = np.random.default_rng(seed)
    sheet.glow(centre, reach, "#e0b84a", 0.3, 1.4)
    at = [
        (
            centre[0] + float(rng.normal(0, reach * 0.8)),
            centre[1] + float(rng.normal(0, reach * 0.55)),
        )
        for _ in range(count)
    ]
    sky.fireflies(sheet, at, 1.25)


def dark_ground(sheet: Sheet) -> None:
    """The path's near edge lies in shadow."""
    low = sky.rectangle(-20, 850, 1044, 1044)
    sheet.wash(low, "#1c3550", 1.1, soft=40, flow=0.4)


def pads_of_light(sheet: Sheet) -> None:
    """Spots of moonlight on the ground."""
    spots = skia.Path()
    for x, y, wide in ((420, 880, 90), (700, 920, 130), (560, 840, 60)):
        spots.addPath(ellipse(x, y, wide, wide * 0.2))
    sheet.gouache(spots, "#cfe6c8", 0.35, soft=10)


BROOK = Scene(
    seed=14,
    backdrop=(
        part(night, (700, 420), 70, [(160, 150, 240), (900, 520, 200)]),
        part(brook),
        part(village.plank_bridge, -30, 1054, 892),
        parts.shadow("#3a3048"),
        parts.fox(Placement(560, 712, 0.7), FoxPose(tilt=-4, turn=0.4, body="trots"), "#3a3048"),
        parts.lantern_glow(-1),
    ),
    hero=(parts.lantern_held(-1), parts.child(replace(parts.LANTERN_LEFT, tail=0, stride=24))),
    foreground=(
        part(water.reeds, (900, 1010), 1034, 260, 7, count=8),
        parts.lantern_glow(-1, 50),
    ),
)

OWL = Scene(
    seed=15,
    backdrop=(
        part(wood),
        part(wilds.canopy, "#24485c", 5),
        part(wilds.branch, (1050, 470), (640, 486), 46, "#33475f"),
        part(animals.owl, Placement(800, 364, 1.05)),
        part(pads_of_light),
        parts.fox(Placement(640, 714, 0.88, flip=True), FoxPose(tilt=-10, turn=0.5), "#24404a"),
    ),
    hero=(parts.child(parts.half(parts.POINTING_RIGHT)),),
    foreground=(
        part(ferns, [(60, 1020, 200, -10), (420, 1030, 120, 12), (940, 1024, 210, 14)]),
        part(plants.toadstool, (860, 996), 90, 6),
        part(near_grass, 1024, 50),
    ),
)

FIREFLIES = Scene(
    seed=16,
    backdrop=(
        part(wood, dark=True),
        part(wilds.canopy, "#16304a", 6, 90),
        part(dark_ground),
        part(glowing, (540, 430), 250, 46, 3),
        parts.shadow("#15283c"),
        parts.fox(Placement(760, 574, 0.66, flip=True), FoxPose(tilt=-6, turn=0.4), "#15283c"),
    ),
    hero=(parts.child(replace(parts.STANDING, tail=-1, stride=-24, gaze=(3, -4))),),
    foreground=(part(glowing, (500, 470), 300, 22, 8),),
)

SCENES: dict[int, Scene] = {4: BROOK, 5: OWL, 6: FIREFLIES}
