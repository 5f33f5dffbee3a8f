"""Progress as RunPod itself shows it, in the output of ``/status``.

Used only where no callback is configured: the gateway gets every message by its callback, and a
progress post that overtakes the result makes RunPod show the job in progress for ever. The SDK's
``progress_update`` invites that, by starting a thread for each call; here each post is awaited,
and cancelled before the result if it hangs.
"""

import asyncio
import logging

from contract.result import JobResult, Progress

_TIMEOUT_S = 1.5

log = logging.getLogger(__name__)


class RunPodProgress:
    """The sink of one job. The result needs no sending: RunPod gets it as the handler's answer."""

    def __init__(self, runpod_id: str) -> None:
        self._runpod_id = runpod_id

    async def send_progress(self, progress: Progress) -> None:
        """Try once."""
        # Here, because the SDK reads its environment and takes two seconds when it is imported.
        from runpod.http_client import AsyncClientSession
        from runpod.serverless.modules.rp_http import send_result

        update = {"status": "IN_PROGRESS", "output": progress.model_dump(mode="json")}
        try:
            async with asyncio.timeout(_TIMEOUT_S), AsyncClientSession() as session:
                await send_result(session, update, {"id": self._runpod_id})
        except TimeoutError:
            log.debug("progress not delivered", extra={"job_id": progress.job_id})

    async def send_result(self, result: JobResult) -> None:
        """Nothing to do."""
