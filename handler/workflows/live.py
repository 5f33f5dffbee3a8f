"""Node schemas of a ComfyUI that runs: one at an address, or one booted for the purpose."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from handler.comfy.client import ComfyClient
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from handler.errors import ComfyUnreachable
from handler.ports import Clock
from handler.workflows.schema import INPUT_FOLDER, PROBE_PREFIX

_TIMEOUT_S = 60.0
_PROBE_SUFFIXES = (".safetensors", ".onnx", ".pth")


@dataclass(frozen=True)
class BootedComfy:
    """A running ComfyUI of our own: its URL and its base directory."""

    url: str
    base: Path


def object_info(url: str) -> dict[str, Any]:
    """What the ComfyUI at ``url`` says of its node classes.

    Raises:
        ComfyUnreachable: it doesn't answer, or not as a ComfyUI does.
    """
    return dict(_get(url, "object_info"))


@contextmanager
def booted(options: ComfyOptions, node_pack: Path, clock: Clock) -> Iterator[BootedComfy]:
    """A ComfyUI on the CPU in a base directory of its own, without any weights.

    Raises:
        ComfyBootFailed.
    """
    with tempfile.TemporaryDirectory(prefix="foxetales-workflows-") as folder:
        files = ComfyFiles(Path(folder), node_pack)
        process = ComfyProcess(replace(options, cpu=True), files, clock)
        try:
            yield BootedComfy(url_of(process.ensure_running()), files.root)
        finally:
            process.stop()


def url_of(client: ComfyClient) -> str:
    """Where a ComfyUI of our own listens.

    Raises:
        ComfyUnreachable: it doesn't answer.
    """
    arguments = client.command_line()
    return f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}"


def probed_object_info(comfy: BootedComfy) -> dict[str, Any]:
    """Like :func:`object_info`, with an empty file in every folder that a node may list, so that
    an input that offers a folder's files says which folder it is.

    Raises:
        ComfyUnreachable.
    """
    for name in _get(comfy.url, "models"):
        folder = comfy.base / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in _PROBE_SUFFIXES:
            (folder / f"{PROBE_PREFIX}{name}{suffix}").touch()
    (comfy.base / "input" / f"{PROBE_PREFIX}{INPUT_FOLDER}.png").touch()
    return object_info(comfy.url)


def environment_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a ComfyUI without secrets needs."""
    return {n: v for n, v in environ.items() if n in ("PATH", "HOME", "LANG", "TMPDIR")}


def _get(url: str, path: str) -> Any:
    with requests.Session() as http:
        http.trust_env = False  # a proxy setting must not reach loopback
        try:
            answer = http.get(f"{url.rstrip('/')}/{path}", timeout=_TIMEOUT_S)
            answer.raise_for_status()
            return answer.json()
        except (requests.RequestException, ValueError) as error:
            raise ComfyUnreachable(f"{url}: no answer of a ComfyUI: {error}") from error
