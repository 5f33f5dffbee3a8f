"""PuLID's cross-attention from image tokens to identity tokens.

Written from the paper (Guo et al. 2024, arXiv:2404.16022) and from the names and shapes of the
published weights; parity with the authors' module is tested.
"""

from typing import Any, Final, NamedTuple

import torch
from torch import nn

HEAD_WIDTH: Final = 128


class KeysValues(NamedTuple):
    """What an attention needs of an identity, each [1 or B, heads, tokens, 128]."""

    keys: torch.Tensor
    values: torch.Tensor


class IdentityAttention(nn.Module):
    """Image tokens ask, identity tokens answer.

    Keys and values depend on the identity alone: they are made once, by `keys_values`, and serve
    every step and every picture.

    Args:
        image_width: width of FLUX's tokens, 3072 in the published weights.
        identity_width: width of identity tokens, 2048.
        inner_width: heads times 128, 2048.
        operations: where `Linear` and `LayerNorm` come from; ComfyUI's cast their weights to the
            device and the type of what comes in.
    """

    def __init__(
        self,
        image_width: int,
        identity_width: int,
        inner_width: int,
        *,
        operations: Any = nn,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        where = {"dtype": dtype, "device": device}
        self.norm1 = operations.LayerNorm(identity_width, **where)
        self.norm2 = operations.LayerNorm(image_width, **where)
        self.to_q = operations.Linear(image_width, inner_width, bias=False, **where)
        self.to_kv = operations.Linear(identity_width, 2 * inner_width, bias=False, **where)
        self.to_out = operations.Linear(inner_width, image_width, bias=False, **where)

    def keys_values(self, tokens: torch.Tensor) -> KeysValues:
        """Keys and values of identity tokens [B, T, identity_width]."""
        keys, values = self.to_kv(self.norm1(tokens)).chunk(2, dim=-1)
        return KeysValues(_heads(keys).contiguous(), _heads(values).contiguous())

    def forward(self, image: torch.Tensor, identity: KeysValues) -> torch.Tensor:
        """What image tokens [B, N, image_width] take from the identity, of the same shape."""
        batch, count, _ = image.shape
        # The softmax inside runs in float32, whatever the type of its operands.
        taken = nn.functional.scaled_dot_product_attention(
            _heads(self.to_q(self.norm2(image))),
            identity.keys.expand(batch, -1, -1, -1),
            identity.values.expand(batch, -1, -1, -1),
        )
        answer: torch.Tensor = self.to_out(taken.transpose(1, 2).reshape(batch, count, -1))
        return answer


def _heads(tokens: torch.Tensor) -> torch.Tensor:
    """[B, T, heads x 128] as [B, heads, T, 128]."""
    batch, count, width = tokens.shape
    return tokens.view(batch, count, width // HEAD_WIDTH, HEAD_WIDTH).transpose(1, 2)
