"""Model files: those of the model list against those that lie in ComfyUI's models folders."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from contract.result import InstalledModel
from handler.errors import Unfit
from handler.graph import Workflow
from handler.models.hashes import HashCache
from handler.slots import ModelFile
from handler.workflows.model_list import ListedModel

_OLD_NAMES: Final[Mapping[str, str]] = {"text_encoders": "clip", "diffusion_models": "unet"}
"""Folders in which ComfyUI looks, too, for what belongs into another."""


class ModelFiles:
    """The models folders below ``roots``, in the order in which ComfyUI looks into them."""

    def __init__(
        self,
        listed: Mapping[tuple[str, str], ListedModel],
        roots: Sequence[Path],
        hashes: HashCache,
    ) -> None:
        self._listed = listed
        self._roots = tuple(roots)
        self._hashes = hashes

    def find(self, folder: str, file: str) -> Path | None:
        """Where a model file lies, if it does."""
        names = [folder, _OLD_NAMES[folder]] if folder in _OLD_NAMES else [folder]
        paths = (root / name / file for root in self._roots for name in names)
        return next((path for path in paths if path.is_file()), None)

    def sha256(self, folder: str, file: str) -> str | None:
        """The hash of a model file, None if there is none. May take minutes, the first time.

        Raises:
            OSError: the file can't be read.
        """
        path = self.find(folder, file)
        return None if path is None else self._hashes.sha256(path)

    def require(self, workflow: Workflow, *, check_hashes: bool) -> None:
        """Check every file that ``workflow`` may load.

        One that only a choice loads which isn't the default may be missing, but not be wrong.

        Raises:
            Unfit: a file is missing, can't be read, or has another hash than the model list says.
        """
        optional = _optional_files(workflow)
        for model in workflow.spec.models:
            name = f"{model.folder}/{model.file}"
            if self.find(model.folder, model.file) is None:
                if model.file not in optional:
                    raise Unfit(f"{workflow.label} is required, and {name} is missing")
            elif check_hashes:
                self._check_hash(workflow, model)

    def installed(self) -> list[InstalledModel]:
        """Every file of the model list, and what is known of it without reading it."""
        return [self._installed(model) for model in self._listed.values()]

    def missing(self, models: Iterable[ModelFile]) -> list[str]:
        """Those of ``models`` that aren't there, as ``folder/file``."""
        return [f"{m.folder}/{m.file}" for m in models if self.find(m.folder, m.file) is None]

    def _check_hash(self, workflow: Workflow, model: ModelFile) -> None:
        name = f"{model.folder}/{model.file}"
        listed = self._listed.get((model.folder, model.file))
        if listed is None:
            raise Unfit(f"{workflow.label} is required, and {name} is not in the model list")
        if listed.sha256 is None:
            return
        try:
            found = self.sha256(model.folder, model.file)
        except OSError as error:
            raise Unfit(
                f"{workflow.label} is required, and {name} can't be read: {error.strerror}"
            ) from error
        if found != listed.sha256:
            raise Unfit(
                f"{workflow.label} is required, and {name} is another file than the model list "
                f"says: its SHA-256 is {found}"
            )

    def _installed(self, model: ListedModel) -> InstalledModel:
        path = self.find(model.folder, model.file)
        return InstalledModel(
            folder=model.folder,
            file=model.file,
            size_bytes=None if path is None else path.stat().st_size,
            sha256=None if path is None else self._hashes.known(path),
            expected_sha256=model.sha256,
        )


def _optional_files(workflow: Workflow) -> frozenset[str]:
    """Files that stand for a choice which isn't its slot's default."""
    return frozenset(
        value
        for slot in workflow.spec.slots.values()
        for choice, value in slot.values.items()
        if choice != slot.default and isinstance(value, str)
    )
