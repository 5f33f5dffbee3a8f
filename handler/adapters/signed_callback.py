"""Status callbacks to the gateway, signed by Standard Webhooks."""

import asyncio
import logging
import random
from contextlib import suppress
from enum import Enum

import requests

from contract.result import JobResult, Progress
from contract.signing import sign
from handler.ports import Clock

_PROGRESS_TIMEOUT_S = 1.5
_RESULT_TIMEOUT_S = 3.0
_GIVE_UP_AFTER_S = 60.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_TRY_AGAIN = frozenset({408, 425, 429})

log = logging.getLogger(__name__)


class _Outcome(Enum):
    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"


class SignedCallback:
    """Posts messages to one URL. A gateway that is slow or gone costs a job at most the time of
    one short attempt for its result; every later attempt runs beside the next job."""

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._jitter = random.Random()  # noqa: S311  # it spreads retries, it protects nothing
        self._deliveries: set[asyncio.Task[None]] = set()

    async def send_progress(self, progress: Progress) -> None:
        """Try once; a lost one is made good by the next."""
        outcome = await self._post(progress, _PROGRESS_TIMEOUT_S)
        if outcome is not _Outcome.DELIVERED:
            log.debug("progress not delivered: %s", outcome.value, extra=_tags(progress))

    async def send_result(self, result: JobResult) -> None:
        """Try once now. Unless it is delivered or refused (a 4xx other than 408, 425 and 429), go
        on in the background with growing, jittered pauses for a minute."""
        outcome = await self._post(result, _RESULT_TIMEOUT_S)
        if outcome is _Outcome.FAILED:
            task = asyncio.create_task(self._deliver(result))
            self._deliveries.add(task)  # the loop itself keeps no task alive
            task.add_done_callback(self._deliveries.discard)
        elif outcome is _Outcome.REFUSED:
            log.error("result callback refused", extra=_tags(result))

    async def settle(self) -> None:
        """Wait for the deliveries that are still being tried."""
        await asyncio.gather(*self._deliveries)

    async def _deliver(self, result: JobResult) -> None:
        give_up = self._clock.monotonic() + _GIVE_UP_AFTER_S
        longest = _FIRST_PAUSE_S
        while self._clock.monotonic() < give_up:
            await self._clock.sleep(self._jitter.uniform(longest / 2, longest))
            longest = min(longest * 2, _LONGEST_PAUSE_S)
            outcome = await self._post(result, _RESULT_TIMEOUT_S)
            if outcome is _Outcome.DELIVERED:
                return
            if outcome is _Outcome.REFUSED:
                break
        log.error("result callback given up", extra=_tags(result))

    async def _post(self, message: Progress | JobResult, timeout_s: float) -> _Outcome:
        body = message.model_dump_json().encode()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await asyncio.to_thread(self._post_blocking, message, body, timeout_s)
        return _Outcome.FAILED

    def _post_blocking(
        self, message: Progress | JobResult, body: bytes, timeout_s: float
    ) -> _Outcome:
        # The same id at every attempt: the receiver can tell a repetition.
        message_id = f"{message.job_id}.{message.dispatch}.{message.run}.{message.seq}"
        headers = sign(self._secret, message_id, body, self._clock.now())
        headers["content-type"] = "application/json"
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy, and no netrc password instead of ours
                answer = session.post(
                    self._url,
                    data=body,
                    headers=headers,
                    timeout=timeout_s,
                    allow_redirects=False,
                    stream=True,  # the answer's body is of no interest
                )
                status = answer.status_code
                answer.close()
        except requests.RequestException as error:
            log.debug("callback failed: %s", type(error).__name__, extra=_tags(message))
            return _Outcome.FAILED
        if 200 <= status < 300:
            return _Outcome.DELIVERED
        return _Outcome.FAILED if status >= 500 or status in _TRY_AGAIN else _Outcome.REFUSED


def _tags(message: Progress | JobResult) -> dict[str, object]:
    return {"job_id": message.job_id, "seq": message.seq}
