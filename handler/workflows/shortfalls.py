"""What a node class can no longer do that another of its name could. Pure.

A newer ComfyUI may rename a node, and add choices, outputs and inputs that may be left out: a graph
that was made before runs as it did.
"""

from collections.abc import Iterator

from handler.workflows.schema import InputSchema, NodeSchema

_BINDING = ("default", "min", "max", "step", "round", "forceInput")


def shortfalls(stored: NodeSchema, live: NodeSchema | None) -> Iterator[str]:
    """Yield what a graph that fits ``stored`` may miss in ``live``, and nothing if all is there."""
    if live is None:
        yield "it is missing"
        return
    for name, spec in stored.inputs.items():
        yield from _of_input(spec, live.inputs.get(name))
    for name, spec in live.inputs.items():
        if spec.required and name not in stored.inputs:
            yield f"it requires a new input {name!r}"
    if live.outputs[: len(stored.outputs)] != stored.outputs:
        yield "it has other outputs"


def _of_input(stored: InputSchema, live: InputSchema | None) -> Iterator[str]:
    if live is None:
        yield f"its input {stored.name!r} is gone"
        return
    if (live.type, live.file_folder) != (stored.type, stored.file_folder):
        yield f"its input {stored.name!r} is of another type"
    if lost := sorted({str(choice) for choice in stored.choices if choice not in live.choices}):
        yield f"its input {stored.name!r} has lost {', '.join(lost)}"
    if any(live.options.get(key) != stored.options.get(key) for key in _BINDING):
        yield f"its input {stored.name!r} has other bounds, or another default"
    if live.required and not stored.required:
        yield f"its input {stored.name!r} may no longer be left out"
