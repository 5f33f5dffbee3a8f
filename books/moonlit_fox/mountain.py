"""Pages 27 to 32: up the Stair, to the wind, and to the last stone of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from books.atelier import sky, snow, wilds
from books.atelier.brush import Brush
from books.atelier.child import Pose
from books.atelier.fox import FoxPose
from books.atelier.scene import Painter, Scene, part
from books.atelier.shapes import Placement, Point, blob, ellipse, ribbon
from books.atelier.sheet import Sheet
from books.moonlit_fox import parts
from books.moonlit_fox.forest import near_drift

UP_RIGHT = Pose(
    left=((-150, 262), (-140, 316)), right=((176, 176), (206, 84)), tail=-1, gaze=(3.0, -5.0)
)
UP_RIGHT_STAR: Point = (226.0, -40.0)
LETTING_GO = Pose(
    left=((-120, 280), (60, 250)), right=((176, 196), (214, 130)), tail=-1, gaze=(4.0, -5.0)
)


def high_night(sheet: Sheet, top: str = "#1b2858", bottom: str = "#8c9fd6") -> None:
    """The night as seen from high up, with far peaks."""
    sky.graded(sheet, top, bottom, 820)
    sky.stars(sheet, (0, 0, 1024, 620), 220, 45, [])


def range_of_peaks(sheet: Sheet, lift: float = 0.0) -> None:
    """Mountains along the horizon, a sea of clouds before them."""
    for x, top, width, seed in (
        (120, 560, 420, 1),
        (430, 620, 380, 2),
        (760, 580, 460, 3),
        (1010, 630, 360, 4),
    ):
        wilds.peak(sheet, (x, top - lift), width, 860 - lift, "#8496d0", "#4656a0", seed)
    wilds.cloud_bank(sheet, 730 - lift, 9, colour="#cbd4f0", shadow="#7485c2", height=90)


def steps(sheet: Sheet, slabs: list[tuple[float, float, float]]) -> None:
    """Great steps, each (left, right, top), from the highest to the nearest."""
    for left, right, top in slabs:
        wilds.slab(sheet, left, right, top)


def summit(sheet: Sheet, top: Point, width: float) -> None:
    """The last stones of a mountain, to stand on."""
    x, y = top
    foot = blob(
        [
            (x - width * 0.18, y),
            (x + width * 0.18, y - 4),
            (x + width * 0.42, y + 90),
            (x + width * 0.75, y + 170),
            (x + width * 1.3, 1080),
            (x - width * 1.3, 1080),
            (x - width * 0.7, y + 150),
            (x - width * 0.36, y + 60),
        ],
        {0, 1, 4, 5},
    )
    sheet.wash(foot, "#5a6596", 1.0, reserve=1.0, edge=0.5, flow=0.5, wobble=3)
    rng = np.random.default_rng(int(x))
    for _ in range(26):
        at = (x + float(rng.uniform(-1, 1)) * width, float(rng.uniform(y + 30, 1020)))
        wide = float(rng.uniform(40, 120))
        ledge = ribbon([(at[0] - wide, at[1] + 12), at, (at[0] + wide, at[1] + 16)], [2, 22, 2])
        sheet.gouache(ledge, "#e6ecfb", 0.85, clip=foot, wobble=3)
        below = ribbon(
            [(at[0] - wide, at[1] + 30), (at[0], at[1] + 22), (at[0] + wide, at[1] + 36)],
            [2, 14, 2],
        )
        sheet.wash(below, "#27305f", 0.6, clip=foot, wobble=3)
    cap = ribbon([(x - width * 0.2, y + 6), (x, y - 2), (x + width * 0.2, y + 4)], [24, 34, 24])
    sheet.wash(cap, "#f3f6fd", 0.8, reserve=1.0, edge=0.5)


def gusts(sheet: Sheet) -> None:
    """The wind, with leaves, a kite and a hat in it."""
    for x, y, length, flip in (
        (470, 420, 420, False),
        (560, 330, 300, False),
        (60, 210, 260, False),
        (620, 560, 320, False),
        (90, 330, 150, False),
    ):
        sky.wind(sheet, (x, y), length, "#dfe8fa", flip=flip)
    for x, y, turn, colour in (
        (600, 500, 20, "#c8743c"),
        (700, 390, -30, "#d9a04c"),
        (860, 500, 60, "#b5594c"),
        (930, 330, 10, "#c8743c"),
        (520, 620, -50, "#d9a04c"),
    ):
        sheet.wash(ellipse(x, y, 17, 8, turn), colour, 1.0, reserve=1.0, edge=0.6)
    brush = Brush(sheet, Placement(830, 410, 1.0, 18))
    kite = blob([(0, -62), (44, -8), (0, 70), (-44, -8)], {0, 1, 2, 3})
    brush.wash(kite, "#d9776a", 1.0, reserve=1.0, edge=0.6)
    brush.wash(blob([(0, -62), (44, -8), (0, 0)], {0, 1, 2}), "#efc06a", 1.0, reserve=1.0)
    brush.wash(blob([(-44, -8), (0, 0), (0, 70)], {0, 1, 2}), "#7fa8a4", 1.0, reserve=1.0)
    brush.pencil(kite, "#4a2c2c", 2.2)
    brush.stroke([(0, 70), (20, 110), (-6, 150), (16, 190)], [2, 2, 2, 1], "#f4e6cc")


def moonlit_clouds(sheet: Sheet) -> None:
    """A ledge's view: the moon over a sea of clouds."""
    sky.graded(sheet, "#22346c", "#a9bce6", 800)
    sky.stars(sheet, (0, 0, 1024, 480), 160, 47, [(760, 230, 200)])
    sky.moon(sheet, (760, 230), 116)
    for x, top, width, seed in ((640, 500, 300, 2), (960, 470, 380, 3), (80, 490, 360, 6)):
        wilds.peak(sheet, (x, top), width, 720, "#8fa2da", "#4f60aa", seed)
    wilds.cloud_bank(sheet, 600, 3, colour="#dfe6f8", shadow="#8c9cd2", height=100)


