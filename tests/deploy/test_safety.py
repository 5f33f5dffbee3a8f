"""What the endpoint's file may say, and what isn't deployed."""

from pathlib import Path
from typing import Any

import pytest

from deploy.endpoint_file import Endpoint, read_endpoint
from deploy.errors import FileInvalid
from deploy.safety import objections
from gateway.settings import Settings
from tests.deploy.conftest import COMMITTED, SECRETS


def changed(file: Path, **tables: Any) -> Endpoint:
    """The file's endpoint with other values; a table's values are merged."""
    document = read_endpoint(file).model_dump()
    for name, value in tables.items():
        given = document[name]
        document[name] = {**given, **value} if isinstance(value, dict) else value
    return Endpoint.model_validate(document)


def wrong(endpoint: Endpoint, deadline_s: float = 600, **secrets: str) -> list[str]:
    """The fields that are objected to."""
    found = objections(endpoint, {**SECRETS, **secrets}, job_deadline_s=deadline_s)
    return [line.partition(": ")[0] for line in found]


def test_the_committed_file_lacks_nothing_but_an_image_and_a_gateway_of_ones_own() -> None:
    assert wrong(read_endpoint(COMMITTED)) == ["image", "env.CALLBACK_URL"]


def test_with_an_image_and_a_gateway_of_ones_own_it_may_be_deployed(file: Path) -> None:
    assert wrong(read_endpoint(file)) == []


def test_it_leaves_room_for_the_gateways_own_deadline(file: Path) -> None:
    default = Settings.model_fields["job_deadline_s"].default
    assert wrong(read_endpoint(file), deadline_s=default) == []
    assert wrong(changed(file, timeout_s=629), deadline_s=600) == ["timeout_s"]
    assert wrong(changed(file, timeout_s=630), deadline_s=600) == []


@pytest.mark.parametrize(
    ("tables", "field"),
    [
        ({"workers": {"max": 0}}, "workers.max"),
        ({"workers": {"min": 6}}, "workers.min"),
        ({"workers": {"idle_timeout_s": None}}, "workers.idle_timeout_s"),
        (
            {"scaling": {"queue_delay_s": None, "request_count": 1}},
            "workers.idle_timeout_s",
        ),
        ({"image": "images.shop.test/foxetales/worker"}, "image"),
        ({"image": "images.shop.test/foxetales/worker:latest"}, "image"),
        ({"image": "localhost:5000/worker"}, "image"),
        ({"registry": None}, "registry"),
        ({"public_image": True}, "registry"),
        ({"data_centers": ["US-KS-2"]}, "data_centers"),
        ({"env": {"HF_TOKEN": "hf_abc"}}, "env.HF_TOKEN"),
        ({"env": {"CALLBACK_SECRET": "{{ RUNPOD_SECRET_callback }}"}}, "env.CALLBACK_SECRET"),
        ({"env": {"OBJECT_STORE_URL": "file:///tmp"}}, "env.OBJECT_STORE_URL"),
        ({"env": {"REQUIRED_WORKFLOWS": ""}}, "env.REQUIRED_WORKFLOWS"),
    ],
)
def test_what_would_do_harm_is_objected_to(file: Path, tables: Any, field: str) -> None:
    assert wrong(changed(file, **tables)) == [field]


def test_no_objection_repeats_a_value(file: Path) -> None:
    endpoint = changed(file, env={"HF_TOKEN": "hf_abc", "OBJECT_STORE_URL": "file:///private"})
    told = "\n".join(objections(endpoint, SECRETS, job_deadline_s=600))
    assert "hf_abc" not in told
    assert "private" not in told


def test_a_reference_to_a_secret_at_runpod_may_stand_in_the_file(file: Path) -> None:
    assert wrong(changed(file, env={"HF_TOKEN": "{{ RUNPOD_SECRET_hugging_face }}"})) == []


def test_a_digest_does_without_a_tag(file: Path) -> None:
    assert wrong(changed(file, image=f"images.shop.test/foxetales/worker@sha256:{'a' * 64}")) == []


def test_workers_need_the_keys_of_their_store_and_a_callback_needs_its_secret(file: Path) -> None:
    endpoint = read_endpoint(file)
    assert objections(endpoint, {}, job_deadline_s=600) == [
        "secret_env: S3_ACCESS_KEY_ID is missing; the store wouldn't let workers in",
        "secret_env: S3_SECRET_ACCESS_KEY is missing; the store wouldn't let workers in",
        "env: CALLBACK_URL and CALLBACK_SECRET belong together",
    ]


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("max = 5", "max = -1", "workers.max"),
        ("max = 5", 'max = "5"', "workers.max"),
        ("max = 5", "maximum = 5", "workers.maximum"),
        ("idle_timeout_s = 60", "idle_timeout_s = 3601", "workers.idle_timeout_s"),
        ("timeout_s = 660", "timeout_s = 604801", "timeout_s"),
        ("queue_delay_s = 2", "queue_delay_s = 2\nrequest_count = 1", "scaling"),
        ("queue_delay_s = 2", "", "scaling"),
        ('"ADA_48_PRO"', '"ADA_48"', "gpu.pools.0"),
        ("size_gb = 100", "size_gb = 5000", "volume.size_gb"),
        ("disk_gb = 20", "disk_gb = 0", "disk_gb"),
        ('"13.0"', '"thirteen"', "gpu.min_cuda"),
        ("[env]", "[env]\nlower = '1'", "env.lower.[key]"),
    ],
)
def test_a_field_out_of_range_is_named(file: Path, before: str, after: str, field: str) -> None:
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    with pytest.raises(FileInvalid) as caught:
        read_endpoint(file)
    assert field in [line.split(": ")[1] for line in str(caught.value).splitlines()]


def test_a_file_that_is_no_toml_or_isnt_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="no such file"):
        read_endpoint(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"name = \xff")
    with pytest.raises(FileInvalid, match="is no TOML"):
        read_endpoint(tmp_path / "bad.toml")
