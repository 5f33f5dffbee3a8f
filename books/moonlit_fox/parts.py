"""Parts that many scenes share: the child and what it carries, the fox, the star, snowfall."""

from __future__ import annotations

from dataclasses import replace

from books.atelier import snow
from books.atelier.brush import Brush
from books.atelier.child import Pose, paint_child
from books.atelier.fox import FoxPose, paint_fox
from books.atelier.scene import Painter
from books.atelier.shapes import Placement, Point, ellipse
from books.atelier.sheet import Sheet
from books.atelier.things import lantern, lantern_light

STANDING = Pose()
LANTERN_LEFT = Pose(left=((-158, 236), (-196, 196)), right=((142, 262), (128, 316)))
LANTERN_RIGHT = Pose(
    left=((-142, 262), (-128, 316)), right=((158, 236), (196, 196)), tail=-1, shade=-1.0
)
POINTING_RIGHT = Pose(
    left=((-148, 256), (-166, 306)), right=((166, 226), (214, 188)), tail=-1, shade=-1.0
)
HOLDING = Pose(
    left=((-146, 292), (-66, 326)), right=((146, 292), (66, 326)), shade=0.35, gaze=(0.0, 2.0)
)
WAVING_LEFT = Pose(left=((-166, 220), (-214, 150)), right=((142, 262), (120, 300)))
WAVING_RIGHT = Pose(
    left=((-142, 262), (-120, 300)), right=((166, 220), (214, 150)), tail=-1, shade=-1.0
)
ARMS_UP = Pose(left=((-178, 206), (-226, 120)), right=((178, 206), (226, 120)), gaze=(0.0, -3.0))
HELD_STAR: Point = (0.0, 254.0)
"""Where a star lies in the mittens of HOLDING, in the child's units."""


def half(pose: Pose) -> Pose:
    """The same pose without legs and tail, for a child behind a rim or cut by the edge."""
    return replace(pose, legs=False, tail=0)


def child(pose: Pose) -> Painter:
    """The child."""

    def paint(sheet: Sheet, at: Placement) -> None:
        paint_child(Brush(sheet, at), pose)

    return paint


def fox(at: Placement, pose: FoxPose, shade: str | None = None) -> Painter:
    """The fox; shade: the colour of its shadow on the ground, if it stands on any."""

    def paint(sheet: Sheet, _: Placement) -> None:
        if shade is not None:
            long = {"sits": (20, 286, 150), "trots": (110, 252, 190), "curled": (50, 160, 200)}
            x, y, rx = long[pose.body]
            foot = at.point((x, y))
            sheet.wash(ellipse(*foot, rx * at.scale, 22 * at.scale), shade, 0.9, soft=8)
        paint_fox(Brush(sheet, at), pose)

    return paint


def shadow(colour: str, width: float = 160.0) -> Painter:
    """What the child's boots stand on looks darker; width: half of it, in the child's units."""

    def paint(sheet: Sheet, at: Placement) -> None:
        foot = at.point((0, 538))
        path = ellipse(*foot, width * at.scale, 22 * at.scale)
        sheet.wash(path, colour, 0.9, soft=8)

    return paint


def _lantern_place(at: Placement, side: int) -> Placement:
    x, y = at.point((side * 217, 174))
    return Placement(x, y, at.scale * 1.05)


def lantern_held(side: int) -> Painter:
    """The lantern in the left (-1) or right (1) mitten; painted before the child."""

    def paint(sheet: Sheet, at: Placement) -> None:
        lantern(sheet, _lantern_place(at, side))

    return paint


def lantern_glow(side: int, reach: float = 150.0) -> Painter:
    """The light of the lantern in that mitten."""

    def paint(sheet: Sheet, at: Placement) -> None:
        lantern_light(sheet, _lantern_place(at, side), reach)

    return paint


def star_held(at: Point = HELD_STAR, radius: float = 60.0) -> Painter:
    """The star, in the child's units."""

    def paint(sheet: Sheet, place: Placement) -> None:
        snow.small_star(Brush(sheet, place), at, radius)

    return paint


def star_glow(at: Point = HELD_STAR, reach: float = 200.0, strength: float = 0.6) -> Painter:
    """The star's light, about a point in the child's units."""

    def paint(sheet: Sheet, place: Placement) -> None:
        snow.star_light(sheet, place.point(at), reach, strength)

    return paint


def star_alone(at: Point, radius: float, reach: float = 220.0) -> Painter:
    """The star and its light, in page pixels."""

    def paint(sheet: Sheet, _: Placement) -> None:
        snow.star_light(sheet, at, reach, 0.7)
        snow.small_star(Brush(sheet, Placement()), at, radius)

    return paint


def snowfall(seed: int, small: int = 120, large: int = 26, size: float = 7.0) -> Painter:
    """Falling flakes, none before the face."""

    def paint(sheet: Sheet, at: Placement) -> None:
        clear = ((at.x, at.y), 150 * at.scale)
        snow.flakes(sheet, small, seed, (1.2, 3.0), clear)
        snow.flakes(sheet, large, seed + 1, (size * 0.55, size), clear, opacity=0.8, soft=1.6)

    return paint
