"""A preview from the request to its pictures, one step at a time."""

from contract.errors import ErrorCode
from contract.keys import page_key, preview_image_key, template_key
from gateway.ports import EndpointError, EndpointRejected
from gateway.render_job import pages_job
from gateway.services import Services
from tests.gateway.fakes import FakeEndpoint, MovableClock
from tests.gateway.rendering import BOOK, Stage, progress, result

DATABASES = ("sqlite", "postgresql")


def test_a_preview_goes_from_queued_over_processing_to_completed(
    stage: Stage, endpoint: FakeEndpoint
) -> None:
    job = stage.order()
    assert stage.status(job)["status"] == "queued"
    assert stage.dispatch() == 1
    sent = endpoint.submitted[0]
    stage.call_back(progress(sent, 0.5, step="page 2: step 3 of 9"))
    running = stage.status(job)
    assert (running["status"], running["progress"]) == ("processing", 50)
    assert running["current_step"] == "page 2: step 3 of 9"
    stage.finish(sent)
    done = stage.status(job)
    assert (done["status"], done["progress"], done["error"]) == ("completed", 100, None)
    assert done["pages_completed"] == done["total_pages"] == 3
    assert done["estimated_remaining_seconds"] == 0
    assert done["draft"] is False


def test_the_worker_is_told_all_it_needs(
    stage: Stage, endpoint: FakeEndpoint, services: Services
) -> None:
    job = stage.order()
    stage.dispatch()
    sent = endpoint.submitted[0]
    assert (sent.job_id, sent.dispatch) == (job.job_id, 1)
    assert [task.page_number for task in sent.pages] == [1, 2, 3]
    task = sent.pages[1]
    assert task.output_key == page_key(job.preview_id, 2)
    assert task.assets["character"].key == template_key(BOOK, 2, "character")
    assert all(asset.sha256 for asset in task.assets.values())
    token = services.settings.runpod_webhook_token.get_secret_value()
    expected = f"http://gateway.test/webhooks/runpod/job/{token}/{job.job_id}"
    assert endpoint.webhook_urls == [expected]


def test_a_job_is_dispatched_once(stage: Stage, endpoint: FakeEndpoint) -> None:
    stage.order()
    stage.dispatch()
    assert stage.dispatch() == 0
    assert len(endpoint.submitted) == 1


