"""Pages 17 to 21: where the snow begins, and what shivers in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from books.atelier import animals, balloon, plants, sky, snow
from books.atelier.fox import FoxPose
from books.atelier.scene import Scene, part
from books.atelier.shapes import Placement, Point, ellipse, ribbon
from books.atelier.sheet import Blend, Sheet
from books.moonlit_fox import parts


def winter_sky(sheet: Sheet, top: str = "#39437f", bottom: str = "#c6c4e0") -> None:
    """A violet winter night."""
    sky.graded(sheet, top, bottom, 640)
    sky.stars(sheet, (0, 0, 1024, 330), 120, 15, [])


def far_firs(sheet: Sheet, foot: float, colour: str, gap: float = -100.0) -> None:
    """A wall of firs with mist at its feet, open about x = `gap`."""
    rng = np.random.default_rng(41)
    far = [
        (float(x), foot, float(rng.uniform(190, 330)))
        for x in range(-20, 1060, 44)
        if abs(x - gap) > 40
    ]
    plants.grove(sheet, far, colour, 700, density=0.75, reserve=0.35)
    sky.mist(sheet, foot - 30, 70, "#d9d8ee", 0.5, 7)


def drifts(sheet: Sheet, tops: list[float], shade: str = "#a9b6e0") -> None:
    """Banks of snow, one before the other, each from its top."""
    waves = (20, 4, -6, 2, 8, -4, -14, -2, 14)
    for index, top in enumerate(tops):
        turned = [top + waves[(place + index * 3) % len(waves)] for place in range(len(waves))]
        snow.drift(sheet, turned, shade, index + 2, depth=190 + 40 * index)


def snowy_firs(
    sheet: Sheet, feet: list[tuple[float, float, float]], colour: str = "#4f6299"
) -> None:
    """Firs with snow on their boughs, each (x, y, height)."""
    for index, (x, y, height) in enumerate(feet):
        plants.pine(sheet, (x, y), height, colour, 800 + index, snow=True, reserve=0.9)


def scratch(sheet: Sheet, trail: list[Point], width: float) -> None:
    """A golden scratch in the snow that grows along its trail."""
    sizes = [width * share for share in (0.1, 0.3, 0.55, 0.8, 1.0)]
    sheet.gouache(ribbon(trail, [size * 3.2 for size in sizes]), "#f2b848", 0.7, soft=9, dry=0)
    sheet.gouache(ribbon(trail, sizes), "#fff0b0", 0.95, soft=1.2, dry=0)


def landed(sheet: Sheet, at: Placement) -> None:
    """The balloon, at rest in the snow."""
    foot = at.point((0, 286))
    sheet.wash(ellipse(*foot, 130 * at.scale, 16 * at.scale), "#6f80b8", 1.0, soft=6)
    balloon.far_balloon(sheet, at)


def berries(sheet: Sheet, sprigs: list[tuple[float, float, float, float]]) -> None:
    """Winter sprigs, each (x, foot, length, angle)."""
    for x, y, length, angle in sprigs:
        plants.berry_sprig(sheet, (x, y), length, angle, "#4a5f92")


def near_drift(sheet: Sheet, top: float, light: str, shade: str) -> None:
    """The nearest bank, smooth and bright."""
    bank = ribbon(
        [(-60, top + 300), (200, top + 280), (512, top + 300), (800, top + 284), (1084, top + 300)],
        [600, 600, 600, 600, 600],
    )
    blend = Blend((0, top), (0, top + 260), light, shade)
    sheet.wash(bank, blend, 0.8, reserve=1.0, edge=0.4, flow=0.15, wobble=3)


def pale_day(sheet: Sheet) -> None:
    """Air so full of snow that it is bright by night."""
    sky.graded(sheet, "#b9c6e0", "#eceff6", 760, flow=0.2)
    far_firs(sheet, 640, "#a3b3d2")
    snowy_firs(sheet, [(70, 730, 330), (180, 716, 220), (950, 740, 420)], "#7f92bc")


def icicles(sheet: Sheet, centre: Point, reach: float) -> None:
    """A ring of little icicles, as if the tears had frozen."""
    for index in range(15):
        turn = np.pi * 2 * index / 15
        x = centre[0] + reach * float(np.cos(turn))
        y = centre[1] + reach * 0.34 * float(np.sin(turn))
        tall = 34 + 14 * (index % 3)
        spike = ribbon([(x, y + 6), (x, y - tall * 0.5), (x, y - tall)], [15, 9, 0.8], 4)
        blend = Blend((x, y), (x, y - tall), "#8fb2ea", "#f4faff")
        sheet.wash(spike, blend, 1.0, reserve=1.0, edge=0.8)


GLOW: Point = (700, 560)

SCRATCH = Scene(
    seed=51,
    backdrop=(
        part(winter_sky),
        part(far_firs, 600, "#8e95c6"),
        part(drifts, [610, 690]),
        part(snowy_firs, [(40, 690, 420), (960, 690, 300)]),
        part(landed, Placement(760, 500, 0.62, 4)),
        part(drifts, [800], "#b3bfe6"),
        part(scratch, [(420, 742), (540, 800), (700, 850), (860, 920), (1060, 1010)], 15),
        parts.shadow("#6c7cb6"),
        parts.fox(Placement(606, 744, 0.66, flip=True), FoxPose(tilt=-6, turn=0.8), "#6c7cb6"),
    ),
    hero=(parts.child(parts.POINTING_RIGHT),),
    foreground=(part(berries, [(930, 1030, 150, -16), (1000, 1034, 190, 12)]), parts.snowfall(31)),
)

FOREST = Scene(
    seed=53,
    backdrop=(
        part(winter_sky),
        part(far_firs, 590, "#8e95c6", GLOW[0]),
        part(drifts, [600]),
        part(snow.star_light, GLOW, 250),
        part(
            snowy_firs,
            [(52, 660, 430), (176, 646, 280), (590, 640, 240), (842, 650, 300), (980, 670, 450)],
        ),
        part(snow.star_light, (GLOW[0], GLOW[1] + 20), 130, 0.8),
        part(drifts, [670]),
        part(scratch, [(700, 596), (740, 630), (810, 664), (920, 700), (1040, 730)], 13),
        part(drifts, [800], "#93a4d8"),
        part(snow.footprints, [(52, 972), (100, 966), (150, 958), (196, 950), (238, 944)], 30),
        parts.shadow("#6c7cb6"),
        parts.fox(Placement(730, 752, 0.7, flip=True), FoxPose(tilt=-4, body="trots"), "#6f80b8"),
        parts.lantern_glow(-1, 120),
    ),
    hero=(
        parts.lantern_held(-1),
        parts.child(
            replace(parts.LANTERN_LEFT, right=((166, 226), (214, 188)), shade=-1.0, stride=22)
        ),
    ),
    foreground=(parts.lantern_glow(-1, 50), parts.snowfall(51, 150, 34)),
)

HARE = Scene(
    seed=54,
    backdrop=(
        part(winter_sky, "#2c4480", "#a9c0e4"),
        part(far_firs, 520, "#7f9ace"),
        part(snowy_firs, [(600, 560, 380), (960, 590, 560), (80, 560, 330)], "#3f5c98"),
        part(drifts, [560, 630], "#a9bde8"),
        parts.fox(Placement(640, 572, 0.64, flip=True), FoxPose(tilt=-8, turn=0.8), "#7f94cc"),
    ),
    hero=(parts.child(parts.half(parts.POINTING_RIGHT)),),
    foreground=(
        part(near_drift, 716, "#ffffff", "#c9d6f2"),
        part(animals.hare, Placement(852, 640, 0.94)),
        part(berries, [(60, 800, 120, -12), (110, 804, 150, 8)]),
        parts.snowfall(33, 90, 14),
    ),
)

SNOWFALL = Scene(
    seed=55,
    backdrop=(
        part(pale_day),
        part(drifts, [680, 790], "#c9d3ea"),
        part(
            snow.footprints,
            [(60, 900), (130, 906), (200, 912), (270, 918), (350, 924), (430, 930), (510, 936)],
            30,
        ),
        parts.shadow("#8fa0cc"),
        parts.fox(Placement(300, 740, 0.68, flip=True), FoxPose(tilt=-3, body="trots"), "#8fa0cc"),
    ),
    hero=(parts.child(replace(parts.STANDING, stride=-26, tail=-1)),),
    foreground=(parts.snowfall(71, 160, 90, 15),),
)

SHIVERING = Scene(
    seed=56,
    backdrop=(
        part(winter_sky, "#1f2c5e", "#8f9fd0"),
        part(far_firs, 610, "#5c6cab"),
        part(snowy_firs, [(60, 690, 360), (970, 700, 500)], "#33437c"),
        part(drifts, [650, 760], "#8ea0d8"),
        parts.fox(Placement(452, 590, 0.6), FoxPose(tilt=-12, turn=-0.6), "#6070b0"),
        part(icicles, (290, 806), 130),
        parts.star_alone((290, 776), 56, 250),
        parts.shadow("#6070b0"),
    ),
    hero=(
        parts.child(
            replace(parts.STANDING, left=((-160, 240), (-190, 220)), shade=1.0, gaze=(-4, 4))
        ),
    ),
    foreground=(parts.snowfall(35, 110, 20),),
)

SCENES: dict[int, Scene] = {17: SCRATCH, 18: FOREST, 19: HARE, 20: SNOWFALL, 21: SHIVERING}
