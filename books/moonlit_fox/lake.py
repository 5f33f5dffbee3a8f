"""Pages 7 to 11: two moons, a boat between them, the mist, the far shore."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from books.atelier import animals, balloon, plants, sky, water
from books.atelier.boat import boat_hull, boat_inside, oar
from books.atelier.brush import Brush
from books.atelier.child import Pose
from books.atelier.fox import FoxPose
from books.atelier.scene import Painter, Scene, part
from books.atelier.shapes import Placement, Point, blob, ellipse, ribbon
from books.atelier.sheet import Sheet
from books.moonlit_fox import parts
from books.moonlit_fox.meadow import grassland, near_grass

ROWING = Pose(left=((-168, 236), (-178, 262)), right=((158, 236), (196, 222)), legs=False, tail=0)
HAND: Point = (214, 216)


def lake_night(sheet: Sheet, horizon: float, moon: Point, radius: float) -> None:
    """Night sky and mountains over a lake, and all that the lake mirrors."""
    sky.graded(sheet, "#2b3f7c", "#bcd0d2", horizon + 60)
    sheet.wash(sky.rectangle(0, -60, 1024, 190), "#3a2f72", 0.5, soft=60, flow=0.6)
    sky.stars(sheet, (0, 0, 1024, horizon - 110), 190, 8, [(*moon, radius * 1.6)])
    sky.moon(sheet, moon, radius, glow="#86b4cc")
    _shore(sheet, horizon)
    _surface(sheet, horizon)
    water.mirrored_moon(sheet, moon[0], horizon + 16, horizon + 200, 120, 33)
    water.second_moon(sheet, (moon[0] - 2, 2 * horizon - moon[1] - 8), radius * 0.96, 35)


def _shore(sheet: Sheet, horizon: float) -> None:
    for lift, heights, colours, depth in (
        (-120, (70, 30, 0, -55, 0, 40, -20, -70, -5), ("#6f8db8", "#c6d6da"), 200),
        (-50, (30, 0, -15, 5, 20, -2, -30, -15, -50), ("#567a9c", "#a9c4ca"), 130),
    ):
        plants.hill(sheet, [horizon + lift + h for h in heights], *colours, depth=depth)
    sky.mist(sheet, horizon - 15, 26, "#dbe8e6", 0.55, 3)
    rng = np.random.default_rng(21)
    feet = [
        (float(x), horizon + 6, float(rng.uniform(34, 84)))
        for x in (4, 30, 52, 82, 104, 388, 410, 436, 462)
    ]
    feet += [(float(x), horizon + 8, float(rng.uniform(50, 128))) for x in range(770, 1030, 24)]
    plants.grove(sheet, feet, "#3f6a84", 500, density=0.95, light="#9fc0cc", reserve=0.6)


def _surface(sheet: Sheet, horizon: float) -> None:
    water.surface(sheet, horizon, "#9fc3c6", "#27466f")
    for heights, colour in (
        ((96, 70, 110, 128, 92), "#5d86a0"),
        ((44, 52, 38, 72, 88), "#3f6d88"),
    ):
        inner = [(index * 270.0 - 20, horizon + h) for index, h in enumerate(heights)]
        mirror = [(-20.0, horizon), *inner, (1060.0, horizon)]
        sheet.wash(blob(mirror, {0, len(mirror) - 1}), colour, 0.5, soft=6, wobble=5)
    area = (-20.0, horizon + 12, 1044.0, 1024.0)
    water.ripples(sheet, area, 90, "#3c6a8c", 31, strength=0.6)
    water.ripples(sheet, area, 60, "#cfe6e6", 32, light=True, strength=0.4)


def boat_behind(at: Placement) -> Painter:
    """The boat's shadow and far side."""

    def paint(sheet: Sheet, _: Placement) -> None:
        foot = at.point((20, 146))
        sheet.wash(ellipse(*foot, 330 * at.scale, 38 * at.scale), "#3a4460", 0.7, soft=16)
        boat_inside(sheet, at)

    return paint


def boat_before(at: Placement, *, blade: bool = True) -> Painter:
    """The boat's near side, the oar's blade, ripples along the waterline."""

    def paint(sheet: Sheet, child: Placement) -> None:
        boat_hull(sheet, at)
        if blade:
            start, end = (HAND[0] + 36, HAND[1] + 56), (HAND[0] + 140, HAND[1] + 214)
            oar(Brush(sheet, child), start, end, blade=True)
        line = [
            at.point((x, y))
            for x, y in ((-348, 92), (-218, 122), (-78, 132), (92, 132), (232, 122), (352, 100))
        ]
        deep = [(x, y + 10) for x, y in line]
        sheet.wash(ribbon(deep, [4, 22, 24, 22, 4]), "#34506c", 0.7, soft=4)
        sheet.gouache(ribbon(line, [0.5, 3, 4, 3, 0.5]), "#d7ebea", 0.6, dry=0.6)

    return paint


def oar_shaft(sheet: Sheet, child: Placement) -> None:
    """The part of the oar behind the mitten."""
    start, end = (HAND[0] - 34, HAND[1] - 52), (HAND[0] + 60, HAND[1] + 92)
    oar(Brush(sheet, child), start, end, blade=False)


