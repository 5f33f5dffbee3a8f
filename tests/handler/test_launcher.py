import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.handler.conftest import REPOSITORY

LAUNCHER = REPOSITORY / "handler/comfy/launcher.py"
PARENT = """
import os, subprocess, sys
subprocess.Popen([sys.executable, sys.argv[1], str(os.getpid()), sys.argv[2], "--port", "1"])
input()
"""


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A program in ComfyUI's place: says how it was started, then waits for ever."""
    (tmp_path / "helper.py").write_text("greeting = 'beside main.py'\n")
    (tmp_path / "main.py").write_text(
        "import sys, threading, helper\n"
        "print(__name__, helper.greeting, sys.argv[1:], 'torch' in sys.modules, flush=True)\n"
        "threading.Event().wait()\n"
    )
    return tmp_path


def test_comfyui_dies_with_the_worker_however_that_dies(comfyui: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(LAUNCHER), str(comfyui)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        said = parent.stdout.readline()
        parent.kill()
        assert parent.stdout.read() == ""  # ends only when the child, which shares it, is gone
    assert said == "__main__ beside main.py ['--port', '1'] False\n"


def test_a_child_that_comes_too_late_does_not_start(comfyui: Path) -> None:
    stranger = str(os.getpid() + 1)
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), stranger, str(comfyui)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "worker died" in done.stderr
    assert done.stdout == ""
