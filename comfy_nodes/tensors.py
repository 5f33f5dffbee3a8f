"""ComfyUI's tensors and our arrays."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

FloatArray = npt.NDArray[np.float32]


def array_of(tensor: torch.Tensor) -> FloatArray:
    """A tensor's values as a float32 array of the same shape, in main memory."""
    return np.ascontiguousarray(tensor.detach().to("cpu", torch.float32).numpy())


def the_only(tensor: torch.Tensor, name: str) -> FloatArray:
    """The single item of a batch, float32, without the batch dimension.

    Raises:
        ValueError: the batch has another number of items.
    """
    if tensor.shape[0] != 1:
        raise ValueError(f"{name} takes one picture at a time, not {tensor.shape[0]}")
    return array_of(tensor[0])


def rgb_of(image: FloatArray) -> FloatArray:
    """The first three channels of an image [..., C], contiguous: alpha is not ours to paint on."""
    return np.ascontiguousarray(image[..., :3])


def batch_of(items: list[FloatArray]) -> torch.Tensor:
    """Arrays of one shape as a float32 batch [B, ...]."""
    return torch.from_numpy(np.stack(items))


def each(tensor: torch.Tensor, change: Callable[[FloatArray], FloatArray]) -> torch.Tensor:
    """Apply a kernel to every item of a batch [B, ...]; float32 [B, ...]."""
    return batch_of([change(item) for item in array_of(tensor)])
