"""Random values for weight files: small enough that activations stay finite at every depth."""

import math

import torch

State = dict[str, torch.Tensor]
"""A state dict: tensors by their names."""


class Draw:
    """Draws tensors in one type from a generator of its own, so a seed always means one file."""

    def __init__(self, seed: int, dtype: torch.dtype = torch.float32) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._dtype = dtype

    def uniform(self, *shape: int, reach: float) -> torch.Tensor:
        """Values between -reach and reach."""
        values = torch.empty(shape).uniform_(-reach, reach, generator=self._generator)
        return values.to(self._dtype)

    def weight(self, *shape: int, gain: float = 1.0) -> torch.Tensor:
        """A weight [out, in, ...] that keeps the variance of what it is given, times gain²."""
        return self.uniform(*shape, reach=gain * math.sqrt(3 / math.prod(shape[1:])))

    def ones(self, *shape: int) -> torch.Tensor:
        """A scale that scales nothing."""
        return torch.ones(shape, dtype=self._dtype)

    def linear(self, name: str, inputs: int, outputs: int, *, bias: bool = True) -> State:
        """`name.weight` [outputs, inputs] and `name.bias` [outputs]."""
        state = {f"{name}.weight": self.weight(outputs, inputs)}
        if bias:
            state[f"{name}.bias"] = self.uniform(outputs, reach=0.02)
        return state

    def norm(self, name: str, width: int) -> State:
        """A layer norm that scales nothing and shifts a little."""
        return {
            f"{name}.weight": self.ones(width),
            f"{name}.bias": self.uniform(width, reach=0.02),
        }

    def convolution(
        self, name: str, inputs: int, outputs: int, size: int, *, bias: bool = True
    ) -> State:
        """`name.weight` [outputs, inputs, size, size] and `name.bias` [outputs]."""
        state = {f"{name}.weight": self.weight(outputs, inputs, size, size)}
        if bias:
            state[f"{name}.bias"] = self.uniform(outputs, reach=0.02)
        return state

    def batch_norm(self, name: str, width: int, scale: float = 1.0) -> State:
        """A batch norm that has seen unit variance around zero."""
        return {
            f"{name}.weight": self.ones(width) * scale,
            f"{name}.bias": self.uniform(width, reach=0.02),
            f"{name}.running_mean": torch.zeros(width, dtype=self._dtype),
            f"{name}.running_var": self.ones(width),
            f"{name}.num_batches_tracked": torch.tensor(1, dtype=torch.int64),
        }
