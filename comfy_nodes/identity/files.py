"""Identities in files, as ComfyUI nodes."""

from pathlib import Path
from typing import Final

import folder_paths
from comfy_api.latest import io

from ..paths import path_in
from .embedding import Identity
from .errors import EmbeddingUnreadableError, at_input
from .weights import file_sha256

_CATEGORY: Final = "foxetales/identity"
_SUFFIX: Final = ".safetensors"
_IdentityType = io.Custom("FOXETALES_IDENTITY")


class IdentitySave(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Identity in, a safetensors file in ComfyUI's output folder out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesIdentitySave",
            display_name="Save identity",
            category=_CATEGORY,
            description="Writes an identity and the record of its making as safetensors.",
            inputs=[
                _IdentityType.Input("identity"),
                io.String.Input("filename_prefix", default="identity/person"),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, identity: Identity, filename_prefix: str) -> io.NodeOutput:
        """Write the file; its name, subfolder and type come back under `identities`.

        Raises:
            OSError: the folder can't be written to.
        """
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        file = Path(folder) / f"{name}_{counter:05}_{_SUFFIX}"
        identity.save(file)
        entry = {"filename": file.name, "subfolder": subfolder, "type": "output"}
        return io.NodeOutput(ui={"identities": [entry]})


class IdentityLoad(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """A safetensors file in ComfyUI's input folder in, identity out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesIdentityLoad",
            display_name="Load identity",
            category=_CATEGORY,
            description="Reads an identity from ComfyUI's input folder.",
            inputs=[
                io.String.Input("file", tooltip="A .safetensors file in ComfyUI's input folder.")
            ],
            outputs=[_IdentityType.Output(display_name="identity")],
        )

    @classmethod
    def validate_inputs(cls, file: str) -> bool | str:
        """Say before anything runs that the file isn't there."""
        try:
            _input_file(file)
        except EmbeddingUnreadableError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        """A file that was replaced is read again."""
        return file_sha256(_input_file(file))

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        """Read the file; that it fits a PuLID file is checked where it is applied.

        Raises:
            IdentityError: it is missing, damaged, invalid, or of another extractor version.
        """
        with at_input("file"):
            return io.NodeOutput(Identity.load(_input_file(file)))


def _input_file(name: str) -> Path:
    """A file of the input folder by its name.

    Raises:
        EmbeddingUnreadableError: there is no such file, or the name leads out of the folder.
    """
    path = path_in(folder_paths.get_input_directory(), name)
    if path is None or path.suffix != _SUFFIX or not path.is_file():
        raise EmbeddingUnreadableError(f"{name!r} is no {_SUFFIX} file in the input folder")
    return path
