"""Where model files are put, and how a ComfyUI is told."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

VOLUME: Final = Path("/runpod-volume/models")
"""On RunPod's network volume, as serverless workers see it."""

BAKED: Final = Path(__file__).resolve().parents[2] / "build/models"
"""Where a worker looks without being told: what an image has in itself."""

LAYOUTS: Final = {"volume": VOLUME, "baked": BAKED}

EXTRA_PATHS_NAME: Final = "extra_model_paths.yaml"


def write_extra_paths(root: Path, folders: Iterable[str]) -> Path:
    """Write ``extra_model_paths.yaml`` into ``root``, which has models folders of these names, for
    a ComfyUI that is started with ``--extra-model-paths-config``. Workers need it not: they write
    their own. It names no folder above its own: a volume has one path in a pod and another one in
    a serverless worker.

    Raises:
        OSError: the disk won't have it.
    """
    lines = [
        "# For ComfyUI: --extra-model-paths-config, with this file's path.",
        "foxetales:",
        "  base_path: .",
        *(f"  {json.dumps(name)}: {json.dumps(name)}" for name in sorted(set(folders))),
    ]
    path = root / EXTRA_PATHS_NAME
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
