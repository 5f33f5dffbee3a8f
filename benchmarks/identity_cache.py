"""Identity attentions with kept keys and values, beside making them anew in every step.

``python -m benchmarks.identity_cache`` runs PuLID's twenty attentions at FLUX's widths, random
weights in float32, over the steps of one page. Both ways take turns, round by round, and each
round is compared with its own neighbour: the median of these ratios counts. What they answer must
be equal bit by bit.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from comfy_nodes.identity.apply.attention import IdentityAttention, KeysValues
from comfy_nodes.identity.apply.cache import KeysValuesCache

ROOT = Path(__file__).resolve().parent.parent
IMAGE_WIDTH, IDENTITY_WIDTH, INNER_WIDTH, TOKENS = 3072, 2048, 2048, 32


@dataclass(frozen=True)
class Page:
    """What one page asks for: attentions, identity tokens, image tokens, number of steps."""

    attentions: list[IdentityAttention]
    identity: torch.Tensor
    image: torch.Tensor
    steps: int

    def keys_values(self) -> list[KeysValues]:
        """Keys and values for every attention."""
        return [attention.keys_values(self.identity) for attention in self.attentions]

    def recomputed(self) -> torch.Tensor:
        """The page with keys and values made anew in every step."""
        image = self.image
        for _ in range(self.steps):
            image = self._step(self.keys_values())
        return image

    def cached(self) -> torch.Tensor:
        """The page with keys and values made in the first step, as the node does."""
        cache, image = KeysValuesCache(), self.image
        for _ in range(self.steps):
            image = self._step(cache.get("identity", self.keys_values))
        return image

    def _step(self, keys_values: list[KeysValues]) -> torch.Tensor:
        image = self.image
        for attention, made in zip(self.attentions, keys_values, strict=True):
            image = image + attention(image, made)
        return image


def a_page(*, attentions: int, pixels: int, steps: int) -> Page:
    """Random weights and tokens; a picture of `pixels` x `pixels`."""
    torch.manual_seed(0)
    made = [IdentityAttention(IMAGE_WIDTH, IDENTITY_WIDTH, INNER_WIDTH) for _ in range(attentions)]
    identity = torch.randn(1, TOKENS, IDENTITY_WIDTH)
    return Page(made, identity, torch.randn(1, (pixels // 16) ** 2, IMAGE_WIDTH), steps)


def measure(page: Page, rounds: int) -> tuple[list[float], list[float], bool]:
    """Seconds a page, cached and recomputed, for each round; and whether both always agreed."""
    cached, recomputed, equal = [], [], True
    for number in range(rounds + 1):
        mine, first = _timed(page.cached)
        its, second = _timed(page.recomputed)
        equal = equal and torch.equal(first, second)
        if number:  # the first round warms up
            cached.append(mine)
            recomputed.append(its)
    return cached, recomputed, equal


def _timed(run: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def main() -> int:
    """Measure, print the table, write the JSON; 0 if cached is faster and bit-equal."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.identity_cache", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=256)
    parser.add_argument("--attentions", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    arguments = parser.parse_args()
    page = a_page(attentions=arguments.attentions, pixels=arguments.pixels, steps=arguments.steps)
    with torch.inference_mode():
        cached, recomputed, equal = measure(page, arguments.rounds)
    ratio = statistics.median(its / mine for mine, its in zip(cached, recomputed, strict=True))
    table = Table("keys and values", "ms a page (median)", "times as fast")
    table.add_row("made in every step", f"{1000 * statistics.median(recomputed):,.0f}", "1.00")
    table.add_row("made once", f"{1000 * statistics.median(cached):,.0f}", f"{ratio:.2f}")
    Console().print(table)
    Console().print(f"goal: faster, and equal bit by bit; equal: {'yes' if equal else 'no'}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    document = {
        "ratio": round(ratio, 3),
        "bit_equal": equal,
        "steps": arguments.steps,
        "pixels": arguments.pixels,
        "attentions": arguments.attentions,
        "rounds_s": {
            "cached": [round(value, 4) for value in cached],
            "recomputed": [round(value, 4) for value in recomputed],
        },
    }
    (arguments.out / "identity_cache.json").write_text(json.dumps(document, indent=2) + "\n")
    return 0 if equal and ratio > 1 else 1


if __name__ == "__main__":
    sys.exit(main())
