"""A variable of the environment, as both images and the sandbox declare it, and its row in a page.

Nothing here reads an environment. A process declares its variables as a tuple of :class:`Variable`;
that one declaration gives the process its defaults and docs/configuration.md its table.
"""

from collections.abc import Iterable
from dataclasses import dataclass

REQUIRED = "required"


@dataclass(frozen=True)
class Variable:
    """One variable.

    ``default`` is what counts where the variable isn't set: None if nothing does. ``shown`` says in
    words what happens then, where the default's own text doesn't tell. ``meaning`` is Markdown, in
    whole sentences.
    """

    name: str
    meaning: str
    default: str | None = None
    shown: str = ""

    def __str__(self) -> str:
        """For a command's help: the name, what it means, and what counts without it."""
        return f"{self.name}: {self.meaning} ({self.default_cell})"

    @property
    def default_cell(self) -> str:
        """The default as it stands in a table."""
        if self.shown:
            return self.shown
        return f"`{self.default}`" if self.default is not None else "none"


def table(variables: Iterable[Variable]) -> str:
    """Return the variables as a Markdown table, in their order, without a line break at its end."""
    rows = [f"| `{each.name}` | {each.default_cell} | {each.meaning} |" for each in variables]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])
