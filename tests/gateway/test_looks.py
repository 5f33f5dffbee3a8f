"""The look of the pages: chosen by the operator, kept by a job, labelled where it is a draft."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from books.library import load_books
from books.model import Book
from contract.errors import ErrorCode
from contract.job import WorkflowRef
from gateway.app import create_app
from gateway.looks import Look, LookMissing, check_look, rendering
from gateway.outside import Outside
from gateway.pdf import FontSet
from gateway.services import Services, assemble
from gateway.settings import Settings
from tests.gateway.fakes import FakeCourier, FakeEndpoint, MovableClock
from tests.gateway.rendering import BOOK, Job, Stage, result

Deploy = Callable[..., Stage]

FINAL = WorkflowRef(name="storybook_page", version=1)
DRAFT = WorkflowRef(name="storybook_page_draft", version=1)

draft_look = pytest.mark.parametrize("page_look", ["draft"])


@pytest.fixture
def book(books_dir: Path) -> Book:
    return load_books(books_dir)[BOOK]


@pytest.fixture
def deploy(
    environ: dict[str, str], services: Services, endpoint: FakeEndpoint, fonts: FontSet
) -> Deploy:
    """Puts a gateway with other settings in the place of the first one: what lasts is the same."""

    def deployed(**changes: str) -> Stage:
        newer = assemble(
            Settings.from_environ(environ | changes),
            Outside(
                clock=services.clock,
                engine=services.engine,
                kv=services.kv,
                store=services.store,
                endpoint=endpoint,
                faces=services.faces,
                mailer=services.mailer,
                printer=services.printer,
                limiter=services.limiter,
                courier=FakeCourier(),
                fonts=fonts,
            ),
        )
        return Stage(newer, endpoint, TestClient(create_app(newer), base_url="http://gateway.test"))

    return deployed


@pytest.fixture
def newer_books(books_dir: Path, tmp_path: Path) -> str:
    """The folder of the same books, whose final look has a version 2."""
    folder = Path(shutil.copytree(books_dir, tmp_path / "newer_books"))
    (path,) = folder.glob("*/book.json")
    book = json.loads(path.read_text())
    book["workflow"]["version"] = book["identity_workflow"]["version"] = 2
    path.write_text(json.dumps(book))
    return str(folder)


def workflows_sent(endpoint: FakeEndpoint) -> list[WorkflowRef]:
    return [job.workflow for job in endpoint.submitted]


def ask_for_page(stage: Stage, job: Job) -> None:
    wanted = {"preview_id": job.preview_id, "page_number": 2}
    answer = stage.client.post("/api/generate-page", json=wanted, headers=job.headers)
    assert answer.status_code == 202, answer.text


def test_the_final_look_brings_its_identity_workflow(book: Book) -> None:
    chosen = rendering(book, Look.FINAL, "fast")
    assert (chosen.workflow, chosen.quality, chosen.is_draft) == (FINAL, "fast", False)
    assert chosen.identity_workflow == WorkflowRef(name="identity", version=1)


def test_a_draft_has_no_identity_and_one_quality(book: Book) -> None:
    chosen = rendering(book, Look.DRAFT, "fast")
    assert (chosen.workflow, chosen.quality, chosen.is_draft) == (DRAFT, "standard", True)
    assert chosen.identity_workflow is None


def test_a_final_look_may_need_no_identity(book: Book) -> None:
    plain = book.model_copy(update={"identity_workflow": None})
    assert rendering(plain, Look.FINAL, "standard").identity_workflow is None


def test_a_book_without_a_draft_is_named(book: Book) -> None:
    plain = book.model_copy(update={"draft_workflow": None})
    check_look([book, plain], Look.FINAL)
    with pytest.raises(LookMissing, match="moonlit-fox has no draft_workflow"):
        check_look([book, plain], Look.DRAFT)


@draft_look
def test_a_draft_is_labelled_wherever_it_appears(stage: Stage, endpoint: FakeEndpoint) -> None:
    (listed,) = stage.client.get("/api/books").json()["books"]
    assert listed["draft"] is True
    wanted = {"photo_id": stage.photo(), "book_id": BOOK, "child_name": "Ada"}
    accepted = stage.ask(wanted).json()
    assert accepted["draft"] is True
    assert "Draft look" in accepted["message"]
    job = Job(accepted["job_id"], accepted["preview_id"], accepted["access_token"])
    stage.dispatch()
    stage.finish(endpoint.submitted[0])
    assert stage.status(job)["draft"] is True
    preview = stage.preview(job)
    assert preview["draft"] is True
    assert "Draft look" in preview["label"]


def test_a_retry_after_a_deployment_renders_with_the_same_version(
    stage: Stage, endpoint: FakeEndpoint, deploy: Deploy, newer_books: str, clock: MovableClock
) -> None:
    job = stage.order()
    stage.dispatch()
    first = endpoint.submitted[0]
    stage.call_back(result(first, stage.store(first, [1]), code=ErrorCode.COMFY_DIED))
    newer = deploy(BOOKS_DIR=newer_books, PREVIEW_QUALITY="fast")
    clock.move(seconds=60)
    newer.dispatch()
    again = endpoint.submitted[1]
    assert [task.page_number for task in again.pages] == [2, 3]
    assert (again.job_id, again.workflow) == (job.job_id, FINAL)
    assert again.identity == first.identity
    assert {task.slots["quality"] for task in again.pages} == {"standard"}
    newer.order()
    newer.dispatch()
    assert endpoint.submitted[2].workflow.version == 2


def test_a_job_keeps_its_look_when_the_operator_changes_it(
    stage: Stage, endpoint: FakeEndpoint, deploy: Deploy
) -> None:
    job = stage.order()
    newer = deploy(PAGE_LOOK="draft")
    newer.dispatch()
    newer.order()
    newer.dispatch()
    assert workflows_sent(endpoint) == [FINAL, DRAFT]
    assert newer.status(job)["draft"] is False
    assert newer.preview(job)["label"] is None


def test_previews_are_fast_where_the_operator_says_so(
    stage: Stage, endpoint: FakeEndpoint, deploy: Deploy
) -> None:
    job = stage.order()
    newer = deploy(PREVIEW_QUALITY="fast")
    newer.order()
    newer.dispatch()
    qualities = {sent.job_id: sent.pages[0].slots["quality"] for sent in endpoint.submitted}
    assert qualities.pop(job.job_id) == "standard"
    assert list(qualities.values()) == ["fast"]


def test_another_take_has_the_look_of_its_preview(
    stage: Stage, endpoint: FakeEndpoint, deploy: Deploy
) -> None:
    job = stage.order()
    stage.dispatch()
    stage.finish(endpoint.submitted[0])
    newer = deploy(PAGE_LOOK="draft")
    ask_for_page(newer, job)
    newer.dispatch()
    assert workflows_sent(endpoint) == [FINAL, FINAL]


def test_a_job_retried_by_hand_keeps_its_look(
    stage: Stage, endpoint: FakeEndpoint, deploy: Deploy
) -> None:
    job = stage.order()
    stage.dispatch()
    stage.fail(endpoint.submitted[0], ErrorCode.NO_FACE)
    newer = deploy(PAGE_LOOK="draft")
    url = f"/api/preview/{job.job_id}/retry"
    answer = newer.client.post(url, headers=job.headers)
    assert (answer.status_code, answer.json()["draft"]) == (202, False)
    newer.dispatch()
    assert workflows_sent(endpoint) == [FINAL, FINAL]


def test_the_same_request_again_is_told_of_its_own_look(stage: Stage, deploy: Deploy) -> None:
    wanted = {"photo_id": stage.photo(), "book_id": BOOK, "child_name": "Ada"}
    first = stage.ask(wanted, "key-1").json()
    again = deploy(PAGE_LOOK="draft").ask(wanted, "key-1").json()
    assert again == first
