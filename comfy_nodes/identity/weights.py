"""Read weight files strictly: every tensor fits, or the file is refused with its name."""

import hashlib
import pickle
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from .errors import WeightsError

State = dict[str, torch.Tensor]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits; read once as long as it isn't written to.

    Raises:
        WeightsError: there is no such file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise WeightsError(f"there is no file {path.name}") from error
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, changed_ns: int) -> str:  # noqa: ARG001 - part of the cache key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_part(path: Path, prefix: str) -> State:
    """The tensors of a safetensors file whose names begin with a prefix, without it.

    No other tensor is read: PuLID's file holds two networks, and no process needs both.

    Raises:
        WeightsError: the file is missing, cut short, or has no such tensors.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - no dict
            state = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise WeightsError(f"there is no file {path.name}") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is no whole safetensors file") from error
    if not state:
        raise WeightsError(f"{path.name} has no tensors {prefix}*")
    return state


def read_checkpoint(path: Path) -> State:
    """The tensors of a PyTorch checkpoint; a leading `module.` of parallel training is cut off.

    Only tensors are unpickled, never code.

    Raises:
        WeightsError: the file is missing, cut short, or holds anything but tensors by name.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no file {path.name}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path.name} is no whole PyTorch checkpoint") from error
    if not isinstance(content, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise WeightsError(f"{path.name} does not hold tensors by name")
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def fill(network: torch.nn.Module, state: Mapping[str, torch.Tensor], name: str) -> None:
    """Put float32 copies of all tensors into a network, and make it ready to be asked.

    Args:
        network: on any device, the meta device too; afterwards in main memory.
        state: a tensor for each parameter and buffer, and none besides.
        name: of the file, for the error.

    Raises:
        WeightsError: a tensor is missing, left over, or of another shape.
    """
    whole = {key: value.float() if value.is_floating_point() else value
             for key, value in state.items()}  # fmt: skip
    try:
        network.load_state_dict(whole, strict=True, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{name} does not fit {type(network).__name__}: {_first(error)}"
        ) from error
    network.eval().requires_grad_(False)


def _first(error: RuntimeError) -> str:
    """PyTorch lists every tensor that doesn't fit; two hundred characters are enough to see why."""
    lines = str(error).splitlines()
    return (lines[1] if len(lines) > 1 else lines[0]).strip()[:200]
