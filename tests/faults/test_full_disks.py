"""There is no space left, in the store or where ComfyUI writes."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from contract.errors import ErrorCode
from contract.job import PagesJob
from contract.result import JobResult
from contract.status import JobStatus, PageStatus
from tests.faults.pages import LARGE, pages_job
from tests.faults.site import Site
from tests.sandbox.waiting import eventually

pytestmark = pytest.mark.comfyui

LIMIT = 400_000
"""Bytes: more than any log grows to, less than a large page has."""


@contextmanager
def small_files_only(pid: int) -> Iterator[None]:
    """Inside, a process can't make any file larger than the limit: its disk is full."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("full", ["store", "comfyui"])
def test_pages_for_which_there_is_no_space_fail_and_leave_nothing(site: Site, full: str) -> None:
    job = pages_job(f"no-space-in-{full}", LARGE, pages=2)
    runpod_id = site.submit(job)
    worker = site.worker_of(runpod_id)
    eventually(lambda: site.queue(worker)["pending"])  # all inputs lie there
    pid = site.supervisor.pid(worker) if full == "store" else site.comfyui(worker).pid
    assert pid is not None
    with small_files_only(pid):
        assert_no_space(site, job, runpod_id)
    site.assert_tidy()
    site.completed(job, site.submit(job))


def test_inputs_for_which_there_is_no_space_fail_their_pages_and_leave_nothing(site: Site) -> None:
    job = pages_job("no-space-for-inputs", LARGE, pages=2)
    with ExitStack() as limits:
        for worker in site.workers:
            pid = site.supervisor.pid(worker)
            assert pid is not None
            limits.enter_context(small_files_only(pid))
        assert_no_space(site, job, site.submit(job))
    site.assert_tidy()
    site.completed(job, site.submit(job))


def assert_no_space(site: Site, job: PagesJob, runpod_id: str) -> None:
    document = site.end_of(runpod_id)
    assert document["status"] == "FAILED", document
    result = JobResult.model_validate_json(document["error"])
    assert site.receiver.result(job.job_id) == result
    assert result.status is JobStatus.FAILED
    assert [page.status for page in result.pages] == [PageStatus.FAILED] * len(job.pages)
    codes = {page.error.code for page in result.pages if page.error is not None}
    assert codes == {ErrorCode.STORE_FULL}
    assert not site.stored(job)
