"""Dockerfile.gpu, played in a scratch folder as far as a machine without a GPU and without the
network's code hosts can.

The environment of the set-up stands for the image's: its lock is 6 GB of CUDA. The repository that
comfy-cli checks out is made here of the ComfyUI that the tests boot, under the image's version.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from containers import worker_health
from handler.adapters.clock import SystemClock
from handler.comfy.process import ComfyOptions
from handler.workflows import live
from tests.comfyui_checkout import COMFYUI
from tests.images.dockerfile import ROOT, Scratch, Stage, defaults, environment, read

NOT_HERE = ("apt-get", "rm -rf /var/lib/apt", "groupadd", "useradd")
OF_THE_SET_UP = ("-m venv /opt/venv", "python -m pip install", "python -m pip check")
BUILDER = "/usr/local/bin/python -m pip install"
VENV = Path(sys.prefix)


def skipped(command: str) -> bool:
    if command.startswith(BUILDER):
        return False
    return command.startswith(NOT_HERE) or any(part in command for part in OF_THE_SET_UP)


@dataclass(frozen=True)
class Playing:
    """The scratch folder, the Dockerfile's stages by name, and the variables of its base."""

    scratch: Scratch
    stages: dict[str, Stage]
    env: dict[str, str]

    def play(self, name: str, **arguments: str) -> None:
        stage = self.stages[name]
        told = {**defaults(stage), **arguments}
        own = {n: self.scratch.inside(v) for n, v in environment(stage, told).items()}
        self.scratch.play(stage, {**self.env, **told, **own}, {})

    def path(self, inside: str) -> Path:
        return Path(self.scratch.inside(inside))


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Playing:
    return set_out(tmp_path_factory.mktemp("worker-image"))


def set_out(folder: Path) -> Playing:
    """An empty scratch folder, in which the set-up's environment stands for the image's."""
    scratch = Scratch(folder, skipped)
    (scratch.folder / "opt").mkdir()
    (scratch.folder / "opt/venv").symlink_to(VENV)
    subprocess.run([sys.executable, "-m", "venv", scratch.folder / "usr/local"], check=True)
    _, stages = read(ROOT / "Dockerfile.gpu")
    base = {name: scratch.inside(value) for name, value in environment(stages[0], {}).items()}
    env = {
        **base,
        "HOME": str(scratch.folder),
        "LANG": "C.UTF-8",
        "PATH": f"{base['PATH']}:/usr/bin",
    }
    return Playing(scratch, {stage.name: stage for stage in stages}, env)


@pytest.fixture(scope="module")
def comfyui(playing: Playing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What comfy-cli checks out of a repository with the version that the Dockerfile names."""
    version = defaults(playing.stages["comfyui"])["COMFYUI_VERSION"]
    repository = tmp_path_factory.mktemp("repository") / "ComfyUI"
    subprocess.run(["cp", "--recursive", COMFYUI, repository], check=True)
    (repository / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    who = {
        f"GIT_{role}_{what}": "a@b.invalid"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["commit", "--quiet", "-m", "ComfyUI"],
        ["tag", f"v{version}"],
    ):
        subprocess.run(["git", *command], cwd=repository, env={**os.environ, **who}, check=True)
    playing.play("comfyui", COMFYUI_URL=str(repository))
    return playing.path("/opt/comfyui")


def test_comfy_cli_checks_out_the_version_and_makes_no_environment(comfyui: Path) -> None:
    assert (comfyui / "main.py").is_file()
    assert len((comfyui / "COMMIT").read_text().strip()) == 40
    assert not (comfyui / ".git").exists()
    assert not (comfyui / ".venv").exists()


def test_a_version_that_is_not_there_ends_the_build(tmp_path: Path) -> None:
    repository, folder = tmp_path / "repository", tmp_path / "image"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", repository], check=True)
    with pytest.raises(AssertionError, match="Failed to checkout tag"):
        set_out(folder).play("comfyui", COMFYUI_URL=str(repository), COMFYUI_VERSION="9.9.9")


def test_models_may_be_mounted(playing: Playing) -> None:
    """This also imports the fetcher from the few modules that the stage copies."""
    playing.play("models")
    assert list(playing.path("/opt/models").iterdir()) == []


def test_nothing_but_baked_and_mounted_is_taken(playing: Playing) -> None:
    with pytest.raises(AssertionError, match="MODELS is baked or mounted"):
        playing.play("models", MODELS="both")


def test_the_wheel_of_the_worker_is_built(playing: Playing) -> None:
    playing.play("build")
    (wheel,) = playing.path("/build/wheels").glob("foxetales-*.whl")
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "--list", wheel],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = {line.split("/")[0] for line in listed.splitlines() if "/__init__.py" in line}
    assert ours == {"contract", "storage", "handler"}


@pytest.mark.comfyui
@pytest.mark.usefixtures("comfyui")
def test_the_last_check_of_the_build_boots_comfyui_and_accepts_the_workflows(
    playing: Playing,
) -> None:
    playing.play("models")
    playing.play("", **{"MODELS_DIR": "/opt/models"})
    assert (playing.path("/opt/foxetales/comfy_nodes") / "__init__.py").is_file()


@pytest.mark.comfyui
def test_the_health_check_follows_comfyui(tmp_path: Path) -> None:
    options = ComfyOptions(COMFYUI, live.environment_of(os.environ))
    with live.booted(options, ROOT / "comfy_nodes", SystemClock()) as comfy:
        port = int(comfy.url.rpartition(":")[2])
        assert port in worker_health.comfyui_ports(Path("/proc"))
        shown = tmp_path / "4711"
        shown.mkdir()
        words = next(
            text
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if f"--port\0{port}\0" in (text := path.read_text())
        )
        (shown / "cmdline").write_text(words)
        assert worker_health.main(tmp_path) == 0
    assert worker_health.main(tmp_path) == 1
    assert port not in worker_health.comfyui_ports(Path("/proc"))


def test_a_worker_without_a_comfyui_is_unhealthy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert worker_health.main(tmp_path) == 1
    assert capsys.readouterr().err == "no ComfyUI runs\n"
