"""ComfyUI's own FLUX and samplers in this process, on the CPU, with few and narrow blocks."""

import importlib
import math
import sys
import warnings
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from comfy_nodes.identity.apply.applied import Applied, Injector
from comfy_nodes.identity.embedding import Identity
from tests.comfyui_checkout import COMFYUI
from tests.torchvision import allow_torchvision

WIDTH, IDENTITY_WIDTH = 48, 2048
SHA = "a" * 64
State = dict[str, torch.Tensor]


@cache
def comfyui() -> None:
    """Make `comfy` importable, on the CPU; its folder comes last, since it owns plain names."""
    sys.path.append(str(COMFYUI))
    allow_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what ComfyUI and its libraries warn of at import
        importlib.import_module("comfy.cli_args").args.cpu = True
        for name in (
            "comfy.supported_models",
            "comfy.samplers",
            "comfy.sample",
            "comfy.controlnet",
        ):
            importlib.import_module(name)


def module(name: str) -> Any:
    """A module of ComfyUI, or of ours that imports it."""
    comfyui()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def flux_model(double: int = 4, single: int = 6, seed: int = 0) -> Any:
    """A ModelPatcher of ComfyUI's FLUX, float32, 48 wide, with random weights."""
    config: dict[str, Any] = {
        "image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 8,
        "context_in_dim": 12, "hidden_size": WIDTH, "mlp_ratio": 2.0, "num_heads": 2,
        "depth": double, "depth_single_blocks": single, "axes_dim": [4, 10, 10], "theta": 10_000,
        "patch_size": 2, "qkv_bias": True, "guidance_embed": True, "dtype": torch.float32,
    }  # fmt: skip
    known = {each.name for each in fields(module("comfy.ldm.flux.model").FluxParams)}
    if "txt_ids_dims" in known:  # newer versions of ComfyUI want it, older ones refuse it
        config["txt_ids_dims"] = []
    settings = module("comfy.supported_models").Flux(config)
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model({}, device="cpu")
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * (parameter.shape[-1] ** -0.5))
    cpu = torch.device("cpu")
    return module("comfy.model_patcher").ModelPatcher(model, cpu, cpu)


def injector_state(count: int, seed: int = 1, width: int = WIDTH) -> State:
    """Random `pulid_ca.*` tensors, float32, one head of 128."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) / math.sqrt(shape[-1])

    state: State = {}
    for number in range(count):
        name = f"pulid_ca.{number}"
        for norm, size in (("norm1", IDENTITY_WIDTH), ("norm2", width)):
            state[f"{name}.{norm}.weight"] = 1 + 0.1 * random(size)
            state[f"{name}.{norm}.bias"] = 0.1 * random(size)
        state[f"{name}.to_q.weight"] = random(128, width)
        state[f"{name}.to_kv.weight"] = random(256, IDENTITY_WIDTH)
        state[f"{name}.to_out.weight"] = random(width, 128)
    return state


def write_injector(path: Path, count: int = 4, seed: int = 1) -> Path:
    """A PuLID file with the injector's tensors and one of the encoder's."""
    save_file({**injector_state(count, seed), "pulid_encoder.latents": torch.zeros(1, 2)}, path)
    return path


def an_identity(seed: int, unconditional: bool = True, sha: str = SHA) -> Identity:
    """Random tokens."""
    generator = torch.Generator().manual_seed(seed)
    tokens, nobody = (torch.randn(1, 32, IDENTITY_WIDTH, generator=generator) for _ in range(2))
    return Identity(
        tokens=tokens,
        pulid_sha256=sha,
        photo_sha256="b" * 64,
        extracted_at="2026-01-01T00:00:00+00:00",
        unconditional=nobody if unconditional else None,
    )


def an_injector(folder: Path, count: int = 4) -> Injector:
    """Loaded by the node's own loader; takes the identities of `an_identity`."""
    loader = module("comfy_nodes.identity.apply.loader")
    loaded: Injector = loader.load_injector(write_injector(folder / "pulid.safetensors", count))
    return replace(loaded, pulid_sha256=SHA)


def applied_to(model: Any, *identities: Applied) -> Any:
    """The model with the identities, in their order."""
    for identity in identities:
        model = module("comfy_nodes.identity.apply.model").with_identity(model, identity)
    return model


def inputs(batch: int = 1, height: int = 6, width: int = 8, seed: int = 5) -> dict[str, Any]:
    """What a forward of FLUX takes: latents, noise level, text, pooled text, guidance."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "x": torch.randn(batch, 16, height, width, generator=generator),
        "t": torch.full((batch,), 0.7),
        "c_crossattn": torch.randn(batch, 5, 12, generator=generator),
        "y": torch.randn(batch, 8, generator=generator),
        "guidance": torch.full((batch,), 3.5),
    }
