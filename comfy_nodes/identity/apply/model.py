"""Puts an identity on a ComfyUI model."""

from typing import Any, Final

import comfy.ldm.flux.model
import comfy.patcher_extension

from .applied import Applied, Injector, SamplingOf
from .errors import InjectorMismatchError, NotFluxError
from .injection import IDENTITIES, SAMPLING, Depth, with_identities

_KEY: Final = "foxetales_identity"


def with_identity(model: Any, applied: Applied) -> Any:
    """A clone of a model (ModelPatcher) that shows one more identity; the model stays as it is.

    Raises:
        NotFluxError: the model is another kind of network.
        InjectorMismatchError: the injector has too few attentions, or another width.
    """
    check_fits(model, applied.injector)
    clone = model.clone()
    options = clone.model_options["transformer_options"]
    if IDENTITIES not in options:
        comfy.patcher_extension.add_wrapper_with_key(
            comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, _KEY, with_identities, options
        )
        options[SAMPLING] = SamplingOf(model.model)
    # A tuple: ComfyUI extends lists when it merges options.
    options[IDENTITIES] = (*options.get(IDENTITIES, ()), applied)
    injectors = clone.get_additional_models_with_key(_KEY)
    if not any(applied.injector.patcher.is_clone(other) for other in injectors):
        clone.set_additional_models(_KEY, [*injectors, applied.injector.patcher])
    return clone


def check_fits(model: Any, injector: Injector) -> None:
    """Refuse a model that the injector was not trained for.

    A FLUX with fewer blocks takes the first attentions, in order, as PuLID's authors count them.

    Raises:
        NotFluxError: the model is another kind of network.
        InjectorMismatchError: the injector has too few attentions, or another width.
    """
    flux = model.model.diffusion_model
    if not isinstance(flux, comfy.ldm.flux.model.Flux):
        raise NotFluxError(f"input model: {type(flux).__name__} is not FLUX")
    depth = Depth(len(flux.double_blocks), len(flux.single_blocks))
    if flux.hidden_size != injector.attentions.image_width:
        raise InjectorMismatchError(
            f"input injector: it is for tokens {injector.attentions.image_width} "
            f"wide, the model's are {flux.hidden_size} wide"
        )
    if len(injector.attentions) < depth.attentions:
        raise InjectorMismatchError(
            f"input injector: it has {len(injector.attentions)} attentions, the "
            f"model needs {depth.attentions}"
        )
