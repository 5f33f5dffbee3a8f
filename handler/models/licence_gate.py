"""Whether this worker may load its models for what it is used for.

A worker counts as commercial unless it is told that it only evaluates: who sells books without
having thought of licences is refused, and who only tries things out says so once.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contract.result import AcknowledgedLicence
from handler.errors import LicenceForbids
from handler.graph import Workflows
from handler.models.files import ModelFiles
from handler.models.licences import licence
from handler.workflows.model_list import ListedModel

Use = Literal["commercial", "evaluation"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """What the models are used for, and the licences that the customer has, each with the
    customer's own reference: a contract's or an order's number."""

    use: Use = "commercial"
    acknowledged: tuple[AcknowledgedLicence, ...] = ()

    def allow(self, model: ListedModel) -> bool:
        """Whether a model may be used so."""
        names = {each.licence.casefold() for each in self.acknowledged}
        return licence(model.licence).commercial or model.licence.casefold() in names


def refusal(model: ListedModel) -> str:
    """A line that names a model which may not be used commercially, and what can be done."""
    terms = licence(model.licence)
    way = (
        f"a licence is sold at {terms.sold_at}; with one"
        if terms.sold_at
        else "no licence is sold; if your counsel finds that you may use it so"
    )
    note = f" ({terms.note})" if terms.note else ""
    return (
        f"{model.name}: {model.licence}{note} doesn't allow commercial use; "
        f"{way}, set ACKNOWLEDGED_LICENCES={model.licence}=your-reference"
    )


class LicenceGate:
    """The check of one worker's models.

    Counted are the files of required workflows, and every file that lies there and that a released
    workflow loads; with ``any_graph`` every listed file that lies there, since a raw graph may name
    any of them.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        listed: Mapping[tuple[str, str], ListedModel],
        files: ModelFiles,
        workflows: Workflows,
        required: Sequence[tuple[str, int]],
        any_graph: bool,
    ) -> None:
        self._terms = terms
        self._listed = listed
        self._files = files
        self._workflows = workflows
        self._required = frozenset(required)
        self._any_graph = any_graph

    def check(self) -> None:
        """Check all that counts, and log under which terms this worker runs.

        Raises:
            LicenceForbids: a commercial worker may load a model whose licence forbids that. Has a
                line for each.
        """
        forbidden = [model for model in self._counted() if not self._terms.allow(model)]
        if forbidden and self._terms.use == "commercial":
            raise LicenceForbids([refusal(model) for model in forbidden])
        acknowledged = ", ".join(f"{a.licence}={a.reference}" for a in self._terms.acknowledged)
        log.info(
            "models are used under these terms: %s; acknowledged licences: %s",
            self._terms.use,
            acknowledged or "none",
        )
        if forbidden:
            names = ", ".join(model.name for model in forbidden)
            log.warning("for evaluation only, nothing made with these may be sold: %s", names)

    def _counted(self) -> list[ListedModel]:
        names: set[tuple[str, str]] = set(self._there(self._listed) if self._any_graph else ())
        for workflow in self._workflows:
            wanted = {(model.folder, model.file) for model in workflow.spec.models}
            required = (workflow.spec.name, workflow.spec.version) in self._required
            names.update(wanted if required else self._there(wanted))
        return [self._listed.get(name) or _unlisted(*name) for name in sorted(names)]

    def _there(self, names: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [name for name in names if self._files.find(*name) is not None]


def _unlisted(folder: str, file: str) -> ListedModel:
    """A file that no list has: its licence is whatever, so it forbids."""
    return ListedModel(folder, file, None, "LicenseRef-not-listed", "configuration")
