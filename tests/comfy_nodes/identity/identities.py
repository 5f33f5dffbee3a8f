"""Identities that the tests make up."""

import torch

from comfy_nodes.identity.embedding import SHAPE, Identity

PULID = "a" * 64
PHOTO = "b" * 64


def identity(dtype: torch.dtype = torch.bfloat16, unconditional: bool = False) -> Identity:
    """Random tokens, the same on every call."""
    generator = torch.Generator().manual_seed(5)
    tokens, nothing = (torch.randn(SHAPE, generator=generator).to(dtype) for _ in range(2))
    return Identity(
        tokens=tokens,
        pulid_sha256=PULID,
        photo_sha256=PHOTO,
        extracted_at="2026-03-01T12:00:00+00:00",
        unconditional=nothing if unconditional else None,
    )
