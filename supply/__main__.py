"""``python -m supply``: the licence report, the bills of materials, the wheel.

Exits with status 0, with 1 if a licence isn't settled or the wheel can't be built, and with 2 if a
lock or list can't be read.
"""

import argparse
import os
import sys
import tomllib
from pathlib import Path

from handler.errors import WorkflowInvalid
from handler.workflows.model_list import read_model_list
from supply.licences import (
    AcknowledgementInvalid,
    Licensed,
    licences,
    read_acknowledged,
    table,
)
from supply.locks import LockInvalid, read_lock
from supply.sbom import Image, arguments_of, bill
from supply.wheel import BuildFailed, build_wheel

_REPOSITORY = Path(__file__).resolve().parent.parent
_DOCKERFILES = {"gateway": "Dockerfile.gateway", "worker": "Dockerfile.gpu"}
_FACE_MODEL = ("face_detection", "centerface.onnx")


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m supply", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("licences", help="print each package's licence; 1 if one isn't settled")
    for name, text in (
        ("sbom", "write both images' bills of materials"),
        ("wheel", "build the wheel, the same bytes each time"),
    ):
        commands.add_parser(name, help=text).add_argument("--out", type=Path, default=Path("out"))
    told = parser.parse_args()
    try:
        if told.command == "licences":
            return _licences()
        return _wheel(told.out) if told.command == "wheel" else _sbom(told.out)
    except (LockInvalid, AcknowledgementInvalid, WorkflowInvalid, OSError) as error:
        sys.stderr.write(f"supply: {error}\n")
        return 2


def _packages(image: str) -> tuple[Licensed, ...]:
    folder = _REPOSITORY / "requirements"
    acknowledged = read_acknowledged(folder / "licences.txt")
    return licences(read_lock(folder / f"{image}.txt"), acknowledged)


def _licences() -> int:
    packages = {image: _packages(image) for image in _DOCKERFILES}
    for image, found in packages.items():
        sys.stdout.write(f"## {image}\n\n{table(found)}\n")
    open_ones = {p.pin.name for found in packages.values() for p in found if not p.settled}
    stale = set(read_acknowledged(_REPOSITORY / "requirements/licences.txt")) - {
        p.pin.name for found in packages.values() for p in found
    }
    for name in sorted(open_ones):
        sys.stderr.write(f"supply: {name} needs a line in requirements/licences.txt\n")
    for name in sorted(stale):
        sys.stderr.write(f"supply: {name} is in requirements/licences.txt, but in no image\n")
    return 1 if open_ones or stale else 0


def _sbom(out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    project = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    models = read_model_list(_REPOSITORY / "models.txt")
    for name, dockerfile in _DOCKERFILES.items():
        arguments = arguments_of(_REPOSITORY / dockerfile)
        image = Image(f"foxetales-{name}", project["project"]["version"], arguments)
        listed = models.values() if name == "worker" else [models[_FACE_MODEL]]
        path = out / f"sbom-{name}.cdx.json"
        path.write_text(bill(image, _packages(name), listed), encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


def _wheel(out: Path) -> int:
    try:
        sys.stdout.write(f"{build_wheel(_REPOSITORY, out, os.environ)}\n")
    except BuildFailed as error:
        sys.stderr.write(f"supply: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
