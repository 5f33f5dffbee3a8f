"""PuLID's encoder: a face's ArcFace and CLIP features in, 32 identity tokens out.

Guo et al. 2024, "PuLID: Pure and Lightning ID Customization via Contrastive Alignment". Names of
modules are those of `pulid_encoder.*` in `pulid_flux_v0.9.x.safetensors`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import WeightsError
from ..weights import State, fill, read_part

SCALES: Final = 5
_PREFIX: Final = "pulid_encoder."
_HEAD: Final = 64


class IdFormer(nn.Module):
    """Perceiver whose latents look at the identity and at one scale of CLIP after the other."""

    def __init__(self, layers: int, width: int, queries: int, tokens: int, identity: int,
                 features: int, out: int) -> None:  # fmt: skip
        """Make an empty network.

        Args:
            layers: perceiver layers, a multiple of `SCALES`.
            width: of the latents; a multiple of 64.
            queries: latents that become the answer.
            tokens: latents that the identity is spread over.
            identity: width of the identity vector.
            features: width of CLIP's hidden states.
            out: width of the answer.
        """
        super().__init__()
        self.latents = nn.Parameter(torch.empty(1, queries, width))
        self.proj_out = nn.Parameter(torch.empty(width, out))
        self.layers = nn.ModuleList(
            nn.ModuleList([_Attention(width), _feed_forward(width)]) for _ in range(layers)
        )
        for scale in range(SCALES):
            self.add_module(f"mapping_{scale}", _mapping(features, features, width))
        self.id_embedding_mapping = _mapping(identity, features, tokens * width)

    def forward(self, identity: Tensor, hidden: Sequence[Tensor]) -> Tensor:
        """Encode.

        Args:
            identity: [B, 1280], ArcFace's 512 values and CLIP's 768.
            hidden: five tensors [B, N, 1024], CLIP's hidden states from early to late.

        Returns:
            [B, 32, 2048] in the type of the input.
        """
        batch, _, width = len(identity), *self.latents.shape[1:]
        tokens = self.id_embedding_mapping(identity).reshape(batch, -1, width)
        latents = torch.cat([self.latents.expand(batch, -1, -1), tokens], dim=1)
        share = len(self.layers) // SCALES
        for scale, state in enumerate(hidden):
            context = torch.cat([tokens, self.get_submodule(f"mapping_{scale}")(state)], dim=1)
            for index in range(scale * share, (scale + 1) * share):
                layer = self.get_submodule(f"layers.{index}")
                latents = latents + layer.get_submodule("0")(context, latents)
                latents = latents + layer.get_submodule("1")(latents)
        return latents[:, : self.latents.shape[1]] @ self.proj_out


class _Attention(nn.Module):
    """Latents look at the context and at each other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width, bias=False)

    def forward(self, context: Tensor, latents: Tensor) -> Tensor:
        """Both [B, N, width]; the answer has the latents' shape."""
        latents = self.norm2(latents)
        seen = torch.cat([self.norm1(context), latents], dim=1)
        key, value = self.to_kv(seen).chunk(2, dim=-1)
        query, key, value = (_heads(part) for part in (self.to_q(latents), key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        answer: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2))
        return answer


def _heads(values: Tensor) -> Tensor:
    """[B, N, heads * 64] as [B, heads, N, 64]."""
    return values.reshape(*values.shape[:2], -1, _HEAD).transpose(1, 2)


def _feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 4 * width, bias=False),
        nn.GELU(),
        nn.Linear(4 * width, width, bias=False),
    )


def _mapping(inputs: int, inner: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, inner),
        nn.LayerNorm(inner),
        nn.LeakyReLU(),
        nn.Linear(inner, inner),
        nn.LayerNorm(inner),
        nn.LeakyReLU(),
        nn.Linear(inner, outputs),
    )


def read_idformer(path: Path) -> IdFormer:
    """The encoder of a PuLID-FLUX file, float32 in main memory; the other half isn't read.

    Raises:
        WeightsError: the file is missing, damaged, or of another version of PuLID.
    """
    state = read_part(path, _PREFIX)
    with torch.device("meta"):
        network = _empty(state, path.name)
    fill(network, state, path.name)
    return network


def _empty(state: State, name: str) -> IdFormer:
    """A network in the sizes that the tensors have."""
    numbers = {int(found[1]) for key in state if (found := re.match(r"layers\.(\d+)\.", key))}
    try:
        queries, width = state["latents"].shape[1:]
        out = state["proj_out"].shape[1]
        features = state["mapping_0.0.weight"].shape[1]
        identity = state["id_embedding_mapping.0.weight"].shape[1]
        spread = state["id_embedding_mapping.6.weight"].shape[0]
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"{name} holds no PuLID encoder that we know") from error
    if not numbers or len(numbers) % SCALES or width % _HEAD or spread % width:
        raise WeightsError(f"{name} holds a PuLID encoder of another layout")
    return IdFormer(len(numbers), width, queries, spread // width, identity, features, out)
