"""RunPod's public API for one serverless endpoint: ``{api}/{endpoint id}/run`` and siblings."""

import json
from typing import Any

import httpx

from contract.job import PagesJob
from gateway.adapters.retry_after import retry_after_s
from gateway.ports import EndpointError, EndpointJob, EndpointRejected, EndpointState

_REJECTED = frozenset({400, 401, 403, 404, 413, 422})
_ABSENT = frozenset({404})
_NOTHING_TO_CANCEL = frozenset({400, 404})
_QUEUE_ALLOWANCE_S = 3600
"""How long a job may wait for a worker on top of its deadline. RunPod's ttl counts from submission
and is hard: a job that is running when it ends vanishes."""

_ENDING_S = 30
"""A worker ends a late job by itself, with a result that says so; RunPod only if it doesn't."""

_STATES = {state.value: state for state in EndpointState} | {"RUNNING": EndpointState.IN_PROGRESS}


class RunpodEndpoint:
    """A RunPod serverless endpoint. The caller opens and closes ``client``."""

    def __init__(
        self, client: httpx.AsyncClient, *, api_url: str, endpoint_id: str, api_key: str
    ) -> None:
        self._client = client
        self._base = f"{api_url.rstrip('/')}/{endpoint_id}"
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def submit(self, job: PagesJob, *, webhook_url: str) -> str:
        """Queue the job and return RunPod's id of it.

        Raises:
            EndpointRejected: it will never be taken; EndpointError: it may be later.
        """
        deadline_ms = int(job.deadline_s * 1000)
        document = await self._call(
            "POST",
            "run",
            absent=frozenset(),
            body={
                "input": job.model_dump(mode="json"),
                "webhook": webhook_url,
                "policy": {
                    "executionTimeout": deadline_ms + _ENDING_S * 1000,
                    "ttl": deadline_ms + _QUEUE_ALLOWANCE_S * 1000,
                },
            },
        )
        runpod_id = (document or {}).get("id")
        if not isinstance(runpod_id, str) or not runpod_id:
            raise EndpointError("RunPod's answer has no job id")
        return runpod_id

    async def status(self, runpod_id: str) -> EndpointJob | None:
        """The job's state; None if RunPod never knew it, or no longer does.

        Raises:
            EndpointError.
        """
        document = await self._call("GET", f"status/{runpod_id}")
        if document is None:
            return None
        state = _STATES.get(str(document.get("status")))
        if state is None:
            raise EndpointError("RunPod's answer has no state that we know")
        return EndpointJob(runpod_id, state, document.get("output"), document.get("error"))

    async def cancel(self, runpod_id: str) -> None:
        """Cancel the job; nothing happens if it has ended.

        Raises:
            EndpointError.
        """
        await self._call("POST", f"cancel/{runpod_id}", absent=_NOTHING_TO_CANCEL)

    async def health(self) -> dict[str, Any]:
        """RunPod's counts of the endpoint's jobs and workers.

        Raises:
            EndpointError.
        """
        return await self._call("GET", "health", absent=frozenset()) or {}

    async def _call(
        self, method: str, path: str, body: object = None, *, absent: frozenset[int] = _ABSENT
    ) -> dict[str, Any] | None:
        """The answer's JSON object; None for a status of ``absent``."""
        try:
            answer = await self._client.request(
                method, f"{self._base}/{path}", json=body, headers=self._headers
            )
        except httpx.HTTPError as error:
            raise EndpointError(f"RunPod can't be reached: {type(error).__name__}") from error
        if answer.status_code in absent:
            return None
        if answer.status_code in _REJECTED:
            raise EndpointRejected(f"RunPod answered {answer.status_code}")
        if not answer.is_success:
            raise EndpointError(f"RunPod answered {answer.status_code}", retry_after_s(answer))
        return _object(answer)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EndpointError("RunPod's answer is no JSON") from error
    if not isinstance(document, dict):
        raise EndpointError("RunPod's answer is no JSON object")
    return document
