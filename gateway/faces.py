"""Whose face it is: the rules that turn detections into the one face of a photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import Problem
from gateway.ports import Face

BYSTANDER_SHARE: Final = 0.2
"""A face with less than this share of the largest face's area is a passer-by in the background:
someone on a poster or across the street doesn't make a portrait ambiguous."""


@dataclass(frozen=True)
class PortraitFace:
    """The one face of a photo. ``confidence`` is 0–1; ``area_percent`` is its box's share of the
    photo's area, 0–100."""

    confidence: float
    area_percent: float


def portrait_face(
    faces: Sequence[Face], *, width: int, height: int, min_area_percent: float
) -> PortraitFace:
    """Return the one face of a photo of ``width`` × ``height`` pixels.

    Raises:
        Problem: ``no_face``; ``several_faces`` when a second face has at least a fifth of the
            largest one's area; ``face_too_small`` when it has less than ``min_area_percent`` of
            the photo.
    """
    if not faces:
        raise Problem("no_face", "Please choose a photo that shows the child's face.")
    by_size = sorted(faces, key=lambda face: _area(face, width, height), reverse=True)
    largest = _area(by_size[0], width, height)
    alike = [f for f in by_size if _area(f, width, height) >= BYSTANDER_SHARE * largest]
    if len(alike) > 1:
        raise Problem(
            "several_faces", f"{len(alike)} faces were found; please choose a photo of one child."
        )
    percent = 100 * largest / (width * height)
    if percent < min_area_percent:
        raise Problem(
            "face_too_small",
            f"The face takes {percent:.1f} % of the photo; at least {min_area_percent:g} % is "
            "needed. Please crop the photo or move closer.",
        )
    return PortraitFace(by_size[0].confidence, percent)


def _area(face: Face, width: int, height: int) -> float:
    """The area, in pixels, of the part of the face's box that lies in the photo."""
    left, top, right, bottom = face.box
    across = min(right, width) - max(left, 0)
    down = min(bottom, height) - max(top, 0)
    return max(across, 0.0) * max(down, 0.0)
