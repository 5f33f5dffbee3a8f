"""A RunPod of one's own, an endpoint's file, and the command as a process."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.fake_runpod import KEY, FakeRunpod, fake_runpod

REPOSITORY = Path(__file__).parents[2]
COMMITTED = REPOSITORY / "deploy" / "endpoint.toml"

SECRETS = {
    "CALLBACK_SECRET": "whsec_the_callbacks_secret",
    "S3_ENDPOINT_URL": "https://account.r2.cloudflarestorage.invalid",
    "S3_ACCESS_KEY_ID": "the-access-key-id",
    "S3_SECRET_ACCESS_KEY": 'the/secret+access"key',
}

Deploy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def runpod() -> Iterator[FakeRunpod]:
    """An account with nothing in it but the registry credential."""
    with fake_runpod() as served:
        yield served


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The committed endpoint's file with an image and a gateway of ours."""
    path = tmp_path / "endpoint.toml"
    text = COMMITTED.read_text().replace("registry.example/", "images.shop.test/")
    path.write_text(text.replace("books.example.com", "books.foxetales.test"))
    return path


@pytest.fixture
def environ(runpod: FakeRunpod) -> dict[str, str]:
    """What the command needs of its environment."""
    return {"RUNPOD_API_KEY": KEY, "RUNPOD_REST_URL": runpod.url, **SECRETS}


@pytest.fixture
def deploy(environ: dict[str, str], file: Path) -> Deploy:
    """``python -m deploy`` with that file, as a process; None as a variable's value unsets it."""

    def run(*arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        given = {**environ, "PATH": os.environ["PATH"], **variables}
        if arguments[0] != "costs":
            arguments = (*arguments, "--file", str(file))
        return subprocess.run(
            [sys.executable, "-m", "deploy", *arguments],
            env={name: value for name, value in given.items() if value is not None},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
