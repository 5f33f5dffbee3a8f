from collections.abc import Iterator

import pytest

from tests.handler.models.shelf import Shelf, open_shelf


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with open_shelf() as opened:
        yield opened


@pytest.fixture
def other() -> Iterator[Shelf]:
    """Another host, as far as a client can tell: another port of loopback."""
    with open_shelf() as opened:
        yield opened
