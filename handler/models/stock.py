"""How the files of a models folder compare with the model list."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from handler.errors import UnknownWorkflow
from handler.graph import Workflow, Workflows
from handler.models.files import ModelFiles
from handler.workflows.model_list import ListedModel


class State(StrEnum):
    """What a look at a file found. ``UNCHECKED``: it is there, and the list has no SHA-256."""

    RIGHT = "right"
    UNCHECKED = "unchecked"
    MISSING = "missing"
    WRONG = "wrong"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Look:
    """One file, what was found, and how so."""

    model: ListedModel
    state: State
    detail: str = ""

    @property
    def there(self) -> bool:
        """Whether the file can be used."""
        return self.state in (State.RIGHT, State.UNCHECKED)

    @property
    def yours(self) -> bool:
        """Whether only the customer can do something about it."""
        return self.state is State.MISSING and self.model.url is None


def look_at(model: ListedModel, files: ModelFiles) -> Look:
    """Compare one file with the list. Reads it through, unless its size is wrong already or its
    hash is known."""
    path = files.find(model.folder, model.file)
    if path is None:
        return Look(model, State.MISSING)
    try:
        size = path.stat().st_size
        if model.size_bytes not in (None, size):
            detail = f"it has {size} bytes, and the list says {model.size_bytes}"
            return Look(model, State.WRONG, detail)
        if model.sha256 is None:
            return Look(model, State.UNCHECKED, "the list has no SHA-256 of it")
        found = files.sha256(model.folder, model.file)
    except OSError as error:
        return Look(model, State.UNREADABLE, error.strerror or "")
    if found != model.sha256:
        return Look(model, State.WRONG, f"its SHA-256 is {found}, and the list has another")
    return Look(model, State.RIGHT)


def chosen(workflows: Workflows, named: Iterable[tuple[str, int]]) -> list[Workflow]:
    """The named workflows; all of them if none is named.

    Raises:
        UnknownWorkflow: there is no such.
    """
    found = [workflows.get(name, number) for name, number in named]
    return found or list(workflows)


def needed(
    workflows: Iterable[Workflow], listed: Mapping[tuple[str, str], ListedModel]
) -> list[ListedModel]:
    """The files that workflows may load, in the list's order.

    Raises:
        UnknownWorkflow: one of them loads a file that isn't listed.
    """
    names = {(each.folder, each.file) for one in workflows for each in one.spec.models}
    if unlisted := sorted(names - set(listed)):
        raise UnknownWorkflow(f"not in the model list: {', '.join(map('/'.join, unlisted))}")
    return [model for key, model in listed.items() if key in names]
