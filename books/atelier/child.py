"""The child: a fox-eared hood around an open oval, a caped coat, mittens and boots.

Drawn about the centre of the face opening, which is 176 wide and 220 high in the figure's own
units; the placement scales it to the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.costume import CAPE, COAT, EAR, EAR_INSIDE, HOOD, TAIL, TAIL_TIP, Dress, mirrored
from books.atelier.face import FACE_RX, FACE_RY, paint_face
from books.atelier.shapes import Point, add_ribbon, blob, ellipse, ribbon, ring, united
from books.atelier.sheet import Blend, Fade


@dataclass(frozen=True)
class Pose:
    """Where the hands are, and how much of the child is to be seen.

    left, right: elbow and hand of the arm on the left and right of the picture; None hides the
    arm behind the coat. shade: +1 when the light comes from the left, -1 from the right. tail: the
    side it hangs to, -1 or 1; 0 hides it. stride: how far the picture's right foot is lifted, in
    the figure's units; negative for the left foot.
    """

    left: tuple[Point, Point] | None = ((-150.0, 262.0), (-150.0, 330.0))
    right: tuple[Point, Point] | None = ((150.0, 262.0), (150.0, 330.0))
    legs: bool = True
    tail: int = 1
    stride: float = 0.0
    shade: float = 1.0
    gaze: Point = (0.0, 0.0)


def paint_child(brush: Brush, pose: Pose, dress: Dress | None = None) -> None:
    """Paints the whole figure, from the back to the front."""
    dress = dress or Dress()
    if pose.tail:
        _tail(brush, dress, pose.tail)
    if pose.legs:
        _legs(brush, dress, pose)
    _coat(brush, dress, pose)
    for side, arm in ((-1, pose.left), (1, pose.right)):
        if arm is not None:
            _arm(brush, dress, pose, side, arm)
    _cape(brush, dress, pose)
    _ears(brush, dress, pose)
    _hood(brush, dress, pose)
    paint_face(brush, pose.shade, pose.gaze)
    _trim(brush, dress, pose)


def _form(
    brush: Brush, path: skia.Path, light: str, deep: str, shade: float, line: str, *, span: float
) -> None:
    """A rounded form: a light coat, a darker one away from the light, a pencil line."""
    brush.wash(path, light, 1.0, reserve=1.0, edge=0.45)
    dark = Fade((-span * shade * 0.35, 0), (span * shade, 0), 0.0, 1.0)
    brush.wash(path, deep, 0.75, edge=0.2, fade=dark)
    brush.pencil(path, line, 2.2, strength=0.62)


def _tail(brush: Brush, dress: Dress, side: int) -> None:
    tail, tip = (TAIL, TAIL_TIP) if side > 0 else (mirrored(TAIL), mirrored(TAIL_TIP))
    _form(brush, tail, dress.fur, dress.fur_deep, side, dress.line, span=330)
    brush.wash(tip, dress.cream, reserve=1.0, clip=tail)
    hairs = skia.Path()
    for x, y in ((170, 440), (206, 430), (236, 408), (258, 380), (150, 420), (214, 402)):
        bend = [(side * (x + dx), y - dy) for dx, dy in ((0, 0), (14, 22), (18, 44))]
        add_ribbon(hairs, bend, [1.0, 3.0, 0.8])
    brush.wash(hairs, dress.fur_deep, 0.6, edge=0, clip=tail)


def _legs(brush: Brush, dress: Dress, pose: Pose) -> None:
    standing = brush
    for side in (-1, 1):
        lift = max(side * pose.stride, 0.0)
        raised = standing.placement.point((side * lift * 0.2, -lift))
        place = replace(standing.placement, x=raised[0], y=raised[1])
        brush = Brush(standing.sheet, place)
        leg = ribbon([(side * 54, 405), (side * 56, 446), (side * 57, 482)], [58, 52, 50])
        _form(brush, leg, dress.leggings, "#3f5a66", pose.shade, dress.line, span=110)
        for y in (436, 452, 468):
            band = ribbon([(side * 56 - 34, y), (side * 56, y + 5), (side * 56 + 34, y)], [6, 6])
            brush.wash(band, "#f3e2c4", reserve=0.85, clip=leg, edge=0)
        boot = blob(
            [
                (side * 26, 474),
                (side * 24, 512),
                (side * 26, 532),
                (side * 70, 536),
                (side * 104, 532),
                (side * 108, 512),
                (side * 90, 496),
                (side * 86, 474),
            ],
        )
        _form(brush, boot, dress.boots, "#4a2c30", pose.shade, dress.line, span=120)
        cuff = ribbon([(side * 22, 474), (side * 56, 480), (side * 92, 473)], [17, 19, 17])
        brush.wash(cuff, dress.cream, reserve=1.0)
        brush.pencil(cuff, dress.line, 1.6, strength=0.5)


def _coat(brush: Brush, dress: Dress, pose: Pose) -> None:
    _form(brush, COAT, dress.coat, dress.coat_deep, pose.shade, dress.line, span=180)
    brush.wash(
        COAT, dress.coat_deep, 0.9, edge=0, fade=Fade((0, 262), (0, 330), 1.0, 0.0)
    )  # the cape's shadow
    for x, lean in ((-92, -14), (-40, -4), (62, 8), (110, 16)):
        fold = [(x - lean, 318), (x, 366), (x + lean, 416)]
        brush.stroke(fold, [0.8, 4.0, 6.0], dress.coat_deep, strength=0.45)
    hem = ribbon([(-152, 404), (-80, 416), (0, 420), (80, 416), (152, 404)], [15, 17, 15])
    brush.wash(hem, dress.cream, 1.0, reserve=0.95, clip=COAT)
    brush.wash(
        hem,
        dress.cream_deep,
        0.6,
        clip=COAT,
        fade=Fade((-60 * pose.shade, 0), (170 * pose.shade, 0), 0, 1),
    )
    brush.stroke([(0, 284), (2, 350), (0, 412)], [2.0, 2.4, 2.0], dress.line, strength=0.5)
    for y in (318, 362):
        toggle = ellipse(0, y, 7, 14, 84)
        brush.wash(toggle, "#7a4a34", 1.2, reserve=1.0)
        brush.gouache(ellipse(-3, y - 3, 5, 1.6), "#f6d9b0", 0.8)
        brush.pencil(toggle, dress.line, 1.6)
    for side in (-1, 1):
        pocket = blob(
            [
                (side * 52, 346),
                (side * 106, 342),
                (side * 112, 384),
                (side * 82, 394),
                (side * 54, 386),
            ],
            {0, 1},
        )
        brush.wash(pocket, dress.coat_deep, 0.22)
        brush.pencil(pocket, dress.line, 1.6, strength=0.5)


def _arm(brush: Brush, dress: Dress, pose: Pose, side: int, arm: tuple[Point, Point]) -> None:
    elbow, hand = arm
    sleeve = skia.Simplify(ribbon([(side * 100, 205), elbow, hand], [74, 70, 58]))
    _form(brush, sleeve, dress.coat, dress.coat_deep, pose.shade, dress.line, span=260)
    angle = math.degrees(math.atan2(hand[1] - elbow[1], hand[0] - elbow[0]))
    ahead = (math.cos(math.radians(angle)), math.sin(math.radians(angle)))
    palm = (hand[0] + ahead[0] * 26, hand[1] + ahead[1] * 26)
    across = (-ahead[1], ahead[0])
    inner = -side if ahead[1] > 0.3 else side
    thumb = ellipse(
        palm[0] + across[0] * inner * 22 - ahead[0] * 4,
        palm[1] + across[1] * inner * 22 - ahead[1] * 4,
        17,
        10,
        angle - inner * 40,
    )
    mitten = united([ellipse(palm[0], palm[1], 34, 27, angle), thumb])
    brush.wash(mitten, dress.mitten, 1.0, reserve=1.0, edge=0.5)
    brush.wash(
        mitten,
        "#6e2735",
        0.5,
        fade=Fade(
            (palm[0] - 20 * pose.shade, palm[1] - 10),
            (palm[0] + 34 * pose.shade, palm[1] + 20),
            0,
            1,
        ),
    )
    brush.pencil(ellipse(palm[0], palm[1], 34, 27, angle), dress.line, 2.0, strength=0.55)
    cuff = ribbon(
        [
            (hand[0] - across[0] * 30, hand[1] - across[1] * 30),
            (hand[0] + ahead[0] * 3, hand[1] + ahead[1] * 3),
            (hand[0] + across[0] * 30, hand[1] + across[1] * 30),
        ],
        [20, 23, 20],
    )
    brush.wash(cuff, dress.cream, 1.0, reserve=1.0)
    brush.wash(
        cuff,
        dress.cream_deep,
        0.5,
        fade=Fade((hand[0], hand[1] - 20), (hand[0] + 26 * pose.shade, hand[1] + 16), 0, 1),
    )
    brush.pencil(cuff, dress.line, 1.6, strength=0.5)


def _cape(brush: Brush, dress: Dress, pose: Pose) -> None:
    _form(brush, CAPE, dress.fur, dress.fur_deep, pose.shade, dress.line, span=200)
    brush.wash(CAPE, dress.fur_deep, 1.0, edge=0, fade=Fade((0, 150), (0, 214), 1.0, 0.0))
    for x, lean in ((-120, -30), (-72, -14), (-24, -4), (30, 6), (80, 18), (126, 32)):
        fold = [(x - lean * 0.9, 196), (x, 230), (x + lean * 0.4, 264)]
        brush.stroke(fold, [0.8, 3.4, 1.2], dress.fur_deep, strength=0.5)
    stitches = united(
        ellipse(x, y, 4.4, 1.5, a)
        for x, y, a in (
            (-160, 250, -8),
            (-138, 248, 14),
            (-116, 256, 28),
            (-92, 266, -4),
            (-68, 261, -14),
            (-44, 260, 10),
            (-20, 268, 22),
            (4, 274, -6),
            (26, 266, -24),
            (50, 259, -4),
            (74, 263, 16),
            (98, 267, -4),
            (120, 256, -30),
            (142, 248, -8),
            (162, 251, 12),
        )
    )
    brush.gouache(stitches, "#fbe6c2", 0.85)


def _ears(brush: Brush, dress: Dress, pose: Pose) -> None:
    for flip in (False, True):
        ear = mirrored(EAR) if flip else EAR
        inside = mirrored(EAR_INSIDE) if flip else EAR_INSIDE
        _form(brush, ear, dress.fur, dress.fur_deep, pose.shade, dress.line, span=190)
        brush.wash(inside, Blend((0, -240), (0, -130), "#f6ddc4", "#d98d7c"), 1.0, reserve=1.0)
        sign = -1 if flip else 1
        for start, end in (
            ((100, -140), (116, -200)),
            ((112, -132), (128, -184)),
            ((90, -150), (104, -190)),
        ):
            middle = ((start[0] + end[0]) / 2 - 4, (start[1] + end[1]) / 2)
            tuft = [(sign * x, y) for x, y in (start, middle, end)]
            brush.gouache(ribbon(tuft, [6, 4, 1]), "#fff3e0", 0.8)
        tip = blob(
            [(sign * 112, -252), (sign * 139, -272), (sign * 151, -226), (sign * 132, -236)], {1}
        )
        brush.wash(tip, "#6b3038", 0.9, soft=2.5, clip=ear)


def _hood(brush: Brush, dress: Dress, pose: Pose) -> None:
    _form(brush, HOOD, dress.fur, dress.fur_deep, pose.shade, dress.line, span=170)
    lit = -pose.shade
    brush.gouache(
        ribbon([(lit * 36, -158), (lit * 92, -122), (lit * 124, -52)], [6, 22, 6]),
        "#f7bd7c",
        0.5,
        soft=7,
        clip=HOOD,
    )
    rng = np.random.default_rng(5)
    hairs = skia.Path()
    for angle in np.linspace(-math.pi * 1.2, math.pi * 0.2, 46):
        radius = rng.uniform(1.02, 1.22)
        x, y = 122 * radius * math.cos(angle) * 0.98, 140 * radius * math.sin(angle) * 0.98
        bend = 12 * math.cos(angle)
        add_ribbon(
            hairs,
            [(x, y), (x * 1.05 + bend * 0.3, y * 1.05 + 3), (x * 1.08 + bend * 0.5, y * 1.08 + 10)],
            [1, 2.6, 0.6],
            4,
        )
    brush.wash(hairs, dress.fur_deep, 0.7, edge=0, clip=HOOD)
    blaze = blob([(0, -172), (20, -150), (15, -124), (0, -112), (-15, -124), (-20, -150)], {0})
    brush.wash(blaze, dress.cream, reserve=0.9)
    bow = ellipse(0, 168, 15, 13)
    brush.wash(bow, "#7a4a34", 1.1, reserve=1.0)
    brush.pencil(bow, dress.line, 1.8)


def _trim(brush: Brush, dress: Dress, pose: Pose) -> None:
    """A fluffy border that leaves the face opening exactly free."""
    tufts = [ellipse(x, y, 19, 19) for x, y in ring(FACE_RX + 14, FACE_RY + 14, 30, 0.1)]
    fluff = skia.Op(united(tufts), ellipse(0, 0, FACE_RX, FACE_RY), skia.kDifference_PathOp)
    band = skia.Op(
        ellipse(0, 0, FACE_RX + 20, FACE_RY + 20),
        ellipse(0, 0, FACE_RX, FACE_RY),
        skia.kDifference_PathOp,
    )
    fur = skia.Op(fluff, band, skia.kUnion_PathOp)
    brush.wash(fur, dress.cream, 0.9, reserve=1.0, edge=0.5)
    brush.wash(
        fur,
        dress.cream_deep,
        0.8,
        edge=0.2,
        fade=Fade((-30 * pose.shade, -60), (130 * pose.shade, 90), 0.0, 1.0),
    )
    rng = np.random.default_rng(9)
    hairs = skia.Path()
    for x, y in ring(FACE_RX + 13, FACE_RY + 13, 64):
        turn = rng.uniform(-0.35, 0.35)
        dx, dy = x / 100, y / 120
        dx, dy = dx - dy * turn, dy + dx * turn
        start = rng.uniform(-9, 2)
        long = rng.uniform(9, 17)
        add_ribbon(
            hairs,
            [(x + dx * start, y + dy * start), (x + dx * (start + long), y + dy * (start + long))],
            [2.0, 0.5],
            3,
        )
    brush.wash(hairs, "#b9835f", 0.65, edge=0, clip=fur)
