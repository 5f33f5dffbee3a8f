"""The fox's other bodies, about the middle of its head: trotting, and curled up."""

from __future__ import annotations

from books.atelier.brush import Brush
from books.atelier.shapes import blob, ellipse, ribbon
from books.atelier.sheet import Fade

FUR = "#e08a45"
FUR_DEEP = "#b4583c"
CREAM = "#fbf0dc"
CREAM_DEEP = "#d8b596"
SOCK = "#5a3a3c"
LINE = "#553236"

TROT = blob(
    [
        (-30, 40),
        (40, 26),
        (130, 30),
        (216, 34),
        (262, 66),
        (262, 118),
        (226, 144),
        (130, 150),
        (40, 152),
        (-14, 130),
    ]
)
BRUSH_TAIL = blob(
    [(240, 70), (300, 40), (362, 6), (418, 4), (432, 40), (396, 84), (330, 112), (256, 112)], {3}
)
BRUSH_TIP = blob([(378, 0), (440, -10), (440, 50), (400, 84), (392, 56), (376, 44), (386, 22)], {4})
CURL = blob(
    [
        (-96, 40),
        (-40, 4),
        (60, -22),
        (160, -6),
        (222, 50),
        (226, 110),
        (160, 142),
        (40, 148),
        (-60, 134),
        (-112, 92),
    ]
)
CURL_TAIL = blob(
    [(226, 70), (236, 122), (160, 158), (40, 166), (-70, 158), (-128, 124), (-60, 112), (60, 122)],
    {5},
)
CURL_TIP = blob(
    [(-132, 120), (-70, 104), (-10, 116), (-24, 138), (-4, 150), (-30, 172), (-90, 160)]
)


def paint_trotting(brush: Brush) -> None:
    """A body on four legs that walks to the left of the picture."""
    _tufted(brush)
    for x, y, lift in ((30, 120, -26), (236, 116, 20)):
        _leg(brush, (x, y), lift, deep=True)
    brush.wash(TROT, FUR, 1.0, reserve=1.0, edge=0.5)
    brush.wash(TROT, FUR_DEEP, 0.85, edge=0.1, fade=Fade((0, 60), (40, 160), 0.0, 1.0))
    belly = ribbon([(20, 146), (120, 140), (210, 142)], [10, 22, 8])
    brush.wash(belly, CREAM, 0.9, reserve=0.9, clip=TROT)
    brush.pencil(TROT, LINE, 2.0, strength=0.5)
    for x, y, lift in ((-4, 122, 18), (204, 120, -22)):
        _leg(brush, (x, y), lift, deep=False)
    bib = blob([(-42, 44), (-50, 90), (-24, 140), (6, 128), (30, 84), (34, 44)])
    brush.wash(bib, CREAM, 1.0, reserve=1.0, edge=0.5)
    brush.wash(bib, CREAM_DEEP, 0.8, edge=0, fade=Fade((0, 56), (0, 110), 1.0, 0.1))


def _tufted(brush: Brush) -> None:
    brush.wash(BRUSH_TAIL, FUR, 1.0, reserve=1.0, edge=0.5)
    brush.wash(BRUSH_TAIL, FUR_DEEP, 0.7, edge=0.1, fade=Fade((330, 30), (350, 120), 0.0, 1.0))
    brush.wash(BRUSH_TIP, CREAM, reserve=1.0, clip=BRUSH_TAIL)
    brush.pencil(BRUSH_TAIL, LINE, 2.0, strength=0.5)


def _leg(brush: Brush, top: tuple[float, float], lean: float, *, deep: bool) -> None:
    x, y = top
    leg = ribbon([(x, y), (x + lean * 0.5, y + 60), (x - lean * 0.5, y + 118)], [46, 32, 26])
    brush.wash(leg, FUR_DEEP if deep else FUR, 1.0, reserve=1.0, edge=0.4)
    brush.wash(leg, SOCK, 1.3, edge=0.1, fade=Fade((0, y + 40), (0, y + 92), 0.0, 1.0))
    paw = ellipse(x - lean * 0.5 - 8, y + 124, 23, 12)
    brush.wash(paw, SOCK, 1.1, reserve=1.0)
    brush.pencil(leg, LINE, 1.6, strength=0.4)


def paint_curled(brush: Brush) -> None:
    """A body rolled up behind the head, the tail before the paws."""
    brush.wash(CURL, FUR, 1.0, reserve=1.0, edge=0.5)
    brush.wash(CURL, FUR_DEEP, 0.9, edge=0.1, fade=Fade((20, 10), (140, 170), 0.0, 1.0))
    brush.stroke([(96, 30), (150, 64), (150, 112)], [1, 3, 1], LINE, strength=0.5)
    brush.pencil(CURL, LINE, 2.0, strength=0.5)
    brush.wash(CURL_TAIL, FUR, 1.0, reserve=1.0, edge=0.5)
    brush.wash(CURL_TAIL, FUR_DEEP, 0.6, edge=0.1, fade=Fade((0, 120), (0, 168), 0.0, 1.0))
    brush.wash(CURL_TIP, CREAM, reserve=1.0, clip=CURL_TAIL)
    brush.pencil(CURL_TAIL, LINE, 2.0, strength=0.5)
