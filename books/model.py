"""What a story book is: its texts, its pages and where a face goes in each picture."""

from __future__ import annotations

import math
import string
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

STORY_PLACEHOLDERS = frozenset({"name"})
SCENE_PLACEHOLDERS = frozenset({"name", "age", "gender", "face_description", "costume"})

PAGE_PX: Final = 1024
"""Width and height of a page's picture, px."""

SAFE_PX: Final = 60
"""How far text and faces stay inside a picture's edges, px. Print trims about 13 px of 1024."""

Ink = Literal["dark", "light"]

INKS: Final[dict[Ink, str]] = {"dark": "#000000", "light": "#ffffff"}
"""What an ink looks like in print; the paintings are checked for contrast with these."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _check_placeholders(text: str, known: frozenset[str]) -> str:
    """Raises ValueError for a broken template or a placeholder outside `known`."""
    for _, field, spec, conversion in string.Formatter().parse(text):
        if field is None:
            continue
        if field not in known or spec or conversion:
            allowed = ", ".join("{" + name + "}" for name in sorted(known))
            raise ValueError(f"unknown placeholder {{{field}}}; known are {allowed}")
    return text


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Record):
    """An amount in the currency's minor unit (cents) and an ISO 4217 code."""

    amount: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class WorkflowChoice(_Record):
    """A released workflow: `workflows/<name>/v<version>.json`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    version: int = Field(ge=1)


class FaceOpening(_Record):
    """The oval a face is blended into, in pixels of the page picture.

    width and height are full axes before turning; angle is in degrees, clockwise positive in
    image coordinates (x to the right, y down).
    """

    center_x: float = Field(ge=0)
    center_y: float = Field(ge=0)
    width: float = Field(gt=0)
    height: float = Field(gt=0)
    angle: float = Field(default=0.0, ge=-45, le=45)

    def reach(self) -> tuple[float, float]:
        """Half width and half height of the turned ellipse's bounding box, px."""
        turn = math.radians(self.angle)
        across = math.hypot(self.width / 2 * math.cos(turn), self.height / 2 * math.sin(turn))
        down = math.hypot(self.width / 2 * math.sin(turn), self.height / 2 * math.cos(turn))
        return across, down


class TextBox(_Record):
    """Where words stand on a picture, in its pixels, and which ink can be read there.

    The whole box lies at least SAFE_PX inside the picture. The painting is quiet within it.
    """

    left: int = Field(ge=SAFE_PX)
    top: int = Field(ge=SAFE_PX)
    width: int = Field(ge=200)
    height: int = Field(ge=60)
    ink: Ink

    @model_validator(mode="after")
    def _ends_inside(self) -> Self:
        for start, length, name in (
            (self.left, self.width, "wide"),
            (self.top, self.height, "high"),
        ):
            if start + length > PAGE_PX - SAFE_PX:
                raise ValueError(
                    f"the text box is too {name}: it ends beyond {PAGE_PX - SAFE_PX} px"
                )
        return self

    def touches(self, face: FaceOpening) -> bool:
        """Whether the box and the bounding box of the face opening share a pixel."""
        across, down = face.reach()
        return (
            self.left < face.center_x + across
            and face.center_x - across < self.left + self.width
            and self.top < face.center_y + down
            and face.center_y - down < self.top + self.height
        )


class Page(_Record):
    """One page: its story and where it stands on the picture; the prompt and the costume.

    A page with art has a face opening.
    """

    page_number: int = Field(ge=1)
    story_text: Text
    text_box: TextBox
    art: bool = True
    scene: Text
    costume: Text
    face: FaceOpening | None = None

    @field_validator("story_text")
    @classmethod
    def _story_placeholders(cls, value: str) -> str:
        return _check_placeholders(value, STORY_PLACEHOLDERS)

    @field_validator("scene")
    @classmethod
    def _scene_placeholders(cls, value: str) -> str:
        return _check_placeholders(value, SCENE_PLACEHOLDERS)

    @model_validator(mode="after")
    def _art_has_a_face(self) -> Self:
        if self.art and self.face is None:
            raise ValueError("a page with art needs a face opening")
        return self

    @model_validator(mode="after")
    def _text_leaves_the_face_free(self) -> Self:
        if self.face is not None and self.text_box.touches(self.face):
            raise ValueError("the text box covers the face opening")
        return self

    def text_for(self, name: str) -> str:
        """The story with the child's name in it; the name is taken as it is."""
        return self.story_text.format(name=name)


