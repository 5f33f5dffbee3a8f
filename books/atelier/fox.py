"""The fox: its head, and sitting, seen from the front and a little from the side.

Drawn about the middle of its head; ears reach up to about -150, paws down to about 290.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.fox_bodies import (
    CREAM,
    CREAM_DEEP,
    FUR,
    FUR_DEEP,
    LINE,
    SOCK,
    paint_curled,
    paint_trotting,
)
from books.atelier.shapes import Placement, Point, add_ribbon, blob, ellipse, moved, ribbon, united
from books.atelier.sheet import Blend, Fade


@dataclass(frozen=True)
class FoxPose:
    """tilt: degrees the head leans, clockwise; turn: how far the features move sideways, -1..1;
    shade: +1 when the light comes from the left; asleep: eyes closed in a smile; tail: False hides
    a sitting fox's tail."""

    tilt: float = 0.0
    turn: float = 0.0
    shade: float = 1.0
    asleep: bool = False
    body: Literal["sits", "trots", "curled", "hidden"] = "sits"
    tail: bool = True


TAIL = blob(
    [
        (40, 258),
        (96, 282),
        (160, 276),
        (206, 226),
        (208, 160),
        (176, 104),
        (150, 74),
        (146, 128),
        (136, 168),
        (112, 202),
        (66, 214),
    ],
    {6},
)
TAIL_TIP = blob(
    [(150, 66), (196, 110), (214, 160), (190, 152), (180, 170), (164, 148), (150, 164), (138, 140)],
    {0, 3, 4, 5, 6},
)
BODY = blob(
    [
        (-46, 40),
        (-66, 110),
        (-92, 190),
        (-98, 256),
        (-70, 288),
        (0, 292),
        (70, 288),
        (98, 256),
        (92, 190),
        (66, 110),
        (46, 40),
    ],
)
CHEST = blob(
    [
        (-48, 44),
        (-54, 92),
        (-36, 118),
        (-30, 148),
        (-12, 156),
        (0, 184),
        (12, 156),
        (30, 148),
        (36, 118),
        (54, 92),
        (48, 44),
    ],
    {2, 4, 5, 6, 8},
)
HEAD = blob(
    [
        (0, -74),
        (46, -70),
        (84, -34),
        (98, 8),
        (124, 40),
        (92, 46),
        (84, 62),
        (50, 66),
        (0, 84),
        (-50, 66),
        (-84, 62),
        (-92, 46),
        (-124, 40),
        (-98, 8),
        (-84, -34),
        (-46, -70),
    ],
    {4, 5, 11, 12},
)
EAR = blob([(22, -66), (44, -112), (82, -156), (104, -96), (92, -20)], {2})
EAR_INSIDE = blob([(46, -72), (58, -104), (80, -136), (92, -92), (84, -44)], {2})


def paint_fox(brush: Brush, pose: FoxPose) -> None:
    """Paints the fox, tail first, head last."""
    if pose.body == "sits":
        if pose.tail:
            _tail(brush)
        _body(brush, pose)
    elif pose.body == "trots":
        paint_trotting(brush)
    elif pose.body == "curled":
        paint_curled(brush)
    place = brush.placement
    tilted = replace(place, angle=place.angle + pose.tilt)
    _head(Brush(brush.sheet, tilted), pose)


def _fur(brush: Brush, area: skia.Path, spots: list[Point], lean: Point, colour: str) -> None:
    """Short brush hairs, clipped to a part of the body."""
    rng = np.random.default_rng(len(spots) * 7 + int(abs(spots[0][0])))
    hairs = skia.Path()
    for x, y in spots:
        long = rng.uniform(0.7, 1.3)
        bend = rng.uniform(-4, 4)
        add_ribbon(
            hairs,
            [
                (x, y),
                (x + lean[0] * long * 0.5 + bend, y + lean[1] * long * 0.5),
                (x + lean[0] * long, y + lean[1] * long),
            ],
            [0.8, 3.0, 0.6],
            4,
        )
    brush.wash(hairs, colour, 0.6, edge=0, clip=area)


