"""Where the time of one page goes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from contract.result import PageTimings
from handler.ports import Clock, Rendered

_NODE_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "text_ms": ("CLIPTextEncode",),
    "sample_ms": ("KSampler",),
    "decode_ms": ("VAEDecode",),
    "composite_ms": (
        "ImageCompositeMasked",
        "FoxetalesComposite",
        "FoxetalesContourFeather",
        "FoxetalesReadContour",
        "FoxetalesDraftPortrait",
        "FoxetalesSkinShift",
    ),
}
"""What the classes of nodes begin with whose time is told apart."""


class Stopwatch:
    """Milliseconds of a page's stages, as PageTimings names them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.times: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what happens inside, however it ends."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self.times[name] = (self._clock.monotonic() - began) * 1000

    def rendered(self, rendered: Rendered, idle_ms: float) -> None:
        """Take over what ComfyUI has measured."""
        self.times |= {
            "queue_ms": rendered.queue_ms,
            "render_ms": rendered.render_ms,
            "idle_ms": idle_ms,
        }
        for name, classes in _NODE_GROUPS.items():
            of_group = (ms for node, ms in rendered.node_ms.items() if node.startswith(classes))
            self.times[name] = sum(of_group)

    def timings(self) -> PageTimings:
        return PageTimings.model_validate(self.times)
