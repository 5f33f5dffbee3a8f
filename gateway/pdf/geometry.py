"""Rectangles on a sheet, in points (1/72 in), from the lower left, as PDF counts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.pdf.content import TextBox
from gateway.pdf.writer import number
from gateway.print_profiles import PrintProfile

PT = 72.0
"""Points in an inch."""


@dataclass(frozen=True)
class Rect:
    """A rectangle by its lower left corner and its size."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """The upper edge."""
        return self.bottom + self.height

    def inset(self, by: float) -> Rect:
        """So much smaller at every side; larger for a negative one."""
        return Rect(self.left + by, self.bottom + by, self.width - 2 * by, self.height - 2 * by)

    def within(self, other: Rect) -> Rect:
        """What of this lies in the other one; its sides are 0 if nothing does."""
        left, bottom = max(self.left, other.left), max(self.bottom, other.bottom)
        right, top = min(self.right, other.right), min(self.top, other.top)
        return Rect(left, bottom, max(0.0, right - left), max(0.0, top - bottom))

    def centred(self, width: float, height: float) -> Rect:
        """A rectangle of that size with the same middle."""
        left = self.left + (self.width - width) / 2
        return Rect(left, self.bottom + (self.height - height) / 2, width, height)

    def covered_by(self, width: float, height: float) -> Rect:
        """The smallest rectangle of these proportions that covers this one, middle on middle."""
        scale = max(self.width / width, self.height / height)
        return self.centred(width * scale, height * scale)

    def place(self, box: TextBox) -> Rect:
        """Where a box of a picture comes to lie if the picture fills this square rectangle."""
        scale = self.width / box.of_px
        bottom = self.top - (box.top + box.height) * scale
        return Rect(self.left + box.left * scale, bottom, box.width * scale, box.height * scale)

    def array(self) -> str:
        """As a PDF box."""
        return f"[{' '.join(map(number, (self.left, self.bottom, self.right, self.top)))}]"


@dataclass(frozen=True)
class Sheet:
    """A page of paper before it is trimmed: all of it, what is left after trimming, how far
    pictures go (further than the paper where a bleed isn't wanted), and where text may stand."""

    media: Rect
    trim: Rect
    bleed: Rect
    safe: Rect


def print_sheet(profile: PrintProfile) -> Sheet:
    """An interior page as the printer wants it."""
    bleed = profile.bleed_in * PT
    width, height = profile.trim_width_in * PT, profile.trim_height_in * PT
    media = Rect(0, 0, width + 2 * bleed, height + 2 * bleed)
    trim = media.inset(bleed)
    return Sheet(media, trim, media, trim.inset(profile.safety_in * PT))


def screen_sheet(profile: PrintProfile) -> Sheet:
    """The same page as it looks once it is trimmed."""
    trim = Rect(0, 0, profile.trim_width_in * PT, profile.trim_height_in * PT)
    bleed = trim.inset(-profile.bleed_in * PT)
    return Sheet(trim, trim, bleed, trim.inset(profile.safety_in * PT))
