"""RunPod's job webhook."""

import pytest

from tests.sandbox.conftest import Served
from tests.sandbox.fakes import Receiver

pytestmark = pytest.mark.anyio

HOOK = "http://shop/hook"


async def finished(served: Served) -> str:
    job_id = await served.run(webhook=HOOK)
    await served.take()
    await served.done(job_id, {"output": {"pages": 3}})
    return job_id


async def test_the_status_document_is_posted_when_a_job_ends(
    served: Served, receiver: Receiver
) -> None:
    job_id = await finished(served)
    await receiver.wait_for(1)
    assert receiver.received == [await served.status(job_id)]
    assert "authorization" not in receiver.headers[0]


async def test_cancelled_and_timed_out_jobs_are_told_too(
    served: Served, receiver: Receiver
) -> None:
    cancelled = await served.run(webhook=HOOK)
    await served.client.post(f"/cancel/{cancelled}")
    await served.run(webhook=HOOK, policy={"executionTimeout": 1000})
    await served.take()
    served.pass_time(1)
    await receiver.wait_for(2)
    assert [each["status"] for each in receiver.received] == ["CANCELLED", "TIMED_OUT"]


@pytest.mark.parametrize(("statuses", "posts"), [([500], 2), ([204, 302], 3)])
async def test_only_a_200_ends_the_tries(
    served: Served, receiver: Receiver, statuses: list[int], posts: int
) -> None:
    receiver.statuses = statuses
    await finished(served)
    await receiver.wait_for(posts)


async def test_after_three_tries_it_is_given_up(served: Served, receiver: Receiver) -> None:
    receiver.statuses = [500, 500, 500]
    await finished(served)
    await receiver.wait_for(3)
    receiver.statuses = []
    await finished(served)
    await receiver.wait_for(4)
    assert receiver.received[0] == receiver.received[2]
    assert receiver.received[2]["id"] != receiver.received[3]["id"]


async def test_a_dropped_webhook_never_arrives(served: Served, receiver: Receiver) -> None:
    fault = {"operation": "webhook", "status": 200, "count": 1}
    await served.client.post("http://plane/sandbox/sandbox/faults", json=fault)
    await finished(served)
    second = await finished(served)
    await receiver.wait_for(1)
    assert receiver.received[0]["id"] == second


async def test_an_unreachable_webhook_harms_nothing(served: Served) -> None:
    job_id = await served.run(webhook="http://[::1]:1/hook")
    await served.client.post(f"/cancel/{job_id}")
    assert (await served.status(job_id))["status"] == "CANCELLED"
