"""What the tests of identities share: torchvision beside a CPU build of torch, tiny weights."""

from pathlib import Path

import pytest

from tests.tiny_weights import TINY_MODELS, make
from tests.torchvision import allow_torchvision

# timm imports torchvision, whose compiled half a CPU build of torch can't load.
allow_torchvision()


@pytest.fixture(scope="session")
def models() -> Path:
    """A models folder with random weights under the released names."""
    make()
    return TINY_MODELS
