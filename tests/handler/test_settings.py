from pathlib import Path

import pytest

from contract.signing import new_secret
from handler.models.licence_gate import Terms
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


def test_the_input_cache_is_limited_in_mebibytes(environ: dict[str, str]) -> None:
    assert read_settings(environ).input_cache_bytes == 2048 * 1024 * 1024
    assert read_settings({**environ, "INPUT_CACHE_MB": "0"}).input_cache_bytes == 0
    for wrong in ("-1", "1.5", "much", "12345678"):
        with pytest.raises(SettingsInvalid, match="INPUT_CACHE_MB"):
            read_settings({**environ, "INPUT_CACHE_MB": wrong})


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


def test_nothing_is_required_and_nothing_is_open_by_default(environ: dict[str, str]) -> None:
    settings = read_settings(environ)
    assert settings.required_workflows == ()
    assert settings.input_url_hosts == ()
    assert (settings.check_hashes, settings.warm_up, settings.warm_up_size) == (True, True, 1024)
    assert (settings.raw_workflows, settings.raw_to_store) == (False, False)
    assert settings.model_list.name == "models.txt"


def test_required_workflows_and_hosts_are_listed_by_commas(environ: dict[str, str]) -> None:
    listed = {
        "REQUIRED_WORKFLOWS": "identity/v1, storybook_page/v12,identity/v1,",
        "INPUT_URL_HOSTS": "cdn.example.com, *.Example.org",
    }
    settings = read_settings({**environ, **listed})
    assert settings.required_workflows == (("identity", 1), ("storybook_page", 12))
    assert settings.input_url_hosts == ("cdn.example.com", "*.example.org")


def test_hashes_are_kept_beside_the_models(environ: dict[str, str], tmp_path: Path) -> None:
    settings = read_settings({**environ, "COMFYUI_MODELS_DIR": str(tmp_path)})
    assert settings.model_hashes.parent == tmp_path
    settings = read_settings({**environ, "MODEL_HASHES": "/data/hashes.json"})
    assert settings.model_hashes == Path("/data/hashes.json")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REQUIRED_WORKFLOWS", "identity"),
        ("REQUIRED_WORKFLOWS", "identity/v0"),
        ("REQUIRED_WORKFLOWS", "../identity/v1"),
        ("MODELS_CHECK", "md5"),
        ("WARM_UP", "yes"),
        ("WARM_UP_SIZE", "1000000"),
        ("WARM_UP_SIZE", "100"),
        ("WARM_UP_SIZE", "big"),
        ("RAW_WORKFLOWS", "1"),
        ("RAW_OUTPUT", "disk"),
        ("INPUT_URL_HOSTS", "*"),
        ("INPUT_URL_HOSTS", "https://cdn.example.com"),
        ("INPUT_URL_HOSTS", "*.com."),
    ],
)
def test_a_setting_of_another_form_is_named(environ: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=name):
        read_settings({**environ, name: value})


def test_a_worker_is_commercial_unless_it_is_told_that_it_only_evaluates(
    environ: dict[str, str],
) -> None:
    assert read_settings(environ).terms == Terms("commercial")
    assert read_settings({**environ, "MODELS_USE": "evaluation"}).terms.use == "evaluation"
    for wrong in ("production", "none"):
        with pytest.raises(SettingsInvalid, match="MODELS_USE is one of commercial, evaluation"):
            read_settings({**environ, "MODELS_USE": wrong})


def test_acknowledged_licences_come_with_the_customers_references(environ: dict[str, str]) -> None:
    told = "LicenseRef-A=ORDER-123, MIT=contract 7/2026 = annex"
    acknowledged = read_settings({**environ, "ACKNOWLEDGED_LICENCES": told}).terms.acknowledged
    assert [(each.licence, each.reference) for each in acknowledged] == [
        ("LicenseRef-A", "ORDER-123"),
        ("MIT", "contract 7/2026 = annex"),
    ]
    for wrong in ("LicenseRef-A", "LicenseRef-A=", "=x", "a b=c", "a=\x07", f"a={'x' * 101}"):
        with pytest.raises(SettingsInvalid, match="ACKNOWLEDGED_LICENCES lists licences"):
            read_settings({**environ, "ACKNOWLEDGED_LICENCES": wrong})


def test_a_token_for_models_stays_out_of_comfyuis_process(environ: dict[str, str]) -> None:
    environ |= {"HF_TOKEN": "hf_secret", "HUGGING_FACE_HUB_TOKEN": "hf_secret"}
    assert "hf_secret" not in str(read_settings(environ).comfy_environment)


def test_the_customers_model_list_lies_beside_ours(environ: dict[str, str], tmp_path: Path) -> None:
    environ["MODEL_LIST"] = f"{tmp_path}/models.txt"
    assert read_settings(environ).model_list_local is None
    (tmp_path / "models.local.txt").touch()
    assert read_settings(environ).model_list_local == tmp_path / "models.local.txt"
