"""Which models count, and what a commercial worker needs for them."""

import logging
from pathlib import Path
from typing import Any

import pytest

from contract.result import AcknowledgedLicence
from handler.errors import LicenceForbids
from handler.graph import Workflows, load_workflows
from handler.models import HashCache, ModelFiles
from handler.models.licence_gate import LicenceGate, Terms
from handler.models.licences import licence
from handler.workflows.model_list import ListedModel
from tests.handler.tiny import tiny_slots, write_workflow

FLUX = "LicenseRef-FLUX-1-dev"
FREE = ("vae", "free")
BOUND = ("unet", "bound")
ODD = ("vae", "odd")
LISTED = {
    FREE: ListedModel(*FREE, "a" * 64, "Apache-2.0", "configuration"),
    BOUND: ListedModel(*BOUND, "a" * 64, FLUX, "configuration"),
    ODD: ListedModel(*ODD, "a" * 64, "LicenseRef-Never-heard", "configuration"),
}


class Site:
    """A worker with a workflow that loads the named files, and some of them on its disk."""

    def __init__(self, folder: Path, loads: list[tuple[str, str]]) -> None:
        slots = tiny_slots()
        slots["models"] = [{"folder": f, "file": name} for f, name in loads]
        write_workflow(folder / "workflows", slots=slots)
        self._workflows: Workflows = load_workflows(folder / "workflows")
        self._models = folder / "models"

    def put(self, folder: str, name: str) -> None:
        (self._models / folder).mkdir(parents=True, exist_ok=True)
        (self._models / folder / name).write_bytes(b"weights")

    def check(self, terms: Terms | None = None, *, required: bool = False, **told: Any) -> None:
        LicenceGate(
            terms or Terms(),
            listed=LISTED,
            files=ModelFiles(LISTED, [self._models], HashCache(self._models / "h.json")),
            workflows=self._workflows,
            required=[("tiny", 1)] if required else [],
            any_graph=told.get("any_graph", False),
        ).check()


def acknowledging(*names: str) -> Terms:
    return Terms(
        acknowledged=tuple(AcknowledgedLicence(licence=n, reference="ORDER-123") for n in names)
    )


def test_free_models_need_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, [FREE])
    site.put(*FREE)
    site.check(required=True)


def test_a_required_model_that_forbids_is_refused_with_where_a_licence_is_sold(
    tmp_path: Path,
) -> None:
    with pytest.raises(LicenceForbids) as refusal:
        Site(tmp_path, [FREE, BOUND, ODD]).check(required=True)
    bound, odd = refusal.value.refusals
    assert bound.startswith(f"unet/bound: {FLUX} ")
    assert "sold at https://bfl.ai/pricing/licensing; with one, set" in bound
    assert f"ACKNOWLEDGED_LICENCES={FLUX}=" in bound
    assert odd.startswith("vae/odd: LicenseRef-Never-heard (nobody has told this program")
    assert "no licence is sold; if your counsel" in odd


def test_what_is_neither_required_nor_there_does_not_count(tmp_path: Path) -> None:
    site = Site(tmp_path, [FREE, BOUND])
    site.check()
    site.put(*BOUND)
    with pytest.raises(LicenceForbids, match="unet/bound"):
        site.check()


def test_what_no_workflow_loads_counts_only_where_any_graph_is_taken(tmp_path: Path) -> None:
    site = Site(tmp_path, [FREE])
    site.put(*BOUND)
    site.check()
    with pytest.raises(LicenceForbids, match="unet/bound"):
        site.check(any_graph=True)


def test_a_file_that_is_not_listed_forbids(tmp_path: Path) -> None:
    with pytest.raises(LicenceForbids, match="vae/unheard: LicenseRef-not-listed"):
        Site(tmp_path, [("vae", "unheard")]).check(required=True)


def test_acknowledged_licences_are_logged_with_their_references(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = Site(tmp_path, [BOUND, ODD])
    with pytest.raises(LicenceForbids) as refusal:
        site.check(acknowledging(FLUX.lower()), required=True)
    assert [line.split(":")[0] for line in refusal.value.refusals] == ["vae/odd"]
    assert caplog.text == ""
    site.check(acknowledging(FLUX, "LicenseRef-Never-heard"), required=True)
    assert f"commercial; acknowledged licences: {FLUX}=ORDER-123" in caplog.text


def test_an_evaluation_starts_and_says_what_may_not_be_sold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Site(tmp_path, [FREE, BOUND]).check(Terms("evaluation"), required=True)
    [warning] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "unet/bound" in warning.getMessage()
    assert "vae/free" not in warning.getMessage()


@pytest.mark.parametrize("name", ["MIT", "mit", "apache-2.0", "BSD-3-Clause"])
def test_free_licences_are_known_in_any_case(name: str) -> None:
    assert licence(name).commercial


@pytest.mark.parametrize("name", ["GPL-9", "CC-BY-NC-4.0", "LicenseRef-InsightFace", "MIT-0"])
def test_other_licences_forbid(name: str) -> None:
    assert not licence(name).commercial
