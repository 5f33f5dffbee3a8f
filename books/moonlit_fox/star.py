"""Pages 22 to 26: no bigger than an apple, and what it has to tell."""

from __future__ import annotations

from dataclasses import replace

from books.atelier import plants, sky, snow, wilds
from books.atelier.child import Pose
from books.atelier.fox import FoxPose
from books.atelier.scene import Scene, part
from books.atelier.shapes import Placement, Point
from books.atelier.sheet import Sheet
from books.moonlit_fox import parts
from books.moonlit_fox.forest import drifts, far_firs, near_drift, snowy_firs

CUPPED = Pose(
    left=((-160, 262), (-116, 210)),
    right=((150, 286), (40, 306)),
    legs=False,
    tail=0,
    shade=0.6,
    gaze=(-4.0, 4.0),
)
CUPPED_STAR: Point = (-128.0, 150.0)


def deep_night(sheet: Sheet, top: str = "#1f2c5e", bottom: str = "#7f8fc2") -> None:
    """The darkest hour, among firs."""
    sky.graded(sheet, top, bottom, 760)
    sky.stars(sheet, (0, 0, 1024, 420), 150, 25, [])
    far_firs(sheet, 630, "#5c6cab")
    snowy_firs(sheet, [(30, 740, 520), (990, 730, 560), (884, 724, 340)], "#33437c")


def golden_air(sheet: Sheet) -> None:
    """Snow and sky full of the star's laughter."""
    sky.graded(sheet, "#e3a94a", "#fdeec2", 760, flow=0.2)
    plants.grove(
        sheet,
        [(float(x), 600.0, 170.0 + x % 130) for x in range(-10, 1050, 58)],
        "#d9a04c",
        700,
        density=0.7,
        reserve=0.3,
    )
    sheet.glow((512, 400), 380, "#fff2c0", 0.6, 1.4)
    snowy_firs(sheet, [(60, 690, 420), (960, 700, 470)], "#b9853f")
    for top, shade in ((610, "#ecc47a"), (680, "#e9bb6c")):
        snow.drift(sheet, [top + w for w in (0, 12, 4, -8, 6, 14, 0, -6, 8)], shade, top)


def twinkles(sheet: Sheet, centre: Point, spread: float) -> None:
    """Golden twinkles about a centre."""
    ring = (
        (-1, -0.4, 15),
        (1.05, -0.6, 18),
        (1.25, 0.26, 11),
        (-1.3, 0.2, 10),
        (0.8, 0.86, 13),
        (-0.8, 1, 12),
    )
    places = [(centre[0] + dx * spread, centre[1] + dy * spread, r) for dx, dy, r in ring]
    snow.twinkles(sheet, [(x, y, float(r)) for x, y, r in places])


def cave(sheet: Sheet) -> None:
    """A cave of ice with the night outside."""
    sky.graded(sheet, "#22346c", "#8fa6d8", 700)
    sky.stars(sheet, (200, 160, 900, 520), 90, 33, [])
    far_firs(sheet, 640, "#5c74b4")
    drifts(sheet, [650], "#9fb2e4")
    wilds.ice_cave(sheet, (560, 600), (330, 330))
    drifts(sheet, [790], "#8fb2e6")


KNELT = Scene(
    seed=67,
    backdrop=(
        part(deep_night),
        part(drifts, [740], "#8497d2"),
        parts.star_glow((0, 284), 330, 0.8),
        parts.fox(Placement(232, 640, 1.0), FoxPose(tilt=10, turn=0.7, shade=-1.0)),
    ),
    hero=(parts.child(parts.half(parts.HOLDING)), parts.star_held(radius=70)),
    foreground=(
        parts.star_glow(reach=150, strength=0.28),
        part(drifts, [900], "#8ea0d8"),
        part(twinkles, (600, 760), 165),
        parts.snowfall(71, 120, 26, 8),
    ),
)

WARMED = Scene(
    seed=68,
    backdrop=(
        part(deep_night, "#232c62", "#8a86bc"),
        part(drifts, [800], "#8497d2"),
        parts.star_glow(CUPPED_STAR, 330, 0.8),
        parts.fox(Placement(230, 730, 1.1), FoxPose(tilt=-6, turn=0.9, shade=-1.0)),
    ),
    hero=(parts.child(CUPPED), parts.star_held(CUPPED_STAR, 58)),
    foreground=(
        parts.star_glow(CUPPED_STAR, 120, 0.25),
        part(near_drift, 930, "#c3cff2", "#8497d2"),
        parts.snowfall(73, 90, 20, 8),
    ),
)

LAUGHED = Scene(
    seed=69,
    backdrop=(
        part(golden_air),
        parts.fox(
            Placement(176, 560, 0.84),
            FoxPose(tilt=-12, turn=0.4, asleep=True, tail=False),
            "#c9904a",
        ),
        parts.star_alone((812, 560), 72, 200),
    ),
    hero=(parts.child(parts.half(replace(parts.ARMS_UP, gaze=(3, 0)))),),
    foreground=(
        part(near_drift, 724, "#fffbe8", "#f6dc9c"),
        part(twinkles, (812, 560), 120),
        part(twinkles, (230, 330), 120),
        parts.snowfall(75, 110, 22),
    ),
)

TOLD = Scene(
    seed=70,
    backdrop=(
        part(deep_night, "#26336a", "#98a6d4"),
        part(drifts, [700], "#93a4d8"),
        parts.fox(Placement(420, 598, 0.78), FoxPose(tilt=6, turn=-0.4, tail=False)),
    ),
    hero=(
        parts.child(
            parts.half(
                replace(
                    parts.STANDING,
                    left=((-150, 262), (-120, 286)),
                    right=((150, 262), (120, 286)),
                    gaze=(-4, 2),
                )
            )
        ),
    ),
    foreground=(
        part(wilds.fallen_log, 90, 1060, 820),
        parts.star_alone((250, 690), 66, 190),
        part(near_drift, 880, "#dfe7fa", "#93a4d8"),
        parts.snowfall(77, 90, 18),
    ),
)

CAVE = Scene(
    seed=71,
    backdrop=(
        part(cave),
        parts.star_alone((596, 700), 58, 260),
        parts.fox(
            Placement(780, 746, 0.8),
            FoxPose(tilt=-4, turn=-0.3, body="curled", asleep=True),
            "#5f80c4",
        ),
    ),
    hero=(parts.child(parts.half(replace(parts.HOLDING, shade=-1.0, gaze=(4, 4)))),),
    foreground=(part(near_drift, 880, "#d3e4fa", "#86a9e0"),),
)

SCENES: dict[int, Scene] = {22: KNELT, 23: WARMED, 24: LAUGHED, 25: TOLD, 26: CAVE}
