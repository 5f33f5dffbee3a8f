"""ComfyUI dies, or freezes, under a real worker."""

import signal

import pytest

from tests.faults.pages import LONG, NODES, pages_job
from tests.faults.site import Site

pytestmark = pytest.mark.comfyui


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
