"""Workers die, are told to stop, or get the same job."""

import subprocess
from pathlib import Path

import pytest

from contract.status import JobStatus
from sandbox.units import MARK, members
from storage.folder import FolderStore
from tests.faults.pages import NODES, SHORT, base_files, pages_job, write_art
from tests.faults.site import Site, running_site, worker_process
from tests.sandbox.waiting import eventually

pytestmark = pytest.mark.comfyui


def test_a_job_that_is_delivered_again_renders_nothing(site: Site) -> None:
    job = pages_job("delivered-twice")
    first = site.completed(job, site.submit(job))
    before = site.worked()
    second = site.completed(job, site.submit(job))
    assert [page.reused for page in first.pages] == [False] * len(job.pages)
    assert [page.reused for page in second.pages] == [True] * len(job.pages)
    assert [page.image for page in second.pages] == [page.image for page in first.pages]
    assert site.worked() == before


def test_two_workers_that_race_on_the_same_pages_store_each_of_them_once(site: Site) -> None:
    site.undisturbed(SHORT)  # by one of them alone
    job = pages_job("raced")
    runpod_ids = [site.submit(job), site.submit(job)]
    paths = [site.folder / "store" / task.output_key for task in job.pages]
    files: set[tuple[str, int]] = set()

    def both_ended() -> bool:
        files.update((path.name, path.stat().st_ino) for path in paths if path.exists())
        return len(site.receiver.results(job.job_id)) == 2

    eventually(both_ended)
    results = [site.completed(job, runpod_id) for runpod_id in runpod_ids]
    assert {result.worker_id for result in results} == set(site.workers)
    assert {result.status for result in results} == {JobStatus.COMPLETED}
    assert len(files) == len(job.pages)  # none was replaced by another


def test_the_pages_that_a_killed_worker_has_stored_are_not_rendered_again(site: Site) -> None:
    site.undisturbed(SHORT)
    before = site.worked()
    job = pages_job("worker-killed")
    runpod_id = site.submit(job)
    victim = site.worker_of(runpod_id)
    eventually(lambda: len(site.stored(job)) >= 2)
    site.supervisor.kill(victim)
    stored = site.stored(job)
    result = site.completed(job, runpod_id)
    assert 2 <= len(stored) < len(job.pages)
    assert {page.image.key for page in result.pages if page.reused and page.image} == set(stored)
    assert site.status(runpod_id)["retries"] == 1
    again = 2  # it may have worked on two pages that it hadn't stored
    assert site.worked() - before <= (len(job.pages) + again) * NODES[SHORT]


def test_a_worker_that_is_told_to_stop_ends_its_job_first_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    """That the job ends first is the SDK's doing; that nothing is left is ours."""
    name, store = "worker-1", FolderStore(tmp_path / "store")
    write_art(store)
    with running_site(tmp_path, workers=0, store=store) as site:
        process = worker_process(tmp_path, name, site.origin, site.receiver, {})
        mark = f"{site.supervisor.mark}/{name}"  # whatever happens, it ends with the site
        # Not by the supervisor: that would end whatever the worker left.
        with (tmp_path / "log").open("wb") as log:
            worker = subprocess.Popen(
                process.argv,
                env={**process.env, MARK: mark},
                cwd=process.cwd,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        site.undisturbed(SHORT)
        job = pages_job("told-to-stop")
        runpod_id = site.submit(job)
        site.wait_until_rendering(name)
        worker.terminate()
        result = site.completed(job, runpod_id)
        assert worker.wait(timeout=30) == 0
        assert not list(members(mark))
        assert not base_files(tmp_path / name)
        assert not list((tmp_path / "store").rglob(".part-*"))
        assert site.receiver.results(job.job_id) == [result]
        assert "retries" not in site.status(runpod_id)
