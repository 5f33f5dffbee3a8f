"""Model files on a disk, and what is kept of their hashes."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from handler.errors import Unfit
from handler.graph import Workflow, load_workflow
from handler.models import HashCache, ModelFiles
from handler.workflows.model_list import ListedModel
from tests.handler.tiny import tiny_graph, tiny_slots, write_workflow

WEIGHTS = b"weights"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


def listed(sha256: str | None = SHA256, folder: str = "vae") -> dict[tuple[str, str], ListedModel]:
    return {
        (folder, name): ListedModel(folder, name, sha256, "MIT", "somewhere")
        for name in ("a.safetensors", "b.safetensors")
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models/vae").mkdir(parents=True)
    return tmp_path / "models"


@pytest.fixture
def hashes(tmp_path: Path) -> HashCache:
    return HashCache(tmp_path / "hashes.json")


def workflow(tmp_path: Path, *files: str, **slots: Any) -> Workflow:
    """``tiny``, which says that it loads ``files``."""
    spec = tiny_slots()
    spec["models"] = [{"folder": "vae", "file": file} for file in files]
    spec["slots"] |= slots
    graph = tiny_graph()
    graph["invert"]["inputs"]["style"] = "a.safetensors"
    return load_workflow(write_workflow(tmp_path / "workflows", graph, spec))


def test_a_missing_file_is_named_with_its_workflow(
    root: Path, hashes: HashCache, tmp_path: Path
) -> None:
    models = ModelFiles(listed(), [root], hashes)
    with pytest.raises(Unfit, match=r"tiny v1 is required, and vae/a\.safetensors is missing"):
        models.require(workflow(tmp_path, "a.safetensors"), check_hashes=False)


def test_a_file_with_another_hash_is_named_unless_presence_is_enough(
    root: Path, hashes: HashCache, tmp_path: Path
) -> None:
    (root / "vae/a.safetensors").write_bytes(b"something else")
    models, needing = ModelFiles(listed(), [root], hashes), workflow(tmp_path, "a.safetensors")
    models.require(needing, check_hashes=False)
    with pytest.raises(Unfit, match=r"vae/a\.safetensors is another file .* SHA-256 is [0-9a-f]+"):
        models.require(needing, check_hashes=True)


def test_the_right_file_and_any_file_of_the_customers_will_do(
    root: Path, hashes: HashCache, tmp_path: Path
) -> None:
    (root / "vae/a.safetensors").write_bytes(WEIGHTS)
    needing = workflow(tmp_path, "a.safetensors")
    ModelFiles(listed(), [root], hashes).require(needing, check_hashes=True)
    (root / "vae/a.safetensors").write_bytes(b"the customer's own")
    ModelFiles(listed(None), [root], hashes).require(needing, check_hashes=True)


def test_a_file_that_nobody_listed_is_not_trusted(
    root: Path, hashes: HashCache, tmp_path: Path
) -> None:
    (root / "vae/c.safetensors").write_bytes(WEIGHTS)
    with pytest.raises(Unfit, match="is not in the model list"):
        ModelFiles(listed(), [root], hashes).require(
            workflow(tmp_path, "c.safetensors"), check_hashes=True
        )


def test_the_file_of_a_choice_may_be_missing_unless_it_is_the_default(
    root: Path, hashes: HashCache, tmp_path: Path
) -> None:
    choice = {
        "node": "invert",
        "input": "style",
        "type": "choice",
        "required": False,
        "default": "a",
        "values": {"a": "a.safetensors", "b": "b.safetensors"},
    }
    needing = workflow(tmp_path, "a.safetensors", "b.safetensors", style=choice)
    (root / "vae/a.safetensors").write_bytes(WEIGHTS)
    models = ModelFiles(listed(), [root], hashes)
    models.require(needing, check_hashes=True)
    (root / "vae/b.safetensors").write_bytes(b"wrong")
    with pytest.raises(Unfit, match=r"b\.safetensors is another file"):
        models.require(needing, check_hashes=True)


def test_a_file_may_lie_in_any_root_and_under_comfyuis_older_folder_name(
    root: Path, hashes: HashCache, tmp_path: Path
) -> None:
    (tmp_path / "more/clip").mkdir(parents=True)
    (tmp_path / "more/clip/a.safetensors").write_bytes(WEIGHTS)
    models = ModelFiles(listed(folder="text_encoders"), [root, tmp_path / "more"], hashes)
    assert models.find("text_encoders", "a.safetensors") == tmp_path / "more/clip/a.safetensors"
    [a, b] = models.installed()
    assert (a.size_bytes, a.sha256, a.expected_sha256) == (len(WEIGHTS), None, SHA256)
    assert b.size_bytes is None


def test_a_hash_is_kept_until_the_file_changes(root: Path, tmp_path: Path) -> None:
    file, kept = root / "vae/a.safetensors", tmp_path / "hashes.json"
    file.write_bytes(WEIGHTS)
    assert HashCache(kept).known(file) is None
    assert HashCache(kept).sha256(file) == SHA256
    assert HashCache(kept).known(file) == SHA256
    os.utime(file, ns=(1, 1))
    assert HashCache(kept).known(file) is None


def test_a_known_hash_is_not_computed_again(root: Path, tmp_path: Path) -> None:
    file, kept = root / "vae/a.safetensors", tmp_path / "hashes.json"
    file.write_bytes(WEIGHTS)
    status = file.stat()
    name = "models/vae/a.safetensors"
    kept.write_text(json.dumps({name: [status.st_size, status.st_mtime_ns, "f" * 64]}))
    assert HashCache(kept).sha256(file) == "f" * 64


@pytest.mark.parametrize(
    "text", ["", "[", "[1]", "null", '{"FILE": 3}', '{"FILE": [7, STAMP, "f"]}']
)
def test_a_damaged_cache_costs_a_look_at_the_file(root: Path, tmp_path: Path, text: str) -> None:
    file, kept = root / "vae/a.safetensors", tmp_path / "hashes.json"
    file.write_bytes(WEIGHTS)
    stamp = str(file.stat().st_mtime_ns)
    name = "models/vae/a.safetensors"
    kept.write_text(text.replace("FILE", name).replace("STAMP", stamp))
    assert HashCache(kept).sha256(file) == SHA256


def test_a_cache_that_cannot_be_written_costs_no_more(root: Path, tmp_path: Path) -> None:
    file = root / "vae/a.safetensors"
    file.write_bytes(WEIGHTS)
    assert HashCache(tmp_path / "no/such/folder/hashes.json").sha256(file) == SHA256


def test_hashes_survive_when_the_volume_is_mounted_elsewhere(root: Path, tmp_path: Path) -> None:
    (root / "vae/a.safetensors").write_bytes(WEIGHTS)
    HashCache(root / "hashes.json").remember(root / "vae/a.safetensors", "f" * 64)
    elsewhere = root.rename(tmp_path / "elsewhere")
    file = elsewhere / "vae/a.safetensors"
    assert HashCache(elsewhere / "hashes.json").known(file) == "f" * 64


def test_a_hash_is_kept_of_a_file_outside_of_the_caches_folder(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    file = root / "vae/a.safetensors"
    file.write_bytes(WEIGHTS)
    HashCache(tmp_path / "cache/hashes.json").remember(file, "f" * 64)
    assert HashCache(tmp_path / "cache/hashes.json").known(file) == "f" * 64
