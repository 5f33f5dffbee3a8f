"""Dockerfile.gateway, played in a scratch folder; then the gateway runs out of it.

Left out are apt-get, whose packages the set-up installs on this machine as well, the user, and all
pages of the art but one.
"""

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from handler.workflows.model_list import read_model_list
from tests.images.dockerfile import ROOT, Scratch, Stage, defaults, environment, read

# Building the image takes a minute, and several on a busy machine or with empty caches.
pytestmark = pytest.mark.timeout(900)

NOT_HERE = ("apt-get", "rm -rf /var/lib/apt", "groupadd", "useradd")
KEPT = ("HOME", "LANG", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy")
SECRET = "a-secret-of-at-least-thirty-two-characters"


def skipped(command: str) -> bool:
    return command.startswith((*NOT_HERE, "install --directory --owner"))


@dataclass(frozen=True)
class Image:
    """What was built: the scratch folder, the last stage, and its environment."""

    scratch: Scratch
    stage: Stage
    env: dict[str, str]

    def path(self, inside: str) -> Path:
        return Path(self.scratch.inside(inside))

    def command(self, name: str) -> list[str]:
        (instruction,) = self.stage.named(name)
        program, *arguments = (self.scratch.inside(word) for word in instruction.words)
        return [
            str(self.path("/opt/venv/bin/python")) if program == "python" else program,
            *arguments,
        ]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    scratch = Scratch(tmp_path_factory.mktemp("gateway-image"), skipped)
    base_python = scratch.folder / "usr/local"
    subprocess.run([sys.executable, "-m", "venv", base_python], check=True)
    own = {name: os.environ[name] for name in os.environ if name in KEPT or name.startswith("PIP_")}
    building = {**own, "PATH": f"{base_python}/bin:/usr/bin:/bin"}
    _, stages = read(ROOT / "Dockerfile.gateway")
    scratch.folder.joinpath("var/lib/foxetales").mkdir(parents=True)
    for stage in stages:
        scratch.play(stage, building, {"books draw --out drawn": " --page 1"})
    told = environment(stages[-1], defaults(stages[-1]))
    env = {name: scratch.inside(value) for name, value in told.items()}
    return Image(scratch, stages[-1], env)


@pytest.fixture
def settings(image: Image, tmp_path: Path) -> dict[str, str]:
    """The image's variables and what an operator adds; one page of art isn't a book."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    return {
        **image.env,
        "HOST": "127.0.0.1",
        "PORT": port,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": f"sqlite:///{tmp_path}/foxetales.db",
        "OBJECT_STORE_URL": f"file://{tmp_path}/store",
        "BOOKS_DIR": str(ROOT / "build/books"),
        "APP_SECRET": SECRET,
        "CALLBACK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "RUNPOD_ENDPOINT_ID": "endpoint",
        "RUNPOD_API_URL": "http://127.0.0.1:9",
        "RUNPOD_API_KEY": "key",
        "RUNPOD_WEBHOOK_TOKEN": SECRET,
    }


def asked(image: Image, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The image's health check, once."""
    return subprocess.run(
        image.command("HEALTHCHECK"), env=settings, capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def running(image: Image, settings: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The URL of the gateway, started by the image's command, ready."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            image.command("CMD"),
            env=settings,
            cwd=image.path("/var/lib/foxetales"),
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(settings["PUBLIC_URL"], process)
            assert process.poll() is None, (tmp_path / "log").read_text()
            yield settings["PUBLIC_URL"]
        finally:
            process.kill()
            process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns once the gateway answers that it is ready, or has ended."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=3), timeout=60) as client:
        while process.poll() is None:
            try:
                if client.get(f"{url}/ready").status_code == 200:
                    return
            except httpx.ConnectError:  # after the transport's own pauses
                continue


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_face_model_is_the_one_that_the_model_list_names(image: Image) -> None:
    listed = read_model_list(ROOT / "models.txt")["face_detection", "centerface.onnx"]
    content = Path(image.env["FACE_MODEL_PATH"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == listed.sha256


def test_the_art_is_painted_while_the_image_is_built(image: Image) -> None:
    drawn = image.path("/opt/foxetales/books/moonlit-fox")
    made = {
        path.relative_to(ROOT / "build/books/moonlit-fox")
        for path in files(ROOT / "build/books/moonlit-fox")
    }
    page = {path.relative_to(drawn) for path in files(drawn)}
    assert page
    assert page <= made


def test_only_what_a_gateway_needs_is_installed(image: Image) -> None:
    packages = next(image.path("/opt/venv").glob("lib/python*/site-packages"))
    ours = {path.parent.name for path in packages.glob("*/__init__.py")} & {
        path.parent.name for path in ROOT.glob("*/__init__.py")
    }
    assert ours == {"contract", "storage", "books", "gateway"}
    assert not [
        name for name in ("skia", "torch", "pytest", "runpod") if (packages / name).exists()
    ]


def test_its_packages_fit_each_other(image: Image) -> None:
    done = subprocess.run(
        [image.path("/opt/venv/bin/python"), "-m", "pip", "check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_it_serves_is_healthy_and_writes_nothing_beside_its_volume(
    image: Image, settings: dict[str, str], running: str
) -> None:
    before = files(image.path("/opt"))
    assert httpx.get(f"{running}/health").json()["service"] == "foxetales-gateway"
    assert "Foxetales" in httpx.get(f"{running}/").text
    assert httpx.get(f"{running}/static/foxetales.css").status_code == 200
    assert httpx.get(f"{running}/api/books").status_code == 200
    assert asked(image, settings).returncode == 0
    assert files(image.path("/opt")) == before


def test_it_is_unhealthy_where_nobody_answers(image: Image, settings: dict[str, str]) -> None:
    done = asked(image, settings)
    assert done.returncode == 1
    assert done.stderr.startswith("no answer")


def test_without_settings_it_says_what_is_missing_and_ends(image: Image) -> None:
    done = subprocess.run(
        image.command("CMD"), env=image.env, cwd="/", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
