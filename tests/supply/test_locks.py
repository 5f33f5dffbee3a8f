"""The images' locks: hashed, of the versions in constraints.txt, and complete."""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.locks import LockInvalid, read_constraints, read_lock

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("gateway", "worker", "art")
# What the set-up doesn't have: CUDA, the builds that use it, and what a newer ComfyUI wants.
ONLY_IN_THE_IMAGE = re.compile(
    r"cuda-.*|nvidia-.*|triton|onnxruntime-gpu|setuptools"
    r"|comfy-aimdo|comfy-kitchen|kornia|kornia-rs|simpleeval|torchaudio"
)
IMAGE = {"python_version": "3.11", "python_full_version": "3.11.14", "sys_platform": "linux"}


def versions(lock: str) -> dict[str, str]:
    return {pin.name: pin.version for pin in read_lock(ROOT / "requirements" / f"{lock}.txt")}


def needed(distribution: str, extra: str, found: set[str]) -> set[str]:
    """Names of all that an extra of an installed distribution requires, and so on."""
    try:
        required = [Requirement(text) for text in requires(distribution) or ()]
    except PackageNotFoundError:  # only in the image, where the lock says what comes with it
        return found
    for requirement in required:
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({**IMAGE, "extra": extra}):
            continue
        if name not in found:
            found.add(name)
            needed(name, "", found)
        for wanted in requirement.extras:
            needed(name, wanted, found)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_the_versions_of_the_constraints(lock: str) -> None:
    constraints = read_constraints(ROOT / "constraints.txt")
    for name, version in versions(lock).items():
        if not ONLY_IN_THE_IMAGE.fullmatch(name):
            assert constraints.get(name) == version, name


@pytest.mark.parametrize("image", ["gateway", "worker"])
def test_a_lock_has_everything_that_its_image_requires(image: str) -> None:
    assert needed("foxetales", image, set()) <= set(versions(image))


def test_the_gateways_lock_has_nothing_else() -> None:
    assert set(versions("gateway")) <= needed("foxetales", "gateway", set())


def test_the_workers_lock_has_what_comfyui_and_the_nodes_import() -> None:
    text = (ROOT / "requirements/comfyui.in").read_text()
    named = {
        canonicalize_name(line.split("==")[0])
        for line in text.splitlines()
        if line and not line.startswith("#")
    }
    lock = versions("worker")
    assert named <= set(lock)
    for name in named:
        assert needed(name, "", set()) <= set(lock), name
    for pin in (line for line in text.splitlines() if "==" in line):
        package, version = pin.split("==")
        assert lock[canonicalize_name(package)] == version


def test_onnxruntime_is_there_once_and_as_new_as_in_the_tests() -> None:
    constraints = read_constraints(ROOT / "constraints.txt")
    worker = versions("worker")
    assert "onnxruntime" not in worker
    assert worker["onnxruntime-gpu"] == constraints["onnxruntime"]


@pytest.mark.parametrize(
    "text", ["requests>=2\n", "requests==2.34.2\n", "git+https://host.invalid/x\n"]
)
def test_a_lock_takes_only_pinned_and_hashed_packages(text: str, tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(text)
    with pytest.raises(LockInvalid, match=r"lock\.txt, entry 1"):
        read_lock(path)
