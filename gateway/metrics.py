"""Numbers for a monitor, in Prometheus' text format. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gauge:
    """A number that goes up and down, one for each set of labels (name, value)."""

    name: str
    help: str
    samples: Mapping[Labels, float]


def exposition(gauges: Iterable[Gauge]) -> str:
    """Return the gauges as a monitor reads them."""
    lines = []
    for gauge in gauges:
        lines += [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} gauge"]
        lines += [f"{gauge.name}{_braced(labels)} {n:g}" for labels, n in gauge.samples.items()]
    return "".join(f"{line}\n" for line in lines)


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