def test_a_retryable_failure_is_tried_again_after_a_pause(
    stage: Stage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = stage.order()
    stage.dispatch()
    stage.fail(endpoint.submitted[0], ErrorCode.COMFY_DIED)
    waiting = stage.status(job)
    assert (waiting["status"], waiting["error"]) == ("queued", None)
    assert stage.dispatch() == 0
    clock.move(seconds=2)
    assert stage.dispatch() == 1
    assert endpoint.submitted[1].dispatch == 2


def test_after_the_last_attempt_the_job_has_failed(
    stage: Stage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = stage.order()
    for attempt in range(3):
        clock.move(seconds=60)
        assert stage.dispatch() == 1
        stage.fail(endpoint.submitted[attempt], ErrorCode.COMFY_DIED)
    failed = stage.status(job)
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "comfy_died"
    assert failed["error"]["retryable"] is True
    assert "node 7" not in failed["error"]["message"]
    assert {page["status"] for page in failed["pages"]} == {"failed"}


def test_a_permanent_failure_isnt_tried_again(stage: Stage, endpoint: FakeEndpoint) -> None:
    job = stage.order()
    stage.dispatch()
    stage.fail(endpoint.submitted[0], ErrorCode.NO_FACE)
    failed = stage.status(job)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "no_face")
    assert failed["error"]["retryable"] is False


def test_only_missing_pages_are_rendered_again(
    stage: Stage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = stage.order()
    stage.dispatch()
    first = endpoint.submitted[0]
    stage.call_back(result(first, stage.store(first, [1, 3]), code=ErrorCode.COMFY_DIED))
    assert stage.status(job)["pages_completed"] == 2
    clock.move(seconds=60)
    stage.dispatch()
    again = endpoint.submitted[1]
    assert [task.page_number for task in again.pages] == [2]
    assert again.pages[0].output_key == first.pages[1].output_key
    assert again.pages[0].seed == first.pages[1].seed
    stage.call_back(progress(again, 0.0, run=2000))
    assert stage.status(job)["progress"] >= 66  # what was reached isn't taken back
    stage.finish(again, run=2000)
    assert stage.status(job)["status"] == "completed"


def test_a_failed_job_is_retried_by_hand_with_a_new_budget(
    stage: Stage, endpoint: FakeEndpoint
) -> None:
    job = stage.order()
    stage.dispatch()
    first = endpoint.submitted[0]
    stage.call_back(result(first, stage.store(first, [1]), code=ErrorCode.NODE_FAILED))
    url = f"/api/preview/{job.job_id}/retry"
    answer = stage.client.post(url, headers=job.headers)
    assert answer.status_code == 202
    assert answer.json()["job_id"] == job.job_id
    assert answer.json()["access_token"] == job.token
    assert stage.status(job)["status"] == "queued"
    assert stage.client.post(url, headers=job.headers).json()["code"] == "job_not_failed"
    stage.dispatch()
    assert [task.page_number for task in endpoint.submitted[1].pages] == [2, 3]
    stage.finish(endpoint.submitted[1], run=2000)
    assert stage.status(job)["status"] == "completed"


def test_an_endpoint_that_is_away_is_asked_again_and_costs_no_attempt(
    stage: Stage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = stage.order()
    endpoint.fail_with = EndpointError("429", retry_after_s=30.0)
    stage.dispatch()
    assert stage.status(job)["status"] == "queued"
    endpoint.fail_with = None
    clock.move(seconds=29)
    assert stage.dispatch() == 0
    clock.move(seconds=1)
    assert stage.dispatch() == 1
    for attempt in range(3):
        stage.fail(endpoint.submitted[attempt], ErrorCode.COMFY_DIED)
        clock.move(seconds=60)
        stage.dispatch()
    assert len(endpoint.submitted) == 3
    assert stage.status(job)["status"] == "failed"


def test_an_endpoint_that_stays_away_fails_the_job_in_the_end(
    stage: Stage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = stage.order()
    endpoint.fail_with = EndpointError("away")
    rounds = 0
    while stage.status(job)["status"] == "queued":
        clock.move(seconds=60)
        assert stage.dispatch() == 1
        rounds += 1
    assert rounds == 12
    failed = stage.status(job)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "endpoint_unavailable")


def test_a_rejected_job_fails_at_once(stage: Stage, endpoint: FakeEndpoint) -> None:
    job = stage.order()
    endpoint.fail_with = EndpointRejected("401")
    stage.dispatch()
    assert stage.status(job)["status"] == "failed"


def test_a_gateway_that_dies_while_submitting_is_replaced(
    stage: Stage, endpoint: FakeEndpoint, services: Services, clock: MovableClock
) -> None:
    job = stage.order()
    lost = services.dispatcher.ledger.claim(job.job_id)
    assert lost
    assert stage.dispatch() == 0  # it may still be at it
    clock.move(seconds=61)
    assert stage.dispatch() == 1
    assert endpoint.submitted[0].dispatch == 2
    services.dispatcher.ledger.accepted(lost, "rp-late")  # it wasn't dead after all
    stage.finish(endpoint.submitted[0])
    assert stage.status(job)["status"] == "completed"


def test_a_worker_may_speak_before_its_submission_is_noted(
    stage: Stage, endpoint: FakeEndpoint, services: Services, clock: MovableClock
) -> None:
    job = stage.order()
    claim = services.dispatcher.ledger.claim(job.job_id)
    assert claim
    sent = pages_job(claim, services.books, 600)
    stage.call_back(progress(sent, 0.4))
    assert stage.status(job)["status"] == "processing"
    services.dispatcher.ledger.accepted(claim, "rp-1")
    clock.move(seconds=3600)
    assert stage.dispatch() == 0
    stage.finish(sent)
    assert stage.status(job)["status"] == "completed"


def test_two_gateways_dont_submit_the_same_job(stage: Stage, services: Services) -> None:
    job = stage.order()
    ledger = services.dispatcher.ledger
    assert ledger.due(10) == [job.job_id]
    assert ledger.claim(job.job_id) is not None
    assert ledger.claim(job.job_id) is None


def test_another_take_replaces_the_page_that_is_shown(stage: Stage, endpoint: FakeEndpoint) -> None:
    job = stage.order()
    stage.dispatch()
    stage.finish(endpoint.submitted[0])
    before = stage.preview(job)["preview_pages"][1]
    body = {"preview_id": job.preview_id, "page_number": 2, "seed": 7}
    answer = stage.client.post("/api/generate-page", json=body, headers=job.headers)
    assert answer.status_code == 202
    assert answer.json()["job_id"] != job.job_id
    assert stage.preview(job)["preview_pages"][1]["image_url"] == before["image_url"]
    again = stage.client.post("/api/generate-page", json=body, headers=job.headers)
    assert again.json()["code"] == "job_in_progress"
    stage.dispatch()
    take = endpoint.submitted[1]
    assert [task.seed for task in take.pages] == [7]
    assert take.pages[0].output_key == page_key(job.preview_id, 2, take=2)
    stage.finish(take)
    after = stage.preview(job)["preview_pages"][1]
    assert preview_image_key(job.preview_id, 2, take=2) in after["image_url"]
    assert stage.preview(job)["status"] == "active"


def test_takes_differ_in_their_seed(stage: Stage, endpoint: FakeEndpoint) -> None:
    job = stage.order()
    stage.dispatch()
    stage.finish(endpoint.submitted[0])
    body = {"preview_id": job.preview_id, "page_number": 2}
    stage.client.post("/api/generate-page", json=body, headers=job.headers)
    stage.dispatch()
    assert endpoint.submitted[1].pages[0].seed != endpoint.submitted[0].pages[1].seed
