"""The rendering of one job's pages, one after another."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import ErrorCode, JobError
from contract.job import PageTask
from contract.result import PageResult, PageTimings, StoredImage
from contract.status import PageStatus
from handler.errors import ComfyDied, DeadlineExceeded
from handler.failures import to_job_error
from handler.graph import FilledGraph
from handler.images import png_size
from handler.inputs import JobInputs
from handler.pages import PagePlan
from handler.ports import Clock, Comfy, ObjectStore, Rendered, Step
from handler.progress import ProgressReporter

_ENDS_THE_JOB = frozenset({ErrorCode.COMFY_BOOT_FAILED, ErrorCode.STORE_FULL})
"""What fails one page so would fail the next: rendering it would only cost money."""

log = logging.getLogger(__name__)


@dataclass
class _Stopwatch:
    """Milliseconds of a page's stages."""

    fetch_ms: float = 0.0
    queue_ms: float = 0.0
    render_ms: float = 0.0
    store_ms: float = 0.0

    def timings(self) -> PageTimings:
        return PageTimings(**vars(self))


class Rendering:
    """Renders the planned pages of a job and reports each one's end."""

    def __init__(
        self,
        *,
        comfy: Comfy,
        store: ObjectStore,
        clock: Clock,
        reporter: ProgressReporter,
        run: str,
        job_id: str,
    ) -> None:
        self._comfy = comfy
        self._store = store
        self._clock = clock
        self._reporter = reporter
        self._run = run
        self._job_id = job_id
        self._inputs = JobInputs(store, comfy, run)

    async def render_all(self, plans: Sequence[PagePlan], deadline_s: float) -> None:
        """Render every page; a page that fails doesn't stop the others.

        However this ends, no file of the job is left in ComfyUI's folders.
        """
        try:
            async with asyncio.timeout(deadline_s):
                await self._render_each(plans)
        except TimeoutError:
            late = to_job_error(DeadlineExceeded(f"not done within {deadline_s:g} s"))
            self._fail_rest(plans, late)
        finally:
            await self._inputs.close()
            await asyncio.shield(self._comfy.discard(self._run))

    async def _render_each(self, plans: Sequence[PagePlan]) -> None:
        for index, plan in enumerate(plans):
            following = plans[index + 1] if index + 1 < len(plans) else None
            page = await self._page(plan, following)
            self._reporter.end_page(page)
            if page.error is not None and page.error.code in _ENDS_THE_JOB:
                return self._fail_rest(plans, page.error)
        return None

    async def _page(self, plan: PagePlan, following: PagePlan | None) -> PageResult:
        task, watch = plan.task, _Stopwatch()
        tags = {"job_id": self._job_id, "page_number": task.page_number}
        try:
            image = await self._image(plan, following, watch)
        except Exception as error:
            failure = to_job_error(error, task.page_number)
            log.warning("page failed: %s: %s", failure.code, failure.message, extra=tags)
            return _failed(task, failure, watch.timings())
        log.info("page stored", extra={**tags, **vars(watch)})
        return PageResult(
            page_number=task.page_number,
            status=PageStatus.COMPLETED,
            seed=task.seed,
            image=image,
            timings=watch.timings(),
        )

    async def _image(
        self, plan: PagePlan, following: PagePlan | None, watch: _Stopwatch
    ) -> StoredImage:
        if plan.error is not None:
            raise plan.error
        number = plan.task.page_number
        began = self._clock.monotonic()
        self._reporter.begin(number, "fetching inputs")
        graph = plan.graph(await self._inputs.names(plan.task.assets))
        watch.fetch_ms = (self._clock.monotonic() - began) * 1000
        if following is not None and following.error is None:
            self._inputs.prefetch(following.task.assets)
        rendered = await self._rendered(graph, number)
        watch.queue_ms, watch.render_ms = rendered.queue_ms, rendered.render_ms
        began = self._clock.monotonic()
        image = await asyncio.to_thread(self._stored, plan.task.output_key, rendered.png)
        watch.store_ms = (self._clock.monotonic() - began) * 1000
        return image

    async def _rendered(self, graph: FilledGraph, number: int) -> Rendered:
        """Render, and once more on a fresh ComfyUI if the first died of it."""

        def on_step(step: Step) -> None:
            self._reporter.step(number, step)

        try:
            return await self._comfy.render(graph, on_step)
        except ComfyDied:
            tags = {"job_id": self._job_id, "page_number": number}
            log.warning("ComfyUI died; rendering the page again", extra=tags)
            await self._comfy.ensure_running()
            return await self._comfy.render(graph, on_step)

    def _stored(self, key: str, png: bytes) -> StoredImage:
        width, height = png_size(png)
        self._store.put(key, png, "image/png")
        return StoredImage(
            key=key,
            sha256=hashlib.sha256(png).hexdigest(),
            size_bytes=len(png),
            width=width,
            height=height,
        )

    def _fail_rest(self, plans: Sequence[PagePlan], error: JobError) -> None:
        ended = {page.page_number for page in self._reporter.ended}
        for plan in plans:
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
