"""``python -m handler`` as a process, where it refuses to start."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.handler.conftest import REPOSITORY
from tests.handler.tiny import tiny_graph, write_workflow


def start(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "handler"],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Settings with a ComfyUI that breaks at once."""
    (tmp_path / "comfyui").mkdir()
    (tmp_path / "comfyui/main.py").write_text("raise SystemExit('the GPU is on fire')\n")
    (tmp_path / "tmp").mkdir()
    return {
        "OBJECT_STORE_URL": f"file://{tmp_path}/store",
        "COMFYUI_PATH": f"{tmp_path}/comfyui",
        "TMPDIR": f"{tmp_path}/tmp",
    }


def test_missing_settings_are_one_line_and_status_2() -> None:
    done = start({"COMFYUI_PATH": "/nowhere"})
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "OBJECT_STORE_URL is missing" in line
    assert "/nowhere" in line


def test_a_failed_boot_is_status_1_with_the_reason_last(
    environ: dict[str, str], tmp_path: Path
) -> None:
    done = start(environ)
    assert done.returncode == 1
    *logged, reason = done.stderr.splitlines()
    assert "the GPU is on fire" in reason
    assert any("the GPU is on fire" in json.loads(line).get("log_tail", "") for line in logged)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_missing_model_of_a_required_workflow_is_found_before_comfyui_is_booted(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    required = {"REQUIRED_WORKFLOWS": "identity/v1", "COMFYUI_MODELS_DIR": f"{tmp_path}/models"}
    done = start({**environ, **required, "MODELS_USE": "evaluation"})
    assert done.returncode == 1
    *logged, line = done.stderr.splitlines()
    assert len(logged) == 2
    assert "identity v1 is required, and eva_clip/EVA02_CLIP_L_336_psz14_s6B.pt is missing" in line


def test_a_wrong_model_of_a_required_workflow_is_found_before_comfyui_is_booted(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "models/face_detection").mkdir(parents=True)
    (tmp_path / "models/face_detection/centerface.onnx").write_bytes(b"another network")
    models = {"COMFYUI_MODELS_DIR": f"{tmp_path}/models"}
    done = start({**environ, **models, "REQUIRED_WORKFLOWS": "storybook_page_draft/v1"})
    assert done.returncode == 1
    assert "face_detection/centerface.onnx is another file than" in done.stderr.splitlines()[-1]


def test_a_commercial_worker_is_refused_models_that_forbid_it_each_on_a_line(
    environ: dict[str, str],
) -> None:
    environ |= {"REQUIRED_WORKFLOWS": "identity/v1"}
    done = start(environ)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.split(": ")[2] for line in lines] == [
        "face_analysis/detection_Resnet50_Final.pth",
        "face_analysis/glintr100.onnx",
        "face_analysis/parsing_bisenet.pth",
        "face_analysis/scrfd_10g_bnkps.onnx",
    ]
    assert all(line.startswith("foxetales worker: licence: ") for line in lines)
    assert "sold at https://www.insightface.ai" in lines[1]
    environ["ACKNOWLEDGED_LICENCES"] = "LicenseRef-InsightFace=INV-204"
    assert len(start(environ).stderr.splitlines()) == 2


def test_acknowledged_licences_and_their_references_are_in_the_log(
    environ: dict[str, str],
) -> None:
    names = ("InsightFace", "facexlib-RetinaFace", "facexlib-BiSeNet")
    told = ",".join(f"LicenseRef-{name}=contract 7" for name in names)
    more = {"REQUIRED_WORKFLOWS": "identity/v1", "ACKNOWLEDGED_LICENCES": told}
    done = start({**environ, **more})
    assert done.returncode == 1  # the files themselves aren't there
    message = json.loads(done.stderr.splitlines()[0])["message"]
    assert "LicenseRef-facexlib-BiSeNet=contract 7" in message
    assert "is missing" in done.stderr.splitlines()[-1]


def test_a_draft_worker_needs_no_licence(environ: dict[str, str]) -> None:
    done = start({**environ, "REQUIRED_WORKFLOWS": "storybook_page_draft/v1"})
    assert "the GPU is on fire" in done.stderr.splitlines()[-1]  # it came as far as ComfyUI


def test_a_required_workflow_that_does_not_exist_is_named(environ: dict[str, str]) -> None:
    done = start({**environ, "REQUIRED_WORKFLOWS": "no_such/v3"})
    assert done.returncode == 1
    assert "no_such v3 is required" in done.stderr


def test_a_wrong_model_list_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "models.txt").write_text("vae/ae.safetensors abc\n")
    done = start({**environ, "MODEL_LIST": f"{tmp_path}/models.txt"})
    assert done.returncode == 1
    assert "models.txt: line 1" in done.stderr


def test_a_wrong_workflow_is_found_before_comfyui_is_booted(
    environ: dict[str, str], tmp_path: Path
) -> None:
    graph = tiny_graph()
    del graph["load"]
    write_workflow(tmp_path / "workflows", graph)
    done = start({**environ, "WORKFLOWS_DIR": f"{tmp_path}/workflows"})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "tiny/v1.json" in line


def test_a_signal_while_booting_ends_everything(environ: dict[str, str], tmp_path: Path) -> None:
    signpost = tmp_path / "signpost"
    os.mkfifo(signpost)
    (tmp_path / "comfyui/main.py").write_text(
        f"import threading\nopen({str(signpost)!r}, 'w').write('booting')\n"
        "threading.Event().wait()\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-m", "handler"], cwd=REPOSITORY, env={"PATH": "/usr/bin:/bin", **environ}
    )
    assert signpost.read_text() == "booting"  # waits until somebody writes
    worker.terminate()
    assert worker.wait(timeout=30) == 128 + signal.SIGTERM
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_object_store_of_another_kind_is_refused(environ: dict[str, str]) -> None:
    done = start({**environ, "OBJECT_STORE_URL": "ftp://somewhere"})
    assert done.returncode == 1
    assert "file:///folder or s3://bucket" in done.stderr
