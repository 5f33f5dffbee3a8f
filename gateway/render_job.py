"""From a claimed dispatch to the message that the worker gets. Pure."""

from books.model import FaceOpening, Page
from contract.job import IdentitySource, ObjectRef, PagesJob, PageTask, SlotValue
from contract.keys import TEMPLATE_ASSETS, embedding_key
from gateway.catalogue import Catalogue
from gateway.jobs import PageState
from gateway.ledger import Claim
from gateway.prompts import child_prompt


class NotRenderable(Exception):
    """The book has no such page any more, or no art for it."""


def pages_job(claim: Claim, books: Catalogue, deadline_s: float) -> PagesJob:
    """Return the message that renders the claim's missing pages within ``deadline_s`` seconds.

    Raises:
        Problem: ``book_unknown`` or ``appearance_unknown``: the data have changed since the
            preview was asked for.
        NotRenderable: so has the book.
    """
    if claim.rendering.pixels:
        return _enlarging(claim, claim.rendering.pixels, deadline_s)
    book = books.book(claim.preview.book_id)
    look = None if claim.rendering.is_draft else _final_slots(claim, books)
    tasks = []
    for state in claim.pages:
        try:
            page = book.page(state.page_number)
        except KeyError:
            raise NotRenderable(f"{book.id} has no page {state.page_number}") from None
        tasks.append(_task(claim, books, page, state, look))
    return PagesJob(
        job_id=claim.job_id,
        dispatch=claim.dispatch,
        workflow=claim.rendering.workflow,
        pages=tasks,
        identity=_identity(claim),
        deadline_s=deadline_s,
    )


def _enlarging(claim: Claim, pixels: tuple[int, int], deadline_s: float) -> PagesJob:
    width, height = pixels
    tasks = []
    for state in claim.pages:
        if state.page_number not in claim.finished:
            raise NotRenderable(f"page {state.page_number} isn't painted")
        tasks.append(
            PageTask(
                page_number=state.page_number,
                output_key=state.key,
                seed=state.seed,
                slots={"width": width, "height": height},
                assets={"page": claim.finished[state.page_number]},
            )
        )
    return PagesJob(
        job_id=claim.job_id,
        dispatch=claim.dispatch,
        workflow=claim.rendering.workflow,
        pages=tasks,
        deadline_s=deadline_s,
    )


def _task(
    claim: Claim, books: Catalogue, page: Page, state: PageState, look: dict[str, SlotValue] | None
) -> PageTask:
    """One page in the final ``look``, or as a draft without one: from the photo itself."""
    if page.face is None:
        raise NotRenderable(f"page {page.page_number} has no art")
    assets: dict[str, ObjectRef] = {
        asset: books.asset(claim.preview.book_id, page.page_number, asset)
        for asset in TEMPLATE_ASSETS
    }
    if look is None:
        assets["photo"] = _photo(claim)
    return PageTask(
        page_number=page.page_number,
        output_key=state.key,
        seed=state.seed,
        slots=_face_slots(page.face) if look is None else look,
        assets=assets,
    )


def _final_slots(claim: Claim, books: Catalogue) -> dict[str, SlotValue]:
    """What the final look is told of the child. Without an appearance the prompt says nothing of
    origin, the anchor is the workflow's own, neutral one, and the skin stays as it is painted.

    Where the face is isn't told: the skin shift outlines a face that it finds by itself better
    than one that it is given."""
    preview = claim.preview
    appearance = books.appearance(preview.appearance) if preview.appearance else None
    slots: dict[str, SlotValue] = {
        "ethnicity_prompt": child_prompt(appearance, preview.child_age, preview.child_gender),
        "skin_preset": appearance.skin_preset if appearance else "off",
        "quality": claim.rendering.quality,
    }
    return slots | {"skin_anchor": appearance.skin_anchor} if appearance else slots


def _identity(claim: Claim) -> IdentitySource | None:
    workflow = claim.rendering.identity_workflow
    if workflow is None:
        return None
    return IdentitySource(
        photo=_photo(claim),
        embedding_key=embedding_key(claim.photo.photo_id),
        workflow=workflow,
    )


def _photo(claim: Claim) -> ObjectRef:
    return ObjectRef(key=claim.photo.key, sha256=claim.photo.sha256)


def _face_slots(face: FaceOpening) -> dict[str, SlotValue]:
    """Where the face goes: pixels of the page, degrees clockwise."""
    return {
        "face_x": face.center_x,
        "face_y": face.center_y,
        "face_width": face.width,
        "face_height": face.height,
        "face_angle": face.angle,
    }
