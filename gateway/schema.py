"""What the shop sends and gets: the public JSON of previews, jobs and books.

Requests are strict: an unknown field is an error, so that a misspelt one isn't lost.
"""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field

from contract.errors import ErrorCode
from contract.result import PageTimings
from contract.status import JobStatus, PageStatus
from contract.types import Identifier
from gateway.dedications import clean_dedication

NAME_MAX = 40

_NAME_MARKS = frozenset(" -'.\u2010\u2019\u00b7")
# Zero-width joiners, which Persian and Indian names need between letters.
_JOINERS = frozenset("\u200c\u200d")


def clean_name(name: str) -> str:
    """Return a child's name in NFC, trimmed.

    A name is 1–40 characters: letters and their marks of any script, spaces, hyphens,
    apostrophes, dots; it begins with a letter and has no two spaces in a row.

    Raises:
        ValueError: it is something else.
    """
    name = unicodedata.normalize("NFC", name).strip(" ")
    if not 1 <= len(name) <= NAME_MAX:
        raise ValueError(f"must have 1 to {NAME_MAX} characters")
    if not unicodedata.category(name[0]).startswith("L"):
        raise ValueError("must begin with a letter")
    if "  " in name or not all(_belongs_to_a_name(character) for character in name):
        raise ValueError("may have letters, single spaces, hyphens, apostrophes and dots only")
    return name


def _belongs_to_a_name(character: str) -> bool:
    if character in _NAME_MARKS or character in _JOINERS:
        return True
    return unicodedata.category(character)[0] in "LM"


ChildName = Annotated[str, Field(max_length=200), AfterValidator(clean_name)]
Dedication = Annotated[str, Field(max_length=1000), AfterValidator(clean_dedication)]
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PreviewRequest(_Request):
    """Ask for the preview of a book. ``theme`` is accepted as another name of ``book_id``;
    ``appearance`` is an id of the list of appearances."""

    photo_id: Identifier
    book_id: Identifier = Field(validation_alias=AliasChoices("book_id", "theme"))
    child_name: ChildName
    child_age: int | None = Field(default=None, ge=0, le=14)
    child_gender: Literal["female", "male", "nonbinary", "unspecified"] | None = None
    appearance: Identifier | None = None
    style: Identifier | None = None
    session_id: Identifier | None = None


class PageRequest(_Request):
    """Ask for another take of a preview page; without ``seed`` one is chosen."""

    preview_id: Identifier
    page_number: int = Field(ge=0, le=999)
    seed: Seed | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class JobAccepted(_Answer):
    """A job is queued. ``access_token`` opens this preview and nothing else."""

    job_id: str
    preview_id: str
    status: JobStatus = JobStatus.QUEUED
    estimated_time_seconds: int
    message: str
    access_token: str
    status_url: str
    events_url: str
    preview_url: str
    draft: bool


class PublicError(_Answer):
    """Why a job or a page failed; ``retryable`` says whether asking again may help."""

    code: ErrorCode
    message: str
    retryable: bool


class PageProgress(_Answer):
    """The state of one page of a job; ``timings`` says where its time went once it is completed."""

    page_number: int
    status: PageStatus
    error: PublicError | None = None
    timings: PageTimings | None = None


class JobStatusDocument(_Answer):
    """The state of a job. ``progress`` is 0–100 and reaches 100 only when it is completed."""

    job_id: str
    preview_id: str
    status: JobStatus
    progress: int = Field(ge=0, le=100)
    current_step: str
    pages_completed: int
    total_pages: int
    estimated_remaining_seconds: int
    pages: list[PageProgress]
    error: PublicError | None
    draft: bool


class ShownPage(_Answer):
    """A page that the parent may see; ``image_url`` is empty until it is rendered, and expires."""

    page_number: int
    status: PageStatus
    image_url: str
    story_text: str
    is_watermarked: bool
    is_locked: bool
    is_cover: bool


class LockedPage(_Answer):
    """A page of the book that is for sale: its text only."""

    page_number: int
    image_url: str
    story_text: str
    is_watermarked: bool
    is_locked: bool


class Purchase(_Answer):
    """What the book costs; ``price`` is in the currency's minor unit."""

    price: int
    currency: str
    price_formatted: str
    checkout_url: str | None = None


class PreviewDocument(_Answer):
    """A preview as the shop shows it. ``label`` says what a draft is, where it is one."""

    preview_id: str
    job_id: str
    status: Literal["generating", "active", "failed", "expired"]
    generation_phase: str
    story_title: str
    child_name: str
    book_id: str
    theme: str
    style: str
    cover_url: str
    preview_pages: list[ShownPage]
    locked_pages: list[LockedPage]
    total_pages: int
    preview_pages_count: int
    locked_pages_count: int
    created_at: datetime
    expires_at: datetime
    days_remaining: int
    pdf_url: str | None = None
    purchase: Purchase
    draft: bool
    label: str | None


class BookSummary(_Answer):
    """A book on offer."""

    id: str
    title: str
    description: str
    age_range: tuple[int, int]
    language: str
    styles: list[str]
    total_pages: int
    preview_pages: list[int]
    preview_pages_count: int
    locked_pages_count: int
    purchase: Purchase
    draft: bool


class BookList(_Answer):
    """The books on offer."""

    books: list[BookSummary]


class AppearanceOption(_Answer):
    """One appearance; ``label`` is for the parent."""

    id: str
    label: str


class AppearanceList(_Answer):
    """What a parent may choose as the child's appearance. Choosing none is always possible."""

    appearances: list[AppearanceOption]


class Receipt(_Answer):
    """A webhook was taken; ``applied`` is false if it told nothing new."""

    applied: bool
