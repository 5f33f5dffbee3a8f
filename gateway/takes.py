"""Which take of a page is shown. Pure."""

from collections.abc import Sequence

from contract.status import PageStatus
from gateway.records import Page


def shown_pages(pages: Sequence[Page]) -> dict[int, Page]:
    """Return, for each page number, the take that is shown: the newest completed one, or the
    first while there is none."""
    shown: dict[int, Page] = {}
    for page in sorted(pages, key=lambda page: page.take):
        if page.take == 1 or page.status is PageStatus.COMPLETED:
            shown[page.page_number] = page
    return shown
