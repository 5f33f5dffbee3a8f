"""RunPod fails, or the gateway: the callback and the store still tell the truth."""

import pytest

from contract.result import JobResult
from contract.status import JobStatus
from tests.faults.pages import pages_job
from tests.faults.site import Site

pytestmark = pytest.mark.comfyui


def test_a_job_is_taken_after_too_many_requests(site: Site) -> None:
    site.arm("job-take", 429, count=2)
    job = pages_job("take-refused", pages=1)
    site.completed(job, site.submit(job))


def test_a_result_that_runpod_fails_to_take_is_posted_again(site: Site) -> None:
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
