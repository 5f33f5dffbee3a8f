"""The state of a job: polled, long-polled and followed, over a real server where bytes stream."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from contract.signing import sign
from gateway.app import create_app
from gateway.services import Services
from gateway.status_board import StatusBoard
from tests.gateway.live_server import served
from tests.gateway.rendering import Job, Stage, progress, result


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    with served(create_app(services)) as url:
        yield url


@pytest.fixture
def job(stage: Stage) -> Job:
    """A job that the endpoint has, and that no loop of the server would touch."""
    job = stage.order()
    stage.dispatch()
    return job


def tell(url: str, services: Services, message: Any) -> None:
    """Post a signed callback to the server."""
    body = message.model_dump_json().encode()
    headers = sign(services.settings.callback_secrets[0], "msg_1", body, datetime.now(UTC))
    answer = httpx.post(f"{url}/webhooks/runpod/status", content=body, headers=headers)
    assert answer.status_code == 200, answer.text


def ending(stage: Stage) -> Any:
    sent = stage.endpoint.submitted[0]
    return result(sent, stage.store(sent, [1, 2, 3]))


def test_a_running_jobs_state_says_when_to_come_again(stage: Stage, job: Job) -> None:
    answer = stage.client.get(f"/api/preview-status/{job.job_id}", headers=job.headers)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    stage.finish(stage.endpoint.submitted[0])
    ended = stage.client.get(f"/api/preview-status/{job.job_id}", headers=job.headers)
    assert "retry-after" not in ended.headers


def test_a_state_that_is_known_isnt_sent_again(stage: Stage, job: Job) -> None:
    path = f"/api/preview-status/{job.job_id}"
    etag = stage.client.get(path, headers=job.headers).headers["etag"]
    known = {**job.headers, "If-None-Match": etag}
    again = stage.client.get(path, headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    stage.call_back(progress(stage.endpoint.submitted[0], 0.3))
    changed = stage.client.get(path, headers=known)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_polling_often_doesnt_pile_up_headers(stage: Stage, job: Job) -> None:
    """The answer's bytes are shared; what is added around it must not be."""
    path = f"/api/preview-status/{job.job_id}"
    counts = {
        len(stage.client.get(path, headers=job.headers).headers.multi_items()) for _ in range(5)
    }
    assert len(counts) == 1


def test_a_long_poll_answers_as_soon_as_the_state_changes(
    stage: Stage, job: Job, url: str, services: Services
) -> None:
    path = f"{url}/api/preview-status/{job.job_id}"
    with httpx.Client(headers=job.headers, timeout=40) as client:
        etag = client.get(path).headers["etag"]
        answers: list[httpx.Response] = []
        waiting = threading.Thread(
            target=lambda: answers.append(
                client.get(path, headers={"Prefer": "wait=30", "If-None-Match": etag})
            )
        )
        waiting.start()
        tell(url, services, progress(stage.endpoint.submitted[0], 0.3))
        waiting.join(10)
    (answer,) = answers
    assert (answer.status_code, answer.json()["progress"]) == (200, 30)
    assert answer.headers["preference-applied"] == "wait=30"
    assert answer.elapsed.total_seconds() < 5


def test_a_long_poll_sees_what_another_gateway_heard(
    stage: Stage, job: Job, url: str, services: Services
) -> None:
    other = StatusBoard(services.engine, services.kv)
    path = f"{url}/api/preview-status/{job.job_id}"
    etag = httpx.get(path, headers=job.headers).headers["etag"]
    headers = {**job.headers, "Prefer": "wait=30", "If-None-Match": etag}
    answers: list[httpx.Response] = []
    waiting = threading.Thread(
        target=lambda: answers.append(httpx.get(path, headers=headers, timeout=40))
    )
    waiting.start()
    services.dispatcher.ledger.receive(progress(stage.endpoint.submitted[0], 0.3))
    anyio.run(other.publish, job.job_id)
    waiting.join(20)
    assert answers[0].json()["progress"] == 30


def test_a_long_poll_ends_when_its_time_is_over(stage: Stage, job: Job) -> None:
    path = f"/api/preview-status/{job.job_id}"
    etag = stage.client.get(path, headers=job.headers).headers["etag"]
    waiting = {**job.headers, "Prefer": "respond-async, wait=1"}
    known = stage.client.get(path, headers={**waiting, "If-None-Match": etag})
    assert (known.status_code, known.headers["preference-applied"]) == (304, "wait=1")
    unknown = stage.client.get(path, headers=waiting)
    assert (unknown.status_code, unknown.headers["etag"]) == (200, etag)