def _scatter(box: tuple[float, float, float, float], count: int, seed: int) -> list[Point]:
    rng = np.random.default_rng(seed)
    xs, ys = rng.uniform(box[0], box[2], count), rng.uniform(box[1], box[3], count)
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def _tail(brush: Brush) -> None:
    brush.wash(TAIL, FUR, 1.0, reserve=1.0, edge=0.5)
    brush.wash(TAIL, FUR_DEEP, 0.8, edge=0.2, fade=Fade((150, 120), (110, 280), 0.0, 1.0))
    _fur(brush, TAIL, _scatter((70, 150, 200, 270), 34, 1), (16, -24), FUR_DEEP)
    brush.wash(TAIL_TIP, CREAM, reserve=1.0, clip=TAIL)
    brush.wash(TAIL_TIP, CREAM_DEEP, 0.6, clip=TAIL, fade=Fade((150, 90), (205, 150), 0, 1))
    brush.pencil(TAIL, LINE, 2.0, strength=0.55)


def _body(brush: Brush, pose: FoxPose) -> None:
    side = Fade((-30 * pose.shade, 120), (110 * pose.shade, 200), 0.0, 1.0)
    brush.wash(BODY, FUR, 1.0, reserve=1.0, edge=0.5)
    brush.wash(BODY, FUR_DEEP, 0.85, edge=0.2, fade=side)
    _fur(brush, BODY, _scatter((-90, 130, 90, 280), 50, 2), (0, 20), FUR_DEEP)
    for flank in (-1, 1):
        haunch = blob(
            [
                (flank * 50, 200),
                (flank * 92, 196),
                (flank * 104, 250),
                (flank * 84, 288),
                (flank * 46, 288),
            ]
        )
        brush.wash(haunch, FUR_DEEP, 0.35, clip=BODY)
        brush.stroke(
            [(flank * 52, 204), (flank * 44, 240), (flank * 52, 276)],
            [1, 2.6, 1],
            LINE,
            strength=0.55,
        )
        foot = ellipse(flank * 66, 286, 32, 14)
        brush.wash(foot, SOCK, 1.0, reserve=1.0)
        brush.pencil(foot, LINE, 1.6)
    for leg in (-1, 1):
        shin = ribbon([(leg * 22, 150), (leg * 24, 220), (leg * 24, 278)], [40, 34, 34])
        brush.wash(shin, FUR, 0.9, reserve=1.0, edge=0.3)
        brush.wash(shin, SOCK, 1.3, edge=0.1, fade=Fade((0, 190), (0, 246), 0.0, 1.0))
        paw = ellipse(leg * 25, 284, 23, 15)
        brush.wash(paw, SOCK, 1.1, reserve=1.0)
        brush.pencil(shin, LINE, 1.6, strength=0.4)
        for toe in (-7, 6):
            brush.stroke([(leg * 25 + toe, 284), (leg * 25 + toe, 294)], [1.6, 1.2], "#2a1a1e")
    brush.wash(CHEST, CREAM, 1.0, reserve=1.0, edge=0.5)
    brush.wash(CHEST, CREAM_DEEP, 0.9, edge=0, fade=Fade((0, 60), (0, 120), 1.0, 0.15))
    _fur(brush, CHEST, _scatter((-44, 80, 44, 160), 22, 3), (0, 18), CREAM_DEEP)
    brush.pencil(BODY, LINE, 2.0, strength=0.5)


