from pathlib import Path

import pytest

from contract.signing import new_secret
from handler.settings import SettingsInvalid, read_settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "main.py").touch()
    return {"OBJECT_STORE_URL": "file:///data", "COMFYUI_PATH": str(tmp_path)}


def test_one_variable_and_a_comfyui_are_enough(environ: dict[str, str]) -> None:
    settings = read_settings(environ)
    assert settings.workflows_dir.name == "workflows"
    assert settings.node_pack_dir.name == "comfy_nodes"
    assert (settings.comfyui_cpu, settings.callback_url) == (False, None)
    assert settings.comfyui_boot_timeout_s == settings.page_quiet_timeout_s == 300
    assert settings.log_level == "INFO"


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        read_settings(
            {
                "COMFYUI_PATH": str(tmp_path),
                "COMFYUI_DEVICE": "tpu",
                "COMFYUI_BOOT_TIMEOUT_S": "soon",
                "PAGE_QUIET_TIMEOUT_S": "-1",
                "COMFYUI_EXTRA_ARGS": "'open",
                "WORKFLOWS_DIR": "/nowhere",
                "CALLBACK_URL": "ftp://x",
                "LOG_LEVEL": "loud",
            }
        )
    for name in (
        "OBJECT_STORE_URL",
        "COMFYUI_PATH",
        "COMFYUI_DEVICE",
        "COMFYUI_BOOT_TIMEOUT_S",
        "PAGE_QUIET_TIMEOUT_S",
        "COMFYUI_EXTRA_ARGS",
        "WORKFLOWS_DIR",
        "CALLBACK_URL",
        "CALLBACK_SECRET",
        "LOG_LEVEL",
    ):
        assert name in str(refusal.value)


def test_secrets_show_neither_in_the_settings_nor_in_an_error(environ: dict[str, str]) -> None:
    secret = new_secret()
    environ |= {
        "CALLBACK_URL": "http://127.0.0.1/unguessable",
        "CALLBACK_SECRET": secret,
        "S3_SECRET_ACCESS_KEY": "hush",
    }
    shown = repr(read_settings(environ))
    assert not any(word in shown for word in (secret, "unguessable", "hush"))
    with pytest.raises(SettingsInvalid) as refusal:
        read_settings({**environ, "CALLBACK_SECRET": "hush"})
    assert "hush" not in str(refusal.value)


def test_comfyui_sees_no_secret_of_the_worker(environ: dict[str, str]) -> None:
    environ |= {
        "S3_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "RUNPOD_AI_API_KEY": "c",
        "PATH": "/bin",
    }
    settings = read_settings(environ)
    assert dict(settings.comfy_environment) == {
        "COMFYUI_PATH": environ["COMFYUI_PATH"],
        "PATH": "/bin",
    }
    assert dict(settings.store_environment) == {"S3_ACCESS_KEY_ID": "a"}


def test_an_empty_value_counts_as_absent(environ: dict[str, str]) -> None:
    settings = read_settings({**environ, "CALLBACK_URL": "", "COMFYUI_DEVICE": " "})
    assert settings.callback_url is None
