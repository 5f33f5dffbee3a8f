"""The messages on the wire: snapshots, and who is strict about what."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from contract.job import PagesJob
from contract.result import STATUS_MESSAGE, JobResult, Progress
from tests.contract.examples import EXAMPLES, job_result, pages_job, progress

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
