"""The object store fails: an S3 API behind a faulty network."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contract.errors import ErrorCode
from contract.job import PagesJob
from contract.result import JobResult
from contract.status import JobStatus, PageStatus
from tests.faults.bucket import BUCKET, Fault, FaultyBucket, running_bucket
from tests.faults.pages import NODES, SHORT, pages_job, write_art
from tests.faults.site import Site, running_site
from tests.sandbox.waiting import eventually

pytestmark = pytest.mark.comfyui
WORKER = "worker-1"
UPLOAD, INPUT = "PUT pages/", "GET templates/"


@dataclass
class BucketSite:
    """One worker over a bucket."""

    site: Site
    bucket: FaultyBucket

    def failed(self, job: PagesJob) -> JobResult:
        """The result of a job that fails; RunPod and the callback say the same."""
        document = self.site.end_of(self.site.submit(job))
        assert document["status"] == "FAILED", document
        result = JobResult.model_validate_json(document["error"])
        assert result in self.site.receiver.results(job.job_id)
        assert result.status is JobStatus.FAILED
        return result


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketSite]:
    folder = tmp_path_factory.mktemp("bucket")
    with running_bucket() as bucket:
        write_art(bucket.store)
        extra = {
            "OBJECT_STORE_URL": f"s3://{BUCKET}",
            "S3_ENDPOINT_URL": bucket.endpoint,
            "S3_REGION": "eu-central-1",
            "S3_ACCESS_KEY_ID": "k",
            "S3_SECRET_ACCESS_KEY": "s",
        }
        with running_site(folder, workers=1, store=bucket.store, extra=extra) as site:
            site.undisturbed(SHORT)
            yield BucketSite(site, bucket)


@pytest.fixture
def at(shared: BucketSite) -> Iterator[BucketSite]:
    shared.site.wait_until_ready()
    yield shared
    shared.site.assert_tidy()


def test_pages_are_stored_in_spite_of_an_outage_that_outlasts_the_clients_own_tries(
    at: BucketSite,
) -> None:
    at.bucket.arm(UPLOAD, *[Fault.UNAVAILABLE] * 6)
    job = pages_job("outage", pages=1)
    before = at.site.worked()
    at.site.completed(job, at.site.submit(job))
    assert at.bucket.exhausted
    assert at.site.worked() - before == NODES[SHORT]  # not rendered again


@pytest.mark.parametrize("fault", [Fault.CUT_REQUEST, Fault.LOST_ANSWER])
def test_an_upload_whose_connection_ends_is_made_good(at: BucketSite, fault: Fault) -> None:
    at.bucket.arm(UPLOAD, fault)
    job = pages_job(f"upload-{fault.name.lower()}", pages=2)
    result = at.site.completed(job, at.site.submit(job))
    assert at.bucket.exhausted
    assert not any(page.reused for page in result.pages)  # it made them itself


def test_a_slow_upload_does_not_keep_the_next_pages_from_being_rendered(at: BucketSite) -> None:
    at.bucket.arm(UPLOAD, Fault.HELD)
    job = pages_job("slow-upload", pages=3)
    before = at.site.worked()
    runpod_id = at.site.submit(job)
    at.bucket.wait_until_held()
    eventually(lambda: at.site.worked() - before == len(job.pages))
    at.bucket.let_go()
    at.site.completed(job, runpod_id)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.LOST_ANSWER])
def test_an_input_that_comes_in_the_end_is_taken(at: BucketSite, fault: Fault) -> None:
    at.bucket.arm(INPUT, fault)
    job = pages_job(f"download-{fault.name.lower()}", pages=1)
    at.site.completed(job, at.site.submit(job))
    assert at.bucket.arrived == 2


@pytest.mark.parametrize("request_", [INPUT, "GET pages/"])
def test_an_object_whose_second_half_is_missing_fails_its_page_by_the_stores_fault(
    at: BucketSite, request_: str
) -> None:
    job = pages_job(f"cut-off-{request_.split()[1].strip('/')}", pages=1)
    if request_ != INPUT:
        at.site.completed(job, at.site.submit(job))
    at.bucket.arm(request_, Fault.CUT_ANSWER)
    result = at.failed(job)
    assert result.error is not None
    assert result.error.code is ErrorCode.STORE_UNAVAILABLE
    at.site.completed(job, at.site.submit(job))


def test_an_outage_without_an_end_fails_the_page_and_never_completes_it(at: BucketSite) -> None:
    at.bucket.arm("GET", *[Fault.UNAVAILABLE] * 1000)
    result = at.failed(pages_job("no-store", pages=1))
    assert result.error is not None
    assert result.error.code is ErrorCode.STORE_UNAVAILABLE
    assert result.error.retryable
    at.bucket.heal()


def test_refused_credentials_fail_the_page_at_once_and_store_nothing(at: BucketSite) -> None:
    at.bucket.arm(UPLOAD, *[Fault.REFUSED] * 1000)
    job = pages_job("refused", pages=2)
    result = at.failed(job)
    assert [page.status for page in result.pages] == [PageStatus.FAILED] * 2
    assert [page.error and page.error.code for page in result.pages] == [
        ErrorCode.STORE_UNAVAILABLE
    ] * 2
    assert [page.image for page in result.pages] == [None] * 2
    assert at.bucket.arrived == len(job.pages)  # no page was tried twice
    assert not at.site.stored(job)
    at.bucket.heal()


def test_a_job_that_is_cancelled_while_it_uploads_leaves_its_worker_free(at: BucketSite) -> None:
    at.bucket.arm(UPLOAD, Fault.HELD)
    job = pages_job("cancelled-in-upload", pages=1)
    runpod_id = at.site.submit(job)
    at.bucket.wait_until_held()
    at.site.cancel(runpod_id)
    assert at.site.receiver.result(job.job_id).status is JobStatus.CANCELLED
    after = pages_job("after-cancelled-in-upload", pages=2)
    at.site.completed(after, at.site.submit(after))  # while the upload still hangs
    at.bucket.let_go()
    at.site.completed(job, at.site.submit(job))


def test_pages_of_a_worker_that_is_killed_in_an_upload_are_rendered_by_the_next_one_or_reused(
    at: BucketSite,
) -> None:
    job = pages_job("killed-in-upload")
    runpod_id = at.site.submit(job)
    eventually(lambda: at.site.stored(job))
    at.bucket.arm(UPLOAD, *[Fault.HELD] * 2)
    at.bucket.wait_until_held()
    at.site.supervisor.kill(WORKER)
    at.bucket.heal()
    at.bucket.drop()
    stored, nodes = at.site.stored(job), at.site.worked()
    result = at.site.completed(job, runpod_id, within_s=90)
    assert 1 <= len(stored) < len(job.pages)
    assert {page.image.key for page in result.pages if page.reused and page.image} == set(stored)
    assert at.site.worked() - nodes == (len(job.pages) - len(stored)) * NODES[SHORT]
    assert at.site.supervisor.restarts(WORKER) == 1
