"""RunPod's public API as a client sees it, here of the sandbox's stand-in."""

import time
from collections.abc import Sequence

import httpx

from contract.job import IdentityJob, PagesJob
from contract.result import JobResult
from sandbox.stack import ENDPOINT_ID, Stack

DEADLINE_S = 1800.0


class Endpoint:
    """Submits jobs and waits for their results."""

    def __init__(self, stack: Stack) -> None:
        self._http = httpx.Client(
            base_url=f"{stack.control_plane_url}/v2/{ENDPOINT_ID}",
            headers={"Authorization": f"Bearer {stack.secrets.api_key}"},
            timeout=60,
        )

    def results(self, jobs: Sequence[PagesJob | IdentityJob]) -> list[JobResult]:
        """Submit jobs at once and wait for all of their results.

        Raises:
            RuntimeError: a job failed; TimeoutError: one took too long.
        """
        ids = [self.submit(job) for job in jobs]
        return [self.result(job_id) for job_id in ids]

    def submit(self, job: PagesJob | IdentityJob) -> str:
        """Queue a job; return its id."""
        body = {
            "input": job.model_dump(mode="json"),
            "policy": {"executionTimeout": int(DEADLINE_S * 1000)},
        }
        answer = self._http.post("/run", json=body).raise_for_status().json()
        return str(answer["id"])

    def result(self, job_id: str) -> JobResult:
        """Wait for a job's result.

        Raises:
            RuntimeError: it failed; TimeoutError: it took too long.
        """
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            state = self._http.get(f"/status/{job_id}").raise_for_status().json()
            if state["status"] == "COMPLETED":
                return JobResult.model_validate(state["output"])
            if state["status"] not in ("IN_QUEUE", "IN_PROGRESS"):
                raise RuntimeError(f"a job ended {state['status']}: {state.get('error', '')[:500]}")
            time.sleep(0.2)
        raise TimeoutError(f"no result within {DEADLINE_S:g} s")
