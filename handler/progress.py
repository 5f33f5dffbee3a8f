"""The progress of one running job, on its way out."""

import asyncio
import logging
from typing import Any

from contract.job import IdentityJob, PagesJob
from contract.result import IdentityResult, PageResult, Progress
from handler.ports import Clock, ProgressSink, Step

INTERVAL_S = 0.5
_RENDER_SHARE = 0.95  # of a page or an identity job; the rest is storing the file
_EXTRACT_SHARE = 0.2  # of the page that waits for its identity to be extracted
_EXTRACTING = "extracting identity"

log = logging.getLogger(__name__)


class ProgressReporter:
    """Sends the job's latest state, one message at a time and at most two a second.

    What happens between two messages is folded into the next one. Messages are numbered when
    they are sent; the result takes the number after the last of them. Of several pages under way
    the one is shown that is being rendered; each counts for as far as it is.
    """

    def __init__(
        self,
        job: PagesJob | IdentityJob,
        run: int,
        sink: ProgressSink,
        clock: Clock,
        drain_s: float = 2.0,
    ) -> None:
        self._job = job
        self._parts = len(job.pages) if isinstance(job, PagesJob) else 1
        self._extract_share = _EXTRACT_SHARE if isinstance(job, PagesJob) else _RENDER_SHARE
        self._run = run
        self._sink = sink
        self._clock = clock
        self._drain_s = drain_s
        self._seq = 0
        self._fraction = 0.0
        self._text = "starting"
        self._page: int | None = None
        self._step: Step | None = None
        self._within: dict[int | None, float] = {}  # how far each page under way is, 0–1
        self._ended: list[PageResult] = []
        self._identity: IdentityResult | None = None
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send, with a first message at once."""
        self._changed.set()
        self._task = asyncio.create_task(self._pump())

    def begin(self, page_number: int, text: str) -> None:
        """Say what is being done for a page before it is rendered."""
        alone = not self._within
        self._count(page_number, 0.0)
        if alone:
            self._show(page_number, text)

    def step(self, page_number: int, step: Step) -> None:
        """Say how far a page's graph is."""
        self._count(page_number, step.fraction * _RENDER_SHARE)
        self._show(page_number, step.title, step)

    def end_page(self, page: PageResult) -> None:
        """Say that a page has ended."""
        self._ended.append(page)
        self._within.pop(page.page_number, None)
        self._advance()
        if not self._within or self._page == page.page_number:
            self._show(page.page_number, f"page {page.status.value}")

    def begin_identity(self) -> None:
        """Say that an identity is being extracted. One that was there counts no longer.

        It is a part of the page that waits for it, or the whole of an identity job.
        """
        self._identity = None
        self._show(self._page, _EXTRACTING)

    def step_identity(self, step: Step) -> None:
        """Say how far the extraction is."""
        if self._page in self._within or isinstance(self._job, IdentityJob):
            self._count(self._page, step.fraction * self._extract_share)
        self._show(self._page, _EXTRACTING, step)

    def end_identity(self, identity: IdentityResult | None) -> None:
        """Say that the job has its identity; None for one that isn't stored."""
        self._identity = identity
        if isinstance(self._job, IdentityJob) and identity is not None:
            self._count(None, 1.0)
        self._show(self._page, "identity ready")

    @property
    def identity(self) -> IdentityResult | None:
        """The stored identity that the job used or made so far."""
        return self._identity

    @property
    def ended(self) -> list[PageResult]:
        """The pages that have ended so far."""
        return list(self._ended)

    def next_seq(self) -> int:
        """Take the next message number."""
        self._seq += 1
        return self._seq

    async def close(self) -> None:
        """Send the last state if it wasn't sent, and nothing afterwards. What isn't
        through after ``drain_s`` seconds is given up."""
        self._closing.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=self._drain_s)
        if not done:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _count(self, page_number: int | None, within: float) -> None:
        self._within[page_number] = within
        self._advance()

    def _advance(self) -> None:
        fraction = (len(self._ended) + sum(self._within.values())) / self._parts
        self._fraction = max(self._fraction, min(1.0, fraction))
        self._changed.set()

    def _show(self, page_number: int | None, text: str, step: Step | None = None) -> None:
        self._page, self._text, self._step = page_number, text[:200], step
        self._changed.set()

    async def _pump(self) -> None:
        while True:
            await _either(self._changed, self._closing)
            if self._changed.is_set():
                self._changed.clear()
                try:
                    await self._sink.send_progress(self._message())
                except Exception:
                    log.exception("a progress sink failed", extra={"job_id": self._job.job_id})
            if self._closing.is_set() and not self._changed.is_set():
                return
            await self._pause()

    async def _pause(self) -> None:
        pause = asyncio.ensure_future(self._clock.sleep(INTERVAL_S))
        closing = asyncio.ensure_future(self._closing.wait())
        await _first_of(pause, closing)

    def _message(self) -> Progress:
        step = self._step
        return Progress(
            job_id=self._job.job_id,
            dispatch=self._job.dispatch,
            run=self._run,
            seq=self.next_seq(),
            progress=self._fraction,
            current_step=self._text,
            page_number=self._page,
            step=step.step if step else None,
            steps=step.steps if step else None,
            pages=list(self._ended),
        )


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    await _first_of(asyncio.ensure_future(first.wait()), asyncio.ensure_future(second.wait()))


async def _first_of(*futures: "asyncio.Future[Any]") -> None:
    """Wait for one of ``futures`` and cancel the others."""
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
