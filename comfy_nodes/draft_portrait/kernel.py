"""Paint the person of a photo into the face opening of a template page."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..faces import ByteImage
from .alignment import AlignedFace, align, calm_beyond
from .faces import the_face
from .head import fill_behind, head_matte
from .light import expose, read_light, relight
from .opening import Opening
from .watercolour import paint

FloatImage = npt.NDArray[np.float32]
FloatMap = npt.NDArray[np.float32]

STEPS = 5
"""How often `draw` reports progress."""

REACH_PX = 2.0
"""How far beyond the rim the face may still show: the placeholder's soft edge ends there."""

# The face is painted this many pixels high before it is scaled down into the opening.
_WORK_HEIGHT = 640
_FINEST = 4
# What is painted beyond the opening, in its widths, so that no filter meets a border within.
_MARGIN = 0.12
# Both are multiplied, like pigment: what they do to light skin they do to dark skin.
_SHADOW = np.array([0.62, 0.38, 0.30], dtype=np.float32)
_BLUSH = np.array([0.97, 0.62, 0.56], dtype=np.float32)
_BLUSH_OPACITY = 0.55


@dataclass(frozen=True)
class _Frame:
    """The part of the page being painted: a window, a margin around it, and a finer scale."""

    opening: Opening
    rows: slice
    columns: slice
    pad: int
    scale: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in fine pixels."""
        width = self.columns.stop - self.columns.start + 2 * self.pad
        height = self.rows.stop - self.rows.start + 2 * self.pad
        return width * self.scale, height * self.scale

    def landmarks(self) -> npt.NDArray[np.float64]:
        """Where the face belongs, in fine pixels."""
        origin = (self.columns.start - self.pad, self.rows.start - self.pad)
        return np.asarray((self.opening.landmarks() - origin + 0.5) * self.scale - 0.5)

    def page_pixels(self) -> tuple[FloatMap, FloatMap]:
        """Page x and y of every fine pixel, float32 [H, W]."""
        width, height = self.size
        x = (np.arange(width, dtype=np.float32) + 0.5) / self.scale - 0.5
        y = (np.arange(height, dtype=np.float32) + 0.5) / self.scale - 0.5
        grid = np.meshgrid(x + self.columns.start - self.pad, y + self.rows.start - self.pad)
        return grid[0], grid[1]

    def cropped(self, fine: FloatImage) -> FloatImage:
        """Back to the window at page scale, without the margin."""
        height = self.rows.stop - self.rows.start
        width = self.columns.stop - self.columns.start
        edge = self.pad * self.scale
        inner = fine[edge : edge + height * self.scale, edge : edge + width * self.scale]
        small = cv2.resize(inner, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.float32)


def draw(
    photo: ByteImage,
    character: FloatImage,
    opening: Opening,
    watercolour: float,
    model: Path,
    report: Callable[[int], None],
) -> FloatImage:
    """Paint a photographed face into the opening.

    Every pixel further than `REACH_PX` outside the opening keeps its bits.

    Args:
        photo: uint8 [h, w, 3], RGB, any size, one face.
        character: float32 [H, W, 3], RGB, 0..1, the page with a placeholder face.
        opening: where the face shows on the page.
        watercolour: strength of the painted look, 0..1.
        model: the CenterFace ONNX file.
        report: called with 1 .. `STEPS` as the work goes on.

    Returns:
        float32 [H, W, 3], RGB, 0..1.

    Raises:
        FaceError: the photo has no face, several, or one that is too small, or the model is
            missing (see `faces` of the pack, and `errors`).
        ValueError: the opening reaches beyond the page, or the strength is out of range.
    """
    frame = _frame(opening, character)
    light = read_light(character, opening)
    found = the_face(photo, model)
    report(1)
    face = align(photo, found.landmarks, frame.landmarks(), frame.size)
    matte = head_matte(photo, found.landmarks, face)
    head = expose(fill_behind(calm_beyond(face), matte), _white(photo))
    report(2)
    x, y = frame.page_pixels()
    across, down = opening.upright(x, y)
    head = relight(
        head, _skin(face), light, across * (2 / opening.width), down * (2 / opening.height)
    )
    report(3)
    head = _blushing(head, face, watercolour)
    head = paint(head, watercolour, face.eye_distance, frame.scale)
    report(4)
    page = _placed(frame.cropped(_under_the_hood(head, opening, x, y)), character, frame)
    report(5)
    return page


def _frame(opening: Opening, character: FloatImage) -> _Frame:
    """Choose the window and how much finer than the page it is painted."""
    rows, columns = opening.window(character.shape[1], character.shape[0], ceil(REACH_PX))
    scale = int(np.clip(round(_WORK_HEIGHT / opening.height), 1, _FINEST))
    return _Frame(opening, rows, columns, round(_MARGIN * opening.width), scale)


def _white(photo: ByteImage) -> float:
    """The luma that 99 % of the photo's pixels stay below, 0..1."""
    step = max(1, max(photo.shape[:2]) // 512)
    luma = cv2.cvtColor(np.ascontiguousarray(photo[::step, ::step]), cv2.COLOR_RGB2GRAY)
    return float(np.percentile(luma, 99)) / 255.0


def _skin(face: AlignedFace) -> FloatMap:
    """The middle of the face, from brows to chin, where nearly all is skin; 0..1, soft border."""
    across, down = face.face_axes()
    radius = np.hypot(across / 1.08, (down - 0.5) / 1.3)
    return np.asarray(np.clip((1.1 - radius) / 0.25, 0.0, 1.0), dtype=np.float32)


def _blushing(image: FloatImage, face: AlignedFace, strength: float) -> FloatImage:
    """Touch the cheeks with red, as the painted children have it."""
    across, down = face.face_axes()
    spot = np.exp(-(((np.abs(across) - 0.64) / 0.24) ** 2) - ((down - 0.72) / 0.2) ** 2)
    amount = (strength * _BLUSH_OPACITY * spot)[..., None]
    return np.asarray(image * (1.0 - amount * (1.0 - _BLUSH)), dtype=np.float32)


def _under_the_hood(head: FloatImage, opening: Opening, x: FloatMap, y: FloatMap) -> FloatImage:
    """Let the rim cast its shadow on the face, most from above, as on the inside of a hood."""
    depth = opening.depth(x, y) / opening.width
    _, down = opening.upright(x, y)
    above = np.clip(0.5 - down / opening.height, 0.0, 1.0)
    shade = (0.40 + 0.35 * above) * np.exp(-np.maximum(depth, 0.0) / (0.05 + 0.05 * above))
    return np.asarray(head * (1.0 - shade[..., None] * (1.0 - _SHADOW)), dtype=np.float32)


def _placed(head: FloatImage, character: FloatImage, frame: _Frame) -> FloatImage:
    """A copy of the page with the head in its window: whole inside the rim, gone `REACH_PX` on."""
    y, x = np.mgrid[frame.rows, frame.columns].astype(np.float32)
    t = np.clip(frame.opening.depth(x, y) / REACH_PX + 1.0, 0.0, 1.0)
    matte = (t * t * (3.0 - 2.0 * t))[..., None]
    result = character.copy()
    page = character[frame.rows, frame.columns]
    result[frame.rows, frame.columns] = page * (1.0 - matte) + head * matte
    return result
