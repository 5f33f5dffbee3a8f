"""What a book's pages are rendered by: the final look, or the draft of machines without weights.

A job keeps what was decided when it was queued: a retry after a deployment renders the rest of
its pages with the same version.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from books.model import Book, WorkflowChoice
from contract.job import WorkflowRef

Quality = Literal["standard", "fast"]
"""How many steps the final look takes: a choice of its workflow."""


class Look(StrEnum):
    """The look of the pages. ``final`` is what is printed; ``draft`` is labelled as a draft."""

    FINAL = "final"
    DRAFT = "draft"


class LookMissing(Exception):
    """A book can't be rendered in the look that is in use. The message names the book."""


PRINT_WORKFLOWS: Mapping[Look, WorkflowRef] = {
    Look.FINAL: WorkflowRef(name="print_upscale", version=1),
    Look.DRAFT: WorkflowRef(name="print_upscale_draft", version=1),
}
"""By what a finished page is enlarged for the printer. Drafts are only made larger: a machine
without model weights has no upscale model either."""


class Rendering(BaseModel):
    """By what a job's pages are rendered, as its record keeps it.

    ``identity_workflow`` makes the identity that ``workflow`` takes, if it takes one. A draft
    has no identity and only one quality. With ``pixels`` (width, height) the job enlarges pages
    that are finished for the printer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    look: Look
    workflow: WorkflowRef
    identity_workflow: WorkflowRef | None = None
    quality: Quality = "standard"
    pixels: tuple[int, int] | None = None

    @property
    def is_draft(self) -> bool:
        """Whether the pages must be labelled as drafts."""
        return self.look is Look.DRAFT


def rendering(book: Book, look: Look, quality: Quality) -> Rendering:
    """Return by what a new job of ``book`` is rendered. ``quality`` is of the final look only.

    Raises:
        LookMissing: the book has no draft workflow.
    """
    if look is Look.FINAL:
        identity = book.identity_workflow
        return Rendering(
            look=look,
            workflow=_ref(book.workflow),
            identity_workflow=_ref(identity) if identity else None,
            quality=quality,
        )
    if book.draft_workflow is None:
        raise LookMissing(f"{book.id} has no draft_workflow")
    return Rendering(look=look, workflow=_ref(book.draft_workflow))


def enlargement(look: Look, width: int, height: int) -> Rendering:
    """Return by what finished pages are enlarged to ``width`` by ``height`` pixels."""
    return Rendering(look=look, workflow=PRINT_WORKFLOWS[look], pixels=(width, height))


def check_look(books: Iterable[Book], look: Look) -> None:
    """Check that every book can be rendered in ``look``.

    Raises:
        LookMissing: one can't.
    """
    for book in books:
        rendering(book, look, "standard")


def _ref(choice: WorkflowChoice) -> WorkflowRef:
    return WorkflowRef(name=choice.name, version=choice.version)
