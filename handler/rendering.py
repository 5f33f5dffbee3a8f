"""The rendering of one job's pages, with the next ones under way while ComfyUI works on one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from contract.errors import ErrorCode, JobError
from contract.job import PageTask
from contract.result import PageResult, PageTimings
from contract.status import PageStatus
from handler.errors import DeadlineExceeded, NodeFailed
from handler.failures import refuses_embedding, to_job_error
from handler.graph import FilledGraph
from handler.identity import SharedEmbedding
from handler.page_store import PageStore, Png, as_png
from handler.pages import IdentityPlan, PagePlan
from handler.ports import Rendered, Step
from handler.stopwatch import Stopwatch
from handler.workspace import Workspace

PAGES_IN_FLIGHT: Final = 3
"""One whose inputs are fetched and two that ComfyUI has, or one of them on its way to the store:
more would take memory and bring nothing."""

PAGES_QUEUED: Final = 2
"""One that ComfyUI executes, and the one that it goes on with at once."""

_ENDS_THE_JOB = frozenset({ErrorCode.COMFY_BOOT_FAILED, ErrorCode.STORE_FULL})
"""What fails one page so would fail the next: rendering it would only cost money."""

log = logging.getLogger(__name__)


class _Line:
    """The pages that wait for ComfyUI: let in in their order, and so many at a time."""

    def __init__(self, pages: int, places: int) -> None:
        self._passed = [asyncio.Event() for _ in range(pages)]
        self._places = asyncio.Semaphore(places)

    @asynccontextmanager
    async def place(self, index: int) -> AsyncIterator[None]:
        """Wait until every earlier page was let in, or needs no place, and there is one free.

        The next page comes after whatever is done inside up to its first pause.
        """
        for earlier in self._passed[:index]:
            await earlier.wait()
        async with self._places:
            self.leave(index)
            yield

    def leave(self, index: int) -> None:
        """Let the later pages pass this one."""
        self._passed[index].set()


@dataclass(frozen=True)
class _Ordered:
    """A page and its place in the job's order, counted from 0."""

    index: int
    plan: PagePlan
    watch: Stopwatch


