"""What a book's pages are rendered by: the final look, or the draft of machines without weights.

A job keeps what was decided when it was queued: a retry after a deployment renders the rest of
its pages with the same version.
"""

from collections.abc import Iterable
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


class Rendering(BaseModel):
    """By what a job's pages are rendered, as its record keeps it.

    ``identity_workflow`` makes the identity that ``workflow`` takes, if it takes one. A draft
    has no identity and only one quality.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    look: Look
    workflow: WorkflowRef
    identity_workflow: WorkflowRef | None = None
    quality: Quality = "standard"

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


def check_look(books: Iterable[Book], look: Look) -> None:
    """Check that every book can be rendered in ``look``.

    Raises:
        LookMissing: one can't.
    """
    for book in books:
        rendering(book, look, "standard")


def _ref(choice: WorkflowChoice) -> WorkflowRef:
    return WorkflowRef(name=choice.name, version=choice.version)
