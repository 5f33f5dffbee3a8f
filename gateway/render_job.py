"""From a claimed dispatch to the message that the worker gets. Pure."""

from books.model import Page
from contract.job import ObjectRef, PagesJob, PageTask, SlotValue, WorkflowRef
from contract.keys import TEMPLATE_ASSETS
from gateway.catalogue import Catalogue
from gateway.jobs import PageState
from gateway.ledger import Claim


class NotRenderable(Exception):
    """The book has no such page any more, or no art for it."""


def pages_job(claim: Claim, books: Catalogue, deadline_s: float) -> PagesJob:
    """Return the message that renders the claim's missing pages within ``deadline_s`` seconds.

    Raises:
        Problem: ``book_unknown``.
        NotRenderable: the book has changed since the preview was asked for.
    """
    book = books.book(claim.preview.book_id)
    tasks = []
    for state in claim.pages:
        try:
            page = book.page(state.page_number)
        except KeyError:
            raise NotRenderable(f"{book.id} has no page {state.page_number}") from None
        tasks.append(_task(claim, books, page, state))
    return PagesJob(
        job_id=claim.job_id,
        dispatch=claim.dispatch,
        workflow=WorkflowRef(name=book.workflow.name, version=book.workflow.version),
        pages=tasks,
        deadline_s=deadline_s,
    )


def _task(claim: Claim, books: Catalogue, page: Page, state: PageState) -> PageTask:
    assets: dict[str, ObjectRef] = {
        asset: books.asset(claim.preview.book_id, page.page_number, asset)
        for asset in TEMPLATE_ASSETS
    }
    assets["photo"] = ObjectRef(key=claim.photo.key, sha256=claim.photo.sha256)
    return PageTask(
        page_number=page.page_number,
        output_key=state.key,
        seed=state.seed,
        slots=_face_slots(page),
        assets=assets,
    )


def _face_slots(page: Page) -> dict[str, SlotValue]:
    """Where the face goes: pixels of the page, degrees clockwise."""
    if page.face is None:
        raise NotRenderable(f"page {page.page_number} has no art")
    return {
        "face_x": page.face.center_x,
        "face_y": page.face.center_y,
        "face_width": page.face.width,
        "face_height": page.face.height,
        "face_angle": page.face.angle,
    }
