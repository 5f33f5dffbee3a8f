"""What RunPod tells of an account: its endpoints, network volumes and registry credentials. Pure.

An endpoint's settings are compared as :func:`flat` makes them: one value under a dotted name, in
RunPod's words. What we don't manage isn't among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Value = str | int | float | tuple[str, ...] | None

_PLAIN: Final = ("name", "image", "disk", "registry", "timeout", "flashboot")
_SETS: Final = ("dataCenterIds", "networkVolumes")
_PARTS: Final = {
    "gpu": ("count", "minCudaVersion"),
    "workers": ("min", "max", "idleTimeout"),
    "scaling": ("type", "queueDelay", "requestCount"),
}
_GPU_SETS: Final = ("pools", "excludedTypes", "allowedCudaVersions")


@dataclass(frozen=True)
class FoundVolume:
    """A network volume; ``size_gb`` is in GB."""

    id: str
    name: str
    size_gb: int
    data_center: str


@dataclass(frozen=True)
class FoundEndpoint:
    """An endpoint. ``queue`` tells whether jobs reach it by RunPod's queue, on GPUs: the only
    kind that is ours. ``settings`` is flat."""

    id: str
    name: str
    queue: bool
    settings: Mapping[str, Value]


@dataclass(frozen=True)
class Account:
    """All of it. ``registries`` is credentials' ids by their names."""

    endpoints: tuple[FoundEndpoint, ...]
    volumes: tuple[FoundVolume, ...]
    registries: Mapping[str, str]


def found_endpoint(document: Mapping[str, Any]) -> FoundEndpoint:
    """Return an endpoint from RunPod's document of it.

    Raises:
        KeyError, TypeError: the document lacks what every endpoint has.
    """
    queue = document.get("type", "QUEUE") == "QUEUE" and not document.get("cpu")
    return FoundEndpoint(str(document["id"]), str(document["name"]), queue, flat(document))


def found_volume(document: Mapping[str, Any]) -> FoundVolume:
    """Return a volume from RunPod's document of it.

    Raises:
        KeyError, TypeError, ValueError: likewise.
    """
    return FoundVolume(
        str(document["id"]),
        str(document["name"]),
        int(document["size"]),
        str(document["dataCenter"]),
    )


def flat(document: Mapping[str, Any]) -> dict[str, Value]:
    """Return an endpoint's settings from RunPod's document of it, or from a request's body.

    An empty text counts as none. Sets, of pools for example, are in alphabetical order.
    """
    settings: dict[str, Value] = {name: document.get(name) or None for name in _PLAIN}
    settings |= {name: _set(document.get(name)) for name in _SETS}
    for part, names in _PARTS.items():
        given = document.get(part) or {}
        settings |= {f"{part}.{name}": given.get(name) for name in names}
    gpu = document.get("gpu") or {}
    settings |= {f"gpu.{name}": _set(gpu.get(name)) for name in _GPU_SETS}
    settings["gpu.minCudaVersion"] = settings["gpu.minCudaVersion"] or None
    settings["gpu.count"] = settings["gpu.count"] or 1
    env = document.get("env") or {}
    return settings | {f"env.{name}": str(value) for name, value in sorted(env.items())}


def _set(values: Any) -> tuple[str, ...]:
    return tuple(sorted(map(str, values or ())))
