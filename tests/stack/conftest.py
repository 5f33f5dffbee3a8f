"""The whole system as processes: RunPod's stand-in, a worker with ComfyUI, the gateway."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from sandbox.stack import ROOT, Stack
from sandbox.supervisor import Supervisor
from tests.stack.shop import Shop


@dataclass(frozen=True)
class System:
    """A running stack."""

    stack: Stack
    supervisor: Supervisor

    @property
    def store(self) -> Path:
        return self.stack.state / "store"


@pytest.fixture(scope="session")
def portrait() -> bytes:
    return (files("skimage") / "data" / "astronaut.png").read_bytes()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    stack = Stack(
        state_dir=tmp_path_factory.mktemp("stack"),
        environ=os.environ,
        books_dir=ROOT / "build" / "books",
        face_min_area_percent=3.0,
        extra={"JOB_QUIET_S": "5"},
    )
    with stack.up() as supervisor:
        yield System(stack, supervisor)
    for name in ("store", "print_jobs"):  # hundreds of megabytes; pytest keeps the rest for a while
        shutil.rmtree(stack.state / name, ignore_errors=True)


@pytest.fixture
def shop(system: System) -> Iterator[Shop]:
    with httpx.Client(base_url=system.stack.gateway_url, timeout=60) as client:
        yield Shop(client)