def _head(brush: Brush, pose: FoxPose) -> None:
    for flip in (1, -1):
        mirror = Placement(flip=flip < 0)
        ear, inside = moved(EAR, mirror), moved(EAR_INSIDE, mirror)
        brush.wash(ear, FUR, 1.0, reserve=1.0, edge=0.5)
        brush.wash(ear, SOCK, 1.4, edge=0, fade=Fade((0, -112), (0, -150), 0.0, 1.0))
        brush.wash(inside, Blend((0, -130), (0, -60), "#f7e3cf", "#cf8f7c"), reserve=1.0)
        brush.pencil(ear, LINE, 2.0, strength=0.6)
    brush.wash(HEAD, FUR, 1.0, reserve=1.0, edge=0.45)
    brush.wash(
        HEAD,
        FUR_DEEP,
        0.7,
        edge=0.1,
        fade=Fade((-20 * pose.shade, 0), (120 * pose.shade, 30), 0, 1),
    )
    _fur(brush, HEAD, _scatter((-62, -66, 62, -34), 16, 4), (0, -9), FUR_DEEP)
    shift = pose.turn * 16
    mask = blob(
        [
            (shift, 6),
            (shift + 22, 26),
            (shift * 0.6 + 60, 12),
            (100, 22),
            (130, 42),
            (92, 50),
            (84, 66),
            (50, 70),
            (0, 90),
            (-50, 70),
            (-84, 66),
            (-92, 50),
            (-130, 42),
            (-100, 22),
            (shift * 0.6 - 60, 12),
            (shift - 22, 26),
        ],
        {4, 5, 11, 12},
    )
    brush.wash(mask, CREAM, 1.0, reserve=1.0, edge=0.35, clip=HEAD)
    brush.wash(
        mask, CREAM_DEEP, 0.55, edge=0, clip=HEAD, fade=Fade((0, 40), (30 * pose.shade, 92), 0, 1)
    )
    for cheek in (-1, 1):
        brush.wash(ellipse(shift * 0.6 + cheek * 58, 34, 17, 11), "#f0a48c", 0.6, soft=7, clip=HEAD)
    brush.pencil(HEAD, LINE, 2.1, strength=0.6)
    _features(brush, pose, shift)


def _features(brush: Brush, pose: FoxPose, shift: float) -> None:
    for eye in (-1, 1):
        x, y = shift + eye * 40, 2.0
        if pose.asleep:
            brush.stroke([(x - 14, y), (x, y + 9), (x + 14, y)], [1.5, 4.2, 1.5], "#2c1a1c")
        else:
            pupil = ellipse(x, y, 11.5, 14.5)
            brush.wash(pupil, "#2a1719", 1.2, reserve=1.0)
            brush.gouache(ellipse(x - 3, y - 5, 3.4, 3.8), "#ffffff", 1.0, dry=0)
            brush.gouache(ellipse(x + 3, y + 6, 1.6, 1.6), "#f8d9b8", 0.8, dry=0)
            brush.stroke(
                [(x - eye * 9, y - 24), (x + eye * 3, y - 26), (x + eye * 13, y - 19)],
                [1, 4.0, 1],
                "#3a2224",
            )
    nose = blob(
        [
            (shift - 13, 42),
            (shift, 38),
            (shift + 13, 42),
            (shift + 6, 54),
            (shift, 57),
            (shift - 6, 54),
        ]
    )
    brush.wash(nose, "#2f1c20", 1.1, reserve=1.0)
    brush.gouache(ellipse(shift - 4, 43.5, 4, 2), "#e8d5d0", 0.8)
    smile = [(shift - 19, 62), (shift - 9, 69), (shift, 58), (shift + 9, 69), (shift + 19, 62)]
    brush.stroke(smile[:3], [0.8, 2.4, 2.2], "#4a2a2c")
    brush.stroke(smile[2:], [2.2, 2.4, 0.8], "#4a2a2c")
    whiskers = united(
        ribbon(
            [
                (shift + side * 32, y),
                (shift + side * 62, y - rise),
                (shift + side * 92, y - rise * 1.2),
            ],
            [1.6, 1.2, 0.5],
        )
        for side in (-1, 1)
        for y, rise in ((54, 4), (60, -3))
    )
    brush.gouache(whiskers, "#fff8ea", 0.75, dry=0)
