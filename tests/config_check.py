"""``python -m PACKAGE config check``, as an operator runs it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def config_check(package: str, environ: Mapping[str, str], *more: str) -> tuple[int, list[str]]:
    """The status of the command and the lines that it wrote; it has nothing but ``environ``."""
    done = subprocess.run(
        [sys.executable, "-m", package, "config", "check", *more],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()
