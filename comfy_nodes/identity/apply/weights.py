"""Reads the injecting half of a PuLID-FLUX file."""

import re
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ..errors import WeightsError
from .attention import HEAD_WIDTH, IdentityAttention

_PREFIX: Final = "pulid_ca."
_NAME: Final = re.compile(r"pulid_ca\.(\d+)\.(.+)")
_PARTS: Final = {
    "norm1.weight",
    "norm1.bias",
    "norm2.weight",
    "norm2.bias",
    "to_q.weight",
    "to_kv.weight",
    "to_out.weight",
}
_FLOATS: Final = {torch.float32, torch.bfloat16, torch.float16}


class Attentions(nn.Module):
    """The attentions of an injector, in the order in which FLUX meets them."""

    def __init__(self, attentions: list[IdentityAttention]) -> None:
        super().__init__()
        self.pulid_ca = nn.ModuleList(attentions)

    def __len__(self) -> int:
        return len(self.pulid_ca)

    def __getitem__(self, number: int) -> IdentityAttention:
        attention = self.pulid_ca[number]
        assert isinstance(attention, IdentityAttention)
        return attention

    @property
    def image_width(self) -> int:
        """Width of the image tokens that they were trained for."""
        return int(self[0].norm2.weight.shape[0])


def read_attentions(path: Path, operations: Any = nn) -> Attentions:
    """Load the `pulid_ca.*` tensors of a file, and no others, in the type that they have there.

    How many attentions there are and how wide they are follows from the tensors.

    Raises:
        WeightsError: the file is missing, cut short, or has other tensors than PuLID-FLUX has.
    """
    state = _read(path)
    count = _count(path, state)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    first = {part: shapes[f"{_PREFIX}0.{part}"] for part in _PARTS}
    if len(first["to_q.weight"]) != 2 or len(first["norm1.weight"]) != 1:
        raise WeightsError(f"{path.name}: the attentions of PuLID-FLUX have other shapes")
    inner, image = first["to_q.weight"]
    identity = first["norm1.weight"][0]
    if inner == 0 or inner % HEAD_WIDTH:
        raise WeightsError(f"{path.name}: {inner} channels can't be split into heads of 128")
    made = Attentions(
        [
            IdentityAttention(image, identity, inner, operations=operations, device="meta")
            for _ in range(count)
        ]
    )
    for name, tensor in made.state_dict().items():
        if shapes[name] != tuple(tensor.shape):
            raise WeightsError(
                f"{path.name}: {name} has shape {list(shapes[name])}, not {list(tensor.shape)}"
            )
    made.load_state_dict(state, assign=True)
    return made.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {
                name: file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118 - no dict
                if name.startswith(_PREFIX)
            }
    except FileNotFoundError as error:
        raise WeightsError(f"there is no file {path.name}") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is no whole safetensors file") from error


def _count(path: Path, state: dict[str, torch.Tensor]) -> int:
    """Number of attentions, once each is known to be complete."""
    if not state:
        raise WeightsError(f"{path.name} holds no PuLID-FLUX injector ({_PREFIX}*)")
    parts: dict[int, set[str]] = {}
    for name, tensor in state.items():
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in _PARTS:
            raise WeightsError(f"{path.name}: {name} is not of a known PuLID-FLUX version")
        if tensor.dtype not in _FLOATS:
            raise WeightsError(f"{path.name}: {name} is {tensor.dtype}")
        parts.setdefault(int(match[1]), set()).add(match[2])
    for number in range(len(parts)):
        if missing := _PARTS - parts.get(number, set()):
            raise WeightsError(f"{path.name} lacks {_PREFIX}{number}.{min(missing)}")
    return len(parts)
