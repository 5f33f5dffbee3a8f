"""The rendering of one job's pages, one after another."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.errors import ErrorCode, JobError
from contract.job import PageTask
from contract.result import PageResult, PageTimings, StoredImage
from contract.status import PageStatus
from handler.errors import DeadlineExceeded, NodeFailed
from handler.failures import refuses_embedding, to_job_error
from handler.graph import FilledGraph
from handler.identity import SharedEmbedding
from handler.images import png_size
from handler.pages import IdentityPlan, PagePlan
from handler.ports import Rendered, Step
from handler.workspace import Workspace

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
    """Renders the planned pages of a job and reports each one's end.

    ``identity`` is the plan of the identity that every page takes, if they take one.
    """

    def __init__(self, workspace: Workspace, identity: IdentityPlan | None = None) -> None:
        self._at = workspace
        self._reporter = workspace.reporter
        self._identity = None if identity is None else SharedEmbedding(identity, workspace)

    async def render_all(self, plans: Sequence[PagePlan], deadline_s: float) -> None:
        """Render every page; a page that fails doesn't stop the others, unless none can succeed.

        However this ends, no file of the job is left in ComfyUI's folders.
        """
        try:
            async with self._at.open(deadline_s):
                await self._render_each(plans)
        except DeadlineExceeded as late:
            self._fail_rest(plans, to_job_error(late))

    async def _render_each(self, plans: Sequence[PagePlan]) -> None:
        try:
            for index, plan in enumerate(plans):
                following = plans[index + 1] if index + 1 < len(plans) else None
                page = await self._page(plan, following)
                self._reporter.end_page(page)
                if page.error is not None and self._is_everyones(page.error):
                    return self._fail_rest(plans, page.error)
        finally:
            if self._identity is not None:
                await self._identity.close()
        return None

    def _is_everyones(self, error: JobError) -> bool:
        """Whether the pages to come would fail of a page's error, too."""
        no_identity = self._identity is not None and self._identity.failed
        return no_identity or error.code in _ENDS_THE_JOB

    async def _page(self, plan: PagePlan, following: PagePlan | None) -> PageResult:
        task, watch = plan.task, _Stopwatch()
        tags = {"job_id": self._at.job_id, "page_number": task.page_number}
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
        clock, inputs = self._at.clock, self._at.inputs
        began = clock.monotonic()
        self._reporter.begin(plan.task.page_number, "fetching inputs")
        inputs.prefetch(plan.task.assets)
        if self._identity is not None:
            await self._identity.file()  # first: without it nothing else matters
        images = await inputs.names(plan.task.assets)
        watch.fetch_ms = (clock.monotonic() - began) * 1000
        if following is not None and following.error is None:
            inputs.prefetch(following.task.assets)
        rendered = await self._rendered(plan, images)
        watch.queue_ms, watch.render_ms = rendered.queue_ms, rendered.render_ms
        began = clock.monotonic()
        image = await asyncio.to_thread(self._stored, plan.task.output_key, rendered.data)
        watch.store_ms = (clock.monotonic() - began) * 1000
        return image

    async def _rendered(self, plan: PagePlan, images: Mapping[str, str]) -> Rendered:
        """Render a page; if its nodes refuse a stored identity, once more with a new one."""
        number = plan.task.page_number
        if self._identity is None:
            return await self._attempt(plan.graph(images), number)
        embedding = await self._identity.file()
        try:
            return await self._attempt(plan.graph(images, embedding.name), number)
        except NodeFailed as refusal:
            if not refuses_embedding(refusal):
                raise
            log.warning("identity refused: %s", refusal, extra={"job_id": self._at.job_id})
            newer = await self._identity.instead_of(embedding)
            if newer is None:
                raise
        return await self._attempt(plan.graph(images, newer.name), number)

    async def _attempt(self, graph: FilledGraph, number: int) -> Rendered:
        def on_step(step: Step) -> None:
            self._reporter.step(number, step)

        return await self._at.render(graph, on_step, page_number=number)

    def _stored(self, key: str, png: bytes) -> StoredImage:
        width, height = png_size(png)
        self._at.store.put(key, png, "image/png")
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
