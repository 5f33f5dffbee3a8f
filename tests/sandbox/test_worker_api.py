"""The worker-facing protocol, request by request."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from sandbox.control_plane.limits import RUN_PAYLOAD
from tests.sandbox.conftest import Served

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/job-take/w1"),
        ("GET", "/job-take-batch/w1"),
        ("GET", "/job-stop/w1"),
        ("GET", "/ping/w1"),
        ("POST", "/job-done/w1/x"),
        ("POST", "/job-stream/w1/x"),
    ],
)
async def test_a_client_key_opens_nothing_for_workers(
    served: Served, method: str, path: str
) -> None:
    assert (await served.client.request(method, path)).status_code == 401


async def test_an_empty_queue_answers_204_after_the_poll(served: Served) -> None:
    answer = await served.as_worker.get("/job-take/w1?gpu=none&job_in_progress=0")
    assert answer.status_code == 204


async def test_a_waiting_poll_gets_the_next_job(served: Served) -> None:
    poll = asyncio.create_task(served.take())
    await asyncio.sleep(0)
    job_id = await served.run()
    taken = await poll
    assert taken is not None
    assert taken["id"] == job_id


async def test_one_job_goes_to_one_of_two_waiting_workers(served: Served) -> None:
    polls = [asyncio.create_task(served.take(worker)) for worker in ("w1", "w2")]
    await asyncio.sleep(0)
    await served.run()
    assert sorted(taken is None for taken in await asyncio.gather(*polls)) == [False, True]


async def test_a_batch_takes_several_jobs(served: Served) -> None:
    jobs = [await served.run() for _ in range(3)]
    answer = await served.as_worker.get("/job-take-batch/w1?batch_size=2")
    assert [each["id"] for each in answer.json()] == jobs[:2]


@pytest.mark.parametrize("size", ["0", "-1", "x", "101"])
async def test_an_odd_batch_size_is_a_bad_request(served: Served, size: str) -> None:
    answer = await served.as_worker.get("/job-take-batch/w1", params={"batch_size": size})
    assert answer.status_code == 400


async def test_cancelling_is_told_through_the_stop_channel(served: Served) -> None:
    job_id = await served.run()
    await served.take()
    poll = asyncio.create_task(served.as_worker.get("/job-stop/w1?gpu=none"))
    await asyncio.sleep(0)
    await served.client.post(f"/cancel/{job_id}")
    assert (await poll).json() == {"jobsToStop": [job_id]}
    assert (await served.as_worker.get("/job-stop/w1?gpu=none")).status_code == 204


async def test_results_are_json_under_a_form_content_type(served: Served) -> None:
    job_id = await served.run()
    await served.take()
    answer = await served.as_worker.post(
        f"/job-done/w1/{job_id}?gpu=none&isStream=false",
        content='{"output": "a=1&b=ü"}'.encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 200
    assert (await served.status(job_id))["output"] == "a=1&b=ü"


async def test_a_late_progress_post_cannot_reopen_a_job(served: Served) -> None:
    job_id = await served.run()
    await served.take()
    await served.done(job_id, {"output": "end"})
    answer = await served.done(job_id, {"status": "IN_PROGRESS", "output": {"seq": 9}})
    assert answer.status_code == 200
    document = await served.status(job_id)
    assert (document["status"], document["output"]) == ("COMPLETED", "end")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"output": Infinity}'])
async def test_a_malformed_result_is_refused_and_the_job_goes_on(
    served: Served, body: bytes
) -> None:
    job_id = await served.run()
    await served.take()
    answer = await served.as_worker.post(f"/job-done/w1/{job_id}", content=body)
    assert answer.status_code == 400
    assert (await served.status(job_id))["status"] == "IN_PROGRESS"


async def test_a_result_over_the_limit_leaves_a_completed_job_without_output(
    served: Served,
) -> None:
    job_id = await served.run()
    await served.take()
    answer = await served.done(job_id, {"output": "x" * RUN_PAYLOAD})
    assert answer.status_code == 400
    await served.as_worker.get("/job-take/w1?gpu=none&job_in_progress=0")
    document = await served.status(job_id)
    assert document["status"] == "COMPLETED"
    assert "output" not in document


async def test_pings_keep_a_busy_worker_alive(served: Served) -> None:
    job_id = await served.run()
    await served.take()
    for _ in range(3):
        served.pass_time(15)
        assert (await served.as_worker.get("/ping/w1?gpu=none&job_id=x")).status_code == 200
    assert (await served.status(job_id))["status"] == "IN_PROGRESS"
    served.pass_time(21)
    assert (await served.status(job_id))["status"] == "IN_QUEUE"


async def test_a_generator_streams_its_chunks(served: Served) -> None:
    job_id = await served.run()
    await served.take()
    for number in (1, 2):
        await served.as_worker.post(f"/job-stream/w1/{job_id}", json={"output": number})
    answer = await served.client.get(f"/stream/{job_id}")
    assert answer.json() == {"status": "IN_PROGRESS", "stream": [{"output": 1}, {"output": 2}]}
    await served.done(job_id, {"output": []})
    answer = await served.client.get(f"/stream/{job_id}")
    assert answer.json() == {"status": "COMPLETED", "stream": []}


async def test_a_swallowed_result_is_thanked_for_and_lost(served: Served) -> None:
    fault = {"operation": "job-done", "status": 200, "count": 1}
    await served.client.post("http://plane/sandbox/sandbox/faults", json=fault)
    job_id = await served.run()
    await served.take()
    assert (await served.done(job_id, {"output": 1})).status_code == 200
    assert (await served.status(job_id))["status"] == "IN_PROGRESS"
    await served.as_worker.get("/job-take/w1?gpu=none&job_in_progress=0")
    assert (await served.status(job_id))["status"] == "COMPLETED"


async def test_closing_answers_polls_that_wait(served: Served) -> None:
    poll = asyncio.create_task(served.take())
    await asyncio.sleep(0)
    served.plane.stop_waiting()
    assert await poll is None


async def test_a_poll_whose_client_hung_up_takes_no_job(served: Served) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    request = Request({"type": "http"}, receive)
    await served.run()
    async with asyncio.timeout(5):
        taken = await served.plane.hold(request, lambda: served.plane.queue.take("w1"), 60)
    assert taken is None
    assert served.plane.queue.health()["jobs"]["inQueue"] == 1
