"""PuLID injector loader and Identity apply as ComfyUI nodes."""

from typing import Any

import torch
from comfy_api.latest import io

from ..embedding import Identity
from ..errors import at_input
from ..folders import PULID, PULID_FILE, check, names, path_of
from .applied import Applied, Injector, check_settings
from .errors import SettingsError
from .loader import load_injector
from .model import with_identity

InjectorType = io.Custom("FOXETALES_PULID_INJECTOR")
IdentityType = io.Custom("FOXETALES_IDENTITY")


class PulidInjectorLoader(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """File name in, injector out: the half of PuLID-FLUX that acts inside the model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesPulidInjectorLoader",
            display_name="PuLID injector loader",
            category="foxetales/identity",
            description="Loads the injecting half of a PuLID-FLUX file, and nothing else of it.",
            inputs=[
                io.Combo.Input(
                    "pulid_file",
                    options=names(PULID, PULID_FILE),
                    default=PULID_FILE,
                    tooltip=f"PuLID-FLUX file in models/{PULID}.",
                )
            ],
            outputs=[InjectorType.Output(display_name="injector")],
        )

    @classmethod
    def validate_inputs(cls, pulid_file: str) -> bool | str:
        """The server of ComfyUI 0.3.75 does not check choices of V3 nodes."""
        return check(PULID, pulid_file)

    @classmethod
    def execute(cls, pulid_file: str) -> io.NodeOutput:
        """Load the injector.

        Raises:
            WeightsError: the file is missing, cut short, or not PuLID-FLUX.
        """
        with at_input("pulid_file"):
            return io.NodeOutput(load_injector(path_of(PULID, pulid_file)))


class IdentityApply(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """MODEL, injector and identity in, MODEL out: it draws that person."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""

        def share(name: str, default: float, tooltip: str) -> io.Float.Input:
            return io.Float.Input(
                name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip
            )

        return io.Schema(
            node_id="FoxetalesIdentityApply",
            display_name="Identity apply",
            category="foxetales/identity",
            description="Makes a FLUX model draw a person. Several in a row show several people; "
            "give each a mask.",
            inputs=[
                io.Model.Input("model"),
                InjectorType.Input("injector"),
                IdentityType.Input("identity"),
                io.Float.Input("weight", default=1.0, min=0.0, max=3.0, step=0.05),
                share("start_at", 0.0, "Share of the sampling at which it begins to act."),
                share("end_at", 1.0, "Share of the sampling at which it ceases to act."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the person is, in the picture's own size.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model")],
        )

    @classmethod
    def validate_inputs(cls, start_at: float = 0.0, end_at: float = 1.0) -> bool | str:
        """Refuse an order of numbers that ComfyUI, which knows their ranges, can't know of;
        linked ones come as None."""
        try:
            check_settings(
                1.0, 0.0 if start_at is None else start_at, 1.0 if end_at is None else end_at
            )
        except SettingsError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        model: Any,
        injector: Injector,
        identity: Identity,
        weight: float,
        start_at: float,
        end_at: float,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        """A clone of the model that shows the identity; mask float [M, H, W], 0..1.

        Raises:
            IdentityError: the model is not FLUX, the identity is of another PuLID file, or a
                number or the mask is out of range; the message begins with a stable code.
        """
        applied = Applied(injector, identity, weight, start_at, end_at, mask)
        return io.NodeOutput(with_identity(model, applied))