def lilies(sheet: Sheet, pads: list[tuple[float, float, float]]) -> None:
    """Lily pads, each (x, y, half width); every other one with a flower."""
    for index, (x, y, rx) in enumerate(pads):
        colour = ("#7fae8a", "#5f9580", "#6ba285")[index % 3]
        water.lily_pad(sheet, (x, y), rx, colour, 40.0 + index * 70, int(x))
    for index, (x, y, rx) in enumerate(pads[::2]):
        tint = ("#f2c6cf", "#f4d9b4", "#efe0ee")[index % 3]
        water.water_lily(sheet, (x - rx * 0.1, y - rx * 0.2), rx * 0.5, tint)


def mist_over(sheet: Sheet) -> None:
    """Everything pale: a lake in mist, with a ghost of the shore."""
    sky.graded(sheet, "#cfdbe6", "#eef0ee", 700)
    plants.hill(
        sheet, [470, 440, 420, 440, 470, 450, 420, 430, 460], "#c3d3de", "#e6ecec", depth=150
    )
    plants.grove(
        sheet,
        [(x, 540.0, 90.0 + x % 70) for x in range(0, 1040, 64)],
        "#b9cbd6",
        520,
        density=0.6,
        reserve=0.3,
    )
    water.surface(sheet, 540, "#e6edee", "#8fb0bf")
    water.ripples(sheet, (-20, 600, 1044, 1020), 60, "#8aabc0", 31, strength=0.45)
    for y in (470, 560, 640):
        sky.mist(sheet, y, 90, "#f3f5f4", 0.7, y)


def mist_before(sheet: Sheet) -> None:
    """Mist that drifts before the boat."""
    sky.mist(sheet, 960, 90, "#eef2f2", 0.55, 41)
    sky.mist(sheet, 1010, 60, "#f3f5f4", 0.7, 42)


def far_shore(sheet: Sheet) -> None:
    """Grass, the end of the lake, a balloon that waits."""
    lake_night(sheet, 560, (470, 356), 56)
    grassland(sheet, 760)
    at = Placement(258, 470, 1.0, -3)
    foot = at.point((0, 290))
    sheet.wash(ellipse(*foot, 120, 16), "#24404a", 0.9, soft=8)
    for side in (-1, 1):
        sheet.stroke(
            [at.point((side * 36, 226)), (foot[0] + side * 110, foot[1] + 16)], [3, 3], "#4a3a44"
        )
    balloon.far_balloon(sheet, at)
    sheet.glow(at.point((0, 150)), 90, "#f2b24c", 0.4, 1.4)


BOAT = Placement(548, 752, 1.0, 1.5)
FROM_ABOVE = Placement(470, 604, 1.0, -1.0, flip=True)
IN_MIST = Placement(540, 800, 1.0, -1.0)

SHORE = Scene(
    seed=21,
    backdrop=(
        part(lake_night, 520, (770, 250), 96),
        part(grassland, 860),
        parts.shadow("#22404a"),
        parts.fox(Placement(590, 732, 0.72, flip=True), FoxPose(tilt=-6, turn=0.8), "#24404a"),
    ),
    hero=(parts.child(replace(parts.STANDING, tail=1)),),
    foreground=(part(water.reeds, (930, 1010), 1030, 330, 7, count=9), part(near_grass, 1030, 60)),
)

ROWED = Scene(
    seed=23,
    backdrop=(
        part(lake_night, 530, (152, 218), 92),
        boat_behind(BOAT),
        parts.fox(Placement(318, 570, 0.74), FoxPose(tilt=-7, turn=-0.5, tail=False)),
    ),
    hero=(oar_shaft, parts.child(ROWING)),
    foreground=(
        boat_before(BOAT),
        part(
            lilies, [(60, 972, 70), (236, 980, 104), (820, 978, 92), (640, 956, 54), (470, 970, 44)]
        ),
        part(water.reeds, (930, 1010), 1030, 420, 7, count=10),
    ),
)

COUNTED = Scene(
    seed=24,
    backdrop=(
        part(lake_night, 270, (850, 76), 46),
        boat_behind(FROM_ABOVE),
        parts.fox(Placement(690, 444, 0.7, flip=True), FoxPose(tilt=8, turn=0.6, tail=False)),
    ),
    hero=(
        parts.child(
            replace(ROWING, left=((-150, 262), (-110, 268)), right=((150, 262), (110, 268)))
        ),
    ),
    foreground=(
        boat_before(FROM_ABOVE, blade=False),
        part(lilies, [(846, 900, 104), (720, 800, 52), (60, 790, 60), (950, 800, 48)]),
        part(animals.frog, Placement(838, 846, 0.86)),
    ),
)

MIST = Scene(
    seed=25,
    backdrop=(
        part(mist_over),
        boat_behind(IN_MIST),
        parts.fox(Placement(318, 620, 0.74), FoxPose(tilt=-10, turn=-0.6, tail=False)),
        parts.lantern_glow(1, 110),
    ),
    hero=(parts.lantern_held(1), parts.child(parts.half(parts.LANTERN_RIGHT))),
    foreground=(boat_before(IN_MIST, blade=False), part(mist_before), parts.lantern_glow(1, 40)),
)

LANDED = Scene(
    seed=26,
    backdrop=(
        part(far_shore),
        parts.shadow("#22404a"),
        parts.fox(Placement(470, 760, 0.6), FoxPose(tilt=8, turn=-0.6), "#24404a"),
    ),
    hero=(parts.child(replace(parts.WAVING_LEFT, tail=1)),),
    foreground=(part(near_grass, 1026, 70),),
)

SCENES: dict[int, Scene] = {7: SHORE, 8: ROWED, 9: COUNTED, 10: MIST, 11: LANDED}
