"""Page 5: no bigger than an apple."""

from __future__ import annotations

import numpy as np

from books.atelier import plants, sky, snow
from books.atelier.brush import Brush
from books.atelier.child import Pose, paint_child
from books.atelier.fox import FoxPose, paint_fox
from books.atelier.scene import Scene
from books.atelier.shapes import Placement, Point
from books.atelier.sheet import Sheet

FOX = Placement(232, 600, 1.02)
POSE = Pose(
    left=((-146, 292), (-66, 326)),
    right=((146, 292), (66, 326)),
    legs=False,
    tail=False,
    shade=0.35,
    gaze=(0.0, 2.0),
)
STAR: Point = (0.0, 254.0)


def backdrop(sheet: Sheet, child: Placement) -> None:
    """Deep blue night among firs; a hollow full of light; the fox, close by."""
    sky.graded(sheet, "#1f2c5e", "#7f8fc2", 760)
    sky.stars(sheet, (20, 20, 1004, 380), 150, 25, [])
    rng = np.random.default_rng(61)
    far = [(float(x), 620.0, float(rng.uniform(200, 380))) for x in range(-10, 1040, 58)]
    plants.grove(sheet, far, "#5c6cab", 900, density=0.8, reserve=0.35)
    sky.mist(sheet, 600, 60, "#a9b4dc", 0.45, 8)
    for index, (x, height) in enumerate(((40, 560), (978, 600), (868, 380))):
        plants.pine(sheet, (x, 730), height, "#33437c", 950 + index, snow=True, reserve=0.95)
    snow.drift(sheet, [720, 700, 712, 730, 724, 706, 700, 716, 730], "#8497d2", 12, depth=260)
    light = child.point(STAR)
    snow.star_light(sheet, (light[0], light[1] + 30), 330, 0.8)
    paint_fox(Brush(sheet, FOX), FoxPose(tilt=10, turn=0.7, shade=-1.0))


def hero(sheet: Sheet, child: Placement) -> None:
    """The child, with the star in both mittens."""
    brush = Brush(sheet, child)
    paint_child(brush, POSE)
    snow.small_star(brush, STAR, 70)


def foreground(sheet: Sheet, child: Placement) -> None:
    """Light on mittens and coat, a near drift, falling snow."""
    light = child.point(STAR)
    snow.star_light(sheet, light, 150, 0.28)
    snow.drift(sheet, [930, 905, 890, 900, 915, 905, 892, 900, 925], "#8ea0d8", 13, depth=150)
    snow.star_light(sheet, (light[0], light[1] + 190), 190, 0.5)
    around = [
        (light[0] + dx, light[1] + dy, r)
        for dx, dy, r in (
            (-150, -60, 15),
            (162, -90, 18),
            (190, 40, 11),
            (-196, 30, 10),
            (120, 130, 13),
            (-120, 150, 12),
        )
    ]
    snow.twinkles(sheet, around)
    clear = ((child.x, child.y), 150 * child.scale)
    snow.flakes(sheet, 120, 71, (1.2, 3.0), clear)
    snow.flakes(sheet, 26, 72, (4.0, 8.0), clear, opacity=0.75, soft=1.8)


STAR_FOUND = Scene(seed=67, backdrop=backdrop, hero=hero, foreground=foreground)
