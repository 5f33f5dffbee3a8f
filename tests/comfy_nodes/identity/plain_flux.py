"""FLUX with PuLID written plainly: block, ControlNet residual, attention, in that order."""

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange

from comfy_nodes.identity.apply.weights import Attentions


@dataclass(frozen=True)
class Shown:
    """An identity: tokens for each row of the batch, weight, and mask [B, tokens, 1] if any."""

    tokens: torch.Tensor
    weight: float
    mask: torch.Tensor | None = None


def attention(module: Any, image: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The injected attention with keys and values made anew from tokens."""
    result: torch.Tensor = module(image, module.keys_values(tokens))
    return result


def velocity(
    flux: Any,
    given: dict[str, Any],
    attentions: Attentions,
    people: list[Shown],
    control: dict[str, list[torch.Tensor | None]] | None = None,
) -> torch.Tensor:
    """What a FLUX of ComfyUI answers, [B, 16, h, w], with people added after the blocks."""
    layers = importlib.import_module("comfy.ldm.flux.layers")
    x = given["x"]
    img, img_ids = flux.process_img(x)
    txt = flux.txt_in(given["c_crossattn"])
    img = flux.img_in(img)
    vec = flux.time_in(layers.timestep_embedding(given["t"], 256))
    vec = vec + flux.guidance_in(layers.timestep_embedding(given["guidance"], 256))
    vec = vec + flux.vector_in(given["y"])
    txt_ids = torch.zeros(len(x), txt.shape[1], 3)
    pe = flux.pe_embedder(torch.cat((txt_ids, img_ids), dim=1))
    number = 0

    def show(picture: torch.Tensor) -> torch.Tensor:
        for person in people:
            taken = attention(attentions[number], picture, person.tokens)
            if person.mask is not None:
                taken = person.mask * taken
            picture = picture + person.weight * taken
        return picture

    residuals = control or {}
    for index, block in enumerate(flux.double_blocks):
        img, txt = block(img=img, txt=txt, vec=vec, pe=pe)
        extra = residuals.get("input", [])[index : index + 1]
        if extra and extra[0] is not None:
            img = img + extra[0]
        if index % 2 == 0:
            img, number = show(img), number + 1
    for index, block in enumerate(flux.single_blocks):
        both = block(torch.cat((txt, img), 1), vec=vec, pe=pe)
        txt, img = both[:, : txt.shape[1]], both[:, txt.shape[1] :]
        extra = residuals.get("output", [])[index : index + 1]
        if extra and extra[0] is not None:
            img = img + extra[0]
        if index % 4 == 0:
            img, number = show(img), number + 1
    out = flux.final_layer(img, vec)
    h, w = x.shape[-2] // 2, x.shape[-1] // 2
    picture: torch.Tensor = rearrange(out, "b (h w) (c p q) -> b c (h p) (w q)", h=h, w=w, p=2, q=2)
    return picture
