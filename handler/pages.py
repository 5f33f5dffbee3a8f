"""The render plan of a job: which graph for which page, and under which names."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.job import PagesJob, PageTask
from handler.errors import InvalidSlot
from handler.graph import FilledGraph, Workflow, Workflows

RUN_PREFIX = "job_"
"""How the name of a run begins; its files lie in a folder of that name."""


@dataclass(frozen=True)
class PagePlan:
    """One page. ``error`` is what is wrong with it before anything is fetched, if anything."""

    task: PageTask
    workflow: Workflow
    prefix: str
    error: InvalidSlot | None

    def graph(self, images: Mapping[str, str]) -> FilledGraph:
        """Return the page's graph; ``images`` maps its image slots to input file names.

        Raises:
            InvalidSlot: see :meth:`handler.graph.Workflow.check`.
        """
        return self.workflow.fill(
            self.task.slots, images, filename_prefix=self.prefix, seed=self.task.seed
        )


def plan_pages(job: PagesJob, workflows: Workflows, run: str) -> list[PagePlan]:
    """Return the plans of a job's pages in the order to render them.

    ``run`` names the folder of this run's files: outputs of different runs never share a name.

    Raises:
        UnknownWorkflow: the job asks for a workflow that isn't there.
    """
    workflow = workflows.get(job.workflow.name, job.workflow.version)
    return [_plan(task, workflow, run) for task in job.pages]


def _plan(task: PageTask, workflow: Workflow, run: str) -> PagePlan:
    error = None
    try:
        workflow.check(task.slots, frozenset(task.assets))
    except InvalidSlot as invalid:
        error = invalid
    return PagePlan(task, workflow, f"{run}/page_{task.page_number:03d}", error)
