"""Cold-pressed paper: its tooth, how water runs on it, and how a finished sheet is scanned."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
ByteImage = NDArray[np.uint8]

WHITE = np.array([0.985, 0.972, 0.945], dtype=np.float32)
"""Colour of the bare sheet: warm white, RGB 0..1."""

_SPARE = 512
"""Fields are this much larger than the sheet, so that each wash can look at another part."""


@dataclass(frozen=True)
class Paper:
    """Random fields of a sheet, float32, mean 0 and deviation 1, `size + 512` pixels square."""

    size: int
    tooth: FloatImage
    mottle: FloatImage
    flow: FloatImage
    drift_x: FloatImage
    drift_y: FloatImage


def make_paper(seed: int, size: int) -> Paper:
    """The sheet of a seed; the same seed and size give the same sheet."""
    rng = np.random.default_rng(seed)
    extent = size + _SPARE
    tooth = _octaves(rng, extent, (2.6, 5.0), (1.0, 0.6))
    mottle = _octaves(rng, extent, (9, 20), (1.0, 0.8))
    flow = _octaves(rng, extent, (170, 80, 34), (1.0, 0.7, 0.35))
    drift_x = _octaves(rng, extent, (46, 14), (1.0, 0.4))
    drift_y = _octaves(rng, extent, (46, 14), (1.0, 0.4))
    return Paper(size, tooth, mottle, flow, drift_x, drift_y)


def _octaves(
    rng: np.random.Generator, extent: int, cells: tuple[float, ...], weights: tuple[float, ...]
) -> FloatImage:
    total = np.zeros((extent, extent), dtype=np.float32)
    for cell, weight in zip(cells, weights, strict=True):
        count = int(extent / cell) + 4
        knots = rng.standard_normal((count, count)).astype(np.float32)
        field = cv2.resize(knots, (extent, extent), interpolation=cv2.INTER_CUBIC)
        total += weight * np.asarray(field, dtype=np.float32)
    total -= total.mean()
    return np.asarray(total / total.std(), dtype=np.float32)


def scan(canvas: FloatImage, paper: Paper) -> ByteImage:
    """The finished sheet as HxWx3 uint8 RGB.

    Every pixel depends on its own colour and place only: two paintings that agree somewhere
    still agree there after the scan.
    """
    size = paper.size
    relief = paper.tooth[:size, :size] - np.roll(paper.tooth[:size, :size], (1, 1), (0, 1))
    lit = canvas * (1 + 0.010 * relief[..., None])
    return np.asarray(np.rint(np.clip(lit, 0, 1) * 255), dtype=np.uint8)
