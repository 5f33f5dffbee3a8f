"""The report of a worker on itself."""

from pathlib import Path

import pytest

from contract.result import AcknowledgedLicence, Gpu, HealthReport
from handler.graph import Workflows
from handler.health import Health, Machine, parse_gpus
from handler.models import HashCache, ModelFiles
from handler.models.licence_gate import Terms
from handler.workflows.model_list import ListedModel
from tests.handler.conftest import REPOSITORY
from tests.handler.fakes import FakeClock

SMI = "143771, 143158, NVIDIA H200\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "comfyui").mkdir()
    (tmp_path / "comfyui/comfyui_version.py").write_text('# made\n__version__ = "0.3.75"\n')
    pack = REPOSITORY / "comfy_nodes"
    return Machine(tmp_path / "comfyui", pack, tmp_path, lambda: True, lambda: SMI)


@pytest.fixture
def models(tmp_path: Path) -> ModelFiles:
    (tmp_path / "models/vae").mkdir(parents=True)
    (tmp_path / "models/vae/ae.safetensors").write_bytes(b"12345")
    listed = {
        ("vae", "ae.safetensors"): ListedModel("vae", "ae.safetensors", "a" * 64, "MIT", "x"),
        ("loras", "own.safetensors"): ListedModel("loras", "own.safetensors", None, "own", "x"),
    }
    return ModelFiles(listed, [tmp_path / "models"], HashCache(tmp_path / "hashes.json"))


def test_a_report_names_versions_workflows_files_and_gpus(
    machine: Machine, models: ModelFiles, workflows: Workflows
) -> None:
    clock = FakeClock()
    health = Health(machine, workflows, [("tiny", 1)], models, clock, "worker-1")
    clock.seconds, health.jobs_done = 61.5, 2
    report = health.report("job-9")
    assert (report.job_id, report.worker_id) == ("job-9", "worker-1")
    assert (report.comfyui_version, report.node_pack_version) == ("0.3.75", "0.1.0")
    assert report.sdk_version is not None
    assert report.torch_version is not None
    assert [(each.name, each.version, each.required) for each in report.workflows] == [
        ("tiny", 1, True)
    ]
    assert [(each.file, each.size_bytes, each.sha256) for each in report.models] == [
        ("ae.safetensors", 5, None),
        ("own.safetensors", None, None),
    ]
    assert report.gpus == [
        Gpu(name="NVIDIA H200", memory_bytes=143771 << 20, free_bytes=143158 << 20)
    ]
    assert (report.uptime_s, report.jobs_done) == (61.5, 2)
    assert HealthReport.model_validate_json(report.model_dump_json()) == report


def test_a_hash_is_reported_once_it_is_known_and_never_computed(
    machine: Machine, models: ModelFiles, workflows: Workflows
) -> None:
    health = Health(machine, workflows, [], models, FakeClock())
    assert health.report().models[0].sha256 is None
    known = models.sha256("vae", "ae.safetensors")
    assert health.report().models[0].sha256 == known


def test_no_path_of_the_machine_is_in_a_report(
    machine: Machine, models: ModelFiles, workflows: Workflows, tmp_path: Path
) -> None:
    text = Health(machine, workflows, [], models, FakeClock()).report().model_dump_json()
    assert str(tmp_path) not in text
    assert str(REPOSITORY) not in text


def test_a_worker_without_its_parts_still_reports(
    models: ModelFiles, workflows: Workflows, tmp_path: Path
) -> None:
    bare = Machine(tmp_path / "none", tmp_path / "none", tmp_path, lambda: False, lambda: "")
    report = Health(bare, workflows, [], models, FakeClock()).report()
    assert (report.comfyui_version, report.node_pack_version, report.gpus) == (None, None, [])
    assert not report.comfyui_alive


@pytest.mark.parametrize("text", ["", "\n", "No devices were found\n", "1, 2\n", "[N/A], 2, X\n"])
def test_what_is_no_gpu_is_none(text: str) -> None:
    assert parse_gpus(text) == []


def test_a_report_tells_under_which_terms_models_are_used(
    machine: Machine, models: ModelFiles, workflows: Workflows
) -> None:
    acknowledged = AcknowledgedLicence(licence="LicenseRef-A", reference="ORDER-123")
    terms = Terms("commercial", (acknowledged,))
    report = Health(machine, workflows, [], models, FakeClock(), terms=terms).report()
    assert (report.models_use, report.acknowledged_licences) == ("commercial", [acknowledged])
