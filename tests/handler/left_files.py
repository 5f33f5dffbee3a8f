"""What a job left in ComfyUI's folders."""

from pathlib import Path

from handler.pages import RUN_PREFIX


def left_behind(base: Path) -> list[Path]:
    """Files in the input and output folders of a base directory, and folders of runs.

    Other folders without a file in them are ComfyUI's own: it makes some as it starts.
    """
    return [
        path
        for name in ("input", "output")
        for path in sorted((base / name).rglob("*"))
        if not path.is_dir() or path.name.startswith(RUN_PREFIX)
    ]
