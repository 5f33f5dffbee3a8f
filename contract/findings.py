"""What a check of a configuration finds, how it is told, and the status that a command ends with.

A finding never carries a value that was set: only the variable's name and words of ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Level(StrEnum):
    """How bad it is. ``WRONG``: the process doesn't start, or can't do its work. ``RISKY``: it
    works, and a shop with real customers shouldn't run so."""

    WRONG = "wrong"
    RISKY = "risky"


@dataclass(frozen=True)
class Finding:
    """What is the matter with one variable: ``text`` says it in plain words."""

    level: Level
    variable: str
    text: str

    @property
    def is_wrong(self) -> bool:
        """Whether nothing works with it."""
        return self.level is Level.WRONG


class Output(Protocol):
    """What a report is written to: a text stream."""

    def write(self, text: str, /) -> object: ...


EXIT_STATUS = {None: 0, Level.RISKY: 1, Level.WRONG: 2}
"""The status of a command by the worst thing that it found."""


def worst(findings: Sequence[Finding]) -> Level | None:
    """Return the worst level there is; None if nothing was found."""
    levels = {finding.level for finding in findings}
    return next((level for level in Level if level in levels), None)


def secrets_line(names: Iterable[str], environ: Mapping[str, str]) -> str:
    """Return a line that says which secrets are set and which aren't: never their values."""
    told: dict[bool, list[str]] = {True: [], False: []}
    for name in names:
        told[bool(environ.get(name, "").strip())].append(name)
    parts = [
        f"{word}: {', '.join(told[is_set])}"
        for is_set, word in ((True, "secrets set"), (False, "not set"))
        if told[is_set]
    ]
    return "; ".join(parts) + "\n"


def report(findings: Sequence[Finding], output: Output) -> int:
    """Write one line for each finding, the wrong ones first, and a last line that counts them.
    Returns the status to exit with."""
    for level in Level:
        for finding in findings:
            if finding.level is level:
                output.write(f"{level.value:<6} {finding.variable}: {finding.text}\n")
    counts = [sum(finding.level is level for finding in findings) for level in Level]
    wrong, risky = counts
    output.write(
        f"{wrong} wrong, {risky} risky\n" if findings else "nothing wrong, nothing risky\n"
    )
    return EXIT_STATUS[worst(findings)]
