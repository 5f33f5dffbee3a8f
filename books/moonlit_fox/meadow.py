"""Pages 1 to 3: the meadow by night, the hill above the village, the sleeping lane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import skia

from books.atelier import plants, sky, village
from books.atelier.fox import FoxPose
from books.atelier.scene import Scene, part
from books.atelier.shapes import Placement, Point, blob, ellipse
from books.atelier.sheet import Blend, Sheet
from books.moonlit_fox import parts

FIREFLIES: list[Point] = [
    (448, 700),
    (120, 800),
    (400, 620),
    (470, 790),
    (868, 762),
    (900, 640),
    (60, 655),
]


def night(
    sheet: Sheet, moon: Point, radius: float, clouds: list[tuple[float, float, float]]
) -> None:
    """A blue night with a moon and small clouds, each (x, y, width)."""
    sky.graded(sheet, "#27406f", "#a9c0d4", 760)
    sheet.wash(sky.rectangle(0, -40, 1024, 230), "#2a3a72", 0.6, soft=60, flow=0.6)
    sky.stars(sheet, (0, 0, 1024, 470), 150, 4, [(*moon, radius * 1.6)])
    sky.moon(sheet, moon, radius)
    for index, (x, y, width) in enumerate(clouds):
        at, height = (x, y), width * 0.17
        sky.cloud(
            sheet, at, width, height, index + 1, colour="#cfdcea", shadow="#6f87b2", opacity=0.55
        )


def far_hills(sheet: Sheet) -> None:
    """Hills in two depths with firs and mist between them."""
    plants.hill(
        sheet, [580, 540, 500, 530, 565, 530, 485, 510, 550], "#6f8fb4", "#c3d3dc", depth=190
    )
    rng = np.random.default_rng(12)
    far = [
        (float(x), 580 + 26 * float(np.sin(x / 90)), float(rng.uniform(60, 105)))
        for x in range(-10, 1040, 34)
    ]
    plants.grove(sheet, far, "#6787a6", 100, density=0.8, reserve=0.3)
    sky.mist(sheet, 620, 60, "#d7e3e8", 0.5, 5)
    plants.hill(
        sheet, [620, 630, 660, 670, 650, 620, 605, 620, 610], "#4d7790", "#a9c4c0", depth=170
    )


def near_firs(sheet: Sheet, feet: list[tuple[float, float, float]]) -> None:
    """Firs at the meadow's edge, each (x, y, height), with mist about their feet."""
    plants.grove(sheet, feet, "#35607a", 300, density=1.0, light="#a8c6d4", reserve=0.75)
    sky.mist(sheet, 700, 50, "#cfe0df", 0.45, 6)


def grassland(sheet: Sheet, top: float = 716) -> None:
    """A meadow from `top` to the foot of the sheet."""
    waves = (0, -10, -16, -4, 6, 0, -12, -16, -4)
    plants.hill(sheet, [top + wave for wave in waves], "#6f9a86", "#3d6a68", depth=300)
    for down, height, colour, seed in (
        (19, 30, "#7fa88e", 1),
        (59, 38, "#5f917f", 2),
        (104, 46, "#4b7f78", 3),
    ):
        plants.grass(
            sheet,
            (-10, 1034),
            top + down,
            height,
            colour,
            seed,
            count=150,
            reserve=0.25,
            density=0.8,
        )


def near_grass(sheet: Sheet, foot: float = 1010, seed: int = 22) -> None:
    """The nearest blades, with flowers among them."""
    plants.grass(
        sheet, (-10, 1034), foot - 75, 62, "#3f726c", seed, count=110, reserve=1.0, density=0.9
    )
    plants.grass(sheet, (-10, 1034), foot + 6, 88, "#2c5660", seed + 1, count=150, reserve=1.0)
    rng = np.random.default_rng(seed + 9)
    for index in range(34):
        at = (float(rng.uniform(20, 1010)), float(rng.uniform(foot - 95, foot - 15)))
        tint = ("#f6efe2", "#e9b7c0", "#f3d27a", "#b9a7dc")[index % 4]
        lean = float(rng.uniform(-12, 12))
        radius = float(rng.uniform(8, 14))
        plants.flower(sheet, at, radius, tint, "#e0a03c", "#3d6e66", tall=50, lean=lean)


def ferns(sheet: Sheet, sprigs: list[tuple[float, float, float, float]]) -> None:
    """Fern leaves, each (x, foot, length, angle)."""
    for index, (x, y, length, angle) in enumerate(sprigs):
        colour = ("#2f6068", "#3d7470")[index % 2]
        plants.leaf_sprig(sheet, (x, y), length, angle, colour, pairs=9, reserve=1.0)


def lights(sheet: Sheet, places: list[Point]) -> None:
    """Fireflies."""
    sky.fireflies(sheet, places)