def biscuit(sheet: Sheet, at: Point) -> None:
    """A round biscuit with a bite out of it, and crumbs."""
    brush = Brush(sheet, Placement(*at))
    disk = ellipse(0, 0, 30, 24)
    brush.wash(disk, "#dba55c", 1.0, reserve=1.0, edge=0.7)
    for x, y in ((-12, -6), (6, 4), (12, -9), (-6, 10)):
        brush.wash(ellipse(x, y, 3.4, 2.8), "#7a4a30", 1.0, reserve=0.8)
    brush.wash(ellipse(28, -14, 13, 11), "#f2f5fd", 0.6, reserve=1.0)
    for x, y in ((52, 10), (64, 2), (74, 14), (58, 20)):
        brush.wash(ellipse(x, y, 3.4, 2.6), "#c98d4a", 1.0, reserve=1.0)


def milky_way(sheet: Sheet) -> None:
    """All the stars there are."""
    sky.graded(sheet, "#141f4c", "#6f86c8", 980)
    band = ribbon([(-60, 520), (300, 400), (700, 330), (1090, 120)], [150, 210, 230, 190])
    sheet.gouache(band, "#a9b6ec", 0.4, soft=60, dry=0)
    sky.stars(sheet, (0, 0, 1024, 760), 520, 48, [])
    rng = np.random.default_rng(8)
    for _ in range(24):
        at = (float(rng.uniform(30, 994)), float(rng.uniform(230, 620)))
        sky.sparkle(sheet, at, float(rng.uniform(8, 18)))
    snow.star_light(sheet, (760, 280), 130, 0.7)
    sky.sparkle(sheet, (760, 280), 44, "#fff2bc")


def rising(sheet: Sheet, start: Point, end: Point) -> None:
    """A trail of gold from the mittens up to the star."""
    bend = ((start[0] * 0.4 + end[0] * 0.6) + 60, (start[1] + end[1]) / 2)
    trail = ribbon([start, bend, end], [6, 22, 40])
    sheet.gouache(trail, "#f2c45c", 0.5, soft=14, dry=0)
    rng = np.random.default_rng(4)
    for _ in range(18):
        share = float(rng.uniform(0, 1))
        x = (
            start[0]
            + (bend[0] - start[0]) * min(share * 2, 1)
            + (end[0] - bend[0]) * max(share * 2 - 1, 0)
        )
        y = start[1] + (end[1] - start[1]) * share
        sky.sparkle(sheet, (x + float(rng.normal(0, 26)), y), float(rng.uniform(6, 14)), "#fff0b4")


