"""Under which licence each package of the images is used, and whether that was looked at.

What a package says of itself is read from its installed metadata. Permissive licences pass.
Everything else, and everything that isn't installed here or doesn't say, must have a line in
``requirements/licences.txt``, with the reason why it may be used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from supply.locks import Pin

PERMISSIVE = frozenset(
    {
        *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause"),
        *("BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0"),
        *("Unlicense", "Zlib"),
    }
)

# What packages without an SPDX expression write, in their classifier or licence field.
_SAID = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "The Unlicense (Unlicense)": "Unlicense",
    # The classifier doesn't tell the variants apart; none of them asks for more than a notice.
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
}


class AcknowledgementInvalid(Exception):
    """A line of the acknowledgements has another form. The text names its number."""


@dataclass(frozen=True)
class Licensed:
    """A package, its SPDX expression (None: unknown), and why it is used nevertheless."""

    pin: Pin
    licence: str | None
    reason: str | None

    @property
    def settled(self) -> bool:
        """Whether the licence is permissive, or somebody wrote down why it may be used."""
        return self.reason is not None or (self.licence is not None and permissive(self.licence))


def permissive(expression: str) -> bool:
    """Whether an SPDX expression leaves a choice that asks for no more than notices.

    Expressions with parentheses aren't taken apart: they count as not permissive.
    """
    return any(
        all(part.strip() in PERMISSIVE for part in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def said_by(name: str) -> str | None:
    """What the installed package says of itself, as SPDX; None if it isn't installed or says
    nothing that is understood."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return None
    if "License-Expression" in told:
        return told["License-Expression"]
    classifiers = told.get_all("Classifier") or []
    named = [text.split(" :: ")[-1] for text in classifiers if text.startswith("License ::")]
    if len(named) == 1 and named[0] in _SAID:
        return _SAID[named[0]]
    return _field(told["License"]) if "License" in told else None


def _field(text: str) -> str | None:
    if text in _SAID:
        return _SAID[text]
    parts = {part for choice in text.split(" OR ") for part in choice.split(" AND ")}
    return text if parts <= PERMISSIVE | {"MPL-2.0"} else None


def read_acknowledged(path: Path) -> dict[str, tuple[str, str]]:
    """Return licence and reason by package; a line is ``name  licence  reason``.

    Raises:
        AcknowledgementInvalid: a line has another form.
    """
    found: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("  ") if part.strip()]
        if len(parts) != 3 or parts[0] in found:
            raise AcknowledgementInvalid(f"{path.name}, line {number}: name  licence  reason")
        found[parts[0]] = (parts[1], parts[2])
    return found


def licences(
    pins: Iterable[Pin], acknowledged: Mapping[str, tuple[str, str]]
) -> tuple[Licensed, ...]:
    """Return each package's licence; what was acknowledged goes before what a package says."""
    return tuple(
        Licensed(pin, *acknowledged[pin.name])
        if pin.name in acknowledged
        else Licensed(pin, said_by(pin.name), None)
        for pin in pins
    )


def table(packages: Iterable[Licensed]) -> str:
    """The report, as a Markdown table."""
    rows = [
        f"| {p.pin.name} | {p.pin.version} | {p.licence or '**unknown**'} | {p.reason or ''} |"
        for p in sorted(packages, key=lambda package: package.pin.name)
    ]
    return "\n".join(["| package | version | licence | note |", "|---|---|---|---|", *rows]) + "\n"
