"""The messages on the wire: snapshots, and who is strict about what."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from contract.job import JOB, HealthJob, IdentityJob, IdentitySource, PagesJob
from contract.result import STATUS_MESSAGE, IdentityResult, JobResult, Progress
from tests.contract.examples import (
    EXAMPLES,
    health_job,
    identity_job,
    identity_result,
    identity_source,
    job_result,
    pages_job,
    progress,
)

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_looks_on_the_wire_as_its_snapshot_says(name: str) -> None:
    """A changed snapshot is a changed contract: raise the version, or keep old readers in mind."""
    snapshot = json.loads((SNAPSHOTS / f"{name}.json").read_text())
    assert EXAMPLES[name].model_dump(mode="json") == snapshot


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_survives_the_journey(name: str) -> None:
    message = EXAMPLES[name]
    assert type(message).model_validate_json(message.model_dump_json()) == message


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_schema_of_a_message_is_its_snapshot(name: str) -> None:
    snapshot = json.loads((SNAPSHOTS / f"{name}.schema.json").read_text())
    assert type(EXAMPLES[name]).model_json_schema(mode="serialization") == snapshot


def test_there_is_no_snapshot_without_a_message() -> None:
    names = {path.name.split(".")[0] for path in SNAPSHOTS.iterdir()}
    assert names == set(EXAMPLES)


def test_a_job_with_an_unknown_field_is_rejected() -> None:
    document = pages_job().model_dump(mode="json") | {"colour": "red"}
    with pytest.raises(ValidationError, match="colour"):
        PagesJob.model_validate(document)


def test_an_unknown_field_of_a_worker_is_ignored() -> None:
    document = job_result().model_dump(mode="json") | {"colour": "red"}
    assert JobResult.model_validate(document) == job_result()


def test_a_job_of_another_version_is_rejected() -> None:
    document = pages_job().model_dump(mode="json") | {"version": 2}
    with pytest.raises(ValidationError, match="version"):
        PagesJob.model_validate(document)


def test_pages_of_one_job_are_distinct() -> None:
    document = pages_job().model_dump(mode="json")
    document["pages"] *= 2
    with pytest.raises(ValidationError, match="distinct"):
        PagesJob.model_validate(document)


def test_a_callback_is_told_apart_by_its_type() -> None:
    assert isinstance(STATUS_MESSAGE.validate_json(progress().model_dump_json()), Progress)
    assert isinstance(STATUS_MESSAGE.validate_json(job_result().model_dump_json()), JobResult)


def test_a_number_keeps_its_kind_in_a_slot() -> None:
    slots = PagesJob.model_validate_json(pages_job().model_dump_json()).pages[0].slots
    assert slots == {"face_x": 512, "face_angle": -2.5, "skin_preset": "off"}
    assert isinstance(slots["face_x"], int)


def test_a_job_is_told_apart_by_its_kind() -> None:
    assert JOB.validate_json(pages_job().model_dump_json()) == pages_job()
    assert JOB.validate_json(identity_job().model_dump_json()) == identity_job()
    assert JOB.validate_json(health_job().model_dump_json()) == health_job()
    assert isinstance(JOB.validate_python(identity_job()), IdentityJob)


def test_a_health_job_needs_nothing_but_its_kind() -> None:
    assert JOB.validate_python({"kind": "health"}) == HealthJob()


def test_a_job_that_does_not_say_its_kind_is_one_of_pages() -> None:
    document = pages_job().model_dump(mode="json")
    del document["kind"]
    assert JOB.validate_python(document) == pages_job()


@pytest.mark.parametrize("kind", ["Mathilda", None, 3, ["Mathilda"], {"Mathilda": 1}])
def test_another_kind_is_rejected_without_echoing_it(kind: object) -> None:
    with pytest.raises(ValidationError) as rejection:
        JOB.validate_python(pages_job().model_dump(mode="json") | {"kind": kind})
    [problem] = rejection.value.errors()
    assert problem["msg"] == "kind is none of 'pages', 'identity' and 'health'"


def test_a_job_without_an_identity_does_not_mention_it() -> None:
    """A worker from before identities rejects fields that it doesn't know."""
    document = pages_job().model_copy(update={"identity": None}).model_dump(mode="json")
    assert "identity" not in document
    assert JOB.validate_python(document) == PagesJob.model_validate(document)


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_an_embedding_is_used_for_a_day_at_most(seconds: float) -> None:
    document = identity_source().model_dump() | {"max_age_s": seconds}
    with pytest.raises(ValidationError, match="max_age_s"):
        IdentitySource.model_validate(document)


def test_the_time_of_an_extraction_has_a_zone() -> None:
    document = identity_result().model_dump(mode="json") | {"extracted_at": "2026-01-02T03:04:05"}
    with pytest.raises(ValidationError, match="extracted_at"):
        IdentityResult.model_validate(document)
