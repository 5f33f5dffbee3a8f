"""What the gateway does by itself: submit jobs that are due, ask about jobs that went quiet."""

import logging
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from contract.errors import ErrorCode, JobError
from contract.result import JobResult, Progress
from gateway.catalogue import Catalogue
from gateway.errors import Problem
from gateway.ledger import Claim, Heard, Ledger
from gateway.ports import EndpointError, ObjectStore, RenderEndpoint
from gateway.reconciler import Reconciler
from gateway.render_job import NotRenderable, pages_job
from gateway.status_board import StatusBoard

logger = logging.getLogger(__name__)

POLL_S = 1.0
"""How often SQL is looked at for work that nobody told this gateway about."""

_BATCH = 16


class Dispatcher:
    """Moves jobs between SQL and the endpoint. Any number of gateways may run one each.

    ``webhook_url`` makes the URL that RunPod calls when a job of that id has ended;
    ``deadline_s`` bounds a job on its worker.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        endpoint: RenderEndpoint,
        store: ObjectStore,
        books: Catalogue,
        board: StatusBoard,
        webhook_url: Callable[[str], str],
        deadline_s: float,
    ) -> None:
        self.ledger = ledger
        self._endpoint = endpoint
        self._store = store
        self._books = books
        self._board = board
        self._webhook_url = webhook_url
        self._deadline_s = deadline_s
        self._reconciler = Reconciler(ledger, endpoint, store)
        self._art_published = False
        self._wakeups: list[anyio.Event] = []

    async def run(self) -> None:
        """Work until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._repeat, self.dispatch_due)
            group.start_soon(self._repeat, self.reconcile_due)

    def wake(self) -> None:
        """Look for work at once. Call it on the event loop that runs ``run``."""
        for event in self._wakeups:
            event.set()

    async def hear(self, message: Progress | JobResult) -> Heard | None:
        """Apply a worker's message; None if there is no such job."""
        heard = await anyio.to_thread.run_sync(self.ledger.receive, message)
        if heard and heard.applied:
            await self._board.publish(message.job_id)
        return heard

    async def ask_about(self, job_id: str) -> None:
        """Ask the endpoint about a job soon; nothing happens for one that it doesn't have."""
        if await anyio.to_thread.run_sync(self.ledger.ask_now, job_id):
            self.wake()

    async def dispatch_due(self) -> int:
        """Submit the jobs that are due; return how many there were.

        The books' art is in the store before the first job leaves.

        Raises:
            StoreError: it can't be put there.
        """
        if not self._art_published:
            written = await anyio.to_thread.run_sync(self._books.publish, self._store)
            logger.info("art published", extra={"written": len(written)})
            self._art_published = True
        due = await anyio.to_thread.run_sync(self.ledger.due, _BATCH)
        async with anyio.create_task_group() as group:
            for job_id in due:
                group.start_soon(_apart, self._dispatch, job_id)
        return len(due)

    async def reconcile_due(self) -> int:
        """Ask about the jobs that went quiet; return how many there were."""
        quiet = await anyio.to_thread.run_sync(self.ledger.quiet, _BATCH)
        async with anyio.create_task_group() as group:
            for job_id in quiet:
                group.start_soon(_apart, self._ask, job_id)
        return len(quiet)

    async def _dispatch(self, job_id: str) -> None:
        claim = await anyio.to_thread.run_sync(self.ledger.claim, job_id)
        if claim is not None:
            try:
                await self._submit(claim)
            except SQLAlchemyError:
                raise  # the claim lapses, and the job goes again
            except Exception:
                logger.exception("dispatch failed", extra={"job_id": job_id})
                await self._fail(claim, ErrorCode.INTERNAL, "the dispatch failed")
        await self._board.publish(job_id)

    async def _submit(self, claim: Claim) -> None:
        facts = {"job_id": claim.job_id, "dispatch": claim.dispatch}
        try:
            job = pages_job(claim, self._books, self._deadline_s)
        except (NotRenderable, Problem) as error:
            logger.warning("job can't be rendered", extra=facts)
            await self._fail(claim, ErrorCode.INVALID_INPUT, str(error))
            return
        try:
            runpod_id = await self._endpoint.submit(
                job, webhook_url=self._webhook_url(claim.job_id)
            )
        except EndpointError as error:
            status = await anyio.to_thread.run_sync(self.ledger.refused, claim, error)
            logger.warning("endpoint refused a job", extra={**facts, "status": status})
            return
        await anyio.to_thread.run_sync(self.ledger.accepted, claim, runpod_id)
        logger.info("job dispatched", extra={**facts, "pages": len(job.pages)})

    async def _fail(self, claim: Claim, code: ErrorCode, message: str) -> None:
        await anyio.to_thread.run_sync(
            self.ledger.fail, claim.job_id, claim.dispatch, JobError(code=code, message=message)
        )

    async def _ask(self, job_id: str) -> None:
        question = await anyio.to_thread.run_sync(self.ledger.take_question, job_id)
        if question is not None:
            await self._reconciler.ask(question)
            await self._board.publish(job_id)

    async def _repeat(self, work: Callable[[], Awaitable[int]]) -> None:
        event = anyio.Event()
        self._wakeups.append(event)
        try:
            while True:
                await _surviving(work)
                with anyio.move_on_after(POLL_S):
                    await event.wait()
                self._wakeups.remove(event)
                event = anyio.Event()
                self._wakeups.append(event)
        finally:
            self._wakeups.remove(event)


async def _apart(work: Callable[[str], Awaitable[None]], job_id: str) -> None:
    """Work on one job; its failure must not stop the work on others."""
    try:
        await work(job_id)
    except Exception:
        logger.exception("work on a job failed", extra={"job_id": job_id})


async def _surviving(work: Callable[[], Awaitable[int]]) -> None:
    """One round of a loop that must not end: a database or a store that is away comes back."""
    try:
        await work()
    except Exception:
        logger.exception("a round failed")
