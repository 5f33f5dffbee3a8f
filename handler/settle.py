"""Settle: a graph that takes what ComfyUI has loaded out of its garbage collector.

Otherwise ComfyUI walks, every ten seconds, all the objects that its imports and models have made,
while a page waits.
"""

from typing import Final

from handler.end_mark import with_end_mark
from handler.graph import FilledGraph

SETTLE_NODE: Final = "FoxetalesSettle"
"""The node of our pack that does it."""


def settle_graph(run: str) -> FilledGraph:
    """Return the graph; its end mark is a file of ``run``."""
    return with_end_mark({"settle": {"class_type": SETTLE_NODE, "inputs": {}}}, f"{run}/settled")
