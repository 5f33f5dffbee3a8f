"""The object store fails: an S3 API behind a faulty network."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contract.errors import ErrorCode
from contract.job import ObjectRef, PagesJob
from contract.result import JobResult
from contract.status import JobStatus, PageStatus
from handler.rendering import PAGES_IN_FLIGHT
from tests.faults.bucket import Fault, FaultyBucket, running_bucket
from tests.faults.pages import NODES, SHORT, pages_job, write_art
from tests.faults.site import Site, running_site
from tests.sandbox.waiting import eventually

pytestmark = pytest.mark.comfyui
WORKER = "worker-1"
UPLOAD, INPUT, LOOK_UP = "PUT pages/", "GET templates/", "GET pages/"
CLIENTS_TRIES = 4
"""As many times the S3 client asks before it tells the worker."""


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
            "OBJECT_STORE_URL": f"s3://{bucket.name}",
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
    at.bucket.arm(UPLOAD, *[Fault.UNAVAILABLE] * (CLIENTS_TRIES + 2))
    job = pages_job("outage", pages=1)
    before = at.site.worked()
    at.site.completed(job, at.site.submit(job))
    assert at.bucket.exhausted
    assert at.site.worked() - before == NODES[SHORT]  # not rendered again


@pytest.mark.parametrize("fault", [Fault.CUT_REQUEST, Fault.LOST_ANSWER])
def test_an_upload_whose_connection_ends_is_made_good(at: BucketSite, fault: Fault) -> None:
    """The S3 client sends it again; after a lost answer it finds a page that is the worker's."""
    at.bucket.arm(UPLOAD, fault)
    job = pages_job(f"upload-{fault.name.lower()}", pages=2)
    result = at.site.completed(job, at.site.submit(job))
    assert at.bucket.exhausted
    assert not any(page.reused for page in result.pages)  # it made them itself


def test_a_slow_upload_does_not_keep_the_next_pages_from_being_rendered_and_stored(
    at: BucketSite,
) -> None:
    """One page more than may be in flight at once: the last is begun while the first hangs."""
    at.bucket.arm(UPLOAD, Fault.HELD)
    job = pages_job("slow-upload", pages=PAGES_IN_FLIGHT + 1)
    before = at.site.worked()
    runpod_id = at.site.submit(job)
    at.bucket.wait_until_held()
    eventually(lambda: len(at.site.stored(job)) == len(job.pages) - 1)
    assert at.site.worked() - before == len(job.pages)
    at.bucket.let_go()
    at.site.completed(job, runpod_id)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.LOST_ANSWER, Fault.CUT_ANSWER])
def test_an_input_that_comes_in_the_end_is_taken(at: BucketSite, fault: Fault) -> None:
    """The S3 client asks again by itself, but not for half of an object."""
    at.bucket.arm(INPUT, fault)
    job = pages_job(f"download-{fault.name.lower()}", pages=1)
    at.site.completed(job, at.site.submit(job))
    assert at.bucket.arrived == 2


@pytest.mark.parametrize("request_", [INPUT, LOOK_UP])
def test_what_is_read_comes_in_spite_of_an_outage_that_outlasts_the_clients_own_tries(
    at: BucketSite, request_: str
) -> None:
    at.bucket.arm(request_, *[Fault.UNAVAILABLE] * (CLIENTS_TRIES + 2))
    job = pages_job(f"outage-{request_.split()[1].strip('/')}", pages=1)
    at.site.completed(job, at.site.submit(job))
    assert at.bucket.arrived == CLIENTS_TRIES + 3


def test_a_stored_page_of_which_half_comes_is_looked_at_again(at: BucketSite) -> None:
    job = pages_job("look-up-cut-off", pages=1)
    at.site.completed(job, at.site.submit(job))
    at.bucket.arm(LOOK_UP, Fault.CUT_ANSWER)
    [page] = at.site.completed(job, at.site.submit(job)).pages
    assert page.reused
    assert at.bucket.arrived == 2


def test_an_input_that_is_not_there_fails_its_page_at_once(at: BucketSite) -> None:
    job = pages_job("no-input", pages=1)
    missing = {"background": ObjectRef(key="templates/nobody/has/drawn.png")}
    task = job.pages[0].model_copy(update={"assets": missing})
    at.bucket.arm(INPUT)
    result = at.failed(job.model_copy(update={"pages": [task]}))
    assert result.error is not None
    assert result.error.code is ErrorCode.INPUT_NOT_FOUND
    assert at.bucket.arrived == 1


@pytest.mark.parametrize("request_", [INPUT, LOOK_UP])
def test_credentials_that_may_not_read_fail_the_page_at_once(at: BucketSite, request_: str) -> None:
    at.bucket.arm(request_, *[Fault.REFUSED] * 1000)
    result = at.failed(pages_job(f"may-not-{request_.split()[1].strip('/')}", pages=1))
    assert result.error is not None
    assert result.error.code is ErrorCode.STORE_UNAVAILABLE
    assert at.bucket.arrived == 1
    at.bucket.heal()


def test_a_store_that_is_away_is_not_waited_for_beyond_the_deadline(at: BucketSite) -> None:
    at.bucket.arm("GET", *[Fault.UNAVAILABLE] * 1000)
    job = pages_job("no-store-in-time", pages=1).model_copy(update={"deadline_s": 2.0})
    result = at.failed(job)
    assert result.error is not None
    assert result.error.code is ErrorCode.DEADLINE_EXCEEDED
    at.bucket.heal()


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
