"""The public API as a client sees it."""

import json
from typing import Any

import pytest

from sandbox.control_plane.limits import RUN_PAYLOAD, RUNSYNC_PAYLOAD
from tests.sandbox.conftest import Served

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/run"),
        ("POST", "/runsync"),
        ("GET", "/status/x"),
        ("GET", "/stream/x"),
        ("POST", "/cancel/x"),
        ("POST", "/retry/x"),
        ("POST", "/purge-queue"),
        ("GET", "/health"),
    ],
)
@pytest.mark.parametrize("key", [None, "wrong", "Bearer wrong", "Bearer é"])
async def test_every_call_needs_the_key(
    served: Served, method: str, path: str, key: str | None
) -> None:
    request = served.client.build_request(method, path)
    request.headers.encoding = "utf-8"
    del request.headers["Authorization"]
    if key is not None:
        request.headers["Authorization"] = key
    answer = await served.client.send(request)
    assert answer.status_code == 401
    assert answer.json()["error"]


@pytest.mark.parametrize("key", ["api", "Bearer api"])
async def test_the_key_is_taken_with_and_without_bearer(served: Served, key: str) -> None:
    answer = await served.client.get("/health", headers={"Authorization": key})
    assert answer.status_code == 200


async def test_another_endpoint_is_not_found(served: Served) -> None:
    answer = await served.client.get("http://plane/v2/other/health")
    assert answer.status_code == 404


async def test_a_job_goes_from_queue_to_result(served: Served) -> None:
    job_id = await served.run()
    assert (await served.status(job_id))["status"] == "IN_QUEUE"
    taken = await served.take()
    assert taken == {"id": job_id, "input": {}}
    assert (await served.status(job_id))["status"] == "IN_PROGRESS"
    await served.done(job_id, {"output": {"pages": 3}})
    document = await served.status(job_id)
    assert document["status"] == "COMPLETED"
    assert document["output"] == {"pages": 3}
    assert document["workerId"] == "w1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"input": NaN}',
        b"{}",
        b'{"input": "text"}',
        b'{"input": {"n": ' + b"9" * 5000 + b"}}",
        b'{"input": {}, "policy": {"ttl": 0}}',
        b'{"input": {}, "policy": {"ttl": -1}}',
        b'{"input": {}, "policy": {"executionTimeout": "600"}}',
        b'{"input": {}, "policy": {"executionTimeout": true}}',
        b'{"input": {}, "policy": 7}',
        b'{"input": {}, "webhook": "ftp://host/x"}',
        b'{"input": {}, "webhook": 7}',
    ],
)
@pytest.mark.parametrize("operation", ["run", "runsync"])
async def test_a_malformed_request_is_a_bad_request(
    served: Served, operation: str, body: bytes
) -> None:
    answer = await served.client.post(f"/{operation}", content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert "Traceback" not in answer.text


async def test_unknown_fields_are_ignored(served: Served) -> None:
    await served.run(colour="blue", s3Config={"accessId": "x"})


async def test_a_lone_surrogate_goes_through_unharmed(served: Served) -> None:
    await served.client.post("/run", content=b'{"input": {"name": "\\ud83e"}}')
    taken = await served.take()
    assert taken is not None
    assert taken["input"] == {"name": "\ud83e"}


@pytest.mark.parametrize(
    ("operation", "limit"), [("run", RUN_PAYLOAD), ("runsync", RUNSYNC_PAYLOAD)]
)
async def test_payloads_have_a_limit(served: Served, operation: str, limit: int) -> None:
    frame = len(b'{"input":{"x":""}}')
    fits = b'{"input":{"x":"' + b"x" * (limit - frame) + b'"}}'
    if operation == "run":
        assert (await served.client.post("/run", content=fits)).status_code == 200
    answer = await served.client.post(f"/{operation}", content=fits + b" ")
    assert answer.status_code == 400
    assert "MiB" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/status/no", "/stream/no", "/cancel/no", "/retry/no"])
async def test_an_unknown_job_is_not_found(served: Served, path: str) -> None:
    answer = await served.client.post(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "job not found"}


@pytest.mark.parametrize("path", ["/nothing", "/run/more", "/"])
async def test_an_unknown_path_is_answered_in_json(served: Served, path: str) -> None:
    answer = await served.client.get(path)
    assert answer.status_code == 404
    assert "error" in answer.json()


async def test_a_wrong_method_is_answered_in_json(served: Served) -> None:
    answer = await served.client.get("/run")
    assert answer.status_code == 405
    assert "error" in answer.json()


async def test_policy_sets_the_execution_timeout_and_the_ttl(served: Served) -> None:
    timed = await served.run(policy={"executionTimeout": 5000})
    await served.take()
    brief = await served.run(policy={"ttl": 9000})
    served.pass_time(5)
    assert (await served.status(timed))["status"] == "TIMED_OUT"
    served.pass_time(4)
    assert (await served.client.get(f"/status/{brief}")).status_code == 404


async def test_results_disappear_after_thirty_minutes(served: Served) -> None:
    job_id = await served.run()
    await served.take()
    await served.done(job_id, {"output": 1})
    served.pass_time(30 * 60 - 1)
    assert (await served.status(job_id))["status"] == "COMPLETED"
    served.pass_time(1)
    assert (await served.client.get(f"/status/{job_id}")).status_code == 404


async def test_retrying_what_is_not_broken_is_a_bad_request(served: Served) -> None:
    job_id = await served.run()
    answer = await served.client.post(f"/retry/{job_id}")
    assert answer.status_code == 400


async def test_purging_says_how_many_it_removed(served: Served) -> None:
    jobs = [await served.run() for _ in range(3)]
    answer = await served.client.post("/purge-queue")
    assert answer.json() == {"removed": 3, "status": "completed"}
    assert (await served.status(jobs[0]))["status"] == "CANCELLED"


async def test_runsync_that_nobody_takes_answers_what_it_knows(served: Served) -> None:
    answer = await served.client.post("/runsync?wait=1000", json={"input": {}})
    document = answer.json()
    assert document["status"] == "IN_QUEUE"
    assert document["id"].startswith("sync-")


@pytest.mark.parametrize("wait", ["", "0", "999", "300001", "-5", "1e4", "٥٠٠٠", "9" * 30])
async def test_an_odd_wait_is_a_bad_request(served: Served, wait: str) -> None:
    answer = await served.client.post("/runsync", params={"wait": wait}, json={"input": {}})
    assert answer.status_code == 400


async def test_purging_is_limited_to_two_in_ten_seconds(served: Served) -> None:
    async def purge() -> int:
        return (await served.client.post("/purge-queue")).status_code

    assert [await purge() for _ in range(3)] == [200, 200, 429]
    served.clock.advance(10)
    assert await purge() == 200


async def test_an_armed_fault_strikes_as_often_as_it_was_told(served: Served) -> None:
    await _arm(served, operation="run", status=429, count=2)
    statuses = [(await served.client.post("/run", json={"input": {}})).status_code for _ in "abc"]
    assert statuses == [429, 429, 200]


@pytest.mark.parametrize(
    "body", [{}, {"operation": "run", "status": 99}, {"operation": "run", "often": 1}]
)
async def test_a_malformed_fault_is_a_bad_request(served: Served, body: dict[str, Any]) -> None:
    answer = await served.client.post(
        "http://plane/sandbox/sandbox/faults", content=json.dumps(body)
    )
    assert answer.status_code == 400


async def _arm(served: Served, **fault: Any) -> None:
    answer = await served.client.post("http://plane/sandbox/sandbox/faults", json=fault)
    assert answer.status_code == 200
