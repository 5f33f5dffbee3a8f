"""Adds identities to a forward of FLUX through ComfyUI's `patches_replace["dit"]`.

PuLID adds attention k to the image tokens after every second double block and every fourth single
block. ComfyUI adds a ControlNet's residual after a block's patch has run, and PuLID comes after
that: so what belongs after a block is added at the entry of the next one.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import torch

from .applied import Applied
from .attention import KeysValues

IDENTITIES: Final = "foxetales_identities"
"""Where a model's `transformer_options` keep its tuple of `Applied`."""

SAMPLING: Final = "foxetales_sampling_of"
"""Where they keep `SamplingOf`."""

Patch = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
Key = tuple[str, int]

_EVERY_DOUBLE: Final = 2
_EVERY_SINGLE: Final = 4


class Depth(NamedTuple):
    """How many blocks a FLUX has."""

    double: int
    single: int

    @property
    def attentions(self) -> int:
        """How many attentions PuLID has for it."""
        return -(-self.double // _EVERY_DOUBLE) - (-self.single // _EVERY_SINGLE)

    def entries(self) -> dict[Key, int]:
        """At the entry of which block which attention is added.

        The block after the last one stands for the exit.
        """
        entries: dict[Key, int] = {}
        for block in range(0, self.double, _EVERY_DOUBLE):
            following = block + 1 < self.double
            entries[("double_block", block + 1) if following else ("single_block", 0)] = len(
                entries
            )
        for block in range(0, self.single, _EVERY_SINGLE):
            entries[("single_block", block + 1)] = len(entries)
        return entries


class Acting(NamedTuple):
    """An identity in one forward: keys and values of each attention, and its token mask."""

    weight: float
    keys_values: list[KeysValues]
    mask: torch.Tensor | None


class Forward:
    """One forward of FLUX with the identities that act in it."""

    def __init__(self, identities: list[Acting], attentions: list[Any], image_tokens: int) -> None:
        self._identities = identities
        self._attentions = attentions
        self._image_tokens = image_tokens
        self._text_tokens = 0

    def add(self, number: int, tokens: torch.Tensor, begin: int = 0) -> torch.Tensor:
        """Tokens [B, T, width] with attention `number` added to the picture's, from `begin` on.

        What follows the picture, such as reference pictures, stays as it is.
        """
        tokens = tokens.clone()  # another patch may keep what came in
        picture = tokens[:, begin : begin + self._image_tokens]
        for identity, attentions in zip(self._identities, self._attentions, strict=True):
            taken = attentions[number](picture, identity.keys_values[number])
            if identity.mask is not None:
                taken = identity.mask * taken
            picture += identity.weight * taken
        return tokens

    def patches(self, there: dict[Key, Patch], depth: Depth) -> dict[Key, Patch]:
        """The block patches of this forward; each wraps the patch that is there."""
        patches = dict(there)
        for key, number in depth.entries().items():
            if key != ("single_block", depth.single):
                patches[key] = self._at_entry(number, key[0], patches.get(key, _run_block))
        last = ("double_block", depth.double - 1)
        patches[last] = self._noting_the_text(patches.get(last, _run_block))
        return patches

    def at_exit(self, number: int, inner: Patch, residual: torch.Tensor | None) -> Patch:
        """A patch of the last block that adds its ControlNet residual, then an attention."""

        def patch(args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            out = dict(inner(args, extra))
            if residual is not None:
                begin = self._text_tokens
                out["img"][:, begin : begin + residual.shape[1]] += residual
            out["img"] = self.add(number, out["img"], self._text_tokens)
            return out

        return patch

    def _at_entry(self, number: int, kind: str, inner: Patch) -> Patch:
        def patch(args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            # In single blocks the text's tokens come first.
            begin = self._text_tokens if kind == "single_block" else 0
            return inner({**args, "img": self.add(number, args["img"], begin)}, extra)

        return patch

    def _noting_the_text(self, inner: Patch) -> Patch:
        def patch(args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            out = inner(args, extra)
            self._text_tokens = out["txt"].shape[1]
            return out

        return patch


def with_identities(
    executor: Any,
    x: torch.Tensor,
    timestep: torch.Tensor,
    context: torch.Tensor,
    y: torch.Tensor | None = None,
    guidance: torch.Tensor | None = None,
    ref_latents: list[torch.Tensor] | None = None,
    control: dict[str, Any] | None = None,
    transformer_options: dict[str, Any] | None = None,
    **rest: Any,
) -> torch.Tensor:
    """A wrapper of ComfyUI's kind DIFFUSION_MODEL: the forward, with the identities that act.

    Args:
        executor: runs the next wrapper or the model; its `class_obj` is the FLUX.
        x: latents [B, 16, h, w], already in the type that the model computes in.
        timestep: [B].
        context: text tokens.
        y: pooled text.
        guidance: FLUX's guidance.
        ref_latents: reference pictures, whose tokens follow the picture's.
        control: residuals of ControlNets.
        transformer_options: never changed here; the forward gets a copy.
        rest: what else the model takes.

    Raises:
        IdentityError: a mask has the wrong size, or CFG lacks the unconditional embedding.
    """
    options = dict(transformer_options or {})
    acting = _acting(options, timestep)
    if acting:
        flux = executor.class_obj
        depth = Depth(len(flux.double_blocks), len(flux.single_blocks))
        forward = _forward(acting, x, options)
        replace = dict(options.get("patches_replace", {}))
        patches = forward.patches(replace.get("dit", {}), depth)
        exit_at = depth.entries().get(("single_block", depth.single))
        if exit_at is not None:
            last = ("single_block", depth.single - 1)
            residual, control = _without_residual(control, last[1])
            patches[last] = forward.at_exit(exit_at, patches.get(last, _run_block), residual)
        options["patches_replace"] = {**replace, "dit": patches}
    result: torch.Tensor = executor(
        x, timestep, context, y, guidance, ref_latents, control, options, **rest
    )
    return result


def _acting(options: dict[str, Any], timestep: torch.Tensor) -> list[Applied]:
    """The identities that act at the noise level of this forward, in their order."""
    identities: tuple[Applied, ...] = options.get(IDENTITIES, ())
    if not identities:
        return []
    sigma = float(options.get("sigmas", timestep).max())
    # Asked for now: a ModelSamplingFlux node may come after Identity apply.
    sampling = options[SAMPLING].model.model_sampling
    return [identity for identity in identities if identity.acts_at(sigma, sampling)]


def _forward(acting: list[Applied], x: torch.Tensor, options: dict[str, Any]) -> Forward:
    chunks: list[int] = options.get("cond_or_uncond") or [0]
    pictures = x.shape[0] // len(chunks)
    identities = []
    for applied in acting:
        made = {chunk: applied.keys_values(chunk, x) for chunk in dict.fromkeys(chunks)}
        mask = applied.token_mask(x, len(chunks))
        identities.append(Acting(applied.weight, _rows(made, chunks, pictures), mask))
    height, width = (-(-side // 2) for side in x.shape[-2:])
    return Forward(identities, [a.injector.attentions for a in acting], height * width)


def _rows(made: dict[int, list[KeysValues]], chunks: list[int], pictures: int) -> list[KeysValues]:
    """Keys and values of each attention, for every row of a batch of chunks, in their order."""
    if len(made) == 1:
        return made[chunks[0]]
    return [
        KeysValues(
            *(
                torch.cat(parts).repeat_interleave(pictures, dim=0)
                for parts in zip(*of_chunks, strict=True)
            )
        )
        for of_chunks in zip(*(made[chunk] for chunk in chunks), strict=True)
    ]


def _without_residual(
    control: dict[str, Any] | None, block: int
) -> tuple[torch.Tensor | None, dict[str, Any] | None]:
    """A single block's ControlNet residual, and the residuals without it."""
    outputs = (control or {}).get("output") or []
    if control is None or block >= len(outputs) or outputs[block] is None:
        return None, control
    rest = [None if number == block else value for number, value in enumerate(outputs)]
    return outputs[block], {**control, "output": rest}


def _run_block(args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """The patch of a block that has none."""
    out: dict[str, Any] = extra["original_block"](args)
    return out
