"""Callbacks: true ones are applied once, all others change nothing."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from contract.keys import preview_image_key
from contract.signing import new_secret
from gateway.ports import EndpointState
from gateway.services import Services
from tests.gateway.fakes import FakeEndpoint
from tests.gateway.rendering import Job, Stage, progress, result


@pytest.fixture
def job(stage: Stage) -> Job:
    """A job whose first dispatch is with the endpoint."""
    job = stage.order()
    stage.dispatch()
    return job


def unchanged(stage: Stage, job: Job) -> bool:
    status = stage.status(job)
    return bool(status["status"] == "queued" and status["progress"] == 0)


def finished_bytes(stage: Stage) -> bytes:
    sent = stage.endpoint.submitted[0]
    return result(sent, stage.store(sent, [1, 2, 3])).model_dump_json().encode()


def test_a_signed_callback_is_applied(stage: Stage, job: Job) -> None:
    answer = stage.post_signed(finished_bytes(stage))
    assert (answer.status_code, answer.json()) == (200, {"applied": True})
    assert stage.status(job)["status"] == "completed"


def test_the_pictures_are_made_before_anybody_asks(
    stage: Stage, job: Job, services: Services
) -> None:
    stage.post_signed(finished_bytes(stage))
    assert services.store.exists(preview_image_key(job.preview_id, 1))


def test_a_replayed_callback_is_taken_and_changes_nothing(stage: Stage, job: Job) -> None:
    body = finished_bytes(stage)
    stage.post_signed(body)
    before = stage.status(job)
    answer = stage.post_signed(body)
    assert (answer.status_code, answer.json()) == (200, {"applied": False})
    assert stage.status(job) == before


def test_an_unsigned_callback_is_refused(stage: Stage, job: Job) -> None:
    answer = stage.client.post("/webhooks/runpod/status", content=finished_bytes(stage))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert unchanged(stage, job)


def test_a_forged_callback_is_refused(stage: Stage, job: Job) -> None:
    answer = stage.post_signed(finished_bytes(stage), secret=new_secret())
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert unchanged(stage, job)


@pytest.mark.parametrize("age", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_a_stale_callback_is_refused(stage: Stage, job: Job, age: timedelta) -> None:
    answer = stage.post_signed(finished_bytes(stage), at=datetime.now(UTC) - age)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert unchanged(stage, job)


def test_an_oversized_callback_is_refused(stage: Stage, job: Job) -> None:
    answer = stage.post_signed(b" " * (256 * 1024) + finished_bytes(stage))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert unchanged(stage, job)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"type": "gossip"}', b"[" * 9999])
def test_a_callback_of_another_form_is_refused(stage: Stage, job: Job, body: bytes) -> None:
    answer = stage.post_signed(body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_message")
    assert unchanged(stage, job)


@pytest.mark.parametrize("signature", ["v1,", "v1,AAAA", "v2,AAAA", "", "v1,\u00e9", "x" * 5000])
def test_bytes_that_are_no_text_are_refused(stage: Stage, job: Job, signature: str) -> None:
    headers = {
        b"webhook-id": b"msg_1",
        b"webhook-timestamp": str(int(datetime.now(UTC).timestamp())).encode(),
        b"webhook-signature": signature.encode(),
    }
    answer = stage.client.post("/webhooks/runpod/status", content=b"\xff\xfe", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert unchanged(stage, job)


def test_a_callback_for_an_unknown_job_is_refused_for_good(stage: Stage, job: Job) -> None:
    told = json.loads(finished_bytes(stage))
    answer = stage.post_signed(json.dumps({**told, "job_id": "nobody"}).encode())
    assert (answer.status_code, answer.json()["code"]) == (404, "job_unknown")
    assert unchanged(stage, job)


def test_fields_of_a_newer_worker_are_ignored(stage: Stage, job: Job) -> None:
    told = json.loads(finished_bytes(stage))
    answer = stage.post_signed(json.dumps({**told, "mood": "good"}).encode())
    assert answer.json() == {"applied": True}


def test_pages_under_somebody_elses_key_arent_taken(stage: Stage, job: Job) -> None:
    told = json.loads(finished_bytes(stage))
    for page in told["pages"]:
        page["image"]["key"] = "pages/somebody_else/page_01.png"
    stage.post_signed(json.dumps(told).encode())
    assert stage.status(job)["pages_completed"] == 0


def test_late_progress_doesnt_take_back_the_end(stage: Stage, job: Job) -> None:
    stage.post_signed(finished_bytes(stage))
    late = stage.call_back(progress(stage.endpoint.submitted[0], 0.9, seq=50))
    assert late.json() == {"applied": False}
    assert stage.status(job)["progress"] == 100


def test_runpods_own_webhook_makes_the_gateway_ask_and_no_more(
    stage: Stage, job: Job, endpoint: FakeEndpoint
) -> None:
    url = endpoint.webhook_urls[0].removeprefix("http://gateway.test")
    assert stage.reconcile() == 0
    answer = stage.client.post(url, json={"status": "COMPLETED", "output": {"lies": True}})
    assert answer.status_code == 200
    assert unchanged(stage, job)
    sent = endpoint.submitted[0]
    told = result(sent, stage.store(sent, [1, 2, 3]))
    stage.endpoint_says(EndpointState.COMPLETED, output=told.model_dump(mode="json"))
    assert stage.reconcile() == 1
    assert endpoint.asked == ["rp-1"]
    assert stage.status(job)["status"] == "completed"


def test_runpods_webhook_with_another_token_is_404(
    stage: Stage, job: Job, endpoint: FakeEndpoint
) -> None:
    for token in ("guess", "gu\u00e9ss", "x" * 41):
        answer = stage.client.post(f"/webhooks/runpod/job/{token}/{job.job_id}", json={})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert stage.reconcile() == 0


def test_runpods_webhook_about_a_job_that_nobody_knows_is_taken(
    stage: Stage, services: Services
) -> None:
    token = services.settings.runpod_webhook_token.get_secret_value()
    answer = stage.client.post(f"/webhooks/runpod/job/{token}/nobody", json={})
    assert answer.status_code == 200
