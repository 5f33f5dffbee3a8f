"""What the GPU waits for, by the times of the nodes."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

_GPU = ("FixedEncode", "FixedSampler", "FixedDecode")
BETWEEN_PROMPTS, BETWEEN_NODES = "between two prompts", "between two nodes"


def waits_by_node(log: str) -> dict[str, float]:
    """Milliseconds a page, the longest first; medians over all pages but the first.

    ``log`` is what the node pack `node_times` wrote. A page ends with the node that writes it; one
    that is not run for a page, since ComfyUI has its result, took 0 there.
    """
    pages = [_waits(page) for page in _pages(log)[1:]]
    names = sorted({name for page in pages for name in page})
    found = {name: statistics.median(page.get(name, 0.0) for page in pages) for name in names}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _pages(log: str) -> list[list[tuple[str, float, float]]]:
    """The nodes of each page; each page begins with the last node of the one before it."""
    pages: list[list[tuple[str, float, float]]] = [[]]
    for line in log.splitlines():
        name, began, ended = line.split()
        pages[-1].append((name, float(began), float(ended)))
        if name == "FoxetalesWritePixels":
            pages.append([pages[-1][-1]])
    return pages[:-1]


def _waits(nodes: Sequence[tuple[str, float, float]]) -> dict[str, float]:
    waits: dict[str, float] = defaultdict(float)
    for (before, _, ended), (name, began, end) in pairwise(nodes):
        gap = BETWEEN_PROMPTS if before == "FoxetalesWritePixels" else BETWEEN_NODES
        waits[gap] += (began - ended) * 1000
        if name not in _GPU:
            waits[name] += (end - began) * 1000
    return waits
