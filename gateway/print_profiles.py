"""Print profiles: what a printer expects of a book's files, as data.

The profiles stand in ``print_profiles.json``. Lengths are in inches, sizes of type in points
(1/72 in), resolutions in pixels per inch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

OWN_PROFILES = Path(__file__).parent / "print_profiles.json"

FRONT_MATTER_PAGES = 2
"""Pages of an interior beside the story's: the title page and the imprint on its back."""


class ProfileError(Exception):
    """The file of profiles is missing or broken; the message says where."""


class PageCountOutOfRange(Exception):
    """A book has too few or too many pages for the profile."""

    def __init__(self, profile: str, pages: int, least: int, most: int) -> None:
        super().__init__(f"{profile} takes {least} to {most} pages, the book has {pages}")
        self.pages = pages


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Lossless(_Record):
    """Pixels as they are (Flate)."""

    kind: Literal["lossless"]


class Jpeg(_Record):
    """JPEG without chroma subsampling (4:4:4)."""

    kind: Literal["jpeg"]
    quality: int = Field(ge=92, le=100)


ImageEncoding = Annotated[Lossless | Jpeg, Field(discriminator="kind")]


class SpineFormula(_Record):
    """The spine's width: so much for each page, and so much for the cover's own boards."""

    kind: Literal["formula"]
    per_page_in: float = Field(gt=0, lt=0.05)
    boards_in: float = Field(ge=0, lt=1)


class SpineFromVendor(_Record):
    """The vendor tells the size of the whole cover, and the spine is what is left of it."""

    kind: Literal["vendor"]


class CoverProfile(_Record):
    """The cover's spread: back, spine and front in one picture.

    spread: paper that is trimmed; edge_in is its bleed. wrap: paper that is glued around boards;
    edge_in is what goes around to the inside, overhang_in by how much a board is larger than the
    pages at its three open sides. Below spine_text_from_in the spine stays without a title.
    """

    mode: Literal["spread", "wrap"]
    edge_in: float = Field(gt=0, le=2)
    overhang_in: float = Field(default=0.0, ge=0, le=0.5)
    spine: Annotated[SpineFormula | SpineFromVendor, Field(discriminator="kind")]
    spine_text_from_in: float = Field(default=0.25, gt=0)


class TextSizes(_Record):
    """A story is set in the largest size; where it doesn't fit, smaller down to the smallest."""

    largest_pt: float = Field(gt=0, le=60)
    smallest_pt: float = Field(ge=6)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.smallest_pt > self.largest_pt:
            raise ValueError("smallest_pt is larger than largest_pt")
        return self


class PrintProfile(_Record):
    """One product of one printer. product is the vendor's own name for it, never taken apart.

    Pages are trimmed to trim_*_in; pictures go bleed_in further at every edge, and text keeps
    safety_in away from the trim. An interior has a multiple of page_multiple pages.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    vendor: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    product: str = Field(min_length=1, max_length=64)
    trim_width_in: float = Field(gt=0, le=20)
    trim_height_in: float = Field(gt=0, le=20)
    bleed_in: float = Field(ge=0, le=1)
    safety_in: float = Field(ge=0, le=2)
    page_multiple: int = Field(ge=1, le=32)
    min_pages: int = Field(ge=1)
    max_pages: int = Field(ge=1)
    ppi: int = Field(ge=72, le=600)
    image_encoding: ImageEncoding
    story_text: TextSizes
    cover: CoverProfile

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_pages > self.max_pages:
            raise ValueError("min_pages is larger than max_pages")
        if 2 * self.safety_in >= min(self.trim_width_in, self.trim_height_in):
            raise ValueError("safety_in leaves no room for text")
        return self

    def pages_for(self, story_pages: int) -> int:
        """Pages of the interior of a story of so many pages, blank ones at the end included.

        Raises PageCountOutOfRange: no printer's minimum is reached by blank pages.
        """
        written = story_pages + FRONT_MATTER_PAGES
        pages = math.ceil(written / self.page_multiple) * self.page_multiple
        if written < self.min_pages or pages > self.max_pages:
            raise PageCountOutOfRange(self.id, pages, self.min_pages, self.max_pages)
        return pages


_ROWS: TypeAdapter[list[PrintProfile]] = TypeAdapter(
    Annotated[list[PrintProfile], Field(min_length=1)]
)


def load_profiles(path: Path = OWN_PROFILES) -> Mapping[str, PrintProfile]:
    """The profiles of a file by id. Raises ProfileError."""
    try:
        rows = _ROWS.validate_json(path.read_bytes())
    except OSError as error:
        raise ProfileError(f"{path} can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ProfileError(f"{path}, {field}: {first['msg']}") from error
    profiles = {row.id: row for row in rows}
    if len(profiles) < len(rows):
        raise ProfileError(f"{path}: an id is there twice")
    return profiles


def print_pixels(profile: PrintProfile) -> tuple[int, int]:
    """Width and height in pixels of a picture that fills a page and its bleed at full ppi."""
    sides = (profile.trim_width_in, profile.trim_height_in)
    width, height = (math.ceil((side + 2 * profile.bleed_in) * profile.ppi) for side in sides)
    return width, height
