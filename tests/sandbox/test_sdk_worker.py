"""The unmodified RunPod SDK worker, as a process, against the control plane, as a process."""

import re
import signal
from pathlib import Path

from tests.sandbox.conftest import Cluster, running_cluster
from tests.sandbox.waiting import eventually


def test_a_worker_takes_a_job_and_returns_its_result(cluster: Cluster) -> None:
    document = cluster.wait_for(cluster.run(echo="hello"), "COMPLETED")
    assert document["output"]["echo"] == "hello"
    assert document["workerId"] == document["output"]["worker"]
    assert document["delayTime"] >= 0
    assert document["executionTime"] >= 0


def test_text_beyond_ascii_survives_the_round_trip(cluster: Cluster) -> None:
    document = cluster.wait_for(cluster.run(echo="Nguyễn 🦊 + & = %"), "COMPLETED")
    assert document["output"]["echo"] == "Nguyễn 🦊 + & = %"


def test_progress_shows_as_output_until_the_result_replaces_it(cluster: Cluster) -> None:
    job_id = cluster.run(progress=[{"seq": 1}, {"seq": 2}], sleep_s=1.5, echo="end")
    seen = eventually(lambda: cluster.status(job_id).get("output"))
    assert seen["seq"] in (1, 2)
    assert cluster.wait_for(job_id, "COMPLETED")["output"]["echo"] == "end"


def test_an_exception_in_the_handler_fails_the_job(cluster: Cluster) -> None:
    document = cluster.wait_for(cluster.run(fail=True), "FAILED")
    assert "as asked" in document["error"]
    assert "output" not in document


def test_a_failed_job_is_retried_under_its_id(cluster: Cluster) -> None:
    job_id = cluster.run(fail=True)
    cluster.wait_for(job_id, "FAILED")
    assert cluster.client.post(f"/retry/{job_id}").json() == {"id": job_id, "status": "IN_QUEUE"}
    cluster.wait_for(job_id, "FAILED")


def test_cancelling_reaches_an_async_handler_and_frees_its_worker(
    cluster: Cluster, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    job_id = cluster.run(sleep_s=60, mark=str(mark))
    eventually(mark.exists)
    assert cluster.client.post(f"/cancel/{job_id}").json()["status"] == "CANCELLED"
    eventually(lambda: mark.read_text() == "cancelled")
    assert cluster.status(job_id)["status"] == "CANCELLED"
    cluster.wait_for(cluster.run(echo="free"), "COMPLETED")


def test_an_execution_timeout_reaches_the_handler(cluster: Cluster, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    body = {"input": {"sleep_s": 60, "mark": str(mark)}, "policy": {"executionTimeout": 1000}}
    job_id = cluster.client.post("/run", json=body).json()["id"]
    cluster.wait_for(job_id, "TIMED_OUT")
    eventually(lambda: mark.read_text() == "cancelled")


def test_two_workers_share_the_queue(cluster: Cluster) -> None:
    jobs = [cluster.run(sleep_s=1.0, echo=number) for number in range(4)]
    documents = [cluster.wait_for(job_id, "COMPLETED") for job_id in jobs]
    assert [each["output"]["echo"] for each in documents] == [0, 1, 2, 3]
    assert {each["workerId"] for each in documents} == {"worker-1", "worker-2"}


def test_runsync_answers_with_the_result(cluster: Cluster) -> None:
    answer = cluster.client.post("/runsync?wait=20000", json={"input": {"echo": 1}}, timeout=25)
    document = answer.json()
    assert document["status"] == "COMPLETED"
    assert re.fullmatch(r"sync-[0-9a-f-]{36}-e1", document["id"])


def test_the_sdk_posts_its_result_again_after_a_500(cluster: Cluster) -> None:
    cluster.arm("job-done", 500, count=1)
    assert cluster.wait_for(cluster.run(echo="again"), "COMPLETED")["output"]["echo"] == "again"


def test_a_result_that_is_dropped_leaves_the_job_completed_without_output(
    cluster: Cluster,
) -> None:
    cluster.arm("job-done", 200, count=1)
    document = cluster.wait_for(cluster.run(echo="lost"), "COMPLETED")
    assert "output" not in document
    assert "error" not in document


def test_a_result_over_the_limit_is_lost(cluster: Cluster) -> None:
    document = cluster.wait_for(cluster.run(large=10 * 1024 * 1024), "COMPLETED")
    assert "output" not in document


def test_a_worker_that_comes_back_without_its_job_gives_it_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    job_id = cluster.run(sleep_s=1.0, mark=str(mark), echo="alive")
    victim = eventually(lambda: mark.exists() and mark.read_text())
    assert isinstance(victim, str)
    cluster.supervisor.kill(victim)
    document = cluster.wait_for(job_id, "COMPLETED")
    assert document["output"]["echo"] == "alive"
    assert document["retries"] == 1
    assert cluster.supervisor.restarts(victim) == 1


def test_a_worker_told_to_stop_finishes_its_job_first(cluster: Cluster, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    job_id = cluster.run(sleep_s=1.0, mark=str(mark), echo="finished")
    worker = eventually(lambda: mark.exists() and mark.read_text())
    assert isinstance(worker, str)
    restarts = cluster.supervisor.restarts(worker)
    cluster.supervisor.kill(worker, signal.SIGTERM)
    document = cluster.wait_for(job_id, "COMPLETED")
    assert document["output"] == {"echo": "finished", "worker": worker}
    assert "retries" not in document
    eventually(lambda: cluster.supervisor.restarts(worker) > restarts)


def test_a_killed_worker_that_stays_away_leaves_its_job_to_the_other(tmp_path: Path) -> None:
    with running_cluster(tmp_path, worker_lost_s=2.5, restart=False) as cluster:
        mark = tmp_path / "mark"
        job_id = cluster.run(sleep_s=1.0, mark=str(mark), echo="alive")
        victim = eventually(lambda: mark.exists() and mark.read_text())
        assert isinstance(victim, str)
        cluster.supervisor.kill(victim)
        document = cluster.wait_for(job_id, "COMPLETED")
        assert document["output"] == {"echo": "alive", "worker": document["workerId"]}
        assert document["workerId"] != victim
        counters = cluster.client.get(f"{cluster.origin}/sandbox/sandbox/counters").json()
        assert counters == {"workersLost": 1, "latePosts": 0}
