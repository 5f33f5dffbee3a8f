"""RunPod fails, or the gateway: the callback and the store still tell the truth."""

import pytest

from contract.result import JobResult
from contract.status import JobStatus
from tests.faults.pages import LONG, pages_job
from tests.faults.site import Site

pytestmark = pytest.mark.comfyui


@pytest.mark.parametrize("status", [429, 500])
def test_a_job_is_taken_although_runpod_refused_to_give_one(site: Site, status: int) -> None:
    """The SDK asks again by itself; nothing of ours has a part in it."""
    running = [pages_job(f"before-take-{status}-{name}", LONG, pages=1) for name in site.workers]
    runpod_ids = [site.submit(each) for each in running]
    for runpod_id in runpod_ids:
        site.worker_of(runpod_id)  # from now on nobody asks for a job
    site.arm("job-take", status, count=len(site.workers))
    job = pages_job(f"take-{status}", pages=1)
    site.completed(job, site.submit(job))
    for each, runpod_id in zip(running, runpod_ids, strict=True):
        site.completed(each, runpod_id)


def test_a_result_that_runpod_fails_to_take_is_posted_again(site: Site) -> None:
    """By the SDK, three times in all; nothing of ours has a part in it."""
    site.arm("job-done", 500, count=1)
    job = pages_job("done-failed", pages=1)
    site.completed(job, site.submit(job))
    assert len(site.receiver.results(job.job_id)) == 1


def test_a_result_that_runpod_loses_is_in_the_callback_and_in_the_store(site: Site) -> None:
    site.arm("job-done", 200, count=1)
    job = pages_job("done-lost")
    runpod_id = site.submit(job)
    result = site.receiver.result(job.job_id)
    site.check(job, result)
    document = site.end_of(runpod_id)
    assert document["status"] == "COMPLETED"
    assert "output" not in document
    assert all(page.reused for page in site.completed(job, site.submit(job)).pages)


@pytest.mark.parametrize("fault", ["answers 503", "refuses connections"])
def test_a_result_reaches_a_gateway_that_was_down(site: Site, fault: str) -> None:
    job = pages_job(f"gateway-{fault.replace(' ', '-')}", pages=2)
    receiver = site.receiver
    if fault == "answers 503":
        receiver.unwell = 3
        document = site.end_of(site.submit(job))
    else:
        with receiver.gone():
            document = site.end_of(site.submit(job))
    result = receiver.result(job.job_id)
    site.check(job, result)
    assert result == JobResult.model_validate(document["output"])
    ours = [message for _, message in receiver.accepted if message.job_id == job.job_id]
    assert ours[-1] == result
    assert max(message.seq for message in ours) == result.seq
    assert receiver.unwell == 0


def test_jobs_go_on_while_the_gateway_is_down(site: Site) -> None:
    jobs = [pages_job(f"gateway-down-{number}", pages=1) for number in range(3)]
    with site.receiver.gone():
        documents = [site.end_of(site.submit(job)) for job in jobs]
    assert [document["status"] for document in documents] == ["COMPLETED"] * len(jobs)
    for job in jobs:
        assert site.receiver.result(job.job_id).status is JobStatus.COMPLETED
