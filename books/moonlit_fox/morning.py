"""Page 3: high above the sleeping fields, tomorrow behind the edge of the world."""

from __future__ import annotations

from books.atelier import balloon, land, plants, sky
from books.atelier.brush import Brush
from books.atelier.child import Pose, paint_child
from books.atelier.fox import FoxPose, paint_fox
from books.atelier.scene import Scene
from books.atelier.shapes import Placement, Point, ellipse
from books.atelier.sheet import Fade, Sheet

HORIZON = 690.0
SUN: Point = (128, 628)
MOUTH = Placement(512, 178, 1.05)
BASKET = Placement(512, 752, 1.0)
FOX = Placement(668, 604, 0.74, flip=True)
POSE = Pose(
    left=((-166, 220), (-214, 150)),
    right=((120, 262), (110, 278)),
    legs=False,
    tail=False,
    shade=1.0,
)


def backdrop(sheet: Sheet, child: Placement) -> None:
    """Dawn, clouds, fields, the balloon's belly, the basket's far side, the fox."""
    del child
    _dawn(sheet)
    _land(sheet)
    _clouds(sheet)
    balloon.envelope(sheet, MOUTH)
    balloon.ropes(sheet, MOUTH, BASKET, front=False)
    balloon.basket_inside(sheet, BASKET)
    balloon.ropes(sheet, MOUTH, BASKET, front=True)
    paint_fox(Brush(sheet, FOX), FoxPose(tilt=-7, turn=0.5, shade=-1.0))


def _dawn(sheet: Sheet) -> None:
    sky.graded(sheet, "#7f8ac8", "#f7c9c4", 470, flow=0.12)
    low = sky.rectangle(0, 300, 1024, HORIZON + 20)
    sheet.wash(low, "#f8bd80", 0.95, edge=0, fade=Fade((0, 360), (0, 660), 0.0, 1.0), flow=0.2)
    sky.stars(sheet, (20, 20, 1004, 330), 40, 5, [])
    sheet.glow(SUN, 380, "#f6b060", 0.4, 1.2)
    sheet.glow(SUN, 150, "#fff0b8", 0.85, 1.5)


def _land(sheet: Sheet) -> None:
    sheet.gouache(ellipse(*SUN, 56, 56), "#fffbe8", 1.0, soft=1.5, dry=0)
    plants.hill(
        sheet, [655, 668, 650, 628, 640, 660, 618, 600, 626], "#b196bd", "#f0c6b4", depth=100
    )
    plants.hill(
        sheet, [684, 676, 682, 668, 662, 672, 664, 646, 650], "#9a9bb4", "#e0c0ae", depth=90
    )
    tones = ("#c9c98a", "#a9bf8a", "#e3c987", "#8fae8c", "#d9b48a", "#b7a9b8", "#9dbba4")
    land.fields(sheet, HORIZON, tones, "#f6d4b4", 3)
    land.river(
        sheet,
        [
            (330, 704),
            (270, 728),
            (180, 744),
            (214, 786),
            (150, 842),
            (40, 890),
            (70, 960),
            (20, 1040),
        ],
        [3, 6, 10, 16, 24, 34, 46, 60],
    )
    land.hedges(sheet, HORIZON, "#6f8f78", 9, 130)
    for x, y, size, roof in (
        (250, 812, 40, "#b5594c"),
        (206, 826, 34, "#8a6a86"),
        (858, 792, 38, "#b5594c"),
        (902, 806, 44, "#a87850"),
        (822, 808, 32, "#8a6a86"),
        (892, 940, 66, "#b5594c"),
    ):
        land.cottage(sheet, (x, y), size, roof)


def _clouds(sheet: Sheet) -> None:
    for x, y, width, height, seed in (
        (850, 470, 330, 76, 1),
        (130, 420, 260, 54, 2),
        (930, 600, 240, 44, 3),
        (240, 560, 200, 34, 4),
        (700, 350, 180, 34, 6),
    ):
        sky.cloud(
            sheet, (x, y), width, height, seed, colour="#fff0e0", shadow="#c890a8", opacity=0.8
        )
    for x, y, span, tilt in (
        (742, 300, 22, -8),
        (792, 328, 17, 6),
        (836, 296, 14, -4),
        (210, 320, 18, 8),
    ):
        brush = Brush(sheet, Placement(x, y, span / 20, tilt))
        brush.stroke(
            [(-20, -5), (-9, -9), (0, 2), (9, -9), (20, -5)], [1, 3.4, 3.6, 3.4, 1], "#5a4a6a"
        )


def hero(sheet: Sheet, child: Placement) -> None:
    """The child, waving."""
    paint_child(Brush(sheet, child), POSE)


def foreground(sheet: Sheet, child: Placement) -> None:
    """Basket, near ropes, and clouds that drift below."""
    del child
    balloon.basket_front(sheet, BASKET)
    for x, y, width, height, seed in ((60, 1010, 380, 90, 11), (960, 1016, 420, 84, 12)):
        sky.cloud(
            sheet, (x, y), width, height, seed, colour="#fff6ea", shadow="#c79ab4", opacity=0.95
        )


MORNING = Scene(seed=37, backdrop=backdrop, hero=hero, foreground=foreground)
