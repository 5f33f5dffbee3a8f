"""The JSON of docs/worker.md is what the contract says, to the field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from contract.job import HealthJob, IdentityJob, PagesJob, PageTask
from contract.result import HealthReport, JobResult, Progress
from handler.graph import load_workflows
from handler.pages import plan_identity, plan_pages
from handler.raw_workflows import RawImage, RawJob, raw_input
from handler.worker import parse_job

ROOT = Path(__file__).resolve().parent.parent
WORKER = (ROOT / "docs" / "worker.md").read_text()
WORKFLOWS = load_workflows(ROOT / "workflows")

EXAMPLES: list[tuple[str, type[BaseModel] | None]] = [
    ("Pages", PagesJob),
    ("Results", JobResult),
    ("Results", JobResult),
    ("Progress", Progress),
    ("Identity", IdentityJob),
    ("Health", HealthJob),
    ("Health", HealthReport),
    ("Input", RawJob),
    ("Output", None),  # in worker-comfyui's form, which has no model
]
"""The heading above each example, and what the example is, in the page's order."""


def examples() -> list[tuple[str, Any]]:
    """Every JSON block of the page with the heading above it."""
    found, heading = [], ""
    for title, block in re.findall(r"^#+ ([^\n]+)$|^```json\n(.*?)^```$", WORKER, re.M | re.S):
        if block:
            found.append((heading, json.loads(block)))
        heading = title or heading
    return found


def example(kind: type[BaseModel] | None) -> Any:
    """The first example of a message."""
    wanted = next(index for index, (_, each) in enumerate(EXAMPLES) if each is kind)
    return examples()[wanted][1]


def test_the_page_has_these_examples_and_no_other() -> None:
    assert [heading for heading, _ in examples()] == [heading for heading, _ in EXAMPLES]


@pytest.mark.parametrize("index", [i for i, (_, model) in enumerate(EXAMPLES) if model])
def test_an_example_is_a_message_and_has_no_field_that_is_lost(index: int) -> None:
    model, given = EXAMPLES[index][1], examples()[index][1]
    assert model is not None
    message = model.model_validate(given)
    assert message.model_dump(mode="json", exclude_unset=True) == given


@pytest.mark.parametrize("kind", [PagesJob, IdentityJob, HealthJob])
def test_the_worker_takes_an_example_for_the_job_that_it_is(kind: type[BaseModel]) -> None:
    assert raw_input(example(kind)) is None
    assert isinstance(parse_job(example(kind)), kind)


def test_the_pages_example_fits_its_released_workflows() -> None:
    job = PagesJob.model_validate(example(PagesJob))
    assert job.identity is not None
    assert [plan.error for plan in plan_pages(job, WORKFLOWS, "run")] == [None]
    assert plan_identity(job.identity, WORKFLOWS, "run").workflow.makes == "identity"


def test_the_worker_takes_the_raw_example_for_a_raw_workflow() -> None:
    assert raw_input(example(RawJob)) == example(RawJob)


def test_the_raw_output_has_worker_comfyuis_form() -> None:
    output = example(None)
    assert set(output) == {"images", "files"}
    for entry in [*output["images"], *output["files"]]:
        assert set(entry) == {"filename", "type", "data"}
        assert entry["type"] == "base64"


def test_every_field_of_a_pages_job_has_a_row() -> None:
    job = [name for name in PagesJob.model_fields if name != "kind"]
    assert first_column("Pages") == [*job, *PageTask.model_fields]


def test_every_field_of_a_raw_workflow_has_a_row() -> None:
    fields = {*RawJob.model_fields, *(f"images[].{name}" for name in RawImage.model_fields)}
    assert sorted(first_column("Input")) == sorted(fields)


def first_column(heading: str) -> list[str]:
    """The names in the tables below a heading, up to the next one."""
    _, _, text = WORKER.partition(f"# {heading}\n")
    return re.findall(r"^\| `([\w.\[\]]+)` \|", text.partition("\n#")[0], re.M)
