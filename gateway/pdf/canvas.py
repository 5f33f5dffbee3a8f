"""What is drawn on one page: pictures, plain areas, text. Everything is opaque."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Literal

from gateway.pdf.content import Ink
from gateway.pdf.fonts import Cluster, Face, Glyph
from gateway.pdf.geometry import Rect
from gateway.pdf.pictures import Embedded
from gateway.pdf.typesetting import ASCENT, SetText
from gateway.pdf.writer import Ref, number, text_string

Colour = tuple[float, float, float]
"""sRGB, 0 to 1."""
Turn = Literal["upright", "downwards"]

PAPER: Colour = (0.992, 0.973, 0.933)
"""Warm white of panels."""
_INKS = {"dark": "0 g", "light": "1 g"}  # black ink alone, and bare paper: sharp without register
_VIGNETTE_CUTS = 0.06
_ROUND = 0.5523  # a quarter of a circle as a Bézier curve


def _join(*values: float) -> str:
    return " ".join(map(number, values))


class Canvas:
    """Collects a page's operators. name_font gives a face's name in the resources and notes the
    glyphs that are used of it."""

    def __init__(self, name_font: Callable[[Face, list[Cluster]], str]) -> None:
        self._name_font = name_font
        self._operators: list[str] = []
        self.pictures: dict[str, Ref] = {}
        self.fonts: set[str] = set()

    def content(self) -> bytes:
        """The page's content stream; empty for a blank page."""
        return "\n".join(self._operators).encode("ascii")

    def picture(self, embedded: Embedded, area: Rect, clip: Rect | None = None) -> None:
        """Fills the area with a picture's middle; what is outside of clip doesn't show."""
        clip = clip or area
        outline = f"{_join(clip.left, clip.bottom, clip.width, clip.height)} re"
        self._draw(embedded, area, outline)

    def vignette(self, embedded: Embedded, area: Rect) -> None:
        """A picture's middle, without its rims, in the circle that fits into the square area."""
        larger = area.inset(-_VIGNETTE_CUTS * area.width)
        self._draw(embedded, larger, _rounded(area, area.width / 2))

    def _draw(self, embedded: Embedded, area: Rect, outline: str) -> None:
        name = f"P{embedded.ref}"
        self.pictures[name] = embedded.ref
        whole = area.covered_by(embedded.width, embedded.height)
        matrix = _join(whole.width, 0, 0, whole.height, whole.left, whole.bottom)
        self._operators.append(f"q {outline} W n {matrix} cm /{name} Do Q")

    def fill(self, area: Rect, colour: Colour, radius: float = 0.0) -> None:
        """A plain area, with round corners if asked."""
        self._operators.append(f"q /sRGB cs {_join(*colour)} sc {_rounded(area, radius)} f Q")

    def text(
        self,
        text: SetText,
        area: Rect,
        ink: Ink,
        align: Literal["middle", "left"] = "middle",
        turn: Turn = "upright",
    ) -> None:
        """Sets a text into the middle of an area's height. Turned downwards, its lines run from
        the top of the area to its bottom, as on a spine."""
        width, height = area.width, area.height
        matrix = f"1 0 0 1 {_join(area.left, area.bottom)}"
        if turn == "downwards":
            width, height = height, width
            matrix = f"0 -1 1 0 {_join(area.left, area.top)}"
        size = text.size_pt
        baseline = (height + text.height) / 2 - ASCENT * size
        self._operators.append(f"q {matrix} cm BT {_INKS[ink]}")
        for line in text.lines:
            start = (width - line.width * size) / 2 if align == "middle" else 0.0
            self._operators.append(f"1 0 0 1 {_join(start, baseline)} Tm")
            for face, clusters in text.typeface.shape(line.text, text.where):
                font = self._name_font(face, clusters)
                self.fonts.add(font)
                self._operators.append(f"/{font} {number(size)} Tf {_show(face, clusters, size)}")
            baseline -= text.leading * size
        self._operators.append("ET Q")


def _rounded(area: Rect, radius: float) -> str:
    """A path around an area with corners of that radius."""
    r, k = radius, radius * (1 - _ROUND)
    left, bottom, right, top = area.left, area.bottom, area.right, area.top
    return " ".join(
        (
            f"{_join(left + r, bottom)} m {_join(right - r, bottom)} l",
            f"{_join(right - k, bottom, right, bottom + k, right, bottom + r)} c",
            f"{_join(right, top - r)} l {_join(right, top - k, right - k, top, right - r, top)} c",
            f"{_join(left + r, top)} l {_join(left + k, top, left, top - k, left, top - r)} c",
            f"{_join(left, bottom + r)} l",
            f"{_join(left, bottom + k, left + k, bottom, left + r, bottom)} c h",
        )
    )


def _show(face: Face, clusters: list[Cluster], size: float) -> str:
    """The operators that show glyphs. Where several stand for one text, readers are told which
    (ISO 32000-1, 14.9.4)."""
    shown: list[str] = []
    for alone, run in groupby(clusters, lambda cluster: len(cluster.glyphs) == 1):
        if alone:
            shown.append(_glyphs(face, [cluster.glyphs[0] for cluster in run], size))
            continue
        for cluster in run:
            told = f"/Span << /ActualText {text_string(cluster.text)} >> BDC"
            shown.append(f"{told} {_glyphs(face, cluster.glyphs, size)} EMC")
    return " ".join(shown)


def _glyphs(face: Face, glyphs: Sequence[Glyph], size: float) -> str:
    """Glyphs, with what shaping moved (ISO 32000-1, 9.4.3)."""
    shown: list[str] = []
    row: list[str] = []
    rise = 0.0
    for glyph in glyphs:
        if glyph.dy != rise:
            shown.append(f"[{' '.join(row)}] TJ {number(glyph.dy * size)} Ts")
            row, rise = [], glyph.dy
        after = face.advance(glyph.gid) + glyph.dx - glyph.advance
        if glyph.dx:
            row.append(number(-1000 * glyph.dx))
        row.append(f"<{glyph.gid:04X}>")
        if abs(after) > 1e-6:
            row.append(number(1000 * after))
    shown.append(f"[{' '.join(row)}] TJ" + (" 0 Ts" if rise else ""))
    return " ".join(shown)
