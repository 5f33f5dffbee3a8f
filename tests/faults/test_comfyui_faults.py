"""ComfyUI dies, or freezes, under a real worker."""

import signal

import pytest

from contract.errors import ErrorCode
from contract.result import JobResult
from contract.status import JobStatus
from tests.faults.pages import DEADLY, LONG, NODES, pages_job
from tests.faults.site import Site

pytestmark = pytest.mark.comfyui

BOOTED = "ComfyUI is ready after"


def test_a_killed_comfyui_is_replaced_and_its_page_rendered_by_the_same_worker(site: Site) -> None:
    job = pages_job("comfyui-killed", LONG, pages=2)
    runpod_id = site.submit(job)
    worker = site.worker_of(runpod_id)
    site.wait_until_rendering(worker)
    restarts, victim = site.supervisor.restarts(worker), site.comfyui(worker)
    victim.kill()
    result = site.completed(job, runpod_id)
    assert result.worker_id == worker
    assert not any(page.reused for page in result.pages)
    assert site.supervisor.restarts(worker) == restarts
    assert site.comfyui(worker).pid != victim.pid


def test_a_frozen_comfyui_is_replaced_and_its_page_rendered(site: Site) -> None:
    job = pages_job("comfyui-frozen", LONG, pages=2)
    runpod_id = site.submit(job)
    worker = site.worker_of(runpod_id)
    site.wait_until_rendering(worker)
    before, victim = site.worked(), site.comfyui(worker)
    victim.send_signal(signal.SIGSTOP)
    result = site.completed(job, runpod_id, within_s=90)
    assert result.worker_id == worker
    assert not victim.is_running()
    assert site.worked() - before <= (2 + 1) * NODES[LONG]
    assert site.has_logged(worker, "ComfyStalled")


def test_a_page_that_ends_comfyui_twice_is_poisoned_and_the_others_are_rendered(
    site: Site,
) -> None:
    expected = site.undisturbed(DEADLY)
    before = site.worked()
    job = pages_job("poisoned", DEADLY, deadly=2)
    runpod_id = site.submit(job)
    worker = site.worker_of(runpod_id)
    restarts, victim = site.supervisor.restarts(worker), site.comfyui(worker)
    boots = site.times_logged(worker, BOOTED)
    document = site.end_of(runpod_id, within_s=120)
    assert document["status"] == "FAILED", document
    result = JobResult.model_validate_json(document["error"])
    assert site.receiver.result(job.job_id) == result
    assert (result.status, result.worker_id) == (JobStatus.FAILED, worker)
    codes = [page.error and page.error.code for page in result.pages]
    assert codes == [None, ErrorCode.POISONED_PAGE, None, None]
    others = [task.output_key for task in job.pages if task.page_number != 2]
    assert site.stored(job) == dict(zip(others, [expected[0], *expected[2:]], strict=True))
    assert site.worked() - before == len(others) + 2  # that one twice, and no other
    # The worker goes on: each of them gets a job, with the ComfyUI that it has.
    after = [pages_job(f"after-poisoned-{number}", LONG, pages=1) for number in site.workers]
    submitted = [(each, site.submit(each)) for each in after]
    results = [site.completed(each, runpod_id) for each, runpod_id in submitted]
    assert {each.worker_id for each in results} == set(site.workers)
    assert not victim.is_running()
    assert site.times_logged(worker, BOOTED) == boots + 2
    assert site.supervisor.restarts(worker) == restarts
