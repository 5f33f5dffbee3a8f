"""``python -m handler config check`` says every fault at once, shows no secret, starts nothing."""

from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.findings import Level
from contract.signing import new_secret
from handler.setting_check import SECRETS, check
from tests.config_check import config_check

ran = partial(config_check, "handler")


@pytest.fixture
def good(tmp_path: Path) -> dict[str, str]:
    """What a worker at RunPod might run with; its ComfyUI is a file that nothing may start."""
    (tmp_path / "main.py").write_text("raise SystemExit('started')")
    return {
        "OBJECT_STORE_URL": "s3://books",
        "S3_ACCESS_KEY_ID": "an-id-hunter2",
        "S3_SECRET_ACCESS_KEY": "hunter2",
        "COMFYUI_PATH": str(tmp_path),
        "CALLBACK_URL": "https://books.shop.example/webhooks/runpod/status",
        "CALLBACK_SECRET": new_secret(),
        "REQUIRED_WORKFLOWS": "storybook_page_draft/v1",
    }


def test_an_empty_environment_lacks_the_store() -> None:
    status, lines = ran({})
    assert status == 2
    assert lines[0].startswith("not set: CALLBACK_SECRET, ")
    assert "wrong  OBJECT_STORE_URL: is missing" in lines


def test_a_good_environment_has_nothing_to_be_said_of(good: dict[str, str]) -> None:
    status, lines = ran(good)
    assert lines == [f"secrets set: {', '.join(SECRETS)}", "nothing wrong, nothing risky"]
    assert status == 0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MODELS_CHECK", "present", "aren't compared"),
        ("MODELS_USE", "evaluation", "is for evaluation"),
        ("REQUIRED_WORKFLOWS", "", "first paid job"),
        ("WARM_UP", "false", "waits until"),
        ("CALLBACK_URL", "http://gateway.example/hook", "goes over http"),
        ("OBJECT_STORE_URL", "file:///objects", "a folder of this machine"),
        ("RAW_WORKFLOWS", "true", "any graph"),
        ("COMFYUI_DEVICE", "cpu", "the GPU isn't used"),
        ("LOG_LEVEL", "debug", "logs are long"),
    ],
)
def test_a_risk_is_named(good: dict[str, str], name: str, value: str, words: str) -> None:
    (finding,) = check({**good, name: value})
    assert (finding.level, finding.variable) == (Level.RISKY, name)
    assert words in finding.text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OBJECT_STORE_URL", "ftp://hunter2", "file:///folder or s3://bucket"),
        ("COMFYUI_PATH", "/nowhere", "no ComfyUI"),
        ("COMFYUI_DEVICE", "tpu", "is one of auto, cpu"),
        ("WARM_UP_SIZE", "13", "multiple of 8"),
        ("CALLBACK_SECRET", "hunter2", "starts with whsec_"),
        ("REQUIRED_WORKFLOWS", "no_such_page/v1", "isn't among"),
        ("INPUT_CACHE_MB", "much", "whole number of MiB"),
    ],
)
def test_a_fault_is_named(good: dict[str, str], name: str, value: str, words: str) -> None:
    (finding,) = check({**good, name: value})
    assert (finding.level, finding.variable) == (Level.WRONG, name)
    assert words in finding.text
    assert "hunter2" not in finding.text


def test_models_that_are_missing_or_may_not_be_sold_with_are_named(good: dict[str, str]) -> None:
    folder = Path(good["COMFYUI_PATH"]) / "no_models"
    folder.mkdir()
    photo = {"REQUIRED_WORKFLOWS": "storybook_page/v1", "COMFYUI_MODELS_DIR": str(folder)}
    found = check({**good, **photo})
    assert {each.variable for each in found} == {"COMFYUI_MODELS_DIR", "MODELS_USE"}
    texts = " ".join(each.text for each in found)
    assert "storybook_page/v1 needs " in texts
    assert "doesn't allow commercial use" in texts


def test_every_fault_is_told_at_once_and_the_status_tells_the_worst(good: dict[str, str]) -> None:
    faults = {"COMFYUI_PATH": "/nowhere", "WARM_UP_SIZE": "13", "MODELS_CHECK": "present"}
    status, lines = ran({**good, **faults})
    assert (status, lines[-1]) == (2, "2 wrong, 1 risky")
    status, lines = ran({**good, "MODELS_CHECK": "present"})
    assert (status, lines[-1]) == (1, "0 wrong, 1 risky")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from([*SECRETS, "CALLBACK_URL"]),
    prefix=st.sampled_from(["", "whsec_", "https://u:", "ftp://"]),
    value=st.text("bcfgjkqvwxyzBCFGJKQVWXYZ23456789@:/?#", min_size=8, max_size=60),
)
def test_no_secret_is_ever_shown(good: dict[str, str], name: str, prefix: str, value: str) -> None:
    shown = "".join(each.text for each in check({**good, name: prefix + value}))
    assert value not in shown
    assert "hunter2" not in shown
