"""What the worker is told: for the final look, and for the draft."""

from pathlib import Path
from typing import Any

import pytest

from contract.job import IdentitySource, ObjectRef, PagesJob, PageTask, WorkflowRef
from contract.keys import TEMPLATE_ASSETS, embedding_key, photo_key, template_key
from gateway.catalogue import Catalogue
from gateway.errors import Problem
from gateway.render_job import pages_job
from gateway.services import Services
from handler.graph import Workflow, load_workflow
from tests.gateway.rendering import BOOK, Stage

WORKFLOWS = Path(__file__).parents[2] / "workflows"
FACE_SLOTS = {"face_x", "face_y", "face_width", "face_height", "face_angle"}

draft_look = pytest.mark.parametrize("page_look", ["draft"])


def told(stage: Stage, **fields: Any) -> PagesJob:
    """What the worker is told of a new preview."""
    stage.order(**fields)
    stage.dispatch()
    return stage.endpoint.submitted[-1]


def released(ref: WorkflowRef) -> Workflow:
    """The workflow as a worker has it."""
    return load_workflow(WORKFLOWS / ref.name / f"v{ref.version}.json")


def second_page(job: PagesJob) -> PageTask:
    return job.pages[1]


def test_the_final_look_takes_the_template_and_no_photo(stage: Stage) -> None:
    job = told(stage, appearance="east_asian")
    assert job.workflow == WorkflowRef(name="storybook_page", version=1)
    task = second_page(job)
    assert set(task.assets) == set(TEMPLATE_ASSETS)
    assert task.assets["person_mask"].key == template_key(BOOK, 2, "person_mask")
    assert set(task.slots) == {"ethnicity_prompt", "skin_anchor", "skin_preset", "quality"}


def test_the_final_look_takes_the_identity_of_the_photo(stage: Stage) -> None:
    photo_id = stage.photo()
    assert told(stage, photo_id=photo_id).identity == IdentitySource(
        photo=ObjectRef(key=photo_key(photo_id), sha256="0" * 64),
        embedding_key=embedding_key(photo_id),
        workflow=WorkflowRef(name="identity", version=1),
    )


def test_an_appearance_becomes_prompt_anchor_and_preset(stage: Stage) -> None:
    job = told(stage, appearance="black_dark_brown", child_age=6, child_gender="female")
    for task in job.pages:
        assert task.slots["ethnicity_prompt"] == "Black girl, 6 years old"
        assert task.slots["skin_anchor"] == "dark brown skin, natural skin tone"
        assert task.slots["skin_preset"] == "dark_brown"


def test_without_an_appearance_nothing_is_said_of_skin(stage: Stage) -> None:
    slots = second_page(told(stage, child_age=6)).slots
    assert slots["ethnicity_prompt"] == "child, 6 years old"
    assert slots["skin_preset"] == "off"
    assert "skin_anchor" not in slots  # the workflow's own is neutral; an empty one leaves a comma


@pytest.mark.parametrize("page_look", ["final", "draft"])
def test_the_childs_name_is_not_in_the_message(stage: Stage) -> None:
    job = told(stage, child_name="Zuzanna", appearance="east_asian")
    assert "Zuzanna" not in job.model_dump_json()


def test_a_preview_has_standard_quality(stage: Stage) -> None:
    assert {task.slots["quality"] for task in told(stage).pages} == {"standard"}


@draft_look
def test_the_draft_look_takes_the_photo_itself(stage: Stage) -> None:
    photo_id = stage.photo()
    job = told(stage, photo_id=photo_id, appearance="black_deep", child_age=6)
    assert job.workflow == WorkflowRef(name="storybook_page_draft", version=1)
    assert job.identity is None
    task = second_page(job)
    assert set(task.assets) == {"photo", *TEMPLATE_ASSETS}
    assert task.assets["photo"] == ObjectRef(key=photo_key(photo_id), sha256="0" * 64)
    assert set(task.slots) == FACE_SLOTS


@pytest.mark.parametrize("page_look", ["final", "draft"])
@pytest.mark.parametrize("appearance", [None, "vietnamese_asian", "black_deep"])
def test_a_job_fits_the_slots_of_its_workflow(stage: Stage, appearance: str | None) -> None:
    job = told(stage, appearance=appearance, child_age=6, child_gender="male")
    workflow = released(job.workflow)
    identity = {workflow.identity_slot} if job.identity and workflow.identity_slot else set()
    for task in job.pages:
        workflow.check(task.slots, frozenset(task.assets) | identity)


def test_the_identity_workflow_takes_a_photo_and_makes_an_identity(stage: Stage) -> None:
    identity = told(stage).identity
    assert identity
    workflow = released(identity.workflow)
    workflow.check({}, frozenset({"photo"}))
    assert workflow.makes == "identity"


def test_an_appearance_that_is_gone_fails_the_job(
    stage: Stage, services: Services, books_dir: Path
) -> None:
    job = stage.order(appearance="east_asian")
    claim = services.dispatcher.ledger.claim(job.job_id)
    assert claim
    with pytest.raises(Problem, match="appearance_unknown"):
        pages_job(claim, Catalogue.open(books_dir, {}), 600)
