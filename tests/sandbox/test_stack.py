"""What the stack tells each process, and what it keeps in its state directory."""

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from sandbox.control_plane.settings import Settings
from sandbox.secrets_file import InvalidSecrets, load_or_create
from sandbox.stack import PortTaken, Stack, StackRunning
from sandbox.stripe_stand_in.settings import Settings as StripeSettings
from sandbox.supervisor import Process

WORKER_VARIABLES = {
    "RUNPOD_WEBHOOK_GET_JOB",
    "RUNPOD_WEBHOOK_POST_OUTPUT",
    "RUNPOD_WEBHOOK_POST_STREAM",
    "RUNPOD_WEBHOOK_PING",
    "RUNPOD_AI_API_KEY",
    "RUNPOD_POD_ID",
    "RUNPOD_ENDPOINT_ID",
    "RUNPOD_PING_INTERVAL",
    "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS",
    "RUNPOD_SKIP_GPU_CHECK",
    "OBJECT_STORE_URL",
    "COMFYUI_PATH",
    "COMFYUI_BASE_DIR",
    "COMFYUI_MODELS_DIR",
    "COMFYUI_DEVICE",
    "CALLBACK_URL",
    "CALLBACK_SECRET",
}
GATEWAY_VARIABLES = {
    "HOST",
    "PORT",
    "PUBLIC_URL",
    "DATABASE_URL",
    "OBJECT_STORE_URL",
    "BOOKS_DIR",
    "PAGE_LOOK",
    "RUNPOD_API_URL",
    "RUNPOD_ENDPOINT_ID",
    "RUNPOD_API_KEY",
    "RUNPOD_WEBHOOK_TOKEN",
    "APP_SECRET",
    "CALLBACK_SECRET",
    "FACE_MODEL_PATH",
    "FACE_MIN_AREA_PERCENT",
    "STRIPE_API_URL",
    "STRIPE_API_KEY",
    "STRIPE_WEBHOOK_SECRETS",
    "ALLOW_TEST_PAYMENTS",
    "PRINT_PROFILE",
    "PRINT_DROP_DIR",
    "MAIL_OUTBOX_DIR",
}


def processes(tmp_path: Path, **changes: Any) -> dict[str, Process]:
    environ = {"PATH": os.environ["PATH"], "HOME": "/home/someone", "RUNPOD_API_KEY": "real"}
    stack = Stack(tmp_path / "state", environ, **changes)
    return {process.name: process for process in stack.processes()}


def test_it_has_the_stand_ins_the_workers_and_a_gateway(tmp_path: Path) -> None:
    found = processes(tmp_path, workers=2)
    assert list(found) == ["control-plane", "stripe", "worker-1", "worker-2", "gateway"]
    assert [process.stage for process in found.values()] == [0, 0, 1, 1, 1]
    assert [process.restart for process in found.values()] == [False, False, True, True, True]


def test_the_worker_gets_the_variables_it_needs(tmp_path: Path) -> None:
    found = processes(tmp_path)
    env = found["worker-1"].env
    assert set(env) >= WORKER_VARIABLES
    assert env["RUNPOD_POD_ID"] == "worker-1"
    assert env["OBJECT_STORE_URL"] == f"file://{tmp_path}/state/store"
    assert env["CALLBACK_URL"].startswith(found["gateway"].env["PUBLIC_URL"])
    Webhook(env["CALLBACK_SECRET"])


def test_the_gateway_gets_the_variables_it_needs(tmp_path: Path) -> None:
    found = processes(tmp_path)
    env = found["gateway"].env
    assert set(env) >= GATEWAY_VARIABLES
    assert env["PAGE_LOOK"] == "draft"
    assert env["DATABASE_URL"] == f"sqlite:///{tmp_path}/state/foxetales.db"
    assert env["CALLBACK_SECRET"] == found["worker-1"].env["CALLBACK_SECRET"]


def test_the_control_plane_takes_the_keys_that_the_others_send(tmp_path: Path) -> None:
    found = processes(tmp_path)
    settings = Settings.from_environment(found["control-plane"].env)
    assert settings.api_key == found["gateway"].env["RUNPOD_API_KEY"]
    assert settings.worker_key == found["worker-1"].env["RUNPOD_AI_API_KEY"]
    assert settings.endpoint_id == found["worker-1"].env["RUNPOD_ENDPOINT_ID"]


