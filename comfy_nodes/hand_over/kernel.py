"""Pixels in files as they lie in memory: NumPy's `.npy`, uint8 [H, W, 3 or 4].

The numbers are those of ComfyUI's own LoadImage, LoadImageMask and SaveImage, bit by bit.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

SUFFIX: Final = ".npy"
CHANNELS: Final = ("alpha", "red", "green", "blue")

_NO_MASK: Final = (1, 64, 64)
"""Shape of LoadImage's mask of a picture that has no alpha."""

_STRIP: Final = 32
"""Rows of a picture that are worked on at a time."""

ByteImage = npt.NDArray[np.uint8]


class PixelsUnreadableError(ValueError):
    """A file is missing, cut short, or holds something else than one picture."""


def read(path: Path) -> ByteImage:
    """The picture in a file, uint8 [H, W, 3 or 4].

    Raises:
        PixelsUnreadableError.
    """
    try:
        with path.open("rb") as file:
            picture = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise PixelsUnreadableError(f"{path.name} can't be read as a whole {SUFFIX}") from error
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4):
        raise PixelsUnreadableError(f"{path.name} holds no uint8 picture with 3 or 4 channels")
    return np.asarray(picture)


def image_and_mask(picture: ByteImage) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours float32 [1, H, W, 3] and 1 − alpha float32 [1, H, W], both 0..1.

    Without alpha the mask is zeros [1, 64, 64], as LoadImage has it.
    """
    image = _fractions(picture[..., :3])[None]
    if picture.shape[2] == 3:
        return image, torch.zeros(_NO_MASK, dtype=torch.float32)
    return image, _without(picture[..., 3])[None]


def mask_of(picture: ByteImage, channel: str) -> torch.Tensor:
    """One of `CHANNELS` as a mask, float32 [1, H, W], 0..1; of alpha, 1 − alpha.

    Raises:
        ValueError: there is no such channel.
    """
    if channel not in CHANNELS:
        raise ValueError(f"channel {channel!r} is not one of {', '.join(CHANNELS)}")
    if channel != "alpha":
        return _fractions(picture[..., CHANNELS.index(channel) - 1])[None]
    if picture.shape[2] == 3:  # opaque
        return torch.zeros((1, *picture.shape[:2]), dtype=torch.float32)
    return _without(picture[..., 3])[None]


def bytes_of(images: torch.Tensor) -> ByteImage:
    """Values 0..1 of a batch [B, H, W, C] on any device as uint8 in main memory, rounded down as
    SaveImage does; what lies beyond is cut off."""
    return bytes_in_memory(images) if images.device.type == "cpu" else bytes_on_device(images)


def bytes_on_device(images: torch.Tensor) -> ByteImage:
    """See `bytes_of`: a quarter of the bytes are to be copied from the device."""
    return np.asarray((images * 255.0).clamp_(0, 255).to(torch.uint8).cpu().numpy())


def bytes_in_memory(images: torch.Tensor) -> ByteImage:
    """See `bytes_of`: in strips that stay in the processor's cache, and in this thread alone.

    PyTorch would share each step among threads, and wait 8 ms for one whose core encodes a page.
    """
    values = images.numpy()
    result = np.empty(values.shape, dtype=np.uint8)
    for picture, bytes_ in zip(values, result, strict=True):
        for top in range(0, len(picture), _STRIP):
            strip = picture[top : top + _STRIP] * 255.0
            bytes_[top : top + _STRIP] = np.clip(strip, 0, 255, out=strip)
    return result


def write_new(folder: Path, stem: str, picture: ByteImage) -> Path:
    """Write `<stem>_<N>_.npy` whole or not at all, with the smallest free N; return its path.

    Nothing is overwritten, and the folder is not listed: a stem of one's own takes one try.

    Raises:
        OSError: the folder can't be written to.
    """
    unfinished = folder / f".{stem}.{os.getpid()}.part"
    try:
        pixels = np.ascontiguousarray(picture)
        with unfinished.open("wb") as file:
            header = np.lib.format.header_data_from_array_1_0(pixels)
            np.lib.format.write_array_header_1_0(file, header)
            file.write(pixels.data)  # np.save's own writing doesn't say that the disk is full
        return _linked(unfinished, folder, stem)
    finally:
        unfinished.unlink(missing_ok=True)


def _linked(unfinished: Path, folder: Path, stem: str) -> Path:
    counter = 1
    while True:
        path = folder / f"{stem}_{counter:05}_{SUFFIX}"
        try:
            path.hardlink_to(unfinished)
        except FileExistsError:
            counter += 1
        else:
            return path


def _fractions(picture: ByteImage) -> torch.Tensor:
    """0..255 as float32 0..1 of the same shape."""
    return torch.from_numpy(_divided(picture))


def _without(alpha: ByteImage) -> torch.Tensor:
    """1 − alpha, as `_fractions`."""
    fractions = _divided(alpha)
    return torch.from_numpy(np.subtract(1, fractions, out=fractions))


def _divided(picture: ByteImage) -> npt.NDArray[np.float32]:
    return np.divide(picture, np.float32(255), dtype=np.float32)
