"""Jobs that went quiet: the endpoint is asked, then the store."""

from typing import Any

import pytest

from contract.errors import ErrorCode
from gateway.ports import EndpointError, EndpointState
from gateway.services import Services
from tests.gateway.fakes import FakeEndpoint, MovableClock
from tests.gateway.rendering import Job, Stage, progress, result


@pytest.fixture
def job(stage: Stage, clock: MovableClock) -> Job:
    """A job that the endpoint has had for longer than silence is borne."""
    job = stage.order()
    stage.dispatch()
    clock.move(seconds=16)
    return job


def test_a_job_is_asked_about_only_after_a_silence(
    stage: Stage, clock: MovableClock, endpoint: FakeEndpoint
) -> None:
    stage.order()
    stage.dispatch()
    clock.move(seconds=14)
    assert stage.reconcile() == 0
    stage.call_back(progress(endpoint.submitted[0], 0.1))
    clock.move(seconds=14)
    assert stage.reconcile() == 0
    clock.move(seconds=1)
    assert stage.reconcile() == 1
    assert stage.reconcile() == 0


def test_a_lost_result_is_fetched(stage: Stage, job: Job) -> None:
    sent = stage.endpoint.submitted[0]
    told = result(sent, stage.store(sent, [1, 2, 3])).model_dump(mode="json")
    stage.endpoint_says(EndpointState.COMPLETED, output=told)
    stage.reconcile()
    assert stage.status(job)["status"] == "completed"


def test_progress_is_fetched(stage: Stage, job: Job) -> None:
    told = progress(stage.endpoint.submitted[0], 0.4, step="page 2").model_dump(mode="json")
    stage.endpoint_says(EndpointState.IN_PROGRESS, output=told)
    stage.reconcile()
    status = stage.status(job)
    assert (status["status"], status["progress"], status["current_step"]) == (
        "processing",
        40,
        "page 2",
    )


@pytest.mark.parametrize("output", [None, {}, "noise", {"type": "progress"}, [1]])
def test_a_running_job_without_progress_is_left_alone(stage: Stage, job: Job, output: Any) -> None:
    stage.endpoint_says(EndpointState.IN_PROGRESS, output=output)
    stage.reconcile()
    assert stage.status(job)["status"] == "queued"
    assert len(stage.endpoint.submitted) == 1


@pytest.mark.parametrize("output", [None, {}, {"refresh_worker": True}, "text"])
def test_a_completed_job_without_output_is_completed_from_the_store(
    stage: Stage, job: Job, output: Any
) -> None:
    stage.store(stage.endpoint.submitted[0], [1, 2, 3])
    stage.endpoint_says(EndpointState.COMPLETED, output=output)
    stage.reconcile()
    assert stage.status(job)["status"] == "completed"
    assert all(page["image_url"] for page in stage.preview(job)["preview_pages"])


def test_pages_that_arent_in_the_store_are_rendered_again(
    stage: Stage, job: Job, services: Services, clock: MovableClock
) -> None:
    sent = stage.endpoint.submitted[0]
    stage.store(sent, [1, 2])
    services.store.put(sent.pages[2].output_key, b"\x89PNG\r\n\x1a\n and no more", "image/png")
    stage.endpoint_says(EndpointState.COMPLETED)
    stage.reconcile()
    assert stage.status(job)["pages_completed"] == 2
    clock.move(seconds=60)
    stage.dispatch()
    assert [task.page_number for task in stage.endpoint.submitted[1].pages] == [3]


def test_a_job_that_the_endpoint_forgot_goes_again(
    stage: Stage, job: Job, clock: MovableClock
) -> None:
    stage.endpoint.jobs.clear()
    stage.reconcile()
    clock.move(seconds=60)
    assert stage.dispatch() == 1


def test_a_job_that_is_forgotten_again_and_again_fails(
    stage: Stage, job: Job, clock: MovableClock
) -> None:
    for _ in range(3):
        stage.endpoint.jobs.clear()
        stage.reconcile()
        clock.move(seconds=60)
        stage.dispatch()
        clock.move(seconds=60)
    status = stage.status(job)
    assert (status["status"], status["error"]["code"]) == ("failed", "job_lost")


def test_the_workers_own_error_is_read_from_a_failed_job(stage: Stage, job: Job) -> None:
    told = result(stage.endpoint.submitted[0], [], code=ErrorCode.NO_FACE)
    stage.endpoint_says(EndpointState.FAILED, error=told.model_dump_json())
    stage.reconcile()
    assert stage.status(job)["error"]["code"] == "no_face"


@pytest.mark.parametrize("error", ["Traceback …", None, '{"code": 1}', {"error": "dict"}])
def test_a_failure_without_a_reason_is_tried_again(
    stage: Stage, job: Job, clock: MovableClock, error: Any
) -> None:
    stage.endpoint_says(EndpointState.FAILED, error=error)
    stage.reconcile()
    clock.move(seconds=60)
    assert stage.dispatch() == 1


def test_the_result_of_another_job_isnt_believed(
    stage: Stage, job: Job, clock: MovableClock
) -> None:
    sent = stage.endpoint.submitted[0]
    told = result(sent, stage.store(sent, [])).model_copy(update={"job_id": "another"})
    stage.endpoint_says(EndpointState.COMPLETED, output=told.model_dump(mode="json"))
    stage.reconcile()
    assert stage.status(job)["status"] == "queued"


def test_a_job_that_took_too_long_goes_again(stage: Stage, job: Job, clock: MovableClock) -> None:
    stage.endpoint_says(EndpointState.TIMED_OUT)
    stage.reconcile()
    clock.move(seconds=60)
    assert stage.dispatch() == 1


def test_a_job_that_an_operator_cancelled_stays_cancelled(stage: Stage, job: Job) -> None:
    stage.endpoint_says(EndpointState.CANCELLED)
    stage.reconcile()
    status = stage.status(job)
    assert (status["status"], status["error"]["code"]) == ("cancelled", "cancelled")
    assert stage.preview(job)["status"] == "failed"


def test_while_the_endpoint_is_away_a_job_stays_as_it_is(
    stage: Stage, job: Job, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    endpoint.fail_with = EndpointError("away")
    stage.reconcile()
    assert stage.status(job)["status"] == "queued"
    endpoint.fail_with = None
    clock.move(seconds=16)
    stage.endpoint_says(EndpointState.CANCELLED)
    stage.reconcile()
    assert stage.status(job)["status"] == "cancelled"


def test_a_worker_that_died_after_its_submission_was_lost_is_noticed(
    stage: Stage, services: Services, clock: MovableClock
) -> None:
    """The gateway died between the submission and its note; the worker said a word, then died."""
    job = stage.order()
    stage.dispatch()
    sent = stage.endpoint.submitted[0]
    other = stage.order()
    claim = services.dispatcher.ledger.claim(other.job_id)
    assert claim
    words = progress(sent, 0.1).model_copy(update={"job_id": other.job_id})
    stage.call_back(words)
    assert stage.status(other)["status"] == "processing"
    stage.finish(sent)
    clock.move(seconds=16)
    assert stage.reconcile() == 1
    clock.move(seconds=60)
    assert stage.dispatch() == 1
    assert stage.endpoint.submitted[-1].job_id == other.job_id
    assert stage.status(job)["status"] == "completed"
