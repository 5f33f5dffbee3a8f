"""ComfyUI's base directory: where it finds its nodes and models, takes inputs and puts outputs."""

import json
import shutil
from pathlib import Path

from handler.errors import OutputMissing
from handler.pages import RUN_PREFIX

NODE_PACK_NAME = "foxetales"
_FOLDERS = ("custom_nodes", "input", "output", "temp", "user", "models", "frontend")


class ComfyFiles:
    """A base directory of our own, so that no state of a ComfyUI checkout gets in.

    ``node_pack`` is linked as ``custom_nodes/foxetales``, unless a copy of it lies there. Every
    folder in ``models`` becomes a models folder of its name, beside those in the base directory.
    """

    def __init__(self, root: Path, node_pack: Path | None = None, models: Path | None = None):
        self.root = root.resolve()
        self._node_pack = node_pack
        self._models = models

    @property
    def frontend(self) -> Path:
        """An empty folder: there is no browser to serve."""
        return self.root / "frontend"

    @property
    def model_paths(self) -> Path:
        """A file in the form of ComfyUI's ``extra_model_paths.yaml``."""
        return self.root / "model_paths.yaml"

    def prepare(self) -> None:
        """Create what is missing; may be called again.

        Raises:
            OSError: the disk won't have it.
        """
        for name in _FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        link = self.root / "custom_nodes" / NODE_PACK_NAME
        if link.is_symlink():
            link.unlink()
        if self._node_pack is not None and not link.exists():
            link.symlink_to(self._node_pack.resolve(), target_is_directory=True)
        self.model_paths.write_text(json.dumps(self._model_folders()))  # JSON is YAML too

    def stage(self, run: str, name: str, data: bytes) -> str:
        """Write an input file of ``run``; return its name as nodes take it.

        Raises:
            OSError: the disk won't have it.
        """
        folder = self.root / "input" / run
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / name).write_bytes(data)
        return f"{run}/{name}"

    def take_output(self, subfolder: str, name: str) -> bytes:
        """Return an output file's bytes and remove it.

        Raises:
            OutputMissing: there is no such file in the output folder.
        """
        folder = self.root / "output"
        path = (folder / subfolder / name).resolve()
        if not path.is_relative_to(folder):
            raise OutputMissing("ComfyUI named a file outside its output folder")
        try:
            data = path.read_bytes()
            path.unlink()
        except OSError as error:
            raise OutputMissing(f"ComfyUI's output can't be read: {error.strerror}") from error
        return data

    def discard(self, run: str) -> None:
        """Remove every input and output of ``run``."""
        for name in ("input", "output"):
            shutil.rmtree(self.root / name / run, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what every run left that was killed before it could tidy up."""
        for name in ("input", "output"):
            for folder in (self.root / name).glob(f"{RUN_PREFIX}*"):
                shutil.rmtree(folder, ignore_errors=True)

    def _model_folders(self) -> dict[str, dict[str, str]]:
        if self._models is None or not self._models.is_dir():
            return {}
        root = self._models.resolve()
        folders = {path.name: path.name for path in sorted(root.iterdir()) if path.is_dir()}
        return {"foxetales": {"base_path": str(root), **folders}} if folders else {}
