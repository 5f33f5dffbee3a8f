"""Pictures that the tests share: a real portrait, and a template page drawn here."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage

from comfy_nodes.draft_portrait.opening import Opening

ByteImage = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.float32]

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "build" / "models" / "face_detection" / "centerface.onnx"
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


def floats(values: npt.ArrayLike) -> FloatImage:
    """Values as float32."""
    return np.asarray(values, dtype=np.float32)


EYES = np.array([[203.0, 101.0], [248.0, 103.0]])
"""Where the astronaut's eyes are, read off the picture by eye; x, y in pixels."""


def astronaut() -> ByteImage:
    """The portrait of Eileen Collins, uint8 [512, 512, 3], RGB."""
    picture = cv2.imread(str(ASTRONAUT))
    assert picture is not None
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)


def turned(picture: ByteImage, clockwise: float) -> ByteImage:
    """The portrait turned about its face, the border continued."""
    matrix = cv2.getRotationMatrix2D((225, 120), -clockwise, 1.0)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(
        cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )


@dataclass(frozen=True)
class Template:
    """A page: background float32 [H, W, 3], character likewise, person uint8 [H, W], opening."""

    background: FloatImage
    character: FloatImage
    person: ByteImage
    opening: Opening


def template(size: int = 1024, angle: float = 0.0) -> Template:
    """A figure in a hood before a sky, its face a placeholder lit from the left."""
    unit = size / 1024
    middle = (round(512 * unit), round(430 * unit))
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / np.float32(size)
    sky = np.stack([0.6 + 0.2 * y, 0.7 + 0.1 * x, 0.9 - 0.1 * y], axis=-1).astype(np.float32)
    person = np.zeros((size, size), dtype=np.uint8)
    cv2.circle(person, middle, round(210 * unit), 255, -1)
    cv2.ellipse(person, (middle[0], size), (round(230 * unit), size // 2), 0, 0, 360, 255, -1)
    page = np.where(person[..., None] > 0, floats([0.83, 0.48, 0.22]), sky)
    opening = Opening(middle[0], middle[1], 230 * unit, 280 * unit, angle)
    grid = np.mgrid[0:size, 0:size].astype(np.float32)
    inside = opening.depth(grid[1], grid[0])[..., None] > 0
    skin = floats([0.93, 0.76, 0.64]) * (1.1 - 0.2 * x[..., None])
    page = np.where(inside, skin, page)
    to_bytes = (np.rint(np.clip(picture, 0, 1) * 255) for picture in (sky, page))
    background, character = (np.asarray(bytes_ / 255, dtype=np.float32) for bytes_ in to_bytes)
    return Template(background, character, person, opening)