class Rendering:
    """Renders the planned pages of a job and reports each one's end.

    A page goes from fetching through ComfyUI to the store, and the next ones follow at once: while
    ComfyUI works on one page, it has the next in its queue, and another is being fetched or stored.
    A page that an earlier run has stored is taken as it is. ``identity`` is the plan of the
    identity that every page takes, if they take one.
    """

    def __init__(
        self,
        workspace: Workspace,
        plans: Sequence[PagePlan],
        identity: IdentityPlan | None = None,
    ) -> None:
        self._at = workspace
        self._plans = plans
        self._reporter = workspace.reporter
        self._identity = None if identity is None else SharedEmbedding(identity, workspace)
        self._pages = PageStore(workspace.store)
        self._in_flight = asyncio.Semaphore(PAGES_IN_FLIGHT)
        self._line = _Line(len(plans), PAGES_QUEUED)
        self._unrendered: set[asyncio.Task[None]] = set()
        self._end: JobError | None = None

    async def render_all(self, deadline_s: float) -> None:
        """Render every page; a page that fails doesn't stop the others, unless none can succeed.

        However this ends, no file of the job is left in ComfyUI's folders.
        """
        try:
            async with self._at.open(deadline_s):
                await self._render_each()
        except DeadlineExceeded as late:
            self._end = to_job_error(late)
        if self._end is not None:
            self._fail_rest(self._end)

    async def _render_each(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for index, plan in enumerate(self._plans):
                    page = _Ordered(index, plan, Stopwatch(self._at.clock))
                    task = group.create_task(self._carry_through(page))
                    self._unrendered.add(task)
                    task.add_done_callback(self._unrendered.discard)
        finally:
            if self._identity is not None:
                await self._identity.close()

    async def _carry_through(self, page: _Ordered) -> None:
        async with self._in_flight:
            try:
                result = await self._result(page)
            finally:
                self._line.leave(page.index)
            self._reporter.end_page(result)
            end = None if result.error is None else self._everyones(result.error)
            if end is not None:
                self._end_all(end)

    def _everyones(self, error: JobError) -> JobError | None:
        """The error of the pages to come, if there is one that they would fail of, too."""
        failure = None if self._identity is None else self._identity.failure
        if failure is not None:
            return to_job_error(failure)
        return error if error.code in _ENDS_THE_JOB else None

    def _end_all(self, error: JobError) -> None:
        """Give up every page but those that are rendered already: they only need to be stored."""
        self._end = self._end or error
        for task in self._unrendered - {asyncio.current_task()}:
            task.cancel()

    async def _result(self, page: _Ordered) -> PageResult:
        task, watch = page.plan.task, page.watch
        tags = {"job_id": self._at.job_id, "page_number": task.page_number}
        try:
            png, reused = await self._image(page)
        except Exception as error:
            failure = to_job_error(error, task.page_number)
            log.warning("page failed: %s: %s", failure.code, failure.message, extra=tags)
            return _failed(task, failure, watch.timings())
        log.info("page stored", extra={**tags, **watch.times, "reused": reused})
        return PageResult(
            page_number=task.page_number,
            status=PageStatus.COMPLETED,
            seed=task.seed,
            image=png.under(task.output_key),
            timings=watch.timings(),
            reused=reused,
        )

    async def _image(self, page: _Ordered) -> tuple[Png, bool]:
        """The page that lies under its key at the end, and whether another run has made it."""
        plan, watch = page.plan, page.watch
        if plan.error is not None:
            raise plan.error
        self._reporter.begin(plan.task.page_number, "fetching inputs")
        with watch.stage("fetch_ms"):
            found = await self._pages.find(plan.task.output_key, plan.digest)
            if found is not None:
                return found, True
            images = await self._inputs(plan)
        async with self._line.place(page.index):
            graph, rendered = await self._rendered(plan, images)
        self._unrendered.discard(asyncio.current_task())
        watch.rendered(rendered, self._at.engagement.idle_ms_before(rendered))
        with watch.stage("encode_ms"):
            png = await asyncio.to_thread(as_png, rendered.data, graph.raw, plan.digest)
        with watch.stage("store_ms"):
            return await self._pages.keep(plan.task.output_key, png)

    async def _inputs(self, plan: PagePlan) -> dict[str, str]:
        """Return image slot → input file name, once those files and the identity are there."""
        inputs, assets = self._at.inputs, plan.task.assets
        inputs.prefetch(assets, plan.raw_slots)
        if self._identity is not None:
            await self._identity.file()  # first: without it nothing else matters
        return await inputs.names(assets, plan.raw_slots)

    async def _rendered(
        self, plan: PagePlan, images: Mapping[str, str]
    ) -> tuple[FilledGraph, Rendered]:
        """Render a page; if its nodes refuse a stored identity, once more with a new one."""
        if self._identity is None:
            return await self._attempt(plan, images)
        embedding = await self._identity.file()
        try:
            return await self._attempt(plan, images, embedding.name)
        except NodeFailed as refusal:
            if not refuses_embedding(refusal):
                raise
            log.warning("identity refused: %s", refusal, extra={"job_id": self._at.job_id})
            newer = await self._identity.instead_of(embedding)
            if newer is None:
                raise
        return await self._attempt(plan, images, newer.name)

    async def _attempt(
        self, plan: PagePlan, images: Mapping[str, str], embedding: str | None = None
    ) -> tuple[FilledGraph, Rendered]:
        number, graph = plan.task.page_number, plan.graph(images, embedding)

        def on_step(step: Step) -> None:
            self._reporter.step(number, step)

        return graph, await self._at.render(graph, on_step, page_number=number)

    def _fail_rest(self, error: JobError) -> None:
        ended = {page.page_number for page in self._reporter.ended}
        for plan in self._plans:
            if plan.task.page_number not in ended:
                own = error.model_copy(update={"page_number": plan.task.page_number})
                self._reporter.end_page(_failed(plan.task, own, PageTimings()))


def _failed(task: PageTask, error: JobError, timings: PageTimings) -> PageResult:
    return PageResult(
        page_number=task.page_number,
        status=PageStatus.FAILED,
        seed=task.seed,
        error=error,
        timings=timings,
    )
