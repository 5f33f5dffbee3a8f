"""Pages 33 to 35: home on the wind, a yellow day, a wink."""

from __future__ import annotations

from dataclasses import replace

from books.atelier import plants, room, sky, snow, village, water, wilds
from books.atelier.fox import FoxPose
from books.atelier.scene import Scene, part
from books.atelier.shapes import Placement, ellipse
from books.atelier.sheet import Blend, Sheet
from books.moonlit_fox import parts
from books.moonlit_fox.meadow import grassland, near_grass

DAY_WINDOW = (110.0, 110.0, 440.0, 560.0)
EVENING_WINDOW = (440.0, 150.0, 880.0, 700.0)


def land_of_night(sheet: Sheet) -> None:
    """All that was walked and rowed, small, far below."""
    sky.graded(sheet, "#22336a", "#a3b8dc", 800)
    sky.stars(sheet, (0, 0, 1024, 560), 220, 58, [])
    sky.moon(sheet, (880, 150), 70)
    plants.hill(
        sheet, [760, 740, 720, 730, 750, 730, 700, 710, 740], "#5f7fb0", "#b3c8dc", depth=120
    )
    plants.hill(
        sheet, [830, 820, 810, 816, 826, 816, 806, 810, 820], "#4a7490", "#7fa8a8", depth=220
    )
    lake = ellipse(250, 900, 230, 46)
    sheet.wash(lake, Blend((40, 880), (460, 920), "#cfe3ea", "#5f90b0"), 1.0, reserve=1.0, edge=0.6)
    water.second_moon(sheet, (300, 898), 24, 5)
    for x, y, size in ((640, 930, 0.22), (700, 944, 0.26), (770, 930, 0.24), (840, 950, 0.28)):
        village.house(sheet, Placement(x, y, size), seed=int(x))
    firs = [
        (float(x), 880.0 + x % 40, 44.0 + x % 30) for x in (20, 60, 500, 540, 580, 930, 970, 1010)
    ]
    plants.grove(sheet, firs, "#2f5872", 570, reserve=0.8)


def gusts_home(sheet: Sheet) -> None:
    """The wind that carries."""
    for x, y, length in ((60, 560, 360), (20, 660, 260), (700, 250, 260), (120, 420, 200)):
        sky.wind(sheet, (x, y), length, "#e6edfb")


def sunny_hills(sheet: Sheet) -> None:
    """A morning outside the window, and somebody small on the hill."""
    sky.graded(sheet, "#a9d3ea", "#fdf0cf", 460)
    sheet.glow((300, 240), 200, "#fff0b0", 0.8, 1.5)
    plants.hill(
        sheet, [420, 400, 392, 420, 440, 430, 420, 410, 420], "#a9c98a", "#d9e3a4", depth=120
    )
    plants.hill(
        sheet, [480, 470, 460, 450, 470, 480, 470, 460, 470], "#86b474", "#b9d38c", depth=120
    )


def room_by_day(sheet: Sheet) -> None:
    """A wall with stars, a window with a blue curtain, a bed."""
    room.wall_around(sheet, DAY_WINDOW, "#fbeec0", "#f3cf94")
    room.window_frame(sheet, DAY_WINDOW)
    room.curtain(sheet, (60, 84), 190, 560)
    room.curtain(sheet, (490, 84), 150, 560, flip=True)
    sheet.glow((280, 330), 300, "#fff2b8", 0.45, 1.4)
    room.bed_head(sheet, 470, 960, 330)


def red_hair(sheet: Sheet) -> None:
    """One red hair on the sill."""
    sheet.stroke(
        [(240, 556), (268, 546), (300, 556), (322, 548)], [1, 3.4, 3, 1], "#b4482c", strength=1.0
    )


def evening_outside(sheet: Sheet) -> None:
    """The first star over the hills, behind the house's corner."""
    sky.graded(sheet, "#34478c", "#eab0a4", 760)
    plants.hill(
        sheet, [700, 680, 660, 670, 690, 700, 690, 680, 690], "#5f7aa4", "#b9a9bc", depth=150
    )
    plants.grove(
        sheet,
        [(60, 730, 170), (130, 726, 120), (250, 736, 150), (310, 730, 100)],
        "#3c5a80",
        580,
        reserve=0.8,
    )
    snow.star_light(sheet, (170, 220), 120, 0.7)
    sky.sparkle(sheet, (170, 220), 46, "#fff2bc")
    grassland(sheet, 760)


def _boards(sheet: Sheet, top: float) -> None:
    wall = sky.rectangle(360, top, 1044, 1044)
    blend = Blend((360, 0), (1024, 900), "#7580ae", "#3c4478")
    sheet.wash(wall, blend, 1.0, reserve=1.0, edge=0.3, flow=0.14)
    for y in range(-8, 1044, 66):
        if y > top:
            line = [(360.0, float(y)), (700.0, y + 3.0), (1044.0, float(y))]
            sheet.stroke(line, [2.6, 3.4, 2.6], "#2f3766", strength=0.6)


def house_wall(sheet: Sheet) -> None:
    """The house's wall with its lit window."""
    left, top, right, bottom = EVENING_WINDOW
    _boards(sheet, -20)
    lamp = Blend((660, 400), (660, 760), "#ffe9a8", "#f0b45c", True)
    sheet.wash(sky.rectangle(left, top, right, bottom), lamp, 1.0, reserve=1.0, edge=0)
    sheet.glow((660, 430), 330, "#f2b24c", 0.28, 1.5)


def window_dressing(sheet: Sheet) -> None:
    """The frame, curtains, and flowers before the child."""
    left, top, right, bottom = EVENING_WINDOW
    _boards(sheet, bottom + 4)
    room.curtain(sheet, (left, top), 130, bottom - top)
    room.curtain(sheet, (right, top), 130, bottom - top, flip=True)
    room.window_frame(sheet, EVENING_WINDOW, bars=False)
    room.flower_box(sheet, left - 20, right + 20, bottom + 30)


ON_THE_WIND = Scene(
    seed=91,
    backdrop=(
        part(land_of_night),
        part(gusts_home),
        parts.fox(Placement(400, 560, 0.74), FoxPose(tilt=6, turn=0.3, asleep=True, tail=False)),
    ),
    hero=(parts.child(parts.half(replace(parts.WAVING_RIGHT, shade=-1.0))),),
    foreground=(part(wilds.cloud_seat, Placement(540, 672, 1.0)),),
)

YELLOW_DAY = Scene(
    seed=92,
    backdrop=(
        part(sunny_hills),
        parts.fox(Placement(240, 396, 0.2), FoxPose(turn=0.5)),
        part(room_by_day),
        part(red_hair),
    ),
    hero=(parts.child(parts.half(replace(parts.WAVING_LEFT, gaze=(-4, 0)))),),
    foreground=(part(room.quilt, 430, 1000, 690),),
)

WINK = Scene(
    seed=93,
    backdrop=(
        part(evening_outside),
        part(house_wall),
    ),
    hero=(
        parts.child(
            parts.half(
                replace(
                    parts.STANDING,
                    left=((-140, 262), (-90, 300)),
                    right=((140, 262), (90, 300)),
                    gaze=(-5, -4),
                )
            )
        ),
    ),
    foreground=(
        part(window_dressing),
        parts.fox(Placement(200, 740, 0.7), FoxPose(tilt=-6, turn=0.6), "#24404a"),
        part(near_grass, 1040, 80),
    ),
)

SCENES: dict[int, Scene] = {33: ON_THE_WIND, 34: YELLOW_DAY, 35: WINK}
