"""Whether this machine can do what it must, found out before the first paid job.

At start every required workflow is rendered once, with made-up inputs: it loads the weights,
compiles what is compiled on first use, and shows what is broken. RunPod's SDK asks again, just
before it takes jobs, whether all that still holds.
"""

import json
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Final, Protocol

from contract.errors import ErrorCode
from contract.job import SlotValue
from handler.embedding_file import SUFFIX as EMBEDDING_SUFFIX
from handler.errors import ComfyBootFailed, NodeFailed, Unfit, UnknownWorkflow, WorkerError
from handler.exchange import DROP_INS, exchanged, raw_slots
from handler.failures import to_job_error
from handler.graph import RESERVED_SLOTS, FilledGraph, Workflow, Workflows
from handler.models import ModelFiles
from handler.pages import RUN_PREFIX
from handler.pixels import SUFFIX as PIXELS_SUFFIX
from handler.pixels import decoded
from handler.ports import Clock, Comfy, Step
from handler.settle import SETTLE_NODE
from handler.slots import FILE_SLOTS, Slot

_TEXT: Final = "warm-up"
_SEED: Final = 0
_GREY: Final = 128
_SIZE_SLOTS: Final = frozenset({"width", "height"})
_PULID_FOLDER: Final = "pulid"
_TOKENS: Final = (1, 32, 2048)
_BFLOAT16_BYTES: Final = 2

log = logging.getLogger(__name__)


class Engine(Protocol):
    """The process behind a Comfy."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def node_classes(self) -> frozenset[str]:
        """The node classes that it has loaded; boots it first if it doesn't run."""


@dataclass(frozen=True)
class Demands:
    """What a machine must be able to render, and how that is checked. ``size`` is the edge of the
    warm-up's picture in pixels."""

    workflows: Sequence[tuple[str, int]] = ()
    check_hashes: bool = True
    warm_up: bool = True
    size: int = 1024


class Fitness:
    """The checks of one worker. Each raises, naming what is wrong, or returns nothing."""

    def __init__(
        self,
        demands: Demands,
        *,
        workflows: Workflows,
        models: ModelFiles,
        engine: Engine,
        comfy: Comfy,
        clock: Clock,
    ) -> None:
        self._demands = demands
        self._workflows = workflows
        self._models = models
        self._engine = engine
        self._comfy = comfy
        self._clock = clock
        self._warm: set[str] = set()

    def models_are_right(self) -> None:
        """Check the files of required workflows.

        Raises:
            Unfit: a required workflow, or one of its files, isn't there or is another one.
        """
        for workflow in self._required():
            self._models.require(workflow, check_hashes=self._demands.check_hashes)

    def note_missing_models(self) -> None:
        """Log which files there aren't, of any workflow."""
        for workflow in self._workflows:
            missing = self._models.missing(workflow.spec.models)
            if missing:  # not fatal: the other workflows may still be rendered
                log.warning("%s lacks models: %s", workflow.label, ", ".join(missing))

    def nodes_are_there(self) -> None:
        """Check that ComfyUI has every node of every workflow, and those that the worker puts in.

        Raises:
            WorkflowInvalid: it lacks one of a workflow.
            Unfit: it lacks one that the worker puts in.
            ComfyError: it isn't there, and can't be booted.
        """
        known = self._engine.node_classes()
        self._workflows.check_nodes(known)
        if lacking := sorted((DROP_INS | {SETTLE_NODE}) - known):
            raise Unfit(f"this ComfyUI's Foxetales node pack lacks {', '.join(lacking)}")

    def comfyui_is_up(self) -> None:
        """Check that ComfyUI runs.

        Raises:
            Unfit.
        """
        if not self._engine.alive:
            raise Unfit("ComfyUI is not running")

    def is_warm(self) -> None:
        """Check that each required workflow has been rendered.

        Raises:
            Unfit.
        """
        if not self._demands.warm_up:
            return
        cold = [each.label for each in self._required() if each.label not in self._warm]
        if cold:
            raise Unfit(f"not rendered yet: {', '.join(cold)}")

    async def warm_up(self) -> None:
        """Render each required workflow once, unless that is off; then let ComfyUI settle.

        Raises:
            Unfit: one of them can't be rendered, for another reason than that there is no face;
                or ComfyUI can't settle.
            ComfyBootFailed: ComfyUI died, and didn't come back.
        """
        if self._demands.warm_up:
            for workflow in self._required():
                await self._render(workflow)
        try:
            await self._comfy.settle()
        except WorkerError as error:
            raise Unfit(f"ComfyUI can't settle: {error}") from error

    def _required(self) -> list[Workflow]:
        found = []
        for name, number in self._demands.workflows:
            try:
                found.append(self._workflows.get(name, number))
            except UnknownWorkflow as error:
                raise Unfit(f"{name} v{number} is required, and {error}") from None
        return found

    async def _render(self, workflow: Workflow) -> None:
        run = f"{RUN_PREFIX}{secrets.token_hex(8)}"
        began = self._clock.monotonic()
        try:
            await self._comfy.render(await self._graph(workflow, run), _ignore)
        except NodeFailed as error:
            if to_job_error(error).code is not ErrorCode.NO_FACE:
                raise Unfit(f"the warm-up of {workflow.label} failed: {error}") from error
            log.info("the warm-up of %s came as far as the face", workflow.label)
        except ComfyBootFailed:
            raise  # it has the log's tail
        except WorkerError as error:
            raise Unfit(f"the warm-up of {workflow.label} failed: {error}") from error
        finally:
            await self._comfy.discard(run)
        self._warm.add(workflow.label)
        took_ms = (self._clock.monotonic() - began) * 1000
        log.info("%s is warm", workflow.label, extra={"warm_up_ms": took_ms})

    async def _graph(self, workflow: Workflow, run: str) -> FilledGraph:
        """The graph of a workflow, filled as if by a job."""
        raw, files = raw_slots(workflow), {}
        for name, slot in workflow.spec.slots.items():
            if slot.type == "image":
                is_mask = workflow.graph[slot.node]["class_type"] == "LoadImageMask"
                data, suffix = picture(self._demands.size, is_mask=is_mask), ".png"
                if name in raw:
                    data, suffix = decoded(data, f"slot {name!r}"), PIXELS_SUFFIX
                files[name] = await self._comfy.stage(run, f"{name}{suffix}", data)
            elif slot.type == "identity":
                data = nobody(self._pulid_sha256(workflow), self._clock.now())
                files[name] = await self._comfy.stage(run, f"{name}{EMBEDDING_SUFFIX}", data)
        values = _values(workflow, self._demands.size)
        prefix = f"{run}/warm_up"
        filled = workflow.fill(values, files, filename_prefix=prefix, seed=_SEED)
        return exchanged(workflow, filled)

    def _pulid_sha256(self, workflow: Workflow) -> str:
        """The hash of the PuLID file that the workflow loads, which it wants in an identity."""
        for model in workflow.spec.models:
            if model.folder == _PULID_FOLDER:
                return self._models.sha256(model.folder, model.file) or "0" * 64
        return "0" * 64  # it loads none, so it can't mind


