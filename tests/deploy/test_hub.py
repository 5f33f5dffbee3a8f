"""The files that RunPod's hub reads, held to its form and to our code."""

import base64
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from contract.job import JOB
from contract.result import HealthReport
from deploy.endpoint_file import GPU_POOLS, read_endpoint
from handler.graph import load_workflows
from handler.raw_workflows import parse_raw, raw_input
from handler.settings import read_settings
from handler.variables import VARIABLES
from sandbox.control_plane.worker_api import worker_environ
from sandbox.supervisor import Process, Supervisor
from tests.comfyui_checkout import COMFYUI
from tests.deploy.conftest import COMMITTED, REPOSITORY, SECRETS
from tests.sandbox.conftest import free_port
from tests.sandbox.waiting import eventually

HUB = json.loads((REPOSITORY / ".runpod/hub.json").read_text())
TESTS = json.loads((REPOSITORY / ".runpod/tests.json").read_text())
ENV: list[dict[str, Any]] = HUB["config"]["env"]
TEST_ENV = {each["key"]: each["value"] for each in TESTS["config"]["env"]}
KNOWN = {each.name: each for each in VARIABLES} | dict.fromkeys(
    ("S3_ENDPOINT_URL", "S3_REGION", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
)


def defaults() -> dict[str, str]:
    """What a worker is started with whose deployer changed nothing but what is required."""
    given = {}
    for each in ENV:
        field = each["input"]
        value = field["default"]
        if field["type"] == "boolean":
            value = field["trueValue"] if value else field["falseValue"]
        given[each["key"]] = str(value)
    return given


def test_the_hubs_file_has_its_form() -> None:
    assert {"title", "description", "type", "category", "config"} <= set(HUB)
    assert (HUB["type"], HUB["category"], HUB["config"]["runsOn"]) == ("serverless", "image", "GPU")
    assert HUB["config"]["gpuCount"] == 1
    assert HUB["config"]["containerDiskInGb"] == read_endpoint(COMMITTED).disk_gb
    assert [each["key"] for each in ENV] == list(dict.fromkeys(each["key"] for each in ENV))
    for each in ENV:
        field = each["input"]
        assert {"name", "type", "description", "default"} <= set(field)
        if "options" in field:
            assert field["default"] in [option["value"] for option in field["options"]]
        if field["type"] == "number":
            assert field["min"] <= field["default"] <= field["max"]


def test_both_files_ask_for_gpus_and_cuda_as_the_endpoints_file_does() -> None:
    endpoint = read_endpoint(COMMITTED)
    pools = HUB["config"]["gpuIds"].split(",")
    assert set(pools) <= set(GPU_POOLS)
    assert pools == endpoint.gpu.pools
    for file in (HUB, TESTS):
        assert file["config"]["allowedCudaVersions"] == [endpoint.gpu.min_cuda]
    assert TESTS["config"]["gpuTypeId"] == "NVIDIA L40S"


def test_every_variable_is_one_of_the_workers() -> None:
    named = {each["key"] for each in ENV} | set(TEST_ENV) | set(read_endpoint(COMMITTED).env)
    named |= set(read_endpoint(COMMITTED).secret_env)
    for preset in HUB["config"]["presets"]:
        assert set(preset["defaults"]) <= {each["key"] for each in ENV}
        named |= set(preset["defaults"])
    assert named <= set(KNOWN)


def test_the_workers_settings_take_every_default_and_preset() -> None:
    endpoint = read_endpoint(COMMITTED)
    presets = [preset["defaults"] for preset in HUB["config"]["presets"]]
    secrets = SECRETS | {"CALLBACK_SECRET": "whsec_" + base64.b64encode(bytes(32)).decode()}
    environments = [defaults() | preset for preset in presets] + [
        TEST_ENV,
        endpoint.env | secrets,
    ]
    released = load_workflows(REPOSITORY / "workflows")
    for environ in environments:
        settings = read_settings({**environ, "COMFYUI_PATH": str(COMFYUI)})
        assert settings.required_workflows
        for name, version in settings.required_workflows:
            assert released.get(name, version)


@pytest.mark.parametrize("case", TESTS["tests"], ids=lambda case: case["name"])
def test_every_input_is_one_that_the_worker_takes(case: dict[str, Any]) -> None:
    assert case["timeout"] >= 10_000
    if raw_input(case["input"]):
        assert parse_raw(case["input"]).deadline_s * 1000 < case["timeout"]
    else:
        JOB.validate_python(case["input"])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """RunPod's public API before a real worker on the CPU, with the tests' variables."""
    folder = tmp_path_factory.mktemp("hub")
    origin = f"http://127.0.0.1:{free_port()}"
    base = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    plane = Process(
        name="plane",
        argv=[sys.executable, "-m", "sandbox.control_plane", "--port", origin.rpartition(":")[2]],
        env={**base, "SANDBOX_API_KEY": "api", "SANDBOX_WORKER_KEY": "work"},
        log=folder / "plane.log",
        cwd=REPOSITORY,
        ready_url=f"{origin}/ready",
    )
    worker = Process(
        name="worker",
        argv=[sys.executable, "-m", "handler"],
        env={
            **base,
            **worker_environ(origin, "sandbox", worker_id="worker", key="work"),
            **TEST_ENV,
            "OBJECT_STORE_URL": f"file://{folder}/store",
            "COMFYUI_DEVICE": "cpu",
            "COMFYUI_PATH": str(COMFYUI),
        },
        log=folder / "worker.log",
        cwd=REPOSITORY,
        stage=1,
        restart=False,
    )
    headers = {"Authorization": "Bearer api"}
    with (
        Supervisor([plane, worker]),
        httpx.Client(base_url=f"{origin}/v2/sandbox", headers=headers, trust_env=False) as client,
    ):
        yield client


@pytest.mark.comfyui
@pytest.mark.parametrize("case", TESTS["tests"], ids=lambda case: case["name"])
def test_a_real_worker_completes_every_test(client: httpx.Client, case: dict[str, Any]) -> None:
    job_id = client.post("/run", json={"input": case["input"]}).json()["id"]

    def ended() -> dict[str, Any] | None:
        document: dict[str, Any] = client.get(f"/status/{job_id}").json()
        return document if document["status"] in ("COMPLETED", "FAILED") else None

    document = eventually(ended, within_s=180)  # the first one waits for the boot
    assert document["status"] == "COMPLETED", document.get("error")
    if case["name"] == "health":
        HealthReport.model_validate(document["output"])
        return
    (saved,) = document["output"]["images"]
    image = Image.open(io.BytesIO(base64.b64decode(saved["data"])))
    assert image.size == (64, 64)
    assert image.getpixel((0, 0)) == (40, 80, 120)
    assert image.getpixel((32, 32)) == (220, 160, 90)


def test_the_files_are_where_the_hub_looks() -> None:
    assert sorted(path.name for path in Path(REPOSITORY / ".runpod").iterdir()) == [
        "hub.json",
        "tests.json",
    ]
