"""One site for every test that can share it."""

from collections.abc import Iterator

import pytest

from storage.folder import FolderStore
from tests.faults.pages import write_art
from tests.faults.site import Site, running_site


@pytest.fixture(scope="package")  # other packages count processes of their own
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two workers over a folder."""
    folder = tmp_path_factory.mktemp("site")
    store = FolderStore(folder / "store")
    write_art(store)
    with running_site(folder, workers=2, store=store) as made:
        yield made


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """The shared site, with both workers ready before, and nothing of the test left after."""
    shared_site.receiver.unwell = 0
    shared_site.wait_until_ready()
    yield shared_site
    shared_site.assert_tidy()
