"""Which ComfyUI the tests boot: ``COMFYUI_PATH``, as for the worker, or the embedded one."""

import os
from pathlib import Path

_EMBEDDED = Path(__file__).resolve().parent.parent / "build" / "comfyui"

COMFYUI = Path(os.environ.get("COMFYUI_PATH") or _EMBEDDED).resolve()
"""The folder with ComfyUI's main.py."""