class Book(_Record):
    """A story book.

    cover_page is the page whose picture is on the cover, and cover_title_box where the title
    stands on it. blurb is what the back cover says; imprint is the small print inside.

    workflow renders the pages as they are printed; identity_workflow makes the file of the
    child's face that it takes, if it takes one. draft_workflow renders them where there are no
    model weights.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: Text
    title_template: Text
    description: Text
    age_range: tuple[int, int]
    language: str = Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")
    size_px: Literal[1024]
    price: Price
    workflow: WorkflowChoice
    identity_workflow: WorkflowChoice | None = None
    draft_workflow: WorkflowChoice | None = None
    preview_pages: tuple[int, ...] = Field(min_length=1)
    cover_page: int
    cover_title_box: TextBox
    blurb: Text
    imprint: Text
    pages: tuple[Page, ...] = Field(min_length=1)

    @field_validator("title_template", "blurb")
    @classmethod
    def _title_placeholders(cls, value: str) -> str:
        return _check_placeholders(value, STORY_PLACEHOLDERS)

    @field_validator("age_range")
    @classmethod
    def _ages_rise(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= value[0] <= value[1]:
            raise ValueError("age_range must rise from a youngest to an oldest age in years")
        return value

    @field_validator("pages")
    @classmethod
    def _pages_are_consecutive(cls, value: tuple[Page, ...]) -> tuple[Page, ...]:
        numbers = [page.page_number for page in value]
        if numbers != list(range(1, len(value) + 1)):
            raise ValueError(f"page numbers must run 1, 2, 3 … without a gap, got {numbers}")
        return value

    @model_validator(mode="after")
    def _workflows_differ(self) -> Self:
        fields: dict[str, str] = {}
        for field in ("workflow", "identity_workflow", "draft_workflow"):
            choice: WorkflowChoice | None = getattr(self, field)
            if choice and (other := fields.setdefault(choice.name, field)) != field:
                raise ValueError(f"{other} and {field} are both {choice.name}")
        return self

    @model_validator(mode="after")
    def _faces_are_inside(self) -> Self:
        for page in self.pages:
            if page.face is None:
                continue
            across, down = page.face.reach()
            for center, reach in ((page.face.center_x, across), (page.face.center_y, down)):
                if center - reach < 0 or center + reach > self.size_px:
                    raise ValueError(
                        f"face of page {page.page_number} reaches outside {self.size_px} px"
                    )
        return self

    @model_validator(mode="after")
    def _shown_pages_have_art(self) -> Self:
        drawn = {page.page_number for page in self.pages if page.art}
        for field, numbers in (
            ("preview_pages", self.preview_pages),
            ("cover_page", (self.cover_page,)),
        ):
            missing = [number for number in numbers if number not in drawn]
            if missing:
                raise ValueError(f"{field} names pages without art: {missing}")
        return self

    def page(self, page_number: int) -> Page:
        """The page of that number; KeyError if the book has none."""
        if not 1 <= page_number <= len(self.pages):
            raise KeyError(f"{self.id} has no page {page_number}")
        return self.pages[page_number - 1]

    def title_for(self, name: str) -> str:
        """The title with the child's name in it."""
        return self.title_template.format(name=name)

    def blurb_for(self, name: str) -> str:
        """What the back cover says, with the child's name in it."""
        return self.blurb.format(name=name)
