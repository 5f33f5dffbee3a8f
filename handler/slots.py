"""Slots: the named places of a workflow that a job fills in, as ``v<N>.slots.json`` has them."""

import math
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.job import SlotValue
from handler.errors import InvalidSlot

SlotType = Literal["image", "identity", "text", "integer", "number", "choice"]
OutputType = Literal["image", "identity"]

FILE_SLOTS = frozenset({"image", "identity"})
"""Types that are filled with the name of an input file."""


class Slot(BaseModel):
    """One named place in a graph.

    ``choices``, if given, are the only values of a choice. ``values`` are choices that stand for
    what is put into the node: ``{"standard": 25, "fast": 14}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str
    input: str
    type: SlotType
    required: bool
    default: int | float | str | None = None
    choices: tuple[str, ...] = ()
    values: dict[str, SlotValue] = Field(default_factory=dict)
    description: str = ""

    @model_validator(mode="after")
    def _choices_fit_the_type(self) -> Self:
        if self.values and (self.type != "choice" or self.choices):
            raise ValueError("values stand for a choice, in place of its choices")
        return self

    @property
    def allowed(self) -> tuple[str, ...]:
        """The values that a job may give, if they are limited."""
        return tuple(self.values) or self.choices

    def in_node(self, value: SlotValue) -> SlotValue:
        """What ``value``, which was checked, puts into the node."""
        return self.values.get(value, value) if isinstance(value, str) else value


class Output(BaseModel):
    """The output node whose first file is the result, and what that file is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str
    type: OutputType = "image"


class ModelFile(BaseModel):
    """A file that the graph loads from one of ComfyUI's models folders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    file: str


class SlotsFile(BaseModel):
    """The contents of ``v<N>.slots.json``. The one output is called ``page`` or ``identity``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int = Field(ge=1)
    label: str
    slots: dict[str, Slot]
    outputs: dict[str, Output]
    node_packs: tuple[str, ...] = ()
    models: tuple[ModelFile, ...] = ()

    @property
    def identity_slot(self) -> str | None:
        """The name of the slot that takes an identity, if there is one."""
        return next((n for n, slot in self.slots.items() if slot.type == "identity"), None)


def checked(name: str, slot: Slot, value: SlotValue) -> SlotValue:
    """Return ``value`` as the slot's type; the value itself never gets into an error's text.

    Raises:
        InvalidSlot: it is of another type, or not among the choices.
    """
    if slot.type in ("text", "choice"):
        if not isinstance(value, str):
            raise InvalidSlot(f"slot {name!r} takes a text", input=name)
        if slot.allowed and value not in slot.allowed:
            raise InvalidSlot(f"slot {name!r} takes one of {', '.join(slot.allowed)}", input=name)
        return value
    if isinstance(value, str | bool) or not math.isfinite(value):
        raise InvalidSlot(f"slot {name!r} takes a finite {slot.type}", input=name)
    if slot.type == "integer":
        if value != int(value):
            raise InvalidSlot(f"slot {name!r} takes a whole number", input=name)
        return int(value)
    return value


def filling(slots: Mapping[str, Slot], values: Mapping[str, SlotValue]) -> dict[str, SlotValue]:
    """Return slot → what goes into its node: ``values``, and the defaults of the others.

    Raises:
        InvalidSlot: see :func:`checked`.
    """
    told = {name: slot.default for name, slot in slots.items() if slot.default is not None}
    told |= {name: checked(name, slots[name], value) for name, value in values.items()}
    return {name: slots[name].in_node(value) for name, value in told.items()}
