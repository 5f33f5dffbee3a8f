"""The injected attention against the authors' own module, and its cache."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from comfy_nodes.identity.apply.attention import IdentityAttention, KeysValues
from comfy_nodes.identity.apply.cache import KeysValuesCache

REFERENCE = os.environ.get("PULID_REFERENCE")


def authors_module(folder: Path) -> Any:
    path = folder / "pulid" / "encoders_transformer.py"
    spec = importlib.util.spec_from_file_location("pulid_encoders_transformer", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(REFERENCE is None, reason="PULID_REFERENCE names no checkout of PuLID")
@pytest.mark.parametrize("batch", [1, 2])
def test_it_is_the_authors_attention(batch: int) -> None:
    torch.manual_seed(batch)
    theirs = authors_module(Path(REFERENCE or "")).PerceiverAttentionCA()
    ours = IdentityAttention(3072, 2048, 2048)
    ours.load_state_dict(theirs.state_dict())
    tokens, image = torch.randn(batch, 32, 2048), torch.randn(batch, 64, 3072)
    with torch.inference_mode():
        expected = theirs(tokens, image)
        result = ours(image, ours.keys_values(tokens))
    assert (result - expected).abs().max() <= 1e-5


def test_one_identity_serves_a_whole_batch_bit_by_bit() -> None:
    torch.manual_seed(0)
    attention = IdentityAttention(48, 64, 256)
    image, made = torch.randn(3, 12, 48), attention.keys_values(torch.randn(1, 32, 64))
    assert made.keys.shape == made.values.shape == (1, 2, 32, 128)
    repeated = KeysValues(made.keys.repeat(3, 1, 1, 1), made.values.repeat(3, 1, 1, 1))
    assert torch.equal(attention(image, made), attention(image, repeated))


def test_the_cache_computes_once_and_drops_what_was_used_longest_ago() -> None:
    computed: list[str] = []
    cache = KeysValuesCache(capacity=2)

    def get(key: str) -> None:
        def compute() -> list[KeysValues]:
            computed.append(key)
            return []

        cache.get(key, compute)

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)
    assert computed == ["a", "b", "c", "b"]
    assert len(cache) == 2
    cache.clear()
    assert len(cache) == 0
