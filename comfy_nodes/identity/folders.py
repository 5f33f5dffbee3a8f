"""Where ComfyUI keeps the weights of the identity nodes."""

from pathlib import Path
from typing import Final

import folder_paths

from .errors import WeightsError

PULID: Final = "pulid"
EVA_CLIP: Final = "eva_clip"
FACE_ANALYSIS: Final = "face_analysis"

PULID_FILE: Final = "pulid_flux_v0.9.1.safetensors"


def register_model_folders() -> None:
    """Make the folders of our models known to ComfyUI."""
    for folder in (PULID, EVA_CLIP, FACE_ANALYSIS):
        folder_paths.add_model_folder_path(folder, str(Path(folder_paths.models_dir) / folder))


def names(folder: str, default: str) -> list[str]:
    """Files that are there; the default even when it is not, so that the node can be seen."""
    found: list[str] = folder_paths.get_filename_list(folder)
    return found if default in found else [default, *found]


def path_of(folder: str, name: str) -> Path:
    """The file of a name.

    Raises:
        WeightsError: there is no such file.
    """
    # Only names from the folder's own list: a prompt must not reach other files.
    if name not in folder_paths.get_filename_list(folder):
        raise WeightsError(f"{name!r} is not in models/{folder}")
    return Path(folder_paths.get_full_path_or_raise(folder, name))


def check(folder: str, *chosen: str) -> bool | str:
    """What `validate_inputs` answers: ComfyUI 0.3.75 does not check choices of V3 nodes."""
    try:
        for name in chosen:
            path_of(folder, name)
    except WeightsError as error:
        return str(error)
    return True