def ledge(top: float) -> Painter:
    """A snowy stone before the child, to sit behind."""
    return part(wilds.slab, -60, 640, top)


STAIR = Scene(
    seed=81,
    backdrop=(
        part(high_night),
        part(range_of_peaks),
        part(steps, [(860, 1100, 470), (640, 1090, 640), (420, 1090, 790), (-60, 1090, 930)]),
        parts.fox(Placement(800, 458, 0.6), FoxPose(tilt=8, turn=-0.6), "#7f92cc"),
        parts.shadow("#7f92cc"),
        parts.star_glow((0, 254), 240, 0.6),
    ),
    hero=(parts.child(replace(parts.HOLDING, stride=22, tail=-1)), parts.star_held(radius=56)),
    foreground=(parts.star_glow(reach=100, strength=0.22), parts.snowfall(83, 90, 14)),
)

BISCUIT = Scene(
    seed=82,
    backdrop=(
        part(moonlit_clouds),
        parts.fox(Placement(560, 530, 0.7, flip=True), FoxPose(tilt=-6, turn=0.6, tail=False)),
    ),
    hero=(
        parts.child(
            parts.half(
                replace(
                    parts.STANDING, left=((-150, 262), (-120, 290)), right=((150, 262), (130, 286))
                )
            )
        ),
    ),
    foreground=(
        ledge(690),
        part(biscuit, (490, 690)),
        parts.star_alone((120, 646), 50, 130),
        part(wilds.cloud_bank, 770, 5, colour="#f0f3fc", shadow="#b3c0e6", height=70),
    ),
)

WIND = Scene(
    seed=83,
    backdrop=(
        part(high_night, "#22346c", "#9fb0e0"),
        part(range_of_peaks, -40.0),
        part(gusts),
        part(summit, (350, 920), 760),
        parts.shadow("#6f80bc"),
        parts.fox(Placement(624, 800, 0.66, flip=True), FoxPose(tilt=-10, turn=0.4), "#3a4678"),
        parts.star_glow((0, 254), 200, 0.5),
    ),
    hero=(parts.child(replace(parts.HOLDING, tail=-1)), parts.star_held(radius=54)),
    foreground=(parts.star_glow(reach=90, strength=0.2), part(sky.wind, (40, 880), 420, "#dfe8fa")),
)

ALMOST = Scene(
    seed=84,
    backdrop=(
        part(high_night, "#18244f", "#8092d0"),
        part(range_of_peaks, -60.0),
        part(summit, (350, 880), 760),
        parts.fox(Placement(636, 796, 0.66, flip=True), FoxPose(tilt=-14, turn=0.6), "#3a4678"),
        parts.shadow("#6f80bc"),
        parts.star_glow(UP_RIGHT_STAR, 260, 0.7),
    ),
    hero=(parts.child(UP_RIGHT), parts.star_held(UP_RIGHT_STAR, 54)),
    foreground=(parts.star_glow(UP_RIGHT_STAR, 80, 0.2),),
)

LET_GO = Scene(
    seed=85,
    backdrop=(
        part(high_night, "#18244f", "#8092d0"),
        part(range_of_peaks, -30.0),
        part(rising, (580, 640), (790, 300)),
        parts.star_alone((790, 280), 66, 240),
        part(wilds.slab, -60, 1090, 900),
        parts.fox(Placement(780, 694, 0.8, flip=True), FoxPose(tilt=-12, turn=0.3), "#7f92cc"),
    ),
    hero=(
        parts.child(
            parts.half(replace(parts.ARMS_UP, left=((-150, 262), (-60, 300)), gaze=(4, -5)))
        ),
    ),
    foreground=(part(near_drift, 956, "#dfe6fa", "#8fa0d4"),),
)

WHOLE = Scene(
    seed=86,
    backdrop=(
        part(milky_way),
        part(summit, (520, 900), 620),
        parts.fox(Placement(800, 796, 0.62, flip=True), FoxPose(tilt=-14, turn=0.4), "#3a4678"),
    ),
    hero=(parts.child(parts.half(parts.ARMS_UP)),),
    foreground=(part(near_drift, 958, "#c3cff2", "#7688c6"),),
)

SCENES: dict[int, Scene] = {27: STAIR, 28: BISCUIT, 29: WIND, 30: ALMOST, 31: LET_GO, 32: WHOLE}
