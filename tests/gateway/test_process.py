"""``python -m gateway`` as an operator starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway import pictures


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def process(
    environ: dict[str, str], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            env={"PATH": os.environ["PATH"], **environ, "PORT": str(port), "PUBLIC_URL": url},
            stderr=log,
            stdout=log,
        )
        try:
            transport = httpx.HTTPTransport(retries=30)
            with httpx.Client(transport=transport, timeout=30) as client:
                wait_until_ready(client, url, running)
            yield running, url
        finally:
            running.kill()
            running.wait()


def wait_until_ready(client: httpx.Client, url: str, running: subprocess.Popen[bytes]) -> None:
    """Retried by the transport while nobody listens; the first answer is the gateway's own."""
    while running.poll() is None:
        try:
            if client.get(f"{url}/ready").status_code == 200:
                return
        except httpx.ConnectError:
            continue
    raise AssertionError("the gateway ended before it was ready")


def test_it_serves_logs_discreetly_and_ends_when_told(
    process: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    running, url = process
    photo = pictures.encoded(pictures.portrait(), "JPEG")
    with httpx.Client(base_url=url, timeout=30) as client:
        taken = client.post("/api/upload-photo", files={"file": ("Zoe-secret.jpg", photo)}).json()
        assert client.get(taken["photo_url"]).status_code == 200
        assert client.get("/api/preview-status/nobody").status_code == 401
        assert client.get("/health").json()["dependencies"]["endpoint"]["status"] == "unavailable"
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=20) in (0, -signal.SIGTERM)
    log = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"/api/upload-photo", "/files/{key:path}"} <= {line.get("route") for line in lines}
    assert "signature" not in log
    assert "secret" not in log


def test_a_wrong_environment_ends_it_with_a_line_each_and_status_2() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"],
        env={"PATH": os.environ["PATH"], "PORT": "many"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "PORT: " in ended.stderr
    assert "DATABASE_URL: " in ended.stderr
    assert "Traceback" not in ended.stderr
