"""torchvision beside a CPU build of torch, for tests that import what imports it."""

import sys

from handler.comfy.launcher import TorchvisionOperators


def allow_torchvision() -> None:
    """Make torchvision importable in this process; its operators may be defined only once."""
    if not any(isinstance(finder, TorchvisionOperators) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionOperators())
