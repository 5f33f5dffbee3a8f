"""One picture over another through a mask: the numbers of ImageCompositeMasked, bit by bit."""

from typing import Final

import cv2
import numpy as np
import torch

_STRIP: Final = 32
"""Rows of a picture that are worked on at a time: they stay in the processor's cache."""


def is_simple(
    destination: torch.Tensor, source: torch.Tensor, mask: torch.Tensor | None, x: int, y: int
) -> bool:
    """Whether pictures [B, H, W, 3] and mask [1 or B, H, W] lie in main memory as float32, as large
    as each other, and the source goes to the upper left corner."""
    if mask is None or (x, y) != (0, 0) or source.shape != destination.shape:
        return False
    if destination.shape[-1] != 3 or mask.shape[-2:] != destination.shape[1:3] or mask.ndim != 3:
        return False
    tensors = (destination, source, mask)
    in_memory = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)
    return in_memory and len(mask) in (1, len(destination))


def composited(destination: torch.Tensor, source: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`source` where the mask is 1, `destination` where it is 0; see `is_simple`.

    In strips and in this thread alone: PyTorch would share each step among threads, and wait for
    one whose core encodes a page. The mask is spread to three channels first: NumPy is slow at
    repeating each number of it thrice.
    """
    below, above, masks = destination.numpy(), source.numpy(), mask.numpy()
    result = np.empty_like(below)
    for number, picture in enumerate(result):
        for top in range(0, len(picture), _STRIP):
            rows = slice(top, top + _STRIP)
            amount = cv2.merge((masks[number % len(masks), rows],) * 3)
            np.multiply(amount, above[number, rows], out=picture[rows])
            np.subtract(1, amount, out=amount)
            picture[rows] += np.multiply(amount, below[number, rows], out=amount)
    return torch.from_numpy(result)
