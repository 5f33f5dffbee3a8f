"""A job is cancelled, wherever it is. While it is stored: see ``test_bucket_faults``."""

import pytest

from contract.errors import ErrorCode
from contract.status import JobStatus
from tests.faults.pages import LONG, NODES, pages_job
from tests.faults.site import Site
from tests.sandbox.waiting import eventually

pytestmark = pytest.mark.comfyui


def test_a_job_that_is_cancelled_in_runpods_queue_is_never_begun(site: Site) -> None:
    """RunPod doesn't give it to any worker; nothing of ours has a part in it."""
    running = [pages_job(f"in-front-{number}", LONG, pages=1) for number in site.workers]
    runpod_ids = [site.submit(job) for job in running]
    for runpod_id in runpod_ids:
        site.worker_of(runpod_id)
    cancelled = pages_job("cancelled-in-queue")
    last = site.submit(cancelled)
    site.cancel(last)
    for job, runpod_id in zip(running, runpod_ids, strict=True):
        site.completed(job, runpod_id)
    after = pages_job("after-cancelled-in-queue", pages=1)
    site.completed(after, site.submit(after))
    assert site.status(last)["status"] == "CANCELLED"
    assert not site.stored(cancelled)
    assert not [message for _, message in site.receiver.accepted if message.job_id == last]


def test_a_job_that_is_cancelled_while_it_samples_leaves_comfyui_within_a_second(
    site: Site,
) -> None:
    site.undisturbed(LONG)
    before = site.worked()
    job = pages_job("cancelled-in-comfyui", LONG)
    runpod_id = site.submit(job)
    worker = site.worker_of(runpod_id)
    comfyui = site.comfyui(worker)
    eventually(lambda: site.queue(worker)["pending"] and site.worked() > before)
    site.cancel(runpod_id)
    stopping = f'"{runpod_id}", "message": "Stopping job."'
    eventually(lambda: site.has_logged(worker, stopping))  # the SDK asks now and then
    seen = site.worked()
    result = site.receiver.result(job.job_id)
    assert result.status is JobStatus.CANCELLED
    assert result.error is not None
    assert result.error.code is ErrorCode.CANCELLED
    eventually(lambda: site.queue(worker) == {"running": [], "pending": []})
    assert site.worked() - seen <= NODES[LONG] * 2 // 3  # as many as take a second
    assert not site.stored(job)
    nodes = site.worked()
    after = [pages_job(f"after-cancelled-{number}") for number in site.workers]
    for each, runpod_id in [(each, site.submit(each)) for each in after]:
        site.completed(each, runpod_id)
    assert site.worked() - nodes == len(after) * len(after[0].pages)  # of these jobs alone
    assert site.comfyui(worker).pid == comfyui.pid
