"""Builds the wheel so that the same sources give the same bytes, on any machine, in any folder.

The sources are copied first, so that what an earlier build left beside them isn't taken along. The
umask is set, since the wheel keeps the modes of the files that the builder writes.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

# 1980-01-01, the first moment that a zip file can tell.
EPOCH = "315532800"
PACKAGES = ("contract", "storage", "handler", "gateway", "books", "sandbox", "deploy")


class BuildFailed(Exception):
    """The wheel couldn't be built. The text is the builder's last line."""


def build_wheel(repository: Path, out: Path, environment: Mapping[str, str]) -> Path:
    """Build the wheel of the packages that ``repository`` has into ``out``; return its path.

    Raises:
        BuildFailed.
    """
    with TemporaryDirectory(prefix="foxetales-wheel-") as folder:
        source, built = Path(folder) / "source", Path(folder) / "built"
        _copy(repository, source)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        command += ["--no-build-isolation", "--wheel-dir", str(built), str(source)]
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            env={**environment, "SOURCE_DATE_EPOCH": EPOCH},
            capture_output=True,
            text=True,
            check=False,
            umask=0o022,
        )
        wheels = list(built.glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise BuildFailed((done.stderr.strip().splitlines() or ["no wheel was made"])[-1])
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(wheels[0], out / wheels[0].name))


def _copy(repository: Path, target: Path) -> None:
    target.mkdir()
    shutil.copyfile(repository / "pyproject.toml", target / "pyproject.toml")
    for package in PACKAGES:
        if (repository / package).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
            shutil.copytree(repository / package, target / package, ignore=ignored)
