"""Quiet areas: where words will stand, details are softened and light or dark is held back."""

from __future__ import annotations

import cv2
import numpy as np

from books.atelier.paper import FloatImage
from books.model import TextBox

_DARKEST_PAPER = 0.42
"""Luminance that the ground of dark ink has at least (contrast 9.4 with black)."""

_LIGHTEST_NIGHT = 0.11
"""Luminance that the ground of light ink has at most (contrast 6.5 with white)."""

_FEATHER = 56.0
"""How softly a quiet area ends, px."""

_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def quieten(canvas: FloatImage, box: TextBox, apart_from: FloatImage) -> None:
    """Softens the canvas (HxWx3 RGB 0..1) under a text box, in place.

    apart_from: HxW 0..1, where nothing may change (1).
    """
    inside = np.zeros(canvas.shape[:2], dtype=np.float32)
    grow = int(_FEATHER * 0.8)
    top, left = max(box.top - grow, 0), max(box.left - grow, 0)
    inside[top : box.top + box.height + grow, left : box.left + box.width + grow] = 1
    weight = cv2.GaussianBlur(inside, (0, 0), _FEATHER / 2) * (1 - apart_from)
    soft = cv2.GaussianBlur(canvas, (0, 0), 22)
    calm = soft * 0.92 + canvas * 0.08
    linear = np.clip(calm, 0.001, 1) ** 2.2
    luminance = linear @ _LUMA
    if box.ink == "light":
        # A knee instead of a cut: what is dark enough keeps its shades.
        knee = _LIGHTEST_NIGHT * (1 - np.exp(-luminance / _LIGHTEST_NIGHT))
        calm = np.clip(linear * (knee / luminance)[..., None], 0, 1) ** (1 / 2.2)
    else:
        lack = np.clip((_DARKEST_PAPER - luminance) / (1 - luminance), 0, 1)
        calm = (linear + (1 - linear) * lack[..., None]) ** (1 / 2.2)
    canvas += (calm.astype(np.float32) - canvas) * weight[..., None]