def valley(sheet: Sheet) -> None:
    """A village with lit windows, far below."""
    plants.hill(
        sheet, [560, 520, 540, 560, 520, 470, 500, 540, 500], "#5f7fae", "#b3c4d8", depth=190
    )
    sky.mist(sheet, 590, 50, "#cfdbe8", 0.5, 5)
    plants.hill(
        sheet, [660, 650, 640, 620, 616, 620, 632, 640, 650], "#45688c", "#7f9fae", depth=200
    )
    for x, y, size in (
        (560, 680, 0.3),
        (640, 664, 0.34),
        (715, 688, 0.36),
        (800, 668, 0.34),
        (880, 690, 0.4),
        (965, 680, 0.36),
        (60, 690, 0.34),
    ):
        village.house(sheet, Placement(x, y, size), seed=int(x))
    plants.grove(
        sheet,
        [(596, 690, 70), (760, 694, 84), (925, 700, 92), (120, 700, 90), (14, 706, 130)],
        "#2f5272",
        340,
        reserve=0.8,
    )


def lane(sheet: Sheet) -> None:
    """A lane between cottages."""
    plants.hill(
        sheet, [620, 590, 570, 590, 610, 590, 560, 580, 600], "#56749c", "#9fb4c8", depth=200
    )
    plants.hill(
        sheet, [760, 740, 730, 726, 724, 726, 730, 740, 760], "#55788a", "#3a5a6c", depth=300
    )
    village.house(sheet, Placement(480, 742, 0.8), wall="#9a96b8", seed=4)
    village.house(sheet, Placement(300, 772, 1.1, -1.5), wall="#8a90ba", roof="#75506a", seed=5)
    village.house(sheet, Placement(930, 770, 1.3, 2), wall="#a09ab4", roof="#5f4a72", seed=6)
    village.house(sheet, Placement(74, 850, 1.55, 1.5), wall="#9494ba", roof="#6b4a6e", seed=7)
    bends = [(556, 742), (604, 742), (640, 800), (700, 880), (860, 1060), (190, 1060), (330, 930)]
    path = blob([*[(float(x), float(y)) for x, y in bends], (520, 820)], {0, 1, 4, 5})
    stone = Blend((0, 740), (0, 1040), "#93a2b8", "#c2c4d0")
    sheet.wash(path, stone, 0.9, reserve=1.0, edge=0.5, flow=0.4, soft=3)
    rng = np.random.default_rng(6)
    cobbles = skia.Path()
    for _ in range(150):
        y = float(rng.uniform(750, 1020))
        near = (y - 690) / 330
        x = 570 + float(rng.uniform(-1, 1)) * 330 * near - 40 * near
        cobbles.addPath(ellipse(x, y, 26 * near, 9 * near, float(rng.uniform(-8, 8))))
    sheet.wash(cobbles, "#8089a8", 0.45, edge=0.9, clip=path)


MEADOW = Scene(
    seed=11,
    backdrop=(
        part(night, (250, 372), 96, [(70, 500, 260), (900, 420, 280), (430, 470, 150)]),
        part(far_hills),
        part(
            near_firs,
            [
                (60, 720, 300),
                (-6, 725, 250),
                (140, 710, 190),
                (884, 710, 270),
                (968, 720, 330),
                (1024, 725, 280),
            ],
        ),
        part(grassland, 730),
        parts.shadow("#22404a"),
        parts.fox(Placement(280, 690, 0.8), FoxPose(tilt=9, turn=0.55, shade=-1.0), "#2b3f4a"),
        part(lights, FIREFLIES),
        parts.lantern_glow(-1),
    ),
    hero=(parts.lantern_held(-1), parts.child(parts.LANTERN_LEFT)),
    foreground=(
        part(ferns, [(70, 1010, 180, -14), (150, 1016, 140, 16), (960, 1016, 200, 12)]),
        part(plants.toadstool, (478, 988), 84, -5),
        part(plants.toadstool, (526, 994), 52, 9),
        part(near_grass),
        parts.lantern_glow(-1, 56),
    ),
)

HILLTOP = Scene(
    seed=12,
    backdrop=(
        part(sky.graded, "#22366c", "#93b0d0", 700),
        part(sky.stars, (0, 0, 1024, 460), 190, 14, []),
        part(sky.shooting_star, (930, 236), (640, 400)),
        part(valley),
        part(grassland, 800),
        parts.fox(Placement(730, 676, 1.02, flip=True), FoxPose(tilt=-8, turn=0.7), "#2b3f4a"),
    ),
    hero=(parts.child(parts.half(parts.LANTERN_LEFT)),),
    foreground=(part(near_grass, 1016, 40), part(lights, [(80, 860), (560, 900), (930, 880)])),
)

LANE = Scene(
    seed=13,
    backdrop=(
        part(night, (900, 170), 74, [(620, 150, 180), (120, 420, 220)]),
        part(lane),
        parts.shadow("#4a5678"),
        parts.fox(Placement(392, 776, 0.66), FoxPose(tilt=4, turn=-0.3, body="trots"), "#4a5678"),
        parts.lantern_glow(1),
    ),
    hero=(parts.lantern_held(1), parts.child(replace(parts.LANTERN_RIGHT, stride=26, tail=1))),
    foreground=(parts.lantern_glow(1, 50),),
)

SCENES: dict[int, Scene] = {1: MEADOW, 2: HILLTOP, 3: LANE}
