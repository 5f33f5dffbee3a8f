"""A shop, a worker and the gateway's own loops, driven step by step by a test."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
from PIL import Image
from starlette.testclient import TestClient

from contract.errors import ErrorCode, JobError
from contract.job import PagesJob
from contract.result import JobResult, PageResult, Progress, StoredImage
from contract.signing import sign
from contract.status import JobStatus, PageStatus
from gateway.ids import new_id
from gateway.ports import EndpointJob, EndpointState
from gateway.records import Photo, writing
from gateway.services import Services
from tests.gateway.fakes import FakeEndpoint

BOOK = "moonlit-fox"


def page_png(shade: int = 90) -> bytes:
    """A small page as a worker would store it."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (shade, 120, 160)).save(out, "PNG")
    return out.getvalue()


def image_of(key: str, data: bytes) -> StoredImage:
    return StoredImage(
        key=key,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        width=64,
        height=64,
    )


@dataclass(frozen=True)
class Job:
    """A job as the shop knows it."""

    job_id: str
    preview_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Stage:
    """Everything that a test of jobs moves by hand: no loop runs beside it."""

    def __init__(self, services: Services, endpoint: FakeEndpoint, client: TestClient) -> None:
        self.services = services
        self.endpoint = endpoint
        self.client = client

    def photo(self, life: timedelta = timedelta(days=7)) -> str:
        """Record a photo, as an upload does; return its id."""
        now = self.services.clock.now()
        photo_id = new_id()
        with writing(self.services.engine) as session:
            session.add(
                Photo(
                    photo_id=photo_id,
                    key=f"photos/{photo_id}/original.jpg",
                    sha256="0" * 64,
                    width=640,
                    height=640,
                    size_bytes=1000,
                    face_confidence=0.9,
                    face_area_percent=20.0,
                    created_at=now,
                    expires_at=now + life,
                )
            )
        return photo_id

    def ask(self, body: dict[str, Any], key: str | None = None) -> httpx2.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.post("/api/preview", json=body, headers=headers)

    def order(self, **fields: Any) -> Job:
        """Ask for a preview of a new photo."""
        body = {"photo_id": self.photo(), "book_id": BOOK, "child_name": "Ada", **fields}
        answer = self.ask(body)
        assert answer.status_code == 202, answer.text
        return job_of(answer)

    def dispatch(self) -> int:
        return anyio.run(self.services.dispatcher.dispatch_due)

    def reconcile(self) -> int:
        return anyio.run(self.services.dispatcher.reconcile_due)

    def store(self, job: PagesJob, numbers: Sequence[int]) -> list[PageResult]:
        """Store some pages of a dispatch, as a worker does."""
        results = []
        for task in job.pages:
            if task.page_number in numbers:
                data = page_png(60 + task.page_number)
                self.services.store.put(task.output_key, data, "image/png")
                results.append(completed(task.page_number, task.output_key, task.seed, data))
        return results

    def finish(self, job: PagesJob, run: int = 1000) -> None:
        """The worker stores every page of the dispatch and says so."""
        pages = self.store(job, [task.page_number for task in job.pages])
        answer = self.call_back(result(job, pages, run=run))
        assert answer.status_code == 200, answer.text

    def fail(self, job: PagesJob, code: ErrorCode, run: int = 1000) -> None:
        self.call_back(result(job, [], code=code, run=run))

    def call_back(self, message: Progress | JobResult) -> httpx2.Response:
        """Post a signed callback."""
        return self.post_signed(message.model_dump_json().encode())

    def post_signed(
        self, body: bytes, *, secret: str | None = None, at: datetime | None = None
    ) -> httpx2.Response:
        secret = secret or self.services.settings.callback_secrets[0]
        # The signature's age is measured by the machine's clock, inside the library.
        headers = sign(secret, "msg_1", body, at or datetime.now(UTC))
        return self.client.post("/webhooks/runpod/status", content=body, headers=headers)

    def status(self, job: Job) -> dict[str, Any]:
        answer = self.client.get(f"/api/preview-status/{job.job_id}", headers=job.headers)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def preview(self, job: Job) -> dict[str, Any]:
        answer = self.client.get(f"/api/preview/{job.preview_id}", headers=job.headers)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def endpoint_says(self, state: EndpointState, *, output: Any = None, error: Any = None) -> None:
        """From now on the endpoint says this of the last job that it took."""
        runpod_id = f"rp-{len(self.endpoint.submitted)}"
        self.endpoint.jobs[runpod_id] = EndpointJob(runpod_id, state, output, error)


def job_of(answer: httpx2.Response) -> Job:
    document = answer.json()
    return Job(document["job_id"], document["preview_id"], document["access_token"])


def completed(number: int, key: str, seed: int, data: bytes) -> PageResult:
    return PageResult(
        page_number=number, status=PageStatus.COMPLETED, seed=seed, image=image_of(key, data)
    )


def progress(
    job: PagesJob, share: float, *, run: int = 1000, seq: int = 1, step: str = "painting"
) -> Progress:
    return Progress(
        job_id=job.job_id,
        dispatch=job.dispatch,
        run=run,
        seq=seq,
        progress=share,
        current_step=step,
    )


def result(
    job: PagesJob,
    pages: list[PageResult],
    *,
    code: ErrorCode | None = None,
    run: int = 1000,
    seq: int = 100,
) -> JobResult:
    return JobResult(
        job_id=job.job_id,
        dispatch=job.dispatch,
        run=run,
        seq=seq,
        status=JobStatus.FAILED if code else JobStatus.COMPLETED,
        pages=pages,
        error=JobError(code=code, message="node 7 of the graph") if code else None,
    )
