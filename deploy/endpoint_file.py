"""The endpoint as a file, ``deploy/endpoint.toml``: its form, and how it is read."""

import tomllib
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from deploy.errors import FileInvalid

GPU_POOLS: Final = MappingProxyType(
    {
        "AMPERE_16": 16,
        "AMPERE_24": 24,
        "ADA_24": 24,
        "AMPERE_48": 48,
        "ADA_48_PRO": 48,
        "AMPERE_80": 80,
        "ADA_80_PRO": 80,
        "HOPPER_141": 141,
    }
)
"""RunPod's pools of GPUs and the memory of each GPU in them, in GB."""


def _known_pool(name: str) -> str:
    if name not in GPU_POOLS:
        raise ValueError(f"must be one of {', '.join(GPU_POOLS)}")
    return name


Pool = Annotated[str, AfterValidator(_known_pool)]
VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
Text = Annotated[str, Field(min_length=1, max_length=191, pattern=r"^[^\s](.*[^\s])?$")]


class Part(BaseModel):
    """A table of the file: what it doesn't know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Gpu(Part):
    """Which GPUs workers may have. Any of the pools will do; ``excluded_types`` takes single cards
    out of them. ``min_cuda`` is the oldest CUDA version that the host's driver must take."""

    pools: list[Pool] = Field(min_length=1, max_length=len(GPU_POOLS))
    excluded_types: list[Text] = Field(default_factory=list)
    count: int = Field(default=1, ge=1, le=8)
    min_cuda: str | None = Field(default=None, pattern=r"^\d{2}\.\d{1,2}$")


class Workers(Part):
    """How many workers there may be. ``min`` of them always run and are always paid for.
    ``idle_timeout_s`` is how long, in seconds, a worker waits for the next job, paid for too."""

    min: int = Field(default=0, ge=0)
    max: int = Field(ge=0)
    idle_timeout_s: int | None = Field(default=None, ge=1, le=3600)


class Scaling(Part):
    """When a worker is added, by exactly one of two rules: when a job has waited for
    ``queue_delay_s`` seconds, or so that there is a worker for every ``request_count`` jobs."""

    queue_delay_s: float | None = Field(default=None, ge=0.5)
    request_count: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.queue_delay_s is None) == (self.request_count is None):
            raise ValueError("needs exactly one of queue_delay_s and request_count")
        return self


class Volume(Part):
    """A network volume, which workers find at /runpod-volume. It is found by its name, made if
    there is none, and made larger, never smaller. It binds the workers to its data centre."""

    name: Text
    size_gb: int = Field(ge=10, le=4096)
    data_center: Text


class Endpoint(Part):
    """The endpoint. ``disk_gb`` is the container's disk; ``timeout_s`` bounds a job that doesn't
    bring a bound of its own. ``registry`` is the name of a registry credential at RunPod.
    ``env`` are variables of the worker; ``secret_env`` names those whose values come from the
    environment of the command."""

    name: Text
    image: Text
    public_image: bool = False
    registry: Text | None = None
    disk_gb: int = Field(ge=5, le=1000)
    timeout_s: int = Field(ge=5, le=604_800)
    flashboot: Literal["off", "on", "priority"] = "on"
    data_centers: list[Text] = Field(default_factory=list)
    gpu: Gpu
    workers: Workers
    scaling: Scaling
    volume: Volume | None = None
    env: dict[VariableName, str] = Field(default_factory=dict)
    secret_env: list[VariableName] = Field(default_factory=list)


def read_endpoint(path: Path) -> Endpoint:
    """Read the file.

    Raises:
        FileInvalid: names every field at fault.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileInvalid([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise FileInvalid([f"{path}: can't be read ({error.strerror})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileInvalid([f"{path}: is no TOML: {error}"]) from None
    try:
        return Endpoint.model_validate(document)
    except ValidationError as error:
        # Not the values: somebody may have written a secret into the file.
        raise FileInvalid(
            [
                f"{path}: {'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            ]
        ) from None