def picture(size: int, *, is_mask: bool) -> bytes:
    """A made-up input of ``size`` × ``size`` pixels as PNG: grey, or a white disc on black."""
    from PIL import Image, ImageDraw  # here: nobody needs them at import

    image = Image.new("RGB", (size, size), (0, 0, 0) if is_mask else (_GREY, _GREY, _GREY))
    if is_mask:
        inset = size // 4
        box = (inset, inset, size - inset, size - inset)
        ImageDraw.Draw(image).ellipse(box, fill=(255, 255, 255))
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def nobody(pulid_sha256: str, extracted_at: datetime) -> bytes:
    """An identity embedding of zeros, as the nodes save one (see :mod:`handler.embedding_file`)."""
    size = _TOKENS[0] * _TOKENS[1] * _TOKENS[2] * _BFLOAT16_BYTES
    header: dict[str, Any] = {
        "__metadata__": {
            "format": "foxetales.identity",
            "extractor_version": "1",
            "pulid_sha256": pulid_sha256,
            "photo_sha256": "0" * 64,
            "dtype": "bfloat16",
            "extracted_at": extracted_at.isoformat(),
        },
        "tokens": {"dtype": "BF16", "shape": list(_TOKENS), "data_offsets": [0, size]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text + bytes(size)


def _values(workflow: Workflow, size: int) -> dict[str, SlotValue]:
    """Values for the slots that need one, and the picture's size; what the graph itself has in a
    slot is what its author tried it with."""
    slots: Iterable[tuple[str, Slot]] = workflow.spec.slots.items()
    values: dict[str, SlotValue] = {}
    for name, slot in slots:
        if name in _SIZE_SLOTS and slot.type == "integer":
            values[name] = size
        elif slot.required and slot.type == "text":
            values[name] = _TEXT
        elif slot.required and slot.allowed:
            values[name] = slot.allowed[0]
        elif slot.required and slot.type not in FILE_SLOTS:
            values[name] = workflow.graph[slot.node]["inputs"][slot.input]
    return {name: value for name, value in values.items() if name not in RESERVED_SLOTS}


def _ignore(_: Step) -> None:
    """Nobody waits for the warm-up's progress."""
