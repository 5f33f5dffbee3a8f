"""What may differ between a node class as it was stored and as a newer ComfyUI has it."""

from dataclasses import replace
from typing import Any

import pytest

from handler.workflows.check import schema_problems
from handler.workflows.schema import InputSchema, NodeSchema, Schema
from handler.workflows.shortfalls import shortfalls

STEPS = InputSchema("steps", "INT", True, {"default": 20, "min": 1, "max": 100})
SAMPLER = InputSchema("sampler", "COMBO", True, {}, ("euler", "heun"))
MASK = InputSchema("mask", "MASK", False)
STORED = NodeSchema(
    "Draw", "Draw", {i.name: i for i in (STEPS, SAMPLER, MASK)}, ("IMAGE",), ("page",)
)


def with_input(spec: InputSchema, **changes: Any) -> NodeSchema:
    return replace(STORED, inputs={**STORED.inputs, spec.name: replace(spec, **changes)})


NO_LESS = [
    replace(STORED, title="Draw a page"),
    replace(STORED, outputs=("IMAGE", "MASK"), output_names=("page", "mask")),
    with_input(InputSchema("speed", "FLOAT", False)),
    with_input(SAMPLER, choices=("heun", "ddim", "euler"), options={"advanced": True}),
    with_input(MASK, options={"tooltip": "where"}),
]
LESS = [
    (None, "is missing"),
    (replace(STORED, inputs={"steps": STEPS, "sampler": SAMPLER}), "'mask' is gone"),
    (with_input(STEPS, type="FLOAT"), "'steps' is of another type"),
    (with_input(SAMPLER, file_folder="samplers"), "'sampler' is of another type"),
    (with_input(SAMPLER, choices=("euler",)), "'sampler' has lost heun"),
    (with_input(STEPS, options={**STEPS.options, "max": 50}), "'steps' has other bounds"),
    (with_input(STEPS, options={**STEPS.options, "default": 4}), "or another default"),
    (with_input(MASK, required=True), "'mask' may no longer be left out"),
    (with_input(InputSchema("speed", "FLOAT", True)), "requires a new input 'speed'"),
    (replace(STORED, outputs=("MASK", "IMAGE")), "has other outputs"),
    (replace(STORED, outputs=()), "has other outputs"),
]


@pytest.mark.parametrize("live", NO_LESS)
def test_more_is_no_less(live: NodeSchema) -> None:
    assert list(shortfalls(STORED, live)) == []


@pytest.mark.parametrize(("live", "words"), LESS)
def test_what_is_less_is_named(live: NodeSchema | None, words: str) -> None:
    (told,) = shortfalls(STORED, live)
    assert words in told


def test_our_own_nodes_may_not_differ_at_all(schema: Schema) -> None:
    ours, core = "FoxetalesContourFeather", "KSampler"
    renamed = {name: replace(schema[name], title="Another") for name in (ours, core)}
    (problem,) = schema_problems({name: schema[name] for name in renamed}, renamed)
    assert f"{ours}: it has changed" in str(problem)