def test_stripes_stand_in_and_the_gateway_know_each_other(tmp_path: Path) -> None:
    found = processes(tmp_path)
    settings = StripeSettings.from_environment(found["stripe"].env)
    env = found["gateway"].env
    assert settings.api_key == env["STRIPE_API_KEY"]
    assert settings.api_key.startswith("sk_test_")
    assert settings.webhook_secret == env["STRIPE_WEBHOOK_SECRETS"]
    assert settings.webhook_url == f"{env['PUBLIC_URL']}/webhooks/stripe"
    assert found["stripe"].ready_url == f"{env['STRIPE_API_URL']}/ready"


def test_nothing_of_the_developers_own_accounts_gets_in(tmp_path: Path) -> None:
    found = processes(tmp_path)
    assert all("real" not in process.env.values() for process in found.values())
    assert found["worker-1"].env["HOME"] == str(tmp_path / "state" / "home")


def test_comfyui_lies_where_the_caller_says(tmp_path: Path) -> None:
    def path_for(environ: dict[str, str], **changes: Any) -> str:
        found = Stack(tmp_path, environ, **changes).processes()
        return next(process.env for process in found if process.name == "worker-1")["COMFYUI_PATH"]

    assert path_for({}).endswith("build/comfyui")
    assert path_for({"COMFYUI_PATH": "/opt/comfyui"}) == "/opt/comfyui"
    assert path_for({"COMFYUI_PATH": "/opt/comfyui"}, comfyui_path=Path("/own")) == "/own"


def test_extra_variables_come_last(tmp_path: Path) -> None:
    found = processes(tmp_path, extra={"COMFYUI_DEVICE": "cuda"})
    assert found["worker-1"].env["COMFYUI_DEVICE"] == "cuda"


def test_secrets_are_private_and_survive_a_restart(tmp_path: Path) -> None:
    first = processes(tmp_path)["gateway"].env["APP_SECRET"]
    path = tmp_path / "state" / "secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert processes(tmp_path)["gateway"].env["APP_SECRET"] == first
    assert first not in repr(load_or_create(path))


def test_secrets_of_an_earlier_version_stay_and_new_ones_join_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    load_or_create(path)
    before = json.loads(path.read_text())
    stripe_key = before.pop("stripe_key")
    path.write_text(json.dumps(before))
    after = load_or_create(path)
    assert after.app_secret == before["app_secret"]
    assert after.stripe_key not in ("", stripe_key)
    assert load_or_create(path) == after


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json", '{"another": "file"}'])
def test_a_damaged_secrets_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(InvalidSecrets, match=r"secrets\.json"):
        load_or_create(path)


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    load_or_create(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "api_key": ""}))
    with pytest.raises(InvalidSecrets, match="empty"):
        load_or_create(path)


@pytest.mark.parametrize("changes", [{"workers": 0}, {"ping_interval_ms": 999}])
def test_senseless_numbers_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        Stack(tmp_path, {}, **changes)


@pytest.mark.parametrize("port", ["gateway_port", "control_plane_port", "stripe_port"])
def test_a_port_on_which_somebody_else_listens_is_told_before_anything_starts(
    tmp_path: Path, port: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        chosen: dict[str, Any] = {port: number}
        stack = Stack(tmp_path, {"PATH": os.environ["PATH"]}, **chosen)
        with pytest.raises(PortTaken, match=str(number)), stack.up():
            pass
    assert not (tmp_path / "logs").exists()


def test_a_state_directory_serves_one_stack_at_a_time(tmp_path: Path) -> None:
    class ControlPlaneOnly(Stack):
        def processes(self) -> list[Process]:
            return super().processes()[:1]

    environ = {"PATH": os.environ["PATH"]}
    with ControlPlaneOnly(tmp_path, environ).up() as supervisor:
        assert supervisor.pid("control-plane") is not None
        with pytest.raises(StackRunning), ControlPlaneOnly(tmp_path, environ).up():
            pass
    with ControlPlaneOnly(tmp_path, environ).up():
        pass