def test_a_long_poll_for_a_state_that_is_old_already_answers_at_once(
    stage: Stage, job: Job
) -> None:
    path = f"/api/preview-status/{job.job_id}"
    headers = {**job.headers, "Prefer": "wait=30"}
    old = stage.client.get(path, headers={**headers, "If-None-Match": '"old"'})
    assert (old.status_code, old.elapsed.total_seconds() < 5) == (200, True)
    stage.finish(stage.endpoint.submitted[0])
    ended = stage.client.get(path, headers=headers)
    assert (ended.json()["status"], ended.elapsed.total_seconds() < 5) == ("completed", True)


@pytest.mark.parametrize("prefer", ["wait=", "wait=x", "wait=-1", "waiting", "wait=0", "", ";;,"])
def test_a_preference_that_isnt_one_is_ignored(stage: Stage, job: Job, prefer: str) -> None:
    headers = {**job.headers, "Prefer": prefer}
    answer = stage.client.get(f"/api/preview-status/{job.job_id}", headers=headers)
    assert answer.status_code == 200


def events_of(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, document) of each status event in a stream."""
    event_id = ""
    for line in lines:
        if line.startswith("id: "):
            event_id = line.removeprefix("id: ")
        if line.startswith("data: "):
            yield event_id, json.loads(line.removeprefix("data: "))


def test_events_follow_a_job_to_its_end(
    stage: Stage, job: Job, url: str, services: Services
) -> None:
    path = f"{url}/api/preview-status/{job.job_id}/events"
    with httpx.stream("GET", f"{path}?access_token={job.token}", timeout=40) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = events_of(stream.iter_lines())
        assert next(events)[1]["status"] == "queued"
        tell(url, services, progress(stage.endpoint.submitted[0], 0.3))
        seen, document = next(events)
        assert (document["status"], document["progress"]) == ("processing", 30)
        tell(url, services, ending(stage))
        last, document = next(events)
        assert document["status"] == "completed"
        assert list(events) == []  # the server ended the stream
    # One who comes back with the last id has nothing to wait for; with an older one, the end.
    gone = httpx.get(path, headers={**job.headers, "Last-Event-ID": last})
    assert gone.status_code == 204
    again = httpx.get(path, headers={**job.headers, "Last-Event-ID": seen})
    assert [document["status"] for _, document in events_of(again.iter_lines())] == ["completed"]


def test_an_event_that_was_seen_isnt_sent_again(
    stage: Stage, job: Job, url: str, services: Services
) -> None:
    path = f"{url}/api/preview-status/{job.job_id}/events"
    seen = httpx.get(path.removesuffix("/events"), headers=job.headers).headers["etag"].strip('"')
    headers = {**job.headers, "Last-Event-ID": seen}
    with httpx.stream("GET", path, headers=headers, timeout=40) as stream:
        tell(url, services, ending(stage))
        assert next(events_of(stream.iter_lines()))[1]["status"] == "completed"


def test_a_websocket_follows_a_job_to_its_end(
    stage: Stage, job: Job, url: str, services: Services
) -> None:
    address = url.replace("http", "ws") + f"/api/preview-status/{job.job_id}/ws"
    with connect(f"{address}?access_token={job.token}", proxy=None) as socket:
        assert json.loads(socket.recv(10))["status"] == "queued"
        socket.send("hello?")
        tell(url, services, progress(stage.endpoint.submitted[0], 0.3))
        assert json.loads(socket.recv(10))["progress"] == 30
        tell(url, services, ending(stage))
        assert json.loads(socket.recv(10))["status"] == "completed"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1000


def test_a_websocket_tells_strangers_apart(
    stage: Stage, job: Job, url: str, services: Services
) -> None:
    theirs = services.tokens.issue("another-preview")
    base = url.replace("http", "ws") + "/api/preview-status"
    for address, code in (
        (f"{base}/{job.job_id}/ws", 4401),
        (f"{base}/{job.job_id}/ws?access_token={theirs}", 4404),
        (f"{base}/{job.job_id}/ws?access_token=forged", 4404),
        (f"{base}/nobody/ws?access_token={job.token}", 4404),
    ):
        with connect(address, proxy=None) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == code, address


def test_the_server_renders_a_preview_by_itself(stage: Stage, url: str, services: Services) -> None:
    """With its own loops running: ask, be dispatched at once, follow, look."""
    wanted = {"photo_id": stage.photo(), "book_id": "moonlit-fox", "child_name": "Ada"}
    told = httpx.post(f"{url}/api/preview", json=wanted).json()
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    address = told["events_url"].replace("http://gateway.test", url)
    with httpx.stream("GET", address, headers=headers, timeout=40) as stream:
        events = events_of(stream.iter_lines())
        assert any(document["current_step"] == "waiting for a worker" for _, document in events)
        tell(url, services, ending(stage))
        assert [document["status"] for _, document in events][-1] == "completed"
    preview = httpx.get(f"{url}/api/preview/{told['preview_id']}", headers=headers).json()
    assert preview["status"] == "active"
