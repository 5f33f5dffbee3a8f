import json
from pathlib import Path

import pytest

from handler.comfy.files import ComfyFiles
from handler.errors import OutputMissing


@pytest.fixture
def files(tmp_path: Path) -> ComfyFiles:
    pack = tmp_path / "pack"
    pack.mkdir()
    (tmp_path / "models/face_detection").mkdir(parents=True)
    files = ComfyFiles(tmp_path / "base", pack, tmp_path / "models")
    files.prepare()
    return files


def test_the_node_pack_is_linked_and_preparing_again_changes_nothing(files: ComfyFiles) -> None:
    files.prepare()
    assert (files.root / "custom_nodes/foxetales").resolve().name == "pack"


def test_a_copied_node_pack_is_left_alone(tmp_path: Path) -> None:
    copied = tmp_path / "base/custom_nodes/foxetales"
    copied.mkdir(parents=True)
    ComfyFiles(tmp_path / "base", tmp_path).prepare()
    assert not copied.is_symlink()


def test_models_folders_are_made_known_by_their_names(files: ComfyFiles, tmp_path: Path) -> None:
    described = json.loads(files.model_paths.read_text())["foxetales"]
    assert described == {
        "base_path": str(tmp_path / "models"),
        "face_detection": "face_detection",
    }


def test_an_output_is_taken_once(files: ComfyFiles) -> None:
    folder = files.root / "output/job_1"
    folder.mkdir()
    (folder / "page.png").write_bytes(b"pixels")
    assert files.take_output("job_1", "page.png") == b"pixels"
    with pytest.raises(OutputMissing):
        files.take_output("job_1", "page.png")


@pytest.mark.parametrize(("subfolder", "name"), [("..", "model_paths.yaml"), ("", "/etc/passwd")])
def test_no_file_outside_the_output_folder_is_taken(
    files: ComfyFiles, subfolder: str, name: str
) -> None:
    with pytest.raises(OutputMissing, match="outside"):
        files.take_output(subfolder, name)


def test_discarding_a_run_leaves_the_others(files: ComfyFiles) -> None:
    for run in ("job_1", "job_2"):
        files.stage(run, "photo.png", b"child")
    files.discard("job_1")
    assert [path.name for path in (files.root / "input").iterdir()] == ["job_2"]


def test_what_a_killed_worker_left_is_swept(files: ComfyFiles) -> None:
    files.stage("job_1", "photo.png", b"child")
    files.sweep()
    assert not list(files.root.rglob("photo.png"))
